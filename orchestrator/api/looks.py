"""Handlers that look: at the fleet, at a container, at the platform."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import orjson
from aiohttp import web
from returns.future import FutureResult
from returns.result import Result, Success

from orchestrator.api import answers
from orchestrator.api.bodies import answer, folded, refusal
from orchestrator.api.grants import GRANT
from orchestrator.api.headers import AT_HEADER, SEQ_HEADER
from orchestrator.api.leaving import LEAVING
from orchestrator.api.queries import Asked
from orchestrator.codec.schema import SCHEMA
from orchestrator.codec.wire import tree_of
from orchestrator.core.errors import ContainerError, ContainerNotFound
from orchestrator.core.explain import ContainerInfo, container_info
from orchestrator.core.phases import Running, phase_name
from orchestrator.core.state import RULES, Fleet
from orchestrator.core.table import Table
from orchestrator.runtime.masks import masked_spec
from orchestrator.runtime.operator import Operator
from orchestrator.runtime.outcomes import opened
from orchestrator.runtime.reports import WaitFor
from orchestrator.runtime.views import View

__all__ = ("Looks",)


class Looks:
    """Answers what can be seen of one operator."""

    def __init__(self, operator: Operator, version: str) -> None:
        """Look at *operator*; *version* is that of the release."""
        self._operator = operator
        self._version = version
        self._counted: tuple[Fleet | None, Table[str, int], int] = (None, Table(), 0)

    async def fleet(self, _: web.Request, __: Asked) -> web.Response:
        """Answer the facts of the fleet."""
        operator = self._operator
        fleet = operator.fleet
        phases, ready = self._counts(fleet)
        error = operator.journal_error
        return answer(
            answers.FleetFacts(
                name=fleet.name,
                version=self._version,
                revision=fleet.revision,
                epoch=fleet.epoch,
                rules=RULES,
                schema=SCHEMA,
                seq=operator.seq,
                at=operator.now,
                containers=len(fleet.containers),
                ready=ready,
                phases=phases,
                observed=fleet.observed,
                observed_at=fleet.observed_at,
                strangers=tuple(fleet.strangers),
                hook_failures=operator.hook_failures,
                violations=operator.violations,
                can_write=GRANT.get() == "write",
                journal_error=None if error is None else error.message,
            )
        )

    def _counts(self, fleet: Fleet) -> tuple[Table[str, int], int]:
        """Count phases, once for each fleet that there is."""
        if self._counted[0] is not fleet:
            counts: dict[str, int] = {}
            ready = 0
            for container in fleet.containers.values():
                phase = container.phase
                counts[phase_name(phase)] = counts.get(phase_name(phase), 0) + 1
                ready += isinstance(phase, Running) and phase.ready_at is not None
            self._counted = (fleet, Table.of(counts.items()), ready)
        return self._counted[1:]

    async def containers(self, _: web.Request, query: Asked) -> web.Response:
        """Answer all containers, or those of some phases or names."""
        phases, names = query["phase"], query["name"]
        return await self._seen(
            query, lambda view: Success(_chosen(view, phases, names))
        )

    async def container(self, request: web.Request, query: Asked) -> web.Response:
        """Answer one container."""
        name = request.match_info["name"]
        return await self._seen(query, lambda view: view.info(name))

    async def explain(self, request: web.Request, query: Asked) -> web.Response:
        """Say why a container is where it is."""
        name = request.match_info["name"]
        return await self._seen(query, lambda view: view.explain(name))

    async def _seen(
        self, query: Asked, look: Callable[[View], Result[Any, ContainerError]]
    ) -> web.Response:
        """Answer from the fleet as it is, or was ``at`` a place; say which it was."""
        view = opened(await self._operator.view(query["at"]))
        if isinstance(view, ContainerError):
            return refusal(view)
        response = await folded(FutureResult.from_result(look(view)))
        response.headers[SEQ_HEADER] = str(view.seq)
        response.headers[AT_HEADER] = str(view.at)
        return response

    async def spec(self, request: web.Request, _: Asked) -> web.Response:
        """Answer a container as it is declared."""
        name = request.match_info["name"]
        found = self._operator.fleet.containers.get(name)
        if found is None:
            return refusal(ContainerNotFound(name=name))
        return answer(masked_spec(found.spec))

    async def config(self, _: web.Request, __: Asked) -> web.Response:
        """Answer the fleet as it is declared."""
        return await folded(self._operator.get_config())

    async def platform(self, _: web.Request, __: Asked) -> web.Response:
        """Answer what the platform says."""
        return await folded(self._operator.platform_details())

    async def wait(self, request: web.Request, query: Asked) -> web.Response:
        """Answer when a container is where it is waited for."""
        name = request.match_info["name"]
        goal: WaitFor = query["for"]
        return await folded(self._operator.wait(name, goal, limit_ms=query["limit_ms"]))

    async def log(self, request: web.Request, query: Asked) -> web.StreamResponse:
        """Stream the lines of a container's log, a JSON object a line."""
        name = request.match_info["name"]
        found = opened(await self._operator.get_container_info(name))
        if isinstance(found, ContainerError):
            return refusal(found)
        response = web.StreamResponse()
        response.content_type = "application/x-ndjson"
        await response.prepare(request)
        with contextlib.suppress(ConnectionResetError):
            lines = self._operator.log(name, follow=query["follow"])
            async for line in request.app[LEAVING].until_then(lines):
                await response.write(orjson.dumps(tree_of(line)) + b"\n")
            await response.write_eof()
        return response


def _chosen(
    view: View, phases: tuple[str, ...], names: tuple[str, ...]
) -> tuple[ContainerInfo, ...]:
    """Return the containers of some phases and names; none named: all of them."""
    if not phases and not names:
        return view.infos()
    fleet = view.fleet
    return tuple(
        container_info(fleet, container, view.at)
        for name, container in fleet.containers.items()
        if (not phases or phase_name(container.phase) in phases)
        and (not names or any(_is_named(name, pattern) for pattern in names))
    )


def _is_named(name: str, pattern: str) -> bool:
    """Say whether a name is a pattern's; only a star at the end means anything.

    >>> _is_named("web-1", "web-*"), _is_named("web-1", "web")
    (True, False)

    """
    return name.startswith(pattern[:-1]) if pattern.endswith("*") else name == pattern
