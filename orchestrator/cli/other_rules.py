"""Which rows of a journal other rules have written, said beside what is shown of them.

All rows are folded by today's code. So where an older rule book wrote them, what is
shown is not what was decided then; where a newer one did, it may be wrong.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import click

from orchestrator.codec.wire import event_of
from orchestrator.core.events import Booted
from orchestrator.core.state import RULES, Fleet
from orchestrator.journal.port import Row
from orchestrator.replay.history import Entry

__all__ = ("OtherRules",)

STRETCHES_MAX = 4
"""Stretches of rows that are named; the rest is counted."""

_BOOTED: Final = b'{"type":"booted"'
"""How the event of a boot begins, as it is written."""

_SHOWN: Final = "what is shown may be wrong"


class OtherRules:
    """Lets entries pass, and remembers which of them other rules have written."""

    def __init__(self, fleet: Fleet) -> None:
        """Begin with *fleet*, which the rows begin behind."""
        self._began = fleet.rules if fleet.epoch else None
        self._stretches: dict[int, list[tuple[int, int]]] = {}

    def passing(
        self, entries: Iterable[Entry], fleet: Fleet | None = None
    ) -> Iterator[Entry]:
        """Yield entries; those behind a state that is known begin with its *fleet*."""
        now = self._began
        if fleet is not None:
            now = fleet.rules if fleet.epoch else None
        for entry in entries:
            if isinstance(entry.event, Booted):
                now = entry.event.rules
            if now is not None and now != RULES:
                self._note(now, entry.seq)
            yield entry

    def passing_rows(self, rows: Iterable[Row]) -> Iterator[Row]:
        """Yield rows as they are; of their events only those of a boot are read."""
        now = self._began
        for row in rows:
            if row.event.startswith(_BOOTED):
                event = event_of(row.event)
                now = event.rules if isinstance(event, Booted) else now
            if now is not None and now != RULES:
                self._note(now, row.seq)
            yield row

    def _note(self, rules: int, seq: int) -> None:
        found = self._stretches.setdefault(rules, [])
        if found and seq in range(found[-1][0], found[-1][1] + 2):
            found[-1] = (found[-1][0], max(seq, found[-1][1]))
        else:
            found.append((seq, seq))

    def warn(self, *, older: bool = True, of: str = "", then: str = _SHOWN) -> None:
        """Say on standard error which rows they were, a line for each rule book.

        *older*: also where it is an older one; *of* which journal, where there are two;
        *then*: what comes of it where it is a newer one.
        """
        rows = f"{of}: rows" if of else "rows"
        for rules, found in self._stretches.items():
            listed = ", ".join(f"{a}..{b}" for a, b in found[:STRETCHES_MAX])
            more = len(found) - STRETCHES_MAX
            listed += f" and {more} stretches more" if more > 0 else ""
            written = f"warning: {rows} {listed} were written under rules {rules}"
            if rules > RULES:
                newer = f"newer than this release's {RULES}"
                click.echo(f"{written}, {newer}: {then}", err=True)
            elif older:
                said = "shown is what today's rules make of them"
                click.echo(f"{written}; {said}", err=True)
