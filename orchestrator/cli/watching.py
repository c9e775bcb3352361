"""``--watch``: containers shown as they change, as long as somebody looks.

On a terminal they are drawn anew; elsewhere each change is a line, or a tree for
programs. What is read is the operator's stream of events with the containers that each
has touched: one to which nothing happens costs nothing.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from heapq import nsmallest
from itertools import chain
from typing import Any, Final, TypeAlias

import attrs
import click
from rich.console import Group, RenderableType
from rich.live import Live
from rich.text import Text

from orchestrator.cli.client import Client
from orchestrator.cli.colours import console
from orchestrator.cli.listing import pages_of
from orchestrator.cli.plain import cleaned, counted
from orchestrator.cli.shown import clock_time, container_table, facts_text, now_ms
from orchestrator.cli.trees import TREES, show_record

__all__ = ("change_line", "fleet_picture", "room", "watch_fleet", "watch_one")

Info: TypeAlias = dict[str, Any]

BEAT_MS: Final = 1_000
"""How often the operator says that nothing has happened: ages are drawn anew then."""

REST_S: Final = 0.25
"""Between two pictures, where much happens."""

FRAME: Final = 5
"""Lines of the screen that are not containers."""


def room(height: int) -> int:
    """Return for how many containers a screen of so many lines has room."""
    return max(1, height - FRAME)


def fleet_picture(head: str, shown: list[Info], rest: int, hint: str) -> Group:
    """Draw the containers that the screen holds, and say how many more there are."""
    more = f"... and {rest} more: `orchestrator list` shows all. " if rest else ""
    table = container_table(shown, wide=False)
    return Group(Text(head, style="bold"), table, Text(more + hint, style="dim"))


def watch_fleet(client: Client, output: str) -> None:
    """Show all containers, and go on with what changes, until the operator ends."""

    def picture(watched: _Watched, height: int) -> Group:
        infos = watched.infos
        shown = [infos[name] for name in nsmallest(room(height), infos)]
        head = f"{counted(len(infos), 'container')}, row {watched.seq}"
        rest = len(infos) - len(shown)
        return fleet_picture(head, shown, rest, "Ctrl-C ends this view")

    watched = _Watched(client, lambda: [*chain.from_iterable(pages_of(client))])
    _show(watched, output, picture)


def watch_one(client: Client, name: str, output: str) -> None:
    """Show one container, and go on with what changes, until the operator ends."""

    def picture(watched: _Watched, height: int) -> Text:
        del height
        info = watched.infos.get(name)
        return Text(f"{name} is gone" if info is None else facts_text(info))

    watched = _Watched(client, lambda: [client.get("containers", name)], name)
    _show(watched, output, picture)


@attrs.define
class _Watched:
    """Containers as the stream has last told of them."""

    _client: Client
    _read: Callable[[], list[Info]]
    _name: str | None = None
    infos: dict[str, Info] = attrs.field(factory=dict)
    seq: int = 0

    def changes(self) -> Iterator[list[str]]:
        """Yield the names that have changed; none where only time has passed.

        What is there is read behind the stream's first message: nothing that happens
        between is missed. It is read anew where the stream has left rows out.
        """
        query: dict[str, Any] = {"follow": "true", "with": "containers"}
        query["heartbeat_ms"] = BEAT_MS
        if self._name is not None:
            query["name"] = self._name
        for message in self._client.lines("events", **query):
            self.seq = message.get("seq", self.seq)
            match message["kind"]:
                case "hello" | "gap":
                    now = {info["name"]: info for info in self._read()}
                    gone = [name for name in self.infos if name not in now]
                    self.infos = now
                    yield [*sorted(now), *gone]
                case "event":
                    yield self._taken(message)
                case _:
                    yield []

    def _taken(self, message: Info) -> list[str]:
        for info in message["containers"]:
            self.infos[info["name"]] = info
        for name in message["gone"]:
            self.infos.pop(name, None)
        return [*(info["name"] for info in message["containers"]), *message["gone"]]


def _show(
    watched: _Watched, output: str, picture: Callable[[_Watched, int], RenderableType]
) -> None:
    if output in {"table", "wide"} and sys.stdout.isatty():
        _draw(watched, picture)
    else:
        _tell(watched, output)


def _draw(
    watched: _Watched, picture: Callable[[_Watched, int], RenderableType]
) -> None:
    """Draw what there is, at most a few times a second, and when a second has passed.

    The last of many changes is drawn with the next heartbeat.
    """
    screen = console()
    drawn = 0.0
    with Live(console=screen, auto_refresh=False) as live:
        for names in watched.changes():
            if not names or time.monotonic() - drawn > REST_S:
                live.update(picture(watched, screen.height), refresh=True)
                drawn = time.monotonic()


def _tell(watched: _Watched, output: str) -> None:
    """Print each change: what only looks older is none."""
    told: dict[str, Any] = {}
    for names in watched.changes():
        for name in names:
            info = watched.infos.get(name)
            now = info and [info[key] for key in ("phase", "ready", "run", "why")]
            if told.get(name) == now:
                continue
            told[name] = now
            _print(name, info, output)


def _print(name: str, info: Info | None, output: str) -> None:
    if output in TREES:
        show_record(info or {"name": name, "gone": True}, output)
    elif output == "name":
        click.echo(cleaned(name))
    else:
        click.echo(change_line(name, info))
    sys.stdout.flush()


def change_line(name: str, info: Info | None) -> str:
    """Write what a container has become, as of now; None: it is gone."""
    said = "forgotten"
    if info is not None:
        ready = " (ready)" if info["ready"] else ""
        said = f"{info['phase']:<14} run {info['run']}{ready}: {info['why']}"
    return cleaned(f"{clock_time(now_ms())}  {name:<16} {said}")
