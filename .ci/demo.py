"""
Run the demo in the current, empty folder, paste the curl line that it prints, and press Ctrl-C.

    python demo.py /path/to/triggers

Exits 0 when the line answers 202, the run it started succeeds and its e-mail lies in the data folder, and
when the demo then exits 0 in time with no process left behind. Whatever happens, none is left afterwards.
Linux only: processes are found in /proc, by a variable that all of them inherit.
"""

import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from argparse import ArgumentParser
from collections.abc import Callable
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, TypeVar
from urllib.error import HTTPError
from urllib.parse import urljoin
from urllib.request import ProxyHandler, Request, build_opener

START_SECONDS = 120
RUN_SECONDS = 60
STOP_SECONDS = 30
MAIL = Path("triggers-data/mail")
ENDED = {"succeeded", "skipped", "failed", "cancelled"}
Found = TypeVar("Found")
MARK = ("DJ_TRIGGERS_DEMO_CHECK", str(uuid.uuid4()))


def main() -> None:
    if len(sys.argv) != 2 or os.listdir():
        sys.exit("usage, in an empty folder: python demo.py /path/to/triggers")
    demo = subprocess.Popen(
        [sys.argv[1], "serve", "--demo", "--port", str(free_port())],
        env={**os.environ, "no_proxy": "127.0.0.1", MARK[0]: MARK[1]},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        line = printed_curl_line(demo)
        run_pasted(line)
        stop(demo)
    finally:
        for pid in processes():
            os.kill(pid, signal.SIGKILL)
    print("The demo did what it says and left nothing behind.")


def printed_curl_line(demo: subprocess.Popen[str]) -> str:
    """The line, once the demo has printed it. What the demo prints is passed on until it ends."""
    found: SimpleQueue[str | None] = SimpleQueue()

    def read() -> None:
        assert demo.stdout
        for line in demo.stdout:
            print(f"  | {line}", end="", flush=True)
            if line.lstrip().startswith("curl "):
                found.put(line.strip())
        found.put(None)

    threading.Thread(target=read, daemon=True).start()
    try:
        line = found.get(timeout=START_SECONDS)
    except Empty:
        sys.exit(f"the demo printed no curl line within {START_SECONDS} s")
    if line is None:
        sys.exit(f"the demo ended, with {demo.wait()}, before it printed a curl line")
    return line


def run_pasted(line: str) -> None:
    """Paste the line and follow the run that it starts to its end and to its e-mail."""
    request = request_of(line)
    status, body = paste(line) if shutil.which("curl") else send(request)
    if status != 202:
        sys.exit(f"the curl line answered {status}, not 202: {body}")
    runs = json.loads(body)["runs"]
    if not runs:
        sys.exit(f"the curl line started no run: {body}")
    for run in runs:
        url = urljoin(request.full_url, f"../runs/{run['id']}/")
        follow = Request(url, headers={"Authorization": request.headers["Authorization"]})
        await_success(follow)
    mails = wait_for(lambda: [mail for mail in MAIL.glob("*") if mail.stat().st_size], RUN_SECONDS)
    if not mails:
        sys.exit(f"the run succeeded, but there is no e-mail in {MAIL}")
    print(f"The run succeeded; its e-mail:\n{mails[0].read_text()}")


def request_of(line: str) -> Request:
    """The request that curl makes of the line, which uses these options only."""
    parser = ArgumentParser(prog="curl", allow_abbrev=False)
    parser.add_argument("url")
    parser.add_argument("-X", "--request")
    parser.add_argument("-H", "--header", action="append", default=[])
    parser.add_argument("-d", "--data", required=True)
    for flag in ("-s", "-S", "-i", "-f"):
        parser.add_argument(flag, action="store_true")
    curl = parser.parse_args(shlex.split(line)[1:])
    headers = dict(header.split(": ", 1) for header in curl.header)
    return Request(curl.url, data=curl.data.encode(), headers=headers, method=curl.request or "POST")


def paste(line: str) -> tuple[int, str]:
    """What a shell makes of the line. The one thing added makes curl say the status, on a line of its own."""
    done = subprocess.run(
        ["/bin/sh", "-c", line + r" --write-out '\n%{http_code}'"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        timeout=RUN_SECONDS,
    )
    if done.returncode:
        sys.exit(f"the curl line failed with {done.returncode}: {done.stdout}")
    body, _, status = done.stdout.rpartition("\n")
    return int(status), body.rpartition("\n\n")[2]  # without the headers that -i shows


def send(request: Request) -> tuple[int, str]:
    try:
        with build_opener(ProxyHandler({})).open(request, timeout=RUN_SECONDS) as response:
            return response.status, response.read().decode()
    except HTTPError as error:
        return error.code, error.read().decode()


def await_success(request: Request) -> None:
    def ended() -> dict[str, Any] | None:
        status, body = send(request)
        if status != 200:
            sys.exit(f"{request.full_url} answered {status}, not 200: {body}")
        run: dict[str, Any] = json.loads(body)
        return run if run["status"] in ENDED else None

    run = wait_for(ended, RUN_SECONDS)
    if run is None:
        sys.exit(f"the run did not end within {RUN_SECONDS} s: {send(request)[1]}")
    if run["status"] != "succeeded":
        sys.exit(f"the run did not succeed: {run}")


def stop(demo: subprocess.Popen[str]) -> None:
    """Press Ctrl-C: a terminal signals every process of the group."""
    os.killpg(demo.pid, signal.SIGINT)
    try:
        code = demo.wait(timeout=STOP_SECONDS)
    except subprocess.TimeoutExpired:
        sys.exit(f"the demo did not stop within {STOP_SECONDS} s of Ctrl-C; left are {processes()}")
    if code != 0:
        sys.exit(f"the demo ended with {code} after Ctrl-C, not 0")
    if not wait_for(lambda: not processes(), 5):
        sys.exit(f"the demo ended and left processes behind: {processes()}")


def processes() -> dict[int, str]:
    """The demo's processes and their commands, wherever they have moved to since."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if "=".join(MARK).encode() in (folder / "environ").read_bytes():
                found[int(folder.name)] = (folder / "cmdline").read_text().replace("\0", " ").strip()
        except OSError:
            continue  # it has ended, or it is somebody else's
    return found


def wait_for(condition: Callable[[], Found], seconds: float) -> Found:
    """The condition's answer as soon as it is true, or the last one when time is up."""
    deadline = time.monotonic() + seconds
    while not (answer := condition()) and time.monotonic() < deadline:
        time.sleep(0.1)
    return answer


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    main()
