"""Options that several commands about a gateway have: the fleet, and its secrets."""

from __future__ import annotations

from pathlib import Path

import click

__all__ = ("fleet_option", "secrets_option")

fleet_option = click.option(
    "--fleet",
    "fleet_path",
    type=click.Path(path_type=Path),
    required=True,
    metavar="FILE",
    help="The fleet file.",
)

secrets_option = click.option(
    "--secrets",
    "secrets_path",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="KEY=value lines, mode 0600; otherwise the environment is looked into.",
)
