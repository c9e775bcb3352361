"""The cut itself: the fleet after a row takes the place of all rows up to there.

Both journals that are compacted take this step: one that nobody else uses
(``journal.compaction``), and one whose operator is at work (``runtime.compacting``).
"""

from __future__ import annotations

import sqlite3
from contextlib import suppress

from orchestrator.core.errors import JournalError
from orchestrator.journal.port import Snapshot
from orchestrator.journal.stored_snapshots import insert_base, select_base
from orchestrator.journal.tables import FAILURES, said

__all__ = ("cut_off",)


def cut_off(connection: sqlite3.Connection, base: Snapshot) -> JournalError | None:
    """Put *base* in the place of its rows: all of it, or nothing.

    An error of the disk may come after the change is durable: what the database says
    then is what counts.
    """
    try:
        connection.execute("BEGIN IMMEDIATE")
        insert_base(connection, base)
        for table in ("rows", "snapshots"):
            connection.execute(
                f"DELETE FROM {table} WHERE seq <= ?",  # noqa: S608 - a name of ours
                (base.seq,),
            )
        connection.execute("COMMIT")
    except FAILURES as error:
        with suppress(sqlite3.Error):  # none was open
            connection.execute("ROLLBACK")
        with suppress(*FAILURES):
            if select_base(connection) == base:
                return None
        return said(error)
    return None
