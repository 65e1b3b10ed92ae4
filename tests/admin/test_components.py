from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db.models import Model
from django.test import Client
from django.test.utils import isolate_apps
from django.urls import reverse

from tests.acceptance.scenario import a_trigger
from tests.admin.pages import add_component, form_values, text, trigger_url
from tests.app.models import ClockEvent, HasUncompletedTaskCondition, SendEmailAction
from tests.probe.models import FlakyAction, Misbehaving, ProbeEvent, RecordEffectAction, TokenAction
from triggers.admin.components import explanation
from triggers.models import Action, ActionCountCondition, ActionFrequencyCondition, Event, Trigger

pytestmark = pytest.mark.django_db

ADD = reverse("admin:triggers_trigger_add")


def empty_forms(response: Any) -> dict[str, dict[type[Model], Any]]:
    """Return the forms that the page's script copies, by prefix and class."""
    return {
        inline.formset.prefix: {form.form._meta.model: form for form in inline if form.is_empty}
        for inline in response.context["inline_admin_formsets"]
    }


def fields_of(admin_form: Any) -> list[str]:
    return [field.field.name for fieldset in admin_form for line in fieldset for field in line]


def test_every_installed_component_class_can_be_added(admin_client: Client) -> None:
    forms = empty_forms(admin_client.get(ADD))
    assert list(forms) == ["events", "conditions", "actions"]
    assert {SendEmailAction, FlakyAction, RecordEffectAction} <= forms["actions"].keys()
    assert {ClockEvent, ProbeEvent} <= forms["events"].keys()
    assert {HasUncompletedTaskCondition, ActionCountCondition, ActionFrequencyCondition} <= forms["conditions"].keys()


def test_a_secret_is_not_shown_and_stays_if_it_is_left_blank(
    admin_client: Client, client_with: Callable[..., Client]
) -> None:
    trigger = a_trigger(TokenAction(token="s3cret"))
    page = admin_client.get(trigger_url(trigger))
    assert "s3cret" not in page.content.decode()
    assert "A value is set, which is not shown. Leave this blank to keep it." in text(page)
    values = form_values(page)

    values["actions-0-label"] = "written with"
    assert admin_client.post(trigger_url(trigger), values).status_code == 302
    action = TokenAction.objects.get()
    assert (action.token, action.label) == ("s3cret", "written with")

    values["actions-0-token"] = "n3w"
    assert admin_client.post(trigger_url(trigger), values).status_code == 302
    assert TokenAction.objects.get().token == "n3w"

    page = client_with("view_trigger", "view_action").get(trigger_url(trigger))
    assert "written with" in text(page)
    assert "n3w" not in page.content.decode()
    history = admin_client.get(reverse("admin:triggers_trigger_history", args=[trigger.pk])).content.decode()
    assert "s3cret" not in history
    assert "n3w" not in history


def test_a_secret_is_needed_for_a_new_component(admin_client: Client) -> None:
    trigger = a_trigger(RecordEffectAction())
    values = form_values(admin_client.get(trigger_url(trigger)))
    add_component(values, "actions", TokenAction, label="called with", position="1")
    response = admin_client.post(trigger_url(trigger), values)
    assert response.status_code == 200
    assert "This field is required." in text(response)


def test_classes_come_in_the_order_of_their_names(admin_client: Client) -> None:
    for forms in empty_forms(admin_client.get(ADD)).values():
        names = [str(model._meta.verbose_name).lower() for model in forms]
        assert names == sorted(names)
        assert len(names) > 1


def test_each_empty_form_is_found_by_an_id_of_its_own(admin_client: Client) -> None:
    response = admin_client.get(ADD)
    for forms in empty_forms(response).values():
        for model, form in forms.items():
            assert form.template_id == f"{model._meta.app_label}-{model._meta.model_name}"
            assert response.content.decode().count(f'id="{form.template_id}-empty"') == 1


def test_a_class_explains_itself_by_its_docstring(admin_client: Client) -> None:
    page = text(admin_client.get(ADD))
    assert "Happens once a minute to everybody who has a task to do." in page
    assert 'E-mails can list the tasks: {{ tasks|join:", " }}.' in page
    assert "Something that happens to a user." not in page  # the docstring of Event is for developers


def test_a_docstring_is_plain_text_in_paragraphs() -> None:
    class Marked(Action):
        """
        Bakes <b>bread</b>
        & cakes.

        Twice.
        """

        class Meta:
            abstract = True

    assert explanation(Marked) == "<p>Bakes &lt;b&gt;bread&lt;/b&gt; &amp; cakes.</p><p>Twice.</p>"


@isolate_apps("tests.probe")
def test_a_class_without_a_docstring_borrows_that_of_the_component_class_it_extends() -> None:
    class Plain(Misbehaving):
        class Meta:
            app_label = "probe"

    assert Plain.__doc__ == "Plain(id, polymorphic_ctype, trigger, position, on_failure, action_ptr, folder, label)"
    assert "Counts its attempts" in explanation(Plain)


@isolate_apps("tests.probe")
def test_a_class_without_any_docstring_is_not_explained() -> None:
    class Mixin:
        """For developers."""

    class Plain(Mixin, Event):
        class Meta:
            app_label = "probe"

    assert explanation(Plain) == ""


