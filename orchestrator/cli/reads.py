"""Commands that read: list, status, explain, logs, events."""

from __future__ import annotations

import importlib
import json
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

import click

from orchestrator.cli.completing import CONTAINER
from orchestrator.cli.leader_words import show_leader
from orchestrator.cli.listing import show_fleet
from orchestrator.cli.past import at_option, look_back, show_place
from orchestrator.cli.plain import cleaned, written
from orchestrator.cli.reach import Reach, reach_options
from orchestrator.cli.shown import (
    clock_time,
    output_option,
    show_containers,
    show_details,
    show_facts,
)
from orchestrator.cli.trees import TREES, show_record

if TYPE_CHECKING:
    from orchestrator.replay.places import Place

__all__ = ("events", "explain", "list_", "logs", "readable", "status")

FOLLOW_MS = 30_000


@click.command("list")
@click.option("-w", "--watch", is_flag=True, help="Go on with what changes.")
@at_option
@output_option()
@reach_options
def list_(output: str, reach: Reach, at: Place | None, *, watch: bool) -> None:
    """List all containers (``ps`` is the same).

    RESTARTS tells the failures that its policy still counts, and all restarts.
    With --at, as they were then, their ages too; no operator needs to run.
    """
    if watch:
        _watching(at).watch_fleet(reach.client(), output)
        return
    if at is None:
        client = reach.client()
        show_leader(client, output)
        show_fleet(client, output)
        return
    seen = look_back(reach, at, "containers")
    show_place(seen, output)
    show_containers(seen.found, output, now=seen.at)


def _watching(at: Place | None) -> ModuleType:
    """Load what watches, which most reads do not need."""
    if at is not None:
        raise click.UsageError("--watch goes on from now: it goes without --at.")
    return importlib.import_module("orchestrator.cli.watching")


@click.command()
@click.argument("name", required=False, type=CONTAINER)
@click.option("--platform", is_flag=True, help="Show what the platform itself says.")
@click.option("-w", "--watch", is_flag=True, help="Go on with what changes.")
@at_option
@output_option("table", "json", "yaml")
@reach_options
def status(
    name: str | None,
    output: str,
    reach: Reach,
    at: Place | None,
    *,
    platform: bool,
    watch: bool,
) -> None:
    """Show one container; with --platform, as the platform itself tells of it.

    --platform shows the platform's own words beside the class that we put them in, of
    all containers where NAME is not given. With --at, the container as it was then; no
    operator needs to run.
    """
    if platform:
        if watch:
            raise click.UsageError(
                "--platform shows one look: it goes without --watch."
            )
        if at is not None:
            raise click.UsageError("--platform tells of now: it goes without --at.")
        details = reach.client().get("platform")
        show_details([one for one in details if name in (None, one["name"])], output)
    elif name is None:
        raise click.UsageError("Missing argument 'NAME'.")
    elif watch:
        _watching(at).watch_one(reach.client(), name, output)
    else:
        if at is None:
            show_leader(reach.client(), output)
        show_facts(_of(reach, at, output, name), output)


def _of(reach: Reach, at: Place | None, output: str, *path: str) -> Any:
    """Read something of one container, now or at a place of its past."""
    if at is None:
        return reach.client().get("containers", *path)
    seen = look_back(reach, at, "containers", *path)
    show_place(seen, output)
    return seen.found


@click.command()
@click.argument("name", type=CONTAINER)
@at_option
@output_option("table", "json", "yaml")
@reach_options
def explain(name: str, output: str, reach: Reach, at: Place | None) -> None:
    """Say why a container is where it is, and what comes next; or was, with --at."""
    facts = _of(reach, at, output, name, "explain")
    show_facts(facts if output in TREES else readable(facts), output)


def readable(facts: dict[str, Any]) -> dict[str, Any]:
    """Tell the times of failures and the last run as people do."""
    last = facts.pop("last")
    failures = [clock_time(moment) for moment in facts.pop("failures")]
    wrong = facts.pop("misplaced", None)
    readable = {**facts, "failures": failures}
    if wrong is not None:
        readable["misplaced"] = f"expected {wrong['expected']}, found {wrong['found']}"
    if last is not None:
        end = last["exit"].pop("type")
        detail = " ".join(str(value) for value in last["exit"].values())
        readable["last_run"] = f"{last['run']} {end} {detail}".strip()
        readable["last_ended_at"] = last["ended_at"]
    return readable


@click.command()
@click.argument("name", type=CONTAINER)
@click.option("-f", "--follow", is_flag=True, help="Go on with what it writes.")
@click.option("--timestamps", is_flag=True, help="Show when each line was written.")
@reach_options
def logs(name: str, reach: Reach, *, follow: bool, timestamps: bool) -> None:
    """Show what a container wrote to its standard output and error.

    On a terminal, signs that would steer it are written out; a file or a pipe gets each
    line as it was written.
    """
    client = reach.client()
    query = {"follow": "true"} if follow else {}
    for line in client.lines("containers", name, "log", **query):
        stamp = f"{clock_time(line['at'])} " if timestamps else ""
        text, is_error = str(line["text"]), line["stream"] == "e"
        stream = sys.stderr if is_error else sys.stdout
        click.echo(stamp + (written(text) if stream.isatty() else text), err=is_error)


@click.command()
@click.option("-f", "--follow", is_flag=True, help="Go on with what happens.")
@click.option("--since", type=click.IntRange(0), help="After this row; else all.")
@click.option(
    "--name", "names", multiple=True, metavar="NAME", help="Of this container."
)
@click.option(
    "--type", "types", multiple=True, metavar="TYPE", help="Such as container_ended."
)
@output_option("table", "json", "yaml")
@reach_options
def events(
    since: int | None,
    names: tuple[str, ...],
    types: tuple[str, ...],
    output: str,
    reach: Reach,
    *,
    follow: bool,
) -> None:
    """Show the events of the journal, the oldest first.

    --name and --type may be repeated: any of the names, and any of the types.
    """
    client = reach.client()
    wanted = {"name": ",".join(names), "type": ",".join(types)}
    query: dict[str, Any] = {key: words for key, words in wanted.items() if words}
    query["wait_ms"] = FOLLOW_MS if follow else 0
    while True:
        if since is not None:
            query["after"] = since
        page, looked = client.page("events", **query)
        for record in page:
            if output in TREES:
                show_record(record, output)
            else:
                click.echo(_line(record))
            since = record["seq"]
        if not (page or follow or (looked or 0) > (since or 0)):
            return
        since = max(since or 0, looked or 0)  # a filter may let none of many rows pass


def _line(record: dict[str, Any]) -> str:
    event: dict[str, Any] = dict(record["event"])
    at, kind, name = event.pop("at"), event.pop("type"), event.pop("name", "")
    facts = [f"{key}={_short(value)}" for key, value in event.items()]
    head = f"{record['seq']:>6}  {clock_time(at)}  {kind:<22}  {name or '-':<16}"
    return cleaned(f"{head}  {' '.join(facts)}".rstrip())


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."  # noqa: PLR2004 - a line
