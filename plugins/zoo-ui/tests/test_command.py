"""``zoo ui`` on the command line; no test serves anything to others."""

from __future__ import annotations

import contextlib
import logging
import re
import socket
import threading
import time
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from click.testing import CliRunner
from starlette.testclient import TestClient

from zoo_core.errors import UsageError
from zoo_ui.command import listen, ui
from zoo_ui.guard import CONNECTIONS


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[TestClient]:
    """Clients of the applications that would have been served."""
    found: list[TestClient] = []

    def run(self: uvicorn.Server, sockets: list[Any]) -> None:
        (listening,) = sockets
        found.append(TestClient(self.config.app, base_url="http://somewhere.example"))  # type: ignore[arg-type]
        listening.close()

    monkeypatch.setattr(uvicorn.Server, "run", run)
    return found


def test_by_default_this_machine_alone_is_served(served: list[TestClient]) -> None:
    result = CliRunner().invoke(ui, ["--port", "0", "--no-browser", "--device", "cpu"])
    assert re.search(r"Open http://127\.0\.0\.1:\d+/ in a browser", result.output)
    assert served[0].get("/").status_code == 400


def test_what_other_packages_log_to_stays_open(served: list[TestClient]) -> None:
    closed = []

    class Handler(logging.NullHandler):
        def close(self) -> None:
            closed.append(self)
            super().close()

    handler = Handler()
    CliRunner().invoke(ui, ["--port", "0", "--no-browser", "--device", "cpu"])
    assert closed == []
    handler.close()


def test_others_are_served_for_a_token_that_nobody_can_guess(served: list[TestClient]) -> None:
    arguments = ["--port", "0", "--no-browser", "--device", "cpu", "--host", "0.0.0.0"]
    outputs = [CliRunner().invoke(ui, arguments).output for _ in range(2)]
    (first,), (second,) = (re.findall(r"/\?token=(\S+) in a browser", text) for text in outputs)
    assert first != second
    assert len(first) >= 32
    assert served[0].get("/").status_code == 401
    assert served[0].get("/", params={"token": second}).status_code == 401
    assert served[0].get("/", params={"token": first}).status_code == 200


def test_who_only_connects_locks_nobody_out(monkeypatch: pytest.MonkeyPatch) -> None:
    serve, answers = uvicorn.Server.run, []

    def run(self: uvicorn.Server, sockets: list[socket.socket]) -> None:
        thread = threading.Thread(target=serve, args=(self, sockets), daemon=True)
        thread.start()
        while not self.started:
            time.sleep(0.05)
        with contextlib.ExitStack() as stack:
            for _ in range(CONNECTIONS + 8):
                waiting = socket.create_connection(sockets[0].getsockname())
                stack.enter_context(waiting).sendall(b"GET / HTTP/1.1\r\nX: ")
            asking = HTTPConnection(*sockets[0].getsockname())
            stack.callback(asking.close)
            asking.request("GET", "/models")
            answers.append(asking.getresponse().status)
        self.should_exit = True
        thread.join(10)

    monkeypatch.setattr(uvicorn.Server, "run", run)
    CliRunner().invoke(ui, ["--port", "0", "--no-browser", "--device", "cpu"])
    assert answers == [200]


def test_runs_are_followed_below_the_folder_that_was_named(
    served: list[TestClient], runs: Path
) -> None:
    arguments = ["--port", "0", "--no-browser", "--device", "cpu", "--runs", str(runs)]
    assert CliRunner().invoke(ui, arguments).exit_code == 0
    assert served[0].get("/runs", headers={"host": "localhost"}).json() == ["emoji/first"]


@pytest.mark.parametrize("host", ["192.0.2.1", "::1"])
def test_an_address_that_is_none_of_this_machine_is_an_error(host: str) -> None:
    with pytest.raises(UsageError) as caught:
        listen(0, host)
    assert caught.value.asked == f"--host {host} --port 0"
