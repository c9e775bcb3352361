"""The journal of an operator that runs elsewhere, as a file here."""

from __future__ import annotations

import gzip
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from orchestrator.api.places import HTTP_AT, SOCKET
from orchestrator.core.state import RULES
from tests.cli.inside import ran
from tests.cli.kit import LIMIT_S, file_at, reached, run, up
from tests.replay.golden import golden_path

GOLDEN = golden_path(RULES).with_name(f"journal.rules-{RULES}.2.jsonl.gz")
STRIKES = ("--policies", "tests.replay.golden:STRIKES")
FLEET = """
[fleet]
name = "far"
reconcile_interval = "0s"
[platform]
kind = "local"
[api]
listen = "127.0.0.1:0"
[[containers]]
name = "telling"
command = ["sh", "-c", "exec sleep 999"]
env = {}
"""
HIDING = 'env = { API_TOKEN = "hunter2" }'


@pytest.fixture(scope="module", params=["{}", HIDING], ids=["plain", "hiding"])
def state(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("far")
    text = FLEET if request.param == "{}" else FLEET.replace("env = {}", HIDING)
    with up(file_at(folder, text), folder / "state"):
        reached(folder / "state").get("containers", "telling", "wait")
        yield folder / "state"


@pytest.fixture(scope="module")
def is_hiding(state: Path) -> bool:
    return b"API_TOKEN" in (state.parent / "fleet.toml").read_bytes()


def token_file(state: Path, scope: str) -> Path:
    file = state.parent / f"{scope}.token"
    if not file.exists():
        made = run("token", "create", scope, "--scope", scope, "--state", str(state))
        assert made.code == 0, made.err
        file.write_text(made.out)
        file.chmod(0o600)
    return file


def url_of(state: Path) -> str:
    return str(json.loads((state / HTTP_AT).read_bytes())["url"])


@pytest.mark.parametrize("name", ["out.jsonl", "out.jsonl.gz"])
def test_it_is_the_file_that_is_made_beside_it(
    state: Path, tmp_path: Path, name: str
) -> None:
    near, far, remote = (tmp_path / f"{kind}-{name}" for kind in ("a", "b", "c"))
    way = ("--url", url_of(state), "--token-file", str(token_file(state, "write")))
    done = [
        ran("journal", "export", state, near),
        ran("journal", "export", "--state", state, far),
        ran("journal", "export", *way, remote),
    ]
    assert {(each.code, each.out, each.err) for each in done} == {(0, done[0].out, "")}
    assert near.read_bytes() == far.read_bytes() == remote.read_bytes()
    assert ran("journal", "verify", remote).code == 0
    assert ran("journal", "import", remote, tmp_path / "again.db").code == 0


def test_it_may_go_to_standard_output(state: Path, tmp_path: Path) -> None:
    done = run("journal", "export", "--state", str(state), "-")
    assert (done.code, "rows" in done.err) == (0, True)
    out = tmp_path / "out.jsonl"
    out.write_text(done.out)
    assert ran("journal", "verify", out).code == 0


def test_a_reader_has_it_unless_it_holds_what_is_hidden(
    state: Path,
    tmp_path: Path,
    is_hiding: bool,  # noqa: FBT001 - a fixture
) -> None:
    way = ("--url", url_of(state), "--token-file", str(token_file(state, "read")))
    done = ran("journal", "export", *way, tmp_path / "plain.jsonl")
    assert done.code == (7 if is_hiding else 0)
    assert ("redact=true" in done.err) is is_hiding
    assert (tmp_path / "plain.jsonl").exists() is not is_hiding
    out = tmp_path / "other.jsonl"
    done = ran("journal", "export", "--redact", *way, out)
    assert (done.code, "in other words" in done.out) == (0, True), done.err
    assert ran("journal", "verify", out).code == 0
    told = out.read_bytes()
    assert b"telling" not in told
    assert b"hunter2" not in told
    done = ran("journal", "export", "--redact", "--keep", "names", *way, out, "--force")
    assert (done.code, b"telling" in out.read_bytes()) == (0, True)


def test_where_no_operator_runs_its_journal_is_read(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with up(file_at(tmp_path, FLEET), state):
        reached(state)
    for words in (("one.jsonl",), ("two.jsonl", "--redact")):
        out = tmp_path / words[0]
        done = ran("journal", "export", "--state", state, out, *words[1:])
        assert (done.code, "its journal is read" in done.err) == (0, True)
        assert ran("journal", "verify", out).code == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("out.jsonl",), "Missing argument 'OUT'"),
        (("a", "b", "--state", "c"), "JOURNAL goes without"),
        (("b", "--state", "c", "--redact", "--redact-params"), "need the JOURNAL"),
        (("b", "--state", "c", "--redact", "--names-to", "n"), "need the JOURNAL"),
        (("b", "--state", "c", "--keep", "names"), "need --redact"),
        (("b", "--state", "c", "--url", "http://x"), "exclude one another"),
    ],
)
def test_what_cannot_be_meant_is_refused(words: tuple[str, ...], said: str) -> None:
    done = ran("journal", "export", *words)
    assert (done.code, said in done.err) == (2, True), done.err


def test_where_nothing_ever_ran_there_is_nothing(tmp_path: Path) -> None:
    done = ran("journal", "export", "--state", tmp_path, tmp_path / "out.jsonl")
    assert (done.code, "no operator runs" in done.err) == (5, True)


def test_a_file_that_is_there_is_not_written_over(state: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    out.write_text("mine")
    done = ran("journal", "export", "--state", state, out)
    assert (done.code, out.read_text()) == (6, "mine")
    assert ran("journal", "export", "--state", state, out, "--force").code == 0


@contextmanager
def breaking(folder: Path, data: bytes, chunks: int) -> Iterator[None]:
    """Serve the beginning of an answer on the socket of a folder, then hang up."""
    door = socket.socket(socket.AF_UNIX)
    door.settimeout(LIMIT_S)
    door.bind(str(folder / SOCKET))
    door.listen()

    def serve() -> None:
        one, _ = door.accept()
        with one, suppress(ConnectionError):  # who has seen enough hangs up
            one.recv(65_536)
            one.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            for start in range(0, chunks * 1_000, 1_000):
                piece = data[start : start + 1_000]
                one.sendall(b"%x\r\n%b\r\n" % (len(piece), piece))

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield
    finally:
        thread.join(LIMIT_S)
        door.close()


@pytest.mark.parametrize("is_packed", [True, False])
def test_of_a_connection_that_breaks_no_file_is_made(
    tmp_path: Path,
    is_packed: bool,  # noqa: FBT001 - a column
) -> None:
    packed = GOLDEN.read_bytes()
    data = packed if is_packed else gzip.decompress(packed)
    out = tmp_path / "out.jsonl"
    with breaking(tmp_path, data, 20):
        done = ran("journal", "export", "--state", tmp_path, out)
    assert (done.code, out.exists()) == (10, False)
    assert "the connection broke off" in done.err


def test_what_arrived_before_a_break_may_be_kept(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    with breaking(tmp_path, GOLDEN.read_bytes(), 20):
        done = ran("journal", "export", "--state", tmp_path, out, "--damaged")
    assert (done.code, "broke off behind row" in done.err) == (10, True)
    assert ran("journal", "verify", out, *STRIKES).code == 10


def test_an_answer_that_is_no_export_is_none(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    with breaking(tmp_path, b"<html>" * 500, 3):
        done = ran("journal", "export", "--state", tmp_path, out)
    assert (done.code, out.exists()) == (8, False)
