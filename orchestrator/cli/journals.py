"""Commands about a journal that no operator writes to."""

from __future__ import annotations

from pathlib import Path

import click
from returns.result import Failure

from orchestrator.cli.exports import export, import_
from orchestrator.cli.failing import failed
from orchestrator.cli.named import policies_named
from orchestrator.cli.readings import JOURNAL, good, policies_option, reading
from orchestrator.journal.reading import RECORDING
from orchestrator.journal.repair import repair as repair_journal
from orchestrator.replay import verify as verify_entries

__all__ = ("journal",)


@click.group()
def journal() -> None:
    """Export, import, verify or repair a journal."""


journal.add_command(export)
journal.add_command(import_)


@journal.command("verify")
@click.argument("source", metavar="JOURNAL", type=JOURNAL)
@policies_option
def verify(source: Path, policies: str | None) -> None:
    """Check that no row was altered, and that today's code decides the same."""
    known = policies_named(policies, Path.cwd())
    with reading(source) as read:
        verdict = verify_entries(read.entries(), RECORDING, policies=known)
    if isinstance(verdict, Failure):
        raise failed(verdict.failure())
    done = verdict.unwrap()
    click.echo(
        f"{done.rows} rows are whole, {done.compared} replay to the same decisions"
    )


@journal.command("repair")
@click.argument("source", metavar="JOURNAL", type=JOURNAL)
def repair(source: Path) -> None:
    """Accept that the end of JOURNAL is lost; what is whole is kept."""
    done = good(repair_journal(source))
    click.echo(f"the journal ends at row {done.head.seq}; {done.missing} rows are lost")
    if done.moved_to is not None:
        click.echo(f"{done.moved} rows behind a damage are in {done.moved_to}")
