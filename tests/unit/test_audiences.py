from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db.models import F, Window
from django.db.models.functions import RowNumber
from django.utils import timezone

from tests.acceptance.scenario import a_trigger
from tests.app.models import Task
from tests.probe.models import ProbeEvent, RecordEffectAction, UsernameCondition
from triggers import fire
from triggers.audiences import audience_names, queryset_of
from triggers.engines import celery
from triggers.exceptions import AudienceError, AudienceUnknown, KeyConflict
from triggers.expansion import expand
from triggers.models import ActionCountCondition, Activity, AudienceChunk, Occurrence, Run, Trigger
from triggers.sweeping import sweep

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch):
    monkeypatch.setattr(AudienceChunk, "SIZE", 2)


@pytest.fixture
def people(db):
    return User.objects.bulk_create(User(username=f"{letter}{number}") for letter in "ab" for number in range(3))


@pytest.fixture
def named(monkeypatch, settings):
    """Gives the audience `named` whatever the callable answers."""

    def named(answer):
        monkeypatch.setattr("tests.app.audiences.task_owners", answer)
        settings.TRIGGERS_AUDIENCES = {"named": "tests.app.audiences.task_owners"}

    return named


def expand_all():
    """Expand the chunks to their ends; return how many parts that took."""
    parts = 0
    for chunk_id in AudienceChunk.objects.filter(done_at=None).values_list("pk", flat=True):
        parts += 1
        while expand(chunk_id):
            parts += 1
    return parts


def served():
    return list(Run.objects.order_by("pk").values_list("user__username", flat=True))


def notes():
    return [(match["code"], match["detail"]) for match in Occurrence.objects.get().matches]


def test_there_is_everybody_and_what_the_settings_name(settings):
    settings.TRIGGERS_AUDIENCES = {"b": "x", "a": "y"}
    assert audience_names() == ["all", "a", "b"]
    with pytest.raises(AudienceUnknown) as unknown:
        queryset_of("c", "default")
    assert str(unknown.value) == "There is no audience 'c'; there are all, a, b."


def test_it_is_read_on_the_worker_part_by_part_and_each_user_served_once(people):
    a_trigger(RecordEffectAction())
    occurrence = fire(ProbeEvent, audience="all")
    chunk = AudienceChunk.objects.get()
    assert (chunk.audience, chunk.user_keys, chunk.cursor) == ("all", [], None)
    assert occurrence.matches[0]["code"] == "matched"
    assert served() == []
    assert expand(chunk.pk)
    assert served() == ["a0", "a1"]
    chunk.refresh_from_db()
    assert (chunk.cursor, chunk.done_at) == (people[1].pk, None)
    assert chunk.next_handover_at > timezone.now()
    assert expand_all() == 3  # two with two each, and one that finds the end
    assert served() == [user.username for user in people]
    chunk.refresh_from_db()
    assert chunk.done_at
    assert chunk.next_handover_at is None
    assert not expand(chunk.pk)


def test_who_joins_in_front_of_the_cursor_is_served_and_who_has_gone_is_not(people):
    a_trigger(RecordEffectAction())
    fire(ProbeEvent, audience="all")
    assert expand(AudienceChunk.objects.get().pk)
    User.objects.create(username="late")
    people[0].delete()
    people[5].delete()
    expand_all()
    assert served() == ["a1", "a2", "b0", "b1", "late"]


def test_conditions_filter_it_and_undecided_places_are_left_to_the_worker(people):
    trigger = a_trigger(RecordEffectAction(), conditions=[UsernameCondition(prefix="b"), ActionCountCondition(limit=1)])
    spent, undecided = people[4], people[5]
    for user in (spent, undecided):
        Activity.objects.create(trigger=trigger, user=user, action_count=1)
    holder = fire(ProbeEvent, users=undecided).runs.get()
    Run.objects.filter(pk=holder.pk).update(status="running", reserved_at=timezone.now())
    occurrence = fire(ProbeEvent, audience="all")
    expand_all()
    assert {run.user.username for run in occurrence.runs.all()} == {"b0", "b2"}


def ranked():
    rank = Window(RowNumber(), order_by=F("pk").desc())
    return User.objects.annotate(rank=rank).filter(rank__lte=4)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (lambda: User.objects.order_by("-pk")[:3], ["b0", "b1", "b2"]),
        (lambda: User.objects.filter(username="a0").union(User.objects.filter(username="b0")), ["a0", "b0"]),
        (lambda: User.objects.filter(tasks__name__startswith="task"), ["a0", "a1", "a2"]),
        (lambda: User.objects.filter(tasks__name__startswith="task").distinct(), ["a0", "a1", "a2"]),
        (lambda: User.objects.values("username").order_by("username"), ["a0", "a1", "a2", "b0", "b1", "b2"]),
        (ranked, ["a2", "b0", "b1", "b2"]),
        (User.objects.none, []),
    ],
    ids=["sliced", "union", "joined", "distinct", "values", "ranked", "none"],
)
@pytest.mark.parametrize("has_condition", [False, True])
def test_querysets_of_every_shape_are_read(people, named, answer, expected, has_condition):
    for user in people[:3]:
        for number in range(3):
            Task.objects.create(user=user, name=f"task{number}")
    named(answer)
    a_trigger(RecordEffectAction(), conditions=[UsernameCondition(prefix="")] if has_condition else [])
    fire(ProbeEvent, audience="named")
    expand_all()
    assert served() == expected


