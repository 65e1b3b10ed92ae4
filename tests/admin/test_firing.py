"""The pages *Fire…* and *Explain for a user…* of a trigger."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from tests.acceptance.scenario import a_trigger
from tests.admin.pages import hidden_values, history, messages, text, trigger_url
from tests.app.models import SendEmailAction
from tests.probe.models import (
    ContextCondition,
    PickyEvent,
    ProbeEvent,
    RaisingCondition,
    RecordEffectAction,
    UsernameCondition,
)
from triggers.context import decode
from triggers.models import ActionCountCondition, Activity, Event, Occurrence, Run, Trigger

pytestmark = pytest.mark.django_db


def url(page: str, trigger: Trigger) -> str:
    return reverse(f"admin:triggers_trigger_{page}", args=[trigger.pk])


def this(trigger: Trigger) -> str:
    """What the form calls the trigger's only event."""
    return f"event:{trigger.events.get().pk}"


def asked(trigger: Trigger, users: str, context: str = "", *, event: str | None = None) -> dict[str, str]:
    return {"event": event or this(trigger), "users": users, "context": context}


def confirm(client: Client, trigger: Trigger, preview: Any) -> Any:
    """Press the button on the page that shows what would happen."""
    return client.post(url("fire", trigger), hidden_values(preview) | {"confirm": "Fire it now"})


def errors(response: Any) -> dict[str, list[str]]:
    assert response.status_code == 200
    return dict(response.context["form"].errors)


