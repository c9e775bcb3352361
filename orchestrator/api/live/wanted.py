"""What a reader of live events asks for: from where, about what, in which form."""

from __future__ import annotations

from typing import Final, get_args

import attrs
from aiohttp import web

from orchestrator.api.live.frames import Form
from orchestrator.api.moments import NUMBER_MAX
from orchestrator.codec.converter import tag_of
from orchestrator.codec.problems import invalid
from orchestrator.core.errors import InvalidSpec
from orchestrator.core.events import Event
from orchestrator.core.moments import Millis

__all__ = ("HEARTBEAT_MS", "TAGS", "Wanted", "wanted_of")

HEARTBEAT_MS: Final[tuple[Millis, Millis, Millis]] = (1_000, 15_000, 60_000)
"""How long a stream is silent: at least, by default, at most."""

TAGS: Final[dict[str, type[Event]]] = {
    tag_of(kind): kind for kind in get_args(Event) if isinstance(kind, type)
}
"""What ``type=`` may name."""


@attrs.frozen(kw_only=True)
class Wanted:
    """What a reader asks for; no names and no kinds are all of them.

    ``after``: the row behind which it begins, None: from now on.
    """

    form: Form = Form.SSE
    after: int | None = None
    names: frozenset[str] = frozenset()
    kinds: frozenset[type] = frozenset()
    containers: bool = False
    heartbeat_ms: Millis = HEARTBEAT_MS[1]


def wanted_of(request: web.Request) -> Wanted | InvalidSpec:
    """Read what a request asks for."""
    after = _after(request)
    if isinstance(after, InvalidSpec):
        return after
    tags = _words(request, "type")
    for tag in tags:
        if tag not in TAGS:
            return invalid("query.type", f"any of {', '.join(sorted(TAGS))}", tag)
    added = _words(request, "with")
    for word in added:
        if word != "containers":
            return invalid("query.with", "containers", word)
    least, usual, most = HEARTBEAT_MS
    text = request.query.get("heartbeat_ms", str(usual))
    heartbeat_ms = _number(text)
    if heartbeat_ms is None or not least <= heartbeat_ms <= most:
        expected = f"milliseconds from {least} to {most}"
        return invalid("query.heartbeat_ms", expected, text)
    return Wanted(
        form=_form(request),
        after=after,
        names=frozenset(_words(request, "name")),
        kinds=frozenset(TAGS[tag] for tag in tags),
        containers=bool(added),
        heartbeat_ms=heartbeat_ms,
    )


def _form(request: web.Request) -> Form:
    """Return the form; NDJSON, unless server-sent events are named."""
    accepted = request.headers.get("Accept", "")
    return Form.SSE if Form.SSE.value in accepted else Form.NDJSON


def _after(request: web.Request) -> int | InvalidSpec | None:
    """Return where to begin: a reader that comes again says what it has seen."""
    seen = request.headers.get("Last-Event-ID")
    place = "query.after" if seen is None else "header Last-Event-ID"
    text = request.query.get("after") if seen is None else seen
    if text is None or not text:
        return None
    number = _number(text)
    if number is None:
        return invalid(place, f"the number of a row, from 0 to {NUMBER_MAX}", text)
    return number


def _number(text: str) -> int | None:
    if text.isascii() and text.isdigit() and len(text) <= len(str(NUMBER_MAX)):
        number = int(text)
        return number if number <= NUMBER_MAX else None
    return None


def _words(request: web.Request, key: str) -> tuple[str, ...]:
    """Return words that stand between commas; a parameter may come more than once."""
    texts = request.query.getall(key, [])
    return tuple(word for text in texts for word in text.split(",") if word)
