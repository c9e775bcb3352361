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
from orchestrator.core.events import FleetObserved
from orchestrator.core.explain import ContainerInfo, container_info
from orchestrator.core.moments import Millis, Moment
from orchestrator.core.needs import chain_length
from orchestrator.core.phases import Unknown
from orchestrator.core.requests import Apply, Reconcile, Request, Stop
from orchestrator.core.specs import FleetSpec, Origin, Prune
from orchestrator.core.state import Container, Fleet
from orchestrator.core.steps import Step
from orchestrator.core.tickets import Ticket
from orchestrator.runtime.boot import Engine
from orchestrator.runtime.outcomes import settled
from orchestrator.runtime.recovery import decoded
from orchestrator.runtime.reports import (
    EventRecord,
    ReconcileReport,
    WaitFor,
    failure_of,
    has_reached,
    has_settled,
    is_at_rest,
    outcomes_of,
)
from orchestrator.runtime.steps import Asked, Heard

__all__ = (
    "Asker",
    "asked",
    "converge",
    "down",
    "events",
    "is_down",
    "reconcile",
    "wait",
)

DOWN_MARGIN_MS: Final[Millis] = 30_000
"""Beyond the longest grace, for everything to come down."""


@attrs.frozen(kw_only=True)
class Asker:
    """Who asks for something, what for, and how it is told what became of it."""

    by: str
    why: str
    ticket: Ticket | None = None
    heard: Heard | None = None


async def _until(
    engine: Engine, is_so: Callable[[], bool], limit_ms: Millis | None
) -> bool:
    """Wait until something is so, or the limit has passed, or the end has come."""

    def is_over() -> bool:
        return is_so() or engine.running.done()

    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(None if limit_ms is None else limit_ms / 1_000):
            async with engine.loop.turned:
                await engine.loop.turned.wait_for(is_over)
    return is_so()


def _not_yet(engine: Engine, limit_ms: Millis | None) -> Result[Any, ContainerError]:
    if engine.running.done():
        return Failure(engine.loop.fatal or OperatorClosed())
    return Failure(TimedOut(after_ms=limit_ms or 0))


def _info(engine: Engine, container: Container) -> ContainerInfo:
    return container_info(engine.loop.fleet, container, engine.loop.now())


async def events(
    engine: Engine, after: int | None, limit: int, wait_ms: Millis
) -> Result[tuple[EventRecord, ...], ContainerError]:
    """Read a page of events; wait for the first, if asked to."""
    if after is None:
        base = await settled(engine.journal.beginning())
        if isinstance(base, JournalError):
            return Failure(base)
        after = 0 if base is None else base.seq
    begin = after
    await _until(engine, lambda: engine.loop.head.seq > begin, wait_ms)
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
    engine: Engine, name: str, goal: WaitFor, limit_ms: Millis | None
) -> Result[ContainerInfo, ContainerError]:
    """Wait until a container is where it shall be, or cannot come there any more."""

    def answer() -> Result[ContainerInfo, ContainerError] | None:
        container = engine.loop.fleet.containers.get(name)
        if container is None:
            return Failure(ContainerNotFound(name=name))
        if has_reached(container, goal):
            return Success(_info(engine, container))
        why = None if goal == "stopped" else failure_of(container, engine.loop.now())
        return None if why is None else Failure(why)

    await _until(engine, lambda: answer() is not None, limit_ms)
    return answer() or _not_yet(engine, limit_ms)


async def converge(
    engine: Engine, limit_ms: Millis | None, steady_ms: Millis
) -> Result[tuple[ContainerInfo, ...], ContainerError]:
    """Wait until every container has come to where it stays, and has stayed there.

    A container without ports is ready as soon as it runs; one that dies at once must
    not pass for one that has come up.
    """

    def is_so() -> bool:
        fleet = engine.loop.fleet
        return fleet.observed and all(map(has_settled, fleet.containers.values()))

    def is_not_so() -> bool:
        return not is_so()

    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(None if limit_ms is None else limit_ms / 1_000):
            while await _until(engine, is_so, None):
                if await _until(engine, is_not_so, steady_ms):
                    continue
                containers = engine.loop.fleet.containers.values()
                return Success(tuple(_info(engine, each) for each in containers))
    return _not_yet(engine, limit_ms)


async def asked(
    engine: Engine, request: Request, heard: Heard | None
) -> Result[Asked, ContainerError]:
    """Make a request, and tell whoever wants to hear it what it came to."""
    answer = await settled(engine.loop.ask(request))
    if not isinstance(answer, Asked):
        return Failure(answer)
    if heard is not None:
        heard(answer)
    return Success(answer)


