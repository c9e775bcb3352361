"""What the command asks for is done once, also where an answer gets lost."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from orchestrator.api.places import SOCKET, socket_of
from orchestrator.cli import client as clients
from orchestrator.cli.client import Client, NoOperator
from orchestrator.cli.failing import Failed
from orchestrator.codec.api_choice import BODY_MOST
from tests.cli.kit import LIMIT_S, file_at, reached, up

FLEET = """
[fleet]
name = "near"
[platform]
kind = "local"
[[containers]]
name = "web"
command = ["sleep", "999"]
[ad_hoc]
command = ["sleep", "998"]
"""


def message(sock: socket.socket) -> bytes:
    """Read one request or answer, its head and its body."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = sock.recv(65_536)
        if not more:
            return data
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)content-length: *(\d+)", head)
    while length and len(body) < int(length[1]):
        body += sock.recv(65_536)
    return head + b"\r\n\r\n" + body


class Breaking:
    """Stands before an operator, and breaks some of the connections to it.

    *ways* says what befalls each: ``answer`` takes the request to the operator and
    loses what it says, ``request`` loses the request, ``-`` lets both pass.
    """

    def __init__(self, path: Path, operator: Path, ways: tuple[str, ...]) -> None:
        self.asked: list[bytes] = []
        self._operator = operator
        self._ways = iter(ways)
        self._door = socket.socket(socket.AF_UNIX)
        self._door.settimeout(LIMIT_S)
        self._door.bind(str(path))
        self._door.listen()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        for way in self._ways:
            one, _ = self._door.accept()
            with one, socket.socket(socket.AF_UNIX) as other:
                asked = message(one)
                self.asked.append(asked)
                if way == "request":
                    continue
                other.connect(str(self._operator))
                other.sendall(asked)
                told = message(other)
                if way != "answer":
                    one.sendall(told)
        self._door.close()

    def join(self) -> None:
        self._thread.join(LIMIT_S)

    @property
    def keys(self) -> set[bytes]:
        found = (re.findall(rb"(?i)idempotency-key: (\S+)", one) for one in self.asked)
        return {key for keys in found for key in keys}


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("near")
    with up(file_at(folder, FLEET), folder / "state"):
        reached(folder / "state").get("containers", "web", "wait")
        yield folder / "state"


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clients, "PAUSES_S", (0.0, 0.0))


@contextmanager
def broken(state: Path, folder: Path, *ways: str) -> Iterator[tuple[Client, Breaking]]:
    breaking = Breaking(folder / SOCKET, socket_of(state), ways)
    try:
        yield Client(folder), breaking
    finally:
        breaking.join()


def seqs(state: Path, kind: str) -> list[int]:
    found = Client(state).get("events", type=kind)
    return [record["seq"] for record in found]


ASKS: dict[str, tuple[str, Callable[[Client], Any]]] = {
    "restart": (
        "restart_requested",
        lambda client: client.post("containers", "web", "restart", why="again"),
    ),
    "start": (
        "start_requested",
        lambda client: client.post("containers", "extra", "start", force=True),
    ),
    "reconcile": ("reconcile_requested", lambda client: client.post("reconcile")),
}


@pytest.mark.parametrize("what", ASKS)
@pytest.mark.parametrize(
    "ways", [("answer", "-"), ("request", "-"), ("answer", "answer", "-")]
)
def test_what_is_asked_again_after_a_lost_answer_is_done_once(
    state: Path, tmp_path: Path, what: str, ways: tuple[str, ...]
) -> None:
    kind, ask = ASKS[what]
    before = seqs(state, kind)
    with broken(state, tmp_path, *ways) as (client, breaking):
        assert ask(client)
    assert len(seqs(state, kind)) == len(before) + 1
    assert (len(breaking.asked), len(breaking.keys)) == (len(ways), 1)


def test_what_was_removed_before_the_answer_got_lost_is_not_asked_for_in_vain(
    state: Path, tmp_path: Path
) -> None:
    direct = Client(state)
    direct.post("containers", "gone", "start")
    direct.post("containers", "gone", "stop")
    stopped: dict[str, Any] = {"for": "stopped"}
    direct.get("containers", "gone", "wait", **stopped)
    with broken(state, tmp_path, "answer", "-") as (client, _):
        assert client.delete("containers", "gone") is None


def test_each_request_has_a_key_of_its_own(state: Path, tmp_path: Path) -> None:
    with broken(state, tmp_path, "-", "-") as (client, breaking):
        for _ in range(2):
            client.post("containers", "web", "reset")
    assert len(breaking.keys) == 2


def test_what_only_looks_is_asked_once_and_has_no_key(
    state: Path, tmp_path: Path
) -> None:
    way = broken(state, tmp_path, "answer")
    with way as (client, breaking), pytest.raises(NoOperator):
        client.get("fleet")
    assert (len(breaking.asked), breaking.keys) == (1, set())


def test_who_never_hears_an_answer_is_told_that_it_may_have_been_done(
    state: Path, tmp_path: Path
) -> None:
    kind, ask = ASKS["restart"]
    before = seqs(state, kind)
    in_doubt = pytest.raises(NoOperator, match="it may have been done")
    with broken(state, tmp_path, "answer") as (client, _), in_doubt:
        ask(client)
    assert len(seqs(state, kind)) == len(before) + 1


def test_what_is_too_large_for_the_operator_is_told(state: Path) -> None:
    with pytest.raises(Failed) as told:
        Client(state).plan({"name": "x" * BODY_MOST}, revision=None, prune=None)
    assert told.value.code == 2
    assert f"a body has at most {BODY_MOST} bytes; " in told.value.message
    assert "up --watch" in told.value.message


def test_nobody_is_asked_twice_where_nobody_is(tmp_path: Path) -> None:
    with pytest.raises(NoOperator) as told:
        ASKS["restart"][1](Client(tmp_path))
    assert "may have been done" not in told.value.message
