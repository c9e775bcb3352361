"""Rows as readers are sent them: encoded once, whoever and however many read.

A row of the past and one of the present give the same bytes: containers are shown as
they are after the row, seen from the moment of the row.
"""

from __future__ import annotations

from typing import Final

import orjson

from orchestrator.api.live.frames import Form, framed
from orchestrator.api.live.wanted import Wanted
from orchestrator.codec.changes import read_changes
from orchestrator.codec.wire import encode_event, tree_of
from orchestrator.core.events import Event
from orchestrator.core.explain import container_info
from orchestrator.core.state import Fleet
from orchestrator.core.steps import Step
from orchestrator.journal.port import Row
from orchestrator.runtime.shown import shown_event

__all__ = ("Record", "is_broad", "record_of_row", "record_of_step")

BROAD: Final = 1_000
"""Containers of a row that are sent with it; more of them took a second to write down,
and who shows them is better told to read what he shows."""


class Record:
    """One row, ready to be sent; ``infos`` is None where nobody wanted them."""

    __slots__ = ("_frames", "_head", "infos", "kind", "names", "seq", "size")

    def __init__(
        self,
        seq: int,
        event: Event,
        names: frozenset[str],
        infos: tuple[tuple[str, bytes | None], ...] | None,
    ) -> None:
        """Encode a row; *infos* are the containers that it touched, None: gone."""
        self.seq = seq
        self.kind = type(event)
        self.names = names
        self.infos = infos
        text = encode_event(shown_event(event))
        self._head = b'{"seq":%d,"at":%d,"event":%b' % (seq, event.at, text)
        self._frames: dict[tuple[Form, bool], bytes] = {}
        self.size = len(self._head)
        self.size += sum(len(info or b"") for _, info in infos or ())

    def concerns(self, wanted: Wanted) -> bool:
        """Say whether a reader wants to see the row."""
        if wanted.kinds and self.kind not in wanted.kinds:
            return False
        return not wanted.names or not wanted.names.isdisjoint(self.names)

    def frame(self, wanted: Wanted) -> bytes:
        """Return the row as a reader wants it; kept for the next who wants the same."""
        if wanted.containers and wanted.names:
            return framed(wanted.form, "event", self.seq, self._body(wanted))
        key = (wanted.form, wanted.containers)
        frame = self._frames.get(key)
        if frame is None:
            frame = framed(wanted.form, "event", self.seq, self._body(wanted))
            self._frames[key] = frame
            self.size += len(frame)
        return frame

    def _body(self, wanted: Wanted) -> bytes:
        if not wanted.containers:
            return self._head + b"}"
        names = wanted.names
        shown = [pair for pair in self.infos or () if not names or pair[0] in names]
        infos = b",".join(info for _, info in shown if info is not None)
        gone = orjson.dumps([name for name, info in shown if info is None])
        return b'%b,"containers":[%b],"gone":%b}' % (self._head, infos, gone)


def record_of_step(seq: int, step: Step, *, containers: bool) -> Record:
    """Encode a step, with the containers that it touched if anybody wants them.

    Where these are very many the record has none.
    """
    infos = _infos(step.after, step) if containers and not is_broad(step) else None
    return Record(seq, step.event, _names(step.event, step.touched), infos)


def is_broad(step: Step) -> bool:
    """Say whether a step touched more containers than a row is sent with."""
    return len(step.touched) > BROAD


def record_of_row(row: Row, event: Event) -> Record:
    """Encode a row of the past; which names it touched stands in its changes."""
    changes = read_changes(row.changes) or {}
    return Record(row.seq, event, _names(event, tuple(changes)), None)


def _names(event: Event, touched: tuple[str, ...]) -> frozenset[str]:
    name = getattr(event, "name", None)
    return frozenset(touched if name is None else (*touched, name))


def _infos(fleet: Fleet, step: Step) -> tuple[tuple[str, bytes | None], ...]:
    return tuple((name, _info(fleet, name, step.event.at)) for name in step.touched)


def _info(fleet: Fleet, name: str, at: int) -> bytes | None:
    container = fleet.containers.get(name)
    if container is None:
        return None
    text = orjson.dumps(tree_of(container_info(fleet, container, at)))
    return b"%b" % text  # a copy, for the original occupies four kilobytes at least
