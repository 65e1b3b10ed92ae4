"""Components of every class: what their fields take over HTTP, and what is refused with which words."""

from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from pytest_django import Settings
from rest_framework.test import APIClient

from tests.api.conftest import StartClient
from tests.api.problems import assert_problem, database, invalid, problem
from tests.probe.models import TokenAction
from tests.variety.models import SeasonalTrigger, SecretAction, VariedCondition
from triggers.models import Action, ActionCountCondition, Condition, Event, Trigger

pytestmark = pytest.mark.django_db

URL = "/api/v1/triggers/"
VARIED = {"type": "variety.VariedCondition"}
DEFAULTS: dict[str, Any] = {
    "text": "text",
    "lines": "",
    "address": "",
    "url": "",
    "slug": "",
    "ip": None,
    "flag": False,
    "maybe": None,
    "small": 0,
    "number": 0,
    "big": 0,
    "ratio": 0.5,
    "amount": "1.50",
    "day": None,
    "moment": None,
    "time": None,
    "period": None,
    "uuid": None,
    "data": {},
    "size": 1,
    "color": "",
    "version": "1.0",
    "computed": "own",
    "group": None,
    "person": None,
    "groups": [],
}


@pytest.fixture
def admin(client_with: StartClient) -> APIClient:
    return client_with("add_trigger", "change_trigger", "view_trigger")


def post(admin: APIClient, **fields: Any) -> Any:
    return admin.post(URL, {"type": "triggers.Trigger", "name": "T"} | fields, format="json")


def test_fields_that_are_left_out_have_the_models_defaults(admin: APIClient) -> None:
    response = post(admin, conditions=[VARIED])

    id = Condition.objects.get().pk
    assert response.json()["conditions"] == [VARIED | {"id": id} | DEFAULTS]


def test_every_field_is_told_as_it_was_set(admin: APIClient, anna: User) -> None:
    groups = [Group.objects.create(name=name) for name in "ab"]
    fields = {
        "text": " a ",
        "lines": "a\nb",
        "address": "a@example.com",
        "url": "https://example.com/",
        "slug": "a-b",
        "ip": "::1",
        "flag": True,
        "maybe": False,
        "small": 32767,
        "number": -(2**31),
        "big": 2**63 - 1,
        "ratio": 2.0,
        "amount": "-9999.99",
        "day": "2026-01-31",
        "moment": "2026-01-31T09:00:00Z",
        "time": "09:30:00",
        "period": "-P1DT02H30M00.5S",
        "uuid": "0193b3f0-0000-7000-8000-000000000000",
        "data": [{"a": None}],
        "size": 2,
        "color": "green",
        "version": "1.2.3",
        "group": groups[0].pk,
        "person": str(anna.pk),
        "groups": [group.pk for group in groups],
    }

    response = post(admin, conditions=[VARIED | fields])

    condition = VariedCondition.objects.get()
    told = response.json()["conditions"][0]
    assert told == VARIED | {"id": condition.pk} | DEFAULTS | fields | {"period": told["period"]}
    again = admin.put(response.headers["Location"], response.json(), format="json")
    assert (again.status_code, again.json()) == (200, response.json())

    admin.put(
        response.headers["Location"], response.json() | {"conditions": [VARIED | {"id": condition.pk}]}, format="json"
    )

    assert admin.get(response.headers["Location"]).json()["conditions"] == [VARIED | {"id": condition.pk} | DEFAULTS]


def test_people_are_named_as_everywhere_in_the_api(admin: APIClient, anna: User, settings: Settings) -> None:
    settings.TRIGGERS_API_USER_FIELD = "email"

    response = post(admin, conditions=[VARIED | {"person": "anna@example.com"}])

    assert response.json()["conditions"][0]["person"] == "anna@example.com"
    assert VariedCondition.objects.get().person == anna


TOO_LONG = "Ensure this field has no more than 5 characters."
NUMBER = "Write a whole number."
DECIMAL = "Write a decimal number in a string, as “9.99”."
TEXT = "Not a valid string."
UUID = "Write a UUID as in 0193b3f0-0000-7000-8000-000000000000."


