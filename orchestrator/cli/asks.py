"""Commands that ask a running operator for something."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from typing import Any, Final, TypeVar

import click

from orchestrator.cli.client import NoOperator
from orchestrator.cli.completing import CONTAINER
from orchestrator.cli.failing import Failed
from orchestrator.cli.plain import cleaned
from orchestrator.cli.reach import Reach, reach_options
from orchestrator.cli.shown import Duration, now_ms, output_option, show_facts
from orchestrator.cli.trees import TREES, show_tree

__all__ = (
    "GOALS",
    "duration_option",
    "reconcile",
    "remove",
    "reset",
    "restart",
    "start",
    "stop",
    "wait",
)

GOALS: Final = ("ready", "stopped", "completed", "failed", "settled")
"""``runtime.reports.WaitFor``; a test compares: to load it costs more than the rest."""

TIMED_OUT: Final = 3

F = TypeVar("F", bound=Callable[..., Any])

NAMES = click.argument(
    "names", nargs=-1, required=True, metavar="NAME...", type=CONTAINER
)
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
@NAMES
@click.option("--config", multiple=True, metavar="KEY=VALUE", help="May be repeated.")
@click.option("--command", "words", help="What to run, split as a shell does.")
@click.option("--force", is_flag=True, help="Also what has failed or crash-loops.")
@WHY
@output_option("table", "json", "yaml")
@reach_options
def start(
    names: tuple[str, ...],
    config: tuple[str, ...],
    words: str | None,
    why: str,
    output: str,
    reach: Reach,
    *,
    force: bool,
) -> int:
    """Start containers; an unknown NAME takes the fleet's [ad_hoc] template."""
    body: dict[str, Any] = {"why": why, "force": force}
    if config:
        body["config"] = dict(map(_pair, config))
    if words is not None:
        body["command"] = _split(words)
    return _ask(reach, output, names, "start", **body)


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
    reach: Reach, output: str, names: tuple[str, ...], operation: str, **body: Any
) -> int:
    """Ask for something of each container, and show where they are then."""
    client = reach.client()
    infos, code = _each(
        names, lambda name: client.post("containers", name, operation, **body)
    )
    _show(infos, names, output)
    return code


def _show(infos: list[dict[str, Any]], names: tuple[str, ...], output: str) -> None:
    """Show one container in full, many as a line each."""
    briefs = [_brief(info) for info in infos]
    if len(names) == 1:
        show_facts(briefs[0], output)
    elif output in TREES:
        show_tree(briefs, output)
    else:
        for brief in briefs:
            line = f"{brief['name']:<20}  {brief['phase']:<14}  {brief['why']}"
            click.echo(cleaned(line))


def _each(
    names: tuple[str, ...], ask: Callable[[str], dict[str, Any]]
) -> tuple[list[dict[str, Any]], int]:
    """Ask for one name after the other; what fails holds up no other.

    Return the answers, and the exit code of the first that failed. One name alone fails
    by itself, and all fail where there is no operator to ask.
    """
    if len(names) == 1:
        return [ask(names[0])], 0
    answers: list[dict[str, Any]] = []
    code = 0
    for name in dict.fromkeys(names):
        try:
            answers.append(ask(name))
        except NoOperator:
            raise
        except Failed as failed:
            failed.show()
            code = code or failed.code
    return answers, code


def _brief(info: dict[str, Any]) -> dict[str, Any]:
    keys = ("name", "phase", "run", "revision", "why")
    return {key: info[key] for key in keys}


@click.command()
@NAMES
@WHY
@output_option("table", "json", "yaml")
@reach_options
def stop(names: tuple[str, ...], why: str, output: str, reach: Reach) -> int:
    """Stop containers; they stay stopped until they are asked for again."""
    return _ask(reach, output, names, "stop", why=why)


@click.command()
@NAMES
@WHY
@output_option("table", "json", "yaml")
@reach_options
def restart(names: tuple[str, ...], why: str, output: str, reach: Reach) -> int:
    """End the run of each container and start another; counts no crash."""
    return _ask(reach, output, names, "restart", why=why)


@click.command()
@NAMES
@WHY
@output_option("table", "json", "yaml")
@reach_options
def reset(names: tuple[str, ...], why: str, output: str, reach: Reach) -> int:
    """Clear crash histories; what was held or has failed starts again."""
    return _ask(reach, output, names, "reset", why=why)


@click.command()
@NAMES
@WHY
@reach_options
def remove(names: tuple[str, ...], why: str, reach: Reach) -> int:
    """Forget ad-hoc containers that are at rest, with their logs."""
    client = reach.client()
    return _each(names, lambda name: client.delete("containers", name, why=why))[1]


@click.command()
@WHY
@output_option("table", "json", "yaml")
@reach_options
def reconcile(why: str, output: str, reach: Reach) -> None:
    """Observe the platform now, and close every difference."""
    report = reach.client().post("reconcile", why=why)
    if output in TREES:
        show_tree(report, output)
        return
    for outcome in report["outcomes"]:
        line = f"{outcome['name']:<20}  {outcome['phase']:<14}  {outcome['action']}"
        click.echo(cleaned(line))
    for stranger in report["strangers"]:
        line = f"{stranger:<20}  runs and belongs to no container of the fleet"
        click.echo(cleaned(line))


@click.command()
@NAMES
@click.option(
    "--for",
    "goal",
    type=click.Choice(GOALS),
    default="ready",
    show_default=True,
    help="What to wait for.",
)
@duration_option("60s")
@output_option("table", "json", "yaml")
@reach_options
def wait(
    names: tuple[str, ...], goal: str, timeout: int, output: str, reach: Reach
) -> int:
    """Wait until containers are ready, stopped, completed, failed or settled.

    One that is settled is ready, at rest, or held. Leaves with 3 when the time is up,
    which is one for all of them; with 4 when one has failed.
    """
    client, end = reach.client(), now_ms() + timeout

    def wait_for(name: str) -> dict[str, Any]:
        limit = max(0, end - now_ms())
        query = {"for": goal, "limit_ms": limit}
        limit_s = limit / 1_000 + 30
        try:
            found: dict[str, Any] = client.get(
                "containers", name, "wait", timeout_s=limit_s, **query
            )
        except Failed as failed:
            if failed.code != TIMED_OUT:
                raise
            info = client.get("containers", name)
            where = f"{name} is {info['phase']}: {info['why']}"
            raise Failed(f"{failed.message}; {where}", TIMED_OUT) from None
        return found

    infos, code = _each(names, wait_for)
    _show(infos, names, output)
    return code
