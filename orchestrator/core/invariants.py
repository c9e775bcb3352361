"""What must hold after every step: named predicates over a transition.

Checked after each step in the property tests and in simulation, and cheaply in
production (only what an event touched; a violation is logged and counted, never a
crash). Laws that need more than one step (determinism, replay, convergence) are
properties of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, TypeAlias

import attrs

from orchestrator.core.commands import (
    Command,
    DestroyContainer,
    StartContainer,
    StopContainer,
)
from orchestrator.core.decide import counted_failures, is_proven
from orchestrator.core.drafts import diverges
from orchestrator.core.events import (
    ContainerObserved,
    CrashHistoryCleared,
    Event,
    SpecApplied,
    StartRequested,
)
from orchestrator.core.exits import Outcome, outcome
from orchestrator.core.observations import SeenUnreachable
from orchestrator.core.phases import (
    BackingOff,
    CrashLooping,
    Pending,
    Running,
    Starting,
    Unknown,
    live_run,
)
from orchestrator.core.state import Container, Fleet

__all__ = ("INVARIANTS", "Step", "Violation", "violations")


@attrs.frozen(kw_only=True)
class Step:
    """One step of the fleet, and the names to look at."""

    before: Fleet
    event: Event
    after: Fleet
    commands: tuple[Command, ...]
    touched: tuple[str, ...]

    def pairs(self) -> Iterable[tuple[Container | None, Container | None]]:
        """Yield what each touched container was and is."""
        for name in self.touched:
            yield self.before.containers.get(name), self.after.containers.get(name)


@attrs.frozen(kw_only=True)
class Violation:
    """An invariant that did not hold."""

    name: str
    about: str


_Check: TypeAlias = Callable[[Step], Iterable[str]]


def _one_command_at_a_time(step: Step) -> Iterable[str]:
    names = [
        command.name
        for command in step.commands
        if isinstance(command, StartContainer | StopContainer | DestroyContainer)
    ]
    return {name for name in names if names.count(name) > 1} if names else ()


def _no_start_unless_wanted(step: Step) -> Iterable[str]:
    for command in step.commands:
        if isinstance(command, StartContainer):
            container = step.after.containers.get(command.name)
            if container is None or not container.desired.running:
                yield command.name


def _no_start_before_its_time(step: Step) -> Iterable[str]:
    if _is_asked_for(step.event):
        return
    for before, after in step.pairs():
        waits = before is not None and isinstance(
            before.phase, BackingOff | CrashLooping
        )
        if not waits or before is None or after is None:
            continue
        until = getattr(before.phase, "until", None)
        if isinstance(after.phase, Pending | Starting) and (
            until is None or step.after.at < until
        ):
            yield after.name


def _is_asked_for(event: Event) -> bool:
    return isinstance(event, StartRequested | CrashHistoryCleared | SpecApplied)


def _no_start_before_the_first_look(step: Step) -> Iterable[str]:
    if not step.after.observed:
        for command in step.commands:
            if isinstance(command, StartContainer):
                yield command.name


def _runs_only_grow(step: Step) -> Iterable[str]:
    for before, after in step.pairs():
        if before is not None and after is not None and after.run < before.run:
            yield after.name


def _starts_within_the_limit(step: Step) -> Iterable[str]:
    limit = step.after.settings.max_concurrent_starts
    more = len(step.after.starting) > max(limit, len(step.before.starting))
    return (step.after.name,) if more else ()


def _only_failures_count(step: Step) -> Iterable[str]:
    """Clean ends, requested stops, rollouts and lack of capacity never add failures."""
    for before, after in step.pairs():
        if before is None or after is None or after.last is None:
            continue
        grew = after.history.crashes_total > before.history.crashes_total
        if grew and outcome(after.last.exit) is not Outcome.FAILURE:
            yield after.name


def _resets_have_a_reason(step: Step) -> Iterable[str]:
    if _is_asked_for(step.event):
        return
    for before, after in step.pairs():
        if before is None or after is None:
            continue
        if after.history.attempts < before.history.attempts and not _was_proven(
            before, step.after.at
        ):
            yield after.name


def _was_proven(container: Container, at: int) -> bool:
    phase = container.phase
    if isinstance(phase, Unknown):
        phase = phase.was
    ready_at = phase.ready_at if isinstance(phase, Running) else None
    return is_proven(container.spec.restart, ready_at, at)


def _unknown_never_destroys(step: Step) -> Iterable[str]:
    event = step.event
    if isinstance(event, ContainerObserved) and isinstance(
        event.sight, SeenUnreachable
    ):
        return [
            command.name
            for command in step.commands
            if isinstance(command, StopContainer | DestroyContainer)
        ]
    return ()


def _failures_are_bounded(step: Step) -> Iterable[str]:
    for _, after in step.pairs():
        if after is None:
            continue
        policy = after.spec.restart
        if len(after.history.failures) > policy.crash.allowed_crashes + 1:
            yield after.name
        if isinstance(after.phase, BackingOff) and after.last is not None:
            ended_at = after.last.ended_at
            counted = counted_failures(after.history, policy, ended_at)
            failed = outcome(after.last.exit) is Outcome.FAILURE
            if failed and len(counted) > policy.crash.allowed_crashes:
                yield after.name


def _waits_are_bounded(step: Step) -> Iterable[str]:
    for _, after in step.pairs():
        if after is None or not isinstance(after.phase, BackingOff):
            continue
        policy = after.spec.restart
        longest = max(
            policy.backoff.max_ms,
            policy.min_interval_ms,
            step.after.settings.min_restart_delay_ms,
        )
        asked = getattr(after.last and after.last.exit, "retry_after_ms", None) or 0
        if after.phase.until - after.phase.since > max(longest, asked):
            yield after.name


def _the_live_run_is_the_newest(step: Step) -> Iterable[str]:
    for _, after in step.pairs():
        if after is not None and live_run(after.phase) not in (None, after.run):
            yield after.name


def _indexes_are_true(step: Step) -> Iterable[str]:
    fleet = step.after
    for name in step.touched:
        container = fleet.containers.get(name)
        starting = container is not None and isinstance(container.phase, Starting)
        wanders = container is not None and diverges(container)
        if (name in fleet.starting) != starting or (name in fleet.diverged) != wanders:
            yield name
        waits = container is not None and isinstance(container.phase, Pending)
        if container is not None and waits != _is_queued(fleet, container):
            yield name


def _is_queued(fleet: Fleet, container: Container) -> bool:
    since = getattr(container.phase, "since", 0)
    return (since, container.name) in fleet.waiting


def _time_runs_forward(step: Step) -> Iterable[str]:
    return (step.after.name,) if step.after.at < step.before.at else ()


INVARIANTS: Final[dict[str, _Check]] = {
    "at most one start or stop is given at once": _one_command_at_a_time,
    "no start while the owner wants it stopped": _no_start_unless_wanted,
    "no start before its time": _no_start_before_its_time,
    "no start before the first look": _no_start_before_the_first_look,
    "run numbers only grow": _runs_only_grow,
    "the live run is the newest": _the_live_run_is_the_newest,
    "starts in flight stay within the limit": _starts_within_the_limit,
    "only failures count as crashes": _only_failures_count,
    "a history is reset for a reason": _resets_have_a_reason,
    "unknown never destroys": _unknown_never_destroys,
    "restarts after failures stay within the budget": _failures_are_bounded,
    "no wait exceeds the longest": _waits_are_bounded,
    "indexes agree with the records": _indexes_are_true,
    "time never runs backwards": _time_runs_forward,
}
"""Every invariant by its name."""


def violations(step: Step) -> tuple[Violation, ...]:
    """Return what does not hold after a step; nothing, if the core is right."""
    return tuple(
        Violation(name=name, about=about)
        for name, check in INVARIANTS.items()
        for about in check(step)
    )
