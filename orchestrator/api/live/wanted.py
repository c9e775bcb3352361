"""What a reader of live events asks for: from where, about what, in which form."""

from __future__ import annotations

from typing import Final, get_args

import attrs

from orchestrator.api import parameters
from orchestrator.api.live.frames import Form
from orchestrator.api.queries import Asked
from orchestrator.codec.converter import tag_of
from orchestrator.core.events import Event
from orchestrator.core.moments import Millis

__all__ = ("TAGS", "Wanted", "wanted_of")

HEARTBEAT_MS: Final[Millis] = parameters.HEARTBEAT.default

TAGS: Final[dict[str, type[Event]]] = {
    tag_of(kind): kind for kind in get_args(Event) if isinstance(kind, type)
}
"""What ``type=`` may name."""


@attrs.frozen(kw_only=True, cache_hash=True)
class Wanted:
    """What a reader asks for; no names and no kinds are all of them.

    ``after``: the row behind which it begins, None: from now on. ``heartbeat_ms``: how
    long its stream is silent at most.
    """

    form: Form = Form.SSE
    after: int | None = None
    names: frozenset[str] = frozenset()
    kinds: frozenset[type] = frozenset()
    containers: bool = False
    heartbeat_ms: Millis = HEARTBEAT_MS

    def like(self) -> Wanted:
        """Return what is the same for all who want to see the same of each row."""
        return attrs.evolve(self, after=None, heartbeat_ms=HEARTBEAT_MS)


def wanted_of(query: Asked, accepted: str) -> Wanted:
    """Return what a request asks for: its query as the route reads it, its ``Accept``.

    A reader that comes again says what it has seen (``Last-Event-ID``). It is given
    NDJSON, unless it accepts server-sent events by name.
    """
    seen = query[parameters.LAST_EVENT.name]
    return Wanted(
        form=Form.SSE if Form.SSE.value in accepted else Form.NDJSON,
        after=query[parameters.AFTER.name] if seen is None else seen,
        names=frozenset(query[parameters.NAMES.name]),
        kinds=frozenset(TAGS[tag] for tag in query[parameters.TYPES.name]),
        containers=query[parameters.WITH.name] is not None,
        heartbeat_ms=query[parameters.HEARTBEAT.name],
    )
