"""
What another system does with the API, by the client that openapi-python-client makes of its schema.

    python story.py http://127.0.0.1:8000/api/v1 trg_… 2
"""

import sys
import time
from http import HTTPStatus
from typing import TypeVar
from urllib.parse import parse_qs, urlsplit
from uuid import UUID, uuid4

from dj_triggers_client import AuthenticatedClient
from dj_triggers_client.api.firing import explain, fire
from dj_triggers_client.api.runs import runs_list, runs_retrieve
from dj_triggers_client.api.triggers import (
    triggers_create,
    triggers_delete,
    triggers_enable,
    triggers_partial_update,
    triggers_retrieve,
)
from dj_triggers_client.api.types import component_types_list
from dj_triggers_client.models import (
    Context,
    DemoHasEmailAddressConditionRequest,
    DemoOrderPlacedEventRequest,
    DemoSendEmailActionRequest,
    ExplainRequest,
    FireRequest,
    ListedRun,
    Occurrence,
    PatchedTriggersTriggerRequest,
    Problem,
    Report,
    Run,
    TriggersActionCountCondition,
    TriggersActionCountConditionRequest,
    TriggersTrigger,
    TriggersTriggerRequest,
)
from dj_triggers_client.types import UNSET, Response, Unset

T = TypeVar("T")


def told(answer: T | Problem | None) -> T:
    """The answer of a request that was not refused."""
    if answer is None or isinstance(answer, Problem):
        raise RuntimeError(answer)
    return answer


def discover(client: AuthenticatedClient) -> None:
    """What triggers can be made of here, and what JSON Schema each takes."""
    types = {found.type_: found for found in told(component_types_list.sync(client=client)).results}
    kinds = {
        "demo.OrderPlacedEvent": "event",
        "triggers.ActionCountCondition": "condition",
        "demo.SendEmailAction": "action",
    }
    for name, kind in kinds.items():
        assert types[name].kind == kind
        assert types[name].schema["properties"]["type"]["const"] == name
        assert types[name].example["type"] == name


def create(client: AuthenticatedClient) -> TriggersTrigger:
    """A trigger with components of each kind, as the server has it."""
    body = TriggersTriggerRequest(
        type_="triggers.Trigger",
        name="Thank once for a large order",
        events=[DemoOrderPlacedEventRequest(type_="demo.OrderPlacedEvent", minimum_amount="20.00")],
        conditions=[
            DemoHasEmailAddressConditionRequest(type_="demo.HasEmailAddressCondition"),
            TriggersActionCountConditionRequest(type_="triggers.ActionCountCondition", limit=1),
        ],
        actions=[
            DemoSendEmailActionRequest(
                type_="demo.SendEmailAction",
                subject="Thank you, {{ user.first_name }}",
                message="It is on its way.",
            )
        ],
    )
    trigger = told(triggers_create.sync(client=client, body=body))
    (limit,) = (found for found in trigger.conditions if isinstance(found, TriggersActionCountCondition))
    assert limit.limit == 1
    assert trigger.is_enabled is False
    return told(triggers_enable.sync(trigger.id, client=client))


def place_order(client: AuthenticatedClient, user: str, key: str) -> Response[Occurrence | Problem]:
    """The event has happened to the user, once, however often this is called with the key."""
    body = FireRequest(
        type_="demo.OrderPlacedEvent",
        user=user,
        context=Context.from_dict({"order": "1001", "amount": 40}),
    )
    return fire.sync_detailed(client=client, body=body, idempotency_key=key)


