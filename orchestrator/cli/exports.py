"""``journal export`` and ``journal import``: a journal as a file, and back.

With ``--redact`` it is in other words, for somebody who may not see the owner's. The
journal is read twice then: for all its names, and to write it.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import chain, islice
from pathlib import Path
from typing import Any, Final, TypeVar

import attrs
import click
from returns.future import FutureResult
from returns.result import Failure

from orchestrator.cli.failing import Failed, failed
from orchestrator.cli.readings import (
    JOURNAL,
    good,
    read_journal,
    reading,
    shown_while,
)
from orchestrator.core.errors import ContainerError, JournalError
from orchestrator.journal.jsonl import export_rows, write_lines
from orchestrator.journal.port import START, Draft, Head, Journal, Row, Snapshot
from orchestrator.journal.provenance import Redacted
from orchestrator.journal.reading import Reading
from orchestrator.journal.redacted import hear, redacted_base, redacted_rows
from orchestrator.journal.sqlite import open_sqlite
from orchestrator.replay.redacted.pseudonyms import Kept, Kind, Pseudonyms, Vocabulary
from orchestrator.runtime.outcomes import settled

__all__ = ("export", "import_")

T = TypeVar("T")
PAGE: Final = 5_000
KEY_BYTES: Final = 32
OUT: Final = click.Path(path_type=Path, dir_okay=False)
CHOICES: Final = tuple(str(kept) for kept in Kept if kept is not Kept.PARAMS)


@attrs.frozen(kw_only=True)
class Sharing:
    """What the owner allows others to see; ``names_to``: where the way back goes."""

    kept: frozenset[Kept]
    names_to: Path | None


@click.command("export")
@click.argument("source", metavar="JOURNAL", type=JOURNAL)
@click.argument("out", type=click.Path(path_type=Path, dir_okay=False, allow_dash=True))
@click.option(
    "--redact",
    is_flag=True,
    help="Put other words for names, config and texts: it replays as the original.",
)
@click.option(
    "--keep",
    multiple=True,
    type=click.Choice(CHOICES),
    help="With --redact: what may be shown as it is. May be repeated.",
)
@click.option(
    "--redact-params",
    is_flag=True,
    help="With --redact: also the parameters of custom policies, which decide by them.",
)
@click.option(
    "--names-to",
    type=OUT,
    help="With --redact: where to write which name became which, for your own eyes.",
)
def export(
    source: Path,
    out: Path,
    *,
    redact: bool,
    keep: tuple[str, ...],
    redact_params: bool,
    names_to: Path | None,
) -> None:
    """Write the rows of JOURNAL to OUT, JSON Lines, packed where it ends in .gz.

    OUT may be - for standard output.
    """
    if not redact:
        if keep or redact_params or names_to is not None:
            msg = "--keep, --redact-params and --names-to need --redact"
            raise click.UsageError(msg)
        with reading(source) as read:
            rows = _rows_of(read, "writing")
            head = _write(out, rows, read.source.base, _redacted_before(read))
            _tell(read.source.base, head, out, "")
        return
    kept = {Kept(word) for word in keep}
    if not redact_params:
        kept.add(Kept.PARAMS)
    sharing = Sharing(kept=frozenset(kept), names_to=names_to)
    with _twice_readable(source) as path:
        _export_redacted(path, out, sharing)


def _export_redacted(source: Path, out: Path, sharing: Sharing) -> None:
    """Read a journal twice; what is wrong with it is said when all else is done."""
    heard = Vocabulary()
    with reading(source) as first:
        hear(first, heard, lambda drafts: shown_while(drafts, first, "reading"))
        if first.head == _begin(first.source.base):
            _expect_something(first)
        again = read_journal(source)
        try:
            head = _rewrite(first, again, out, heard, sharing)
        finally:
            again.close()
        _tell(first.source.base, head, out, " in other words")
        if Kept.PARAMS in _kept(heard, sharing):
            said = "parameters of custom policies are kept, for they decide by them: "
            click.echo(said + ", ".join(_params(heard)), err=True)


def _rewrite(
    first: Reading, read: Reading, out: Path, heard: Vocabulary, sharing: Sharing
) -> Head:
    """Write what the second reading gives, no further than the first one went."""
    if read.source.base != first.source.base:
        raise Failed("the journal was compacted meanwhile: export it again", 6)
    kept = _kept(heard, sharing)
    key = secrets.token_bytes(KEY_BYTES)
    words = Pseudonyms.of(heard, key=key, kept=kept)
    base = _base_of(read, words)
    end = first.head.seq
    rows = redacted_rows(read, words, begin=_begin(base), until=end)
    about = Redacted(of=first.head.digest.hex(), kept=tuple(sorted(map(str, kept))))
    head = _write(out, shown_while(rows, read, "writing"), base, about)
    if sharing.names_to is not None:
        _write_names(sharing.names_to, words)
    return head


def _kept(heard: Vocabulary, sharing: Sharing) -> frozenset[Kept]:
    return sharing.kept if _params(heard) else sharing.kept - {Kept.PARAMS}


def _base_of(read: Reading, words: Pseudonyms) -> Snapshot | None:
    base = read.source.base
    if base is None:
        return None
    redacted = redacted_base(read, base, words)
    if isinstance(redacted, Failure):
        raise failed(redacted.failure())
    return redacted.unwrap()


def _rows_of(read: Reading, what: str) -> Iterator[Row]:
    """Return the rows; where not even the first can be read nothing is to be made."""
    rows = shown_while(read.rows(), read, what)
    first = tuple(islice(rows, 1))
    if not first:
        _expect_something(read)
    return chain(first, rows)


def _expect_something(read: Reading) -> None:
    """Refuse to go on where the rows ended early, and there was not one."""
    if read.error is not None:
        raise failed(read.error)
    if read.cut_at_line is not None:
        raise Failed(f"it was cut off at line {read.cut_at_line}: no row is left", 10)


def _begin(base: Snapshot | None) -> Head:
    return START if base is None else base.head


def _write(
    out: Path, rows: Iterable[Row], base: Snapshot | None, about: Redacted | None
) -> Head:
    if str(out) != "-":
        return good(export_rows(out, rows, base, about))
    head = write_lines(sys.stdout.buffer, rows, base, about)
    sys.stdout.buffer.flush()
    return head


def _redacted_before(read: Reading) -> Redacted | None:
    """Return what an export says of the journal that it was redacted from."""
    return getattr(read.source, "redacted", None)


def _tell(base: Snapshot | None, head: Head, out: Path, how: str) -> None:
    many, which = _counted(base, head)
    digest = head.digest.hex()[:16]
    said = f"{many}{how}{which}, the last with digest {digest}"
    click.echo(said, err=str(out) == "-")


def _counted(base: Snapshot | None, head: Head) -> tuple[str, str]:
    """Say how many rows there are, and which, where they are not the first."""
    begin = _begin(base).seq
    count = head.seq - begin
    many = "1 row" if count == 1 else f"{count} rows"
    if not begin:
        return many, ""
    if not count:
        return many, f" behind row {begin}"
    first = f"{begin + 1} to " if count > 1 else ""
    return many, f", {first}{head.seq}"


def _params(heard: Vocabulary) -> list[str]:
    """Return the keys of what custom policies decide by."""
    return sorted(heard.words[Kind.PARAM_KEY])


def _write_names(path: Path, words: Pseudonyms) -> None:
    """Write the way back, for the owner's eyes."""
    tree: dict[str, Any] = {
        kind: {word: other for word, other in table.items() if word != other}
        for kind, table in words.numbered.items()
        if words.replaces(kind)
    }
    tree = {kind: table for kind, table in tree.items() if table}
    path.touch(mode=0o600)
    path.write_text(json.dumps(tree, indent=2, ensure_ascii=False) + "\n", "utf-8")


