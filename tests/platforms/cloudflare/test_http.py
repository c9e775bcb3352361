"""HTTP to the gateway, over a real socket: every outcome is a value."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
from returns.result import Failure, Result, Success

from orchestrator.core.errors import (
    PlatformError,
    RateLimited,
    Refused,
    StaleOperator,
    StaleRun,
    TimedOut,
    Unauthorized,
    Unreachable,
)
from orchestrator.platforms.cloudflare import http
from orchestrator.platforms.cloudflare.http import (
    HOLD_MAX_MS,
    Credentials,
    Gateway,
    error_of,
)
from tests.platforms.cloudflare.fake_gateway import (
    TOKEN,
    Endless,
    FakeGateway,
    Fault,
    serving,
)
from tests.platforms.cloudflare.fake_rest import Drop, Say, Slow, Status, Truncate

Known = Result[Credentials, PlatformError]


def shown(token: str = TOKEN) -> Callable[[], Known]:
    return lambda: Success(Credentials(token=token))


@asynccontextmanager
async def asking(
    fake: FakeGateway,
    credentials: Callable[[], Known] | None = None,
    timeout_ms: int = 60_000,
) -> AsyncIterator[Gateway]:
    async with serving(fake) as url:
        gateway = Gateway(url, credentials or shown(), timeout_ms)
        try:
            yield gateway
        finally:
            await gateway.close()


def told(code: str, message: str = "m", **details: Any) -> bytes:
    return orjson.dumps({"code": code, "message": message, "details": details})


# Outcomes

STALE = {"name": "web-0", "run": 2, "highest": 3}
LOCATION = (("Location", "/v1/about"),)
NO_ANSWER = "that is no answer of a gateway"


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Status(200, b"<html>"), Unreachable(cause=f"HTTP 200 {NO_ANSWER}")),
        (Status(200, b"[1]"), Unreachable(cause=f"HTTP 200 {NO_ANSWER}")),
        (Status(204), Unreachable(cause=f"HTTP 204 {NO_ANSWER}")),
        (Status(302, b"", LOCATION), Unreachable(cause=f"HTTP 302 {NO_ANSWER}")),
        (Status(307, b"{}", LOCATION), Unreachable(cause=f"HTTP 307 {NO_ANSWER}")),
        (Status(400, told("invalid", "why")), Refused(cause="invalid: why")),
        (Status(401), Unauthorized(cause="HTTP 401")),
        (Status(401, told("unauthorized")), Unauthorized(cause="unauthorized: m")),
        (Status(403, b"<html>"), Unauthorized(cause="HTTP 403")),
        (Status(404, told("not_found")), Refused(cause="not_found: m")),
        (Status(409, told("stale_run", **STALE)), StaleRun(**STALE)),  # type: ignore[arg-type]
        (
            Status(409, told("stale_operator", epoch=1, highest=2)),
            StaleOperator(epoch=1, highest=2),
        ),
        (Status(409, told("stale_operator")), Refused(cause="stale_operator: m")),
        (Status(409, told("not_stopped")), Refused(cause="not_stopped: m")),
        (Status(413, told("too_large")), Refused(cause="too_large: m")),
        (Status(429), RateLimited()),
        (Status(429, b"", (("Retry-After", "2"),)), RateLimited(retry_after_ms=2_000)),
        (Status(429, b"", (("Retry-After", "-2"),)), RateLimited()),
        (
            Status(429, b"", (("Retry-After", "9" * 5_000),)),
            RateLimited(retry_after_ms=HOLD_MAX_MS),
        ),
        (
            Status(429, b"", (("Retry-After", "999999"),)),
            RateLimited(retry_after_ms=HOLD_MAX_MS),
        ),
        (
            Status(429, told("rate_limited", retry_after_ms=70)),
            RateLimited(retry_after_ms=70),
        ),
        (
            Status(429, told("rate_limited", retry_after_ms=10**9)),
            RateLimited(retry_after_ms=HOLD_MAX_MS),
        ),
        (Status(429, told("rate_limited", retry_after_ms=True)), RateLimited()),
        (Status(500, told("internal")), Unreachable(cause="internal: m")),
        (Status(502, b"<html>"), Unreachable(cause="HTTP 502")),
        (Status(503, told("unreachable")), Unreachable(cause="unreachable: m")),
        (Status(503, told("not_configured")), Unauthorized(cause="not_configured: m")),
        (Status(530), Unreachable(cause="HTTP 530")),
    ],
)
async def test_an_answer_means_what_it_says(
    fault: Fault, expected: PlatformError
) -> None:
    fake = FakeGateway(faults=_of(fault))
    async with asking(fake) as gateway:
        assert await gateway.get("about") == Failure(expected)
    assert len(fake.seen) == 1  # a redirect is not followed: the token is for one host


def _of(*faults: Fault) -> Any:
    return FakeGateway().faults.__class__(faults)


async def test_what_is_asked_and_done_arrives() -> None:
    fake = FakeGateway()
    async with asking(fake) as gateway:
        about = await gateway.get("about", epoch=7, nothing=None, after="a:1 &=%+ü")
        assert about.unwrap()["api"] == 1
        body = {"after": 3, "orphan_after_ms": None}
        granted = await gateway.post("fleets/demo/attach", body)
        assert granted.unwrap()["epoch"] == 4
    read, done = fake.seen
    assert read.query == {"epoch": "7", "after": "a:1 &=%+ü"}
    assert (done.method, done.body) == ("POST", body)


@pytest.mark.parametrize("fault", [Drop(), Drop(after=True), Truncate()])
async def test_a_connection_that_breaks_off_is_unreachable(fault: Fault) -> None:
    fake = FakeGateway(faults=_of(fault))
    async with asking(fake) as gateway:
        broken = await gateway.post("fleets/demo/attach", {"after": 0})
        assert broken.failure() == Unreachable(cause="the connection broke off")
        assert isinstance(await gateway.get("about"), Success)


async def test_nobody_who_listens_is_unreachable() -> None:
    fake = FakeGateway()
    async with asking(fake) as gateway:
        assert isinstance(await gateway.get("about"), Success)
        await fake.go_down()
        refused = (await gateway.get("about")).failure()
        assert isinstance(refused, Unreachable)
        assert refused.cause.startswith("127.0.0.1:")
        assert refused.cause.endswith(": the connection was refused")
        await fake.go_up()
        assert isinstance(await gateway.get("about"), Success)


async def test_an_answer_without_end_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(http, "ANSWER_MAX", 100_000)
    fake = FakeGateway(faults=_of(Endless()))
    async with asking(fake) as gateway:
        endless = (await gateway.get("about")).failure()
        assert endless == Unreachable(cause="ValueError: an answer without end")
        assert isinstance(await gateway.get("about"), Success)


async def test_an_answer_that_drips_is_given_up_in_time() -> None:
    fake = FakeGateway(faults=_of(Endless()))
    async with asking(fake, timeout_ms=50) as gateway:
        assert await gateway.get("about") == Failure(TimedOut(after_ms=50))


async def test_what_takes_too_long_has_timed_out() -> None:
    fake = FakeGateway(faults=_of(Slow(0.2), Slow(0.1)))
    async with asking(fake, timeout_ms=50) as gateway:
        assert await gateway.get("about") == Failure(TimedOut(after_ms=50))
        waited = await gateway.get("about", wait_ms=60_000)
        assert isinstance(waited, Success)
    # The first may have been given up before it had arrived.
    assert fake.seen[-1].query == {"wait_ms": "60000"}


async def test_a_connection_that_was_idle_for_long_is_not_used_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The other end may be about to close it."""
    monkeypatch.setattr(http, "IDLE_S", 0.05)
    fake = FakeGateway()
    async with asking(fake) as gateway:
        assert isinstance(await gateway.get("about"), Success)
        await asyncio.sleep(0.1)
        assert isinstance(await gateway.get("about"), Success)
    assert len({seen.peer for seen in fake.seen}) == 2