@pytest.mark.parametrize(
    ("field", "value", "code", "detail"),
    [
        ("text", "123456", "max_length", TOO_LONG),
        ("text", " 2345 ", "max_length", TOO_LONG),
        ("text", "", "blank", "This field may not be blank."),
        ("text", None, "null", "This field may not be null."),
        ("text", 5, "invalid", TEXT),
        ("text", True, "invalid", TEXT),
        ("text", ["a"], "invalid", TEXT),
        ("text", "bad", "bad_text", "Not this text."),
        ("address", "nobody", "invalid", "Enter a valid email address."),
        ("address", 1, "invalid", "Enter a valid email address."),
        ("url", "nowhere", "invalid", "Enter a valid URL."),
        ("slug", "a b", "invalid", 'Enter a valid "slug" consisting of letters, numbers, underscores or hyphens.'),
        ("ip", "1.2.3", "invalid", "Enter a valid IPv4 or IPv6 address."),
        ("flag", 1, "invalid", "Write true or false."),
        ("flag", "true", "invalid", "Write true or false."),
        ("flag", None, "null", "This field may not be null."),
        ("maybe", "null", "invalid", "Write true or false."),
        ("small", -1, "min_value", "Ensure this value is greater than or equal to 0."),
        ("small", 32768, "max_value", "Ensure this value is less than or equal to 32767."),
        ("number", 11, "max_value", "Ensure this value is less than or equal to 10."),
        ("number", "1", "invalid", NUMBER),
        ("number", 1.5, "invalid", NUMBER),
        ("number", True, "invalid", NUMBER),
        ("big", 2**63, "max_value", "Ensure this value is less than or equal to 9223372036854775807."),
        ("ratio", "1.5", "invalid", "Write a number."),
        ("ratio", 10**400, "invalid", "Write a number."),
        ("amount", 1.5, "invalid", DECIMAL),
        ("amount", "1e3", "invalid", DECIMAL),
        ("amount", "1.505", "max_decimal_places", "Ensure that there are no more than 2 decimal places."),
        ("day", "31.1.2026", "invalid", "Write a day as in 2026-01-31."),
        ("day", 5, "invalid", "Write a day as in 2026-01-31."),
        ("moment", "2026-01-31T09:00:00", "offset_missing", "Add the offset from UTC, as in 2026-01-31T09:00:00Z."),
        ("time", "noon", "invalid", "Write a time of day as in 09:30:00."),
        ("period", "1 day", "invalid", "Write a duration in days, hours, minutes and seconds, as in P1DT2H30M."),
        ("period", "P999999999D", "too_long", "The duration is longer than 292,000 years."),
        ("uuid", "0193b3f0000070008000000000000000", "invalid", UUID),
        ("uuid", 1, "invalid", UUID),
        ("size", 3, "invalid_choice", "Write one of 1, 2."),
        ("size", "1", "invalid_choice", "Write one of 1, 2."),
        ("size", True, "invalid_choice", "Write one of 1, 2."),
        ("color", "blue", "invalid_choice", "Write one of red, green, “”."),
        ("color", {}, "invalid_choice", "Write one of red, green, “”."),
        ("version", "a.b", "invalid", "The value is not valid."),
        ("version", 1, "invalid", "The value is not valid."),
        ("group", 987654, "does_not_exist", "There is no group with the key 987654."),
        ("group", 10**30, "does_not_exist", f"There is no group with the key {10**30}."),
        ("group", "1", "incorrect_type", "Write the key of a group."),
        ("group", {}, "incorrect_type", "Write the key of a group."),
        ("person", "987654", "does_not_exist", "There is no user called “987654”."),
        ("person", "anna", "user_invalid", "'anna' cannot be the primary key of a user."),
        ("person", 1.5, "invalid", "Name a user by a string or an integer."),
        ("groups", 1, "not_a_list", 'Expected a list of items but got type "int".'),
        ("computed", "set", "read_only", "This field cannot be set: leave it out."),
        ("trigger", 1, "unknown_field", None),
        ("polymorphic_ctype", 1, "unknown_field", None),
        ("condition_ptr", 1, "unknown_field", None),
    ],
)
def test_a_bad_value_is_refused_at_its_place(
    admin: APIClient, field: str, value: Any, code: str, detail: str | None
) -> None:
    before = database()

    response = post(admin, conditions=[{"type": "triggers.ActionCountCondition"}, VARIED | {field: value}])

    if detail is None:
        names = ", ".join(["type", "id", *(name for name in DEFAULTS if name != "computed")])
        detail = f"There is no such field; there are {names}."
    assert_problem(response, invalid((f"/conditions/1/{field}", code, detail)))
    assert database() == before