@contextmanager
def _twice_readable(source: Path) -> Iterator[Path]:
    """Give a journal that can be read twice: what comes by a pipe goes to a file."""
    if str(source) != "-":
        yield source
        return
    with tempfile.NamedTemporaryFile(prefix="journal-", suffix=".jsonl") as file:
        shutil.copyfileobj(sys.stdin.buffer, file)
        file.flush()
        yield Path(file.name)


@click.command("import")
@click.argument("source", metavar="IN", type=JOURNAL)
@click.argument("target", metavar="JOURNAL", type=OUT)
def import_(source: Path, target: Path) -> None:
    """Make a new JOURNAL out of the rows of an export."""
    if target.exists():
        raise Failed(f"{target} exists: an import makes a new journal", 6)
    with reading(source) as read:
        rows = _rows_of(read, "importing")
        asyncio.run(_fill(target, read.source.base, rows))
        said = "".join(_counted(read.source.base, read.head))
        click.echo(f"{said}{_origin(_redacted_before(read))}")


def _origin(about: Redacted | None) -> str:
    if about is None:
        return ""
    kept = f" but for {', '.join(about.kept)}" if about.kept else ""
    return f", in other words{kept}; the original ends with digest {about.of[:16]}"


async def _fill(target: Path, base: Snapshot | None, rows: Iterator[Row]) -> None:
    made: Journal = await _value(open_sqlite(target, base=base))
    head = _begin(base)
    try:
        while page := tuple(map(_draft, islice(rows, PAGE))):
            head = await _value(made.append(head, page))
    finally:
        await _value(made.close())


def _draft(row: Row) -> Draft:
    return Draft(at=row.at, event=row.event, commands=row.commands, changes=row.changes)


async def _value(operation: FutureResult[T, JournalError]) -> T:
    value = await settled(operation)
    if isinstance(value, ContainerError):
        raise failed(value)
    return value
