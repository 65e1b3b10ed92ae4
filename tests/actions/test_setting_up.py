"""The actions are set up over HTTP and in the admin; what is wrong is refused at its place."""

import socket
from threading import Event
from time import monotonic
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from rest_framework.test import APIClient

from tests.acceptance.scenario import a_trigger
from tests.actions.receiver import SECRET
from tests.admin.pages import add_component, form_values, text, trigger_url
from tests.probe.models import RecordEffectAction
from triggers.contrib.actions import addresses
from triggers.contrib.actions.models import CallWebhook

pytestmark = pytest.mark.django_db

URL = "/api/v1/triggers/"
WEBHOOK = {
    "type": "triggers_actions.CallWebhook",
    "url": "https://93.184.215.14/hooks",
    "signing_secret": SECRET,
    "headers": "Authorization: Bearer t0ken12\nX-Team: shop",
    "body": {"who": "{{ user.id }}"},
}


@pytest.fixture
def client() -> APIClient:
    client = APIClient()
    client.force_authenticate(User.objects.create_superuser("root"))
    return client


def body(*actions: Any) -> dict[str, Any]:
    return {"type": "triggers.Trigger", "name": "orders", "actions": list(actions)}


def test_a_webhook_is_set_up_over_http_and_its_secrets_are_not_told(client: APIClient) -> None:
    response = client.post(URL, body(WEBHOOK), format="json")
    assert response.status_code == 201, response.json()
    [told] = response.json()["actions"]
    action = CallWebhook.objects.get()
    assert told == {
        "type": "triggers_actions.CallWebhook",
        "id": action.pk,
        "method": "POST",
        "url": "https://93.184.215.14/hooks",
        "body": {"who": "{{ user.id }}"},
        "on_failure": "stop",
    }
    assert (action.signing_secret, action.headers) == (WEBHOOK["signing_secret"], WEBHOOK["headers"])

    again = client.put(response.headers["Location"], response.json() | {"description": "x"}, format="json")
    assert again.status_code == 200, again.json()
    action = CallWebhook.objects.get()
    assert (action.signing_secret, action.headers) == (WEBHOOK["signing_secret"], WEBHOOK["headers"])

    again = client.put(response.headers["Location"], body(told | {"headers": ""}), format="json")
    assert again.status_code == 200, again.json()
    action = CallWebhook.objects.get()
    assert (action.signing_secret, action.headers) == (WEBHOOK["signing_secret"], "")


@pytest.mark.parametrize(
    ("values", "field", "code"),
    [
        ({"url": "https://127.0.0.1/"}, "url", "address_forbidden"),
        ({"url": "https://2130706433/"}, "url", "url_invalid"),
        ({"url": "https://93.184.215.14/" + "a" * 2000}, "url", "max_length"),
        ({"url": None}, "url", "null"),
        ({"url": 1}, "url", "invalid"),
        ({"method": "GET"}, "method", "invalid_choice"),
        ({"method": "post"}, "method", "invalid_choice"),
        ({"signing_secret": ""}, "signing_secret", "blank"),
        ({"signing_secret": "secret"}, "signing_secret", "secret_invalid"),
        ({"signing_secret": "whsec_c2hvcnQ="}, "signing_secret", "secret_invalid"),
        ({"signing_secret": "whsec_" + "A" * 31}, "signing_secret", "secret_invalid"),
        ({"signing_secret": SECRET + "\n"}, "signing_secret", "secret_invalid"),
        ({"signing_secret": "$sealed$abc"}, "signing_secret", "secret_invalid"),
        ({"headers": "no colon s3cret"}, "headers", "header_invalid"),
        ({"headers": "$sealed$s3cret"}, "headers", "header_invalid"),
        ({"headers": "A: s3cret\nB: \r\nC: d"}, "headers", "header_invalid"),
        ({"headers": "A: s3cret\rB: c"}, "headers", "header_invalid"),
        ({"headers": "A: s3cret\x0bB: c"}, "headers", "header_invalid"),
        ({"headers": "A: s3cret\u2028B: c"}, "headers", "header_invalid"),
        ({"headers": "A: é s3cret"}, "headers", "header_invalid"),
        ({"headers": "A B: s3cret"}, "headers", "header_invalid"),
        ({"headers": "Host: s3cret"}, "headers", "header_reserved"),
        ({"headers": "webhook-ID: s3cret"}, "headers", "header_reserved"),
        ({"headers": "Content-length: 3"}, "headers", "header_reserved"),
        ({"headers": "Proxy-Authorization: s3cret"}, "headers", "header_reserved"),
        ({"headers": "A: s3cret\na: b"}, "headers", "header_repeated"),
        ({"headers": "\n".join(f"A{number}: s3cret" for number in range(21))}, "headers", "headers_too_many"),
        ({"body": "{{ unclosed"}, "body", "template_invalid"),
        ({"body": {"a": [1, {"b/c": "{% nothing %}"}]}}, "body", "template_invalid"),
        ({"body": None}, "body", "null"),
        ({"body": "x" * 300_000}, "body", "json_too_long"),
    ],
)
def test_what_is_wrong_is_refused_at_its_place_and_no_secret_is_told(
    client: APIClient, values: Any, field: str, code: str
) -> None:
    response = client.post(URL, body(WEBHOOK | values), format="json")
    assert response.status_code == 400
    [error] = response.json()["errors"]
    assert (error["pointer"], error["code"]) == (f"/actions/0/{field}", code)
    assert "s3cret" not in response.content.decode()
    assert not CallWebhook.objects.exists()


