"""Webhooks at work: what is sent, what follows from an answer, and what is kept of it."""

import gzip
import json
import socket
import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime
from ipaddress import IPv4Address
from pathlib import Path
from threading import Event
from time import monotonic
from typing import Any
from uuid import UUID

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from django.contrib.auth.models import User
from django.utils import timezone

from tests.acceptance.scenario import a_trigger
from tests.actions.conftest import Perform
from tests.actions.receiver import SECRET, Answer, receiving
from tests.probe.models import ProbeEvent
from tests.waiting import SLACK
from triggers import fire
from triggers.contrib.actions import calling
from triggers.contrib.actions.models import CallWebhook
from triggers.contrib.journeys.models import WaitForTime
from triggers.models import Run
from triggers.running import advance

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def loopback_may_be_called(settings: Any) -> None:
    settings.TRIGGERS_WEBHOOK_ALLOWED_HOSTS = ["127.0.0.1", "receiver.test", "other.test"]


def webhook(url: str, body: Any = "hello", **fields: Any) -> CallWebhook:
    return CallWebhook(url=url, signing_secret=SECRET, body=body, **fields)


def kept_of(run: Run) -> dict[str, Any]:
    result: dict[str, Any] | None = run.steps.get().result
    assert result is not None
    return result


def error_of(run: Run) -> tuple[str, str]:
    step = run.steps.get()
    return step.error_type, step.error_message


def saying(*statuses: int, **headers: str) -> Answer:
    """One status after the other, the last for ever."""
    return lambda call, _, number: call.say(statuses[min(number, len(statuses)) - 1], **headers)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_a_webhook_is_json_signed_with_the_steps_key_as_its_id(perform: Perform, method: str) -> None:
    with receiving() as receiver:
        run = perform(
            webhook(receiver.url + "?a=b", method=method, headers="X-Team: shop\r\n\nAuthorization: Bearer t0ken12")
        )
    assert (run.status, run.steps.get().result) == ("succeeded", {"status": 200, "body": "thanks"})
    [request] = receiver.requests
    assert (request.method, request.path, request.body) == (method, "/hooks?a=b", "hello")
    headers = dict(request.headers)
    sent = datetime.fromtimestamp(int(headers.pop("webhook-timestamp")), UTC)
    assert abs(sent - timezone.now()) < timedelta(minutes=1)
    assert headers.pop("webhook-signature").startswith("v1,")
    assert headers == {
        "host": f"127.0.0.1:{receiver.port}",
        "accept-encoding": "identity",
        "content-length": "7",
        "content-type": "application/json",
        "user-agent": "dj-triggers",
        "x-team": "shop",
        "authorization": "Bearer t0ken12",
        "webhook-id": f"{run.pk}:0",
    }


def test_values_keep_their_types_where_they_stand_alone_and_the_body_is_json_whatever_they_are(
    perform: Perform,
) -> None:
    body = {
        "who": "{{ user.email }}",
        "greeting": "Hello “{{ context.name }}”,\n",
        "amount": "{{ context.amount }}",
        "count": " {{ context.count }} ",
        "number": "{{ context.count }}",
        "list": ["{{ context.list }}", {"deep": "{{context.flag}}"}, 1, None, True, 1.5],
        "missing": "{{ context.nothing }}",
        "at": "{{ context.at }}",
        "id": "{{ context.id }}",
        "all": "{{ context.object }}",
        "{{ key }}": "plain",
    }
    id, at = UUID(int=1), datetime(2026, 1, 31, 9, tzinfo=UTC)
    name = '"},\n\\ \u2028 <b>é</b> {{ user.email }}'
    with receiving() as receiver:
        run = perform(
            webhook(receiver.url, body),
            name=name,
            amount=Decimal("9.90"),
            count=3,
            list=[1, "a", {"b": None}],
            flag=False,
            at=at,
            id=id,
            object={"$x": [1]},
        )
    assert run.status == "succeeded", error_of(run)
    assert receiver.requests[0].body == {
        "who": "ada@example.com",
        "greeting": f"Hello “{name}”,\n",
        "amount": "9.90",
        "count": " 3 ",
        "number": 3,
        "list": [[1, "a", {"b": None}], {"deep": False}, 1, None, True, 1.5],
        "missing": None,
        "at": timezone.localtime(at).isoformat(),
        "id": str(id),
        "all": {"$x": [1]},
        "{{ key }}": "plain",
    }


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_every_status_from_200_on_is_success(perform: Perform, status: int) -> None:
    with receiving(saying(status)) as receiver:
        run = perform(webhook(receiver.url))
    assert (run.status, run.steps.get().result) == ("succeeded", {"status": status, "body": ""})


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 599])
def test_what_may_pass_is_tried_again_with_the_same_id(perform: Perform, status: int) -> None:
    with receiving(saying(status, status, 200)) as receiver:
        run = perform(webhook(receiver.url), attempts=3)
    assert (run.status, run.steps.get().attempts) == ("succeeded", 3)
    assert [request.id for request in receiver.requests] == [f"{run.pk}:0"] * 3


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 413, 422, 304])
def test_other_statuses_fail_at_once(perform: Perform, status: int) -> None:
    with receiving(saying(status)) as receiver:
        run = perform(webhook(receiver.url))
    assert run.status == "failed"
    assert error_of(run)[0] == "PermanentError"
    assert error_of(run)[1].startswith(f"127.0.0.1 answered {status}.")
    assert run.steps.get().result == {"status": status, "body": ""}
    assert len(receiver.requests) == 1


