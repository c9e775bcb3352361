"""Asking by HTTP: at most once, with the row that holds it, and only in JSON."""

from __future__ import annotations

import asyncio
import io
import json
from pathlib import Path
from typing import Any, get_args

import pytest

from orchestrator.api.app import make_app
from orchestrator.api.bodies import error_body, refusal, written
from orchestrator.api.headers import KEY_HEADER, REPLAYED_HEADER, SEQ_HEADER
from orchestrator.api.openapi import document
from orchestrator.api.places import socket_of
from orchestrator.api.socket import serve
from orchestrator.core.access_errors import TooManyRequests
from orchestrator.core.errors import (
    ContainerNotFound,
    JournalBusy,
    RateLimited,
    RequestError,
)
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


async def test_a_masked_secret_is_not_taken_for_the_secret(tmp_path: Path) -> None:
    async with api(tmp_path) as it:
        telling = {"API_TOKEN": "hunter2", "DB": "postgres://u:hunter2@db"}
        told = {"name": "own", "command": ["run", "--pwd=hunter2"], "env": telling}
        url = "https://hooks.example/hunter2"
        settings = {"notify": {"url": url}}
        body = {"name": "demo", "settings": settings, "containers": [told]}
        assert (await it.call("PUT", "/v1/spec", json=body)).status == 200
        shown = (await it.call("GET", "/v1/config")).body
        assert "hunter2" not in json.dumps(shown)
        again = {key: shown[key] for key in ("name", "settings", "containers")}
        refused = await it.call("PUT", "/v1/spec", json=again)
        assert (refused.status, refused.body["error"]["code"]) == (422, "invalid_spec")
        assert [one["place"] for one in refused.body["error"]["problems"]] == [
            "$.settings.notify.url",
            "$.containers[0].env.API_TOKEN",
            "$.containers[0].env.DB",
            "$.containers[0].command",
        ]
        kept = it.kit.operator.fleet
        assert kept.containers["own"].spec.env["API_TOKEN"] == "hunter2"
        assert kept.settings.notify is not None
        assert kept.settings.notify.url == url


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({"config": {"password": "***"}}, "$.config.password"),
        ({"command": ["run", "--token=***"]}, "$.command"),
        (
            {"spec": {"name": "a", "command": ["run"], "env": {"DSN": "***"}}},
            "$.spec.env.DSN",
        ),
    ],
)
async def test_a_start_brings_no_masked_secret(
    tmp_path: Path, body: dict[str, Any], place: str
) -> None:
    async with api(tmp_path) as it:
        refused = await it.call("POST", "/v1/containers/a/start", json=body)
        assert refused.status == 422
        assert [one["place"] for one in refused.body["error"]["problems"]] == [place]
        assert "a" not in it.kit.operator.fleet.containers


async def test_who_applies_a_fleet_says_who_they_are_and_what_for(
    tmp_path: Path,
) -> None:
    async with api(tmp_path) as it:
        key = {KEY_HEADER: "apply-1"}
        path = "/v1/spec?by=alice&why=more%20of%20them"
        applied = await it.call("PUT", path, json=SPEC, headers=key)
        event = await event_of(it, applied.headers[SEQ_HEADER])
        assert (event["by"], event["why"]) == ("alice", "more of them")
        again = await it.call("PUT", path, json=SPEC, headers=key)
        assert again.headers[REPLAYED_HEADER] == "true"
        other = await it.call("PUT", "/v1/spec?by=bob", json=SPEC, headers=key)
        assert other.body["error"]["code"] == "key_reused"
        for bad in ("by=a%0Ab", "why=%1B%5B2J", f"by={'x' * 257}"):
            refused = await it.call("PUT", f"/v1/spec?{bad}", json=SPEC)
            assert (refused.status, refused.body["error"]["code"]) == (
                422,
                "invalid_spec",
            )


async def test_who_takes_a_fleet_down_says_what_for(tmp_path: Path) -> None:
    async with api(tmp_path) as it:
        asking = {"by": "alice", "why": "the move to the new hall"}
        down = await it.call("POST", "/v1/down", json=asking)
        assert down.status == 200
        event = await event_of(it, down.headers[SEQ_HEADER])
        assert (event["type"], event["by"], event["why"]) == (
            "spec_applied",
            "alice",
            "the move to the new hall",
        )


