"""What gives a container a new beginning: another spec, a history that is cleared.

The run goes on where only the operator's handling of it has changed; a new revision
has a history of its own, and so nothing to wait for.
"""

from __future__ import annotations

from orchestrator.core.evolving import evolve
from orchestrator.core.exits import Stopped
from orchestrator.core.fingerprints import is_same_process
from orchestrator.core.histories import forgiven
from orchestrator.core.moments import Moment
from orchestrator.core.moves import Moved, made_ready, order_stop, start_anew
from orchestrator.core.phases import Rule, Running, Stopping, live_run
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.state import Container

__all__ = ("clear_history", "redeclare")


def clear_history(container: Container) -> Container:
    """Forget failures and waits; the counters of the whole life stay."""
    return evolve(container, history=forgiven(container.history))


def redeclare(container: Container, spec: ContainerSpec, at: Moment) -> Moved:
    """Give a container another spec: a new revision, a new history, and a new run.

    The run goes on where only the operator's handling of it has changed.
    """
    same_process = is_same_process(spec, container.spec)
    renewed = clear_history(
        evolve(container, spec=spec, revision=container.revision + 1)
    )
    if live_run(container.phase) is None:
        return start_anew(renewed, at, Rule.NEW_REVISION), ()
    if not same_process or isinstance(container.phase, Stopping):
        return order_stop(renewed, at, Stopped())
    if container.is_claimed:
        return renewed, ()  # no look has compared its run yet
    goes_on = evolve(renewed, started_revision=renewed.revision)
    match goes_on.phase:
        case Running() as running:
            again = _rechecked(running, container.spec, spec)
            return made_ready(goes_on, again, at), ()
        case _:
            return goes_on, ()


def _rechecked(running: Running, old: ContainerSpec, new: ContainerSpec) -> Running:
    """Return a run under another spec: what was ready once has started."""
    if running.deadline is not None:
        longer_ms = new.start_timeout_ms - old.start_timeout_ms
        return evolve(running, deadline=running.deadline + longer_ms)
    if new.health.startup is None:
        return running
    return evolve(running, startup_passed=True)
