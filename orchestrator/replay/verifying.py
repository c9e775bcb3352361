"""Whether a journal replays: the same commands, the same records, row by row.

A journal is written by the rule books of several releases, each segment beginning
with a ``Booted`` that names its ``rules``. All of it is folded by today's code; what
it decided is compared in the segments that today's rules have written. (That a row
was not altered is the chain's matter, which the journal checks as it reads.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeAlias, cast

import attrs
from returns.result import Failure, Result, Success

from orchestrator.core.custom import NO_POLICIES, CustomPolicies
from orchestrator.core.errors import Difference, NotReplayable, PolicyNotRegistered
from orchestrator.core.events import Booted
from orchestrator.core.registry import not_registered
from orchestrator.core.state import RULES, Fleet
from orchestrator.core.steps import Step
from orchestrator.replay.history import NOTHING, Entry, states

__all__ = ("Recording", "Segment", "Verdict", "differences", "verify")

Tree: TypeAlias = Any
"""Plain JSON: dicts, lists, texts, numbers."""

MISSING = "nothing"
"""How a value that is not there is told."""

SHOWN_MAX = 200
"""Characters of a value that a difference shows."""


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

    ``compared``: what they decided was compared with today's code, not only folded.
    """

    first: int
    last: int
    rules: int
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
) -> Result[Verdict, NotReplayable | PolicyNotRegistered]:
    """Replay rows from the beginning; a failure names the first that diverges.

    A row that declares a custom policy which is not among *policies* is a failure.
    """
    rows, now = 0, fleet.rules
    segments: list[Segment] = []
    for entry, step in states(entries, fleet=fleet, policies=policies):
        missing = not_registered(entry.event, policies)
        if missing is not None:
            return Failure(missing)
        fleet = step.after
        rows += 1
        if isinstance(entry.event, Booted):
            now = entry.event.rules
        segments = _grown(segments, entry.seq, now, is_compared=now == rules)
        if now != rules:
            continue
        divergence = _divergence(entry, step, recording)
        if divergence is not None:
            return Failure(divergence)
    return Success(Verdict(fleet=fleet, rows=rows, segments=tuple(segments)))


def _grown(
    segments: list[Segment], seq: int, rules: int, *, is_compared: bool
) -> list[Segment]:
    """Let a row belong to the last segment, or begin another."""
    if segments and segments[-1].rules == rules:
        segments[-1] = attrs.evolve(segments[-1], last=seq)
        return segments
    new = Segment(first=seq, last=seq, rules=rules, compared=is_compared)
    return [*segments, new]


def _divergence(entry: Entry, step: Step, recording: Recording) -> NotReplayable | None:
    """Return what today's code makes of a row that the row does not say."""
    changes = recording.changes(step.before, step.after, step.touched)
    found: list[Difference] = []
    if entry.commands != step.commands:
        was, now = recording.tree(entry.commands), recording.tree(step.commands)
        found += differences(was, now, "commands")
    if entry.changes != changes:
        was, now = recording.read(entry.changes), recording.read(changes)
        found += differences(was, now, "")
    if not found and entry.changes == changes:
        return None
    kind = recording.tree(entry.event)["type"]
    return NotReplayable(seq=entry.seq, event=kind, differences=tuple(found))


def differences(recorded: Tree, recomputed: Tree, place: str) -> Iterator[Difference]:
    """Yield the leaves in which two trees of JSON differ, each with its place.

    >>> [d.place for d in differences({"a": {"b": 1}}, {"a": {"b": 2}}, "$")]
    ['$.a.b']

    """
    if isinstance(recorded, dict) and isinstance(recomputed, dict):
        was, now = (
            cast("dict[str, Tree]", recorded),
            cast("dict[str, Tree]", recomputed),
        )
        for key in {**was, **now}:
            inner = f"{place}.{key}" if place else key
            yield from differences(was.get(key, ...), now.get(key, ...), inner)
    elif recorded != recomputed:
        yield Difference(
            place=place, recorded=_shown(recorded), recomputed=_shown(recomputed)
        )


def _shown(tree: Tree) -> str:
    text = MISSING if tree is ... else str(tree)
    return text if len(text) <= SHOWN_MAX else f"{text[: SHOWN_MAX - 3]}..."