def test_what_concerns_no_single_field_points_at_the_component(admin: APIClient) -> None:
    response = post(admin, conditions=[VARIED | {"flag": True, "maybe": True}])

    assert_problem(response, invalid(("/conditions/0", "both_flags", "Not both flags.")))
    thirteen = invalid(("/conditions/0", "invalid", "Not thirteen."))
    assert_problem(post(admin, conditions=[VARIED | {"big": 13}]), thirteen)


def test_a_secret_is_never_told_and_stays_when_it_is_left_out(admin: APIClient) -> None:
    action = {"type": "variety.SecretAction", "manner": "rude"}
    response = post(admin, actions=[action | {"secret": "s3cret"}])
    told = action | {"id": Action.objects.get().pk, "on_failure": "stop"}
    assert response.json()["actions"] == [told]

    response = admin.put(response.headers["Location"], response.json(), format="json")

    assert (response.status_code, response.json()["actions"]) == (200, [told])
    assert SecretAction.objects.get().secret == "s3cret"
    assert SecretAction.objects.get().kind == "rude"
    assert_problem(
        post(admin, name="Other", actions=[action]),
        invalid(("/actions/0/secret", "required", "This field is required.")),
    )


def test_secret_fields_are_never_told_and_stay_when_they_are_left_out(admin: APIClient) -> None:
    action = {"type": "probe.TokenAction", "label": "called with"}
    response = post(admin, actions=[action | {"token": "s3cret"}])
    told = action | {"id": Action.objects.get().pk, "on_failure": "stop"}
    assert response.json()["actions"] == [told]

    response = admin.put(response.headers["Location"], response.json(), format="json")

    assert (response.status_code, response.json()["actions"]) == (200, [told])
    assert TokenAction.objects.get().token == "s3cret"
    assert_problem(
        post(admin, name="Other", actions=[action]),
        invalid(("/actions/0/token", "required", "This field is required.")),
    )


def test_a_trigger_may_be_of_a_class_of_its_own(admin: APIClient) -> None:
    response = post(admin, type="variety.SeasonalTrigger", season="winter", events=[{"type": "probe.ProbeEvent"}])

    trigger = SeasonalTrigger.objects.get()
    expected = {
        "type": "variety.SeasonalTrigger",
        "id": trigger.pk,
        "name": "T",
        "description": "",
        "is_enabled": False,
        "engine": "",
        "season": "winter",
        "events": [{"type": "probe.ProbeEvent", "id": Event.objects.get().pk, "delay": "P0DT00H00M00S"}],
        "conditions": [],
        "actions": [],
        "missing": [],
    }
    assert response.json() == expected
    assert admin.get(URL).json()["results"] == [expected]
    changed = admin.patch(response.headers["Location"], {"season": "summer"}, format="json")
    assert changed.json() == expected | {"season": "summer"}
    assert_problem(
        admin.patch(response.headers["Location"], {"type": "triggers.Trigger"}, format="json"),
        invalid(
            ("/type", "type_immutable", "This trigger is of the type “variety.SeasonalTrigger”, which cannot change.")
        ),
    )


