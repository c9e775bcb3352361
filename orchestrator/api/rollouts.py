"""Handlers about rollouts: where each is, what was before, and what is asked of it."""

from __future__ import annotations

import asyncio

from aiohttp import web

from orchestrator.api.asks import Asks
from orchestrator.api.bodies import UndoBody, answer, folded, refusal
from orchestrator.api.queries import Asked
from orchestrator.core.lineages import RolloutAction
from orchestrator.core.rollout_info import rollout_infos
from orchestrator.runtime.outcomes import settled
from orchestrator.runtime.views import View

__all__ = ("Rollouts",)


class Rollouts(Asks):
    """Answers and asks what concerns the rollouts of one operator's services."""

    async def rollouts(self, _: web.Request, query: Asked) -> web.Response:
        """Answer the newest rollout of each service that had one."""
        view = await settled(self._operator.view(query["at"]))
        if not isinstance(view, View):
            return refusal(view)
        return await asyncio.to_thread(
            lambda: answer(rollout_infos(view.fleet, view.at))
        )

    async def rollout(self, request: web.Request, query: Asked) -> web.Response:
        """Answer the newest rollout of a service."""
        name = request.match_info["name"]
        return await folded(self._operator.get_rollout(name, at=query["at"]))

    async def rollout_history(self, request: web.Request, _: Asked) -> web.Response:
        """Answer the revisions and the rollouts of a service."""
        name = request.match_info["name"]
        return await folded(self._operator.rollout_history(name))

    async def start_rollout(self, request: web.Request, query: Asked) -> web.Response:
        """Roll a service out anew, or once more."""
        return await self._roll(request, query, RolloutAction.START)

    async def pause_rollout(self, request: web.Request, query: Asked) -> web.Response:
        """Have a rollout wait."""
        return await self._roll(request, query, RolloutAction.PAUSE)

    async def resume_rollout(self, request: web.Request, query: Asked) -> web.Response:
        """Have a rollout go on."""
        return await self._roll(request, query, RolloutAction.RESUME)

    async def promote_rollout(self, request: web.Request, query: Asked) -> web.Response:
        """Have a rollout go on to its next step."""
        return await self._roll(request, query, RolloutAction.PROMOTE)

    async def abort_rollout(self, request: web.Request, query: Asked) -> web.Response:
        """Have a rollout go back."""
        return await self._roll(request, query, RolloutAction.ABORT)

    async def undo_rollout(self, request: web.Request, query: Asked) -> web.Response:
        """Roll a service out to an earlier revision."""
        name = request.match_info["name"]
        return await self._of_body(
            request,
            query,
            UndoBody,
            lambda asked, said: self._operator.rollout(
                name, RolloutAction.UNDO, to=asked.to, **said
            ),
        )

    async def _roll(
        self, request: web.Request, query: Asked, action: RolloutAction
    ) -> web.Response:
        return await self._of_container(
            request,
            query,
            lambda name, **said: self._operator.rollout(name, action, **said),
        )
