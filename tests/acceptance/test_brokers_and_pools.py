import pytest

from tests.acceptance.scenario import a_trigger, effects, outcomes, people, wait_for_runs
from tests.probe.models import RecordEffectAction
from tests.servers.brokers import Broker
from tests.servers.worker import StartWorker
from triggers import fire

BROKERS = ["redis", "filesystem", pytest.param("rabbitmq", marks=pytest.mark.rabbitmq)]
POOLS = ["celery-prefork", "celery-threads", "celery-solo"]


@pytest.mark.parametrize("engine", POOLS, indirect=True)
@pytest.mark.parametrize("broker", BROKERS, indirect=True)
def test_every_broker_and_pool_performs_what_is_fired(start_worker: StartWorker) -> None:
    users = people(30)
    a_trigger(RecordEffectAction())
    start_worker()

    for user in users:
        fire("probe.ProbeEvent", users=user)

    wait_for_runs(30)
    assert outcomes() == {"succeeded": 30}
    assert effects() == {"effect": 30}


@pytest.mark.parametrize("engine", POOLS, indirect=True)
def test_every_pool_finds_by_itself_what_the_broker_forgot(broker: Broker, start_worker: StartWorker) -> None:
    users = people(30)
    a_trigger(RecordEffectAction())
    for user in users:
        fire("probe.ProbeEvent", users=user)
    broker.stop()
    broker.start()

    start_worker()

    wait_for_runs(30)
    assert outcomes() == {"succeeded": 30}
    assert effects() == {"effect": 30}
