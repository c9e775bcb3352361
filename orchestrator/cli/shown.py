"""How things are shown: tables for people, JSON and names for programs."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, Final, TypeVar

import click
from rich import box
from rich.table import Table
from rich.text import Text

from orchestrator.cli.colours import console
from orchestrator.cli.plain import cleaned
from orchestrator.cli.trees import TREES, show_tree
from orchestrator.core.moments import format_duration, parse_duration

__all__ = (
    "Duration",
    "age",
    "clock_time",
    "container_table",
    "facts_text",
    "now_ms",
    "output_option",
    "show_containers",
    "show_details",
    "show_facts",
    "show_table",
    "since_when",
    "until",
)

F = TypeVar("F", bound=Callable[..., Any])

Info = dict[str, Any]

FORMATS: Final = ("table", "wide", "json", "yaml", "name")

_COLOURS: Final = {
    "running": "green",
    "completed": "green",
    "starting": "cyan",
    "pending": "cyan",
    "stopping": "yellow",
    "backing_off": "yellow",
    "unknown": "yellow",
    "crash_looping": "red",
    "failed": "red",
}


def output_option(*formats: str) -> Callable[[F], F]:
    """Add ``-o`` to a command, with the formats that it knows."""

    def add(function: F) -> F:
        return click.option(
            "-o",
            "--output",
            type=click.Choice(formats or FORMATS),
            default=(formats or FORMATS)[0],
            show_default=True,
            help="How to show it.",
        )(function)

    return add


class Duration(click.ParamType[int]):
    """A duration, such as ``30s``."""

    name = "duration"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        """Return it in milliseconds."""
        if isinstance(value, int):
            return value
        duration = parse_duration(str(value))
        problem = duration.swap().value_or("")
        if problem:
            self.fail(f"{problem}, found {value!r}", param, ctx)
        return duration.value_or(0)


def now_ms() -> int:
    """Return the moment, for ages."""
    return time.time_ns() // 1_000_000


def age(moment: int | None, now: int | None = None) -> str:
    """Write how long before *now* a moment was; None: before this very moment."""
    if moment is None:
        return "-"
    elapsed = max(0, (now_ms() if now is None else now) - moment)
    return format_duration(elapsed - elapsed % 1_000) if elapsed >= 1_000 else "0s"  # noqa: PLR2004 - a second


def until(moment: int | None, now: int | None = None) -> str:
    """Write how long it is from *now* until a moment; None: from this very moment."""
    if moment is None:
        return "-"
    rest = max(0, moment - (now_ms() if now is None else now))
    return format_duration(-(-rest // 1_000) * 1_000)


def clock_time(moment: int) -> str:
    """Write a moment as the time of day, in this machine's zone."""
    local = datetime.fromtimestamp(moment / 1_000).astimezone()
    return local.isoformat(sep=" ", timespec="milliseconds")[11:23]


def since_when(moment: int, now: int | None = None) -> str:
    """Write when something began: the time of day, with the date on another day."""
    began, today = (
        datetime.fromtimestamp(each / 1_000).astimezone()
        for each in (moment, now_ms() if now is None else now)
    )
    return f"{began:%H:%M:%S}" if began.date() == today.date() else f"{began:%F %T}"


def container_table(
    infos: Iterable[Info], *, wide: bool, now: int | None = None
) -> Table:
    """Return containers as a table, their ages as they are at *now*."""
    heads = ["NAME", "STATE", "READY", "RESTARTS", "LAST EXIT", "NEXT START"]
    heads += ["AGE", "REV"]
    heads += ["ADDRESSES", "RUN", "ORIGIN", "PLACE"] if wide else []
    heads += ["WHY"]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for head in heads:
        is_long = head in {"WHY", "ADDRESSES"}
        table.add_column(
            head, no_wrap=not is_long, overflow="fold", min_width=len(head)
        )
    for info in infos:
        state = Text(cleaned(info["phase"]), style=_COLOURS.get(info["phase"], ""))
        cells = [
            info["name"],
            state,
            "yes" if info["ready"] else "no",
            f"{info['crash_count']}/{info['restarts']}",
            info["last_exit"] or "-",
            until(info["next_start_at"], now),
            age(info["started_at"], now),
            str(info["revision"]),
        ]
        if wide:
            addresses = [f"{name}={at}" for name, at in info["addresses"].items()]
            cells += [" ".join(addresses) or "-", str(info["run"])]
            cells += [info["origin"], _place(info)]
        cells.append(info["why"])
        # As a Text, cleaned: what somebody wrote is no markup, and moves no cursor.
        table.add_row(
            *(each if isinstance(each, Text) else Text(cleaned(each)) for each in cells)
        )
    return table


def _place(info: Info) -> str:
    """Say where one runs, marked where it is not where its spec asks for."""
    place = str(info.get("place") or "-")
    return f"{place} (misplaced)" if info.get("misplaced") else place


def show_containers(infos: list[Info], output: str, now: int | None = None) -> None:
    """Show containers in one of the formats, their ages as they are at *now*.

    *now* is in milliseconds since 1970; None: the present.
    """
    if output in TREES:
        show_tree(infos, output)
    elif output == "name":
        for info in infos:
            click.echo(cleaned(info["name"]))
    else:
        show_table(container_table(infos, wide=output == "wide", now=now))


def show_details(details: list[Info], output: str) -> None:
    """Show what the platform says of containers, beside what we make of it."""
    if output in TREES:
        show_tree(details, output)
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for head in ("NAME", "RUN", "STATE", "CLASS", "WHERE", "ITS OWN WORDS"):
        table.add_column(head, no_wrap=head != "ITS OWN WORDS", overflow="fold")
    for one in details:
        where = one["facts"].get("location") or "-"
        cells = [one["name"], str(one["run"]), one["state"], one["kind"] or "-", where]
        cells.append(one["raw"] or "-")
        table.add_row(*(Text(cleaned(each)) for each in cells))
    show_table(table)


def show_table(table: Table) -> None:
    """Print a table; as wide as it is, where nobody looks at it."""
    width = None if sys.stdout.isatty() else 200
    console(width=width, soft_wrap=False, highlight=False).print(table)


def show_facts(facts: Info, output: str) -> None:
    """Show one thing, a fact a line."""
    if output in TREES:
        show_tree(facts, output)
    elif facts:
        click.echo(facts_text(facts))


def facts_text(facts: Info) -> str:
    """Write one thing, a fact a line; nothing in it steers a terminal."""
    width = max(map(len, facts), default=0) + 2
    return "\n".join(
        cleaned(f"{key + ':':<{width}}{_fact(key, value)}".rstrip())
        for key, value in facts.items()
    )


def _fact(key: str, value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if key.endswith("_at") and isinstance(value, int):
        stamp = datetime.fromtimestamp(value / 1_000).astimezone()
        return stamp.isoformat(sep=" ", timespec="milliseconds")
    if key.endswith("_ms") and isinstance(value, int):
        return format_duration(value)
    if isinstance(value, dict):
        return " ".join(f"{name}={_fact(name, inner)}" for name, inner in value.items())
    if isinstance(value, list):
        return ", ".join(_fact("", inner) for inner in value) or "-"
    return str(value)