def test_fields_of_the_class_come_first_and_every_action_shows_position_and_on_failure(admin_client: Client) -> None:
    forms = empty_forms(admin_client.get(ADD))
    assert fields_of(forms["actions"][SendEmailAction]) == ["subject", "message", "position", "on_failure"]
    assert fields_of(forms["events"][ClockEvent]) == ["delay"]
    assert fields_of(forms["conditions"][HasUncompletedTaskCondition]) == []


def test_admin_initkwargs_of_a_class_are_honoured(admin_client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    options = {"fields": ["message"], "exclude": ["on_failure"], "verbose_name": "letter"}
    monkeypatch.setattr(SendEmailAction, "admin_initkwargs", lambda: options, raising=False)
    form = empty_forms(admin_client.get(ADD))["actions"][SendEmailAction]
    assert fields_of(form) == ["message", "position"]
    assert form.model_admin.verbose_name == "letter"


def test_a_trigger_is_made_on_one_page(admin_client: Client) -> None:
    values = form_values(admin_client.get(ADD)) | {"name": "Praise", "description": "Be kind.", "is_enabled": "on"}
    add_component(values, "events", ClockEvent, delay="01:00:00")
    add_component(values, "conditions", HasUncompletedTaskCondition)  # has nothing to fill in
    add_component(values, "actions", SendEmailAction, subject="b", message="c", position=2, on_failure="continue")
    add_component(values, "actions", RecordEffectAction, label="a", position=1, on_failure="stop")
    assert admin_client.post(ADD, values).status_code == 302
    trigger = Trigger.objects.get()
    assert (trigger.name, trigger.description, trigger.is_enabled, trigger.engine) == ("Praise", "Be kind.", True, "")
    assert trigger.events.get().delay == timedelta(hours=1)
    assert isinstance(trigger.conditions.get(), HasUncompletedTaskCondition)
    actions: list[Any] = list(trigger.actions.all())
    first, second = actions
    assert (first.label, first.on_failure) == ("a", "stop")
    assert (second.subject, second.on_failure) == ("b", "continue")


def test_components_are_changed_and_deleted_in_place(admin_client: Client) -> None:
    trigger = a_trigger(RecordEffectAction(label="a"), RecordEffectAction(label="b"))
    values = form_values(admin_client.get(trigger_url(trigger)))
    values |= {"actions-0-label": "c", "actions-1-DELETE": "on"}
    assert admin_client.post(trigger_url(trigger), values).status_code == 302
    assert list(RecordEffectAction.objects.values_list("label", flat=True)) == ["c"]
    assert trigger.events.count() == 1


def test_a_new_action_comes_last(admin_client: Client) -> None:
    trigger = a_trigger(RecordEffectAction(), RecordEffectAction())
    forms = empty_forms(admin_client.get(trigger_url(trigger)))["actions"]
    assert {form.form["position"].value() for form in forms.values()} == {2}
    assert {form.form["position"].value() for form in empty_forms(admin_client.get(ADD))["actions"].values()} == {0}


@pytest.mark.parametrize(
    ("kept", "missing"), [("events", "action"), ("actions", "event")], ids=["no action", "no event"]
)
def test_an_incomplete_trigger_is_not_enabled_and_the_page_says_what_is_missing(
    admin_client: Client, kept: str, missing: str
) -> None:
    trigger = a_trigger(RecordEffectAction(), is_enabled=False)
    getattr(trigger, {"events": "actions", "actions": "events"}[kept]).all().delete()
    values = form_values(admin_client.get(trigger_url(trigger))) | {"is_enabled": "on"}
    assert f"needs at least one {missing}: add one" in text(admin_client.post(trigger_url(trigger), values))
    assert not Trigger.objects.get().is_enabled


def test_the_last_action_of_an_enabled_trigger_is_not_deleted(admin_client: Client) -> None:
    trigger = a_trigger(RecordEffectAction())
    values = form_values(admin_client.get(trigger_url(trigger))) | {"actions-0-DELETE": "on"}
    assert "needs at least one action" in text(admin_client.post(trigger_url(trigger), values))
    del values["is_enabled"]
    assert admin_client.post(trigger_url(trigger), values).status_code == 302
    assert not trigger.actions.exists()


def test_what_a_person_may_only_see_is_text_and_stays_as_it_is(client_with: Callable[..., Client]) -> None:
    trigger = a_trigger(RecordEffectAction(label="before"))
    client = client_with("change_trigger", "view_trigger", "view_action", "view_event", "view_condition")
    response = client.get(trigger_url(trigger))
    assert "before" in text(response)
    assert 'name="actions-0-label"' not in response.content.decode()
    assert empty_forms(response) == {"actions": {}, "events": {}, "conditions": {}}

    values = form_values(response) | {"description": "mine", "actions-0-label": "after", "actions-0-DELETE": "on"}
    add_component(values, "actions", RecordEffectAction, label="smuggled", position=1, on_failure="stop")
    assert client.post(trigger_url(trigger), values).status_code == 302
    trigger.refresh_from_db()
    assert trigger.description == "mine"
    assert list(RecordEffectAction.objects.values_list("label", flat=True)) == ["before"]


def test_who_may_only_look_at_triggers_gets_a_page_without_forms(client_with: Callable[..., Client]) -> None:
    trigger = a_trigger(RecordEffectAction(label="before"))
    client = client_with("view_trigger", "view_action", "change_action")
    response = client.get(trigger_url(trigger))
    assert "before" in text(response)
    assert 'name="actions-0-label"' not in response.content.decode()
    assert client.post(trigger_url(trigger), form_values(response)).status_code == 403
