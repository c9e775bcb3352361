"""Commands that read: list, status, explain, logs, events."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from orchestrator.cli.client import Client
from orchestrator.cli.past import at_option, look_back, show_place
from orchestrator.cli.shown import (
    clock_time,
    output_option,
    show_containers,
    show_details,
    show_facts,
)
from orchestrator.cli.state import state_option, the_state

if TYPE_CHECKING:
    from orchestrator.replay.places import Place

__all__ = ("events", "explain", "list_", "logs", "readable", "status")

FOLLOW_MS = 30_000


@click.command("list")
@at_option
@output_option()
@state_option
def list_(output: str, state: Path | None, at: Place | None) -> None:
    """List all containers (``ps`` is the same).

    With --at, as they were then, their ages too; no operator needs to run.
    """
    folder = the_state(state)
    if at is None:
        show_containers(Client(folder).get("containers"), output)
        return
    seen = look_back(folder, at, "containers")
    show_place(seen, output)
    show_containers(seen.found, output, now=seen.at)


@click.command()
@click.argument("name", required=False)
@click.option("--platform", is_flag=True, help="Show what the platform itself says.")
@at_option
@output_option("table", "json")
@state_option
def status(
    name: str | None,
    output: str,
    state: Path | None,
    at: Place | None,
    *,
    platform: bool,
) -> None:
    """Show one container; with --platform, as the platform itself tells of it.

    --platform shows the platform's own words beside the class that we put them in, of
    all containers where NAME is not given. With --at, the container as it was then; no
    operator needs to run.
    """
    folder = the_state(state)
    if platform:
        if at is not None:
            raise click.UsageError("--platform tells of now: it goes without --at.")
        details = Client(folder).get("platform")
        show_details([one for one in details if name in (None, one["name"])], output)
    elif name is None:
        raise click.UsageError("Missing argument 'NAME'.")
    else:
        show_facts(_of(folder, at, output, name), output)


def _of(folder: Path, at: Place | None, output: str, *path: str) -> Any:
    """Read something of one container, now or at a place of its past."""
    if at is None:
        return Client(folder).get("containers", *path)
    seen = look_back(folder, at, "containers", *path)
    show_place(seen, output)
    return seen.found


@click.command()
@click.argument("name")
@at_option
@output_option("table", "json")
@state_option
def explain(name: str, output: str, state: Path | None, at: Place | None) -> None:
    """Say why a container is where it is, and what comes next; or was, with --at."""
    folder = the_state(state)
    facts = _of(folder, at, output, name, "explain")
    show_facts(facts if output == "json" else readable(facts), output)


def readable(facts: dict[str, Any]) -> dict[str, Any]:
    """Tell the times of failures and the last run as people do."""
    last = facts.pop("last")
    failures = [clock_time(moment) for moment in facts.pop("failures")]
    readable = {**facts, "failures": failures}
    if last is not None:
        end = last["exit"].pop("type")
        detail = " ".join(str(value) for value in last["exit"].values())
        readable["last_run"] = f"{last['run']} {end} {detail}".strip()
        readable["last_ended_at"] = last["ended_at"]
    return readable


@click.command()
@click.argument("name")
@click.option("-f", "--follow", is_flag=True, help="Go on with what it writes.")
@click.option("--timestamps", is_flag=True, help="Show when each line was written.")
@state_option
def logs(name: str, state: Path | None, *, follow: bool, timestamps: bool) -> None:
    """Show what a container wrote to its standard output and error."""
    client = Client(the_state(state))
    query = {"follow": "true"} if follow else {}
    for line in client.lines("containers", name, "log", **query):
        stamp = f"{clock_time(line['at'])} " if timestamps else ""
        click.echo(stamp + line["text"], err=line["stream"] == "e")


@click.command()
@click.option("-f", "--follow", is_flag=True, help="Go on with what happens.")
@click.option("--since", type=click.IntRange(0), help="After this row; else all.")
@output_option("table", "json")
@state_option
def events(since: int | None, output: str, state: Path | None, *, follow: bool) -> None:
    """Show the events of the journal, the oldest first."""
    client = Client(the_state(state))
    while True:
        query = {"wait_ms": FOLLOW_MS if follow else 0}
        if since is not None:
            query["after"] = since
        page = client.get("events", **query)
        for record in page:
            click.echo(json.dumps(record) if output == "json" else _line(record))
            since = record["seq"]
        if not page and not follow:
            return


def _line(record: dict[str, Any]) -> str:
    event: dict[str, Any] = dict(record["event"])
    at, kind, name = event.pop("at"), event.pop("type"), event.pop("name", "")
    facts = [f"{key}={_short(value)}" for key, value in event.items()]
    head = f"{record['seq']:>6}  {clock_time(at)}  {kind:<22}  {name or '-':<16}"
    return f"{head}  {' '.join(facts)}".rstrip()


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."  # noqa: PLR2004 - a line
