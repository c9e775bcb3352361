"""Handlers that change something: each asks the operator, and says what came of it.

A request that carries an idempotency key is done at most once: the key and a digest of
what is asked go with it, and are durable together with its event.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from typing import Any, TypeVar

import attrs
from aiohttp import web
from returns.future import FutureResult
from returns.result import Failure, Result, Success

from orchestrator.api.answers import Applied
from orchestrator.api.bodies import (
    AdoptBody,
    Asking,
    ScaleBody,
    StartBody,
    UndoBody,
    answer,
    read_body,
    refusal,
    written,
)
from orchestrator.api.headers import KEY_HEADER, REPLAYED_HEADER, SEQ_HEADER
from orchestrator.api.leaving import LEAVING, Broken
from orchestrator.api.queries import Asked as Query
from orchestrator.codec.problems import invalid
from orchestrator.codec.wire import tree_of
from orchestrator.core.errors import ContainerError, InvalidSpec, OperatorClosed
from orchestrator.core.fleet_specs import FleetSpec
from orchestrator.core.origins import Prune
from orchestrator.core.tickets import Ticket
from orchestrator.runtime.masks import refused_masks
from orchestrator.runtime.operator import Operator
from orchestrator.runtime.outcomes import opened
from orchestrator.runtime.steps import Asked, Heard

__all__ = ("Asks", "prune_of", "revision_of")

T = TypeVar("T")
B = TypeVar("B", Asking, ScaleBody, AdoptBody, UndoBody)


@attrs.define
class _Wish:
    """A request on its way: its ticket, and what it came to, once it is durable."""

    ticket: Ticket | None
    asked: Asked | None = None

    def heard(self, asked: Asked) -> None:
        """Take down what the request came to."""
        self.asked = asked


class Asks:
    """Asks one operator for what a caller wants."""

    def __init__(self, operator: Operator, end: Callable[[], None] | None) -> None:
        """Ask *operator*; *end* is called when all is down."""
        self._operator = operator
        self._end = end

    async def start(self, request: web.Request, query: Query) -> web.Response:
        """Start a container."""
        read = await _read(request, query, StartBody)
        if isinstance(read, Failure):
            return refusal(read.failure())
        (asked, wish), name = read.unwrap(), request.match_info["name"]
        if asked.spec is not None and asked.spec.name != name:
            return refusal(invalid("$.spec.name", repr(name), asked.spec.name))
        masked = _masked(asked)
        if masked is not None:
            return refusal(masked)
        operation = self._operator.start_container(
            asked.spec or name,
            None if asked.config is None else dict(asked.config.items()),
            asked.restart,
            command=asked.command,
            force=asked.force,
            by=asked.by,
            why=asked.why,
            ticket=wish.ticket,
            heard=wish.heard,
        )
        return await self._told(request, operation, wish)

    async def stop(self, request: web.Request, query: Query) -> web.Response:
        """Stop a container."""
        return await self._of_container(request, query, self._operator.stop_container)

    async def restart(self, request: web.Request, query: Query) -> web.Response:
        """Restart a container."""
        return await self._of_container(
            request, query, self._operator.restart_container
        )

    async def reset(self, request: web.Request, query: Query) -> web.Response:
        """Clear a crash history."""
        return await self._of_container(
            request, query, self._operator.clear_crash_history
        )

    async def remove(self, request: web.Request, query: Query) -> web.Response:
        """Remove a container."""
        return await self._of_container(request, query, self._operator.remove_container)

    async def _of_container(
        self,
        request: web.Request,
        query: Query,
        operation: Callable[..., FutureResult[Any, ContainerError]],
    ) -> web.Response:
        name = request.match_info["name"]
        return await self._of_body(
            request, query, Asking, lambda _, said: operation(name, **said)
        )

    async def _of_body(
        self,
        request: web.Request,
        query: Query,
        kind: type[B],
        operation: Callable[[B, dict[str, Any]], FutureResult[Any, ContainerError]],
    ) -> web.Response:
        """Ask for what a body says; who asks, and what for, is the second argument."""
        read = await _read(request, query, kind)
        if isinstance(read, Failure):
            return refusal(read.failure())
        asked, wish = read.unwrap()
        return await self._told(request, operation(asked, _said(asked, wish)), wish)

    async def apply(self, request: web.Request, query: Query) -> web.Response:
        """Make a fleet the declared one."""
        read = await _read(request, query, FleetSpec)
        if isinstance(read, Failure):
            return refusal(read.failure())
        spec, wish = read.unwrap()
        masked = await asyncio.to_thread(refused_masks, spec)
        if masked is not None:
            return refusal(masked)
        applied = self._operator.apply(
            spec,
            expect_revision=revision_of(query["If-Match"]),
            prune=prune_of(query),
            by=query["by"],
            why=query["why"],
            ticket=wish.ticket,
            heard=wish.heard,
        )
        operation = applied.map(lambda at: Applied(revision=at))
        return await self._told(request, operation, wish)

    async def reconcile(self, request: web.Request, query: Query) -> web.Response:
        """Observe now."""
        read = await _read(request, query, Asking)
        if isinstance(read, Failure):
            return refusal(read.failure())
        asked, wish = read.unwrap()
        operation = self._operator.reconcile(**_said(asked, wish))
        return await self._told(request, operation, wish)

    async def down(self, request: web.Request, query: Query) -> web.Response:
        """Stop everything, then end the operator, unless it is needed again.

        Where this was asked for before, somebody may have started something since: what
        runs keeps its operator.
        """
        read = await _read(request, query, Asking)
        if isinstance(read, Failure):
            return refusal(read.failure())
        asked, wish = read.unwrap()
        operation = self._operator.down(**_said(asked, wish))
        response = await self._told(request, operation, wish)
        is_over = response.status == web.HTTPOk.status_code and self._is_down(wish)
        if is_over and self._end is not None:
            asyncio.get_running_loop().call_soon(self._end)
        return response

    def _is_down(self, wish: _Wish) -> bool:
        """Say whether nothing needs the operator any more."""
        is_replayed = wish.asked is not None and wish.asked.replayed
        return self._operator.is_down(wish.ticket if is_replayed else None)

    async def _without_key(
        self,
        request: web.Request,
        operation: Callable[[Heard], FutureResult[Any, ContainerError]],
    ) -> web.Response:
        """Ask for what may be done twice as well as once."""
        wish = _Wish(None)
        return await self._told(request, operation(wish.heard), wish)

    async def _told(
        self,
        request: web.Request,
        operation: FutureResult[Any, ContainerError],
        wish: _Wish,
    ) -> web.Response:
        """Wait for what was asked, and say which row holds it.

        Where the operator leaves before it has come to its end, that is the answer:
        asked again with the same key, the next operator goes on with it.
        """
        try:
            outcome = opened(await request.app[LEAVING].answered(operation))
        except Broken:
            outcome = OperatorClosed()
        refused = isinstance(outcome, ContainerError)
        response = refusal(outcome) if refused else answer(outcome)
        seq = self._operator.seq if wish.asked is None else wish.asked.seq
        response.headers[SEQ_HEADER] = str(seq)
        if wish.asked is not None and wish.asked.replayed:
            response.headers[REPLAYED_HEADER] = "true"
        return response


def _masked(asked: StartBody) -> InvalidSpec | None:
    """Refuse a start that brings what is only shown in the place of a secret."""
    for place, part in (
        ("$.spec", asked.spec),
        ("$.config", asked.config),
        ("$.command", asked.command),
    ):
        found = None if part is None else refused_masks(part, place)
        if found is not None:
            return found
    return None


def _said(
    asked: Asking | ScaleBody | AdoptBody | UndoBody, wish: _Wish
) -> dict[str, Any]:
    """Return who asks, and what for, as operations of the library take it."""
    return {
        "by": asked.by,
        "why": asked.why,
        "ticket": wish.ticket,
        "heard": wish.heard,
    }


async def _read(
    request: web.Request, query: Query, kind: type[T]
) -> Result[tuple[T, _Wish], InvalidSpec]:
    """Read the body of a request, and the ticket that its key stands for."""
    body = await read_body(request, kind)
    if isinstance(body, Failure):
        return Failure(body.failure())
    key: str | None = query[KEY_HEADER]
    if key is None:
        return Success((body.unwrap(), _Wish(None)))
    ticket = Ticket(key=key, digest=_digest(request, query, body.unwrap()))
    return Success((body.unwrap(), _Wish(ticket)))


def _digest(request: web.Request, query: Query, body: object) -> str:
    """Name what is asked: method, path, expected revision, and the body in one form.

    Where it is the query that says who asks, what for, and how, it counts as well.
    """
    expected = revision_of(query.get("If-Match"))
    asked = f"{request.method} {request.path} {expected} "
    if query.get("by", "owner") != "owner" or query.get("why"):
        asked += f"{query['by']!r} {query['why']!r} "
    if query.get("prune"):
        asked += f"prune={query['prune']} "
    told = asked.encode(errors="backslashreplace") + written(tree_of(body))
    return hashlib.sha256(told).hexdigest()


def revision_of(tag: str | None) -> int | None:
    """Return the revision that a caller expects; None or a star: any.

    >>> revision_of('"7"'), revision_of("*")
    (7, None)

    """
    return None if tag is None or tag == "*" else int(tag.strip('"'))


def prune_of(query: Query) -> Prune | None:
    """Return what shall become of what is not declared any more; None: as is usual."""
    said: str | None = query["prune"]
    return None if said is None else Prune(said)
