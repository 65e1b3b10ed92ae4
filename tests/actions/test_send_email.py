"""E-mails: to whom, of what, as which message, and what is refused."""

from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core import mail
from django.core.exceptions import ValidationError

from tests.acceptance.scenario import a_trigger, explain, on_both_engines, outcomes, people, wait_for_runs
from tests.actions.conftest import Perform
from tests.servers.mail import sent_mails
from tests.servers.worker import Worker
from tests.service.mailserver import refusing_recipients
from triggers import fire
from triggers.contrib.actions.models import SendEmail
from triggers.contrib.actions.models.send_email import HeaderRefused, _line
from triggers.models import Run


def email(**fields: Any) -> SendEmail:
    return SendEmail(**{"subject": "Hello", "text": "How are you?"} | fields)


def error_of(run: Run) -> tuple[str, str, str]:
    step = run.steps.get()
    return run.status, step.error_type, step.error_message


def test_the_person_gets_text_and_html_with_values_escaped_in_the_html(perform: Perform, settings: Any) -> None:
    settings.DEFAULT_FROM_EMAIL = "Shop <shop@shop.example>"
    action = email(
        subject=" Order {{ context.id }} ",
        text="<b>{{ context.name }}</b>",
        html="<b>{{ context.name }}</b>",
    )
    run = perform(action, id=7, name="A & <i>B</i>")
    [message] = mail.outbox
    assert isinstance(message, mail.EmailMultiAlternatives)
    assert (message.subject, message.to, message.from_email) == (
        "Order 7",
        ["ada@example.com"],
        "Shop <shop@shop.example>",
    )
    assert message.body == "<b>A & <i>B</i></b>"
    assert [tuple(part) for part in message.alternatives] == [("<b>A &amp; &lt;i&gt;B&lt;/i&gt;</b>", "text/html")]
    sent = message.message()
    assert sent["Message-ID"] == f"<{run.pk}.0@shop.example>"
    assert sent["Auto-Submitted"] == "auto-generated"
    assert run.status == "succeeded"
    assert run.steps.get().result == {"to": "ada@example.com", "message_id": f"<{run.pk}.0@shop.example>"}


def test_a_fixed_address_and_sender_are_used(perform: Perform) -> None:
    User.objects.update(email="")
    run = perform(email(to="orders@shop.example", sender="Robot <robot@shop.example>"))
    [message] = mail.outbox
    assert (message.to, message.from_email) == (["orders@shop.example"], "Robot <robot@shop.example>")
    assert message.message()["Message-ID"] == f"<{run.pk}.0@shop.example>"
    assert not getattr(message, "alternatives", [])


@pytest.mark.parametrize(
    ("address", "problem"),
    [("", "is missing"), ("nobody", "is not valid"), ("a@example.com\nBcc: b@example.com", "is not valid")],
)
def test_a_user_without_an_address_fails_the_step_at_once(
    perform: Perform, ada: User, address: str, problem: str
) -> None:
    User.objects.update(email=address)
    assert error_of(perform(email())) == ("failed", "AddressMissing", f"The user’s e-mail address {problem}.")
    assert mail.outbox == []


@pytest.mark.parametrize(
    "end", ["\n", "\r", "\r\n", "\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029", "\x00", "\x7f"]
)
def test_a_subject_that_would_become_another_header_is_refused(perform: Perform, end: str) -> None:
    with pytest.raises(HeaderRefused):
        _line(f"Hello{end}Bcc: b@example.com")
    if end != "\x00":  # which no context can hold
        run = perform(email(subject="Hello {{ context.name }}"), name=f"Ada{end}Bcc: b@example.com")
        assert error_of(run)[:2] == ("failed", "HeaderRefused")
    assert mail.outbox == []


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"to": "nobody"}, "to"),
        ({"to": "a@example.com, b@example.com"}, "to"),
        ({"to": "a@example.com\nBcc: b@example.com"}, "to"),
        ({"sender": "nobody"}, "sender"),
        ({"sender": "Shop\nBcc: x <shop@shop.example>"}, "sender"),
        ({"sender": "Shop <shop@shop.example>\r\nX: y"}, "sender"),
        ({"subject": "{{ unclosed"}, "subject"),
        ({"subject": ""}, "subject"),
        ({"text": "{% nothing %}"}, "text"),
        ({"html": "{% if %}"}, "html"),
    ],
)
def test_what_could_not_be_sent_is_not_saved(values: Any, field: str) -> None:
    with pytest.raises(ValidationError) as refused:
        email(**values).full_clean(exclude=["trigger", "polymorphic_ctype", "action_ptr"], validate_unique=False)
    assert list(refused.value.message_dict) == [field]


def test_it_says_in_lists_what_it_does() -> None:
    assert str(email(subject="Welcome, {{ user.first_name }}")) == "write “Welcome, {{ user.first_name }}”"
    assert str(SendEmail()) == "write an e-mail"


def through(email_url: str, settings: Any) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", int(email_url.rpartition(":")[2])


def test_an_address_that_the_mail_server_refuses_for_good_fails_the_step_at_once(
    perform: Perform, settings: Any
) -> None:
    with refusing_recipients() as email_url:
        through(email_url, settings)
        run = perform(email())
    assert error_of(run) == ("failed", "PermanentError", "The mail server refused the address with 550.")


def test_a_mail_server_that_is_away_is_tried_again(perform: Perform, settings: Any) -> None:
    with refusing_recipients() as email_url:
        pass
    through(email_url, settings)
    run = perform(email())
    assert error_of(run)[:2] == ("waiting", "ConnectionRefusedError")


@on_both_engines
def test_a_worker_sends_them_each_with_an_id_of_its_own(transactional_db: None, worker: Worker, tmp_path: Path) -> None:
    users = people(5)
    for user in users:
        user.email = f"{user.username}@example.com"
        user.save()
    a_trigger(email(subject="Grüße", html="<p>Hello {{ user.email }}</p>"))
    fire("probe.ProbeEvent", users=users)
    wait_for_runs(5)
    assert outcomes() == {"succeeded": 5}, explain()
    sent = sent_mails(tmp_path)
    assert len(sent) == 5
    assert {message["To"] for message in sent} == {user.email for user in users}
    assert {message["Subject"] for message in sent} == {"Grüße"}
    keys = {f"<{run.pk}.0@localhost>" for run in Run.objects.all()}
    assert {message["Message-ID"] for message in sent} == keys
    for message in sent:
        html = message.get_body(("html",))
        assert html is not None
        assert html.get_content().strip() == f"<p>Hello {message['To']}</p>"
