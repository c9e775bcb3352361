"""What the changed verdict of a health check does to a container.

| check | passing | failing |
|---|---|---|
| startup | one thing less to wait for | the start has failed |
| readiness | ready, if nothing else is missing | not ready; it runs on |
| liveness | | the run ends as ``Unhealthy`` |

Note [A rung higher each time]. A run that its liveness check has ended is first
stopped in order. Where the next run falls ill again, without having proven itself in
between, asking has not helped: it is destroyed, and what the platform keeps of it with
it. From the third on ``core.explain`` reports that this has not helped either; how
often and how fast it is tried is the restart policy's matter, as for any failure.
"""

from __future__ import annotations

from typing import Final

from orchestrator.core.events import HealthChanged
from orchestrator.core.evolving import evolve, evolver
from orchestrator.core.exits import StartFailed, Unhealthy
from orchestrator.core.health import CheckKind
from orchestrator.core.histories import is_proven
from orchestrator.core.moments import Moment
from orchestrator.core.moves import (
    Moved,
    exact,
    fit,
    in_phase,
    made_ready,
    order_destroy,
    order_stop,
)
from orchestrator.core.phases import Running
from orchestrator.core.state import Container
from orchestrator.core.terms import Terms

__all__ = ("changed",)


def changed(container: Container, event: HealthChanged, _terms: Terms) -> Moved:
    """Take in another verdict; one about another run, or no check, changes nothing."""
    phase, check = container.phase, event.check
    if not isinstance(phase, Running) or phase.run != event.run:
        return container, ()
    checks = container.spec.health
    if check is _READINESS:
        if checks.readiness is None:
            return container, ()
        return _readiness(container, phase, event), ()
    if checks.get(check) is None:
        return container, ()
    if check is CheckKind.STARTUP:
        return _startup(container, phase, event)
    return (container, ()) if event.passing else _unhealthy(container, event.at)


_READINESS: Final = CheckKind.READINESS


def _startup(container: Container, phase: Running, event: HealthChanged) -> Moved:
    if phase.startup_passed or phase.ready_at is not None:
        return container, ()
    if event.passing:
        passed = evolve(phase, startup_passed=True)
        return made_ready(container, passed, event.at), ()
    cause = f": {event.cause}" if event.cause else ""
    failed = StartFailed(reason=f"its startup check failed{cause}")
    return order_stop(container, event.at, failed)


def _readiness(container: Container, phase: Running, event: HealthChanged) -> Container:
    """Write down the verdict on its readiness, and be ready or not by it.

    One that listens and lacks no more than that is ready at once.
    """
    at = event.at
    if not event.passing:
        if phase.readiness_passed or phase.ready_at is not None:
            away = _away(phase, False, None, phase.is_listening)  # noqa: FBT003 - a field
            return in_phase(container, away, at)
        return container
    if phase.readiness_passed:
        return exact(container, made_ready(container, phase, at), at)
    return fit(container, phase, at)


_away: Final = evolver(Running, "readiness_passed", "ready_at", "listening")


def _unhealthy(container: Container, at: Moment) -> Moved:
    verdict = Unhealthy(check=CheckKind.LIVENESS)
    ready_at = getattr(container.phase, "ready_at", None)
    is_first = not container.history.unhealthy
    if is_first or is_proven(container.spec.restart, ready_at, at):
        return order_stop(container, at, verdict)
    return order_destroy(container, at, verdict)
