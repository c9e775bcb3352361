"""Keeping the journal of a running operator small: beside the loop, a step at a time.

```
look ─▶ how many rows are due ─▶ replay them, a page at a time, in a thread
            ▲                        ─▶ archive them, if asked to
            │                        ─▶ let who reads the past finish
            └── more are due ◀────── ─▶ one transaction: the fleet in their place
```

A step is what ``journal compact`` does, for as many rows as one transaction cuts off
within some hundredths of a second: nothing that is appended waits longer. Rows that do
not replay are not cut off. A process that is killed leaves the journal before a step,
or after it.

Nothing is decided by it: the fleet and what is appended are the same without it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final, ParamSpec, TypeVar

from returns.result import Failure

from orchestrator.codec.wire import decode_fleet, encode_fleet
from orchestrator.core.custom import CustomPolicies
from orchestrator.core.errors import (
    InvalidSpec,
    JournalCorrupt,
    JournalError,
    JournalUnavailable,
)
from orchestrator.core.journal_errors import is_in_doubt
from orchestrator.core.state import RULES, Fleet
from orchestrator.journal.archives import archive_rows, remove_unfinished
from orchestrator.journal.beside import free_name
from orchestrator.journal.overlaps import kept_already, without_copies
from orchestrator.journal.port import Compactable, Head, Journal, Row, Snapshot
from orchestrator.journal.reading import RECORDING, entry_of
from orchestrator.replay.history import NOTHING, Entry
from orchestrator.replay.verifying import verify
from orchestrator.runtime.collecting import collecting_seldom
from orchestrator.runtime.loop import Loop
from orchestrator.runtime.outcomes import settled
from orchestrator.runtime.retention import Due, Keep, due_rows, no_row
from orchestrator.runtime.travel import Travel

__all__ = ("Compacting",)

P = ParamSpec("P")
T = TypeVar("T")

LOG: Final = logging.getLogger("orchestrator.journal")

EVERY_S: Final = 30.0
"""Between two looks at how many rows are due."""

PAGE: Final = 1_000
"""Rows that are replayed in one go; the thread rests as long after each."""

HOLD_S: Final = 60.0
"""How long who reads the past is waited for; then it is told where rows begin."""

HELD_S: Final = 0.05
"""Between two looks at whether somebody reads."""


class _Ended(Exception):
    """The operator ends: the step is not taken."""


class Compacting:
    """The compaction of one operator's journal, for as long as it works."""

    def __init__(
        self,
        journal: Journal,
        keep: Keep | None,
        loop: Loop,
        travel: Travel,
        policies: CustomPolicies,
    ) -> None:
        """Keep *journal* as *keep* says (None: all of it), while *loop* writes to it.

        Who reads the past by *travel*, or holds it, is let finish. The rows may need
        *policies*.
        """
        self._journal = journal
        self._keep = keep or Keep()
        self._loop = loop
        self._travel = travel
        self._policies = policies
        self._telemetry = loop.telemetry
        self.waiting = asyncio.Event()
        self._end = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="compaction")
        self._working: asyncio.Task[None] | None = None
        self._kept: Path | None = None  # of a step whose cut nobody has confirmed

    def start(self) -> None:
        """Begin to look, if there is anything to look for."""
        self._working = asyncio.ensure_future(self._work())

    def stop(self) -> None:
        """Take no further step."""
        self._end.set()

    async def close(self) -> None:
        """Wait until the step under way is over, or given up."""
        self.stop()
        if self._working is not None:
            await asyncio.wait([self._working])
        self._thread.shutdown(wait=False)

    async def _work(self) -> None:
        base = await settled(self._journal.beginning())
        self._telemetry.journal_base = base.seq if isinstance(base, Snapshot) else 0
        if self._keep.rows is None and self._keep.ms is None:
            return
        try:
            while not self._end.is_set():
                is_more = await self.look()
                if is_more is None:
                    return
                if not is_more:
                    await self._rest(EVERY_S)
        except _Ended:
            return
        except Exception:
            LOG.exception("the journal is not compacted any more")

    async def look(self) -> bool | None:
        """Take a step where one is due; say whether more are, None: never again."""
        found = await self._step()
        if not isinstance(found, JournalError):
            return found
        self._telemetry.compaction_failures += 1
        if isinstance(found, JournalUnavailable):
            LOG.warning("the journal was not compacted: %s", found.message)
            return False
        LOG.error("the journal is not compacted any more: %s", found.message)
        return None

    async def _step(self) -> bool | JournalError:
        journal, size = self._journal, len(self._loop.fleet.containers)
        due = await due_rows(journal, self._keep, size)
        if due is None or not isinstance(journal, Compactable):
            return False
        if not isinstance(due, Due):
            return due
        begun = time.monotonic()
        before = due.start.seq
        replayed = await self._replayed(due)
        if not isinstance(replayed, tuple):
            return replayed
        base, rows = replayed
        archive = await self._archived(due, base, rows)
        if isinstance(archive, JournalError):
            return archive
        refused: JournalError | None = None
        may_be_cut = False
        try:
            await self._overtaking_nobody()
            may_be_cut = True
            refused = await settled(journal.begin_behind(base))
            may_be_cut = refused is None or is_in_doubt(refused)
        finally:
            if archive is not None and not may_be_cut and archive != self._kept:
                archive.unlink(missing_ok=True)  # a copy of what is still there
        if refused is not None:
            return refused
        if archive is not None and self._keep.archive is not None:
            beside = self._keep.archive
            _ = await self._apart(without_copies, archive, beside, due.base)
        self._cut(before, base.seq, archive, time.monotonic() - begun)
        return not due.is_last

    async def _archived(
        self, due: Due, base: Snapshot, rows: tuple[Row, ...]
    ) -> Path | JournalError | None:
        """Write the rows to a file of their own, if they are to be archived."""
        if self._keep.archive is None:
            return None
        first = due.start.seq + 1
        middle = f"rows-{first}-{base.seq}"
        remove_unfinished(self._keep.archive, first)
        self._kept = await self._apart(kept_already, self._keep.archive, due.base, base)
        if self._kept is not None:
            return self._kept
        archive = free_name(self._keep.archive, middle, "jsonl.gz")
        problem = await self._apart(archive_rows, archive, rows, due.base, base)
        return archive if problem is None else problem

    async def _overtaking_nobody(self) -> None:
        """Wait until nobody reads the past, within reason."""
        until = time.monotonic() + HOLD_S
        try:
            while not self._travel.holds.is_free and time.monotonic() < until:
                self.waiting.set()
                await self._rest(HELD_S)
        finally:
            self.waiting.clear()

    def _cut(self, before: int, seq: int, archive: Path | None, seconds: float) -> None:
        """Tell that the journal begins behind another row."""
        self._travel.forget(seq)
        self._telemetry.compacted(seq)
        LOG.info(
            "the journal begins behind row %d: rows %d to %d are %s, after %.1f s",
            *(seq, before + 1, seq),
            *("gone" if archive is None else f"in {archive}", seconds),
            extra={"seq": seq},
        )

    # What they came to

    async def _replayed(
        self, due: Due
    ) -> tuple[Snapshot, tuple[Row, ...]] | JournalError:
        """Return the fleet after the rows, and the rows where they are archived."""
        begun = await self._apart(_beginning, due.base)
        if not isinstance(begun, Fleet):
            return begun
        fleet, head, kept = begun, due.start, list[Row]()
        while head.seq < due.cut:
            limit = min(PAGE, due.cut - head.seq)
            rows = await settled(self._journal.read(head.seq, limit))
            if not isinstance(rows, tuple):
                return rows
            if not rows:
                return no_row(head.seq + 1)
            took = time.monotonic()
            moved = await self._apart(_moved, fleet, rows, self._policies)
            if not isinstance(moved, Fleet):
                return moved
            fleet, head = moved, Head(seq=rows[-1].seq, digest=rows[-1].digest)
            kept += rows if self._keep.archive is not None else ()
            await self._rest(time.monotonic() - took)
        body = await self._apart(encode_fleet, fleet)
        base = Snapshot(seq=head.seq, digest=head.digest, rules=RULES, body=body)
        return base, tuple(kept)

    async def _apart(self, work: Callable[P, T], *args: P.args, **more: P.kwargs) -> T:
        """Do work in a thread of its own: what it leaves unused is used again by it.

        Each of the threads that all share would keep as much memory for later.
        """
        call = partial(work, *args, **more)
        return await asyncio.get_running_loop().run_in_executor(self._thread, call)

    async def _rest(self, seconds: float) -> None:
        """Wait; ``_Ended`` where the operator ends meanwhile."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                _ = await self._end.wait()
        if self._end.is_set():
            raise _Ended


def _beginning(base: Snapshot | None) -> Fleet | JournalError:
    """Return the fleet that the rows begin with."""
    if base is None:
        return NOTHING
    with collecting_seldom():
        fleet = decode_fleet(base.body)
    if not isinstance(fleet, Failure):
        found: Fleet = fleet.unwrap()
        return found
    error: InvalidSpec = fleet.failure()
    problem = error.problems[0]
    return JournalCorrupt(
        seq=base.seq,
        place=f"base {problem.place}",
        expected=problem.expected,
        found=problem.found,
    )


def _moved(
    fleet: Fleet, rows: tuple[Row, ...], policies: CustomPolicies
) -> Fleet | JournalError:
    """Return the fleet after rows, if they replay to the same decisions."""
    entries: list[Entry] = []
    for row in rows:
        entry = entry_of(row)
        if isinstance(entry, JournalCorrupt):
            return entry
        entries.append(entry)
    verdict = verify(entries, RECORDING, fleet=fleet, policies=policies)
    if isinstance(verdict, Failure):
        problem: JournalError = verdict.failure()
        return problem
    moved: Fleet = verdict.unwrap().fleet
    return moved
