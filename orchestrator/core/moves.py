"""The moves of one container that several events share: begin, stop, end, wait.

Each takes a container and returns it in its next phase, with the commands that the
move needs. Which move an event asks for is said in ``core.advance``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias, assert_never

from orchestrator.core.commands import (
    Command,
    DestroyContainer,
    StartContainer,
    StopContainer,
)
from orchestrator.core.decide import decide
from orchestrator.core.decisions import (
    Complete,
    CoolDown,
    Decision,
    GiveUp,
    Hold,
    Rest,
    RestartAt,
    Sleep,
)
from orchestrator.core.evolving import evolve, evolver, maker
from orchestrator.core.exits import Exit, GroupEnded, Stopped
from orchestrator.core.histories import record_end
from orchestrator.core.moments import Millis, Moment
from orchestrator.core.phases import (
    Asleep,
    BackingOff,
    Completed,
    CrashLooping,
    Escalation,
    Failed,
    Pending,
    Phase,
    Rule,
    Running,
    Starting,
    Stopping,
    Unknown,
    live_run,
)
from orchestrator.core.phases import Stopped as AtRest
from orchestrator.core.state import Container, Desired, History, LastRun
from orchestrator.core.table import Table
from orchestrator.core.terms import Terms

__all__ = (
    "CONFIRM_MARGIN_MS",
    "RETRY_STOP_MS",
    "Moved",
    "conclude",
    "in_phase",
    "launch",
    "made_ready",
    "order_destroy",
    "order_stop",
    "seen_running",
    "start_anew",
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

_pending: Final = maker(Pending)
_starting: Final = maker(Starting)
_running: Final = maker(Running)
_backing_off: Final = maker(BackingOff)
_last_run: Final = maker(LastRun)
_start: Final = maker(StartContainer)
_launched: Final = evolver(
    Container, "phase", "changed_at", "run", "started_revision", "history"
)
_ready: Final = evolver(Container, "phase", "changed_at", "history")
_ended: Final = evolver(Container, "last", "history")
_listening: Final = evolver(Running, "listening", "addresses")
_is_up: Final = evolver(Running, "ready_at", "deadline", "listening")
_restarted: Final = evolver(History, "restarts_total")
_has_started: Final = evolver(History, "start_failures", "startup_ms")


def want(container: Container, *, running: bool, asked: Desired) -> Container:
    """Record the owner's intent; a repeated one keeps who said it first."""
    if container.desired.running is running:
        return container
    wanted = evolve(container, desired=evolve(asked, running=running))
    return evolve(wanted, stops_after="") if wanted.stops_after else wanted


def start_anew(container: Container, at: Moment, rule: Rule) -> Container:
    """Queue a container that has no live run for its next start."""
    return in_phase(container, _pending(since=at, rule=rule), at)


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
        case Starting(run=run, since=begun):
            deadline = begun + container.spec.start_timeout_ms
            running = _running(since=at, run=run, deadline=deadline)
        case Unknown(was=Starting(run=run, since=begun), since=unseen):
            begun += at - unseen
            deadline = begun + container.spec.start_timeout_ms
            running = _running(since=at, run=run, deadline=deadline)
        case Unknown(was=Running() as running, since=unseen):
            if running.deadline is not None:  # what nobody saw does not count
                later = running.deadline + at - unseen
                running = evolve(running, deadline=later)
        case Running() as running:
            pass
        case _:
            return container
    if ready and not running.is_listening:
        running = _listening(running, True, addresses)  # noqa: FBT003 - a field
    if container.history.obstacles:
        container = evolve(container, history=evolve(container.history, obstacles=0))
    return made_ready(container, running, at)


def made_ready(container: Container, running: Running, at: Moment) -> Container:
    """Put a container into a running phase: ready, if nothing is missing for that."""
    checks = container.spec.health
    is_ready = (
        running.listening
        and running.ready_at is None
        and (checks.startup is None or running.startup_passed)
        and (checks.readiness is None or running.readiness_passed)
    )
    if not is_ready:
        return in_phase(container, running, at)
    startup_ms = container.history.startup_ms
    if running.deadline is not None:
        begun = running.deadline - container.spec.start_timeout_ms
        startup_ms = max(0, at - begun)
    history = _has_started(container.history, 0, startup_ms)
    return _ready(container, _is_up(running, at, None, False), at, history)  # noqa: FBT003 - a field


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
    started_at, ready_at = _lived(container.phase)
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
    started_at, ready_at = _lived(container.phase)
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


def conclude(container: Container, exit_: Exit, at: Moment, terms: Terms) -> Container:
    """Record the end of the live run, and put the container where the policy says."""
    run, phase = container.run, container.phase
    begun, ready_at = _lived(phase)
    verdict = phase.verdict if isinstance(phase, Stopping) else exit_
    last = _last_run(
        run=run, exit=verdict, ended_at=at, started_at=begun, ready_at=ready_at
    )
    history = record_end(container.history, container.spec.restart, last)
    ended = _ended(container, last, history)
    phase = _follow(decide(ended, last, terms), at)
    if isinstance(verdict, GroupEnded):
        phase = _with_group(phase, verdict, at + terms.settings.min_restart_delay_ms)
    return in_phase(ended, phase, at)


def _with_group(phase: Phase, verdict: GroupEnded, soon: Moment) -> Phase:
    """Note for whom a run that has ended with its group waits."""
    if isinstance(phase, BackingOff | CrashLooping):
        return evolve(phase, waits_for=verdict.by, not_before=soon)
    return phase


def _lived(phase: Phase) -> tuple[Moment | None, Moment | None]:
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


def _follow(decision: Decision, at: Moment) -> Phase:
    """Return the phase that a decision leads to."""
    match decision:
        case RestartAt(at=when, rule=rule) if when <= at:
            return _pending(since=at, rule=rule)
        case RestartAt(at=when, rule=rule):
            return _backing_off(since=at, until=when, rule=rule)
        case CoolDown(until=until, rule=rule):
            return CrashLooping(since=at, until=until, rule=rule)
        case Hold(rule=rule):
            return CrashLooping(since=at, until=None, rule=rule)
        case Complete(rule=rule):
            return Completed(since=at, rule=rule)
        case GiveUp(rule=rule):
            return Failed(since=at, rule=rule)
        case Rest(rule=rule):
            return AtRest(since=at, rule=rule)
        case Sleep(rule=rule):
            return Asleep(since=at, rule=rule)
        case _:
            assert_never(decision)
