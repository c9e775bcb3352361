"""What must hold after every step: named predicates over a transition.

Checked after each step in the property tests and in simulation, and cheaply in
production (only what an event touched; a violation is logged and counted, never a
crash). Laws that need more than one step (determinism, replay, convergence) are
properties of their own. Those about budgets and waits are in ``core.bounds``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, TypeAlias

import attrs

from orchestrator.core.bounds import (
    max_restarts_is_kept,
    only_failures_count,
    resets_have_a_reason,
    start_budget_is_kept,
    waits_are_bounded,
    window_is_kept,
)
from orchestrator.core.commands import (
    DestroyContainer,
    StartContainer,
    StopContainer,
)
from orchestrator.core.events import ContainerObserved, HealthChanged
from orchestrator.core.health import CheckKind
from orchestrator.core.noticing import kind_of
from orchestrator.core.notify import NoticeKind
from orchestrator.core.observations import SeenUnreachable
from orchestrator.core.order_laws import (
    is_awaited_as_it_is,
    is_kept_waiting,
    no_start_before_its_dependencies,
    nobody_is_kept_for_nobody,
    nobody_waits_for_nothing,
)
from orchestrator.core.phases import (
    BackingOff,
    CrashLooping,
    Failed,
    Pending,
    Starting,
    live_run,
)
from orchestrator.core.rollout_laws import (
    finished,
    nobody_is_taken_down_too_early,
    rosters_are_true,
    who_rolls_has_a_rollout,
)
from orchestrator.core.stands import diverges
from orchestrator.core.state import Container, Fleet
from orchestrator.core.steps import Step, is_another, is_asked_for

__all__ = ("INVARIANTS", "Violation", "violations")


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
    """Who waits for its group has its own wait, too, and that is kept."""
    if is_asked_for(step.event):
        return
    for before, after in step.pairs():
        phase = None if before is None else before.phase
        if after is None or not isinstance(phase, BackingOff | CrashLooping):
            continue
        if before is not None and (after.generation, after.revision) != (
            before.generation,
            before.revision,
        ):
            continue  # a rollout has given it another spec: that waits for nothing
        until = phase.not_before if phase.waits_for else phase.until
        if isinstance(after.phase, Pending | Starting) and (
            until is None or step.after.at < until
        ):
            yield after.name


def _no_start_before_the_first_look(step: Step) -> Iterable[str]:
    if not step.after.observed:
        for command in step.commands:
            if isinstance(command, StartContainer):
                yield command.name


def _runs_only_grow(step: Step) -> Iterable[str]:
    for before, after in step.pairs():
        if before is None or after is None or is_another(before, after):
            continue
        if after.run < before.run:
            yield after.name


def _starts_within_the_limit(step: Step) -> Iterable[str]:
    limit = step.after.settings.max_concurrent_starts
    more = len(step.after.starting) > max(limit, len(step.before.starting))
    return (step.after.name,) if more else ()


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
        if container is not None and not _is_grouped(fleet, container):
            yield name
        if container is not None and not is_awaited_as_it_is(fleet, container):
            yield name


def _passing_ends_nothing(step: Step) -> Iterable[str]:
    """Only a failing startup or liveness check may end a run."""
    event = step.event
    if not isinstance(event, HealthChanged):
        return ()
    if not event.passing and event.check is not CheckKind.READINESS:
        return ()
    return [
        command.name
        for command in step.commands
        if isinstance(command, StopContainer | DestroyContainer)
    ]


def _checks_are_declared(step: Step) -> Iterable[str]:
    event = step.event
    if not isinstance(event, HealthChanged):
        return
    for before, _ in step.pairs():
        # Others may be touched in the same step: a slot was free, and they start.
        if before is None or before.name != event.name:
            continue
        is_its_run = live_run(before.phase) == event.run
        if is_its_run and before.spec.health.get(event.check) is None:
            yield before.name


def _is_queued(fleet: Fleet, container: Container) -> bool:
    """Say whether it is in the queue, or among those who wait for a service."""
    since = getattr(container.phase, "since", 0)
    queued = (since, container.name) in fleet.waiting
    return queued is not is_kept_waiting(fleet, container)


def _is_grouped(fleet: Fleet, container: Container) -> bool:
    group = container.spec.group
    if group is None:
        return True
    return (group.position, container.name) in (fleet.groups.get(group.group) or ())


def _nobody_is_held_for_nobody(step: Step) -> Iterable[str]:
    """Hold a member with its group only for another one that is down."""
    for _, after in step.pairs():
        if after is None or not isinstance(after.phase, CrashLooping):
            continue
        by = after.phase.waits_for
        other = step.after.containers.get(by) if by else after
        same = other is not None and _group_of(other) == _group_of(after)
        down = other is not None and isinstance(
            other.phase, BackingOff | CrashLooping | Failed
        )
        if not (same and down):
            yield after.name


def _group_of(container: Container) -> str | None:
    return None if container.spec.group is None else container.spec.group.group


def _trouble_is_noticed_once(step: Step) -> Iterable[str]:
    """Each step into trouble, or out of it, is one notice, and so is a rollout's end.

    Those for which there was no room were given up at once: they are counted.
    """
    before, after = step.before.notices, step.after.notices
    notify = step.after.settings.notify
    if notify is None:
        return (step.after.name,) if len(after.open) or len(after.due) else ()
    news = 0
    for name in step.touched:
        was, now = step.before.containers.get(name), step.after.containers.get(name)
        if now is not None:
            kind = kind_of(was, now, was_troubled=name in before.troubled)
            news += kind in notify.events
    if NoticeKind.ROLLOUT_FINISHED in notify.events:
        news += finished(step)
    return (step.after.name,) if after.count - before.count != news else ()


def _time_runs_forward(step: Step) -> Iterable[str]:
    return (step.after.name,) if step.after.at < step.before.at else ()


INVARIANTS: Final[dict[str, _Check]] = {
    "at most one start or stop is given at once": _one_command_at_a_time,
    "no start while the owner wants it stopped": _no_start_unless_wanted,
    "no start before its time": _no_start_before_its_time,
    "no start before the first look": _no_start_before_the_first_look,
    "no start before what it depends on": no_start_before_its_dependencies,
    "nobody waits for what is there": nobody_waits_for_nothing,
    "who stops after others has others to wait for": nobody_is_kept_for_nobody,
    "run numbers only grow": _runs_only_grow,
    "the live run is the newest": _the_live_run_is_the_newest,
    "starts in flight stay within the limit": _starts_within_the_limit,
    "only failures count as crashes": only_failures_count,
    "a history is reset for a reason": resets_have_a_reason,
    "unknown never destroys": _unknown_never_destroys,
    "a check that passes ends nothing": _passing_ends_nothing,
    "only a check that the spec has changes anything": _checks_are_declared,
    "restarts after failures stay within the window's budget": window_is_kept,
    "restarts after failed starts stay within their budget": start_budget_is_kept,
    "failures in a row stay within max_restarts": max_restarts_is_kept,
    "no wait exceeds the longest": waits_are_bounded,
    "indexes agree with the records": _indexes_are_true,
    "nobody is held for nobody": _nobody_is_held_for_nobody,
    "trouble is noticed once": _trouble_is_noticed_once,
    "a rollout keeps within its bounds": nobody_is_taken_down_too_early,
    "rosters agree with the records": rosters_are_true,
    "who rolls has a rollout": who_rolls_has_a_rollout,
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
