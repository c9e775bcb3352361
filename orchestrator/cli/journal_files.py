"""``journal compact`` and ``journal repair``: what changes a journal."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Final

import click
from returns.io import IOResult

from orchestrator.cli.failing import Failed
from orchestrator.cli.journal_kinds import (
    Far,
    epoch_to_write,
    expect_gateway,
    meant,
    token_option,
    waiting_for,
)
from orchestrator.cli.named import OPTION, policies_named
from orchestrator.cli.plain import counted
from orchestrator.cli.readings import good, policies_option, unregistered
from orchestrator.cli.shown import Duration
from orchestrator.core.custom import CustomPolicies
from orchestrator.core.errors import JournalError, PolicyNotRegistered
from orchestrator.journal.compaction import Compacted, KeepRows, KeepTime, Retention
from orchestrator.journal.compaction import compact as compact_journal
from orchestrator.journal.durable.compaction import compact_far
from orchestrator.journal.durable.repair import SINCE, repair_far
from orchestrator.journal.durable.source import open_far
from orchestrator.journal.repair import Repaired
from orchestrator.journal.repair import repair as repair_journal
from orchestrator.journal.stored import is_database
from orchestrator.runtime.outcomes import opened

__all__ = ("compact", "repair", "size_of")

FILE: Final = click.Path(path_type=Path, exists=True)
OUT: Final = click.Path(path_type=Path, dir_okay=False)
REFUSED: Final = 6


@click.command("compact")
@click.argument("source", metavar="JOURNAL", type=FILE)
@click.option(
    "--keep-rows",
    "rows",
    type=click.IntRange(1),
    metavar="N",
    help="Keep the newest N rows.",
)
@click.option(
    "--keep",
    "duration",
    type=Duration(),
    metavar="DURATION",
    help="Keep what came so long before the newest row, such as 30d.",
)
@click.option(
    "--archive",
    type=OUT,
    metavar="FILE",
    help="Where the older rows go; without it to a file beside JOURNAL.",
)
@click.option("--no-archive", is_flag=True, help="Let the older rows go for good.")
@policies_option
@token_option
def compact(
    source: Path,
    rows: int | None,
    duration: int | None,
    archive: Path | None,
    policies: str | None,
    *,
    no_archive: bool,
) -> None:
    """Replace the oldest rows of JOURNAL by the fleet as it was after them.

    They go to an archive, which replays by itself. No operator may be at work. Rows
    that are damaged, or that today's code decides otherwise, are not cut off. JOURNAL
    may be a fleet file, which says where its journal is.
    """
    if archive is not None and no_archive:
        raise click.UsageError("--archive and --no-archive: give one of them.")
    retention = _retention(rows, duration)
    found = meant(source)
    path = found if isinstance(found, Far) else _database(found)
    if archive is not None and archive.exists():
        raise Failed(f"{archive} exists: an archive is a new file", REFUSED)
    known = policies_named(policies, Path.cwd(), OPTION)
    if isinstance(path, Far):
        aside = None if no_archive else archive
        done = _compacted_far(path, retention, aside, known, no_archive=no_archive)
    else:
        done = compact_journal(
            path,
            retention,
            archive=archive,
            is_archived=not no_archive,
            policies=known,
        )
    missing = opened(done)
    if isinstance(missing, PolicyNotRegistered):
        raise unregistered(missing)
    for line in _told(good(done)):
        click.echo(line)


def _retention(rows: int | None, duration: int | None) -> Retention:
    if rows is not None and duration is None:
        return KeepRows(rows)
    if duration is not None and rows is None:
        return KeepTime(duration)
    raise click.UsageError("what is to be kept: give --keep-rows N or --keep DURATION.")


def _compacted_far(
    far: Far,
    retention: Retention,
    archive: Path | None,
    policies: CustomPolicies,
    *,
    no_archive: bool,
) -> IOResult[Compacted, JournalError]:
    """Compact a journal behind a gateway; the archive goes beside what names it."""
    beside = _beside(far)
    with closing(waiting_for(far)) as waiting:
        epoch = epoch_to_write(waiting)
        source = good(open_far(waiting))
        return compact_far(
            waiting,
            source,
            epoch,
            retention,
            archive=archive,
            beside=None if no_archive else beside,
            policies=policies,
        )


def _database(path: Path) -> Path:
    """Return the database that was named, or refuse what is none."""
    if not path.exists():
        return path
    # What is empty may have been a journal: its head file tells.
    if not path.is_file() or (path.stat().st_size and not is_database(path)):
        what = "only the journal of an operator is compacted"
        raise Failed(f"{path} is no database: {what}", 2)
    return path


def _told(done: Compacted) -> list[str]:
    if done.last < done.first:
        return [f"nothing to compact: all {done.kept} rows are to be kept"]
    where = "gone" if done.archive is None else f"in {done.archive}"
    begins = done.last if done.further is None else done.further
    lines = [
        f"rows {done.first} to {done.last} are {where}",
        f"the journal begins behind row {begins} and has {counted(done.kept, 'row')}",
        f"{size_of(done.size_before)} before, {size_of(done.size_after)} now",
    ]
    if done.further is not None:
        more = f"rows up to {begins} were cut off by somebody else meanwhile"
        lines.append(f"{more}: another archive may have these rows, too")
    lines += (
        f"{path}, of a cut that was not made, had no other rows: it is gone"
        for path in done.overlaps.removed
    )
    lines += (
        f"{path} begins with row {done.first}, too, and was let be"
        for path in done.overlaps.left
    )
    if done.not_shrunk is not None:
        lines.append(f"the file did not shrink: {done.not_shrunk}")
    return lines


def size_of(size: int) -> str:
    """Write a size as people do.

    >>> size_of(999), size_of(86_016), size_of(1_500_000_000)
    ('999 B', '86.0 kB', '1.5 GB')

    """
    value, unit = float(size), "B"
    for larger in ("kB", "MB", "GB"):
        if value < 1_000:  # noqa: PLR2004 - of the smaller unit
            break
        value, unit = value / 1_000, larger
    return f"{size} B" if unit == "B" else f"{value:.1f} {unit}"


@click.command("repair")
@click.argument("source", metavar="JOURNAL", type=FILE)
@token_option
def repair(source: Path) -> None:
    """Accept that the end of JOURNAL is lost; what is whole is kept.

    What is behind the damage goes to a file beside it. Of an export the whole part is
    written to a new one. Nothing is thrown away, and no file is written over. JOURNAL
    may be a fleet file: what a gateway keeps goes to a file beside that.
    """
    found = meant(source)
    if isinstance(found, Far):
        lines = _repaired(source, good(_repaired_far(found)))
    else:
        lines = _repaired(found, good(repair_journal(found)))
    for line in lines:
        click.echo(line)


def _repaired_far(far: Far) -> IOResult[Repaired, JournalError]:
    with closing(waiting_for(far)) as waiting:
        epoch = epoch_to_write(waiting)
        expect_gateway(waiting, far, SINCE, "journal repair")
        return repair_far(waiting, epoch, _beside(far))


def _beside(far: Far) -> Path:
    """Return what files are named like that are put beside what names a journal."""
    return far.named_in.absolute().with_name(f"{far.fleet}.journal")


def _repaired(path: Path, done: Repaired) -> list[str]:
    if done.whole is not None:
        lines = [f"rows up to {done.head.seq} are whole, in {done.whole}"]
        if done.moved_to is not None:
            lines.append(f"{done.moved} lines behind a damage are in {done.moved_to}")
        return [*lines, f"{path} is as it was"]
    lost = f"{done.missing} rows are lost"
    if done.missing is None:
        lost = "how many are lost is not known, for no head file could be read"
    lines = [f"the journal ends at row {done.head.seq}; {lost}"]
    if done.moved_to is not None:
        lines.append(f"{done.moved} rows behind a damage are in {done.moved_to}")
    if done.damaged is not None:
        lines.append(f"SQLite could not keep the old file, which is {done.damaged} now")
    return lines
