"""A fleet shown while it lives: a table on a terminal, lines elsewhere."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from typing import Any, Final

import click
from rich.console import Console, Group
from rich.live import Live

from orchestrator.cli.colours import console
from orchestrator.cli.plain import counted
from orchestrator.cli.watching import change_line, fleet_picture, room
from orchestrator.codec.wire import tree_of
from orchestrator.runtime.operator import Operator

__all__ = ("is_terminal", "show_lines", "show_live", "show_until")

REFRESH_S: Final = 0.25
LOOK_S: Final = 0.1

HINT: Final = "Ctrl-C ends the operator; the containers go on"


def is_terminal() -> bool:
    """Say whether what is shown is seen at once; standard output may be closed."""
    return sys.stdout is not None and sys.stdout.isatty()


async def show_until(operator: Operator, end: asyncio.Event) -> int:
    """Show the fleet until the end: live on a terminal, as lines elsewhere."""
    if is_terminal():
        await show_live(operator, end, console())
    else:
        await show_lines(operator, end)
    return 0


async def show_live(
    operator: Operator, end: asyncio.Event, console: Console, hint: str = HINT
) -> None:
    """Show a table that follows the fleet, and below it what Ctrl-C does."""
    # What is told meanwhile stands above the table, unless it goes to a file.
    is_seen = sys.stderr is not None and sys.stderr.isatty()
    with Live(console=console, auto_refresh=False, redirect_stderr=is_seen) as live:
        while not end.is_set():
            live.update(_picture(operator, console.height, hint), refresh=True)
            await _pause(end, REFRESH_S)
        live.update(_picture(operator, console.height, hint), refresh=True)


def _picture(operator: Operator, height: int, hint: str) -> Group:
    infos = operator.infos()
    shown = [tree_of(info) for info in infos[: room(height)]]
    count = counted(len(infos), "container")
    head = f"fleet {operator.fleet.name}: {count}, row {operator.seq}"
    return fleet_picture(head, shown, len(infos) - len(shown), hint)


async def show_lines(operator: Operator, end: asyncio.Event) -> None:
    """Print a line for each change of a container."""
    shown: dict[str, Any] = {}
    seq = -1
    while True:
        is_over = end.is_set()
        if operator.seq == seq and not is_over:
            await _pause(end, LOOK_S)
            continue
        seq = operator.seq
        for info in operator.infos():
            now = (info.phase, info.ready, info.run, info.why)
            if shown.get(info.name) != now and not _is_only_time(shown, info.name, now):
                click.echo(change_line(info.name, tree_of(info)))
            shown[info.name] = now
        for name in set(shown) - {info.name for info in operator.infos()}:
            click.echo(change_line(name, None))
            del shown[name]
        if is_over:
            return
        await _pause(end, LOOK_S)


def _is_only_time(shown: dict[str, Any], name: str, now: tuple[Any, ...]) -> bool:
    """Say whether only the words have changed, as they do while time passes."""
    before = shown.get(name)
    return before is not None and before[:3] == now[:3] and now[0] == "unknown"


async def _pause(end: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await end.wait()
