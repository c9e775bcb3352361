"""Containers as they are answered, written once and kept as long as every word is so.

Most reads ask for a container that has not changed since it was asked for last; but for
how long it has been up, the answer is the same. What it depends on:

* the record of the container, which is a value: another one is another object;
* of the fleet, when it was observed and whether its platform fences. What does not run
  may wait for another container, and what is to stop for the last who depends on it:
  such a sheet is kept only until the next row;
* the moment, where it is told since when something cannot be seen, and as soon as a
  failure has left the window in which failures are counted.

The law: the bytes are those of the answer that is worked out anew.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import Any, Final, TypeAlias

import attrs
from returns.result import Result

from orchestrator.api.bodies import written
from orchestrator.codec.wire import tree_of
from orchestrator.core.errors import ContainerError
from orchestrator.core.histories import counted_failures
from orchestrator.core.moments import MOMENT_MAX, Moment
from orchestrator.core.phases import Running, Unknown
from orchestrator.core.state import Container, Fleet
from orchestrator.runtime.views import View

__all__ = ("KEPT_MAX", "Sheets")

KEPT_MAX: Final = 10_000
"""Sheets that are kept, of a kilobyte each; the oldest one goes when there are more."""

Look: TypeAlias = Callable[[View, str], Result[Any, ContainerError]]
"""Works out what a container is answered with, by its name."""

_UPTIME: Final = b'"uptime_ms":'
"""No text holds it: a quotation mark within one is written with a backslash."""


@attrs.frozen
class _Sheet:
    """What was written of a container, and when it is so.

    ``seq`` is the only row after which it is, None: any. It stands from ``begin`` and
    before ``until``; ``tail`` follows the uptime, counted from ``since``.
    """

    container: Container
    seq: int | None
    fleet: tuple[Any, ...]
    begin: Moment
    until: Moment
    head: bytes
    since: Moment | None
    tail: bytes

    def holds(self, view: View, container: Container) -> bool:
        """Say whether it is what a view shows of a container."""
        return (
            self.container is container
            and self.begin <= view.at < self.until
            and (self.seq is None or self.seq == view.seq)
            and self.fleet == _told_of(view.fleet)
        )

    def text(self, at: Moment) -> bytes:
        """Return the answer at a moment at which it holds."""
        if self.since is None:
            return self.head
        return b"%b%d%b" % (self.head, max(0, at - self.since), self.tail)


class Sheets:
    """The sheets of one fleet, for one kind of answer."""

    def __init__(self, look: Look) -> None:
        """Keep what *look* says."""
        self._look = look
        self._kept: dict[str, _Sheet] = {}

    def blank(self) -> Sheets:
        """Return sheets of the same kind, for another fleet: a past one."""
        return Sheets(self._look)

    def text(self, view: View, container: Container) -> bytes:
        """Return what is answered of a container of the view, as JSON."""
        return self._sheet(view, container, keep=True).text(view.at)

    def texts(self, view: View, containers: Collection[Container]) -> Iterator[bytes]:
        """Yield the same of each of them.

        Where there are more than can be kept, none is: to keep each of them for a
        moment would cost all that are asked for more often.
        """
        keep = len(containers) <= KEPT_MAX
        for container in containers:
            yield self._sheet(view, container, keep=keep).text(view.at)

    def _sheet(self, view: View, container: Container, *, keep: bool) -> _Sheet:
        sheet = self._kept.get(container.name)
        if sheet is not None and sheet.holds(view, container):
            return sheet
        found = self._look(view, container.name).unwrap()
        sheet = _written(view, container, written(tree_of(found)))
        if keep:
            _ = self._kept.pop(container.name, None)
            self._kept[container.name] = sheet
            if len(self._kept) > KEPT_MAX:
                del self._kept[next(iter(self._kept))]
        return sheet


def _written(view: View, container: Container, text: bytes) -> _Sheet:
    phase = container.phase
    head, mark, rest = text.partition(_UPTIME)
    since = phase.since if mark and isinstance(phase, Running) else None
    waits = not isinstance(phase, Running) or bool(container.stops_after)
    return _Sheet(
        container=container,
        seq=view.seq if waits else None,
        fleet=_told_of(view.fleet),
        begin=view.at,
        until=_until(container, view.at),
        head=b"%b" % text if since is None else head + mark,  # a copy of its own size
        since=since,
        tail=rest[rest.index(b",") :] if mark else b"",
    )


def _told_of(fleet: Fleet) -> tuple[Any, ...]:
    """Return what is told of the fleet with any container of it."""
    return fleet.observed_at, fleet.fences


def _until(container: Container, at: Moment) -> Moment:
    """Return the first moment at which time alone changes a word."""
    if isinstance(container.phase, Unknown):
        return at + 1
    policy = container.spec.restart
    counted = counted_failures(container.history, policy, at)
    return min(counted, default=MOMENT_MAX) + policy.crash.window_ms
