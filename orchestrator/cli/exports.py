"""``journal export``: a journal as a file, read from its place or from its operator.

With ``--redact`` it is in other words, for somebody who may not see the owner's. The
journal is read twice then: for all its names, and to write it. An operator that is
asked for it does so itself, and the owner's words do not leave it.
"""

from __future__ import annotations

import secrets
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import attrs
import click
from returns.result import Failure

from orchestrator.cli.client import Client, NoOperator
from orchestrator.cli.exports_far import export_far
from orchestrator.cli.failing import Failed, failed
from orchestrator.cli.journal_kinds import token_option
from orchestrator.cli.outputs import Output, names_written, output_at, same_place
from orchestrator.cli.reach import Reach, reach_options
from orchestrator.cli.readings import JOURNAL, read_journal, reading, shown_while
from orchestrator.cli.state import has_journal
from orchestrator.cli.transfers import (
    begin,
    expect_something,
    expect_whole,
    is_whole,
    not_empty,
    passed_on,
    tell,
    to_the_end,
)
from orchestrator.journal.port import Head, Snapshot
from orchestrator.journal.provenance import Redacted
from orchestrator.journal.reading import Reading
from orchestrator.journal.redacted import hear, redacted_base, redacted_rows
from orchestrator.replay.redacted.pseudonyms import Kept, Kind, Pseudonyms, Vocabulary

__all__ = ("export",)

KEY_BYTES: Final = 32
CHOICES: Final = tuple(str(kept) for kept in Kept if kept is not Kept.PARAMS)


@attrs.frozen(kw_only=True)
class Sharing:
    """What the owner allows others to see; ``names_to``: where the way back goes."""

    kept: frozenset[Kept]
    names_to: Path | None


_OUT: Final = click.Path(path_type=Path, dir_okay=False, allow_dash=True)


@click.command("export")
@click.argument("source", metavar="[JOURNAL]", type=JOURNAL)
@click.argument("out", metavar="OUT", required=False, type=_OUT)
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
    type=click.Path(path_type=Path, dir_okay=False),
    help="With --redact: the new file that says which name became which, for you.",
)
@click.option("--force", is_flag=True, help="Write over a file that is no journal's.")
@click.option(
    "--damaged",
    is_flag=True,
    help="Take what is whole of a journal that is not: it reads as one cut off.",
)
@token_option
@reach_options
def export(  # noqa: PLR0913 - one for each option
    source: Path,
    out: Path | None,
    *,
    reach: Reach,
    redact: bool,
    keep: tuple[str, ...],
    redact_params: bool,
    names_to: Path | None,
    force: bool,
    damaged: bool,
) -> None:
    """Write the rows of JOURNAL to OUT, JSON Lines, packed where it ends in .gz.

    JOURNAL may be a fleet file, which says where its journal is.

    OUT may be - for standard output. It is a new file; a pipe or a device is written
    into. Of a journal that is damaged no file is made. With --url, --context or --state
    the rows are those of an operator, which goes on meanwhile, and JOURNAL is left out.
    """
    if not redact and (keep or redact_params or names_to is not None):
        msg = "--keep, --redact-params and --names-to need --redact"
        raise click.UsageError(msg)
    if reach.is_said:
        if out is not None:
            raise click.UsageError("JOURNAL goes without --url, --context and --state")
        if redact_params or names_to is not None:
            raise click.UsageError("--redact-params and --names-to need the JOURNAL")
        output = output_at(source, None, is_forced=force, is_damaged_too=damaged)
        told = {"redact": "true"} if redact else {}
        state = _where_none_runs(reach, lambda far: export_far(far, output, told, keep))
        if state is None:
            return
        source, out = state, source
    if out is None:
        raise click.UsageError("Missing argument 'OUT'.")
    if names_to is not None and same_place(names_to, out):
        raise click.UsageError("OUT and --names-to are the same file")
    output = output_at(out, source, is_forced=force, is_damaged_too=damaged)
    if not redact:
        with reading(source) as read:
            _export_plain(read, output)
        return
    kept = {Kept(word) for word in keep}
    if not redact_params:
        kept.add(Kept.PARAMS)
    sharing = Sharing(kept=frozenset(kept), names_to=names_to)
    with _twice_readable(source) as path:
        _export_redacted(path, output, sharing)


def _where_none_runs(reach: Reach, ask: Callable[[Client], None]) -> Path | None:
    """Ask an operator; return the folder with its journal where none runs there."""
    try:
        ask(reach.client())
    except NoOperator:
        state = reach.folder()
        if state is None or not has_journal(state):
            raise
    else:
        return None
    click.echo(f"no operator runs for {state}: its journal is read", err=True)
    return state


def _export_plain(read: Reading, out: Output) -> None:
    rows = not_empty(shown_while(read.rows(), read, "writing"), read)
    passed_on(rows if out.is_damaged_too else to_the_end(rows, read), read, out, "")


def _export_redacted(source: Path, out: Output, sharing: Sharing) -> None:
    """Read a journal twice; what is wrong with it is said when all else is done."""
    heard = Vocabulary()
    with reading(source) as first:
        hear(first, heard, lambda drafts: shown_while(drafts, first, "reading"))
        if first.head == begin(first.source.base):
            expect_something(first)
        if not out.is_damaged_too:
            expect_whole(first)
        again = read_journal(source)
        try:
            head = _rewrite(first, again, out, heard, sharing)
        finally:
            again.close()
        tell(first.source.base, head, out, " in other words")
        if Kept.PARAMS in _kept(heard, sharing):
            said = "parameters of custom policies are kept, for they decide by them: "
            click.echo(said + ", ".join(_params(heard)), err=True)


def _rewrite(
    first: Reading, read: Reading, out: Output, heard: Vocabulary, sharing: Sharing
) -> Head:
    """Write what the second reading gives, no further than the first one went."""
    if read.source.base != first.source.base:
        raise Failed("the journal was compacted meanwhile: export it again", 6)
    kept = _kept(heard, sharing)
    key = secrets.token_bytes(KEY_BYTES)
    words = Pseudonyms.of(heard, key=key, kept=kept)
    base = _base_of(read, words)
    end = first.head.seq
    rows = redacted_rows(read, words, begin=begin(base), until=end)
    rows = shown_while(rows, read, "writing")
    if not out.is_damaged_too:
        rows = to_the_end(rows, read)
    about = Redacted(of=first.head.digest.hex(), kept=tuple(sorted(map(str, kept))))
    with names_written(sharing.names_to, words):
        return out.write(rows, base, about, lambda: is_whole(first, read))


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


def _params(heard: Vocabulary) -> list[str]:
    """Return the keys of what custom policies decide by."""
    return sorted(heard.words[Kind.PARAM_KEY])


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
