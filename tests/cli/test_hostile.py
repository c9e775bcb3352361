"""What others wrote, or a server that is not ours says, steers nobody's terminal."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.inside import ran

EVIL = "\x1b[2J\x1b]0;pwn\x07[/] [red]evil\r\nroot\u202e"

INFO = {
    "name": f"web{EVIL}",
    "phase": f"running{EVIL}",
    "ready": True,
    "restarts": 0,
    "crash_count": 0,
    "last_exit": EVIL,
    "next_start_at": None,
    "started_at": None,
    "addresses": {EVIL: EVIL},
    "run": 1,
    "revision": 1,
    "origin": EVIL,
    "why": EVIL,
    "failures": [],
    "last": None,
}
DETAIL = {
    "name": EVIL,
    "run": 1,
    "state": EVIL,
    "kind": EVIL,
    "raw": EVIL,
    "facts": {"location": EVIL},
}
EVENT = {"seq": 1, "event": {"at": 1, "type": EVIL, "name": EVIL, "why": EVIL}}
ANSWERS = {
    "/v1/containers": [INFO],
    "/v1/containers/web": INFO,
    "/v1/containers/web/explain": INFO,
    "/v1/containers/web/stop": INFO,
    "/v1/platform": [DETAIL],
    "/v1/reconcile": {
        "outcomes": [{"name": EVIL, "phase": EVIL, "action": EVIL}],
        "strangers": [EVIL],
    },
}
REFUSAL = {"error": {"code": "container_not_found", "message": EVIL}}


class _Hostile(http.server.BaseHTTPRequestHandler):
    def _answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        path, _, query = self.path.partition("?")
        found: Any = ANSWERS.get(path)
        if path == "/v1/events":
            found = [] if "after=1" in query else [EVENT]
        body = json.dumps(REFUSAL if found is None else found).encode()
        self.send_response(404 if found is None else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = _answer  # noqa: N815 - as the library calls them

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Hostile) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    "words",
    [
        ("list",),
        ("list", "-o", "wide"),
        ("list", "-o", "name"),
        ("list", "-o", "json"),
        ("status", "web"),
        ("status", "--platform"),
        ("explain", "web"),
        ("events",),
        ("events", "-o", "json"),
        ("stop", "web"),
        ("reconcile",),
        ("status", "nobody"),
    ],
    ids=" ".join,
)
def test_no_answer_steers_a_terminal(
    url: str, words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    done = ran(*words, "--url", url)
    said = done.out + done.err
    assert "evil" in said
    assert all(letter.isprintable() or letter == "\n" for letter in said), said
    assert not any(line.startswith("root") for line in said.splitlines())
    assert done.code == (11 if words[-1] == "nobody" else 0)