@pytest.mark.parametrize(
    ("header", "least", "most"),
    [
        ("120", 119, 121),
        ("0", 0, 2),
        ("99999999999999999999", 86399, 86401),
        (lambda: format_datetime(timezone.now() + timedelta(seconds=300), usegmt=True), 290, 301),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 86399, 86401),
        ("Mon, 01 Jan 2001 00:00:00 GMT", 0, 2),
        ("Mon, 01 Jan 2001 00:00:00 -0000", 0, 2),
        ("soon", 3, 7),
        ("-5", 3, 7),
        ("٣", 3, 7),
        ("", 3, 7),
    ],
)
def test_the_pause_that_is_asked_for_is_kept_within_a_day(
    perform: Perform, header: str | Callable[[], str], least: float, most: float
) -> None:
    text = header if isinstance(header, str) else header()
    answer = saying(429, Retry_After=text.encode().decode("latin-1"))
    with receiving(answer) as receiver:
        run = perform(webhook(receiver.url))
    assert run.status == "waiting"
    assert run.due_at is not None
    pause = (run.due_at - timezone.now()).total_seconds()
    assert least - 5 <= pause <= most
    assert run.steps.get().result == {"status": 429, "body": ""}


def test_a_connection_that_breaks_is_tried_again(perform: Perform) -> None:
    with receiving(lambda call, _, number: call.say(200) if number > 2 else call.drop()) as receiver:
        run = perform(webhook(receiver.url))
        assert error_of(run) == ("ActionError", "127.0.0.1 did not answer: RemoteDisconnected.")
        assert run.steps.get().result is None
        for _ in range(2):
            run.refresh_from_db()
            advance([run.pk], now=run.due_at)
    run.refresh_from_db()
    assert (run.status, run.steps.get().attempts) == ("succeeded", 3)
    assert len({request.id for request in receiver.requests}) == 1


def test_nobody_there_is_tried_again(perform: Perform) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    run = perform(webhook(f"http://127.0.0.1:{port}/"))
    assert run.status == "waiting"
    assert error_of(run) == ("ActionError", "127.0.0.1 could not be reached: Connection refused.")


def test_a_name_that_is_not_found_is_tried_again(perform: Perform, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    run = perform(webhook("http://gone.example.com/"))
    assert (run.status, error_of(run)) == ("waiting", ("ActionError", "gone.example.com was not found."))


def test_a_name_whose_look_up_takes_for_ever_is_given_up(perform: Perform, monkeypatch: pytest.MonkeyPatch) -> None:
    let_go = Event()

    def hang(*_: Any, **__: Any) -> Any:
        let_go.wait(60)
        raise socket.gaierror(socket.EAI_NONAME, "not known")

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    monkeypatch.setattr(calling, "LONGEST", 0.5)
    begun = monotonic()
    run = perform(webhook("http://slow.example.com/"))
    assert monotonic() - begun < calling.LONGEST + SLACK
    assert (run.status, error_of(run)) == ("waiting", ("ActionError", "slow.example.com was not found."))
    let_go.set()


@pytest.mark.parametrize(
    ("begin", "status", "result"),
    [
        (b"", "waiting", None),
        (b"HTTP/1.1 2", "waiting", None),
        (b"HTTP/1.1 200 OK\r\nX-A: b", "succeeded", 200),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 1000, "waiting", None),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nbegin", "succeeded", 200),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nbegin", "succeeded", 200),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffff\r\nbegin", "succeeded", 200),
        (b"HTTP/1.1 500 No\r\nContent-Length: 1000000\r\n\r\nbegin", "waiting", 500),
    ],
)
def test_an_answer_that_comes_byte_by_byte_takes_no_longer_than_any(
    perform: Perform, monkeypatch: pytest.MonkeyPatch, begin: bytes, status: str, result: int | None
) -> None:
    monkeypatch.setattr(calling, "LONGEST", 1.0)
    with receiving(lambda call, *_: call.drip(begin=begin)) as receiver:
        begun = monotonic()
        run = perform(webhook(receiver.url))
        assert monotonic() - begun < calling.LONGEST + SLACK
    assert run.status == status
    kept = run.steps.get().result
    assert (kept and kept["status"]) == result
    if kept is None:
        assert error_of(run)[0] == "ActionError"
    else:
        assert kept["body"].startswith("beginx" if b"begin" in begin else "")


