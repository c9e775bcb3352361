"""A tale as the life of each container: its ends, its starts, its count of failures.

The counting is done here a second time, from the steps alone and in other words than
the core's, so that a mistake in the core's counting is seen.
"""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from orchestrator.core.commands import StartContainer
from orchestrator.core.events import (
    CrashHistoryCleared,
    SpecApplied,
    StartRequested,
)
from orchestrator.core.exits import Outcome, StartFailed, outcome
from orchestrator.core.moments import Moment
from orchestrator.core.phases import Running, Stopping, Unknown
from orchestrator.core.policies import RestartPolicy, judged
from orchestrator.core.service_events import ScaleRequested
from orchestrator.core.state import Container, LastRun
from orchestrator.core.steps import Step
from orchestrator.testing.tales import Tale

__all__ = ("Count", "End", "Launch", "ends", "launches", "lives")


@attrs.frozen(kw_only=True)
class Count:
    """What counts against a container now, counted anew.

    ``failures``: moments at which runs failed; ``attempts``: all failures since the
    last reset, ``in_a_row``: those without a clean exit between; ``start_failures``:
    failed starts in a row; ``last``: when a failure was last.
    """

    failures: tuple[Moment, ...] = ()
    attempts: int = 0
    in_a_row: int = 0
    start_failures: int = 0
    last: Moment | None = None


@attrs.frozen(kw_only=True)
class End:
    """A run ended: the container before and after, and what counts since."""

    step: Step
    before: Container
    after: Container
    last: LastRun
    count: Count

    @property
    def policy(self) -> RestartPolicy:
        """Return the policy that was asked."""
        return self.after.spec.restart

    @property
    def outcome(self) -> Outcome:
        """Return what the end counts as."""
        return judged(self.policy, self.last.exit).outcome

    @property
    def is_moved(self) -> bool:
        """Say whether a rollout gave it another spec at once, as it does not run."""
        return self.before.revision != self.after.revision


@attrs.frozen(kw_only=True)
class Launch:
    """A run was begun, and what counted against the container then."""

    at: Moment
    container: Container
    count: Count
    asked: bool


def ends(tale: Tale) -> Iterator[End]:
    """Yield every end of a run, in order."""
    for one in lives(tale):
        if isinstance(one, End):
            yield one


def launches(tale: Tale) -> Iterator[Launch]:
    """Yield every start of a run that answers an end, in order."""
    for one in lives(tale):
        if isinstance(one, Launch):
            yield one


_newest: list[tuple[tuple[Step, ...], tuple[End | Launch, ...]]] = []
"""The lives of the tale that was last asked about: each law asks anew."""


def lives(tale: Tale) -> tuple[End | Launch, ...]:
    """Return every end of a run and every start that answers one, in order."""
    if not _newest or _newest[0][0] is not tale.steps:
        _newest[:] = [(tale.steps, tuple(_lives(tale)))]
    return _newest[0][1]


def _lives(tale: Tale) -> Iterator[End | Launch]:
    counts: dict[str, Count] = {}
    asked: set[str] = set()
    for step in tale.steps:
        for before, after in step.pairs():
            if after is None:
                if before is not None:
                    _ = counts.pop(before.name, None)
                continue
            name = after.name
            count = _forgiven(counts.get(name, Count()), step, before, after)
            if _is_asked(step, before, after):
                asked.add(name)
            if before is not None and after.last not in (before.last, None):
                asked.discard(name)
                count = _counted(count, step, before, after)
                end = End(
                    step=step,
                    before=before,
                    after=after,
                    last=_last(after),
                    count=count,
                )
                if end.is_moved:  # what the old spec did is not held against the new
                    asked.add(name)
                    end = attrs.evolve(end, count=(count := Count()))
                yield end
            if isinstance(after.phase, Running) and after.phase.ready_at is not None:
                count = attrs.evolve(count, start_failures=0)
            counts[name] = count
        for command in step.commands:
            if isinstance(command, StartContainer):
                container = step.after.containers[command.name]
                is_new = command.run not in (None, _run_before(step, command.name))
                if container.last is not None and is_new:
                    yield Launch(
                        at=step.event.at,
                        container=container,
                        count=counts.get(command.name, Count()),
                        asked=command.name in asked,
                    )


def _run_before(step: Step, name: str) -> int | None:
    before = step.before.containers.get(name)
    return None if before is None else before.run


def _last(container: Container) -> LastRun:
    assert container.last is not None  # noqa: S101 - the caller has looked
    return container.last


def _is_asked(step: Step, before: Container | None, after: Container) -> bool:
    """Say whether the owner asked for the container in this step.

    A rollout that gives it another spec does so for its owner, and waits for nothing.
    """
    event = step.event
    if isinstance(event, SpecApplied | ScaleRequested):
        return True
    if before is not None and before.revision != after.revision:
        return True
    named = getattr(event, "name", None) == after.name
    return named and type(event).__name__.endswith(("Requested", "Cleared"))


def _forgiven(
    count: Count, step: Step, before: Container | None, after: Container
) -> Count:
    """Empty the count where there is a reason: uptime, a request, a new revision."""
    event = step.event
    if before is None or before.revision != after.revision:
        return Count()
    is_about = getattr(event, "name", None) == after.name
    if is_about and isinstance(event, CrashHistoryCleared):
        return Count()
    if is_about and isinstance(event, StartRequested) and event.force:
        return Count()
    phase = before.phase.was if isinstance(before.phase, Unknown) else before.phase
    ready_at = phase.ready_at if isinstance(phase, Running | Stopping) else None
    reset = before.spec.restart.backoff.reset_after_ms
    ended = before.last != after.last
    quiet = after.history.attempts < before.history.attempts
    if ready_at is not None and event.at - ready_at >= reset and (ended or quiet):
        return Count()
    return count


def _counted(count: Count, step: Step, before: Container, after: Container) -> Count:
    last, at = _last(after), step.event.at
    judged_as = judged(before.spec.restart, last.exit).outcome
    failed = judged_as is Outcome.FAILURE
    starts = count.start_failures
    if isinstance(last.exit, StartFailed):
        starts += failed
    elif outcome(last.exit) is not Outcome.NEITHER:
        starts = 0
    row = 0 if judged_as is Outcome.CLEAN else count.in_a_row + failed
    count = attrs.evolve(count, start_failures=starts, in_a_row=row)
    if not failed:
        return count
    is_run = not isinstance(last.exit, StartFailed)
    return attrs.evolve(
        count,
        attempts=count.attempts + 1,
        failures=(*count.failures, at) if is_run else count.failures,
        last=at,
    )
