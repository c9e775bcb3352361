"""The list of containers: all of them, or a page of those that somebody looks for.

Nothing here holds up the loop, however many there are: what is gone through is gone
through in slices, and what is long is sent while it is written. A list shows one
moment: the fleet that it began with, which is a value.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from itertools import dropwhile, islice
from typing import Final

from aiohttp import web
from multidict import CIMultiDict

from orchestrator.api.bodies import refusal
from orchestrator.api.headers import AT_HEADER, SEQ_HEADER, TOTAL_HEADER
from orchestrator.api.orders import Orders, look_of, ordered
from orchestrator.api.queries import Asked
from orchestrator.api.sheets import Sheets
from orchestrator.api.slices import Slice, sliced
from orchestrator.codec.problems import invalid
from orchestrator.core.circumstances import circumstances
from orchestrator.core.errors import ContainerError
from orchestrator.core.exits import exit_text
from orchestrator.core.explain import why
from orchestrator.core.phases import phase_name
from orchestrator.core.state import Container, Fleet
from orchestrator.runtime.operator import Operator
from orchestrator.runtime.outcomes import settled
from orchestrator.runtime.views import View

__all__ = ("Lists", "listed", "sent")

PIECE: Final = 262_144
"""Bytes of a list that are sent at once; what is no longer is sent as a whole."""

STALLED_S: Final = 60.0
"""Who takes nothing for so long has the connection ended."""

Fits = Callable[[Container], bool]


class Lists:
    """Answers lists of one operator's containers."""

    def __init__(self, operator: Operator, orders: Orders, infos: Sheets) -> None:
        """List the fleet of *operator*; *infos* are what is told of each."""
        self._operator = operator
        self._feed = operator.feed
        self._orders = orders
        self._infos = infos

    async def containers(
        self, request: web.Request, query: Asked
    ) -> web.StreamResponse:
        """Answer all containers, or a page of those that are looked for."""
        if query["after"] is not None and query["sort"] != "name":
            expected = "none where another order than that of names is asked for"
            return refusal(invalid("query.after", expected, query["after"]))
        seen = await self._seen(query)
        if isinstance(seen, ContainerError):
            return refusal(seen)
        view, names = seen
        chosen, total = await _chosen(view, names, query)
        sheets = self._infos if query["at"] is None else self._infos.blank()
        headers = CIMultiDict(
            {
                SEQ_HEADER: str(view.seq),
                AT_HEADER: str(view.at),
                TOTAL_HEADER: str(total),
            }
        )
        texts = sliced(sheets.texts(view, chosen))
        return await sent(request, listed(texts), headers)

    async def _seen(self, query: Asked) -> tuple[View, Iterator[str]] | ContainerError:
        """Return the fleet now, or ``at`` a place, and its names in order."""
        place, sort = query["at"], query["sort"]
        if place is not None:
            view = await settled(self._operator.view(place))
            if not isinstance(view, View):
                failure: ContainerError = view
                return failure
            return view, await ordered(view.fleet, sort, view.at)
        if not self._orders.are_kept(sort):
            view = self._feed.view()
            return view, await ordered(view.fleet, sort, view.at)
        names = await self._orders.names(sort)
        return self._feed.view(), names


async def _chosen(
    view: View, names: Iterator[str], query: Asked
) -> tuple[list[Container], int]:
    """Return the containers of a page, and how many there are on all pages."""
    after, begin, limit = query["after"], query["offset"], query["limit"]
    end = None if limit is None else begin + limit
    fleet, fits = view.fleet, _fits(view, query)
    if fits is None:
        behind = (
            names if after is None else dropwhile(lambda name: name <= after, names)
        )
        page = sliced(_each(fleet, islice(behind, begin, end)))
        return [container async for container in page], len(fleet.containers)
    known = _named(query) if query["sort"] == "name" else None
    chosen: list[Container] = []
    total, now = 0, Slice()
    for container in _each(fleet, names if known is None else known):
        if fits(container):
            total += 1
            if after is None or container.name > after:
                chosen.append(container)
        if now.is_over:
            await now.turn()
    return chosen[begin:end], total


def _each(fleet: Fleet, names: Iterable[str]) -> Iterator[Container]:
    """Yield the containers of some names that there are."""
    containers = fleet.containers
    return (found for name in names if (found := containers.get(name)) is not None)


def _named(query: Asked) -> list[str] | None:
    """Return the only names there can be, in order; None where patterns are given."""
    names: tuple[str, ...] = query["name"]
    if not names or any(name.endswith("*") for name in names):
        return None
    return sorted({*names})


def _fits(view: View, query: Asked) -> Fits | None:
    """Return what a container must be; None where any is looked for."""
    phases, looks = frozenset(query["phase"]), frozenset(query["look"])
    names, words = query["name"], query["q"].lower().split()
    revision = query["revision"]
    if not (phases or looks or names or words or revision is not None):
        return None
    exact = frozenset(name for name in names if not name.endswith("*"))
    begins = tuple(name[:-1] for name in names if name.endswith("*"))

    def fits(container: Container) -> bool:
        name = container.name
        if names and name not in exact and not name.startswith(begins):
            return False
        if phases and phase_name(container.phase) not in phases:
            return False
        if looks and look_of(container) not in looks:
            return False
        if revision is not None and container.revision != revision:
            return False
        return not words or _says(view, container, words)

    return fits


def _says(view: View, container: Container, words: list[str]) -> bool:
    """Say whether name, reason and last exit of a container hold all words."""
    name = container.name.lower()
    missing = [word for word in words if word not in name]
    if not missing:
        return True
    last = "" if container.last is None else exit_text(container.last.exit)
    told = why(container, view.at) + circumstances(view.fleet, container)
    text = f"{name} {told} {last}".lower()
    return all(word in text for word in missing)


async def listed(texts: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield the pieces of a list of JSON, whose items are written already."""
    before = b"["
    async for text in texts:
        yield before + text
        before = b","
    yield b"[]" if before == b"[" else b"]"


async def sent(
    request: web.Request, pieces: AsyncIterator[bytes], headers: CIMultiDict[str]
) -> web.StreamResponse:
    """Send JSON that is written in pieces: at once where it is short.

    Who does not take a piece in time, and who is still there when this one is broken
    off, has the connection ended: half an answer is none.
    """
    headers["Content-Type"] = "application/json"
    held, size = list[bytes](), 0
    async for piece in pieces:
        held.append(piece)
        size += len(piece)
        if size >= PIECE:
            break
    else:
        return web.Response(body=b"".join(held), headers=headers)
    response = web.StreamResponse(headers=headers)
    await response.prepare(request)
    if request.method == "HEAD":
        return response
    try:
        await _write(response, held)
        held, size = [], 0
        async for piece in pieces:
            held.append(piece)
            size += len(piece)
            if size >= PIECE:
                await _write(response, held)
                held, size = [], 0
        await _write(response, held)
        await response.write_eof()
    except ConnectionError:
        pass  # who asked has gone
    except BaseException:
        if request.transport is not None:
            request.transport.abort()
        raise
    return response


async def _write(response: web.StreamResponse, held: list[bytes]) -> None:
    async with asyncio.timeout(STALLED_S):
        await response.write(b"".join(held))
