"""The laws that every restart policy obeys, each over a whole history.

A law is given a tale and yields, in words, what in it breaks the law. Budgets and
starts are held against the count of ``lives``, which is not the core's own.
"""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.core.backoff import base_wait, longest_wait
from orchestrator.core.events import ContainerObserved, SpecApplied
from orchestrator.core.exit_rules import ExitAction
from orchestrator.core.exits import GroupEnded, Outcome, Slept, StartFailed, exit_text
from orchestrator.core.moments import Millis, format_duration
from orchestrator.core.observations import SeenRunning
from orchestrator.core.phases import (
    Asleep,
    BackingOff,
    Completed,
    CrashLooping,
    Failed,
    Pending,
    Phase,
    Starting,
    Stopped,
    phase_name,
)
from orchestrator.core.policies import When, judged
from orchestrator.testing.lives import End, Launch, ends, launches, lives
from orchestrator.testing.tales import Tale

__all__ = (
    "counts_agree",
    "exit_rules_decide",
    "innocent_ends_never_count",
    "innocent_ends_restart",
    "max_restarts_ends_it",
    "no_launch_before_its_time",
    "start_budget_is_kept",
    "terminal_phases_stay",
    "waits_follow_the_backoff",
    "waits_never_shrink",
    "when_is_obeyed",
    "window_budget_is_kept",
)

_GOES_ON = (Pending, Starting, BackingOff)


def _failures(launch: Launch) -> bool:
    last = launch.container.last
    policy = launch.container.spec.restart
    return last is not None and judged(policy, last.exit).outcome is Outcome.FAILURE


def _unasked(tale: Tale) -> Iterator[Launch]:
    """Yield the starts that answer a failure, and that nobody asked for."""
    for launch in launches(tale):
        if not launch.asked and _failures(launch):
            yield launch


def window_budget_is_kept(tale: Tale) -> Iterator[str]:
    """No start answers more failures of runs within the window than are allowed."""
    for launch in _unasked(tale):
        crash = launch.container.spec.restart.crash
        last = launch.container.last
        if last is None or isinstance(last.exit, StartFailed):
            continue
        since = launch.at - crash.window_ms
        recent = [moment for moment in launch.count.failures if moment > since]
        if len(recent) > crash.allowed_crashes:
            yield (
                f"{launch.container.name} is started at {format_duration(launch.at)}"
                f" after {len(recent)} failures within"
                f" {format_duration(crash.window_ms)}; allowed_crashes is"
                f" {crash.allowed_crashes}"
            )


def start_budget_is_kept(tale: Tale) -> Iterator[str]:
    """Beyond the budget, a failed start is answered once a window, not sooner."""
    for launch in _unasked(tale):
        policy, last = launch.container.spec.restart, launch.container.last
        if last is None or not isinstance(last.exit, StartFailed):
            continue
        waited = launch.at - (launch.count.last or 0)
        spent = launch.count.start_failures
        if spent > policy.start_budget and waited < policy.crash.window_ms:
            yield (
                f"{launch.container.name} is started again after {spent} failed starts"
                f" in a row, {format_duration(waited)} after the last; start_budget is"
                f" {policy.start_budget}"
            )


def max_restarts_ends_it(tale: Tale) -> Iterator[str]:
    """No start answers more failures in a row than ``max_restarts``."""
    for launch in _unasked(tale):
        most = launch.container.spec.restart.max_restarts
        if most is not None and launch.count.in_a_row > most:
            yield (
                f"{launch.container.name} is started after {launch.count.in_a_row}"
                f" failures in a row; max_restarts is {most}"
            )


def no_launch_before_its_time(tale: Tale) -> Iterator[str]:
    """Demand that a start comes when the policy said, unless it was asked for."""
    ended: dict[str, End] = {}
    for one in lives(tale):
        if isinstance(one, End):
            ended[one.after.name] = one
            continue
        end = ended.get(one.container.name)
        if one.asked or end is None or end.after.spec.group is not None:
            continue
        said = end.after.phase
        until = getattr(said, "until", end.last.ended_at)
        is_allowed = isinstance(said, (*_GOES_ON, CrashLooping))
        if not is_allowed or until is None or one.at < until:
            yield (
                f"{one.container.name} is started at {format_duration(one.at)},"
                f" but the end of its last run led to {_said(said)}"
            )


def _said(phase: Phase) -> str:
    until = getattr(phase, "until", None)
    return phase_name(phase) + ("" if until is None else f" until {until}")


def _wait(end: End) -> Millis | None:
    """Return how long the failure of a run is to be waited out; None: it is not.

    One that waits for its group has a wait of its own beside it. A rollout that moves
    it at once does not wait.
    """
    is_ours = end.policy.custom is None and end.after.desired.running
    is_ours = is_ours and not end.is_moved
    if not is_ours or end.outcome is not Outcome.FAILURE:
        return None
    match end.after.phase:
        case BackingOff(since=since, waits_for=str(by), not_before=own) if by:
            return own - since
        case BackingOff(since=since, until=until):
            return until - since
        case Pending() | Starting():
            return 0
        case _:
            return None


def waits_follow_the_backoff(tale: Tale) -> Iterator[str]:
    """Demand of a wait what the backoff says, within its jitter, never too long."""
    for end in ends(tale):
        wait = _wait(end)
        if wait is None:
            continue
        backoff, attempt = end.policy.backoff, end.count.attempts
        base = base_wait(backoff, attempt)
        spread = int(base * backoff.jitter)
        floor = end.step.after.settings.min_restart_delay_ms
        low = max(floor, base - spread)
        high = max(floor, min(longest_wait(backoff), base + spread))
        if not low <= wait <= high:
            yield (
                f"failure {attempt} of {end.after.name} is waited out for {wait} ms;"
                f" the backoff says {low} to {high} ms"
            )