def test_parts_whose_class_is_gone_are_named_and_stay(admin: APIClient, trigger: Trigger) -> None:
    gone = ActionCountCondition.objects.create(trigger=trigger)
    ActionCountCondition.objects.filter(pk=gone.pk)._raw_delete("default")  # its row in the class's own table
    address = f"{URL}{trigger.pk}/"

    body = admin.get(address).json()

    assert body["missing"] == ["triggers.actioncountcondition"]
    assert body["conditions"] == []
    detail = (
        "The trigger “Congratulate” cannot be enabled as long as it has “triggers.actioncountcondition”, which is not "
        "installed. Install the app that defines what is not installed, or remove it from the trigger."
    )
    assert_problem(admin.put(address, body, format="json"), problem(409, "component_missing", detail))
    Trigger.objects.update(is_enabled=False)
    assert admin.put(address, body | {"is_enabled": False}, format="json").status_code == 200
    assert Condition.objects.non_polymorphic().filter(pk=gone.pk).exists()


# The lists of components

EMAIL = {"type": "app.SendEmailAction", "subject": "S", "message": "M"}
UNKNOWN = "The trigger has no action with the id {}; leave the id out to add one."
OBJECT = "Write an object with a type and its fields."


@pytest.mark.parametrize(
    ("fields", "errors"),
    [
        ({"actions": None}, [("/actions", "null", "This field may not be null.")]),
        ({"actions": {}}, [("/actions", "not_a_list", 'Expected a list of items but got type "dict".')]),
        ({"actions": "a"}, [("/actions", "not_a_list", 'Expected a list of items but got type "str".')]),
        ({"actions": [EMAIL] * 101}, [("/actions", "max_length", "Ensure this field has no more than 100 elements.")]),
        ({"actions": ["a"]}, [("/actions/0", "invalid", OBJECT)]),
        ({"actions": [EMAIL, None, []]}, [("/actions/1", "invalid", OBJECT), ("/actions/2", "invalid", OBJECT)]),
        ({"actions": [{}]}, [("/actions/0/type", "required", "Say which class it is of.")]),
        (
            {"actions": [{"type": ["app.SendEmailAction"]}]},
            [("/actions/0/type", "invalid", "Write the name of a class, as in app.ClassName.")],
        ),
        (
            {"actions": [{"type": None}]},
            [("/actions/0/type", "invalid", "Write the name of a class, as in app.ClassName.")],
        ),
        (
            {"actions": [EMAIL | {"type": "app.NoAction"}]},
            [("/actions/0/type", "type_unknown", "There is no action of the type “app.NoAction”.")],
        ),
        (
            {"actions": [{"type": "app.TaskCompletedEvent"}]},
            [("/actions/0/type", "type_unknown", "There is no action of the type “app.TaskCompletedEvent”.")],
        ),
        (
            {"actions": [{"type": "triggers.Action"}]},
            [("/actions/0/type", "type_unknown", "There is no action of the type “triggers.Action”.")],
        ),
        (
            {"actions": [EMAIL, EMAIL | {"subject": "{% include 'x' %}"}, EMAIL | {"message": "{% x %}"}]},
            [
                ("/actions/1/subject", "invalid", "…"),
                ("/actions/2/message", "invalid", "…"),
            ],
        ),
        (
            {"actions": [EMAIL | {"id": 1}]},
            [
                (
                    "/actions/0/id",
                    "component_unknown",
                    "The trigger has no action with the id 1; leave the id out to add one.",
                )
            ],
        ),
        ({"name": ""}, [("/name", "blank", "This field may not be blank.")]),
        ({"name": "x" * 65}, [("/name", "max_length", "Ensure this field has no more than 64 characters.")]),
        ({"engine": "steam"}, [("/engine", "invalid_choice", "Write one of celery, temporal, “”.")]),
        ({"is_enabled": True}, [("/is_enabled", "read_only", "This field cannot be set: leave it out.")]),
        ({"id": 1}, [("/id", "read_only", "This field cannot be set: leave it out.")]),
        ({"type": "app.Trigger"}, [("/type", "type_unknown", "There is no trigger of the type “app.Trigger”.")]),
        ({"type": 1}, [("/type", "invalid", "Write the name of a class, as in app.ClassName.")]),
        (
            {"event": [], "name": 5},
            [
                ("/name", "invalid", "Not a valid string."),
                (
                    "/event",
                    "unknown_field",
                    "There is no such field; there are type, name, description, engine, events, conditions, actions.",
                ),
            ],
        ),
    ],
)
def test_a_bad_body_is_refused_and_changes_nothing(
    admin: APIClient, fields: dict[str, Any], errors: list[tuple[str, str, str]]
) -> None:
    before = database()

    response = post(admin, **fields)

    found = response.json()
    for entry, (_pointer, _code, detail) in zip(found["errors"], errors, strict=False):
        if detail == "…":  # Django's template language has the word
            entry["detail"] = detail
    assert found == invalid(*errors)
    assert response.status_code == 400
    assert database() == before


