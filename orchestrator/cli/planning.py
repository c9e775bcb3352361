"""``plan``: what it would change to apply a fleet file, container by container.

The operator that runs is asked. Where none does, the journal of the state folder is
read, as it would be at the next start; where there is none, all is new.
"""

from __future__ import annotations

import importlib
import json
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from orchestrator.api.places import JOURNAL
from orchestrator.cli.client import NoOperator
from orchestrator.cli.plain import cleaned
from orchestrator.cli.reach import Reach, reach_options
from orchestrator.cli.rollout_following import known_rollouts, told_back, untried
from orchestrator.cli.shown import output_option
from orchestrator.cli.tools import read_file
from orchestrator.cli.trees import TREES, show_tree
from orchestrator.cli.waited import waited
from orchestrator.codec.journal_choice import JournalKind
from orchestrator.codec.wire import tree_of

__all__ = ("is_empty", "plan", "prune_option", "show_plan", "summary")

F = TypeVar("F", bound=Callable[..., Any])

PENDING: Final = 1
"""The exit code where there is something to change."""

SHOWN_MAX: Final = 60
"""Characters of a value on a line."""

NAMES_MAX: Final = 6
"""Containers to which the same happens that are named on a line."""

_SIGNS: Final = {
    "create": "+",
    "update": "~",
    "restart": "~",
    "roll": "~",
    "start": "+",
    "stop": "-",
    "keep": "~",
    "forget": "-",
}


def prune_option(function: F) -> F:
    """Add ``--prune`` to a command."""
    return click.option(
        "--prune",
        type=click.Choice(["stop", "keep", "forget"]),
        help="What becomes of containers that have left the file, this once; else what"
        " `fleet.prune` says.",
    )(function)


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@prune_option
@output_option("table", "json", "yaml")
@reach_options
def plan(file: Path, prune: str | None, output: str, reach: Reach) -> int:
    """Say what `apply FILE` would change, and why; nothing is changed.

    Leaves with 0 where nothing would, with 1 where something would. No operator needs
    to run: then it is said what the next `up FILE` would do. (`up` takes no --prune:
    that is for the `apply` after it.)
    """
    fleet = read_file(file)
    reach = reach.of_fleet(fleet.spec.name)
    rollouts: dict[str, dict[str, Any]] = {}
    try:
        client = reach.client()
        found = client.plan(tree_of(fleet.spec), revision=None, prune=prune)
        rollouts = known_rollouts(client) if is_empty(found) else {}
    except NoOperator:
        state = reach.folder()
        if state is None:
            raise
        is_far = fleet.journal.kind is not JournalKind.SQLITE
        is_known = is_far or (state / JOURNAL).exists()
        what = "its journal is read" if is_known else "all is new"
        click.echo(f"no operator runs for {state}: {what}", err=True)
        if prune not in {None, fleet.spec.settings.prune}:
            click.echo(_OTHER_PRUNE.format(prune, fleet.spec.settings.prune), err=True)
        module = importlib.import_module("orchestrator.cli.plan_alone")
        planned = module.planned_alone(state, fleet, file.absolute().parent, prune)
        found = tree_of(waited(planned))
    show_plan(found, output)
    services = frozenset(service.name for service in fleet.spec.services)
    for info in untried(rollouts, services).values():
        click.echo(cleaned(told_back(info)), err=True)
    return 0 if is_empty(found) else PENDING


def is_empty(plan: dict[str, Any]) -> bool:
    """Say whether there is nothing to change."""
    return plan["revision_before"] == plan["revision_after"] and not plan["changes"]


def show_plan(plan: dict[str, Any], output: str) -> None:
    """Show a plan, as the API answers it."""
    if output in TREES:
        show_tree(plan, output)
        return
    for line in _lines(plan):
        click.echo(cleaned(line))


def summary(plan: dict[str, Any]) -> str:
    """Say how many containers a plan does what to.

    >>> summary({"changes": [{"action": "create"}], "settings": []})
    '1 to create'
    >>> summary({"changes": [], "settings": [{}]})
    'settings alone'

    """
    counts = Counter(change["action"] for change in plan["changes"])
    said = [f"{counts[action]} to {action}" for action in _SIGNS if counts[action]]
    return ", ".join(said) or "settings alone"


_OTHER_PRUNE: Final = (
    "this is what `apply --prune {0}` would do at that moment; `up` does what the file"
    " says (fleet.prune: {1})"
)


def _lines(plan: dict[str, Any]) -> Iterator[str]:
    name, before = plan["fleet"], plan["revision_before"]
    if is_empty(plan):
        yield f"nothing to change: fleet {name!r} is at revision {before}"
        return
    for told, same in groupby(plan["changes"], key=_told):
        action, why, fields = told
        names = [change["name"] for change in same]
        more = len(names) - NAMES_MAX
        listed = ", ".join(names[:NAMES_MAX]) + (f" and {more} more" * (more > 0))
        yield f"{_SIGNS[action]} {action:<8} {listed}: {why}"
        yield from _field_lines(json.loads(fields))
    if plan["settings"]:
        yield "~ settings"
        yield from _field_lines(plan["settings"])
    after = plan["revision_after"]
    yield f"{summary(plan)}: fleet {name!r}, revision {before} to {after}"


def _told(change: dict[str, Any]) -> tuple[str, str, str]:
    return change["action"], change["why"], json.dumps(change["fields"])


def _field_lines(fields: list[dict[str, Any]]) -> Iterator[str]:
    for field in fields:
        before, after = field["before"], field["after"]
        if before == after:
            yield f"    {field['path']}: changes, and is not shown"
        else:
            yield f"    {field['path']}: {_short(before)} -> {_short(after)}"


def _short(value: str | None) -> str:
    text = "nothing" if value is None else value
    return text if len(text) <= SHOWN_MAX else f"{text[: SHOWN_MAX - 3]}..."