def test_a_template_that_is_wrong_is_named_by_its_place(client: APIClient) -> None:
    response = client.post(URL, body(WEBHOOK | {"body": {"a": [1, {"b/c": "{% nothing %}"}]}}), format="json")
    [error] = response.json()["errors"]
    assert error["detail"].startswith("/a/1/b~1c: ")


def test_a_webhook_is_set_up_in_the_admin_and_its_secrets_are_not_shown(admin_client: Client) -> None:
    trigger = a_trigger(RecordEffectAction())
    page = admin_client.get(trigger_url(trigger))
    assert "Calls another system over HTTP, with a JSON body, signed as Standard Webhooks says." in text(page)
    values = form_values(page)
    add_component(
        values,
        "actions",
        CallWebhook,
        method="PUT",
        url=WEBHOOK["url"],
        signing_secret=SECRET,
        headers=WEBHOOK["headers"],
        body='{"who": "{{ user.id }}"}',
        position="1",
        on_failure="stop",
    )
    response = admin_client.post(trigger_url(trigger), values)
    assert response.status_code == 302, text(response)
    page = admin_client.get(trigger_url(trigger))
    for secret in (SECRET[6:], "t0ken12", "$sealed$"):
        assert secret not in page.content.decode()
    values = form_values(page)
    values["actions-1-url"] = "https://93.184.215.14/other"
    assert admin_client.post(trigger_url(trigger), values).status_code == 302
    action = CallWebhook.objects.get()
    assert (action.method, action.url) == ("PUT", "https://93.184.215.14/other")
    assert (action.signing_secret, action.headers) == (SECRET, WEBHOOK["headers"])
    history = admin_client.get(reverse("admin:triggers_trigger_history", args=[trigger.pk])).content.decode()
    assert "t0ken12" not in history

    values["actions-1-url"] = "https://localhost/"
    response = admin_client.post(trigger_url(trigger), values)
    assert response.status_code == 200
    assert "localhost is not public: it can be called only if TRIGGERS_WEBHOOK_ALLOWED_HOSTS names it." in text(
        response
    )
    for secret in (SECRET[6:], "t0ken12"):
        assert secret not in response.content.decode()


def test_it_says_in_lists_what_it_does() -> None:
    assert str(CallWebhook(url="https://example.com/hooks?token=s3cret")) == "call a webhook at example.com"
    assert str(CallWebhook()) == "call a webhook"


def test_a_webhook_that_is_made_to_lead_elsewhere_does_not_take_its_secrets_along(client: APIClient) -> None:
    created = client.post(URL, body(WEBHOOK), format="json")
    told = created.json()["actions"][0]
    path = created.headers["Location"]

    def moved(url: str, **secrets: str) -> Any:
        return client.put(path, body(told | {"url": url} | secrets), format="json")

    assert moved("https://93.184.215.14:443/other?x").status_code == 200
    for url in ("https://93.184.215.15/hooks", "http://93.184.215.14/hooks", "https://93.184.215.14:8443/hooks"):
        response = moved(url)
        assert response.status_code == 400
        assert [(error["pointer"], error["code"], error["detail"]) for error in response.json()["errors"]] == [
            ("/actions/0/signing_secret", "secret_needed", "Write it anew: the URL leads to another host now."),
            ("/actions/0/headers", "secret_needed", "Write it anew: the URL leads to another host now."),
        ]
        response = moved(url, signing_secret=SECRET)
        assert [error["pointer"] for error in response.json()["errors"]] == ["/actions/0/headers"]
    assert CallWebhook.objects.get().url == "https://93.184.215.14:443/other?x"
    assert moved("https://93.184.215.15/hooks", signing_secret=SECRET, headers="").status_code == 200
    assert CallWebhook.objects.get().headers == ""
    response = moved("https://93.184.215.16/hooks", signing_secret=SECRET)
    assert response.status_code == 200, response.content


def test_a_webhook_does_not_take_its_secrets_along_in_the_admin_either(admin_client: Client) -> None:
    action = CallWebhook(url=str(WEBHOOK["url"]), signing_secret=SECRET, body={"a": 1})
    trigger = a_trigger(action)
    values = form_values(admin_client.get(trigger_url(trigger)))
    values["actions-0-url"] = "https://93.184.215.15/hooks"
    response = admin_client.post(trigger_url(trigger), values)
    assert response.status_code == 200
    assert "Write it anew: the URL leads to another host now." in text(response)
    assert SECRET[6:] not in response.content.decode()
    values["actions-0-signing_secret"] = SECRET
    assert admin_client.post(trigger_url(trigger), values).status_code == 302


def test_many_hosts_whose_look_up_hangs_hold_nobody_up_for_long(
    client: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_go = Event()

    def hang(*_: Any, **__: Any) -> Any:
        let_go.wait(60)
        raise socket.gaierror(socket.EAI_NONAME, "not known")

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    monkeypatch.setattr(addresses, "_hasty_until", 0.0)
    begun = monotonic()
    hooks = [WEBHOOK | {"url": f"https://slow{number}.example.com/"} for number in range(50)]
    assert client.post(URL, body(*hooks), format="json").status_code == 201
    assert monotonic() - begun < 15
    let_go.set()