class TestFire:
    def test_what_would_happen_is_shown_per_user_and_condition_and_nothing_has_happened(
        self, admin_client: Client, ada: User, bob: User
    ) -> None:
        trigger = a_trigger(
            RecordEffectAction(),
            SendEmailAction(),
            conditions=[UsernameCondition(prefix="b"), ActionCountCondition(limit=2)],
        )
        Activity.objects.create(trigger=trigger, user=ada, action_count=2)
        response = admin_client.post(url("fire", trigger), asked(trigger, "ada\nbob", '{"order": 17}'))
        page = text(response)
        assert "probe: Probe event It would start for 1 of 2 users." in page
        assert "What would be done: 1. Record effect action; 2. Send an e-mail." in page
        assert (
            "ada Would not start: a condition does not hold. does not hold Username condition "
            "does not hold Action count no more than 2 "
            "(required: at most 2 times for each person, observed: 2 times so far)"
        ) in page
        assert (
            "bob Would start at once. holds Username condition holds Action count no more than 2 "
            "(required: at most 2 times for each person, observed: 0 times so far)"
        ) in page
        assert "order 17" in page
        assert not Occurrence.objects.exists()
        assert history(trigger) == []

    def test_it_happens_when_it_is_confirmed(self, admin_client: Client, admin_user: User, ada: User) -> None:
        trigger = a_trigger(RecordEffectAction())
        preview = admin_client.post(url("fire", trigger), asked(trigger, "ada", '{"order": 17, "tags": ["é", "<"]}'))
        response = confirm(admin_client, trigger, preview)
        occurrence = Occurrence.objects.get()
        assert response.url == reverse("admin:triggers_occurrence_change", args=[occurrence.pk])
        assert (occurrence.event_id, occurrence.source) == (trigger.events.get().pk, "admin")
        assert occurrence.fired_by == admin_user
        assert occurrence.context == {"order": 17, "tags": ["é", "<"]}
        run = occurrence.runs.get()
        assert (run.trigger_id, run.user_id, run.status) == (trigger.pk, ada.pk, "pending")
        assert history(trigger) == [
            f"Fired Probe event (for this trigger only), for 1 user: occurrence {occurrence.pk}."
        ]
        assert messages(admin_client.get(response.url)) == ["It was fired for 1 user."]

    def test_an_event_type_is_fired_for_all_triggers(self, admin_client: Client, ada: User, bob: User) -> None:
        trigger = a_trigger(RecordEffectAction())
        other = a_trigger(RecordEffectAction(), name="other")
        preview = admin_client.post(url("fire", trigger), asked(trigger, "ada\nbob", event="type:probe.ProbeEvent"))
        assert [candidate.trigger_name for candidate in preview.context["candidates"]] == ["probe", "other"]
        confirm(admin_client, trigger, preview)
        occurrence = Occurrence.objects.get()
        assert occurrence.event_id is None
        assert {run.trigger_id for run in occurrence.runs.all()} == {trigger.pk, other.pk}
        assert history(trigger) == [
            f"Fired Probe event (for all triggers that use the event), for 2 users: occurrence {occurrence.pk}."
        ]

    def test_the_event_of_one_trigger_leaves_others_alone(self, admin_client: Client, ada: User) -> None:
        trigger = a_trigger(RecordEffectAction())
        a_trigger(RecordEffectAction(), name="other")
        confirm(admin_client, trigger, admin_client.post(url("fire", trigger), asked(trigger, "ada")))
        assert Run.objects.get().trigger_id == trigger.pk

    def test_confirmed_twice_it_happens_once(self, admin_client: Client, ada: User) -> None:
        trigger = a_trigger(RecordEffectAction())
        preview = admin_client.post(url("fire", trigger), asked(trigger, "ada"))
        first, second = confirm(admin_client, trigger, preview), confirm(admin_client, trigger, preview)
        assert first.url == second.url
        assert Occurrence.objects.count() == 1
        assert len(history(trigger)) == 1

    def test_asked_twice_it_happens_twice(self, admin_client: Client, ada: User) -> None:
        trigger = a_trigger(RecordEffectAction())
        for _ in range(2):
            confirm(admin_client, trigger, admin_client.post(url("fire", trigger), asked(trigger, "ada")))
        assert Occurrence.objects.count() == 2

    def test_what_was_confirmed_is_not_exchanged_for_something_else(self, admin_client: Client, ada: User) -> None:
        trigger = a_trigger(RecordEffectAction())
        preview = admin_client.post(url("fire", trigger), asked(trigger, "ada"))
        confirm(admin_client, trigger, preview)
        changed = hidden_values(preview) | {"context": '{"order": 18}', "confirm": "Fire it now"}
        response = admin_client.post(url("fire", trigger), changed)
        assert "was used on" in str(errors(response)["__all__"])
        assert Occurrence.objects.count() == 1

    def test_it_can_be_changed_before_it_is_confirmed(self, admin_client: Client, ada: User) -> None:
        trigger = a_trigger(RecordEffectAction())
        preview = admin_client.post(url("fire", trigger), asked(trigger, "ada\nadmin", '{"order": 17}'))
        response = admin_client.post(url("fire", trigger), hidden_values(preview) | {"change": "Change it"})
        form = response.context["form"]
        assert form["users"].value().split() == ["ada", "admin"]
        assert (form["event"].value(), form["context"].value()) == (this(trigger), '{"order": 17}')
        assert not Occurrence.objects.exists()

    def test_who_may_not_see_occurrences_is_led_back_to_the_trigger(
        self, client_with: Callable[..., Client], ada: User
    ) -> None:
        trigger = a_trigger(RecordEffectAction())
        client = client_with("view_trigger", "fire_event")
        response = confirm(client, trigger, client.post(url("fire", trigger), asked(trigger, "ada")))
        assert response.url == trigger_url(trigger)
        assert Occurrence.objects.exists()