async def reconcile(
    engine: Engine, request: Reconcile, heard: Heard | None = None
) -> Result[ReconcileReport, ContainerError]:
    """Observe, and wait until the look is over and what it calls for is durable.

    One that was asked for before looks no second time: it is told how things stand.
    """
    over: list[FleetObserved] = []
    commands: list[Command] = []

    def watch(step: Step) -> None:
        commands.extend(step.commands)
        if isinstance(step.event, FleetObserved):
            over.append(step.event)

    engine.loop.watchers.append(watch)
    try:
        answer = await asked(engine, request, heard)
        if isinstance(answer, Failure):
            return answer
        if answer.unwrap().replayed:
            await _until(engine, lambda: not engine.loop.fleet.observing, None)
            over.extend(_last_look(engine.loop.fleet))
            if not over:
                return Failure(ReconcileFailed(cause="no look was complete yet"))
        await _until(engine, lambda: bool(over), None)
    finally:
        engine.loop.watchers.remove(watch)
    return _report(engine, over[0], commands) if over else _not_yet(engine, None)


def _last_look(fleet: Fleet) -> Iterable[FleetObserved]:
    """Return the newest complete look, as far as the fleet knows of it."""
    if fleet.observed and fleet.reconciled_at is not None:
        yield FleetObserved(
            at=fleet.reconciled_at, complete=True, strangers=fleet.strangers
        )


def _report(
    engine: Engine, look: FleetObserved, commands: list[Command]
) -> Result[ReconcileReport, ContainerError]:
    if not look.complete:
        return Failure(ReconcileFailed(cause=look.cause or "the look was partial"))
    fleet = engine.loop.fleet
    lost = tuple(
        name
        for name, container in fleet.containers.items()
        if isinstance(container.phase, Unknown)
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


async def down(engine: Engine, asker: Asker) -> Result[None, ContainerError]:
    """Stop everything, and wait until nothing runs any more.

    Asked for again with the same ticket it goes on where it was interrupted, and
    leaves alone what somebody has started since. Those who depend on others go first.
    """
    fleet = engine.loop.fleet
    if asker.ticket is None or asker.ticket.key not in fleet.tickets.used:
        dependents = (c for c in fleet.containers.values() if c.spec.depends_on)
        failed = await _stop_ad_hoc(engine, asker, dependents)
        if failed is not None:
            return Failure(failed)
    chain = chain_length(fleet)
    graces = [container.spec.stop_grace_ms for container in fleet.containers.values()]
    settings = attrs.evolve(fleet.settings, prune=Prune.STOP)
    empty = FleetSpec(name=fleet.name, settings=settings)
    by, why = asker.by, asker.why
    request = Apply(spec=empty, by=by, why=why, ticket=asker.ticket)
    applied = await asked(engine, request, asker.heard)
    if isinstance(applied, Failure):
        return applied
    since = _first_asked(applied.unwrap(), asker.ticket)
    older = (c for c in fleet.containers.values() if not _is_newer(c, since))
    failed = await _stop_ad_hoc(engine, asker, older)
    if failed is not None:
        return Failure(failed)

    def is_so() -> bool:
        now = engine.loop.fleet
        return not now.forgetting and all(
            is_at_rest(each) or _is_newer(each, since)
            for each in now.containers.values()
        )

    limit_ms = chain * (max(graces, default=0) + DOWN_MARGIN_MS)
    if await _until(engine, is_so, limit_ms):
        return Success(None)
    return _not_yet(engine, limit_ms)


async def _stop_ad_hoc(
    engine: Engine, asker: Asker, containers: Iterable[Container]
) -> ContainerError | None:
    """Ask for the end of those that no file declares; say what stood in the way."""
    for container in tuple(containers):
        if container.origin is Origin.AD_HOC and not is_at_rest(container):
            stop = Stop(name=container.name, by=asker.by, why=asker.why)
            stopped = await settled(engine.loop.ask(stop))
            if not isinstance(stopped, Asked | ContainerNotFound):
                return stopped
    return None


def is_down(fleet: Fleet, since: Moment | None = None) -> bool:
    """Say whether nothing of a fleet runs, or was wanted to run after a moment."""
    return all(
        is_at_rest(each) and not _is_newer(each, since)
        for each in fleet.containers.values()
    )


def _first_asked(answer: Asked, ticket: Ticket | None) -> Moment | None:
    """Return when a repeated request was made first; None where this is the first."""
    if ticket is None or not answer.replayed:
        return None
    return answer.fleet.tickets.used[ticket.key].at


def _is_newer(container: Container, since: Moment | None) -> bool:
    """Say whether somebody has wanted a container to run since a moment."""
    desired = container.desired
    return since is not None and desired.running and desired.at > since
