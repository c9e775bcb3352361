"""Who is let in over TCP, to which routes; each route of the table is tried."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from orchestrator.api.guard.tokens import Grant
from orchestrator.api.places import HTTP_AT, TOKENS
from orchestrator.api.route import Route
from orchestrator.api.routes import ROUTES
from orchestrator.codec.wire import tree_of
from tests.api.guard.kit import (
    HASTY,
    NOW,
    Answer,
    Served,
    head,
    revoke,
    served,
    status_of,
    token_in,
)
from tests.runtime.kit import fleet, spec

SHUT = {401, 403}
PATHS = {"{name}": "web", "{seq}": "1"}


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[Served]:
    token_in(tmp_path, "first", Grant.READ)
    async with served(tmp_path) as one:
        yield one


async def tried(door: Served, route: Route, token: str | None) -> Answer:
    path = route.path
    for key, example in PATHS.items():
        path = path.replace(key, example)
    body: dict[str, object] = {"json": {}} if route.method != "GET" else {}
    return await door.call(route.method, path, token, **body)


CLOSED = [route for route in ROUTES if route.scope != "open"]
OPEN = [route for route in ROUTES if route.scope == "open"]


def test_there_is_something_to_try() -> None:
    assert {route.scope for route in ROUTES} == {"open", "read", "write"}
    looks = {route.method for route in ROUTES if route.scope != "write"}
    assert looks == {"GET"}


async def test_no_route_of_the_fleet_opens_without_a_good_token(door: Served) -> None:
    revoked = door.token("revoked", Grant.WRITE)
    revoke(door.state, "revoked")
    good = door.token("good", Grant.WRITE)
    bad = {
        "missing": None,
        "empty": "",
        "wrong": "orch_" + "x" * 43,
        "shortened": good[:-1],
        "lengthened": good + "A",
        "other case": good.swapcase(),
        "revoked": revoked,
        "expired": door.token("expired", Grant.WRITE, expires_at=NOW),
        "digest": json.loads((door.state / TOKENS).read_bytes())["tokens"][-1][
            "digest"
        ],
    }
    for kind, token in bad.items():
        for route in CLOSED:
            answer = await tried(door, route, token)
            assert answer.status == 401, (kind, route.path)
            assert answer.code == "not_authenticated"
            assert answer.headers["WWW-Authenticate"].startswith("Bearer")
            assert good not in str(answer.body)
    assert door.kit.phase("web") == "running"


async def test_a_token_to_read_opens_every_look_and_no_change(door: Served) -> None:
    token = door.token("reader", Grant.READ)
    for route in CLOSED:
        answer = await tried(door, route, token)
        if route.scope == "write":
            assert (answer.status, answer.code) == (403, "not_allowed"), route.path
        else:
            assert answer.status not in SHUT, route.path
            assert answer.status < 500, route.path
    assert door.kit.phase("web") == "running"
    assert not (await door.call("GET", "/v1/fleet", token)).body["can_write"]


async def test_a_secret_cannot_be_guessed_with_a_token_to_read(door: Served) -> None:
    """A plan that changes nothing would say that a guess is right."""
    reader = door.token("reader", Grant.READ)
    writer = door.token("writer", Grant.WRITE)
    guess = tree_of(fleet(spec("web")))
    told = await door.call("POST", "/v1/plan", writer, json=guess)
    assert (told.status, told.body["changes"]) == (200, [])
    refused = await door.call("POST", "/v1/plan", reader, json=guess)
    assert (refused.status, refused.code) == (403, "not_allowed")
    assert "may only read" in refused.body["error"]["message"]


async def test_a_token_to_write_opens_every_route(door: Served) -> None:
    token = door.token("writer", Grant.WRITE)
    assert (await door.call("GET", "/v1/fleet", token)).body["can_write"]
    last = [route for route in CLOSED if route.path == "/v1/down"]
    for route in [*(route for route in CLOSED if route not in last), *last]:
        answer = await tried(door, route, token)
        assert answer.status not in SHUT, route.path
        assert answer.status < 500, route.path
    assert door.ended.is_set()


async def test_a_read_only_door_lets_nobody_change_anything(tmp_path: Path) -> None:
    async with served(tmp_path, read_only=True) as door:
        for route in CLOSED:
            answer = await tried(door, route, None)
            assert (answer.status == 403) == (route.scope == "write"), route.path
        token = door.token("writer", Grant.WRITE)
        answer = await door.call("POST", "/v1/containers/web/stop", token)
        assert "read-only" in answer.body["error"]["message"]
        assert not (await door.call("GET", "/v1/fleet", token)).body["can_write"]


async def test_health_and_the_page_are_open_and_hold_nothing(door: Served) -> None:
    for route in OPEN:
        answer = await tried(door, route, None)
        assert answer.status == 200, route.path
        assert "web" not in str(answer.body)
    page = await door.call("GET", "/")
    assert page.status == 200
    assert page.headers["X-Frame-Options"] == "DENY"


async def test_a_path_that_is_not_there_is_not_told_to_strangers(door: Served) -> None:
    assert (await door.call("GET", "/v1/nothing")).status == 401
    reader = door.token("reader", Grant.READ)
    assert (await door.call("GET", "/v1/nothing", reader)).status == 404
    assert (await door.call("POST", "/v1/nothing", reader)).status == 403
    writer = door.token("writer", Grant.WRITE)
    assert (await door.call("POST", "/v1/nothing", writer)).status == 404
    assert (await door.call("DELETE", "/v1/fleet", writer)).status == 405


async def test_loopback_is_open_until_a_token_is_made(tmp_path: Path) -> None:
    async with served(tmp_path) as door:
        before: str = door.guard.access
        assert before == "open"
        assert (await door.call("GET", "/v1/fleet")).body["can_write"]
        token = door.token("first", Grant.READ)
        assert door.guard.access == "tokens"
        assert (await door.call("GET", "/v1/fleet")).status == 401
        assert (await door.call("GET", "/v1/fleet", token)).status == 200


async def test_the_door_stays_shut_when_the_last_token_goes(tmp_path: Path) -> None:
    async with served(tmp_path) as door:
        token = door.token("only", Grant.WRITE)
        assert (await door.call("GET", "/v1/fleet", token)).status == 200
        revoke(tmp_path, "only")
        assert (await door.call("GET", "/v1/fleet", token)).status == 401
        assert (await door.call("GET", "/v1/fleet")).status == 401
        (tmp_path / TOKENS).unlink()
        assert (await door.call("GET", "/v1/fleet")).status == 401
        again = door.token("again", Grant.READ)
        assert (await door.call("GET", "/v1/fleet", again)).status == 200


SPOILT: dict[str, Callable[[Path], object]] = {
    "read by its group": lambda file: file.chmod(0o640),
    "read by all": lambda file: file.chmod(0o604),
    "cut off": lambda file: file.write_text("{"),
    "another shape": lambda file: file.write_text("[]"),
    "half a token": lambda file: file.write_text('{"tokens": [{"name": "x"}]}'),
    "too deep": lambda file: file.write_text("[" * 100_000),
    "no text": lambda file: file.write_bytes(b"\xff" * 100),
    "too long": lambda file: file.write_bytes(b" " * 2_000_000),
}


@pytest.mark.parametrize("spoilt", SPOILT)
async def test_a_token_file_that_cannot_be_used_lets_nobody_in(
    door: Served, spoilt: str, caplog: pytest.LogCaptureFixture
) -> None:
    token = door.token("good", Grant.WRITE)
    assert (await door.call("GET", "/v1/fleet", token)).status == 200
    file = door.state / TOKENS
    good = file.read_bytes()
    SPOILT[spoilt](file)
    for _ in range(2):
        assert (await door.call("GET", "/v1/fleet", token)).status == 401
        assert (await door.call("GET", "/v1/fleet")).status == 401
    told = [r for r in caplog.records if "nobody is let in" in r.getMessage()]
    assert len(told) == 1
    file.write_bytes(good)
    file.chmod(0o600)
    assert (await door.call("GET", "/v1/fleet", token)).status == 200


@pytest.mark.parametrize(
    "header",
    [
        "Basic {token}",
        "{token}",
        "bearer",
        "Bearer  ",
        "Bearer {token} {token}",
        "Bearer\t{token}",
        "Token {token}",
    ],
)
async def test_a_token_comes_as_a_bearer_or_not_at_all(
    door: Served, header: str
) -> None:
    token = door.token("good", Grant.WRITE)
    said = {"Authorization": header.format(token=token)}
    assert (await door.call("GET", "/v1/fleet", headers=said)).status == 401
    assert (await door.call("GET", f"/v1/fleet?token={token}")).status == 401
    assert (await door.call("GET", f"/v1/fleet?access_token={token}")).status == 401
    said = {"Cookie": f"token={token}"}
    assert (await door.call("GET", "/v1/fleet", headers=said)).status == 401


async def test_two_tokens_in_one_request_are_none(tmp_path: Path) -> None:
    token = token_in(tmp_path, "good", Grant.WRITE)
    line = f"Authorization: Bearer {token}"
    async with served(tmp_path, limits=HASTY) as door:
        for lines, status in (((line, line), {401, 400}), ((line,), {200})):
            answer = await door.raw(head("GET", "/v1/fleet", *lines))
            assert status_of(answer) in status


async def test_every_answer_has_the_headers_that_keep_it_harmless(
    door: Served,
) -> None:
    token = door.token("good", Grant.READ)
    paths = ("/v1/fleet", "/v1/none", "/healthz", "/v1/containers/web/log", "/")
    for path in paths:
        for shown in (token, None):
            answer = await door.call("GET", path, shown)
            assert answer.headers["X-Content-Type-Options"] == "nosniff", path
            assert answer.headers["Referrer-Policy"] == "no-referrer", path
            assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
            assert answer.headers["Server"] == "orchestrator"
            assert not [key for key in answer.headers if key.startswith("Access-Contr")]


async def test_who_asks_too_often_is_told_when_to_come_again(tmp_path: Path) -> None:
    token_in(tmp_path, "first", Grant.READ)
    async with served(tmp_path, requests_per_second=1) as door:
        good = door.token("good", Grant.READ)
        answers = [await door.call("GET", "/v1/fleet") for _ in range(130)]
        assert {answer.status for answer in answers} == {401, 429}
        late = next(answer for answer in answers if answer.status == 429)
        assert late.code == "too_many_requests"
        assert 1 <= int(late.headers["Retry-After"]) <= 100
        assert late.body["error"]["retry_after_ms"] > 0
        # The bearer of a token has a measure of their own, and health has none.
        assert (await door.call("GET", "/v1/fleet", good)).status == 200
        assert (await door.call("GET", "/healthz")).status == 200


async def test_the_url_stands_in_the_state_folder_meanwhile(tmp_path: Path) -> None:
    async with served(tmp_path) as door:
        assert json.loads((tmp_path / HTTP_AT).read_bytes()) == {"url": door.url}
    assert not (tmp_path / HTTP_AT).exists()
