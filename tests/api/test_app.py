"""The API over its socket: every route, and every refusal in JSON."""

from __future__ import annotations

import asyncio
import io
import json
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
from orchestrator.api.openapi import document
from orchestrator.api.places import SOCKET_NAMED_BY, socket_of
from orchestrator.api.routes import SCOPES
from orchestrator.api.socket import serve
from orchestrator.api.statuses import EXITS, STATUSES
from orchestrator.codec.api_choice import BODY_MOST
from orchestrator.codec.wire import tree_of
from orchestrator.core.access_errors import AccessError
from orchestrator.core.errors import (
    ContainerError,
    CrashLoopDetected,
    JournalUnavailable,
    Unreachable,
)
from orchestrator.core.state import empty_fleet
from orchestrator.journal.memory import MemoryJournal
from orchestrator.journal.port import Head
from orchestrator.platforms.port import LogLine
from orchestrator.replay.places import AfterRow, AtMoment
from orchestrator.runtime.recovery import snapshot_of
from tests.api.documented import check_documented
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
            body = await answer.read()
            check_documented(method, path, answer.status, answer.headers, body)
            return Answer(answer.status, json.loads(body), answer.headers)


class Talking(Faulty):
    async def log(self, name: str, *, follow: bool) -> AsyncIterator[LogLine]:
        for number in range(3):
            yield LogLine(at=number, stream="o", text=f"{name} {number}")
        if follow:
            yield LogLine(at=9, stream="e", text="followed")


@asynccontextmanager
async def api(folder: Path) -> AsyncIterator[Api]:
    """Serve a fleet that is quiet: there are no rows but those that a test makes."""
    ended = asyncio.Event()
    declared = fleet(spec("web"), spec("dead", HOLD), reconcile_interval_ms=0)
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
        status = (await it.call("GET", "/v1/fleet")).body
        assert (status["version"], status["name"]) == ("9.9", "demo")
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
            waited = await it.call("GET", f"/v1/containers/{name}/wait?limit_ms=60000")
            assert waited.status == 200, waited
        asking = {"by": "alice", "why": "enough"}
        stopped = await it.call("POST", "/v1/containers/extra/stop", json=asking)
        assert stopped.body["desired"] == "stopped"
        path = "/v1/containers/extra/wait?for=stopped&limit_ms=60000"
        assert (await it.call("GET", path)).body["why"] == "stopped by alice: enough"
        assert (await it.call("DELETE", "/v1/containers/extra")).body is None
        assert (await it.call("POST", "/v1/containers/web/restart")).status == 200
        assert (await it.call("POST", "/v1/containers/dead/reset")).status == 200
        assert (await it.call("POST", "/v1/reconcile")).body["strangers"] == []
        assert (await it.call("POST", "/v1/down")).status == 200
        await asyncio.wait_for(it.ended.wait(), 60)