class TestExplain:
    def test_it_says_what_would_happen_and_writes_nothing(
        self, client_with: Callable[..., Client], ada: User, bob: User
    ) -> None:
        trigger = a_trigger(RecordEffectAction(), conditions=[ContextCondition(key="order")])
        client = client_with("view_trigger", "explain_event")
        client.post(url("explain", trigger), asked(trigger, "ada"))
        with CaptureQueriesContext(connection) as queries:
            response = client.post(url("explain", trigger), asked(trigger, "ada\nbob"))
        assert {query["sql"].split()[0] for query in queries} <= {"SELECT", "SAVEPOINT", "RELEASE"}
        page = text(response)
        assert "It would start for 0 of 2 users." in page
        assert "ada Would not start: a condition does not hold. does not hold Context condition" in page
        page = text(client.post(url("explain", trigger), asked(trigger, "ada", '{"order": null}')))
        assert "ada Would start at once. holds Context condition" in page
        assert "Fire it now" not in page
        assert not Occurrence.objects.exists()
        assert history(trigger) == []

    def test_it_says_why_nobody_would_be_concerned(self, admin_client: Client, ada: User) -> None:
        disabled = a_trigger(RecordEffectAction(), name="disabled", is_enabled=False)
        picky = a_trigger(RecordEffectAction(), event=PickyEvent(), name="picky")
        delayed = a_trigger(RecordEffectAction(), event=ProbeEvent(delay=timedelta(days=1)), name="delayed")

        def page(trigger: Trigger) -> str:
            return text(admin_client.post(url("explain", trigger), asked(trigger, "ada")))

        assert "ada Would not start: the trigger is not enabled. –" in page(disabled)
        assert (
            "ada Would not start: the event could not tell whether this concerns it. "
            "probe.PickyEvent.should_be_fired raised RuntimeError. –"
        ) in page(picky)
        assert "ada Would start on " in page(delayed)

    def test_a_condition_that_raises_is_named(self, admin_client: Client, ada: User) -> None:
        trigger = a_trigger(RecordEffectAction(), conditions=[RaisingCondition(usernames="ada")])
        page = text(admin_client.post(url("explain", trigger), asked(trigger, "ada")))
        assert ("does not hold The condition “raising condition” could not be evaluated: RuntimeError.") in page

    def test_it_takes_as_many_queries_for_50_users_as_for_5(self, admin_client: Client) -> None:
        trigger = a_trigger(
            RecordEffectAction(), conditions=[UsernameCondition(prefix="a"), ActionCountCondition(limit=2)]
        )
        User.objects.bulk_create(User(username=f"{'ab'[index % 2]}{index}") for index in range(50))
        names = list(User.objects.filter(email="").values_list("username", flat=True))

        def queries(count: int) -> int:
            with CaptureQueriesContext(connection) as captured:
                admin_client.post(url("explain", trigger), asked(trigger, "\n".join(names[:count])))
            # Savepoints around what conditions observe are made in the tests' transaction only.
            return sum(query["sql"].startswith("SELECT") for query in captured)

        queries(5)
        assert queries(50) == queries(5)


class TestUsers:
    @pytest.mark.parametrize("name", ["{0.pk}", "ada", " ADA ", "ada@example.com", "Ada@Example.COM"])
    def test_a_user_is_named_by_key_user_name_or_e_mail_address(
        self, admin_client: Client, ada: User, bob: User, name: str
    ) -> None:
        trigger = a_trigger(RecordEffectAction())
        response = admin_client.post(url("explain", trigger), asked(trigger, name.format(ada)))
        assert response.context["form"].cleaned_data["users"] == [ada]

    def test_a_user_who_is_named_twice_is_meant_once(self, admin_client: Client, ada: User, bob: User) -> None:
        trigger = a_trigger(RecordEffectAction())
        response = admin_client.post(
            url("explain", trigger), asked(trigger, f"bob\r\n\r\nada\r\nada\r\nADA\r\n{ada.pk}\r\nada@example.com")
        )
        assert response.context["form"].cleaned_data["users"] == [bob, ada]

    def test_every_name_that_nobody_has_is_told(self, admin_client: Client, ada: User) -> None:
        trigger = a_trigger(RecordEffectAction())
        response = admin_client.post(url("fire", trigger), asked(trigger, f"ada\nnobody\n{10**30}\n<b>"))
        assert errors(response) == {
            "users": [f"Nobody has “{name}” as user name, e-mail address or key." for name in ("nobody", 10**30, "<b>")]
        }
        assert "<b>”" not in response.content.decode()

    def test_a_name_that_several_have_is_not_guessed_at(self, admin_client: Client, ada: User) -> None:
        trigger = a_trigger(RecordEffectAction())
        other = User.objects.create_user("Ada", "ada@example.com")
        numbered = User.objects.create_user(str(ada.pk))

        def meant(name: str) -> Any:
            response = admin_client.post(url("explain", trigger), asked(trigger, name))
            form = response.context["form"]
            return form.errors["users"] if form.errors else form.cleaned_data["users"]

        assert meant("ada@example.com") == [
            f"“ada@example.com” may be any of ada (key {ada.pk}), Ada (key {other.pk}): write the key."
        ]
        assert meant("ADA") == [f"“ADA” may be any of ada (key {ada.pk}), Ada (key {other.pk}): write the key."]
        assert meant(str(ada.pk)) == [
            f"“{ada.pk}” may be any of ada (key {ada.pk}), {ada.pk} (key {numbered.pk}): write the key."
        ]
        assert meant("ada") == [ada]
        assert meant("Ada") == [other]

    @pytest.mark.parametrize("users", ["", " \n "])
    def test_somebody_must_be_named(self, admin_client: Client, users: str) -> None:
        trigger = a_trigger(RecordEffectAction())
        response = admin_client.post(url("fire", trigger), asked(trigger, users))
        assert errors(response) == {"users": ["This field is required."]}

    def test_at_most_100_are_named(self, admin_client: Client) -> None:
        trigger = a_trigger(RecordEffectAction())
        names = User.objects.bulk_create(User(username=f"user{index}") for index in range(101))
        too_many = "\n".join(user.username for user in names)
        response = admin_client.post(url("fire", trigger), asked(trigger, too_many))
        assert errors(response) == {"users": ["Name at most 100 users; these are 101."]}
        response = admin_client.post(url("fire", trigger), asked(trigger, too_many.rpartition("\n")[0]))
        assert errors(response) == {}