@pytest.mark.parametrize("url", ["", "http://", "/v1"])
async def test_an_address_that_is_none_is_refused(url: str) -> None:
    gateway = Gateway(url, shown(), 60_000)
    expected = Failure(Refused(cause="the URL of the gateway is none"))
    assert await gateway.get("about") == expected
    await gateway.close()


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br"])
async def test_an_encoding_that_is_none_is_unreachable(encoding: str) -> None:
    headers = (("Content-Encoding", encoding),)
    fake = FakeGateway(faults=_of(Status(200, b"{}", headers)))
    async with asking(fake) as gateway:
        assert isinstance((await gateway.get("about")).failure(), Unreachable)


@pytest.mark.parametrize("body", [{"a": "\ud800"}, {"a": 2**64}, {"a": object()}])
async def test_a_body_that_cannot_be_written_is_refused(body: dict[str, Any]) -> None:
    fake = FakeGateway()
    async with asking(fake) as gateway:
        refused = await gateway.post("fleets/demo/batch", body)
    assert refused == Failure(Refused(cause="the request cannot be written as JSON"))
    assert fake.seen == []


async def test_what_is_closed_answers_so() -> None:
    fake = FakeGateway()
    expected = Failure(Unreachable(cause="the client is closed"))
    async with asking(fake) as gateway:
        assert isinstance(await gateway.get("about"), Success)
        await gateway.close()
        assert await gateway.get("about") == expected
        await gateway.close()
    never_used = Gateway("http://localhost", shown(), 60_000)
    await never_used.close()
    assert await never_used.get("about") == expected


