"""``demo``: the shipped fleet, run until each container has shown its point."""

from __future__ import annotations

import asyncio
import tempfile
from importlib.resources import files
from pathlib import Path
from typing import Final

import click
from returns.result import Failure

from orchestrator.cli.colours import console
from orchestrator.cli.failing import Failed, failed
from orchestrator.cli.listening import listen_options
from orchestrator.cli.live import is_terminal, show_lines, show_live
from orchestrator.cli.running import run_session
from orchestrator.cli.session import Session
from orchestrator.codec.fleet_file import read_fleet_file
from orchestrator.core.explain import ContainerInfo
from orchestrator.runtime.operator import Operator

__all__ = ("demo", "quickstart")

LIMIT_S: Final = 60.0
TIMED_OUT: Final = 3

HINT: Final = "Ctrl-C stops everything"


def quickstart() -> bytes:
    """Return the fleet file that is shipped."""
    return files("orchestrator.cli").joinpath("quickstart.toml").read_bytes()


@click.command()
@listen_options
def demo(listen: str | None, *, read_only: bool) -> int:
    """Run the shipped fleet until each container has shown its point (60 s at most)."""
    with tempfile.TemporaryDirectory(prefix="orchestrator-demo-") as folder:
        read = read_fleet_file(quickstart(), file="quickstart.toml", folder=folder)
        if isinstance(read, Failure):
            raise failed(read.failure())
        session = Session(
            state=Path(folder),
            file=read.unwrap(),
            folder=Path(folder),
            secrets=None,
            show=_show,
            stop_on_exit=True,
            listen=listen,
            read_only=read_only,
        )
        return asyncio.run(run_session(session))


async def _show(operator: Operator, end: asyncio.Event) -> int:
    """Show the fleet until every point is shown; then say what each one was."""
    done = asyncio.Event()
    showing = asyncio.ensure_future(
        show_live(operator, done, console(), HINT)
        if is_terminal()
        else show_lines(operator, done)
    )
    until = asyncio.get_running_loop().time() + LIMIT_S
    infos = operator.infos()
    while not end.is_set() and asyncio.get_running_loop().time() < until:
        infos = operator.infos()
        if all(map(has_shown_its_point, infos)):
            break
        await asyncio.sleep(0.1)
    done.set()
    await showing
    if end.is_set():
        raise Failed("interrupted: everything is stopped", 130)
    click.echo()
    # As they were when the last point was shown: they go on meanwhile.
    for info in infos:
        click.echo(f"{info.name:<8} {info.phase}: {info.why}")
    late = [info.name for info in infos if not has_shown_its_point(info)]
    if late:
        click.echo(f"not there within {LIMIT_S:.0f} s: {', '.join(late)}", err=True)
    click.echo("\nNow stopping everything.")
    return TIMED_OUT if late else 0


def has_shown_its_point(info: ContainerInfo) -> bool:
    """Say whether a container of the demo is where it was to come."""
    match info.name:
        case "worker":
            return info.restarts > 0 and info.ready
        case "job":
            return info.phase == "completed"
        case "doomed":
            return info.phase == "crash_looping"
        case _:
            return info.ready
