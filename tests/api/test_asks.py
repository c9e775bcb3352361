"""Asking by HTTP: at most once, with the row that holds it, and only in JSON."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from orchestrator.api.app import make_app
from orchestrator.api.bodies import error_body, refusal, written
from orchestrator.api.headers import KEY_HEADER, REPLAYED_HEADER, SEQ_HEADER
from orchestrator.api.places import socket_of
from orchestrator.api.socket import serve
from orchestrator.core.access_errors import TooManyRequests
from orchestrator.core.errors import ContainerNotFound, RateLimited
from tests.api.test_app import FORM, JSON, Api, api, session_of
from tests.runtime.kit import LIMIT_MS, FullJournal, fleet, opened, spec, value


async def event_of(it: Api, seq: str) -> dict[str, Any]:
    """Return the event of a row."""
    page = await it.call("GET", f"/v1/events?after={int(seq) - 1}&limit=1")
    found: dict[str, Any] = page.body[0]["event"]
    return found


ASKED = [
    ("POST", "/v1/containers/web/stop", {"by": "alice"}, "stop_requested"),
    ("POST", "/v1/containers/web/start", {"by": "alice"}, "start_requested"),
    ("POST", "/v1/containers/web/restart", {"by": "alice"}, "restart_requested"),
    ("POST", "/v1/containers/dead/reset", {"by": "alice"}, "crash_history_cleared"),
    ("POST", "/v1/reconcile", {"by": "alice"}, "reconcile_requested"),
]


async def test_an_answer_names_the_row_that_holds_the_request(tmp_path: Path) -> None:
    async with api(tmp_path) as it:
        for method, path, body, kind in ASKED:
            answer = await it.call(method, path, json=body)
            assert answer.status == 200, answer.body
            event = await event_of(it, answer.headers[SEQ_HEADER])
            assert (event["type"], event["by"]) == (kind, "alice")
            assert REPLAYED_HEADER not in answer.headers


async def test_what_was_refused_names_the_newest_row(tmp_path: Path) -> None:
    async with api(tmp_path) as it:
        refused = await it.call("DELETE", "/v1/containers/web")
        assert refused.headers[SEQ_HEADER] == str(it.kit.operator.seq)


async def test_a_request_with_a_key_is_done_once(tmp_path: Path) -> None:
    async with api(tmp_path) as it:
        key = {KEY_HEADER: "deploy-1"}
        for method, path, body, kind in ASKED:
            keyed = {KEY_HEADER: f"key of {kind}".replace(" ", "-")}
            for again in (False, True):
                answer = await it.call(method, path, json=body, headers=keyed)
                assert answer.status == 200, answer.body
                is_told = answer.headers.get(REPLAYED_HEADER) == "true"
                assert is_told == again, (path, again)
        rows = (await it.call("GET", "/v1/events")).body
        for _, _, _, kind in ASKED:
            own = [row for row in rows if row["event"]["type"] == kind]
            assert len(own) == 1, kind
        started = await it.call("POST", "/v1/containers/own/start", headers=key)
        told = await it.call("POST", "/v1/containers/own/start", headers=key)
        assert (started.status, told.status) == (200, 200)
        assert int(told.headers[SEQ_HEADER]) >= int(started.headers[SEQ_HEADER])
        assert told.headers[REPLAYED_HEADER] == "true"


DIFFERENT: list[tuple[str, str, dict[str, Any]]] = [
    ("POST", "/v1/containers/web/stop", {"json": {"by": "bob"}}),
    ("POST", "/v1/containers/dead/stop", {"json": {}}),
    ("POST", "/v1/containers/web/restart", {"json": {}}),
    ("DELETE", "/v1/containers/web", {"json": {}}),
    ("POST", "/v1/reconcile", {"json": {}}),
]


async def test_a_key_belongs_to_one_request(tmp_path: Path) -> None:
    async with api(tmp_path) as it:
        headers = {KEY_HEADER: "k"}
        path = "/v1/containers/web/stop"
        first = await it.call("POST", path, json={}, headers=headers)
        assert first.status == 200
        for method, path, more in DIFFERENT:
            other = await it.call(method, path, headers=headers, **more)
            assert (other.status, other.body["error"]["code"]) == (422, "key_reused")
        same = {"data": b' {"why": "", "by" : "owner"}', "headers": {**headers, **JSON}}
        again = await it.call("POST", "/v1/containers/web/stop", **same)
        assert again.headers[REPLAYED_HEADER] == "true"


@pytest.mark.parametrize("key", ["", "a b", "x" * 129, "caf\u00e9"])
async def test_a_key_is_visible_ascii(tmp_path: Path, key: str) -> None:
    async with api(tmp_path) as it:
        headers = {KEY_HEADER: key}
        refused = await it.call("POST", "/v1/reconcile", headers=headers)
        assert (refused.status, refused.body["error"]["code"]) == (422, "invalid_spec")
        assert refused.body["error"]["problems"][0]["place"] == f"header {KEY_HEADER}"


async def test_two_keys_are_one_too_many(tmp_path: Path) -> None:
    async with api(tmp_path) as it:
        headers = [(KEY_HEADER, "a"), (KEY_HEADER, "b")]
        refused = await it.call("POST", "/v1/reconcile", headers=headers)
        assert refused.body["error"]["message"].endswith("found 2 of them")


SPEC = {"name": "demo", "containers": [{"name": "one", "command": ["run"]}]}


async def test_a_fleet_is_applied_where_nobody_has_been_faster(tmp_path: Path) -> None:
    async with api(tmp_path) as it:
        old = it.kit.operator.fleet.revision
        late = {"If-Match": f'"{old + 7}"'}
        conflict = await it.call("PUT", "/v1/spec", json=SPEC, headers=late)
        assert (conflict.status, conflict.body["error"]["code"]) == (
            409,
            "revision_conflict",
        )
        assert conflict.body["error"]["found"] == old
        now = {"If-Match": f'"{old}"'}
        assert (await it.call("PUT", "/v1/spec", json=SPEC, headers=now)).status == 200
        anyway = {"If-Match": "*"}
        applied = await it.call("PUT", "/v1/spec", json=SPEC, headers=anyway)
        assert applied.status == 200, applied.body
        assert applied.body == {"revision": it.kit.operator.fleet.revision}
        event = await event_of(it, applied.headers[SEQ_HEADER])
        assert event["type"] == "spec_applied"
        assert "one" in it.kit.operator.fleet.containers


async def test_a_fleet_that_is_none_changes_nothing(tmp_path: Path) -> None:
    async with api(tmp_path) as it:
        before = it.kit.operator.fleet.revision
        for body, place in (
            ({}, "$.name"),
            ({**SPEC, "name": "other"}, "fleet.name"),
            ({**SPEC, "containers": [{"name": "one"}]}, "$.containers[0].command"),
            ({**SPEC, "containers": [{"name": "one", "comand": []}]}, "comand"),
            ({**SPEC, "settings": {"prune": "burn"}}, "$.settings.prune"),
        ):
            refused = await it.call("PUT", "/v1/spec", json=body)
            assert refused.status == 422, body
            places = [one["place"] for one in refused.body["error"]["problems"]]
            assert any(place in found for found in places), places
        bad = await it.call("PUT", "/v1/spec", json=SPEC, headers={"If-Match": "x"})
        assert bad.body["error"]["problems"][0]["place"] == "header If-Match"
        assert it.kit.operator.fleet.revision == before


ODD = [
    (b'{"config": {"a": 123456789012345678901234567890}}', "64 bits"),
    (b'{"config": {"a": -99999999999999999999}}', "64 bits"),
    (b'{"config": {"a": ' + b"9" * 6_000 + b"}}", "64 bits"),
    (b'{"config": {"a": 1e999}}', "infinity"),
    (b'{"config": {"a": NaN}}', "JSON"),
    (b'{"why": "\\ud800"}', "surrogate"),
    (b'{"why": "\xff\xfe"}', "JSON"),
    (b"[" * 200_000, "JSON"),
    (b'{"config": ' + b'{"a":' * 30 + b"1" + b"}" * 31, "levels"),
    (b'{"config": {"a": "\\u0000"}, "restart": 3}', "a table"),
    (b'{"why": "' + b"x" * 5_000 + b'"}', "4096"),
    (b'{"by": "' + b"x" * 500 + b'"}', "256"),
    (b'"text"', "a table"),
    (b"null", "a table"),
    (b"{} {}", "JSON"),
]


async def test_odd_bodies_are_told_what_is_wrong_with_them(tmp_path: Path) -> None:
    async with api(tmp_path) as it:
        for body, said in ODD:
            path = "/v1/containers/odd/start"
            found = await it.call("POST", path, data=body, headers=JSON)
            assert (found.status, found.body["error"]["code"]) == (
                422,
                "invalid_spec",
            ), body[:60]
            assert said in found.body["error"]["message"], body[:60]
        assert "odd" not in it.kit.operator.fleet.containers


async def test_a_long_number_within_its_bounds_stays_what_it_is(
    tmp_path: Path,
) -> None:
    async with api(tmp_path) as it:
        body = {"config": {"most": 2**64 - 1, "least": -(2**63), "text": "9" * 30}}
        path = "/v1/containers/own/start"
        started = await it.call("POST", path, json=body)
        assert started.status == 200, started.body
        own = (await it.call("GET", "/v1/containers/own/spec")).body
        assert own["config"] == body["config"]


async def test_a_body_that_is_no_json_is_not_read(tmp_path: Path) -> None:
    async with api(tmp_path) as it:
        for headers in (FORM, {"Content-Type": "text/plain"}):
            path = "/v1/containers/web/stop"
            found = await it.call("POST", path, data=b"{}", headers=headers)
            assert found.status == 415
            assert found.body["error"]["code"] == "unsupported_media_type"
        info = await value(it.kit.operator.get_container_info("web"))
        assert info.desired == "running"


def test_a_letter_that_utf_8_cannot_hold_is_written_as_its_number() -> None:
    error = ContainerNotFound(name="\ud800")
    assert json.loads(written(error_body(error)))["error"]["name"] == "\ud800"


def test_who_is_refused_for_a_while_is_told_for_how_long() -> None:
    response = refusal(TooManyRequests(retry_after_ms=1_200))
    assert (response.status, response.headers["Retry-After"]) == (429, "2")
    assert "Retry-After" not in refusal(RateLimited()).headers


async def test_a_key_outlives_the_operator(tmp_path: Path) -> None:
    journal = FullJournal()
    declared = fleet(spec("web"))
    path, key = "/v1/containers/web/restart", {KEY_HEADER: "once"}
    rows: list[str] = []
    for again in (False, True):
        async with opened(declared, journal=journal) as kit:
            await value(kit.operator.wait("web", limit_ms=LIMIT_MS))
            app = make_app(kit.operator, version="1")
            async with serve(app, tmp_path) as at, session_of(at) as session:
                it = Api(kit, session, asyncio.Event())
                answer = await it.call("POST", path, headers=key)
                assert answer.status == 200, answer.body
                assert (REPLAYED_HEADER in answer.headers) == again
                page = await it.call("GET", "/v1/events?type=restart_requested")
                rows.append(str(page.body))
    assert rows[0] == rows[1]
    assert rows[0].count("restart_requested") == 1


async def test_a_body_that_is_not_what_its_head_says_is_refused(
    tmp_path: Path,
) -> None:
    async with api(tmp_path) as it:
        packed = {"Content-Encoding": "gzip", **JSON}
        path = "/v1/containers/web/stop"
        found = await it.call("POST", path, data=b"no gzip at all", headers=packed)
        assert (found.status, found.body["error"]["code"]) == (400, "bad_request")


async def test_who_goes_away_in_mid_body_leaves_no_bug_behind(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with api(tmp_path) as it:
        reader, writer = await asyncio.open_unix_connection(str(socket_of(tmp_path)))
        writer.write(
            b"POST /v1/containers/web/stop HTTP/1.1\r\nHost: x\r\n"
            b"Content-Type: application/json\r\nContent-Length: 50\r\n\r\n{"
        )
        await writer.drain()
        writer.close()
        await writer.wait_closed()
        assert await reader.read() == b""
        assert (await it.call("GET", "/v1/fleet")).status == 200
        assert "was not answered" not in caplog.text
        info = await value(it.kit.operator.get_container_info("web"))
        assert info.desired == "running"
