"""``diff``: where what is believed to run differs from what is asked for."""

from __future__ import annotations

from typing import Final

import click
from rich import box
from rich.table import Table
from rich.text import Text

from orchestrator.cli.plain import cleaned
from orchestrator.cli.reach import Reach, reach_options
from orchestrator.cli.shown import output_option, show_table
from orchestrator.cli.trees import TREES, show_tree

__all__ = ("diff",)

DIFFERENT: Final = 1


@click.command()
@output_option("table", "json", "yaml")
@reach_options
def diff(output: str, reach: Reach) -> int:
    """Show where what runs is not what is asked for; `reconcile` closes what it can.

    Leaves with 0 where nothing differs, with 1 where something does.
    """
    found = reach.client().get("diff")
    if output in TREES:
        show_tree(found, output)
    elif not found:
        click.echo("nothing differs")
    else:
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
        for head in ("NAME", "WHAT", "ASKED", "FOUND", "WHY"):
            table.add_column(head, no_wrap=head != "WHY", overflow="fold")
        for one in found:
            cells = [one["name"], one["kind"], one["asked"], one["found"], one["why"]]
            table.add_row(*(Text(cleaned(each)) for each in cells))
        show_table(table)
    return DIFFERENT if found else 0
