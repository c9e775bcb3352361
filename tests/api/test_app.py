"""The API over its socket: every route, and every refusal in JSON."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, get_args

import aiohttp
import attrs
import pytest

from orchestrator.api.app import make_app
from orchestrator.api.bodies import error_body
from orchestrator.api.headers import AT_HEADER, SEQ_HEADER
from orchestrator.api.moments import query_of
from orchestrator.api.places import SOCKET_NAMED_BY, socket_of
from orchestrator.api.socket import serve
from orchestrator.api.statuses import EXITS, STATUSES
from orchestrator.codec.wire import tree_of
from orchestrator.core.access_errors import AccessError
from orchestrator.core.errors import ContainerError, CrashLoopDetected
from orchestrator.core.state import empty_fleet
from orchestrator.journal.memory import MemoryJournal
from orchestrator.journal.port import Head
from orchestrator.platforms.port import LogLine
from orchestrator.replay.places import AfterRow, AtMoment
from orchestrator.runtime.recovery import snapshot_of
from tests.runtime.kit import HOLD, LIMIT_MS, Faulty, Kit, fleet, opened, spec, value


@attrs.frozen
class Answer:
    status: int
    body: Any
    headers: Mapping[str, str]


@attrs.frozen
class Api:
    kit: Kit
    session: aiohttp.ClientSession
    ended: asyncio.Event

    async def call(self, method: str, path: str, **more: Any) -> Answer:
        async with self.session.request(method, f"http://x{path}", **more) as answer:
            return Answer(answer.status, await answer.json(), answer.headers)


class Talking(Faulty):
    async def log(self, name: str, *, follow: bool) -> AsyncIterator[LogLine]:
        for number in range(3):
            yield LogLine(at=number, stream="o", text=f"{name} {number}")
        if follow:
            yield LogLine(at=9, stream="e", text="followed")


@asynccontextmanager
async def api(folder: Path) -> AsyncIterator[Api]:
    ended = asyncio.Event()
    declared = fleet(spec("web"), spec("dead", HOLD))
    async with opened(declared, platform=Talking()) as kit:
        app = make_app(kit.operator, version="9.9", end=ended.set)
        async with serve(app, folder) as path, session_of(path) as session:
            await value(kit.operator.wait("web", limit_ms=LIMIT_MS))
            await kit.container("dead", "crash_looping")
            yield Api(kit, session, ended)


def session_of(path: Path) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(path)))


def test_the_table_of_statuses_is_total() -> None:
    assert set(STATUSES) == {*get_args(ContainerError), *get_args(AccessError)}
    assert {status.exit_code for status in STATUSES.values()} <= set(EXITS)
    assert all(400 <= status.http < 600 for status in STATUSES.values())


def test_an_error_tells_its_facts() -> None:
    error = CrashLoopDetected(name="web", crash_count=4, window_ms=60_000)
    assert error_body(error) == {
        "error": {
            "code": "crash_loop_detected",
            "message": "container 'web' is crash-looping: 4 failures within 1m",
            "name": "web",
            "crash_count": 4,
            "window_ms": 60_000,
            "next_start_at": None,
        }
    }


async def test_every_read_answers(tmp_path: Path) -> None:
    async with api(tmp_path) as it:
        status = (await it.call("GET", "/v1/status")).body
        assert (status["version"], status["fleet"]) == ("9.9", "demo")
        listed = (await it.call("GET", "/v1/containers")).body
        assert [info["name"] for info in listed] == ["dead", "web"]
        assert (await it.call("GET", "/v1/containers/web")).body["ready"] is True
        explained = (await it.call("GET", "/v1/containers/dead/explain")).body
        assert explained["rule"] == "crash_loop_hold"
        assert (await it.call("GET", "/v1/config")).body["name"] == "demo"
        page = (await it.call("GET", "/v1/events?limit=2")).body
        assert [record["seq"] for record in page] == [1, 2]
        url = "http://x/v1/containers/web/log"
        async with it.session.get(f"{url}?follow=true") as answer:
            lines = (await answer.text()).splitlines()
        assert len(lines) == 4
        assert lines[3] == '{"at":9,"stream":"e","text":"followed"}'


async def test_a_read_says_which_row_and_moment_it_shows(tmp_path: Path) -> None:
    async with api(tmp_path) as it:
        operator = it.kit.operator
        rows = (await it.call("GET", "/v1/events")).body
        applied = next(r for r in rows if r["event"]["type"] == "spec_applied")
        seq, at = applied["seq"], applied["event"]["at"]
        stamp = query_of(AtMoment(at)).replace("+", "%2B")
        infos = await value(operator.list_containers(at=AfterRow(seq)))
        for place in (str(seq), stamp, stamp.replace("%2B00:00", "Z"), stamp[:23]):
            listed = await it.call("GET", f"/v1/containers?at={place}")
            shown = listed.headers[SEQ_HEADER], listed.headers[AT_HEADER]
            assert shown == (str(seq), str(at)), place
            assert listed.body == [tree_of(info) for info in infos]
            web = await it.call("GET", f"/v1/containers/web?at={place}")
            assert (web.body["phase"], web.body["started_at"]) == ("pending", None)
            why = await it.call("GET", f"/v1/containers/web/explain?at={place}")
            assert why.body["rule"] == "declared"
            nobody = await it.call("GET", f"/v1/containers/nobody?at={place}")
            assert (nobody.status, nobody.headers[SEQ_HEADER]) == (404, str(seq))
        now = await it.call("GET", "/v1/containers")
        assert now.headers[SEQ_HEADER] == str(operator.seq)
        assert int(now.headers[AT_HEADER]) >= operator.fleet.at


async def test_what_a_compacted_journal_does_not_hold_is_gone(tmp_path: Path) -> None:
    head = Head(seq=7, digest=bytes(32))
    journal = MemoryJournal(snapshot_of(empty_fleet("demo"), head))
    async with opened(fleet(), journal=journal) as kit:
        app = make_app(kit.operator, version="1")
        async with serve(app, tmp_path) as path, session_of(path) as session:
            it = Api(kit, session, asyncio.Event())
            for gone in ("/v1/containers?at=3", "/v1/events?after=3"):
                found = await it.call("GET", gone)
                assert found.status == 410, gone
                assert found.body["error"]["code"] == "journal_compacted"
                assert found.body["error"]["base"] == 7
            first = (await it.call("GET", "/v1/events?limit=1")).body
            assert first[0]["seq"] == 8


async def test_every_request_acts(tmp_path: Path) -> None:
    async with api(tmp_path) as it:
        body = {"config": {"a": 1}, "command": ["x"], "restart": {"when": "never"}}
        started = await it.call("POST", "/v1/containers/extra/start", json=body)
        assert started.body["name"] == "extra"
        given = {"name": "own", "command": ["run"]}
        own = await it.call("POST", "/v1/containers/own/start", json={"spec": given})
        assert own.body["origin"] == "ad_hoc"
        for name in ("extra", "own"):
            waited = await it.call("GET", f"/v1/containers/{name}/wait?limit_ms=9000")
            assert waited.status == 200, waited
        asking = {"by": "alice", "why": "enough"}
        stopped = await it.call("POST", "/v1/containers/extra/stop", json=asking)
        assert stopped.body["desired"] == "stopped"
        path = "/v1/containers/extra/wait?for=stopped&limit_ms=9000"
        assert (await it.call("GET", path)).body["why"] == "stopped by alice: enough"
        assert (await it.call("DELETE", "/v1/containers/extra")).body is None
        assert (await it.call("POST", "/v1/containers/web/restart")).status == 200
        assert (await it.call("POST", "/v1/containers/dead/reset")).status == 200
        assert (await it.call("POST", "/v1/reconcile")).body["strangers"] == []
        assert (await it.call("POST", "/v1/down")).status == 200
        await asyncio.wait_for(it.ended.wait(), 5)


OTHER = {"name": "b", "command": ["run"]}
LARGE = io.BytesIO(b"x" * 2_000_000)

REFUSED: list[tuple[str, str, dict[str, Any], int, str]] = [
    ("GET", "/v1/containers/nobody", {}, 404, "container_not_found"),
    ("GET", "/v1/containers/nobody/log", {}, 404, "container_not_found"),
    ("POST", "/v1/containers/dead/start", {}, 409, "crash_loop_detected"),
    ("DELETE", "/v1/containers/web", {}, 409, "min_replica_set_container"),
    ("POST", "/v1/containers/a/start", {"data": b"{"}, 422, "invalid_spec"),
    ("POST", "/v1/containers/a/start", {"json": {"forse": 1}}, 422, "invalid_spec"),
    ("POST", "/v1/containers/a/start", {"json": [1]}, 422, "invalid_spec"),
    ("POST", "/v1/containers/a/start", {"json": {"spec": OTHER}}, 422, "invalid_spec"),
    ("POST", "/v1/containers/web/stop", {"json": {"by": 7}}, 422, "invalid_spec"),
    ("POST", "/v1/reconcile", {"data": b"x"}, 422, "invalid_spec"),
    ("POST", "/v1/down", {"data": b"x"}, 422, "invalid_spec"),
    ("GET", "/v1/events?after=x", {}, 422, "invalid_spec"),
    ("GET", "/v1/events?limit=1001", {}, 422, "invalid_spec"),
    ("GET", "/v1/containers/web/wait?for=joy", {}, 422, "invalid_spec"),
    ("GET", "/v1/containers/web/wait?limit_ms=-1", {}, 422, "invalid_spec"),
    ("GET", "/v1/containers/dead/wait", {}, 409, "crash_loop_detected"),
    ("GET", "/v1/containers/web/wait?for=stopped&limit_ms=1", {}, 504, "timed_out"),
    ("GET", "/v1/containers?at=9999", {}, 422, "invalid_spec"),
    ("GET", "/v1/containers?at=9999-12-31", {}, 422, "invalid_spec"),
    ("GET", "/v1/containers?at=-1", {}, 422, "invalid_spec"),
    ("GET", "/v1/containers/web?at=", {}, 422, "invalid_spec"),
    ("GET", f"/v1/containers/web?at={'9' * 5000}", {}, 422, "invalid_spec"),
    ("GET", "/v1/containers/web/explain?at=soon", {}, 422, "invalid_spec"),
    ("GET", "/v1/nothing", {}, 404, "not_found"),
    ("PUT", "/v1/containers", {}, 405, "method_not_allowed"),
    ("POST", "/v1/down", {"data": LARGE}, 413, "request_entity_too_large"),
]


async def test_every_refusal_is_json_with_its_code(tmp_path: Path) -> None:
    async with api(tmp_path) as it:
        for method, path, more, status, code in REFUSED:
            found = await it.call(method, path, **more)
            assert (found.status, found.body["error"]["code"]) == (status, code), path
            assert found.body["error"]["message"]


async def test_a_socket_lives_as_long_as_its_block(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / ("x" * 90)):
        folder.mkdir(exist_ok=True)
        async with opened(fleet()) as kit:
            async with serve(make_app(kit.operator, version="1"), folder) as path:
                assert socket_of(folder) == path
                assert path.stat().st_mode & 0o777 == 0o600
            assert not path.exists()
            assert not (folder / SOCKET_NAMED_BY).exists()


async def test_a_folder_of_somebody_else_holds_no_socket(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    import os

    open_to_all = tmp_path / f"orchestrator-{os.getuid()}"
    open_to_all.mkdir()
    open_to_all.chmod(0o777)
    folder = tmp_path / ("x" * 90)
    folder.mkdir()
    async with opened(fleet()) as kit:
        with pytest.raises(PermissionError, match="not a folder of ours alone"):
            async with serve(make_app(kit.operator, version="1"), folder):
                raise AssertionError
