"""Live events over real connections: who reads, who does not, and who comes again."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import attrs
import orjson
import pytest
from aiohttp import web
from returns.future import FutureResult

from orchestrator.api.bodies import refusal
from orchestrator.api.live import hub as hubs
from orchestrator.api.live import say_goodbye, serving, stream
from orchestrator.api.queries import read_query
from orchestrator.api.reading_routes import PAST
from orchestrator.core.errors import InvalidSpec
from orchestrator.core.journal_errors import JournalUnavailable
from orchestrator.core.table import Table
from orchestrator.journal.memory import MemoryJournal
from orchestrator.runtime.operator import Operator
from tests.api.live.kit import parsed
from tests.runtime.kit import LIMIT_MS, Kit, fleet, opened, spec, value

EVENTS = next(route for route in PAST if route.path == "/v1/events")
LIMIT_S = 200
SECRET = "hunter2-is-not-shown"


@attrs.frozen
class Live:
    operator: Operator
    session: aiohttp.ClientSession
    port: int
    runner: web.AppRunner

    async def lines(
        self, query: str = "", **headers: str
    ) -> AsyncIterator[dict[str, Any]]:
        headers.setdefault("Accept", "application/x-ndjson")
        async with self.get(query, **headers) as answer:
            assert answer.status == 200
            async for line in answer.content:
                yield orjson.loads(line)

    def get(self, query: str = "", **headers: str) -> Any:
        url = f"http://127.0.0.1:{self.port}/v1/events?{query}"
        return self.session.get(url, headers=headers)


@asynccontextmanager
async def served(operator: Operator) -> AsyncIterator[Live]:
    app = web.Application()

    async def events(request: web.Request) -> web.StreamResponse:
        query = read_query(request.query, request.headers, EVENTS)
        if isinstance(query, InvalidSpec):
            return refusal(query)
        return await stream(request, query, operator)

    app.router.add_get("/v1/events", events)
    app.on_shutdown.append(say_goodbye(operator))
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=60.0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    timeout = aiohttp.ClientTimeout(total=LIMIT_S)
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(timeout=timeout, connector=connector) as session:
        try:
            yield Live(operator, session, port, runner)
        finally:
            await runner.cleanup()


@asynccontextmanager
async def live(**means: Any) -> AsyncIterator[tuple[Kit, Live]]:
    """Serve a fleet that is quiet: there are no rows but those that a test makes."""
    web = spec("web", env=Table.of([("API_TOKEN", SECRET)]))
    declared = fleet(web, spec("idle"), reconcile_interval_ms=0)
    async with opened(declared, **means) as kit:
        for name in ("web", "idle"):
            await value(kit.operator.wait(name, limit_ms=LIMIT_MS))
        async with served(kit.operator) as it:
            yield kit, it


async def write(operator: Operator, count: int, words: str = "") -> None:
    """Make rows: a request that is always granted, many at once."""
    asked = (
        value(operator.clear_crash_history("idle", why=f"{n} {words}"))
        for n in range(count)
    )
    await asyncio.gather(*asked)


async def test_a_restart_is_seen_as_it_happens_with_the_container_after_each() -> None:
    async with live() as (kit, it):
        seen = it.lines("with=containers&name=web")
        hello = await anext(seen)
        assert (hello["kind"], hello["fleet"]) == ("hello", "demo")
        await value(kit.operator.restart_container("web", why="to see it"))
        types: list[str] = []
        async for message in seen:
            types.append(message["event"]["type"])
            (info,) = message["containers"]
            assert info["name"] == "web"
            if types[-1] == "container_ready":
                assert info["ready"] is True
                break
        assert types[0] == "restart_requested"
        assert types.index("container_ended") < types.index("container_started")


async def test_server_sent_events_have_a_name_an_id_and_no_caches() -> None:
    async with live() as (kit, it), it.get(Accept="text/event-stream") as answer:
        assert answer.content_type == "text/event-stream"
        assert answer.headers["Cache-Control"] == "no-store"
        await write(kit.operator, 1)
        text = b""
        while not text.endswith(b"\n\n") or b"crash_history" not in text:
            text += await answer.content.readany()
        assert text.startswith(b"retry: 1000\n\nid: ")
        from orchestrator.api.live.frames import Form

        *_, event = parsed(Form.SSE, text)
        assert event["id"] == event["seq"] == kit.operator.seq


async def test_what_looks_secret_is_in_no_event() -> None:
    async with live() as (_, it):
        async for message in it.lines("after=0&type=spec_applied"):
            if message["kind"] == "event":
                assert '"API_TOKEN":"***"' in orjson.dumps(message).decode()
                assert SECRET not in str(message)
                return


async def test_a_question_that_makes_no_sense_is_refused() -> None:
    async with live() as (_, it), it.get("type=nonsense") as answer:
        assert answer.status == 422
        assert (await answer.json())["error"]["code"] == "invalid_spec"


async def test_a_journal_that_cannot_be_read_refuses_the_reader(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with live() as (kit, it):
        gone = FutureResult.from_failure(JournalUnavailable(cause="the disk is gone"))
        monkeypatch.setattr(kit.journal, "beginning", lambda: gone)
        async with it.get() as answer:
            assert answer.status == 503
            assert (await answer.json())["error"]["code"] == "journal_unavailable"


async def test_a_reader_that_goes_is_forgotten() -> None:
    async with live() as (kit, it):
        seen = it.lines()
        await anext(seen)
        await seen.aclose()  # type: ignore[attr-defined]
        while hubs._HUBS:
            await write(kit.operator, 1)


async def test_there_is_a_bound_to_how_many_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(serving, "READERS_MAX", 1)
    async with live() as (_, it):
        first = it.lines()
        await anext(first)
        async with it.get() as answer:
            assert answer.status == 429
            assert (await answer.json())["error"]["retry_after_ms"] == 5_000
        await first.aclose()  # type: ignore[attr-defined]


async def test_readers_are_told_when_the_server_goes() -> None:
    async with live() as (_, it):
        seen = it.lines()
        await anext(seen)
        closing = asyncio.ensure_future(it.runner.cleanup())
        rest = [message async for message in seen]
        await closing
        assert rest == [{"kind": "bye", "why": "the operator has been closed"}]
        assert not hubs._HUBS


async def test_a_reader_that_comes_again_after_a_restart_misses_nothing() -> None:
    journal = MemoryJournal()
    got: list[int] = []
    for _ in range(3):
        async with live(journal=journal) as (kit, it):
            await write(kit.operator, 5)
            last = got[-1] if got else 0
            seen = it.lines(Last_Event_ID="", **{"Last-Event-ID": str(last)})
            head = kit.operator.seq
            async for message in seen:
                if message["kind"] == "event":
                    got.append(message["seq"])
                    if message["seq"] == head:
                        break
    assert got == list(range(1, got[-1] + 1))
    assert len(got) > 15


async def stalled(port: int) -> socket.socket:
    """Connect, ask, and read nothing but the very first byte of the answer."""
    reader = socket.socket()
    reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    reader.settimeout(0)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(reader, ("127.0.0.1", port))
    request = b"GET /v1/events?with=containers HTTP/1.1\r\nHost: x\r\n\r\n"
    await loop.sock_sendall(reader, request)
    assert await loop.sock_recv(reader, 1) == b"H"
    return reader


async def test_200_readers_that_do_not_read_cost_little_and_delay_nobody() -> None:
    async with live() as (kit, it):
        sockets = [await stalled(it.port) for _ in range(200)]
        fast = it.lines()
        await anext(fast)
        (hub,) = hubs._HUBS.values()
        assert len(hub.readers) == 201
        begin, count = kit.operator.seq, 5_000

        async def follow() -> list[int]:
            return [
                message["seq"]
                async for message in take_until(fast, begin + count)
                if message["kind"] == "event"
            ]

        following = asyncio.ensure_future(follow())
        for _ in range(20):
            await write(kit.operator, count // 20, "x" * 900)
        seen = await following
        assert seen[:count] == list(range(begin + 1, begin + count + 1))
        rows, size = hub.held
        assert rows < 4_096
        assert size <= 4 * 1_048_576
        server = it.runner.server
        assert server is not None
        buffered = [
            connection.transport.get_write_buffer_size()
            for connection in server.connections
            if connection.transport is not None
        ]
        assert len(buffered) >= 201
        assert max(buffered) <= 256 * 1_024
        for each in sockets:
            each.close()


async def take_until(
    messages: AsyncIterator[dict[str, Any]], seq: int
) -> AsyncIterator[dict[str, Any]]:
    async for message in messages:
        yield message
        if message.get("seq", message.get("to", 0)) >= seq:
            return


async def test_a_reader_that_takes_nothing_has_its_connection_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(serving, "STALLED_S", 0.05)
    async with live() as (kit, it):
        reader = await stalled(it.port)
        assert hubs._HUBS
        while hubs._HUBS:
            await write(kit.operator, 1_000, "x" * 1_000)
        reader.close()