def raising():
    raise RuntimeError("the password is 123456")


@pytest.mark.parametrize(
    ("answer", "detail"),
    [
        (raising, "The audience “named” could not be read: RuntimeError."),
        (lambda: User.objects.extra(where=["nothing = 1"]), "The audience “named” could not be read: "),
        (lambda: [1, 2], "The audience “named” is no queryset of users, but list."),
        (Task.objects.all, "The audience “named” is no queryset of users, but QuerySet."),
    ],
    ids=["raises", "wrong SQL", "list", "other model"],
)
def test_one_that_cannot_be_read_is_noted_and_given_up(people, named, answer, detail):
    a_trigger(RecordEffectAction(), name="first")
    a_trigger(RecordEffectAction(), name="second")
    named(answer)
    fire(ProbeEvent, audience="named")
    assert expand_all() == 2
    assert [code for code, _ in notes()] == ["audience_error"] * 2
    assert all(found.startswith(detail) for _, found in notes())
    assert served() == []
    assert not AudienceChunk.objects.filter(done_at=None).exists()


def test_one_that_fails_in_the_middle_keeps_the_runs_it_has(people, named, settings):
    named(User.objects.all)
    a_trigger(RecordEffectAction())
    fire(ProbeEvent, audience="named")
    assert expand(AudienceChunk.objects.get().pk)
    settings.TRIGGERS_AUDIENCES = {}
    expand_all()
    assert served() == ["a0", "a1"]
    assert notes() == [("audience_error", "There is no audience 'named'; there are all.")]


def test_a_condition_that_raises_ends_it_for_its_trigger_only(people, monkeypatch):
    a_trigger(RecordEffectAction(), name="broken", conditions=[UsernameCondition(prefix="a")])
    a_trigger(RecordEffectAction(), name="whole")
    fire(ProbeEvent, audience="all")

    def broken(self, queryset):
        raise RuntimeError

    monkeypatch.setattr(UsernameCondition, "filter_user_queryset", broken)
    expand_all()
    assert notes() == [
        ("condition_error", "A condition raised RuntimeError when the audience was read."),
        ("matched", ""),
    ]
    assert set(Run.objects.values_list("trigger_name", flat=True)) == {"whole"}
    assert len(served()) == len(people)


def test_a_trigger_that_is_deleted_meanwhile_ends_it(people):
    a_trigger(RecordEffectAction())
    fire(ProbeEvent, audience="all")
    Trigger.objects.all().delete()
    assert expand_all() == 1
    assert served() == []


def test_the_name_is_part_of_the_content(people, named):
    named(User.objects.all)
    first = fire(ProbeEvent, audience="all", key="k")
    assert fire(ProbeEvent, audience="all", key="k") == first
    for other in ({"audience": "named"}, {"users": []}):
        with pytest.raises(KeyConflict):
            fire(ProbeEvent, key="k", **other)


def test_the_sweep_hands_over_what_was_lost_with_a_pause_that_grows(people, monkeypatch, settings):
    settings.TRIGGERS_HANDOVER_GRACE = timedelta(seconds=30)
    handed_over = []
    monkeypatch.setattr(celery.CeleryEngine, "expand", lambda self, chunk_ids: handed_over.extend(chunk_ids))
    a_trigger(RecordEffectAction())
    fire(ProbeEvent, audience="all")
    chunk = AudienceChunk.objects.get()
    for handovers in (0, 1):
        assert expand(chunk.pk)
        chunk.refresh_from_db()
        pause = chunk.next_handover_at - timezone.now()
        assert timedelta(seconds=25) < pause / 2**handovers <= timedelta(seconds=30)
        AudienceChunk.objects.update(next_handover_at=timezone.now() - timedelta(seconds=1))
        sweep("celery")
        assert handed_over == [chunk.pk] * (handovers + 1)


def test_a_queryset_of_its_users_is_to_be_had(people, named):
    assert set(queryset_of("all", "default")) == set(people)
    named(lambda: User.objects.filter(username="a0"))
    assert [user.username for user in queryset_of("named", "default")] == ["a0"]
    named(raising)
    with pytest.raises(AudienceError, match=r"^The audience “named” could not be read: RuntimeError\.$"):
        queryset_of("named", "default")