class TestContext:
    @pytest.mark.parametrize(
        ("context", "error"),
        [
            ('{"a": 1,}', "This is not JSON, from line 1, column 9 on:"),
            ('{"a": 1}\n{', "This is not JSON, from line 2, column 1 on: Extra data."),
            ("[1]", "The context must be an object, not list."),
            ("null", "The context must be an object, not NoneType."),
            ('{"user": 1}', "“user” is set by dj-triggers; use another name for it in the context."),
            ('{"a": {"b": NaN}}', "nan at a/b is not a number that JSON can hold."),
            ('{"a": 1, "a": 2}', "The key “a” is there twice."),
            ('{"a": "\\u0000"}', "The text at a holds the character U+0000."),
            ('{"a": "\\ud800"}', "The text at a holds half of a surrogate pair."),
            ('{"a": ' + "[" * 40 + "]" * 40 + "}", "The context is nested deeper than 32 levels"),
            ("[" * 100_000, "The context is nested too deeply."),
            ('{"a": ' + "1" * 5000 + "}", "Exceeds the limit"),
        ],
    )
    def test_what_is_wrong_with_it_is_said(self, admin_client: Client, ada: User, context: str, error: str) -> None:
        trigger = a_trigger(RecordEffectAction())
        response = admin_client.post(url("fire", trigger), asked(trigger, "ada", context))
        assert list(errors(response)) == ["context"]
        assert errors(response)["context"][0].startswith(error)

    @pytest.mark.parametrize("context", ["", "{}", '{"a": {"$date": "2026-01-31"}, "b": [1.5, null, true, "é"]}'])
    def test_it_is_fired_as_it_was_written(self, admin_client: Client, ada: User, context: str) -> None:
        trigger = a_trigger(RecordEffectAction())
        confirm(admin_client, trigger, admin_client.post(url("fire", trigger), asked(trigger, "ada", context)))
        assert decode(Occurrence.objects.get().context) == json.loads(context or "{}")


