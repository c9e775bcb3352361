"""Names that a shell completes: those that the operator has, and nothing on trouble."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from orchestrator.cli.completing import MOST
from tests.cli.kit import LIMIT_S, file_at, reached, run_afresh, up

FLEET = f"""
[fleet]
name = "completed"
[platform]
kind = "local"
[[containers]]
name = "job"
command = ["true"]
[[containers]]
name = "web"
replicas = 2
command = ["sleep", "990"]
[[containers]]
name = "many"
replicas = {MOST + 20}
command = ["true"]
restart = {{ when = "never" }}
"""


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Run a fleet for the tests of this module."""
    folder = tmp_path_factory.mktemp("fleet")
    with up(file_at(folder, FLEET), folder / "state"):
        _ = reached(folder / "state")
        yield folder / "state"


def completed(*words: str, env: dict[str, str] | None = None) -> list[str]:
    """Return what a shell is offered for the last of the words."""
    asked = {
        **os.environ,
        **(env or {}),
        "_ORCHESTRATOR_COMPLETE": "bash_complete",
        "COMP_WORDS": " ".join(("orchestrator", *words)),
        "COMP_CWORD": str(len(words)),
    }
    done = run_afresh(env=asked)
    assert (done.code, done.err) == (0, "")
    return [line.removeprefix("plain,") for line in done.out.splitlines() if line]


def offered(*words: str, env: dict[str, str] | None = None) -> list[str]:
    """Return what is offered in the end: on a busy machine two seconds are short."""
    late = time.monotonic() + LIMIT_S
    while not (found := completed(*words, env=env)):
        assert time.monotonic() < late
    return found


def test_containers_are_offered_by_how_they_begin(state: Path) -> None:
    at = ("--state", str(state))
    assert offered("status", *at, "w") == ["web-0", "web-1"]
    assert offered("logs", *at, "web-1") == ["web-1"]
    assert offered("stop", *at, "web-0", "w") == ["web-1"]
    assert completed("explain", *at, "x") == []
    assert len(offered("restart", *at, "many-")) == MOST
    env = {"ORCHESTRATOR_STATE": str(state)}
    assert offered("wait", "j", env=env) == ["job"]


def test_services_and_orphans_are_offered(state: Path) -> None:
    at = ("--state", str(state))
    assert offered("scale", *at, "") == ["many", "web"]
    assert offered("rollout", "start", *at, "w") == ["web"]
    assert completed("adopt", *at, "") == []


@pytest.mark.parametrize(
    "way",
    [
        ("--state", "/nowhere"),
        ("--url", "http://127.0.0.1:1"),
        ("--context", "nobody"),
        ("--state", "/nowhere", "--url", "http://127.0.0.1:1"),
    ],
)
def test_on_any_trouble_nothing_is_offered_and_nothing_is_said(
    way: tuple[str, ...], tmp_path: Path
) -> None:
    env = {"XDG_CONFIG_HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path)}
    assert completed("status", *way, "w", env=env) == []


def test_who_is_no_operator_offers_nothing(tmp_path: Path) -> None:
    class Stranger(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(answers.pop(0))

        def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
            """Say nothing."""

    answers = [b'{"a": 1}', b"[1]", b'[{"name": 7}]', b"[{}]", b"<html>"]
    env = {"XDG_CONFIG_HOME": str(tmp_path)}
    with HTTPServer(("127.0.0.1", 0), Stranger) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        for _ in range(5):
            assert completed("status", "--url", url, "w", env=env) == []
        late = time.monotonic() + LIMIT_S
        while answers:  # who asks waits two seconds, and no answer may be left out
            assert time.monotonic() < late
            time.sleep(0.01)
        server.shutdown()
