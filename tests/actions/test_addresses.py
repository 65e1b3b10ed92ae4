"""Where a webhook cannot be made to go, in whatever way its address is written or looked up."""

# ruff: noqa: RUF001
import socket
import sys
from collections.abc import Iterator
from ipaddress import ip_address
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError

from tests.acceptance.scenario import a_trigger
from tests.actions.receiver import SECRET, Listener, receiving
from tests.probe.models import ProbeEvent
from triggers import fire
from triggers.contrib.actions.addresses import is_public, target_of, validate_url
from triggers.contrib.actions.models import CallWebhook
from triggers.models import Run
from triggers.running import advance
from triggers.testing import without_broker

#: To what this process has connected, or tried to, while somebody looks.
connections: list[Any] | None = None


def note(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "socket.connect" and connections is not None and isinstance(arguments[1], tuple):
        connections.append(arguments[1])


sys.addaudithook(note)


@pytest.fixture
def connected() -> Iterator[list[Any]]:
    global connections
    connections = []
    yield connections
    connections = None


@pytest.fixture
def listener() -> Iterator[Listener]:
    listener = Listener()
    yield listener
    listener.close()


class Resolver:
    """Answers with one list of addresses after the other, the last one for ever."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    def __call__(self, host: str, port: Any, *args: Any, **options: Any) -> list[Any]:
        try:
            ip_address(host)
        except ValueError:
            self.asked.append(host)
            found = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        else:
            found = [host]  # of the address that is connected to
        families = {4: socket.AF_INET, 6: socket.AF_INET6}
        return [
            (families[ip_address(each.partition("%")[0]).version], socket.SOCK_STREAM, 6, "", (each, port or 0))
            for each in found
        ]


def saved(url: str) -> CallWebhook:
    """The action, as if nothing had been checked when it was saved."""
    action = CallWebhook(url=url, signing_secret=SECRET, body={"user": "{{ user.id }}"})
    a_trigger(action)
    return action


def performed() -> Run:
    with without_broker():
        run = fire(ProbeEvent, users=User.objects.create_user("ada")).runs.get()
        advance([run.pk])
    run.refresh_from_db()
    return run


# Of every form there is one that leads to this machine, where there is one: the listener is there.
FORBIDDEN = [
    # IPv4 as numbers of every kind
    "http://127.0.0.1:{port}/",
    "http://127.1:{port}/",
    "http://127.0.1:{port}/",
    "http://2130706433:{port}/",
    "http://0x7f000001:{port}/",
    "http://0x7f.0x0.0x0.0x1:{port}/",
    "http://0x7f.1:{port}/",
    "http://0177.0.0.1:{port}/",
    "http://017700000001:{port}/",
    "http://0177.0x0.0.1:{port}/",
    "http://127.0.0.01:{port}/",
    "http://000127.0.0.1:{port}/",
    "http://0:{port}/",
    "http://0.0.0.0:{port}/",
    "http://127.255.255.254:{port}/",
    "http://127.0.0.1.:{port}/",
    "http://425.510.425.510:{port}/",
    "http://4294967297:{port}/",
    # other networks that are not public
    "http://10.0.0.1:{port}/",
    "http://172.16.0.1:{port}/",
    "http://172.31.255.255:{port}/",
    "http://192.168.0.1:{port}/",
    "http://100.64.0.1:{port}/",
    "http://100.100.100.200/latest/meta-data/",
    "http://169.254.169.254/latest/meta-data/",
    "http://168.63.129.16/metadata/",
    "http://192.0.0.192/",
    "http://192.0.2.1/",
    "http://198.18.0.1/",
    "http://198.51.100.7/",
    "http://203.0.113.7/",
    "http://192.88.99.1/",
    "http://224.0.0.1/",
    "http://239.255.255.255/",
    "http://240.0.0.1/",
    "http://255.255.255.255/",
    # IPv6, and IPv4 in it
    "http://[::1]:{port}/",
    "http://[0:0:0:0:0:0:0:1]:{port}/",
    "http://[::]:{port}/",
    "http://[::ffff:127.0.0.1]:{port}/",
    "http://[::ffff:7f00:1]:{port}/",
    "http://[0:0:0:0:0:ffff:7f00:0001]:{port}/",
    "http://[::127.0.0.1]:{port}/",
    "http://[::ffff:0:127.0.0.1]:{port}/",
    "http://[64:ff9b::127.0.0.1]:{port}/",
    "http://[64:ff9b::a9fe:a9fe]/",
    "http://[64:ff9b:1::127.0.0.1]:{port}/",
    "http://[2002:7f00:1::]:{port}/",
    "http://[2001:0:5ef5:79fd:0:0:80ff:fffe]:{port}/",
    "http://[fe80::1]:{port}/",
    "http://[fe80::1%25lo]:{port}/",
    "http://[fe80::1%lo]:{port}/",
    "http://[::1%25lo]:{port}/",
    "http://[fec0::1]/",
    "http://[fc00::1]/",
    "http://[fd00:ec2::254]/latest/meta-data/",
    "http://[ff02::1]/",
    "http://[2001:db8::1]/",
    "http://[100::1]/",
    "http://[::ffff:169.254.169.254]/",
    "http://[v1.fe80::a]/",
    # names of this machine
    "http://localhost:{port}/",
    "http://LocalHost:{port}/",
    "http://localhost.:{port}/",
    # what programs read differently
    "http://user@127.0.0.1:{port}/",
    "http://example.com@127.0.0.1:{port}/",
    "http://user:password@example.com/",
    "http://127.0.0.1:{port}#@example.com/",
    "http://127.0.0.1:{port}\\@example.com/",
    "http://example.com\\@127.0.0.1:{port}/",
    "http://example.com:80@127.0.0.1:{port}/",
    "http:\\\\127.0.0.1:{port}/",
    "http:///127.0.0.1:{port}/",
    "http://127.0.0.1%00.example.com/",
    "http://127.0.0.1%2eexample.com/",
    "http://%31%32%37.0.0.1:{port}/",
    "http://127.0.0.1:{port}/ HTTP/1.1\r\nX: y",
    "http://127.0.0.1:{port}/\tx",
    " http://127.0.0.1:{port}/",
    "http://exa mple.com/",
    "http://example.com:0/",
    "http://example.com:65536/",
    "http://example.com:{port}:{port}/",
    "http://-/..",
    "http://a..example.com/",
    # digits and dots of other scripts
    "http://①②⑦.⓪.⓪.①:{port}/",
    "http://１２７.０.０.１:{port}/",
    "http://127。0。0。1:{port}/",
    "http://127．0．0．1:{port}/",
    "http://١٢٧.٠.٠.١:{port}/",
    "http://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ:{port}/",
    "http://ſocalhost:{port}/",
    # other schemes
    "ftp://127.0.0.1:{port}/",
    "file:///etc/passwd",
    "gopher://127.0.0.1:{port}/_x",
    "unix:///var/run/docker.sock",
    "dict://127.0.0.1:{port}/",
    "//127.0.0.1:{port}/",
    "127.0.0.1:{port}",
    "https+insecure://127.0.0.1:{port}/",
    "",
]


@pytest.mark.parametrize("url", FORBIDDEN)
@pytest.mark.django_db
def test_a_forbidden_address_is_neither_saved_nor_called(url: str, listener: Listener, connected: list[Any]) -> None:
    url = url.replace("{port}", str(listener.port))
    action = saved(url)
    with pytest.raises(ValidationError) as refused:
        action.full_clean(exclude=["trigger", "polymorphic_ctype", "action_ptr"])
    assert list(refused.value.message_dict) == ["url"]

    run = performed()

    assert (run.status, run.code) == ("failed", "action_failed")
    assert run.steps.get().error_type == "PermanentError"
    assert run.steps.get().attempts == 1
    assert connected == []
    assert listener.close() == 0


@pytest.mark.django_db
def test_the_listener_and_the_look_at_connections_would_notice(
    listener: Listener, connected: list[Any], settings: Any
) -> None:
    settings.TRIGGERS_WEBHOOK_ALLOWED_HOSTS = ["127.0.0.1"]
    with socket.create_connection(("127.0.0.1", listener.port)):
        assert listener.close() == 1
    assert connected == [("127.0.0.1", listener.port)]
    with receiving() as receiver:
        saved(receiver.url)
        assert performed().status == "succeeded"
        assert connected[1:] == [("127.0.0.1", receiver.port)]


@pytest.mark.parametrize(
    "answers",
    [
        [["93.184.215.14"], ["127.0.0.1"]],
        [["93.184.215.14"], ["93.184.215.14", "127.0.0.1"]],
        [["93.184.215.14"], ["127.0.0.1", "93.184.215.14"]],
        [["2606:2800:21f::1"], ["::1"]],
        [["2606:2800:21f::1"], ["::ffff:127.0.0.1"]],
        [["2606:2800:21f::1"], ["64:ff9b::7f00:1"]],
        [["2606:2800:21f::1"], ["fe80::1%lo"]],
        [["93.184.215.14"], ["169.254.169.254"]],
    ],
    ids=str,
)
@pytest.mark.django_db
def test_a_name_that_leads_elsewhere_when_it_is_called_is_not_called(
    answers: list[list[str]], listener: Listener, connected: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", Resolver(*answers))
    action = saved(f"http://rebinding.example.com:{listener.port}/")
    action.full_clean(exclude=["trigger", "polymorphic_ctype", "action_ptr"])

    run = performed()

    assert run.steps.get().error_message == (
        "rebinding.example.com has an address that is not public: nothing was sent."
    )
    assert connected == []
    assert listener.close() == 0


@pytest.mark.django_db
def test_what_is_called_is_the_address_that_was_checked(
    connected: list[Any], monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.TRIGGERS_WEBHOOK_ALLOWED_HOSTS = ["receiver.test"]
    resolver = Resolver(["127.0.0.1"], ["127.0.0.2"])
    monkeypatch.setattr(socket, "getaddrinfo", resolver)
    with receiving() as receiver:
        saved(receiver.url_at("receiver.test"))
        assert performed().status == "succeeded"
        assert receiver.requests[0].headers["host"] == f"receiver.test:{receiver.port}"
    assert resolver.asked == ["receiver.test"]
    assert connected == [("127.0.0.1", receiver.port)]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.django_db
def test_redirects_are_not_followed(status: int, listener: Listener, settings: Any) -> None:
    settings.TRIGGERS_WEBHOOK_ALLOWED_HOSTS = ["127.0.0.1"]
    location = f"http://127.0.0.1:{listener.port}/"
    with receiving(lambda call, *_: call.say(status, Location=location)) as receiver:
        saved(receiver.url)
        run = performed()
    assert run.steps.get().error_message == (
        f"127.0.0.1 answered {status}. Redirects are not followed: write the URL that it leads to."
    )
    assert len(receiver.requests) == 1
    assert listener.close() == 0


@pytest.mark.django_db
def test_proxies_of_the_environment_are_not_used(
    listener: Listener, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.TRIGGERS_WEBHOOK_ALLOWED_HOSTS = ["127.0.0.1"]
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{listener.port}")
    with receiving() as receiver:
        saved(receiver.url)
        assert performed().status == "succeeded"
    assert listener.close() == 0


def test_a_name_that_cannot_be_found_can_be_saved(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    validate_url("https://not-there-yet.example.com/hooks")


@pytest.mark.parametrize(
    ("url", "host", "port", "path"),
    [
        ("https://example.com", "example.com", None, "/"),
        ("HTTPS://Example.COM/Hooks?x=1&y=%20", "example.com", None, "/Hooks?x=1&y=%20"),
        ("http://example.com:8080?x", "example.com", 8080, "/?x"),
        ("https://my_service.xn--bcher-kva.example/", "my_service.xn--bcher-kva.example", None, "/"),
        ("https://93.184.215.14/", "93.184.215.14", None, "/"),
        ("https://[2606:2800:21F:0::1]/", "2606:2800:21f::1", None, "/"),
        ("https://1.2.3.4.example1/", "1.2.3.4.example1", None, "/"),
    ],
)
def test_a_plain_url_is_taken_apart(url: str, host: str, port: int | None, path: str) -> None:
    target = target_of(url)
    assert (target.host, target.port, target.path) == (host, port, path)


@pytest.mark.parametrize("text", ["93.184.215.14", "8.8.8.8", "2606:2800:21f::1", "2a00:1450::1", "64:ff9b::808:808"])
def test_public_addresses_are_public(text: str) -> None:
    assert is_public(ip_address(text))
