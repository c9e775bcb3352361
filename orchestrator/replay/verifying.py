"""Whether a journal replays: the same commands, the same records, row by row.

A journal is written by the rule books of several releases, each segment beginning
with a ``Booted`` that names its ``rules``. All of it is folded by today's code; what
it decided is compared in the segments that today's rules have written. (That a row
was not altered is the chain's matter, which the journal checks as it reads.)

Rows before the first ``Booted`` name no rules. They are compared: nothing says that
another rule book wrote them. Rows of a *newer* rule book than today's are not folded:
this code cannot know what they mean.

Rows follow each other without a gap, and their moments never fall. The chain says the
first of a journal that was read; here it is demanded of any entries.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final, TypeAlias

import attrs
from returns.result import Failure, Result, Success

from orchestrator.core.commands import Command
from orchestrator.core.custom import NO_POLICIES, CustomPolicies
from orchestrator.core.errors import (
    Difference,
    JournalCorrupt,
    JournalTooNew,
    NotReplayable,
    PolicyNotRegistered,
)
from orchestrator.core.events import Booted
from orchestrator.core.registry import not_registered, not_registered_of_fleet
from orchestrator.core.state import RULES, Fleet
from orchestrator.core.steps import Step
from orchestrator.replay.history import NOTHING, Entry, states
from orchestrator.replay.trees import Tree, differences, parting, shown

__all__ = ("Diverged", "Recording", "Segment", "Verdict", "checks", "verify")

Diverged: TypeAlias = (
    NotReplayable | PolicyNotRegistered | JournalCorrupt | JournalTooNew
)
"""Why a replay stops."""

MISSING: Final = "row missing"
REPEATED: Final = "row repeated"
FALLS: Final = "event at"
"""Places of a damage; the first two as the journal calls them."""


@attrs.frozen(kw_only=True)
class Recording:
    """How a journal writes what is compared: the codec's part, which replay is given.

    ``changes`` writes what an event changed (fleet before, after, names touched);
    ``read`` reads that as plain JSON, None where an old row holds but a digest;
    ``tree`` gives any value of the core as plain JSON.
    """

    changes: Callable[[Fleet, Fleet, Sequence[str]], bytes]
    read: Callable[[bytes], Tree]
    tree: Callable[[Any], Tree]


@attrs.frozen(kw_only=True)
class Segment:
    """Rows ``first`` to ``last``, written under one rule book.

    ``rules`` is its number, None where no operator has booted yet to name it.
    ``compared``: what they decided was compared with today's code, not only folded.
    """

    first: int
    last: int
    rules: int | None
    compared: bool


@attrs.frozen(kw_only=True)
class Verdict:
    """What was replayed: the fleet at the end, and what each part was checked for."""

    fleet: Fleet
    rows: int
    segments: tuple[Segment, ...]
    compared: int = 0
    """How many of the rows were compared."""


def verify(
    entries: Iterable[Entry],
    recording: Recording,
    *,
    fleet: Fleet = NOTHING,
    rules: int = RULES,
    policies: CustomPolicies = NO_POLICIES,
) -> Result[Verdict, Diverged]:
    """Replay rows from the beginning; a failure names the first that diverges.

    Also a failure: a row that is missing or repeated, or whose moment lies before that
    of the row before; one that rules newer than *rules* have decided; one that declares
    a custom policy which is not among *policies*. Behind another *fleet* than the empty
    one, entries may begin with any row.
    """
    verdict = Verdict(fleet=fleet, rows=0, segments=())
    for found in checks(
        entries, recording, fleet=fleet, rules=rules, policies=policies
    ):
        if not isinstance(found, Verdict):
            return Failure(found)
        verdict = found
    return Success(verdict)


def checks(
    entries: Iterable[Entry],
    recording: Recording,
    *,
    fleet: Fleet = NOTHING,
    rules: int = RULES,
    policies: CustomPolicies = NO_POLICIES,
) -> Iterator[Verdict | Diverged]:
    """Yield what was found up to the first failure or the end; then the failure.

    So that who is told of a failure knows what was good before it.
    """
    failure: Diverged | None = not_registered_of_fleet(fleet, policies)
    now = fleet.rules if fleet.epoch else None
    parts: list[tuple[int, int | None]] = []
    rows = last = compared = 0
    for entry, step in (
        () if failure else states(entries, fleet=fleet, policies=policies)
    ):
        if isinstance(entry.event, Booted):
            now = entry.event.rules
        is_first = not rows and fleet is not NOTHING
        failure = (
            _out_of_place(entry, entry.seq if is_first else last + 1, step)
            or _too_new(entry.seq, now, rules)
            or not_registered(entry.event, policies)
        )
        is_compared = now is None or now == rules
        if failure is None and is_compared:
            failure = _divergence(entry, step, recording)
        if failure is not None:
            break
        if not parts or parts[-1][1] != now:
            parts.append((entry.seq, now))
        fleet, last, rows = step.after, entry.seq, rows + 1
        compared += is_compared
    segments = _segments(parts, last, rules)
    yield Verdict(fleet=fleet, rows=rows, segments=segments, compared=compared)
    if failure is not None:
        yield failure


def _out_of_place(entry: Entry, seq: int, step: Step) -> JournalCorrupt | None:
    """Return what is wrong with the number of a row, or with its moment."""
    if entry.seq != seq:
        return JournalCorrupt(
            seq=seq,
            place=MISSING if entry.seq > seq else REPEATED,
            expected=f"row {seq}",
            found=f"row {entry.seq}",
        )
    at, before = entry.event.at, step.before.at
    if at >= before:
        return None
    expected = f"{before} or later, for the row before came then"
    return JournalCorrupt(seq=seq, place=FALLS, expected=expected, found=str(at))


def _too_new(seq: int, now: int | None, rules: int) -> JournalTooNew | None:
    """Return that a row was decided by rules which this code cannot know."""
    if now is None or now <= rules:
        return None
    return JournalTooNew(found=now, known=rules, seq=seq)


def _segments(
    parts: list[tuple[int, int | None]], last: int, rules: int
) -> tuple[Segment, ...]:
    """Return parts, of which the first row and the rules are known, as segments."""
    ends = [*(first - 1 for first, _ in parts[1:]), last]
    return tuple(
        Segment(
            first=first, last=end, rules=found, compared=found is None or found == rules
        )
        for (first, found), end in zip(parts, ends, strict=False)
    )


def _divergence(entry: Entry, step: Step, recording: Recording) -> NotReplayable | None:
    """Return what today's code makes of a row that the row does not say."""
    changes = recording.changes(step.before, step.after, step.touched)
    if entry.commands == step.commands and entry.changes == changes:
        return None
    found = (
        *_of_commands(entry.commands, step.commands, recording),
        *_of_changes(entry.changes, changes, recording),
    )
    kind = recording.tree(entry.event)["type"]
    return NotReplayable(seq=entry.seq, event=kind, differences=found)


def _of_commands(
    was: tuple[Command, ...], now: tuple[Command, ...], recording: Recording
) -> Iterator[Difference]:
    if was != now:
        yield from differences(recording.tree(was), recording.tree(now), "commands")


def _of_changes(was: bytes, now: bytes, recording: Recording) -> Iterator[Difference]:
    if was == now:
        return
    recorded, recomputed = recording.read(was), recording.read(now)
    if recorded is None:
        held = f"no fields, {len(was)} bytes"
        yield Difference(place="changes", recorded=held, recomputed=shown(recomputed))
        return
    found = tuple(differences(recorded, recomputed, ""))
    yield from found or (parting(was, now, "changes"),)
