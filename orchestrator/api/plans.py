"""Handlers that foresee: what an apply would do, and what is not as it was asked.

Both go through the whole fleet, which is a value. So they do it in a thread, and the
operator goes on meanwhile.
"""

from __future__ import annotations

import asyncio

from aiohttp import web
from returns.result import Failure

from orchestrator.api.asks import prune_of, revision_of
from orchestrator.api.bodies import folded_apart, read_body, refusal
from orchestrator.api.queries import Asked
from orchestrator.core.fleet_specs import FleetSpec
from orchestrator.runtime.masks import refused_masks
from orchestrator.runtime.operator import Operator

__all__ = ("Plans",)


class Plans:
    """Answers what would come of one operator's fleet; changes nothing."""

    def __init__(self, operator: Operator) -> None:
        """Ask *operator*."""
        self._operator = operator

    async def plan(self, request: web.Request, query: Asked) -> web.Response:
        """Say what it would change to make a fleet the declared one."""
        read = await read_body(request, FleetSpec)
        if isinstance(read, Failure):
            return refusal(read.failure())
        spec = read.unwrap()
        masked = await asyncio.to_thread(refused_masks, spec)
        if masked is not None:
            return refusal(masked)
        planned = await asyncio.to_thread(
            self._operator.plan,
            spec,
            expect_revision=revision_of(query["If-Match"]),
            prune=prune_of(query),
        )
        return await folded_apart(planned)

    async def diff(self, _: web.Request, __: Asked) -> web.Response:
        """Answer where what is believed differs from what is asked for."""
        return await folded_apart(await asyncio.to_thread(self._operator.drift))