class TestForm:
    def test_the_events_of_the_trigger_and_their_types_can_be_chosen(self, admin_client: Client) -> None:
        trigger = a_trigger(RecordEffectAction(), event=ProbeEvent(delay=timedelta(hours=1)))
        second, third = (ProbeEvent.objects.create(trigger=trigger) for _ in range(2))
        a_trigger(RecordEffectAction(), event=PickyEvent(), name="other")
        form = admin_client.get(url("fire", trigger)).context["form"]
        first: Event = trigger.events.order_by("pk")[0]
        assert form.fields["event"].choices == [
            (
                "For this trigger only",
                [
                    (f"event:{first.pk}", "Probe event, 1 hour later"),
                    (f"event:{second.pk}", "Probe event, number 1"),
                    (f"event:{third.pk}", "Probe event, number 2"),
                ],
            ),
            ("For all triggers that use the event", [("type:probe.ProbeEvent", "Probe event")]),
        ]

    @pytest.mark.parametrize("event", ["", "event:0", "type:probe.PickyEvent", "nonsense"])
    def test_nothing_else_can_be(self, admin_client: Client, ada: User, event: str) -> None:
        trigger = a_trigger(RecordEffectAction())
        data = asked(trigger, "ada") | {"event": event, "confirm": "Fire it now", "key": "k"}
        assert list(errors(admin_client.post(url("fire", trigger), data))) == ["event"]
        assert not Occurrence.objects.exists()

    @pytest.mark.parametrize("page", ["fire", "explain"])
    def test_a_trigger_without_events_says_so(self, admin_client: Client, page: str) -> None:
        trigger = Trigger.objects.create(name="empty")
        assert "This trigger has no event yet." in text(admin_client.get(url(page, trigger)))

    def test_what_people_wrote_is_shown_as_text(self, admin_client: Client) -> None:
        User.objects.create_user("<i>ada</i>")
        trigger = a_trigger(RecordEffectAction(), name="<b>bold</b>")
        response = admin_client.post(url("fire", trigger), asked(trigger, "<i>ada</i>", '{"<u>": "<s>"}'))
        page = response.content.decode()
        assert "&lt;b&gt;bold" in page
        assert not any(tag in page for tag in ("<b>bold", "<i>ada", "<u>", "<s>"))


class TestPermissions:
    @pytest.mark.parametrize(
        ("page", "codename", "tool"),
        [("fire", "fire_event", "Fire…"), ("explain", "explain_event", "Explain for a user…")],
    )
    def test_each_has_one_of_its_own(
        self, client_with: Callable[..., Client], ada: User, page: str, codename: str, tool: str
    ) -> None:
        trigger = a_trigger(RecordEffectAction())
        others = {"fire_event", "explain_event", "operate_run", "change_trigger", "view_trigger"} - {codename}
        client = client_with(*others)
        assert tool not in text(client.get(trigger_url(trigger)))
        data = asked(trigger, "ada") | {"confirm": "Fire it now", "key": "k"}
        assert client.get(url(page, trigger)).status_code == 403
        assert client.post(url(page, trigger), data).status_code == 403
        assert not Occurrence.objects.exists()

        User.objects.get(username="staff").delete()
        client = client_with(codename, "view_trigger")
        assert tool in text(client.get(trigger_url(trigger)))
        assert client.get(url(page, trigger)).status_code == 200
        assert client.post(url(page, trigger), asked(trigger, "ada")).status_code == 200

    @pytest.mark.parametrize("page", ["fire", "explain"])
    def test_who_may_not_see_the_trigger_may_do_neither(self, client_with: Callable[..., Client], page: str) -> None:
        trigger = a_trigger(RecordEffectAction())
        client = client_with("fire_event", "explain_event")
        assert client.get(url(page, trigger)).status_code == 403

    @pytest.mark.parametrize("page", ["fire", "explain"])
    def test_others_are_asked_to_log_in(self, client: Client, page: str) -> None:
        trigger = a_trigger(RecordEffectAction())
        response: Any = client.post(url(page, trigger), asked(trigger, "ada"))
        assert response.url.startswith(reverse("admin:login"))

    def test_a_form_of_another_site_is_refused(self, admin_user: User, ada: User) -> None:
        trigger = a_trigger(RecordEffectAction())
        client = Client(enforce_csrf_checks=True)
        client.force_login(admin_user)
        data = asked(trigger, "ada") | {"confirm": "Fire it now", "key": "k"}
        assert client.post(url("fire", trigger), data).status_code == 403
        assert not Occurrence.objects.exists()

    @pytest.mark.parametrize("page", ["fire", "explain"])
    def test_a_trigger_that_does_not_exist_is_not_found(self, admin_client: Client, page: str) -> None:
        assert admin_client.get(reverse(f"admin:triggers_trigger_{page}", args=[0])).status_code == 404
