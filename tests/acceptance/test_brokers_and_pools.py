import pytest

from tests.acceptance.scenario import a_trigger, effects, outcomes, people, wait_for_runs
from tests.probe.models import RecordEffectAction
from tests.servers.brokers import Broker
from tests.servers.worker import StartWorker
from triggers import fire

BROKERS = ["redis", "filesystem", pytest.param("rabbitmq", marks=pytest.mark.rabbitmq)]


@pytest.mark.parametrize("pool", ["prefork", "threads", "solo"])
@pytest.mark.parametrize("broker", BROKERS, indirect=True)
def test_every_broker_and_pool_performs_what_is_fired(pool: str, start_worker: StartWorker) -> None:
    users = people(30)
    a_trigger(RecordEffectAction())
    start_worker(pool=pool)

    for user in users:
        fire("probe.ProbeEvent", users=user)

    wait_for_runs(30)
    assert outcomes() == {"succeeded": 30}
    assert effects() == {"effect": 30}


@pytest.mark.parametrize("pool", ["prefork", "threads", "solo"])
def test_every_pool_finds_by_itself_what_the_broker_forgot(
    pool: str, broker: Broker, start_worker: StartWorker
) -> None:
    users = people(30)
    a_trigger(RecordEffectAction())
    for user in users:
        fire("probe.ProbeEvent", users=user)
    broker.stop()
    broker.start()

    start_worker(pool=pool)

    wait_for_runs(30)
    assert outcomes() == {"succeeded": 30}
    assert effects() == {"effect": 30}
