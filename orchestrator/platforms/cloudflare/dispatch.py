"""Orders, or questions, of the same moment go to the gateway in one request.

Each is answered by itself. Of orders, what one turn of the event loop gives is
gathered, so that one alone never waits for company; questions may wait a moment for it.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final, cast

import orjson
from returns.result import Failure, Result, Success

from orchestrator.core.errors import PlatformError, Refused, Unreachable
from orchestrator.core.moments import Millis
from orchestrator.platforms.cloudflare.http import (
    SUCCESS,
    Answer,
    Gateway,
    Tree,
    error_of,
)
from orchestrator.platforms.cloudflare.orders import batches

__all__ = ("Dispatch",)

GIVEN_UP: Final[Answer] = Failure(Unreachable(cause="given up"))
UNWRITABLE: Final[Answer] = Failure(
    Refused(cause="the request cannot be written as JSON")
)


class Dispatch:
    """Gathers orders, sends them, hands the answers out."""

    def __init__(
        self,
        gateway: Gateway,
        path: str,
        *,
        field: str = "orders",
        wait_ms: Millis = 0,
        gather_ms: Millis = 0,
    ) -> None:
        """Send to *path* of *gateway*, in a *field* of the body.

        The answer may take *wait_ms* longer than usual. The first of a request waits
        *gather_ms* for others.
        """
        self._gateway = gateway
        self._path = path
        self._field = field
        self._wait_ms = wait_ms
        self._gather_s = gather_ms / 1_000
        self._waiting: list[tuple[Tree, asyncio.Future[Answer]]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False

    async def send(self, order: Tree) -> Answer:
        """Send an order with those of the same moment; return its own answer."""
        if self._closed:
            return GIVEN_UP
        try:
            _ = orjson.dumps(order)  # one that cannot be written must fail alone
        except orjson.JSONEncodeError:
            return UNWRITABLE
        running = asyncio.get_running_loop()
        answer: asyncio.Future[Answer] = running.create_future()
        if not self._waiting and self._gather_s:
            _ = running.call_later(self._gather_s, self._depart)
        elif not self._waiting:
            _ = running.call_soon(self._depart)
        self._waiting.append((order, answer))
        return await answer

    async def close(self) -> None:
        """Give up what is on its way, and what comes later."""
        self._closed = True
        waiting, self._waiting = self._waiting, []
        _tell([answer for _, answer in waiting], [])
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _depart(self) -> None:
        waiting, self._waiting = self._waiting, []
        answers = [answer for _, answer in waiting]
        begin = 0
        for batch in batches(order for order, _ in waiting):
            end = begin + len(batch)
            task = asyncio.ensure_future(self._deliver(batch, answers[begin:end]))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            begin = end

    async def _deliver(
        self, batch: list[Tree], answers: list[asyncio.Future[Answer]]
    ) -> None:
        told: list[Answer] = []
        try:
            body = {self._field: batch}
            sent = await self._gateway.post(self._path, body, wait_ms=self._wait_ms)
            told = _results(sent, len(batch))
        finally:
            _tell(answers, told)


def _tell(answers: list[asyncio.Future[Answer]], told: list[Answer]) -> None:
    """Hand answers out; who has none is told that it was given up."""
    outcomes = told + [GIVEN_UP] * (len(answers) - len(told))
    for answer, outcome in zip(answers, outcomes, strict=True):
        if not answer.done():
            answer.set_result(outcome)


def _results(sent: Answer, count: int) -> list[Answer]:
    """Return an answer for each order; where the request failed, its error for each."""
    if isinstance(sent, Failure):
        return [sent] * count
    found = sent.unwrap().get("results")
    results: list[Any] = found if isinstance(found, list) else []
    if len(results) != count:
        cause = f"expected {count} results of the gateway, found {len(results)}"
        return [Failure(Unreachable(cause=cause))] * count
    return [_result(result) for result in results]


def _result(result: object) -> Result[Tree, PlatformError]:
    tree = cast("Tree", result) if isinstance(result, dict) else {}
    status, body = tree.get("status"), tree.get("body")
    if type(status) is not int or not isinstance(body, dict):
        return Failure(Unreachable(cause="a result of the gateway is not understood"))
    told = cast("Tree", body)
    if status in SUCCESS:
        return Success(told)
    return Failure(error_of(status, {}, told))