def test_a_receiver_that_reads_nothing_is_given_up(perform: Perform, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calling, "LONGEST", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as server:
        begun = monotonic()
        run = perform(webhook(f"http://127.0.0.1:{server.getsockname()[1]}/", "x" * 200_000))
        assert monotonic() - begun < calling.LONGEST + SLACK
    assert error_of(run) == ("ActionError", "127.0.0.1 did not answer within 0.5 seconds.")


def test_of_a_huge_answer_the_beginning_is_read_and_less_is_kept(perform: Perform) -> None:
    sent = 0

    def answer(call: Any, *_: Any) -> None:
        nonlocal sent
        call.say(200, Content_Length=str(10**12), body="é\x00" * 1000)
        while not call.receiver.closed.is_set():
            call.wfile.write(b"y" * 100_000)
            sent += 100_000

    with receiving(answer) as receiver:
        run = perform(webhook(receiver.url))
    assert run.status == "succeeded"
    assert run.steps.get().result == {"status": 200, "body": ("é\ufffd" * 1000)[:2000]}
    assert sent < 50_000_000


def test_an_answer_that_is_compressed_is_not_blown_up(perform: Perform) -> None:
    bomb = gzip.compress(b"0" * 10_000_000)

    def answer(call: Any, *_: Any) -> None:
        call.say(200, Content_Encoding="gzip", Content_Length=str(len(bomb)))
        call.wfile.write(bomb)

    with receiving(answer) as receiver:
        run = perform(webhook(receiver.url))
    assert run.status == "succeeded"
    assert len(kept_of(run)["body"]) <= 2000


@pytest.mark.parametrize("text", ["garbage", "HTTP/1.1 two OK\r\n\r\n", "HTTP/1.1 200 OK\r\nX: " + "y" * 100_000])
def test_an_answer_that_is_none_is_tried_again(perform: Perform, text: str) -> None:
    def answer(call: Any, *_: Any) -> None:
        call.wfile.write(text.encode())
        call.drop()

    with receiving(answer) as receiver:
        run = perform(webhook(receiver.url))
    assert (run.status, error_of(run)[0]) == ("waiting", "ActionError")


def test_secrets_that_come_back_are_masked(perform: Perform, caplog: pytest.LogCaptureFixture) -> None:
    secrets = ["Bearer abc+/def==", "abc+/def==", SECRET, SECRET.removeprefix("whsec_"), 'quo"ted\\s3cret']

    def answer(call: Any, request: Any, number: int) -> None:
        call.say(500, json.dumps([request.headers["authorization"], *secrets]) + "".join(secrets))

    with receiving(answer) as receiver:
        action = webhook(receiver.url, headers='Authorization: Bearer abc+/def==\nX-Key: quo"ted\\s3cret\nX-V: 1')
        run = perform(action)
    step = run.steps.get()
    told = kept_of(run)["body"] + step.error_message + step.error_traceback + caplog.text
    for part in ("abc+/def", SECRET[6:20], "s3cret", "quo"):
        assert part not in told
    assert kept_of(run)["body"].count("•••") == 11


def test_a_secret_that_none_of_the_keys_opens_fails_the_step_and_is_kept(perform: Perform, settings: Any) -> None:
    with receiving() as receiver:
        action = webhook(receiver.url)
        action.save()
        settings.SECRET_KEY = "another"
        action = CallWebhook.objects.get()
        run = perform(action)  # which saves it
        assert error_of(run) == (
            "PermanentError",
            "The secrets were encrypted by a key that TRIGGERS_ENCRYPTION_KEYS does not have.",
        )
        settings.SECRET_KEY_FALLBACKS = ["example"]
        assert CallWebhook.objects.get().signing_secret == SECRET
        assert receiver.requests == []


# ----------------------------------------------------------------------------------------------------------- TLS


def authority() -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "tests")])
    return _certificate(name, name, key, key, ca=True), key


