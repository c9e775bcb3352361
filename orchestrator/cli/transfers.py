"""What ``journal export`` and ``journal import`` have in common: rows up to their end.

A journal that ends with a damage, or a cut, is passed on in part only where the user
has asked for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import Final, TypeVar

import click

from orchestrator.cli.failing import Failed, failed
from orchestrator.cli.outputs import Output
from orchestrator.cli.plain import counted
from orchestrator.core.errors import JournalCorrupt
from orchestrator.journal.port import START, Head, Row, Snapshot
from orchestrator.journal.provenance import Redacted
from orchestrator.journal.reading import Reading

__all__ = (
    "CUT",
    "begin",
    "expect_something",
    "expect_whole",
    "is_whole",
    "not_empty",
    "passed_on",
    "redacted_before",
    "rows_told",
    "tell",
    "to_the_end",
)

T = TypeVar("T")

CUT: Final = 10
"""The exit code of what was cut off."""

_HINT: Final = (
    "--damaged takes what is whole of it;"
    " orchestrator journal repair parts that from the rest"
)


def not_empty(rows: Iterator[Row], read: Reading) -> Iterator[Row]:
    """Return the rows; where not even the first can be read nothing is to be made."""
    first = tuple(islice(rows, 1))
    if not first:
        expect_something(read)
    return chain(first, rows)


def expect_something(read: Reading) -> None:
    """Refuse to go on where the rows ended early, and there was not one."""
    if read.error is not None:
        raise failed(read.error)
    if read.cut_at_line is not None:
        raise Failed(f"it was cut off at line {read.cut_at_line}: no row is left", CUT)


def is_whole(*reads: Reading) -> bool:
    """Say whether journals that were read to their ends have lost nothing."""
    return all(read.error is None and read.cut_at_line is None for read in reads)


def expect_whole(read: Reading) -> None:
    """Refuse what was read to its end, and has lost something."""
    if isinstance(read.error, JournalCorrupt):
        error = failed(read.error)
        raise Failed(f"{error.message}\n{_HINT}", error.code)
    if read.error is not None:
        raise failed(read.error)
    if read.cut_at_line is not None:
        said = f"it was cut off at line {read.cut_at_line}: the rest is lost"
        raise Failed(f"{said}\n{_HINT}", CUT)


def to_the_end(things: Iterable[T], read: Reading) -> Iterator[T]:
    """Yield what *read* gives; fail behind the last one where something is lost."""
    yield from things
    expect_whole(read)


def passed_on(rows: Iterable[Row], read: Reading, out: Output, how: str) -> None:
    """Write rows as they are read, and say how many; *how* is said of them."""
    base = read.source.base
    head = out.write(rows, base, redacted_before(read), lambda: is_whole(read))
    tell(base, head, out, how)


def tell(base: Snapshot | None, head: Head, out: Output, how: str) -> None:
    """Say what was written."""
    many, which = rows_told(base, head)
    digest = head.digest.hex()[:16]
    said = f"{many}{how}{which}, the last with digest {digest}"
    click.echo(said, err=out.is_standard)


def begin(base: Snapshot | None) -> Head:
    """Return what the rows begin behind."""
    return START if base is None else base.head


def redacted_before(read: Reading) -> Redacted | None:
    """Return what an export says of the journal that it was redacted from."""
    return getattr(read.source, "redacted", None)


def rows_told(base: Snapshot | None, head: Head) -> tuple[str, str]:
    """Say how many rows there are, and which, where they are not the first."""
    before = begin(base).seq
    count = head.seq - before
    many = counted(count, "row")
    if not before:
        return many, ""
    if not count:
        return many, f" behind row {before}"
    first = f"{before + 1} to " if count > 1 else ""
    return many, f", {first}{head.seq}"
