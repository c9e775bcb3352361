"""Commands that ask a running operator for something."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from orchestrator.cli.client import Client
from orchestrator.cli.failing import Failed
from orchestrator.cli.shown import Duration, output_option, show_facts
from orchestrator.cli.state import state_option, the_state

__all__ = (
    "duration_option",
    "reconcile",
    "remove",
    "reset",
    "restart",
    "start",
    "stop",
    "wait",
)

F = TypeVar("F", bound=Callable[..., Any])

WHY = click.option("--why", default="", help="Kept with the request, for `explain`.")


def duration_option(default: str) -> Callable[[F], F]:
    """Add ``--timeout`` to a command."""
    return click.option(
        "--timeout",
        type=Duration(),
        default=default,
        show_default=True,
        help="How long to wait, such as 30s or 5m.",
    )


@click.command()
@click.argument("name")
@click.option("--config", multiple=True, metavar="KEY=VALUE", help="May be repeated.")
@click.option("--command", "words", help="What to run, split as a shell does.")
@click.option("--force", is_flag=True, help="Also what has failed or crash-loops.")
@WHY
@output_option("table", "json")
@state_option
def start(
    name: str,
    config: tuple[str, ...],
    words: str | None,
    why: str,
    output: str,
    state: Path | None,
    *,
    force: bool,
) -> None:
    """Start a container; an unknown NAME takes the fleet's [ad_hoc] template."""
    body: dict[str, Any] = {"why": why, "force": force}
    if config:
        body["config"] = dict(map(_pair, config))
    if words is not None:
        body["command"] = _split(words)
    _ask(state, output, name, "start", **body)


def _pair(text: str) -> tuple[str, Any]:
    """Read ``key=value``; what is JSON is taken as that, the rest as text."""
    key, is_pair, value = text.partition("=")
    if not is_pair or not key:
        raise Failed(f"--config: expected KEY=VALUE, found {text!r}", 2)
    try:
        return key, json.loads(value)
    except ValueError:
        return key, value


def _split(words: str) -> list[str]:
    try:
        return shlex.split(words)
    except ValueError as error:
        raise Failed(f"--command: {error}", 2) from None


def _ask(
    state: Path | None, output: str, name: str, operation: str, **body: Any
) -> None:
    """Ask for something of one container, and show where it is then."""
    info = Client(the_state(state)).post("containers", name, operation, **body)
    show_facts(_brief(info), output)


def _brief(info: dict[str, Any]) -> dict[str, Any]:
    keys = ("name", "phase", "run", "revision", "why")
    return {key: info[key] for key in keys}


@click.command()
@click.argument("name")
@WHY
@output_option("table", "json")
@state_option
def stop(name: str, why: str, output: str, state: Path | None) -> None:
    """Stop a container; it stays stopped until it is asked for again."""
    _ask(state, output, name, "stop", why=why)


@click.command()
@click.argument("name")
@WHY
@output_option("table", "json")
@state_option
def restart(name: str, why: str, output: str, state: Path | None) -> None:
    """End a container's run and start another; counts no crash."""
    _ask(state, output, name, "restart", why=why)


@click.command()
@click.argument("name")
@WHY
@output_option("table", "json")
@state_option
def reset(name: str, why: str, output: str, state: Path | None) -> None:
    """Clear a container's crash history; a held or failed one starts again."""
    _ask(state, output, name, "reset", why=why)


@click.command()
@click.argument("name")
@WHY
@state_option
def remove(name: str, why: str, state: Path | None) -> None:
    """Forget an ad-hoc container that is at rest, with its log."""
    Client(the_state(state)).delete("containers", name, why=why)


@click.command()
@WHY
@output_option("table", "json")
@state_option
def reconcile(why: str, output: str, state: Path | None) -> None:
    """Observe the platform now, and close every difference."""
    report = Client(the_state(state)).post("reconcile", why=why)
    if output == "json":
        click.echo(json.dumps(report, indent=2))
        return
    for outcome in report["outcomes"]:
        click.echo(
            f"{outcome['name']:<20}  {outcome['phase']:<14}  {outcome['action']}"
        )
    for stranger in report["strangers"]:
        click.echo(f"{stranger:<20}  runs and belongs to no container of the fleet")


@click.command()
@click.argument("name")
@click.option(
    "--for",
    "goal",
    type=click.Choice(["ready", "stopped", "completed"]),
    default="ready",
    show_default=True,
    help="What to wait for.",
)
@duration_option("60s")
@output_option("table", "json")
@state_option
def wait(name: str, goal: str, timeout: int, output: str, state: Path | None) -> None:
    """Wait until a container is ready, stopped or completed.

    Leaves with 3 when the time is up, with 4 when the container has failed.
    """
    client = Client(the_state(state))
    query = {"for": goal, "limit_ms": timeout}
    limit_s = timeout / 1_000 + 30
    info = client.get("containers", name, "wait", timeout_s=limit_s, **query)
    show_facts(_brief(info), output)