def ended(client: AuthenticatedClient, id: UUID) -> Run:
    """The run once it has ended."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        run = told(runs_retrieve.sync(id, client=client))
        if run.ended_at is not None:
            return run
        time.sleep(0.1)
    raise TimeoutError(run)


def what_limits(client: AuthenticatedClient, trigger: TriggersTrigger, user: str) -> Report:
    """Why the trigger would not act on the user again."""
    body = ExplainRequest(
        type_="demo.OrderPlacedEvent",
        user=user,
        context=Context.from_dict({"order": "1002", "amount": 40}),
    )
    answer = told(explain.sync(client=client, body=body))
    (explanation,) = (found for found in answer.explanations if found.trigger == trigger.id)
    assert explanation.would_run is False
    assert explanation.code == "limit_reached"
    (report,) = (found for found in explanation.conditions if not found.satisfied)
    return report


def update(client: AuthenticatedClient, trigger: TriggersTrigger) -> str:
    """The trigger has a description; a second change is refused unless it knows the first. The new ETag."""
    first = triggers_retrieve.sync_detailed(trigger.id, client=client).headers["ETag"]
    described = PatchedTriggersTriggerRequest(description="For orders of 20 or more.")
    changed = triggers_partial_update.sync_detailed(trigger.id, client=client, body=described, if_match=first)
    assert told(changed.parsed).description == "For orders of 20 or more."

    renamed = PatchedTriggersTriggerRequest(name="Thank once")
    stale = triggers_partial_update.sync_detailed(trigger.id, client=client, body=renamed, if_match=first)
    assert stale.status_code is HTTPStatus.PRECONDITION_FAILED
    assert isinstance(stale.parsed, Problem)
    assert stale.parsed.code == "precondition_failed"

    second = changed.headers["ETag"]
    changed = triggers_partial_update.sync_detailed(trigger.id, client=client, body=renamed, if_match=second)
    assert told(changed.parsed).name == "Thank once"
    return changed.headers["ETag"]


def all_runs(client: AuthenticatedClient, user: str) -> list[ListedRun]:
    """The runs of the user that succeeded, one page after the other."""
    runs: list[ListedRun] = []
    cursor: UUID | Unset = UNSET
    while True:
        page = told(
            runs_list.sync(client=client, user=user, status="succeeded", limit=1, cursor=cursor),
        )
        runs += page.results
        if page.next_ is None:
            return runs
        cursor = UUID(parse_qs(urlsplit(page.next_).query)["cursor"][0])


def main(url: str, token: str, user: str) -> None:
    client = AuthenticatedClient(base_url=url, token=token, raise_on_unexpected_status=True)
    discover(client)
    trigger = create(client)
    assert trigger.is_enabled

    key = str(uuid4())
    answer = place_order(client, user, key)
    occurrence = told(answer.parsed)
    assert answer.status_code is HTTPStatus.ACCEPTED
    assert answer.headers["Location"].endswith(f"/occurrences/{occurrence.id}/")
    assert "Idempotent-Replayed" not in answer.headers
    assert trigger.id in [matched.trigger for matched in occurrence.matched]
    run_ids = {run.trigger: run.id for run in occurrence.runs}

    run = ended(client, run_ids[trigger.id])
    assert run.status == "succeeded"
    (step,) = run.steps
    assert (step.position, step.type_, step.attempts) == (0, "demo.SendEmailAction", 1)
    assert step.status == "succeeded"
    assert step.ended_at is not None
    assert step.ended_at >= step.started_at

    report = what_limits(client, trigger, user)
    assert report.type_ == "triggers.ActionCountCondition"
    assert (report.required, report.observed) == ("at most 1 time for each person", "1 time so far")

    etag = update(client, trigger)

    again = place_order(client, user, key)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert told(again.parsed).id == occurrence.id

    # The demo's own trigger acts on this event too.
    for id in run_ids.values():
        ended(client, id)
    assert {found.id for found in all_runs(client, user)} == set(run_ids.values())

    gone = triggers_delete.sync_detailed(trigger.id, client=client, if_match=etag)
    assert gone.status_code is HTTPStatus.NO_CONTENT
    missing = triggers_retrieve.sync(trigger.id, client=client)
    assert isinstance(missing, Problem)
    assert (missing.status, missing.code) == (404, "not_found")


if __name__ == "__main__":
    main(*sys.argv[1:])