def _certificate(subject: Any, issuer: Any, key: Any, by: Any, *names: x509.GeneralName, ca: bool = False) -> Any:
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(by, SHA256())


@pytest.fixture
def tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Certificates by an authority that this process trusts; names that end in .test are on loopback."""
    root, root_key = authority()
    (tmp_path / "root.pem").write_bytes(root.public_bytes(Encoding.PEM))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "root.pem"))
    calling._tls.cache_clear()
    real = socket.getaddrinfo
    monkeypatch.setattr(
        socket,
        "getaddrinfo",
        lambda host, *args, **o: real("127.0.0.1" if host.endswith(".test") else host, *args, **o),
    )

    def serving(*names: x509.GeneralName, is_trusted: bool = True) -> ssl.SSLContext:
        by, by_key = (root, root_key) if is_trusted else authority()
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = _certificate(x509.Name([]), by.subject, key, by_key, *names)
        secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (tmp_path / "server.pem").write_bytes(secret + certificate.public_bytes(Encoding.PEM))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tmp_path / "server.pem")
        return context

    yield serving
    calling._tls.cache_clear()


def test_https_reaches_the_host_that_proves_its_name(perform: Perform, tls: Any) -> None:
    with receiving(tls=tls(x509.DNSName("receiver.test"))) as receiver:
        run = perform(webhook(receiver.url_at("receiver.test")))
    assert run.status == "succeeded", error_of(run)
    assert receiver.requests[0].headers["host"] == f"receiver.test:{receiver.port}"


def test_https_reaches_an_address_that_is_proved(perform: Perform, tls: Any) -> None:
    with receiving(tls=tls(x509.IPAddress(IPv4Address("127.0.0.1")))) as receiver:
        assert perform(webhook(receiver.url)).status == "succeeded"


@pytest.mark.parametrize(
    ("host", "names", "is_trusted"),
    [
        ("other.test", [x509.DNSName("receiver.test")], True),
        ("receiver.test", [x509.IPAddress(IPv4Address("127.0.0.1"))], True),
        ("127.0.0.1", [x509.DNSName("receiver.test")], True),
        ("receiver.test", [x509.DNSName("receiver.test")], False),
    ],
)
def test_https_sends_nothing_to_who_cannot_prove_the_name(
    perform: Perform, tls: Any, host: str, names: list[Any], is_trusted: bool
) -> None:
    with receiving(tls=tls(*names, is_trusted=is_trusted)) as receiver:
        run = perform(webhook(receiver.url_at(host)))
    assert run.status == "waiting"
    assert error_of(run)[0] == "ActionError"
    assert "certificate verify failed" in error_of(run)[1]
    assert receiver.requests == []


def test_a_handshake_that_never_ends_is_given_up(perform: Perform, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calling, "LONGEST", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as server:
        begun = monotonic()
        run = perform(webhook(f"https://127.0.0.1:{server.getsockname()[1]}/"))
        assert monotonic() - begun < calling.LONGEST + SLACK
    assert (run.status, error_of(run)[0]) == ("waiting", "ActionError")


# ------------------------------------------------------------------------------------------------- runs that waited


def test_a_run_that_waited_does_not_take_the_secrets_of_today_to_where_the_webhook_led_then(
    ada: User, no_broker: None
) -> None:
    with receiving() as receiver, receiving() as other:
        a_trigger(WaitForTime(duration=timedelta(days=1)), webhook(receiver.url), webhook(receiver.url, "second"))
        run = fire(ProbeEvent, users=ada).runs.get()
        advance([run.pk])
        run.refresh_from_db()
        moved, kept = CallWebhook.objects.order_by("position")
        moved.url, moved.on_failure = other.url, "continue"
        moved.save()
        kept.body = "changed"
        kept.save()
        advance([run.pk], now=run.due_at)
        step = run.steps.get(position=1)
        assert (step.error_type, step.error_message) == (
            "PermanentError",
            "The webhook leads to another host since, and its secrets are for that one.",
        )
        assert (receiver.requests, other.requests) == ([], [])
