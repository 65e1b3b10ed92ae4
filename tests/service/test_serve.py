"""The one command: what a person sees who starts it, pastes the line and stops it."""

import re
import signal
from http.cookiejar import CookieJar
from stat import S_IMODE
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, ProxyHandler, Request, build_opener

from tests.service.mailserver import SilentServer, refusing_recipients
from tests.service.running import Triggers, send
from tests.waiting import wait_until


def test_the_printed_line_sends_an_email_three_times_and_then_says_why_not(triggers: Triggers) -> None:
    triggers.serve()
    runs = [triggers.ended(triggers.paste()) for _ in range(4)]
    assert [run["status"] for run in runs] == ["succeeded"] * 3 + ["skipped"]
    assert runs[3]["code"] == "limit_reached"
    assert "no more than 3" in runs[3]["detail"]
    assert len(triggers.mails) == 3
    assert "To: ada@example.com\n" in triggers.mails[0]
    assert "Dear Ada,\n" in triggers.mails[0]
    assert triggers.output.count("E-mail to ada@example.com: Your order 1001") == 3
    triggers.stop()
    assert "Traceback" not in triggers.output


def test_the_page_of_the_api_and_all_it_is_made_of_come_from_the_service(triggers: Triggers) -> None:
    triggers.serve()
    site = f"http://127.0.0.1:{triggers.port}"
    page = send(f"{triggers.api}/docs/")
    assert page.status == 200
    parts = re.findall(r'(?:href|src)="([^"]+[.](?:css|js))"', page.body)
    assert [send(f"{site}{part}").status for part in parts] == [200] * 3
    (schema,) = re.findall(r'url: "([^"]+)"', page.body)
    document = send(f"{site}{schema}".replace("\\u002D", "-")).json
    assert document["servers"] == [{"url": "/api/v1"}]
    assert document["components"]["securitySchemes"]["bearerAuth"]["scheme"] == "bearer"


def test_the_data_folder_is_its_owners_alone(triggers: Triggers) -> None:
    assert triggers.call("migrate") == 0
    assert S_IMODE(triggers.data.stat().st_mode) == 0o700
    assert {S_IMODE(file.stat().st_mode) for file in triggers.data.iterdir() if file.is_file()} == {0o600}
    assert len((triggers.data / "secret-key").read_text()) >= 50


def test_the_printed_login_opens_the_admin_and_the_key_the_api(triggers: Triggers) -> None:
    triggers.serve()
    site = f"http://127.0.0.1:{triggers.port}"
    assert send(f"{site}/static/admin/css/base.css").status == 200
    assert send(f"{site}/", headers={"Host": "elsewhere.example.com"}).status == 400
    assert send(f"{triggers.api}/fire/", data="{}", headers={"Content-Type": "application/json"}).status == 401
    key = triggers.headers["Authorization"]
    for wrong, code in (
        ("Bearer 0000", "not_authenticated"),
        (key[:-1], "key_malformed"),
        (f"{key[:-4]}0000", "key_unknown"),
    ):
        answer = send(f"{triggers.api}/fire/", data="{}", headers=triggers.headers | {"Authorization": wrong})
        assert (answer.status, answer.json["code"]) == (401, code)
    assert send(f"{triggers.api}/explain/", data="{}", headers=triggers.headers).status == 403

    printed = re.search(r"user (\S+), password (\S+)", triggers.output)
    assert printed is not None
    browser = build_opener(ProxyHandler({}), HTTPCookieProcessor(CookieJar()))

    def page(url: str, fields: dict[str, str] | None = None) -> str:
        data = urlencode(fields).encode() if fields else None
        return str(browser.open(Request(url, data), timeout=20).read().decode())

    csrf = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page(f"{site}/"))
    assert csrf is not None
    fields = {"csrfmiddlewaretoken": csrf[1], "username": printed[1], "password": printed[2]}
    assert "Log out" in page(f"{site}/admin/login/?next=/admin/", fields)
    run_id = triggers.ended(triggers.paste())["id"]
    runs = re.search(r"The run that sent it, step by step: (\S+)", triggers.output)
    assert runs is not None
    assert run_id in page(runs[1])
    assert "send an e-mail" in page(f"{runs[1]}{run_id}/change/").lower()
    trigger = page(f"{site}/admin/triggers/trigger/1/change/").lower()
    for part in ("order placed", "has an e-mail address", "action count", "send an e-mail"):
        assert part in trigger

    before = triggers.curl, printed.group()
    triggers.stop()
    triggers.serve()
    assert (triggers.curl, re.search(r"user \S+, password \S+", triggers.output)[0]) == before  # type: ignore[index]


def test_ctrl_c_waits_for_an_action_under_way_and_a_second_one_cuts_it_off(triggers: Triggers) -> None:
    with SilentServer() as server:
        triggers.serve(env={"EMAIL_URL": server.email_url})
        run_id = triggers.paste()
        server.wait_for_connection()
        triggers.interrupt(signal.SIGINT)
        triggers.wait_for_output("Warm shutdown")
        assert triggers.process is not None
        assert triggers.process.poll() is None
        triggers.interrupt(signal.SIGINT)
        assert triggers.process.wait(5) == 0
        wait_until(lambda: not triggers.processes())
    triggers.serve()
    assert triggers.ended(run_id)["status"] == "succeeded"


def test_logs_hold_neither_addresses_nor_secrets(triggers: Triggers) -> None:
    with refusing_recipients() as email_url:
        triggers.serve(env={"EMAIL_URL": email_url, "LOG_LEVEL": "DEBUG"})
        run = triggers.ended(triggers.paste())
    assert (run["status"], run["code"]) == ("failed", "action_failed")
    (step,) = run["steps"]
    assert step["attempts"] == 1  # the server knows what it says: it is not asked again
    secret = triggers.headers["Authorization"].split()[1]
    logged = triggers.output.partition("\n  curl ")[0] + triggers.output.partition("has no e-mail address")[2]
    assert run["id"] in logged
    assert secret not in logged
    assert secret[12:] not in logged
    assert "ada@example.com" not in logged
