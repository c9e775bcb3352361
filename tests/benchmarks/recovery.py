"""How an operator comes back: from a snapshot near the end, or from the first row."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, Final

import attrs
from returns.future import FutureResult

from orchestrator.journal.port import START, Head
from orchestrator.journal.sqlite import open_sqlite
from orchestrator.replay import AfterRow
from orchestrator.replay import fold as fold_entries
from orchestrator.runtime.outcomes import settled
from orchestrator.runtime.recovery import Recovered, recover, snapshot_of
from tests.benchmarks.figures import Asked, Figures, costs, reached
from tests.benchmarks.harness import Case, Goal, Timing, interleaved
from tests.benchmarks.replay import opened_at, stored
from tests.benchmarks.trace import written

__all__ = ("ABOUT", "figures", "recovery_of")

ABOUT: Final = "An operator that comes back from a snapshot, beside folding the whole."
GOALS: Final = (Goal(case="recover", limit="recover whole", least=20.0),)

SNAPSHOT_EVERY: Final = 10_000
"""Rows between two snapshots: the default of the operator."""


@attrs.frozen
class _Forgetful:
    """A journal that knows of no snapshot."""

    journal: Any

    def latest_snapshot(self, until: int | None = None) -> FutureResult[None, Any]:
        return FutureResult.from_value(None)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.journal, name)


def figures(asked: Asked) -> Figures:
    """Time how an operator comes back."""
    events = asked.events or (600 if asked.smoke else 1_000_000)
    containers = asked.containers or (20 if asked.smoke else 10_000)
    database = stored(written(asked.directory, events, containers))
    timing = recovery_of(database, 1 if asked.smoke else min(asked.rounds, 3))
    title = f"Coming back over {events} rows and {containers} containers"
    return Figures(
        sheets=(costs(title, timing, unit="s", scale=1e9),),
        reached=reached(timing, GOALS),
    )


def recovery_of(database: Path, rounds: int) -> Timing:
    """Time how an operator comes back, with a snapshot near the end and without.

    The snapshot is as far behind as it gets where one is kept every so many rows.
    """
    _keep_snapshot(database)
    cases = [
        Case(
            name="recover whole", items=1, run=lambda: _recovered(database, whole=True)
        ),
        Case(name="recover", items=1, run=lambda: _recovered(database, whole=False)),
    ]
    return interleaved(cases, rounds)


def _recovered(database: Path, *, whole: bool) -> list[Recovered]:
    """Recover once; what was found lives until the clock is read.

    It is no result of ``asyncio.run``, which writes the ``repr`` of one, of a whole
    fleet, when it puts the handler of SIGINT back (Python 3.11 to 3.13, through
    ``signal.Handlers``): that took longer than the recovery.
    """
    kept: list[Recovered] = []

    async def recovered() -> None:
        journal: Any = await settled(open_sqlite(database))
        seen = _Forgetful(journal) if whole else journal
        found = await settled(recover(seen, "fleet"))
        await settled(journal.close())
        assert isinstance(found, Recovered), found
        kept.append(found)

    asyncio.run(recovered())
    return kept


def _keep_snapshot(database: Path) -> None:
    """Save a snapshot of the fleet, as an operator would have by the way."""
    reading = opened_at(database)
    count = reading.source.expected or 0
    last = count - min(SNAPSHOT_EVERY, count // 2)
    if (reading.source.snapshot(last) or START).seq == last:
        return  # of the run before
    fleet = fold_entries(reading.entries(), until=AfterRow(last))
    place = next(row for row in opened_at(database).rows(last - 1))
    head = Head(seq=place.seq, digest=place.digest)

    async def saved() -> None:
        journal: Any = await settled(open_sqlite(database))
        assert await settled(journal.save_snapshot(snapshot_of(fleet, head))) is None
        await settled(journal.close())

    asyncio.run(saved())
