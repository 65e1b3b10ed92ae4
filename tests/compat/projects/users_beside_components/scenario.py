from tests.compat.projects.notes.scenes import perform_all
from tests.compat.projects.users_beside_components.models import (
    GivePointAction,
    HasPointsCondition,
    Member,
    MemberJoinedEvent,
)
from triggers import fire
from triggers.models import Trigger


def play() -> None:
    """That the tables could be made is the point: no migration waits for one that waits for it."""
    trigger = Trigger.objects.create(name="welcome", is_enabled=True)
    MemberJoinedEvent.objects.create(trigger=trigger)
    HasPointsCondition.objects.create(trigger=trigger)
    GivePointAction.objects.create(trigger=trigger)
    rich, poor = Member.objects.create(username="rich", points=5), Member.objects.create(username="poor")
    fire(MemberJoinedEvent, users=[rich, poor])
    perform_all()
    assert dict(Member.objects.values_list("username", "points")) == {"rich": 6, "poor": 0}
