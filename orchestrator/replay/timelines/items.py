"""What one step was to a container: its items, from what it was and what it is.

Nothing here remembers anything: the items of a row follow from the row and from the
fleet before it, so that a journal in pieces has the items of the whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, assert_never

import attrs

from orchestrator.core.commands import (
    ContainerCommand,
    DestroyContainer,
    FleetCommand,
    ForgetContainer,
    StartContainer,
    StopContainer,
)
from orchestrator.core.events import ContainerObserved
from orchestrator.core.moments import Moment
from orchestrator.core.phases import Rule, Running, Starting, Stopping, live_run
from orchestrator.core.state import Container
from orchestrator.core.steps import Step
from orchestrator.core.uptimes import has_crashed, has_restarted
from orchestrator.replay.timelines.happenings import (
    Decided,
    Entered,
    Fate,
    Left,
    OwnHappening,
    RunBegun,
    RunEnded,
    RunReady,
    RunUp,
    What,
)
from orchestrator.replay.timelines.spans import found, is_another, lived

__all__ = ("as_it_was", "items_of")


def as_it_was(container: Container, at: Moment) -> Iterator[RunBegun | Entered]:
    """Yield the run that is live and the span that goes on where a stretch begins."""
    run = live_run(container.phase)
    if run is not None:
        started_at, ready_at = lived(container)
        is_starting = isinstance(container.phase, Starting)
        yield RunBegun(
            seq=None,
            at=at,
            name=container.name,
            run=run,
            revision=container.started_revision,
            commanded_at=container.phase.since if is_starting else None,
            started_at=started_at,
            ready_at=ready_at,
        )
    yield found(container, None, at)


def items_of(
    step: Step, seq: int, name: str, rules: dict[str, Rule]
) -> Iterator[OwnHappening]:
    """Yield what a step was to one container, behind what was asked or told.

    *rules* are those of the starts of this step (``rules_of_starts``).
    """
    before = step.before.containers.get(name)
    after = step.after.containers.get(name)
    at = step.after.at
    if before is not None:
        yield from _endings(step, seq, before)
    now = None if after is None else found(after, seq, at)
    was = None if before is None else found(before, seq, at)
    is_new = now is not None and (was is None or is_another(was, now))
    if is_new and now is not None and now.rule is not None:
        yield _settled(step, seq, now)
    for command in step.commands:
        if isinstance(command, FleetCommand):
            continue
        if command.name == name:  # of those of a thousand others
            yield _ordered(step, seq, command, rules)
    if after is not None:
        yield from _beginnings(step, seq, after, rules.get(name))
    if is_new and now is not None:
        yield now
    if after is None and before is not None:
        yield Left(seq=seq, at=at, name=name)


def _is_seen(step: Step, name: str) -> bool:
    """Say whether a look at the platform is what says what is new of a container."""
    return isinstance(step.event, ContainerObserved) and step.event.name == name


def _endings(step: Step, seq: int, before: Container) -> Iterator[RunEnded]:
    """Yield the end of the run that was live, if it is over."""
    after = step.after.containers.get(before.name)
    run = live_run(before.phase)
    if run is None or (after is not None and live_run(after.phase) == run):
        return
    started_at, ready_at = lived(before)
    ended = RunEnded(
        seq=seq,
        at=step.after.at,
        name=before.name,
        run=run,
        fate=Fate.ENDED,
        exit=None,
        crashed=after is not None and has_crashed(before, after),
        started_at=started_at,
        ready_at=ready_at,
        seen=_is_seen(step, before.name),
    )
    match before.phase:
        case _ if after is not None and after.last != before.last:
            last = None if after.last is None else after.last.exit
            yield attrs.evolve(ended, exit=last)
        case _ if after is not None:
            yield attrs.evolve(ended, fate=Fate.REFUSED)
        case Stopping(verdict=verdict) if before.leaving:
            yield attrs.evolve(ended, exit=verdict)
        case _:
            yield attrs.evolve(ended, fate=Fate.LET_GO)


def _settled(step: Step, seq: int, now: Entered) -> Decided:
    """Tell the decision that put a container where it waits or rests."""
    return Decided(
        seq=seq,
        at=now.at,
        name=now.name,
        event=step.event,
        what=_WHATS[now.phase] if now.planned is None else _UNTIL[now.phase],
        rule=now.rule,
        until=now.planned,
        attempt=now.attempt,
        waits_for=now.waits_for,
    )


_WHATS: Final = {
    "pending": What.QUEUE,
    "stopped": What.REST,
    "completed": What.COMPLETE,
    "crash_looping": What.HOLD,
    "failed": What.GIVE_UP,
    "asleep": What.SLEEP,
}

_UNTIL: Final = {"backing_off": What.WAIT, "crash_looping": What.COOL_DOWN}


def _ordered(
    step: Step, seq: int, command: ContainerCommand, rules: dict[str, Rule]
) -> Decided:
    """Tell a command as a decision."""
    match command:
        case StartContainer(name=name):
            what = What.START if name in rules else What.START_AGAIN
        case StopContainer():
            what = What.STOP
        case DestroyContainer():
            what = What.DESTROY
        case ForgetContainer():
            what = What.FORGET
        case _:
            assert_never(command)
    after = step.after.containers.get(command.name)
    verdict = None
    if after is not None and isinstance(after.phase, Stopping):
        verdict = after.phase.verdict
    return Decided(
        seq=seq,
        at=step.after.at,
        name=command.name,
        event=step.event,
        what=what,
        rule=rules.get(command.name) if what is What.START else None,
        run=command.run,
        verdict=verdict,
    )


def _beginnings(
    step: Step, seq: int, after: Container, rule: Rule | None
) -> Iterator[OwnHappening]:
    """Yield the run that begins, or what is new of the one that goes on."""
    run = live_run(after.phase)
    if run is None:
        return
    before, at = step.before.containers.get(after.name), step.after.at
    if before is None or live_run(before.phase) != run:
        yield _begun(before, after, seq, at, rule)
        return
    seen = _is_seen(step, after.name)
    was_up, was_ready = lived(before)
    is_up, is_ready_since = lived(after)
    if was_up is None and is_up is not None:
        yield RunUp(seq=seq, at=at, name=after.name, run=run, seen=seen)
    if isinstance(after.phase, Running) and was_ready != is_ready_since:
        ready = is_ready_since is not None
        yield RunReady(seq=seq, at=at, name=after.name, run=run, ready=ready, seen=seen)


def _begun(
    before: Container | None,
    after: Container,
    seq: int,
    at: Moment,
    rule: Rule | None,
) -> RunBegun:
    adopted = not isinstance(after.phase, Starting)
    started_at, ready_at = lived(after)
    return RunBegun(
        seq=seq,
        at=at,
        name=after.name,
        run=after.run,
        revision=after.started_revision,
        rule=rule,
        adopted=adopted,
        again=before is not None and has_restarted(before, after),
        commanded_at=None if adopted else at,
        started_at=started_at,
        ready_at=ready_at,
    )
