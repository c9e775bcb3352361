"""Handlers about services and orphans: how many replicas, and whose a stranger is."""

from __future__ import annotations

import asyncio

from aiohttp import web
from returns.result import Failure

from orchestrator.api.asks import Asks
from orchestrator.api.bodies import (
    AdoptBody,
    LoadBody,
    ScaleBody,
    answer,
    folded,
    read_body,
    refusal,
)
from orchestrator.api.queries import Asked
from orchestrator.runtime.outcomes import settled
from orchestrator.runtime.scales import services_of
from orchestrator.runtime.views import View

__all__ = ("Serving",)


class Serving(Asks):
    """Asks one operator for what a caller wants, also of services and orphans."""

    async def services(self, _: web.Request, query: Asked) -> web.Response:
        """Answer the services, and how many replicas of each there are."""
        view = await settled(self._operator.view(query["at"]))
        if not isinstance(view, View):
            return refusal(view)
        return await asyncio.to_thread(lambda: answer(services_of(view)))

    async def scale(self, request: web.Request, query: Asked) -> web.Response:
        """Have a service run so many replicas."""
        name = request.match_info["name"]
        return await self._of_body(
            request,
            query,
            ScaleBody,
            lambda asked, said: self._operator.scale(name, asked.replicas, **said),
        )

    async def load(self, request: web.Request, _: Asked) -> web.Response:
        """Take in what a service bears."""
        read = await read_body(request, LoadBody)
        if isinstance(read, Failure):
            return refusal(read.failure())
        name, told = request.match_info["name"], read.unwrap()
        return await self._without_key(
            request,
            lambda heard: self._operator.observe_load(name, told.load, heard=heard),
        )

    async def orphans(self, _: web.Request, __: Asked) -> web.Response:
        """Answer what the platform has and the fleet does not know."""
        return await folded(self._operator.list_orphans())

    async def adopt(self, request: web.Request, query: Asked) -> web.Response:
        """Make an orphan a container of the fleet."""
        name = request.match_info["name"]
        return await self._of_body(
            request,
            query,
            AdoptBody,
            lambda asked, said: self._operator.adopt(
                name, service=asked.service, **said
            ),
        )

    async def stop_orphan(self, request: web.Request, query: Asked) -> web.Response:
        """End an orphan."""
        return await self._of_container(request, query, self._operator.stop_orphan)
