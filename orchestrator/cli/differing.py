"""How what differs is shown: fields before and after, rows, commands, whole fleets.

Names, reasons and values of a journal may hold anything: each line is cleaned.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from orchestrator.cli.plain import cleaned
from orchestrator.cli.readings import iso_time
from orchestrator.codec.wire import tree_of
from orchestrator.core.errors import Difference
from orchestrator.core.events import Event
from orchestrator.core.explain import why
from orchestrator.core.moments import format_duration
from orchestrator.core.state import Fleet
from orchestrator.replay.fleet_differences import FleetsDiffer

__all__ = (
    "command_lines",
    "difference_lines",
    "differences_json",
    "event_words",
    "fleets_json",
    "fleets_lines",
    "row_words",
)

NAMES_MAX: Final = 12
"""Names of one kind that are listed; the rest is counted."""

LINES_MAX: Final = 20
"""Fields of one thing that are shown to people; programs are told all of them."""

VALUE_MAX: Final = 60
"""Characters of a value that is shown to people."""

_MOMENTS: Final = ("at", "since", "until", "deadline", "not_before", "failures")
_TELLING: Final = ("phase.type", "phase.rule", "phase.until")
"""What is shown of a phase where it is another one: the rest is new by itself."""


def event_words(event: Event) -> str:
    """Write the kind of an event, and whom it is about.

    >>> from orchestrator.core.events import StopRequested
    >>> event_words(StopRequested(at=0, name="web-1"))
    'stop_requested web-1'

    """
    kind: str = tree_of(event)["type"]
    name = getattr(event, "name", None)
    return kind if name is None else cleaned(f"{kind} {name}")


def row_words(seq: int, event: Event) -> str:
    """Write which row it is, when it came, and what happened."""
    return f"row {seq}, {iso_time(event.at)}: {event_words(event)}"


def command_lines(commands: Iterable[Any]) -> Iterator[str]:
    """Yield commands, one a line."""
    for command in commands:
        tree = tree_of(command)
        words = [tree.pop("type"), *filter(None, [tree.pop("name", None)])]
        more = (f"{key}={value}" for key, value in tree.items())
        yield cleaned(" ".join([*words, *more]))


def difference_lines(found: Sequence[Difference]) -> Iterator[str]:
    """Yield the fields that differ, before and after, as people read them.

    What is new by itself with another phase is left out, as is when the record has
    changed; and what is too much to be read.
    """
    moved = any(one.place == "phase.type" for one in found)
    telling = [one for one in found if not _is_detail(one.place, moved=moved)]
    for one in telling[:LINES_MAX]:
        place = one.place
        was, now = (_readable(place, text) for text in (one.recorded, one.recomputed))
        yield cleaned(f"{place}: {was} -> {now}")
    if len(telling) > LINES_MAX:
        yield f"and {len(telling) - LINES_MAX} more (-o json shows all of them)"


def _is_detail(place: str, *, moved: bool) -> bool:
    is_new = moved and place.startswith("phase.") and place not in _TELLING
    return is_new or place == "changed_at"


def _readable(place: str, written: str) -> str:
    """Write a value without the signs of JSON, and a moment as a moment."""
    value = _value(written)
    name = place.rpartition(".")[2].partition("[")[0]
    if type(value) is int and (name in _MOMENTS or name.endswith("_at")):
        return iso_time(value)
    if type(value) is int and name.endswith("_ms"):
        return format_duration(value)
    text = value if isinstance(value, str) else written
    return text if len(text) <= VALUE_MAX else f"{text[: VALUE_MAX - 3]}..."


def _value(written: str) -> Any:
    """Return what a difference has written; one that was shortened stays a text."""
    try:
        return json.loads(written)
    except ValueError:
        return written


def differences_json(
    found: Iterable[Difference], names: tuple[str, str]
) -> list[dict[str, Any]]:
    """Return differences for programs; what is not there has no key."""
    return [
        {
            "place": one.place,
            **{
                name: _value(written)
                for name, written in zip(
                    names, (one.recorded, one.recomputed), strict=True
                )
                if written != "nothing"
            },
        }
        for one in found
    ]


def fleets_lines(found: FleetsDiffer, now: Fleet) -> Iterator[str]:
    """Yield how a fleet differs, *now* being the later one."""
    for word, names in (("came", found.came), ("gone", found.gone)):
        if names:
            listed = cleaned(", ".join(names[:NAMES_MAX]))
            more = len(names) - NAMES_MAX
            yield f"{word}: {listed}" + (f" and {more} more" if more > 0 else "")
    for one in found.changed:
        moved = one.was if one.was == one.now else f"{one.was} -> {one.now}"
        because = why(now.containers[one.name], now.at)
        yield cleaned(f"{one.name}: {moved}: {because}")
        lines = difference_lines(one.differences)
        yield from (f"  {line}" for line in lines if not line.startswith("phase.type"))
    if found.fields:
        yield "the fleet itself:"
        yield from (f"  {line}" for line in difference_lines(found.fields))


def fleets_json(found: FleetsDiffer, names: tuple[str, str]) -> dict[str, Any]:
    """Return how a fleet differs, for programs."""
    return {
        "came": list(found.came),
        "gone": list(found.gone),
        "containers": [
            {
                "name": one.name,
                "phase": dict(zip(names, (one.was, one.now), strict=True)),
                "differences": differences_json(one.differences, names),
            }
            for one in found.changed
        ],
        "fleet": differences_json(found.fields, names),
    }
