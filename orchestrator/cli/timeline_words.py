"""The items of a timeline in words: what happened, what was decided, by which rule.

The words of one row follow each other on one line, or on as many as they need; what
two items would say twice is said once. Texts of the journal (names, causes, reasons)
may hold anything: ``plain`` shows controls as what they are, and none gets through.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, assert_never

from orchestrator.cli.plain import short as plain
from orchestrator.cli.service_words import service_words
from orchestrator.cli.times_of_day import clock_of, date_of
from orchestrator.core.events import CommandKind
from orchestrator.core.exits import exit_text
from orchestrator.core.explain import because
from orchestrator.core.moments import Moment, format_duration
from orchestrator.core.phases import Rule
from orchestrator.replay.timelines.happenings import (
    Asked,
    Checked,
    Closed,
    Decided,
    Entered,
    Fate,
    Happening,
    Left,
    LookFailed,
    LostSight,
    Opened,
    OrderFailed,
    RunBegun,
    RunEnded,
    RunReady,
    RunUp,
    TookOver,
    What,
    Wish,
)
from orchestrator.replay.timelines.of_services import (
    ImageRolled,
    LoadSeen,
    PlaceSeen,
    RolloutMoved,
)

__all__ = (
    "phase_words",
    "plain",
    "rule_words",
    "sentences",
    "was_already",
)


def _until(until: Moment, now: Moment) -> str:
    there = clock_of(until)
    if date_of(until) != date_of(now):
        there = f"{there} on {date_of(until)}"
    return f"{format_duration(until - now)}, until {there}"


# Phases and rules


def phase_words(phase: str) -> str:
    """Write the name of a phase for people.

    >>> phase_words("crash_looping")
    'crash looping'

    """
    return phase.replace("_", " ")


def rule_words(rule: Rule) -> str:
    """Write a rule, and what it says, where that is more than its name.

    >>> rule_words(Rule.FAILURE_BACKOFF), rule_words(Rule.DECLARED)
    ('failure backoff: it failed', 'it was declared')

    """
    name, sentence = rule.replace("_", " "), because(rule)
    return sentence if name in sentence else f"{name}: {sentence}"


# A row


def sentences(items: Sequence[Happening]) -> list[str]:
    """Tell the items of one row that concern one container, or the fleet."""
    return [told for item in items for told in _told(item, items)]


def _told(item: Happening, row: Sequence[Happening]) -> Iterator[str]:
    match item:
        case Opened() | Closed():
            return
        case TookOver(epoch=epoch, rules=rules):
            yield f"an operator takes over: epoch {epoch}, rules {rules}"
        case LookFailed(cause=cause):
            yield f"a look at the platform was not complete{_cause(cause)}"
        case Asked():
            yield _asked(item)
        case Checked(check=check, run=run, passing=passing, cause=cause):
            verdict = "passes" if passing else "fails"
            yield f"the {check} check of run {run} {verdict}{_cause(cause)}"
        case OrderFailed(kind=kind, run=run, error=error):
            if not any(isinstance(other, RunEnded) and other.exit for other in row):
                order = _ORDERS[kind].format(run=run)
                yield f"{order} failed: {plain(error.message)}"
        case LostSight(run=run, cause=cause):
            yield f"the platform lost sight of run {run}{_cause(cause)}"
        case RunEnded():
            yield _ended(item)
        case Decided():
            yield _decided(item, row)
        case RunBegun(run=run, adopted=adopted, ready_at=ready_at):
            if adopted:
                ready = " and ready" if ready_at is not None else ""
                yield f"run {run} is found alive{ready}, and is taken over"
        case RunUp(run=run, seen=seen):
            yield f"run {run} is up{_seen(seen)}"
        case RunReady(run=run, ready=ready, seen=seen):
            is_said = any(isinstance(other, RunUp) for other in row)
            is_now = "ready" if ready else "not ready any more"
            yield f"run {run} is {is_now}{_seen(seen and not is_said)}"
        case Entered():
            yield from _entered(item, row)
        case Left():
            yield "it has left the fleet"
        case RolloutMoved() | ImageRolled() | LoadSeen() | PlaceSeen():
            yield service_words(item)
        case _:
            assert_never(item)


def _cause(cause: str) -> str:
    return f": {plain(cause)}" if cause else ""


_ORDERS: Final = {
    CommandKind.START: "the start of run {run}",
    CommandKind.STOP: "the stop of run {run}",
    CommandKind.DESTROY: "the destruction of run {run}",
    CommandKind.FORGET: "the removal from the platform",
}

_WISHES: Final = {
    Wish.APPLY: "applies its fleet file",
    Wish.START: "asks for a start",
    Wish.STOP: "asks for a stop",
    Wish.RESTART: "asks for a restart",
    Wish.REMOVE: "removes it",
    Wish.CLEAR: "clears its crash history",
    Wish.RECONCILE: "asks for a reconcile",
    Wish.SCALE: "scales",
    Wish.ADOPT: "adopts it",
    Wish.STOP_ORPHAN: "asks for the end of the orphan",
    Wish.ROLLOUT: "asks of the rollout of",
}


def _asked(item: Asked) -> str:
    force = " by force" if item.force else ""
    about = f" {plain(item.about)}" if item.about else ""
    return f"{plain(item.by)} {_WISHES[item.wish]}{about}{force}{_cause(item.why)}"


def _ended(item: RunEnded) -> str:
    match item.fate:
        case Fate.REFUSED:
            return f"run {item.run} never began: the platform knows a newer run"
        case Fate.LET_GO:
            return f"run {item.run} is let go, and runs on"
        case Fate.ENDED:
            how = "in a way that is not known"
            if item.exit is not None:
                how = plain(exit_text(item.exit))
            crash = ", a crash" if item.crashed else ""
            untold = _seen(item.seen, ", nobody told")
            return f"run {item.run} ended: {how}{crash}{untold}{_lived(item)}"
        case _:
            assert_never(item.fate)


def _seen(seen: bool, more: str = "") -> str:  # noqa: FBT001 - one fact, in words
    return f" (seen by a look{more})" if seen else ""


def _lived(item: RunEnded) -> str:
    if item.started_at is None:
        return ", it was never up"
    up = format_duration(item.at - item.started_at)
    if item.ready_at is None:
        return f", up {up}, not ready"
    return f", up {up}, ready {format_duration(item.at - item.ready_at)}"


def _decided(item: Decided, row: Sequence[Happening]) -> str:
    rule = "" if item.rule is None else f" ({rule_words(item.rule)})"
    also = f", with {plain(item.waits_for)} of its group" if item.waits_for else ""
    match item.what:
        case What.QUEUE if item.waits_for:
            return f"waits for {plain(item.waits_for)}, which it depends on{rule}"
        case What.QUEUE:
            return f"waits for its turn to start{rule}"
        case What.WAIT | What.COOL_DOWN:
            does = "waits" if item.what is What.WAIT else "crash loop: cools down"
            wait = _until(item.until or item.at, item.at)
            attempt = f", attempt {item.attempt}" if item.attempt else ""
            return f"{does} {wait}{attempt}{also}{rule}"
        case What.HOLD:
            return f"is held{also}{rule}"
        case What.COMPLETE:
            return f"is done{rule}"
        case What.GIVE_UP:
            return f"is given up{rule}"
        case What.REST:
            return f"rests{rule}"
        case What.SLEEP:
            return f"sleeps{rule}"
        case What.START:
            return f"starts run {item.run}{_revision(item, row)}{rule}"
        case What.START_AGAIN:
            return f"commands the start of run {item.run} again: it is not confirmed"
        case What.STOP | What.DESTROY:
            does = "stops" if item.what is What.STOP else "destroys"
            return f"{does} run {item.run}{_verdict(item)}"
        case What.FORGET:
            return "has the platform forget it"
        case _:
            assert_never(item.what)


def _revision(item: Decided, row: Sequence[Happening]) -> str:
    for other in row:
        if isinstance(other, RunBegun) and other.run == item.run:
            return f" of revision {other.revision}"
    return ""


def _verdict(item: Decided) -> str:
    if item.verdict is None:
        return ", which it is not to have"
    return f", to end as: {plain(exit_text(item.verdict))}"


_TOLD_BY_OTHERS: Final = (RunBegun, RunUp, RunReady)


def _entered(item: Entered, row: Sequence[Happening]) -> Iterator[str]:
    """Tell where it is now, if no other item of the row has said so."""
    if item.rule is not None or item.phase == "starting":
        return
    if item.phase == "unknown":
        yield f"run {item.run} is out of sight"
    elif item.phase == "stopping":
        if not any(isinstance(other, Decided) for other in row):
            then = "start again" if item.wanted else "rest"
            yield f"run {item.run} goes on ending, then it will {then}"
    elif not any(isinstance(other, _TOLD_BY_OTHERS) for other in row):
        yield f"run {item.run} is seen again"


def was_already(item: Entered) -> str:
    """Tell where a container was when the stretch began."""
    run = "" if item.run is None else f", run {item.run}"
    ready = ", ready" if item.ready else ""
    rule = "" if item.rule is None else f" ({rule_words(item.rule)})"
    planned = "" if item.planned is None else f", {_until(item.planned, item.at)}"
    return f"is {phase_words(item.phase)} already{run}{ready}{planned}{rule}"
