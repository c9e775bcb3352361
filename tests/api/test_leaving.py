"""An application that shuts down: nobody who waits is left without an answer."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, TypeAlias

import aiohttp
import pytest
from aiohttp import web
from returns.future import FutureResult
from returns.result import Failure, Result

from orchestrator.api import listen
from orchestrator.api.leaving import Broken, Leaving
from orchestrator.core.errors import PlatformError, Unreachable
from orchestrator.core.events import ReconcileRequested, SpecApplied
from orchestrator.core.observations import Observation
from orchestrator.platforms.port import LogLine
from tests.api.guard.kit import SOON_S, Served, served
from tests.runtime.kit import Faulty, value

Looked: TypeAlias = FutureResult[Observation, PlatformError]


@pytest.fixture(autouse=True)
def _cut_late(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have who is late be late by a fault, and not by a machine that is slow."""
    monkeypatch.setattr(listen, "SHUTDOWN_S", 30.0)


async def endless(_: object, name: str, *, follow: bool) -> AsyncIterator[LogLine]:
    yield LogLine(at=1, stream="o", text=name)
    if follow:
        await asyncio.Event().wait()


async def told(session: aiohttp.ClientSession, url: str) -> tuple[int, bytes]:
    """Return the whole of an answer; one that breaks off raises."""
    async with session.get(url) as answer:
        return answer.status, await answer.read()


@pytest.mark.parametrize(
    ("path", "status", "expected"),
    [
        ("containers/web/wait?for=stopped&limit_ms=60000", 503, "operator_closed"),
        ("events?after=999999&wait_ms=60000", 200, []),
        (
            "containers/web/log?follow=true",
            200,
            {"at": 1, "stream": "o", "text": "web"},
        ),
    ],
)
async def test_who_waits_is_answered_when_the_operator_leaves(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    path: str,
    status: int,
    expected: Any,
) -> None:
    monkeypatch.setattr(Faulty, "log", endless)
    async with asyncio.timeout(SOON_S), aiohttp.ClientSession() as session:
        async with served(tmp_path) as door:
            waiting = asyncio.ensure_future(told(session, f"{door.url}/v1/{path}"))
            for _ in range(20):  # by then the other has been let in long ago
                assert (await door.call("GET", "/v1/fleet")).status == 200
            assert not waiting.done()
        found, body = await waiting
    assert found == status
    answered = json.loads(body)
    assert expected == (answered if found == 200 else answered["error"]["code"])


def looking_until(over: asyncio.Event) -> Callable[[Faulty], Looked]:
    """Return a look that does not end before something else is over."""

    async def look() -> Result[Observation, PlatformError]:
        await over.wait()
        return Failure(Unreachable(cause="away"))

    return lambda _: FutureResult(look())


async def row_of(door: Served, kind: type) -> int:
    """Wait for the row of an event that a request has become, and return its number."""
    seq = door.kit.operator.seq
    while True:
        page = await value(door.kit.operator.events(seq, wait_ms=1_000))
        for record in page:
            seq = record.seq
            if isinstance(record.event, kind):
                return seq


@pytest.mark.parametrize(
    ("path", "kind"), [("reconcile", ReconcileRequested), ("down", SpecApplied)]
)
async def test_who_asked_for_something_and_waits_is_answered_when_the_operator_leaves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, kind: type
) -> None:
    async with asyncio.timeout(SOON_S), aiohttp.ClientSession() as session:
        async with served(tmp_path) as door:
            answered = asyncio.Event()
            monkeypatch.setattr(Faulty, "observe", looking_until(answered))
            door.kit.platform.order_error = Unreachable(cause="away")
            asking = asyncio.ensure_future(
                session.post(
                    f"{door.url}/v1/{path}", headers={"Idempotency-Key": "only-once"}
                )
            )
            asking.add_done_callback(lambda _: answered.set())
            row = await row_of(door, kind)
            assert not asking.done()
        async with await asking as answer:
            body = await answer.json()
    assert (answer.status, body["error"]["code"]) == (503, "operator_closed")
    assert answer.headers["Retry-After"] == "5"
    assert answer.headers["Orchestrator-Seq"] == str(row)


async def test_an_outcome_that_comes_while_the_operator_leaves_is_the_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("orchestrator.api.leaving.PATIENCE_S", 60.0)
    leaving, is_over = Leaving(), asyncio.Event()
    asking = asyncio.ensure_future(leaving.answered(is_over.wait()))
    await asyncio.sleep(0)
    await leaving.leave(web.Application())
    for _ in range(3):
        await asyncio.sleep(0)
    is_over.set()
    assert await asking


async def test_who_asks_of_an_operator_that_leaves_waits_no_longer_than_it_stays() -> (
    None
):
    leaving = Leaving()
    await leaving.leave(web.Application())
    assert await leaving.answered(asyncio.sleep(0, "done")) == "done"
    with pytest.raises(Broken):
        await leaving.answered(asyncio.Event().wait())


async def test_what_nobody_waits_for_any_more_is_called_off() -> None:
    leaving, called_off = Leaving(), asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            called_off.set()

    asking = asyncio.ensure_future(leaving.answered(work()))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    async with asyncio.timeout(SOON_S):
        await called_off.wait()
