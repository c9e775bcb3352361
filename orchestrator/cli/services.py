"""Commands about services and orphans: scale, services, adopt, orphans."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Final

import click
from rich import box
from rich.table import Table
from rich.text import Text

from orchestrator.cli.asks import WHY, duration_option
from orchestrator.cli.client import Client
from orchestrator.cli.completing import ORPHAN, SERVICE
from orchestrator.cli.failing import Failed
from orchestrator.cli.plain import cleaned
from orchestrator.cli.reach import Reach, reach_options
from orchestrator.cli.shown import output_option, show_facts, show_table
from orchestrator.cli.trees import TREES, show_tree

__all__ = ("adopt", "orphans", "scale", "services")

AD_HOC: Final = "ad-hoc"
POLL_S: Final = 0.2
SHOWN_MOST: Final = 5

TIMED_OUT: Final = 3
FAILED: Final = 4


@click.command()
@click.argument("name", type=SERVICE)
@click.argument("replicas", metavar="N", type=click.IntRange(0))
@click.option("--wait", is_flag=True, help="Leave when they are up, and the rest gone.")
@duration_option("60s")
@WHY
@output_option("table", "json", "yaml")
@reach_options
def scale(
    name: str,
    replicas: int,
    timeout: int,
    why: str,
    output: str,
    reach: Reach,
    *,
    wait: bool,
) -> None:
    """Have the service NAME run N replicas, until its number in the file changes.

    With --wait it leaves with 3 when the time is up, with 4 when a replica has failed.
    """
    client = reach.client()
    info = client.post("services", name, "scale", replicas=replicas, why=why)
    if wait:
        info = _settled(client, name, time.monotonic() + timeout / 1_000)
    show_facts(info if output in TREES else _brief(info), output)


def _brief(info: dict[str, Any]) -> dict[str, Any]:
    """Say a service in a few lines, also where it has thousands of replicas."""
    return {
        "service": info["name"],
        "replicas": info["replicas"],
        "in_the_file": info["declared"],
        "ready": info["ready"],
        "revision": info.get("revision", "-"),
        "rollout": _words(info.get("rollout")),
        "members": _some(info["members"]),
        "leaving": _some(info["leaving"]),
    }


def _words(status: str | None) -> str:
    return status.replace("_", " ") if status else "-"


def _some(names: list[str]) -> str:
    more = len(names) - SHOWN_MOST
    shown = ", ".join(names[:SHOWN_MOST]) or "-"
    return f"{shown} and {more} more" if more > 0 else shown


def _settled(client: Client, name: str, until: float) -> dict[str, Any]:
    """Wait until the replicas have come up, and those that leave are gone."""
    while True:
        info: dict[str, Any] = next(
            (each for each in client.get("services") if each["name"] == name), {}
        )
        if not info:
            raise Failed(f"there is no service {name!r} any more", 11)
        if info["failed"]:
            raise Failed(f"failed or crash-looping: {_some(info['failed'])}", FAILED)
        missing = len(info["members"]) - info["ready"] - info["resting"]
        if not missing and not info["leaving"]:
            return info
        if time.monotonic() >= until:
            late = f"{missing} not up, {len(info['leaving'])} not gone"
            raise Failed(f"the time is up: {late}", TIMED_OUT)
        time.sleep(POLL_S)


@click.command()
@output_option("table", "json", "yaml", "name")
@reach_options
def services(output: str, reach: Reach) -> None:
    """List the services, and how many replicas each has."""
    found = reach.client().get("services")
    scales = any(each.get("autoscaling") for each in found)
    rows = [
        (
            each["name"],
            str(each["replicas"]),
            str(each["declared"]),
            str(each["ready"]),
            str(len(each["leaving"])),
            str(each.get("revision", "-")),
            _words(each.get("rollout")),
            *(_scaling(each.get("autoscaling")) if scales else ()),
        )
        for each in found
    ]
    more = ("MIN-MAX", "LOAD", "TARGET", "WANTED") if scales else ()
    _show(found, rows, (*_SERVICES, *more), output)


_SERVICES: Final = (
    *("NAME", "REPLICAS", "IN THE FILE", "READY", "LEAVING"),
    *("REVISION", "ROLLOUT"),
)


def _scaling(told: dict[str, Any] | None) -> tuple[str, ...]:
    """Say what a service that scales by itself bears, and how many it should have."""
    if told is None:
        return ("-",) * 4
    load = told["load"]
    waits = " (not yet)" if told["until"] is not None else ""
    return (
        f"{told['least']}-{told['most']}",
        "-" if load is None else f"{load:g}",
        f"{told['target']:g}",
        f"{told['wanted']}{waits}",
    )


def _show(
    found: list[dict[str, Any]],
    rows: Sequence[tuple[str, ...]],
    heads: tuple[str, ...],
    output: str,
) -> None:
    if output in TREES:
        show_tree(found, output)
    elif output == "name":
        for each in found:
            click.echo(cleaned(each["name"]))
    else:
        table = Table(*heads, box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
        for row in rows:
            table.add_row(*(Text(cleaned(cell)) for cell in row))
        show_table(table)


@click.command()
@click.argument("name", type=ORPHAN)
@click.option(
    "--as",
    "whose",
    metavar="SERVICE",
    help=f"The service it belongs to, or {AD_HOC}; else what its name speaks of.",
)
@WHY
@output_option("table", "json", "yaml")
@reach_options
def adopt(name: str, whose: str | None, why: str, output: str, reach: Reach) -> None:
    """Make the orphan NAME a container of the fleet; its run goes on, if it can.

    It is replaced where it was started from another spec than the fleet has for it.
    """
    body: dict[str, Any] = {"why": why}
    if whose is not None:
        body["service"] = "" if whose == AD_HOC else whose
    info = reach.client().post("orphans", name, "adopt", **body)
    keys = ("name", "origin", "phase", "run", "why")
    brief = {key: info[key] for key in keys}
    show_facts(info if output in TREES else brief, output)


@click.group(invoke_without_command=True)
@output_option("table", "json", "yaml", "name")
@reach_options
def orphans(output: str, reach: Reach) -> None:
    """List what the platform has and the fleet does not know.

    `adopt NAME` takes one in, `orphans stop NAME` ends it.
    """
    context = click.get_current_context()
    context.obj = reach
    if context.invoked_subcommand is None:
        found = reach.client().get("orphans")
        rows = [
            (each["name"], str(each["run"]), "yes" if each["stopping"] else "no")
            for each in found
        ]
        _show(found, rows, ("NAME", "RUN", "STOPPING"), output)


@orphans.command()
@click.argument("name", type=ORPHAN)
@WHY
@reach_options
def stop(name: str, why: str, reach: Reach) -> None:
    """End the orphan NAME, and have the platform forget it."""
    said = click.get_current_context().obj  # before `stop`: it may have said whose
    reach = said if reach == _NOTHING_SAID else reach
    found = reach.client().post("orphans", name, "stop", why=why)
    click.echo(cleaned(f"run {found['run']} of {found['name']} is being ended"))


_NOTHING_SAID: Final = Reach(
    state=None, url=None, token_file=None, ca=None, context=None, allow_http=False
)
