"""The moves of one container that several events share: begin, be ready, stop, wait.

Each takes a container and returns it in its next phase, with the commands that the
move needs. Which move an event asks for is said in ``core.advance``.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Final, TypeAlias

import attrs

from orchestrator.core.commands import (
    Command,
    DestroyContainer,
    StartContainer,
    StopContainer,
)
from orchestrator.core.evolving import evolve, evolver, maker
from orchestrator.core.exits import Exit, Stopped
from orchestrator.core.moments import Millis, Moment
from orchestrator.core.phases import (
    Escalation,
    Pending,
    Phase,
    Rule,
    Running,
    Starting,
    Stopping,
    Unknown,
    live_run,
)
from orchestrator.core.placing import without_place
from orchestrator.core.state import Container, Desired, History
from orchestrator.core.table import Table

__all__ = (
    "CONFIRM_MARGIN_MS",
    "RETRY_STOP_MS",
    "Moved",
    "answering",
    "begun",
    "exact",
    "fit",
    "in_phase",
    "launch",
    "lived",
    "made_ready",
    "order_destroy",
    "order_stop",
    "pending",
    "seen_running",
    "start_anew",
    "unhindered",
    "want",
)

CONFIRM_MARGIN_MS: Final[Millis] = 5_000
"""How long after the grace the end of a run may take to be told."""

RETRY_STOP_MS: Final[tuple[Millis, Millis]] = (2_000, 15_000)
"""How soon a stop that did not reach the platform is given again: at first, at most."""

Moved: TypeAlias = tuple[Container, tuple[Command, ...]]
"""A container in its next phase, and what has to be done."""

in_phase: Final[Callable[[Container, Phase, Moment], Container]] = evolver(
    Container, "phase", "changed_at"
)
"""Return a container in another phase, as changed at a moment."""

pending: Final = maker(Pending)
"""Make such a phase."""

_starting: Final = maker(Starting)
_running: Final = maker(Running)
_start: Final = maker(StartContainer)
_launched: Final = evolver(
    Container, "phase", "changed_at", "run", "started_revision", "history"
)
_ready: Final = evolver(Container, "phase", "changed_at", "history")
_listens: Final = evolver(Running, "listening", "addresses")
_is_up: Final = evolver(Running, "ready_at", "deadline", "listening")
_passes: Final = evolver(Running, "readiness_passed")
_is_passed: Final = evolver(
    Running, "readiness_passed", "ready_at", "deadline", "listening"
)
_answers: Final = evolver(Running, "ready_at", "deadline", "addresses")
_restarted: Final = evolver(History, "restarts_total")
_has_started: Final = evolver(History, "start_failures", "startup_ms")


def exact(container: Container, moved: Container, at: Moment) -> Container:
    """Return what a move has made of a container, as changed at a moment.

    Where it has changed no fact it is the very same container. One whose run does not
    go on is nowhere any more.
    """
    if moved is container:
        return container
    if moved.place and moved.phase is not container.phase:
        moved = without_place(moved, container)
    phase, was = moved.phase, container.phase
    if (
        phase.__class__ is was.__class__  # mostly it is another already
        and phase == was
        and _facts(moved) == _facts(container)
    ):
        return container
    return moved if moved.changed_at == at else evolve(moved, changed_at=at)


_facts: Final = attrgetter(
    *(field.name for field in attrs.fields(Container) if field.name != "changed_at")
)


def want(container: Container, *, running: bool, asked: Desired) -> Container:
    """Record the owner's intent; a repeated one keeps who said it first."""
    if container.desired.running is running:
        return container
    wanted = evolve(container, desired=evolve(asked, running=running))
    return evolve(wanted, stops_after="") if wanted.stops_after else wanted


def start_anew(container: Container, at: Moment, rule: Rule) -> Container:
    """Queue a container that has no live run for its next start."""
    return in_phase(container, pending(since=at, rule=rule), at)


def launch(container: Container, at: Moment, *, run_floor: int) -> Moved:
    """Begin the next run: the fleet has granted a start.

    The floor is for the first one only: the name may have been used before.
    """
    floor = run_floor if container.started_revision == 0 else 0
    run = max(container.run, floor) + 1
    history = container.history
    if container.last is not None:
        history = _restarted(history, history.restarts_total + 1)
    revision, phase = container.revision, _starting(since=at, run=run)
    begun = _launched(container, phase, at, run, revision, history)
    return begun, (_start(name=begun.name, run=run, revision=revision),)


def seen_running(
    container: Container, at: Moment, *, ready: bool, addresses: Table[str, str]
) -> Container:
    """Take note that the live run has a process, and whether it accepts work."""
    match container.phase:
        case Starting() as phase:
            running = begun(container, phase, at)
        case Running() as running:
            pass
        case Unknown() as phase:
            running = _seen_again(container, phase, at)
        case _:
            return container
    seen = unhindered(container)
    if ready and not running.is_listening:
        return answering(seen, running, at, addresses)
    return made_ready(seen, running, at)