async def test_a_down_that_is_told_again_leaves_what_runs_its_operator(
    tmp_path: Path,
) -> None:
    journal, key = FullJournal(), {KEY_HEADER: "d1"}
    declared = fleet(spec("web"))
    for again in (False, True):
        async with opened(declared, journal=journal) as kit:
            await value(kit.operator.wait("web", limit_ms=LIMIT_MS))
            ended = asyncio.Event()
            app = make_app(kit.operator, version="1", end=ended.set)
            async with serve(app, tmp_path) as at, session_of(at) as session:
                it = Api(kit, session, ended)
                answer = await it.call("POST", "/v1/down", headers=key)
                assert answer.status == 200, answer.body
                assert (REPLAYED_HEADER in answer.headers) == again
                _ = await it.call("GET", "/v1/fleet")  # the loop has turned since
                assert ended.is_set() != again
                assert ("web" in kit.operator.fleet.containers) == again


async def test_a_down_that_was_interrupted_ends_its_operator_in_the_end(
    tmp_path: Path,
) -> None:
    async with api(tmp_path) as it:
        for _ in range(2):
            it.ended.clear()
            key = {KEY_HEADER: "d1"}
            assert (await it.call("POST", "/v1/down", headers=key)).status == 200
            await asyncio.wait_for(it.ended.wait(), 60)


LETTERS = [
    "\x1b[2J\x1b]0;pwn\x07evil",
    "a\nb",
    "a\rb",
    "\x9b31m",
    "\u202egnp",
    "\u2028",
]


@pytest.mark.parametrize("field", ["by", "why"])
async def test_letters_that_move_a_cursor_are_not_kept(
    tmp_path: Path, field: str
) -> None:
    async with api(tmp_path) as it:
        for letters in LETTERS:
            for action in ("stop", "start"):
                path = f"/v1/containers/web/{action}"
                refused = await it.call("POST", path, json={field: letters})
                assert refused.status == 422, letters
                assert letters not in refused.body["error"]["message"]
        for plain in (
            "caf\u00e9 \u2013 \U0001f469\u200d\U0001f4bb",
            "\u8001\u3000\u5e2b",
        ):
            path = "/v1/containers/web/stop"
            assert (await it.call("POST", path, json={field: plain})).status == 200


async def test_a_fleet_of_thousands_fits_into_a_body(tmp_path: Path) -> None:
    padding = {"note": "x" * 500}
    many = [
        {"name": f"n{number}", "command": ["run"], "config": padding}
        for number in range(2_000)
    ]
    body = {"name": "demo", "settings": {}, "containers": many, "comand": 1}
    async with api(tmp_path) as it:
        data = io.BytesIO(json.dumps(body).encode())
        refused = await it.call("PUT", "/v1/spec", data=data, headers=JSON)
        assert refused.status == 422
        assert "comand" in refused.body["error"]["message"]


def failures_of(method: str, path: str) -> set[str]:
    """Return the codes that an ask may answer, as the document says."""
    operation = document()["paths"][path][method]
    schemas = document()["components"]["schemas"]
    codes: set[str] = set()
    for answer in operation["responses"].values():
        schema = answer["content"]["application/json"]["schema"]
        error = schema.get("properties", {}).get("error", {})
        for one in error.get("oneOf", [error] if error else []):
            named = schemas[one["$ref"].rpartition("/")[2]]
            codes.add(named["properties"]["code"]["const"])
    return codes


async def test_a_start_that_asks_for_another_spec_is_refused_as_documented(
    tmp_path: Path,
) -> None:
    async with api(tmp_path) as it:
        path = "/v1/containers/web/start"
        refused = await it.call("POST", path, json={"command": ["other"]})
        assert refused.status == 409
        assert refused.body["error"]["code"] == "min_replica_set_container"


def test_each_refusal_of_a_request_is_documented_somewhere() -> None:
    told = {
        code
        for path, operations in document()["paths"].items()
        for method in operations
        if method != "get"
        for code in failures_of(method, path)
    }
    assert {kind.code for kind in get_args(RequestError)} <= told


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
    response = refusal(JournalBusy(retry_after_ms=2_000))
    assert (response.status, response.headers["Retry-After"]) == (503, "2")


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