JSON = {"Content-Type": "application/json"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
BROKEN = {"data": b"{", "headers": JSON}
OTHER = {"name": "b", "command": ["run"]}
LARGE = io.BytesIO(b"x" * (BODY_MOST + 1))

REFUSED: list[tuple[str, str, dict[str, Any], int, str]] = [
    ("GET", "/v1/containers/nobody", {}, 404, "container_not_found"),
    ("GET", "/v1/containers/nobody/log", {}, 404, "container_not_found"),
    ("POST", "/v1/containers/dead/start", {}, 409, "crash_loop_detected"),
    ("DELETE", "/v1/containers/web", {}, 409, "min_replica_set_container"),
    (
        "POST",
        "/v1/containers/a/start",
        {"data": b"{", "headers": JSON},
        422,
        "invalid_spec",
    ),
    ("POST", "/v1/containers/a/start", {"json": {"forse": 1}}, 422, "invalid_spec"),
    ("POST", "/v1/containers/a/start", {"json": [1]}, 422, "invalid_spec"),
    ("POST", "/v1/containers/a/start", {"json": {"spec": OTHER}}, 422, "invalid_spec"),
    ("POST", "/v1/containers/web/stop", {"json": {"by": 7}}, 422, "invalid_spec"),
    ("POST", "/v1/reconcile", {"data": b"x", "headers": JSON}, 422, "invalid_spec"),
    ("POST", "/v1/down", {"data": b"x", "headers": JSON}, 422, "invalid_spec"),
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
    ("POST", "/v1/down", {"data": LARGE}, 413, "body_too_large"),
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


async def test_the_fleet_is_told_in_numbers(tmp_path: Path) -> None:
    async with api(tmp_path) as it:
        for _ in range(2):
            facts = (await it.call("GET", "/v1/fleet")).body
            assert facts["phases"] == {"crash_looping": 1, "running": 1}
            assert (facts["containers"], facts["ready"]) == (2, 1)
            assert (facts["can_write"], facts["journal_error"]) == (True, None)
            assert facts["seq"] == it.kit.operator.seq
            assert facts["at"] >= it.kit.operator.fleet.at


FILTERED = {
    "phase=running": ["web"],
    "phase=running,crash_looping": ["dead", "web"],
    "phase=running&phase=failed": ["web"],
    "phase=stopped": [],
    "name=w*": ["web"],
    "name=*": ["dead", "web"],
    "name=web,dead": ["dead", "web"],
    "name=we": [],
    "name=w*&phase=crash_looping": [],
    "name=[a-z]*": [],
}


async def test_containers_are_chosen_by_phase_and_name(tmp_path: Path) -> None:
    async with api(tmp_path) as it:
        for query, names in FILTERED.items():
            found = await it.call("GET", f"/v1/containers?{query}")
            assert [info["name"] for info in found.body] == names, query
        seq = it.kit.operator.seq
        past = await it.call("GET", f"/v1/containers?phase=running&at={seq}")
        assert [info["name"] for info in past.body] == ["web"]


async def test_what_is_misspelt_does_not_pass_for_everything(tmp_path: Path) -> None:
    async with api(tmp_path) as it:
        for path, place, hint in (
            ("/v1/containers?phase=runing", "query.phase", '"running"'),
            ("/v1/containers?phse=running", "query.phse", '"phase"'),
            ("/v1/containers?phase=", "query.phase", ""),
            ("/v1/containers?name=a,,b", "query.name", ""),
            ("/v1/containers?at=1&at=2", "query.at", ""),
            ("/v1/fleet?verbose=1", "query.verbose", ""),
            ("/v1/containers?%FF=1", "query.", ""),
            ("/v1/containers/web/log?follow=yes", "query.follow", ""),
            ("/v1/events?type=ended", "query.type", ""),
            ("/healthz?x", "query.x", ""),
        ):
            found = await it.call("GET", path)
            assert found.status == 422, path
            (problem,) = found.body["error"]["problems"]
            assert problem["place"].startswith(place), path
            assert hint in problem["hint"], path


async def test_the_operator_tells_of_itself(tmp_path: Path) -> None:
    async with api(tmp_path) as it:
        assert (await it.call("GET", "/healthz")).body == {"status": "ok"}
        ready = (await it.call("GET", "/readyz")).body
        assert ready == {"status": "ready", "missing": []}
        version = (await it.call("GET", "/version")).body
        assert (version["version"], version["api"]) == ("9.9", 1)
        assert (await it.call("GET", "/openapi.json")).body == document()
        async with it.session.get("http://x/metrics") as answer:
            assert answer.content_type == "text/plain"
            assert "fleet_build_info{" in await answer.text()
        for path in ("/healthz", "/v1/fleet", "/openapi.json"):
            async with it.session.head(f"http://x{path}") as answer:
                assert (answer.status, await answer.read()) == (200, b"")


async def test_an_operator_that_sees_nothing_is_alive_and_not_ready(
    tmp_path: Path,
) -> None:
    platform = Faulty()
    platform.look_error = Unreachable(cause="the cable is out")
    async with opened(fleet(spec("web")), platform=platform) as kit:
        app = make_app(kit.operator, version="1")
        async with serve(app, tmp_path) as path, session_of(path) as session:
            it = Api(kit, session, asyncio.Event())
            assert (await it.call("GET", "/healthz")).status == 200
            waiting = await it.call("GET", "/readyz")
            missing = ["a first complete look at the platform"]
            assert waiting.status == 503
            assert waiting.body == {"status": "not_ready", "missing": missing}


async def test_an_operator_that_has_ended_is_neither(tmp_path: Path) -> None:
    async with api(tmp_path) as it:
        await it.kit.operator.close()
        ended = await it.call("GET", "/healthz")
        assert (ended.status, ended.body) == (503, {"status": "ended"})
        assert (await it.call("GET", "/readyz")).status == 503
        closed = await it.call("POST", "/v1/reconcile")
        assert (closed.status, closed.body["error"]["code"]) == (503, "operator_closed")


async def test_a_full_disk_is_told_and_nothing_is_promised(tmp_path: Path) -> None:
    async with api(tmp_path) as it:
        it.kit.journal.error = JournalUnavailable(cause="the disk is full")
        refused = await it.call("POST", "/v1/containers/web/stop")
        assert refused.status == 503
        facts = (await it.call("GET", "/v1/fleet")).body
        assert facts["journal_error"] == "journal unavailable: the disk is full"
        ready = (await it.call("GET", "/readyz")).body
        assert ready["missing"] == ["a journal that can be written"]
        it.kit.journal.error = None


async def test_a_bug_of_ours_is_told_as_one_and_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_: object) -> object:
        raise ZeroDivisionError("planted")

    monkeypatch.setattr("orchestrator.api.looks.config_of", broken)
    async with api(tmp_path) as it:
        found = await it.call("GET", "/v1/config")
        assert (found.status, found.body["error"]["code"]) == (500, "internal_error")
        assert "planted" not in found.body["error"]["message"]
        assert "GET /v1/config was not answered" in caplog.text
        assert (await it.call("GET", "/v1/fleet")).status == 200


async def test_every_part_of_the_table_is_answered_by_somebody(tmp_path: Path) -> None:
    async with opened(fleet()) as kit:
        app = make_app(kit.operator, version="1")
        found = {
            (route.method, route.resource.canonical)
            for route in app.router.routes()
            if route.resource is not None and route.method != "HEAD"
        }
        assert found == set(SCOPES)