def waits_never_shrink(tale: Tale) -> Iterator[str]:
    """Without jitter, computed waits grow or stay until the failures are forgiven."""
    longest: dict[str, tuple[int, Millis]] = {}
    for end in ends(tale):
        wait, backoff = _wait(end), end.policy.backoff
        if wait is None or backoff.delays_ms or backoff.jitter:
            continue
        attempt, before = longest.get(end.after.name, (0, 0))
        if end.count.attempts > attempt and wait < before:
            yield (
                f"{end.after.name} waits {wait} ms after failure {end.count.attempts},"
                f" and waited {before} ms after failure {attempt}"
            )
        longest[end.after.name] = (end.count.attempts, wait)


def counts_agree(tale: Tale) -> Iterator[str]:
    """Demand that a failure counts once, and is forgiven only for a reason."""
    for end in ends(tale):
        found = (end.after.history.attempts, end.after.history.start_failures)
        expected = (end.count.attempts, end.count.start_failures)
        if found != expected:
            yield (
                f"after {exit_text(end.last.exit)} of {end.after.name},"
                f" {found[0]} failures and {found[1]} failed starts in a row count;"
                f" there were {expected[0]} and {expected[1]} since the last reset"
            )


def innocent_ends_never_count(tale: Tale) -> Iterator[str]:
    """Clean exits, requested stops, rollouts, sleep, lack of capacity add nothing."""
    for end in ends(tale):
        before, after = end.before.history, end.after.history
        more = after.crashes_total - before.crashes_total
        if end.outcome is not Outcome.FAILURE and more:
            yield f"{exit_text(end.last.exit)} of {end.after.name} counts as a failure"
        if end.outcome is Outcome.FAILURE and more != 1:
            yield f"{exit_text(end.last.exit)} of {end.after.name} counts {more} times"


def when_is_obeyed(tale: Tale) -> Iterator[str]:
    """Demand what ``when`` says, where no exit rule and no custom policy does."""
    for end in ends(tale):
        by_rule = judged(end.policy, end.last.exit).action is not None
        if by_rule or end.policy.custom is not None or not end.after.desired.running:
            continue
        phase, when = end.after.phase, end.policy.when
        match end.outcome:
            case Outcome.CLEAN if when is When.ALWAYS:
                fits = isinstance(phase, _GOES_ON)
            case Outcome.CLEAN:
                fits = isinstance(phase, Completed)
            case Outcome.FAILURE if when is When.NEVER:
                fits = isinstance(phase, Failed)
            case Outcome.FAILURE:
                fits = not isinstance(phase, Completed)
            case _:
                fits = True
        if not fits:
            yield _led_to(end, f"under when = {when}")


def exit_rules_decide(tale: Tale) -> Iterator[str]:
    """Demand of a rule to complete, fail or ignore that it is the last word."""
    for end in ends(tale):
        phase = end.after.phase
        match judged(end.policy, end.last.exit).action:
            case ExitAction.COMPLETE:
                fits = isinstance(phase, Completed)
            case ExitAction.FAIL:
                fits = isinstance(phase, Failed)
            case ExitAction.IGNORE:
                fits = isinstance(phase, _GOES_ON)
            case _:
                fits = True
        if not fits and end.after.desired.running:
            action = judged(end.policy, end.last.exit).action
            yield _led_to(end, f"although a rule says {action}")


def innocent_ends_restart(tale: Tale) -> Iterator[str]:
    """Demand a restart, by every policy, after what was nobody's failure."""
    for end in ends(tale):
        by_rule = judged(end.policy, end.last.exit).action is not None
        is_other = isinstance(end.last.exit, Slept | GroupEnded)
        if end.outcome is not Outcome.NEITHER or by_rule or is_other:
            continue
        if end.after.desired.running and not isinstance(end.after.phase, _GOES_ON):
            yield _led_to(end, "although it is nobody's failure")


def _led_to(end: End, why: str) -> str:
    exit_, name = exit_text(end.last.exit), end.after.name
    return f"{exit_} of {name} led to {phase_name(end.after.phase)} {why}"


def terminal_phases_stay(tale: Tale) -> Iterator[str]:
    """Demand that what is done, given up, held, asleep or stopped stays so.

    A look that shows a run alive is believed; a group may take its members along.
    """
    for step in tale.steps:
        for before, after in step.pairs():
            if before is None or after is None or not _is_terminal(before.phase):
                continue
            event = step.event
            about = getattr(event, "name", None) == before.name
            asked = about and type(event).__name__.endswith(("Requested", "Cleared"))
            seen = isinstance(event, ContainerObserved) and isinstance(
                event.sight, SeenRunning
            )
            moved = type(before.phase) is not type(after.phase)
            is_other = isinstance(event, SpecApplied) or before.spec.group is not None
            if moved and not (asked or seen or is_other):
                yield (
                    f"{before.name} was {phase_name(before.phase)} and is"
                    f" {phase_name(after.phase)} after {type(event).__name__}"
                )


def _is_terminal(phase: Phase) -> bool:
    match phase:
        case Completed() | Failed() | Stopped() | Asleep() | CrashLooping(until=None):
            return True
        case _:
            return False
