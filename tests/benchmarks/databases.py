"""A trace as a database, and journals opened to be read."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from orchestrator.journal.port import START, Draft, Head, Row
from orchestrator.journal.reading import Reading, open_reading
from orchestrator.journal.sqlite import open_sqlite
from orchestrator.runtime.outcomes import opened, settled

__all__ = ("opened_at", "stored")

PAGE: Final = 5_000


def opened_at(place: Path) -> Reading:
    """Open a journal that is whole."""
    return opened(open_reading(place))  # type: ignore[return-value]


def stored(lines: Path) -> Path:
    """Return the same journal as a database, written once beside the export."""
    path = lines.with_suffix(".db")
    if not path.exists():
        asyncio.run(_store(opened_at(lines).rows(), path))
    return path


async def _store(rows: Iterable[Row], path: Path) -> None:
    journal: Any = await settled(open_sqlite(path))
    head, drafts = START, list[Draft]()
    for row in rows:
        drafts.append(
            Draft(
                at=row.at, event=row.event, commands=row.commands, changes=row.changes
            )
        )
        if len(drafts) == PAGE:
            head = await _appended(journal, head, drafts)
    await _appended(journal, head, drafts)
    await settled(journal.close())


async def _appended(journal: Any, head: Head, drafts: list[Draft]) -> Head:
    moved = await settled(journal.append(head, tuple(drafts)))
    assert isinstance(moved, Head), moved
    drafts.clear()
    return moved