async def test_a_cancelled_request_is_no_outcome() -> None:
    fake = FakeGateway(holds=asyncio.Event())
    async with asking(fake) as gateway:
        asking_ = asyncio.ensure_future(gateway.get("about"))
        await fake.until(lambda: fake.under_way > 0)
        asking_.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking_


# Limits


async def test_nothing_is_sent_before_the_time_is_up() -> None:
    fake = FakeGateway(faults=_of(Status(429, told("rate_limited", retry_after_ms=90))))
    clock = asyncio.get_running_loop().time
    async with asking(fake) as gateway:
        until = clock() + 0.09
        assert await gateway.get("about") == Failure(RateLimited(retry_after_ms=90))
        left = 91
        while isinstance(held := await gateway.get("about"), Failure):
            match held.failure():
                case RateLimited(retry_after_ms=int(ms)):
                    assert 0 < ms <= left
                    left = ms
                case other:
                    pytest.fail(f"{other}")
            assert len(fake.seen) == 1
            await asyncio.sleep(0.01)
        assert clock() >= until - 0.002
    assert len(fake.seen) == 2


@pytest.fixture
def _no_time_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "time", SimpleNamespace(monotonic=lambda: 0.0))


@pytest.mark.usefixtures("_no_time_passes")
async def test_a_post_is_held_back_too() -> None:
    fake = FakeGateway(faults=_of(Status(429, b"", (("Retry-After", "7"),))))
    async with asking(fake) as gateway:
        assert await gateway.get("about") == Failure(RateLimited(retry_after_ms=7_000))
        held = (await gateway.post("fleets/demo/attach", {})).failure()
    assert held == RateLimited(retry_after_ms=7_000)
    assert len(fake.seen) == 1


@pytest.mark.usefixtures("_no_time_passes")
@pytest.mark.parametrize(
    ("retry_after", "limit_ms"), [("86400", HOLD_MAX_MS), ("soon", 1_000), ("0", 1_000)]
)
async def test_for_how_long_is_bounded(retry_after: str, limit_ms: int) -> None:
    fake = FakeGateway(faults=_of(Status(429, b"", (("Retry-After", retry_after),))))
    async with asking(fake) as gateway:
        _ = await gateway.get("about")
        held = (await gateway.get("about")).failure()
    assert held == RateLimited(retry_after_ms=limit_ms)


async def test_connections_are_used_again() -> None:
    fake = FakeGateway()
    async with asking(fake) as gateway:
        for _ in range(200):
            assert isinstance(await gateway.get("about"), Success)
    assert len({seen.peer for seen in fake.seen}) == 1


async def test_few_requests_are_under_way_at_once() -> None:
    fake = FakeGateway(holds=asyncio.Event())
    async with asking(fake) as gateway:
        asked = [asyncio.ensure_future(gateway.get("about")) for _ in range(100)]
        await fake.until(lambda: fake.under_way == http.AT_ONCE)
        await asyncio.sleep(0.05)
        assert fake.under_way == http.AT_ONCE
        assert fake.holds is not None
        fake.holds.set()
        answers = await asyncio.gather(*asked)
    assert all(isinstance(answer, Success) for answer in answers)
    assert fake.most_at_once == http.AT_ONCE
    assert len({seen.peer for seen in fake.seen}) <= http.AT_ONCE


async def test_who_waits_for_a_turn_waits_within_the_limit() -> None:
    fake = FakeGateway(holds=asyncio.Event())
    async with asking(fake, timeout_ms=50) as gateway:
        answers = await asyncio.gather(*(gateway.get("about") for _ in range(40)))
    assert set(answers) == {Failure(TimedOut(after_ms=50))}


# Credentials


