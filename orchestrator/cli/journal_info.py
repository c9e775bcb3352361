"""``journal info``: what a journal holds, without showing what happened in it.

All rows are read and their chain is checked; only those behind the newest snapshot are
folded.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import click
from returns.result import Failure

from orchestrator.cli.failing import failed
from orchestrator.cli.journal_files import size_of
from orchestrator.cli.journal_kinds import Far, meant, token_option, waiting_for
from orchestrator.cli.named import OPTION, policies_named
from orchestrator.cli.readings import (
    JOURNAL,
    iso_time,
    policies_option,
    reading,
    shown_while,
)
from orchestrator.cli.shown import output_option, show_facts
from orchestrator.cli.trees import TREES
from orchestrator.codec.journal_choice import JournalKind
from orchestrator.codec.wire import decode_event, decode_fleet
from orchestrator.core.custom import CustomPolicies
from orchestrator.core.events import Booted
from orchestrator.core.registry import not_registered, not_registered_of_fleet
from orchestrator.core.state import RULES, Fleet
from orchestrator.journal.checks import size_on_disk
from orchestrator.journal.durable.source import DurableSource
from orchestrator.journal.lock import holder_of
from orchestrator.journal.port import Row, Snapshot
from orchestrator.journal.reading import Reading, beginning, entry_of
from orchestrator.journal.stored import StoredReader
from orchestrator.replay.history import NOTHING, Entry, fold

__all__ = ("info",)

_BOOTED: Final = b'{"type":"booted"'
"""How the event of a boot begins, as it is written."""


@click.command("info")
@click.argument("source", metavar="JOURNAL", type=JOURNAL)
@output_option("table", "json", "yaml")
@policies_option
@token_option
def info(source: Path, output: str, policies: str | None) -> None:
    """Say what JOURNAL holds: rows, times, rules, snapshots, and who writes to it.

    Of a damaged journal it tells what is whole, and fails with exit code 8; of a file
    that is no journal it tells nothing but that.
    """
    known = policies_named(policies, Path.cwd(), OPTION)
    with reading(source) as read:
        facts = {**_file(source, read), **_Survey(read, known).facts()}
        if facts["kind"] == "export" and read.is_bare and read.source.base is None:
            return  # nothing of it is whole: why is said when the block ends
        show_facts(facts if output in TREES else _readable(facts), output)


def _file(source: Path, read: Reading) -> dict[str, Any]:
    if str(source) == "-":
        return {"file": "-", "kind": "export", "bytes": None, "held_by": None}
    path = meant(source)
    if isinstance(path, Far):
        return _far(path, read)
    is_stored = isinstance(read.source, StoredReader)
    lock = path.with_name(path.name + ".lock")
    return {
        "file": str(path),
        "kind": "database" if is_stored else "export",
        "bytes": size_on_disk(path) if is_stored else path.stat().st_size,
        "held_by": holder_of(lock) if is_stored else None,
    }


def _far(far: Far, read: Reading) -> dict[str, Any]:
    """Tell of a journal behind a gateway, and of who has the lease."""
    size = read.source.state.size if isinstance(read.source, DurableSource) else None
    with closing(waiting_for(far)) as waiting:
        leader = waiting.done(waiting.archive.leader())
    if isinstance(leader, Failure):
        raise failed(leader.failure())
    return {
        "file": far.platform.url,
        "kind": JournalKind.DURABLE_OBJECT.value,
        "bytes": size,
        "held_by": leader.unwrap().holder,
    }


class _Survey:
    """What one pass over the rows finds."""

    def __init__(self, read: Reading, policies: CustomPolicies) -> None:
        self._read = read
        self._policies = policies
        self._snapshots: list[dict[str, Any]] = []
        self._rows = self._boots = 0
        self._first_at: int | None = None
        self._last_at: int | None = None
        self._epoch: int | None = None
        self._rules: int | None = None
        self._segments: list[dict[str, Any]] = []
        fleet, known = self._beginning()
        self._missing = not_registered_of_fleet(fleet, policies)
        self._fleet = fold(self._entries(known), fleet=fleet, policies=policies)

    def facts(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        head, source, rows = self._read.head, self._read.source, self._rows
        redacted = getattr(source, "redacted", None)
        missing = self._missing
        return {
            "rows": rows,
            "first": head.seq - rows + 1 if rows else None,
            "last": head.seq if rows else None,
            "first_at": self._first_at,
            "last_at": self._last_at,
            "digest": head.digest.hex(),
            "base": None if source.base is None else _brief(source.base),
            "fleet": None if missing else self._fleet.name,
            "containers": None if missing else len(self._fleet.containers),
            "needs_policy": missing.policy if missing else None,
            "boots": self._boots,
            "epoch": self._epoch,
            "segments": self._segments,
            "snapshots": self._snapshots,
            "redacted": None if redacted is None else redacted.tree(),
        }

    def _beginning(self) -> tuple[Fleet, int]:
        """Return the newest fleet that is known, and the row it was after."""
        read = self._read
        fleet, seq = NOTHING, 0
        begun = beginning(read)
        if isinstance(begun, Failure):
            read.error = begun.failure()
        elif read.source.base is not None:
            fleet, seq = begun.unwrap(), read.source.base.seq
            self._rules = fleet.rules
            self._epoch = fleet.epoch
        if isinstance(read.source, StoredReader | DurableSource):
            for snapshot in read.source.snapshots():
                self._snapshots.append(_brief(snapshot))
                if snapshot.rules == RULES and seq < snapshot.seq:
                    found = decode_fleet(snapshot.body).value_or(None)
                    fleet, seq = (
                        (fleet, seq) if found is None else (found, snapshot.seq)
                    )
        return fleet, seq

    def _entries(self, known: int) -> Iterator[Entry]:
        """Take down every row; yield those that are to be folded."""
        if self._read.error is not None:
            return
        for row in shown_while(self._read.rows(), self._read, "reading"):
            self._take_down(row)
            if row.seq <= known or self._missing is not None:
                continue
            entry = entry_of(row)
            if not isinstance(entry, Entry):
                self._read.error = entry
                return
            self._missing = not_registered(entry.event, self._policies)
            if self._missing is None:
                yield entry

    def _take_down(self, row: Row) -> None:
        self._rows += 1
        self._first_at = row.at if self._first_at is None else self._first_at
        self._last_at = row.at
        if row.event.startswith(_BOOTED):
            booted = decode_event(row.event).value_or(None)
            if isinstance(booted, Booted):
                self._boots += 1
                self._rules, self._epoch = booted.rules, booted.epoch
        if self._segments and self._segments[-1]["rules"] == self._rules:
            self._segments[-1]["last"] = row.seq
        else:
            self._segments.append(
                {"first": row.seq, "last": row.seq, "rules": self._rules}
            )


def _brief(snapshot: Snapshot) -> dict[str, Any]:
    return {
        "row": snapshot.seq,
        "rules": snapshot.rules,
        "bytes": len(snapshot.body),
        "digest": snapshot.digest.hex(),
    }


def _readable(facts: dict[str, Any]) -> dict[str, Any]:
    """Return the facts as people read them, a line each; what is not there, is not."""
    shown = {
        **facts,
        "bytes": _size(facts["bytes"]),
        "rows": f"{facts['rows']} ({facts['first']} to {facts['last']})",
        "digest": facts["digest"][:16],
        "base": _told(facts["base"]),
        "segments": [
            f"{one['first']}..{one['last']} rules {one['rules'] or '-'}"
            for one in facts["segments"]
        ],
        "snapshots": [_told(one) for one in facts["snapshots"]],
    }
    if not facts["rows"]:
        shown["rows"] = "none"
    for key in ("first_at", "last_at"):
        moment = facts[key]
        shown[key.replace("_at", " row at")] = (
            None if moment is None else iso_time(moment)
        )
    hidden = {"first", "last", "first_at", "last_at"}
    return {k: v for k, v in shown.items() if k not in hidden and v not in (None, [])}


def _told(one: dict[str, Any] | None) -> str | None:
    if one is None:
        return None
    return f"after row {one['row']} (rules {one['rules']}, {size_of(one['bytes'])})"


def _size(size: int | None) -> str | None:
    return None if size is None else size_of(size)
