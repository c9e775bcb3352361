"""Handlers that look: at the fleet, at a container, at the platform."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Final

import attrs
import orjson
from aiohttp import web
from multidict import CIMultiDict

from orchestrator.api import answers
from orchestrator.api.bodies import answer, folded, refusal, written
from orchestrator.api.counts import Tally
from orchestrator.api.following import Followed
from orchestrator.api.grants import GRANT
from orchestrator.api.headers import AT_HEADER, SEQ_HEADER
from orchestrator.api.leaving import LEAVING
from orchestrator.api.lists import listed, sent
from orchestrator.api.queries import Asked
from orchestrator.api.sheets import Sheets
from orchestrator.api.slices import sliced
from orchestrator.codec.schema import SCHEMA
from orchestrator.codec.wire import tree_of
from orchestrator.core.errors import ContainerError, ContainerNotFound
from orchestrator.core.state import RULES, Container
from orchestrator.core.table import Table
from orchestrator.runtime.leadership import Role
from orchestrator.runtime.masks import masked_spec
from orchestrator.runtime.operator import Operator
from orchestrator.runtime.outcomes import opened, settled
from orchestrator.runtime.reports import FleetConfig, WaitFor, config_of
from orchestrator.runtime.views import View

__all__ = ("Looks",)


_HEADERS: Final = CIMultiDict({"Content-Type": "application/json"})


class Looks:
    """Answers what can be seen of one operator."""

    def __init__(
        self, operator: Operator, version: str, tally: Followed[Tally], infos: Sheets
    ) -> None:
        """Look at *operator*; *version* is that of the release.

        *tally* counts its containers, *infos* are what is told of each.
        """
        self._operator = operator
        self._version = version
        self._feed = operator.feed
        self._tally = tally
        self._infos = infos
        self._reasons = Sheets(View.explain)

    async def fleet(self, _: web.Request, __: Asked) -> web.Response:
        """Answer the facts of the fleet."""
        operator = self._operator
        tally = await self._tally.now()
        fleet = operator.fleet
        error = operator.journal_error
        leads = operator.leadership
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
                ready=tally.ready,
                phases=Table.of(tally.phases.items()),
                observed=fleet.observed,
                observed_at=fleet.observed_at,
                strangers=tuple(fleet.strangers),
                hook_failures=operator.hook_failures,
                violations=operator.violations,
                can_write=GRANT.get() == "write" and leads.role is Role.LEADER,
                journal_error=None if error is None else error.message,
                role=leads.role,
                leader=leads.leader,
                leader_since=leads.since,
            )
        )

    async def container(self, request: web.Request, query: Asked) -> web.Response:
        """Answer one container."""
        return await self._one(request, query, self._infos)

    async def explain(self, request: web.Request, query: Asked) -> web.Response:
        """Say why a container is where it is."""
        return await self._one(request, query, self._reasons)

    async def _one(
        self, request: web.Request, query: Asked, sheets: Sheets
    ) -> web.Response:
        """Answer what is told of a container, now or ``at`` a place."""
        view = await self._view(query)
        if not isinstance(view, View):
            return refusal(view)
        name = request.match_info["name"]
        container = view.fleet.containers.get(name)
        if container is None:
            return _placed(refusal(ContainerNotFound(name=name)), view)
        if query["at"] is not None:
            sheets = sheets.blank()
        return _seen(sheets.text(view, container), view)

    async def _view(self, query: Asked) -> View | ContainerError:
        """Return the fleet as it is, or was ``at`` a place."""
        place = query["at"]
        if place is None:
            return self._feed.view()
        return await settled(self._operator.view(place))

    async def spec(self, request: web.Request, _: Asked) -> web.Response:
        """Answer a container as it is declared."""
        name = request.match_info["name"]
        found = self._operator.fleet.containers.get(name)
        if found is None:
            return refusal(ContainerNotFound(name=name))
        return answer(masked_spec(found.spec))

    async def config(self, request: web.Request, _: Asked) -> web.StreamResponse:
        """Answer the fleet as it is declared, a container after the other."""
        fleet = self._operator.fleet
        few = config_of(attrs.evolve(fleet, containers=Table[str, Container]()))
        specs = (each.spec for each in fleet.containers.values() if not each.leaving)
        texts = sliced(written(tree_of(masked_spec(spec))) for spec in specs)

        async def pieces() -> AsyncIterator[bytes]:
            before = "{"
            for field in attrs.fields(FleetConfig):
                yield f'{before}"{field.name}":'.encode()
                before = ","
                if field.name == "containers":
                    async for piece in listed(texts):
                        yield piece
                else:
                    yield written(tree_of(getattr(few, field.name)))
            yield b"}"

        return await sent(request, pieces(), CIMultiDict())

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


def _seen(text: bytes, view: View) -> web.Response:
    """Answer JSON, and which row and which moment it shows."""
    return _placed(web.Response(body=text, headers=_HEADERS), view)


def _placed(response: web.Response, view: View) -> web.Response:
    response.headers[SEQ_HEADER] = str(view.seq)
    response.headers[AT_HEADER] = str(view.at)
    return response
