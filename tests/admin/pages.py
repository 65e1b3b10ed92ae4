"""What a browser does with the admin's pages: read them, fill in their forms, press the buttons."""

import re
from html import unescape
from typing import Any

from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from triggers.models import Event, Run, Trigger


def text(response: Any) -> str:
    """Return what the page says, without markup, templates of empty forms included."""
    assert response.status_code == 200
    page = re.sub(r"<(script|style).*?</\1>", "", response.content.decode(), flags=re.DOTALL)
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]*>", " ", page)))


def messages(response: Any) -> list[str]:
    return [str(message) for message in response.context["messages"]]


def trigger_list(client: Client, **query: Any) -> Any:
    return client.get(reverse("admin:triggers_trigger_changelist"), query)


def names_in(response: Any) -> list[str]:
    """Return the names of the triggers of a list."""
    return [trigger.name for trigger in response.context["cl"].result_list]


def trigger_url(trigger: Trigger) -> str:
    return reverse("admin:triggers_trigger_change", args=[trigger.pk])


def run_list(client: Client, **query: Any) -> Any:
    return client.get(reverse("admin:triggers_run_changelist"), query)


def runs_in(response: Any) -> set[Run]:
    return set(response.context["cl"].result_list)


def run_page(client: Client, run: Run) -> Any:
    return client.get(reverse("admin:triggers_run_change", args=[run.pk]))


def hidden_values(response: Any) -> dict[str, str]:
    """Return the values of the page's hidden fields, as the browser would send them."""
    found = {}
    for tag in re.findall(r'<input type="hidden"[^>]*>', response.content.decode()):
        attributes = dict(re.findall(r'(\w+)="([^"]*)"', tag))
        found[attributes["name"]] = unescape(attributes.get("value", ""))
    found.pop("csrfmiddlewaretoken", None)
    return found


def history(record: Any) -> list[str]:
    """Return the lines of the record's history in the admin, the first first."""
    entries = LogEntry.objects.filter(object_id=str(record.pk), content_type__model=record._meta.model_name)
    return [entry.get_change_message() for entry in entries.order_by("pk")]


def form_values(response: Any) -> dict[str, Any]:
    """Return what the browser would send if nothing were changed."""
    forms = [response.context["adminform"].form]
    for inline in response.context["inline_admin_formsets"]:
        forms += [inline.formset.management_form, *inline.formset.forms]
    values = {field.html_name: field.value() for form in forms for field in form}
    return {name: value for name, value in values.items() if value is not None and value is not False}


def add_component(values: dict[str, Any], prefix: str, model: Any, **fields: Any) -> None:
    """Add a form, as the page's script does; what is not named is left as it comes."""
    number = int(values[f"{prefix}-TOTAL_FORMS"])
    values[f"{prefix}-TOTAL_FORMS"] = number + 1
    values[f"{prefix}-{number}-polymorphic_ctype"] = ContentType.objects.get_for_model(model).pk
    if issubclass(model, Event):
        fields = {"delay": "00:00:00"} | fields
    values |= {f"{prefix}-{number}-{name}": value for name, value in fields.items()}


def queries_of(client: Client, url: str) -> list[str]:
    """Return the SQL of the page's queries, shown for the second time."""
    assert client.get(url).status_code == 200
    with CaptureQueriesContext(connection) as queries:
        assert client.get(url).status_code == 200
    return [query["sql"] for query in queries]
