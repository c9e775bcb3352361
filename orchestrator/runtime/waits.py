"""Operations that wait for the fleet to come somewhere, and reads of its journal."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable
from typing import Any, Final

import attrs
from returns.result import Failure, Result, Success

from orchestrator.core.commands import Command
from orchestrator.core.errors import (
    ContainerError,
    ContainerNotFound,
    JournalError,
    OperatorClosed,
    PartialReconcile,
    ReconcileFailed,
    TimedOut,
)
from orchestrator.core.events import FleetObserved, ReconcileRequested
from orchestrator.core.explain import ContainerInfo, container_info
from orchestrator.core.loads import LoadObserved
from orchestrator.core.moments import Millis
from orchestrator.core.phases import Unknown
from orchestrator.core.requests import Reconcile, Request
from orchestrator.core.state import Container, Fleet
from orchestrator.core.steps import Step
from orchestrator.core.tickets import Ticket
from orchestrator.runtime.decoding import decoded
from orchestrator.runtime.footing import Footing
from orchestrator.runtime.laggards import Laggards, restless
from orchestrator.runtime.outcomes import settled
from orchestrator.runtime.reports import (
    EventRecord,
    ReconcileReport,
    WaitFor,
    failure_of,
    has_reached,
    has_settled,
    outcomes_of,
    rolls_on,
)
from orchestrator.runtime.steps import Asked, Heard
from orchestrator.runtime.views import View

__all__ = (
    "Asker",
    "asked",
    "converge",
    "events",
    "not_yet",
    "reconcile",
    "until",
    "wait",
)

LOOKS_MAX: Final = 3
"""Looks beside the first, where each time another one had just begun."""


@attrs.frozen(kw_only=True)
class Asker:
    """Who asks for something, what for, and how it is told what became of it."""

    by: str
    why: str
    ticket: Ticket | None = None
    heard: Heard | None = None


async def until(
    engine: Footing, is_so: Callable[[], bool], limit_ms: Millis | None
) -> bool:
    """Wait until something is so, or the limit has passed, or the end has come."""

    def is_over() -> bool:
        return is_so() or engine.running.done()

    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(None if limit_ms is None else limit_ms / 1_000):
            async with engine.loop.turned:
                await engine.loop.turned.wait_for(is_over)
    return is_so()


def not_yet(engine: Footing, limit_ms: Millis | None) -> Result[Any, ContainerError]:
    """Say why a wait is over without what was waited for."""
    if engine.running.done():
        return Failure(engine.loop.fatal or OperatorClosed())
    return Failure(TimedOut(after_ms=limit_ms or 0))


def _info(engine: Footing, container: Container) -> ContainerInfo:
    return container_info(engine.loop.fleet, container, engine.loop.now())


async def events(
    engine: Footing, after: int | None, limit: int, wait_ms: Millis
) -> Result[tuple[EventRecord, ...], ContainerError]:
    """Read a page of events; wait for the first, if asked to."""
    if after is None:
        base = await settled(engine.journal.beginning())
        if isinstance(base, JournalError):
            return Failure(base)
        after = 0 if base is None else base.seq
    begin = after
    await until(engine, lambda: engine.loop.head.seq > begin, wait_ms)
    rows = await settled(engine.journal.read(after, limit))
    if not isinstance(rows, tuple):
        return Failure(rows)
    return decoded(rows).map(
        lambda events: tuple(
            EventRecord(seq=row.seq, event=event)
            for row, event in zip(rows, events, strict=True)
        )
    )


async def wait(
    engine: Footing, name: str, goal: WaitFor, limit_ms: Millis | None
) -> Result[ContainerInfo, ContainerError]:
    """Wait until a container is where it shall be, or cannot come there any more."""

    def answer() -> Result[ContainerInfo, ContainerError] | None:
        fleet = engine.loop.fleet
        container = fleet.containers.get(name)
        if container is None:
            return Failure(ContainerNotFound(name=name))
        if has_reached(fleet, container, goal):
            return Success(_info(engine, container))
        if goal not in {"ready", "completed"}:
            return None  # it may come there yet
        why = failure_of(fleet, container, engine.loop.now())
        return None if why is None else Failure(why)

    await until(engine, lambda: answer() is not None, limit_ms)
    return answer() or not_yet(engine, limit_ms)


async def converge(
    engine: Footing, limit_ms: Millis | None, steady_ms: Millis
) -> Result[tuple[ContainerInfo, ...], ContainerError]:
    """Wait until every container has come to where it stays, and has stayed there.

    So has every rollout, or it waits for its owner.
    A container without ports is ready as soon as it runs; one that dies at once must
    not pass for one that has come up.
    """
    left = Laggards(restless, has_settled)

    def is_so() -> bool:
        fleet = engine.loop.fleet
        return fleet.observed and not (rolls_on(fleet) or left.are_left(fleet))

    def is_not_so() -> bool:
        return not is_so()

    stays = False
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(None if limit_ms is None else limit_ms / 1_000):
            while not stays and await until(engine, is_so, None):
                stays = not await until(engine, is_not_so, steady_ms)
    if not stays:
        return not_yet(engine, limit_ms)
    loop = engine.loop
    seen = View(seq=loop.head.seq, at=loop.now(), fleet=loop.fleet)
    return Success(await asyncio.to_thread(seen.infos))  # a large fleet takes a while


async def asked(
    engine: Footing, request: Request | LoadObserved, heard: Heard | None
) -> Result[Asked, ContainerError]:
    """Make a request, and tell whoever wants to hear it what it came to."""
    answer = await settled(engine.loop.ask(request))
    if not isinstance(answer, Asked):
        return Failure(answer)
    if heard is not None:
        heard(answer)
    return Success(answer)


async def reconcile(
    engine: Footing, request: Reconcile, heard: Heard | None = None
) -> Result[ReconcileReport, ContainerError]:
    """Observe, and wait until the look is over and what it calls for is durable.

    One that was asked for before looks no second time: it is told how things stand. A
    look that was under way already shows nothing of what happened just before the
    request: there is another one, asked for anew.
    """
    over: list[FleetObserved] = []
    commands: list[Command] = []

    def watch(step: Step) -> None:
        commands.extend(step.commands)
        if isinstance(step.event, ReconcileRequested):
            over.clear()  # what was over before it is no answer
        elif isinstance(step.event, FleetObserved):
            over.append(step.event)

    engine.loop.watchers.append(watch)
    try:
        answer = await asked(engine, request, heard)
        if isinstance(answer, Failure):
            return answer
        if answer.unwrap().replayed:
            await until(engine, lambda: not engine.loop.fleet.observing, None)
            over.extend(_last_look(engine.loop.fleet))
            if not over:
                return Failure(ReconcileFailed(cause="no look was complete yet"))
        await until(engine, lambda: bool(over), None)
        for _ in range(LOOKS_MAX):
            if not (over and _began_before(answer.unwrap())):
                break
            over.clear()
            answer = await asked(engine, _once_more(request), None)
            if isinstance(answer, Failure):
                return answer
            await until(engine, lambda: bool(over), None)
    finally:
        engine.loop.watchers.remove(watch)
    if not over:
        return not_yet(engine, None)
    fleet = engine.loop.fleet
    return await asyncio.to_thread(_report, fleet, over[0], commands)


def _began_before(asked: Asked) -> bool:
    """Say whether the look that answers a request began before it was made."""
    began = asked.fleet.reconciled_at
    return not asked.replayed and began is not None and began < asked.at


def _once_more(request: Reconcile) -> Reconcile:
    why = request.why or "the look under way had begun before"
    return attrs.evolve(request, why=why, ticket=None)


def _last_look(fleet: Fleet) -> Iterable[FleetObserved]:
    """Return the newest complete look, as far as the fleet knows of it."""
    if fleet.observed and fleet.reconciled_at is not None:
        yield FleetObserved(
            at=fleet.reconciled_at, complete=True, strangers=fleet.strangers
        )


def _report(
    fleet: Fleet, look: FleetObserved, commands: list[Command]
) -> Result[ReconcileReport, ContainerError]:
    if not look.complete:
        return Failure(ReconcileFailed(cause=look.cause or "the look was partial"))
    lost = tuple(  # whoever is out of sight is not where he should be
        name
        for name in fleet.diverged
        if isinstance(fleet.containers[name].phase, Unknown)
    )
    if lost:
        seen = len(fleet.containers) - len(lost)
        return Failure(PartialReconcile(failed=lost, success_count=seen))
    return Success(
        ReconcileReport(
            observed_at=look.at,
            outcomes=outcomes_of(fleet, commands),
            strangers=tuple(look.strangers),
        )
    )
