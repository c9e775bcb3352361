"""Whether a journal replays: the same commands, the same records, row by row.

A journal is written by the rule books of several releases, each segment beginning
with a ``Booted`` that names its ``rules``. All of it is folded by today's code; what
it decided is compared in the segments that today's rules have written. (That a row
was not altered is the chain's matter, which the journal checks as it reads.)

Rows before the first ``Booted`` name no rules. They are compared: nothing says that
another rule book wrote them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeAlias

import attrs
from returns.result import Failure, Result, Success

from orchestrator.core.commands import Command
from orchestrator.core.custom import NO_POLICIES, CustomPolicies
from orchestrator.core.errors import Difference, NotReplayable, PolicyNotRegistered
from orchestrator.core.events import Booted
from orchestrator.core.registry import not_registered, not_registered_of_fleet
from orchestrator.core.state import RULES, Fleet
from orchestrator.core.steps import Step
from orchestrator.replay.history import NOTHING, Entry, states
from orchestrator.replay.trees import Tree, differences, parting, shown

__all__ = ("Diverged", "Recording", "Segment", "Verdict", "checks", "verify")

Diverged: TypeAlias = NotReplayable | PolicyNotRegistered
"""Why a replay stops."""


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

    @property
    def compared(self) -> int:
        """Return how many rows were compared."""
        return sum(s.last - s.first + 1 for s in self.segments if s.compared)


def verify(
    entries: Iterable[Entry],
    recording: Recording,
    *,
    fleet: Fleet = NOTHING,
    rules: int = RULES,
    policies: CustomPolicies = NO_POLICIES,
) -> Result[Verdict, Diverged]:
    """Replay rows from the beginning; a failure names the first that diverges.

    A row that declares a custom policy which is not among *policies* is a failure.
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
    rows = last = 0
    for entry, step in (
        () if failure else states(entries, fleet=fleet, policies=policies)
    ):
        if isinstance(entry.event, Booted):
            now = entry.event.rules
        failure = not_registered(entry.event, policies)
        if failure is None and (now is None or now == rules):
            failure = _divergence(entry, step, recording)
        if failure is not None:
            break
        if not parts or parts[-1][1] != now:
            parts.append((entry.seq, now))
        fleet, last, rows = step.after, entry.seq, rows + 1
    yield Verdict(fleet=fleet, rows=rows, segments=_segments(parts, last, rules))
    if failure is not None:
        yield failure


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
