"""Commands about a journal that no operator writes to."""

from __future__ import annotations

from pathlib import Path

import click

from orchestrator.cli.exports import export
from orchestrator.cli.imports import import_
from orchestrator.cli.journal_files import compact, repair
from orchestrator.cli.journal_info import info
from orchestrator.cli.journal_kinds import token_option
from orchestrator.cli.named import OPTION, policies_named
from orchestrator.cli.readings import JOURNAL, policies_option
from orchestrator.cli.shown import output_option
from orchestrator.cli.verified import verify_shown

__all__ = ("journal",)


@click.group()
def journal() -> None:
    """Look into a journal, verify it, keep it small, repair it."""


@click.command("verify")
@click.argument("source", metavar="JOURNAL", type=JOURNAL)
@output_option("table", "json", "yaml")
@policies_option
@token_option
def verify(source: Path, policies: str | None, output: str) -> None:
    """Check that no row was altered, and that today's code decides the same."""
    verify_shown(source, policies_named(policies, Path.cwd(), OPTION), output)


for command in (info, verify, compact, repair, export, import_):
    journal.add_command(command)
