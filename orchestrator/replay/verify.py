"""Whether a journal replays: the same commands, the same records, row by row.

A journal is written by the rule books of several releases, each segment beginning
with a ``Booted`` that names its ``rules``. All of it is folded by today's code; what
it decided is compared in the segments that today's rules have written. (That a row
was not altered is the chain's matter, which the journal checks as it reads.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeAlias

import attrs
from returns.result import Failure, Result, Success

from orchestrator.core.custom import NO_POLICIES, CustomPolicies
from orchestrator.core.errors import NotReplayable, PolicyNotRegistered
from orchestrator.core.events import Booted
from orchestrator.core.reduce import Transition
from orchestrator.core.registry import not_registered
from orchestrator.core.state import RULES, Fleet
from orchestrator.replay.history import Entry, transitions

__all__ = ("DigestChanges", "Verdict", "verify")

DigestChanges: TypeAlias = Callable[[Fleet, Sequence[str]], bytes]
"""From a fleet and the names that an event touched to the digest of their records."""


@attrs.frozen(kw_only=True)
class Verdict:
    """What was replayed: the fleet at the end, and how many rows were compared."""

    fleet: Fleet
    rows: int
    compared: int


def verify(
    fleet: Fleet,
    entries: Iterable[Entry],
    digest: DigestChanges,
    *,
    rules: int = RULES,
    policies: CustomPolicies = NO_POLICIES,
) -> Result[Verdict, NotReplayable | PolicyNotRegistered]:
    """Replay rows from the beginning; a failure names the first that diverges.

    A row that declares a custom policy which is not among *policies* is a failure.
    """
    rows = compared = 0
    is_ours = False
    for entry, transition in transitions(fleet, entries, policies):
        missing = not_registered(entry.event, policies)
        if missing is not None:
            return Failure(missing)
        fleet = transition.fleet
        rows += 1
        if isinstance(entry.event, Booted):
            is_ours = entry.event.rules == rules
        if not is_ours:
            continue
        compared += 1
        divergence = _divergence(entry, transition, digest)
        if divergence is not None:
            return Failure(divergence)
    return Success(Verdict(fleet=fleet, rows=rows, compared=compared))


def _divergence(
    entry: Entry, transition: Transition, digest: DigestChanges
) -> NotReplayable | None:
    if entry.commands != transition.commands:
        return NotReplayable(
            seq=entry.seq,
            what="commands",
            recorded=str(entry.commands),
            recomputed=str(transition.commands),
        )
    changes = digest(transition.fleet, transition.touched)
    if entry.changes != changes:
        return NotReplayable(
            seq=entry.seq,
            what=f"the records of {', '.join(transition.touched) or 'nobody'}",
            recorded=entry.changes.hex()[:16],
            recomputed=changes.hex()[:16],
        )
    return None
