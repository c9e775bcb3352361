"""Asking containers whether they are well, over the gateway.

Questions of one moment that give the same time go in one request: it costs less, and
is answered when the last of them is. Those that give another time do not wait for it.
They have connections of their own: containers that take long hold up no order.
"""

from __future__ import annotations

from typing import Final

from returns.result import Failure, Result

from orchestrator.core.errors import PlatformError
from orchestrator.core.moments import Millis
from orchestrator.platforms.cloudflare.dispatch import Dispatch
from orchestrator.platforms.cloudflare.http import Gateway
from orchestrator.platforms.cloudflare.questions import (
    question_body,
    reply_of,
    time_of,
)
from orchestrator.platforms.port import Question, Reply

__all__ = ("Inquiry",)

GATHER_MS: Final[Millis] = 100
"""How long a question waits for others: the container's own time begins later."""


class Inquiry:
    """Gathers questions by the time they give, sends them, reads the answers."""

    def __init__(self, gateway: Gateway, fleet: str) -> None:
        """Ask the containers of *fleet*; the *gateway* is for this alone."""
        self._gateway = gateway
        self._path = f"fleets/{fleet}/probe"
        self._by_time: dict[Millis, Dispatch] = {}

    async def ask(self, question: Question) -> Result[Reply, PlatformError]:
        """Ask a question with those of the same moment; return its own answer."""
        body = question_body(question)
        if isinstance(body, Failure):
            return Failure(body.failure())
        answered = await self._dispatch(time_of(question)).send(body.unwrap())
        return answered.bind(lambda tree: reply_of(question, tree))

    async def close(self) -> None:
        """Give up what is on its way, and what comes later."""
        for dispatch in self._by_time.values():
            await dispatch.close()
        await self._gateway.close()

    def _dispatch(self, time_ms: Millis) -> Dispatch:
        if time_ms not in self._by_time:
            self._by_time[time_ms] = Dispatch(
                self._gateway,
                self._path,
                field="questions",
                wait_ms=time_ms,
                gather_ms=GATHER_MS,
            )
        return self._by_time[time_ms]