def test_a_type_is_required(admin: APIClient) -> None:
    response = admin.post(URL, {"name": "T"}, format="json")

    assert_problem(response, invalid(("/type", "required", "Say which class it is of.")))


def test_a_name_that_is_taken_is_refused(admin: APIClient, trigger: Trigger) -> None:
    other = Trigger.objects.create(name="Other")
    taken = invalid(("/name", "unique", "trigger with this name already exists."))

    assert_problem(post(admin, name="Congratulate"), taken)
    assert_problem(admin.patch(f"{URL}{other.pk}/", {"name": "Congratulate"}, format="json"), taken)
    assert admin.patch(f"{URL}{trigger.pk}/", {"name": "Congratulate"}, format="json").status_code == 200


@pytest.mark.parametrize("method", ["put", "patch"])
def test_components_are_the_triggers_own_each_once_and_of_one_class(
    admin: APIClient, trigger: Trigger, method: str
) -> None:
    other = Trigger.objects.create(name="Other")
    theirs = SecretAction.objects.create(trigger=other, secret="s", position=0)
    mine = trigger.actions.get().pk
    body = admin.get(f"{URL}{trigger.pk}/").json()
    before = database()

    def refused(*actions: dict[str, Any]) -> Any:
        return getattr(admin, method)(f"{URL}{trigger.pk}/", body | {"actions": list(actions)}, format="json")

    ids: list[Any] = [theirs.pk, True, None, "1", 1.5, [], trigger.events.get().pk + 1000]
    for id in ids:
        response = refused({"type": "variety.SecretAction", "id": id, "secret": "x"})
        assert_problem(response, invalid(("/actions/0/id", "component_unknown", UNKNOWN.format(id))))
    twice = f"The action with the id {mine} is in the list already."
    assert_problem(
        refused(EMAIL | {"id": mine}, EMAIL | {"id": mine}), invalid(("/actions/1/id", "component_repeated", twice))
    )
    immutable = "This action is of the type “app.SendEmailAction”, which cannot change."
    assert_problem(
        refused({"type": "variety.SecretAction", "id": mine, "secret": "x"}),
        invalid(("/actions/0/type", "type_immutable", immutable)),
    )
    assert database() == before
    assert theirs.trigger_id == other.pk


def test_the_settings_say_which_components_may_be_made(admin: APIClient, trigger: Trigger, settings: Settings) -> None:
    settings.TRIGGERS_API_COMPONENT_TYPES = ["app.SendEmailAction"]
    body = admin.get(f"{URL}{trigger.pk}/").json()

    assert post(admin, actions=[EMAIL]).status_code == 201
    assert admin.put(f"{URL}{trigger.pk}/", body, format="json").status_code == 200  # what is there may stay
    detail = "On this server no event of the type “app.TaskCompletedEvent” can be made over HTTP."
    assert_problem(
        post(admin, name="Another", events=[{"type": "app.TaskCompletedEvent"}]),
        invalid(("/events/0/type", "type_not_permitted", detail)),
    )