def begun(container: Container, phase: Starting, at: Moment) -> Running:
    """Return the phase of a start that has a process now."""
    deadline = phase.since + container.spec.start_timeout_ms
    return _running(since=at, run=phase.run, deadline=deadline)


def unhindered(container: Container) -> Container:
    """Forget the obstacles to its starts: one has succeeded."""
    history = container.history
    if not history.obstacles:
        return container
    return evolve(container, history=evolve(history, obstacles=0))


def _seen_again(container: Container, phase: Unknown, at: Moment) -> Running:
    """Return a run that was out of sight; what nobody saw does not count."""
    was, unseen = phase.was, at - phase.since
    if isinstance(was, Starting):
        deadline = was.since + unseen + container.spec.start_timeout_ms
        return _running(since=at, run=was.run, deadline=deadline)
    if was.deadline is None:
        return was
    return evolve(was, deadline=was.deadline + unseen)


def answering(
    container: Container, running: Running, at: Moment, addresses: Table[str, str]
) -> Container:
    """Take note that a run accepts work, which it did not; its checks may keep it."""
    checks = container.spec.health
    if (checks.readiness is None or running.readiness_passed) and (
        checks.startup is None or running.startup_passed
    ):
        return _up(container, _answers(running, at, None, addresses), running.deadline)
    return in_phase(container, _listens(running, True, addresses), at)  # noqa: FBT003 - a field


def made_ready(container: Container, running: Running, at: Moment) -> Container:
    """Put a container into a running phase: ready, if nothing is missing for that."""
    if not running.listening or running.ready_at is not None:
        return in_phase(container, running, at)
    checks = container.spec.health
    if (checks.readiness is None or running.readiness_passed) and (
        checks.startup is None or running.startup_passed
    ):
        return _up(container, _is_up(running, at, None, False), running.deadline)  # noqa: FBT003 - a field
    return in_phase(container, running, at)


def fit(container: Container, running: Running, at: Moment) -> Container:
    """Take note that its readiness check has nothing against a run any more."""
    if not running.listening or not (
        container.spec.health.startup is None or running.startup_passed
    ):
        return in_phase(container, _passes(running, True), at)  # noqa: FBT003 - a field
    up = _is_passed(running, True, at, None, False)  # noqa: FBT003 - fields
    return _up(container, up, running.deadline)


def _up(container: Container, running: Running, deadline: Moment | None) -> Container:
    """Put a container into its phase of being ready; it had time until a *deadline*."""
    history, at = container.history, running.ready_at or 0
    if deadline is not None:  # for the first time
        since = deadline - container.spec.start_timeout_ms
        history = _has_started(history, 0, max(0, at - since))
    elif history.start_failures:
        history = _has_started(history, 0, history.startup_ms)
    return _ready(container, running, at, history)


def order_stop(container: Container, at: Moment, verdict: Exit) -> Moved:
    """End the live run; when confirmed it will have ended as *verdict*.

    A run that is being ended already ends as it would have, unless its owner has asked
    for another one meanwhile (``Stopped``): his is the last word.
    """
    run = live_run(container.phase)
    match container.phase:
        case Stopping() as phase if isinstance(verdict, Stopped):
            asked = evolve(phase, verdict=verdict)
            return evolve(container, phase=asked), ()
        case Stopping():
            return container, ()
        case _ if run is None:
            return container, ()
        case _:
            pass
    spec = container.spec
    started_at, ready_at = lived(container.phase)
    stopping = Stopping(
        since=at,
        run=run,
        deadline=at + spec.stop_grace_ms + CONFIRM_MARGIN_MS,
        verdict=verdict,
        started_at=started_at,
        ready_at=ready_at,
    )
    command = StopContainer(
        name=container.name,
        run=run,
        signal=spec.stop_signal,
        grace_ms=spec.stop_grace_ms,
    )
    return in_phase(container, stopping, at), (command,)


def order_destroy(container: Container, at: Moment, verdict: Exit) -> Moved:
    """Destroy the live run at once; when confirmed it will have ended as *verdict*."""
    run = live_run(container.phase)
    if run is None or isinstance(container.phase, Stopping):
        return container, ()
    started_at, ready_at = lived(container.phase)
    stopping = Stopping(
        since=at,
        run=run,
        deadline=at + CONFIRM_MARGIN_MS,
        verdict=verdict,
        escalation=Escalation.DESTROYED,
        destroys=1,
        started_at=started_at,
        ready_at=ready_at,
    )
    command = DestroyContainer(name=container.name, run=run)
    return in_phase(container, stopping, at), (command,)


def lived(phase: Phase) -> tuple[Moment | None, Moment | None]:
    """Return when the run of a phase started and became ready, where known."""
    match phase:
        case Running(since=since, ready_at=ready_at):
            return since, ready_at
        case Unknown(was=Running(since=since, ready_at=ready_at)):
            return since, ready_at
        case Stopping(started_at=started_at, ready_at=ready_at):
            return started_at, ready_at
        case _:
            return None, None
