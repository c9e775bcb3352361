"""Handlers that look back: events, steps, timelines, the fleet over time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from aiohttp import web

from orchestrator.api import live
from orchestrator.api.bodies import answer, folded, refusal
from orchestrator.api.headers import SEQ_HEADER
from orchestrator.api.leaving import LEAVING, Broken, Leaving
from orchestrator.api.pages_of_events import AT_ONCE, Sieve, Wanted
from orchestrator.api.queries import Asked
from orchestrator.api.steps import told_step
from orchestrator.api.timelines import told_in_full
from orchestrator.codec.problems import invalid
from orchestrator.core.moments import Millis
from orchestrator.core.steps import Step
from orchestrator.replay.timelines.stretches import Timeline
from orchestrator.runtime.operator import Operator
from orchestrator.runtime.outcomes import settled
from orchestrator.runtime.stories import Telling

__all__ = ("Past",)

STREAMS: Final = ("text/event-stream", "application/x-ndjson")

SEQ_DIGITS: Final = 18
"""Digits of a row's number at most."""


class Past:
    """Answers what has happened to one operator's fleet."""

    def __init__(self, operator: Operator) -> None:
        """Look back on the fleet of *operator*."""
        self._operator = operator
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def events(self, request: web.Request, query: Asked) -> web.StreamResponse:
        """Answer a page of events, or stream them."""
        accepted = request.headers.get("Accept", "")
        if query["follow"] or any(media in accepted for media in STREAMS):
            return await live.stream(request, query, self._operator)
        return await self._page(query, request.app[LEAVING])

    async def _page(self, query: Asked, leaving: Leaving) -> web.Response:
        """Answer a page; a header says up to which row was looked."""
        after = query["after"]
        if after is None:
            first = await self._operator.feed.first()
            if not isinstance(first, int):
                return refusal(first)
            after = first - 1
        wanted = Wanted(names=query["name"], kinds=query["type"])
        sieve = Sieve(self._operator.feed, wanted, after, self._turns)
        wait_ms: Millis = query["wait_ms"]
        clock = asyncio.get_running_loop().time
        deadline = clock() + wait_ms / 1_000
        problem = await sieve.fill(query["limit"])
        while problem is None and not sieve.found and not sieve.is_tired:
            left_ms = round((deadline - clock()) * 1_000)
            if left_ms <= 0 or not query["limit"] or not self._operator.is_alive:
                break
            waiting = self._operator.events(sieve.seq, limit=1, wait_ms=left_ms)
            try:
                news = await leaving.waited(settled(waiting))
            except Broken:
                break
            if not isinstance(news, tuple):
                return refusal(news)
            problem = await sieve.fill(query["limit"])
        if problem is not None:
            return refusal(problem)
        response = answer(sieve.found)
        response.headers[SEQ_HEADER] = str(sieve.seq)
        return response

    async def step(self, request: web.Request, _: Asked) -> web.Response:
        """Explain one row."""
        text = request.match_info["seq"]
        if not (text.isascii() and text.isdigit() and len(text) <= SEQ_DIGITS):
            return refusal(invalid("path.seq", "the number of a row", text))
        step = await settled(self._operator.step(int(text)))
        if not isinstance(step, Step):
            return refusal(step)
        return answer(await asyncio.to_thread(told_step, int(text), step))

    async def timeline(self, request: web.Request, query: Asked) -> web.Response:
        """Tell what happened to one container."""
        name = request.match_info["name"]
        told = await settled(self._operator.timeline(name, _telling(request, query)))
        if not isinstance(told, Timeline):
            return refusal(told)
        return answer(await asyncio.to_thread(told_in_full, told))

    async def history(self, request: web.Request, query: Asked) -> web.Response:
        """Tell how the fleet stood over time."""
        telling = _telling(request, query)
        return await folded(self._operator.history(query["points"], telling))


def _telling(request: web.Request, query: Asked) -> Telling:
    """Return what is to be told, as long as who asked is still there."""
    return Telling(
        since=query["from"], until=query["until"], is_wanted=_is_there(request)
    )


def _is_there(request: web.Request) -> Callable[[], bool]:
    def is_there() -> bool:
        transport = request.transport
        return transport is not None and not transport.is_closing()

    return is_there