async def test_credentials_are_looked_up_for_each_request() -> None:
    current = "first-token-0123456789"
    fake = FakeGateway(tokens={current})

    def latest() -> Known:
        return Success(Credentials(token=current))

    async with asking(fake, latest) as gateway:
        assert isinstance(await gateway.get("about"), Success)
        fake.tokens = {"other-token-0123456789"}
        assert isinstance((await gateway.get("about")).failure(), Unauthorized)
        current = "other-token-0123456789"
        assert isinstance(await gateway.get("about"), Success)
    assert len({seen.peer for seen in fake.seen}) == 1  # and nothing was opened anew


async def test_without_credentials_nothing_is_sent() -> None:
    fake = FakeGateway()
    missing = Unauthorized(cause="the secret X is not set")
    async with asking(fake, lambda: Failure(missing)) as gateway:
        assert await gateway.get("about") == Failure(missing)
    assert fake.seen == []


async def test_a_service_token_of_access_is_sent() -> None:
    fake = FakeGateway()
    both = Credentials(token=TOKEN, access=("the-id", "planted-secret"))
    async with asking(fake, lambda: Success(both)) as gateway:
        assert isinstance(await gateway.get("about"), Success)
    (seen,) = fake.seen
    assert seen.headers["authorization"] == f"Bearer {TOKEN}"
    assert seen.headers["cf-access-client-id"] == "the-id"
    assert seen.headers["cf-access-client-secret"] == "planted-secret"
    assert seen.headers["content-type"] == "application/json"
    assert "planted" not in repr(both)


async def test_cookies_are_not_kept() -> None:
    cookie = (("Set-Cookie", "CF_Authorization=x"),)
    fake = FakeGateway(faults=_of(Status(200, b"{}", cookie)))
    async with asking(fake) as gateway:
        gateway._url = gateway._url.replace("127.0.0.1", "localhost")
        assert isinstance(await gateway.get("about"), Success)
        assert isinstance(await gateway.get("about"), Success)
    assert "Cookie" not in fake.seen[1].headers


SAID = f'{{"code": "unauthorized", "message": "no token is {TOKEN}"}}'.encode()


@pytest.mark.parametrize(
    "fault",
    [
        Status(401, SAID),
        Status(200, SAID[:-1]),
        Status(500, f"Authorization: Bearer {TOKEN}".encode()),
        Status(500, b"", (("X-Said", TOKEN),)),
        Drop(),
        Truncate(),
        Say(TOKEN.encode()),
    ],
)
async def test_what_a_gateway_repeats_is_not_shown(
    fault: Fault, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    fake = FakeGateway(faults=_of(fault))
    async with asking(fake) as gateway:
        answer = await gateway.post("fleets/demo/attach", {"planted": "planted"})
        assert "planted" not in f"{gateway!r} {answer.failure()!r}"
        assert "planted" not in answer.failure().message
    assert "planted" not in caplog.text


async def test_a_broken_header_that_repeats_the_token_is_not_shown() -> None:
    async def answer(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        sent = await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n" + sent.replace(b": ", b" ") + b"\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    gateway = Gateway(f"http://127.0.0.1:{port}", shown(), 60_000)
    error = (await gateway.get("about")).failure()
    assert isinstance(error, Unreachable)
    assert "planted" not in error.cause
    await gateway.close()
    server.close()
    await server.wait_closed()


@pytest.mark.parametrize("token", ["planted\nX-More: 1", "planted-\udcff", "planted ü"])
async def test_a_token_that_no_header_holds_is_told_without_it(token: str) -> None:
    async with asking(FakeGateway(), shown(token)) as gateway:
        error = (await gateway.get("about")).failure()
    assert isinstance(error, Unauthorized | Unreachable)
    assert "planted" not in error.message


# Errors of the gateway, without a socket


def test_details_of_another_shape_are_no_stale_run() -> None:
    wrong: tuple[object, ...] = ({}, {**STALE, "name": 1}, None, [], "text")
    for details in wrong:
        tree = {"code": "stale_run", "message": "m", "details": details}
        assert error_of(409, {}, tree) == Refused(cause="stale_run: m")


def test_a_message_is_cut() -> None:
    error = error_of(400, {}, {"code": "invalid", "message": "x" * 9_999})
    assert isinstance(error, Refused)
    assert len(error.cause) == 300


def test_a_code_that_is_no_text_is_not_told() -> None:
    assert error_of(500, {}, {"code": 7}) == Unreachable(cause="HTTP 500")
