"""Where an export goes, and what it must not be written over."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import attrs

from orchestrator.cli.failing import Failed
from orchestrator.cli.readings import DATABASE, good
from orchestrator.journal.imported import PARTS
from orchestrator.journal.jsonl import export_rows, write_lines
from orchestrator.journal.port import Head, Row, Snapshot
from orchestrator.journal.provenance import Redacted
from orchestrator.journal.stored import is_database
from orchestrator.replay.redacted.pseudonyms import Pseudonyms

__all__ = ("Output", "names_written", "output_at", "same_place")

REFUSED: Final = 6
SUFFIXES: Final = (*PARTS[1:], ".lock")


@attrs.frozen(kw_only=True)
class Output:
    """Where an export goes: ``-`` is standard output.

    ``is_damaged_too``: what is whole is written of a journal that is not.
    """

    path: Path
    is_damaged_too: bool = False

    @property
    def is_standard(self) -> bool:
        """Say whether it is standard output."""
        return str(self.path) == "-"

    def write(
        self,
        rows: Iterable[Row],
        base: Snapshot | None,
        about: Redacted | None,
        is_whole: Callable[[], bool],
    ) -> Head:
        """Write rows; without an end line where *is_whole* says no behind them."""
        if not self.is_standard:
            done = export_rows(self.path, rows, base, about, is_whole=is_whole)
            return good(done)
        out = sys.stdout.buffer
        head = write_lines(out, rows, base, about, is_whole=is_whole)
        out.flush()
        return head


def output_at(
    path: Path, source: Path | None, *, is_forced: bool, is_damaged_too: bool
) -> Output:
    """Return where an export of *source* may go; refuse what is there already.

    None: what is exported is no file of this machine.
    With *is_forced* a file may be written over; a journal never. What is no file, such
    as a pipe, is written into.
    """
    output = Output(path=path, is_damaged_too=is_damaged_too)
    if output.is_standard:
        return output
    target = Path(os.path.realpath(path))
    if source is not None and _is_source(target, source):
        raise Failed(f"{path} is the journal that is to be exported", REFUSED)
    for suffix in SUFFIXES:
        owner = target.with_name(target.name.removesuffix(suffix))
        if owner != target and owner.is_file() and is_database(owner):
            raise Failed(f"{path} belongs to the journal {owner}", REFUSED)
    if not target.is_file():
        return output
    if is_database(target):
        raise Failed(f"{path} is a database: it is not written over", REFUSED)
    if not is_forced:
        said = f"{path} exists: --force writes over it"
        raise Failed(said, REFUSED)
    return output


def _is_source(target: Path, source: Path) -> bool:
    """Say whether two names are one file; that of a pipe is asked of the system."""
    with suppress(OSError):  # one of them is not there
        if str(source) == "-":
            return os.path.samestat(target.stat(), os.fstat(0))
        journal = source / DATABASE if source.is_dir() else source
        return target.samefile(journal)
    return False


@contextmanager
def names_written(path: Path | None, words: Pseudonyms) -> Iterator[None]:
    """Have the way back in a new file, for the owner's eyes, before a block.

    It is taken away where the block fails: an export in these words is not there then.
    """
    if path is None:
        yield
        return
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    try:
        file = os.open(path, flags, 0o600)
    except FileExistsError:
        said = f"{path} exists: names go to a new file"
        raise Failed(said, REFUSED) from None
    try:
        with os.fdopen(file, "w", encoding="utf-8") as out:
            out.write(json.dumps(_way_back(words), indent=2, ensure_ascii=False) + "\n")
        yield
    except BaseException:
        with suppress(OSError):
            path.unlink()
        raise


def _way_back(words: Pseudonyms) -> dict[str, Any]:
    tree: dict[str, Any] = {
        kind: {word: other for word, other in table.items() if word != other}
        for kind, table in words.numbered.items()
        if words.replaces(kind)
    }
    return {kind: table for kind, table in tree.items() if table}


def same_place(one: Path, other: Path) -> bool:
    """Say whether two names lead to one file, also one that is not there yet."""
    return os.path.realpath(one) == os.path.realpath(other)
