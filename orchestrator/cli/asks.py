"""Commands that ask a running operator for something."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from typing import Any, TypeVar

import click

from orchestrator.cli.failing import Failed
from orchestrator.cli.plain import cleaned
from orchestrator.cli.reach import Reach, reach_options
from orchestrator.cli.shown import Duration, output_option, show_facts

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
@reach_options
def start(
    name: str,
    config: tuple[str, ...],
    words: str | None,
    why: str,
    output: str,
    reach: Reach,
    *,
    force: bool,
) -> None:
    """Start a container; an unknown NAME takes the fleet's [ad_hoc] template."""
    body: dict[str, Any] = {"why": why, "force": force}
    if config:
        body["config"] = dict(map(_pair, config))
    if words is not None:
        body["command"] = _split(words)
    _ask(reach, output, name, "start", **body)


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


def _ask(reach: Reach, output: str, name: str, operation: str, **body: Any) -> None:
    """Ask for something of one container, and show where it is then."""
    info = reach.client().post("containers", name, operation, **body)
    show_facts(_brief(info), output)


def _brief(info: dict[str, Any]) -> dict[str, Any]:
    keys = ("name", "phase", "run", "revision", "why")
    return {key: info[key] for key in keys}


@click.command()
@click.argument("name")
@WHY
@output_option("table", "json")
@reach_options
def stop(name: str, why: str, output: str, reach: Reach) -> None:
    """Stop a container; it stays stopped until it is asked for again."""
    _ask(reach, output, name, "stop", why=why)


@click.command()
@click.argument("name")
@WHY
@output_option("table", "json")
@reach_options
def restart(name: str, why: str, output: str, reach: Reach) -> None:
    """End a container's run and start another; counts no crash."""
    _ask(reach, output, name, "restart", why=why)


@click.command()
@click.argument("name")
@WHY
@output_option("table", "json")
@reach_options
def reset(name: str, why: str, output: str, reach: Reach) -> None:
    """Clear a container's crash history; a held or failed one starts again."""
    _ask(reach, output, name, "reset", why=why)


@click.command()
@click.argument("name")
@WHY
@reach_options
def remove(name: str, why: str, reach: Reach) -> None:
    """Forget an ad-hoc container that is at rest, with its log."""
    reach.client().delete("containers", name, why=why)


@click.command()
@WHY
@output_option("table", "json")
@reach_options
def reconcile(why: str, output: str, reach: Reach) -> None:
    """Observe the platform now, and close every difference."""
    report = reach.client().post("reconcile", why=why)
    if output == "json":
        click.echo(json.dumps(report, indent=2))
        return
    for outcome in report["outcomes"]:
        line = f"{outcome['name']:<20}  {outcome['phase']:<14}  {outcome['action']}"
        click.echo(cleaned(line))
    for stranger in report["strangers"]:
        line = f"{stranger:<20}  runs and belongs to no container of the fleet"
        click.echo(cleaned(line))


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
@reach_options
def wait(name: str, goal: str, timeout: int, output: str, reach: Reach) -> None:
    """Wait until a container is ready, stopped or completed.

    Leaves with 3 when the time is up, with 4 when the container has failed.
    """
    client = reach.client()
    query = {"for": goal, "limit_ms": timeout}
    limit_s = timeout / 1_000 + 30
    info = client.get("containers", name, "wait", timeout_s=limit_s, **query)
    show_facts(_brief(info), output)
