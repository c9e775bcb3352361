"""``gateway operator``: how an operator is that Cloudflare hosts; and to stop it."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import click
from rich import box
from rich.table import Table
from rich.text import Text

from orchestrator.cli.failing import Failed, failed
from orchestrator.cli.gateway_options import fleet_option, secrets_option
from orchestrator.cli.journal_kinds import secrets_of
from orchestrator.cli.plain import cleaned
from orchestrator.cli.shown import age, output_option, show_table, until
from orchestrator.cli.tools import read_file
from orchestrator.cli.trees import TREES, show_tree
from orchestrator.codec.platform_choices import CloudflareChoice
from orchestrator.core.errors import PlatformError, TimedOut, Unreachable
from orchestrator.runtime.secrets import EnvironmentSecrets

__all__ = ("operator",)

FAILED = 4

_HEADS = ("STATE", "WANTED", "STOPPED BY", "FOR", "RESTARTS", "NEXT START", "LAST END")

_STOPPED_BY = {"owner": "you"}
"""Who has it stopped, as the gateway says it, in other words where they are clearer."""

_COLOURS = {
    "healthy": "green",
    "starting": "cyan",
    "stopping": "yellow",
    "waiting": "red",
    "unhealthy": "red",
}


@click.command("operator")
@fleet_option
@secrets_option
@click.option("--start", is_flag=True, help="Have it run.")
@click.option("--stop", is_flag=True, help="Have it stopped.")
@output_option("table", "json", "yaml")
def operator(
    fleet_path: Path,
    secrets_path: Path | None,
    output: str,
    *,
    start: bool,
    stop: bool,
) -> int:
    """Show the operator that Cloudflare hosts; start or stop it.

    Containers go on without it. The exit code is 4 where it should run and does not.
    """
    if start and stop:
        raise click.UsageError("--start does not go with --stop.")
    file = read_file(fleet_path)
    choice = file.platform
    if not isinstance(choice, CloudflareChoice) or choice.url is None:
        raise Failed(f"{fleet_path}: expected the url of a gateway below [platform]", 2)
    secrets = secrets_of(secrets_path) or EnvironmentSecrets()
    wanted = "running" if start else "stopped" if stop else None
    told = asyncio.run(told_of(choice, file.spec.name, secrets, wanted))
    if not isinstance(told, Mapping):
        raise _unanswered(choice.url, told)
    _show(told, output)
    is_up = told.get("wanted") == "stopped" or told.get("state") in {
        "healthy",
        "starting",
        "stopping",
    }
    return 0 if is_up else FAILED


def _unanswered(url: str, error: PlatformError) -> Failed:
    """Say why there is no answer; of an address that is wrong, which one it is."""
    told = failed(error)
    if isinstance(error, Unreachable | TimedOut):
        return Failed(f"{url}: {told.message}", told.code)
    return told


async def told_of(
    choice: CloudflareChoice,
    fleet: str,
    secrets: Mapping[str, str],
    wanted: str | None,
) -> Mapping[str, Any] | PlatformError:
    """Ask the gateway about its operator; the client is loaded only now."""
    client: Any = importlib.import_module("orchestrator.platforms.cloudflare.hosted")
    answer: Mapping[str, Any] | PlatformError = await client.ask_operator(
        choice, fleet, secrets, wanted
    )
    return answer


def _show(told: Mapping[str, Any], output: str) -> None:
    if output in TREES:
        show_tree(dict(told), output)
        return
    now = told.get("now")
    by = told.get("stopped_by")
    state = str(told.get("state"))
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for head in _HEADS:
        table.add_column(head, overflow="fold")
    table.add_row(
        Text(state, style=_COLOURS.get(state, "")),
        str(told.get("wanted")),
        Text("-" if by is None else cleaned(_STOPPED_BY.get(str(by), str(by)))),
        age(told.get("since"), now),
        str(told.get("restarts")),
        until(told.get("next_start_at"), now),
        Text(cleaned(_ended(told.get("last_end"), now))),
    )
    show_table(table)


def _ended(end: Any, now: int | None) -> str:
    """Say how it ended last, with the code where one is known, and how long ago."""
    if not isinstance(end, dict):
        return "-"
    tree = cast("dict[str, Any]", end)
    code = tree.get("code")
    what = f"{tree.get('kind')}" + ("" if code is None else f" {code}")
    raw = str(tree.get("raw") or "")
    ago = f"{age(tree.get('at'), now)} ago"
    return f"{what}, {ago}" + (f": {raw}" if raw else "")
