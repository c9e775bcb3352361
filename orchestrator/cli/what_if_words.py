"""The answer to "what if" in words and numbers: text for people, a tree for programs.

Containers that part from the record are shown each, the others are only named; those
that are asked for by name are always shown. What is assumed is always told.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator
from typing import Any, Final

from orchestrator.cli.plain import counted
from orchestrator.cli.readings import iso_time
from orchestrator.cli.timeline_words import plain
from orchestrator.cli.times_of_day import clock_of, day_of
from orchestrator.core.moments import Millis, Moment, format_duration
from orchestrator.core.phases import (
    PHASE_NAMES,
    BackingOff,
    CrashLooping,
    phase_name,
)
from orchestrator.core.state import Container
from orchestrator.core.uptimes import Totals
from orchestrator.replay.imagined.assumptions import ALWAYS
from orchestrator.replay.imagined.beats import Parted
from orchestrator.replay.imagined.imagining import Compared, Side, WhatIf

__all__ = ("headline", "parted_words", "share", "text_of", "tree_of_answer")

WIDTH: Final = 96
NAMED_MOST: Final = 12
"""Containers that go as recorded and are named."""

SECOND: Final[Millis] = 1_000
MINUTE: Final[Millis] = 60_000

HEADS: Final = ("", "RECORDED", "WHAT IF", "DIFFERENCE")

COUNTS: Final = ("starts", "restarts", "crashes")


def share(availability: float | None) -> str:
    """Write an availability.

    >>> share(0.5), share(None)
    ('50.00 %', '-')

    """
    return "-" if availability is None else f"{100 * availability:.2f} %"


# Text


def text_of(answer: WhatIf, names: tuple[str, ...] = ()) -> str:
    """Write an answer for people; *names* are the containers to show."""
    shown = _shown(answer, names)
    rest = [one for one in answer.containers if one not in shown]
    parts = [[headline(answer)], *(_block(one) for one in shown)]
    if not names:
        parts += [_as_recorded(rest)] if rest else []
        parts.append(["in total", *_table(_total_rows(answer))])
    parts.append(_assumed(answer))
    return "\n\n".join("\n".join(part) for part in parts) + "\n"


def _shown(answer: WhatIf, names: tuple[str, ...]) -> list[Compared]:
    return [
        one
        for one in answer.containers
        if (one.name in names if names else one.parted is not None)
    ]


def headline(answer: WhatIf) -> str:
    """Say how much was looked at, and of which time."""
    span = format_duration(max(0, answer.ends - answer.begins))
    begins = f"{day_of(answer.begins)} {clock_of(answer.begins)}"
    return f"{counted(answer.rows, 'row')}, from {begins} for {span}"


def _as_recorded(rest: list[Compared]) -> list[str]:
    names = [plain(one.name) for one in rest[:NAMED_MOST]]
    more = len(rest) - len(names)
    listed = ", ".join(names) + (f" and {more} more" if more else "")
    return _wrapped(f"as recorded: {listed}")


def _block(one: Compared) -> list[str]:
    title = f"{plain(one.name)}: {parted_words(one.parted)}"
    return [*_wrapped(title), *_table(_rows(one))]


def parted_words(parted: Parted | None) -> str:
    """Say where a container parts from the record, and how."""
    if parted is None:
        return "as recorded"
    was, would = _state(parted.recorded), _state(parted.imagined)
    instead = (
        f"{would} instead of {was}" if was != would else f"{would}, in another way"
    )
    return (
        f"parts from the record at row {parted.seq}, {clock_of(parted.at)}: {instead}"
    )


def _state(container: Container | None) -> str:
    if container is None:
        return "not there"
    name = phase_name(container.phase)
    match container.phase:
        case BackingOff(until=until) | CrashLooping(until=int(until)):
            return f"{name} until {clock_of(until)}"
        case _:
            return name


def _rows(one: Compared) -> Iterator[tuple[str, ...]]:
    was, would = one.recorded, one.imagined
    yield from _sums(was.totals, would.totals)
    yield ("at the end", was.phase or "not there", would.phase or "not there", "")
    if was.gave_up_at is not None or would.gave_up_at is not None:
        yield ("gave up at", _moment(was.gave_up_at), _moment(would.gave_up_at), "")


def _total_rows(answer: WhatIf) -> Iterator[tuple[str, ...]]:
    yield from _sums(answer.recorded, answer.imagined)
    was = sum(one.recorded.gave_up_at is not None for one in answer.containers)
    would = sum(one.imagined.gave_up_at is not None for one in answer.containers)
    yield ("given up", str(was), str(would), _signed(would - was))


def _sums(was: Totals, would: Totals) -> Iterator[tuple[str, ...]]:
    for what in COUNTS:
        one, other = getattr(was, what), getattr(would, what)
        yield (what, str(one), str(other), _signed(other - one))
    more = _points(was.availability, would.availability)
    yield ("available", share(was.availability), share(would.availability), more)
    yield _durations("down", was.down_ms, would.down_ms)
    there = {*was.phase_ms, *would.phase_ms}
    for phase in (name for name in PHASE_NAMES.values() if name in there):
        one, other = was.phase_ms.get(phase) or 0, would.phase_ms.get(phase) or 0
        yield _durations(phase.replace("_", " "), one, other)


def _durations(what: str, was: Millis, would: Millis) -> tuple[str, ...]:
    more = would - was
    sign = "+" if more > 0 else "-"
    changed = f"{sign}{_span(abs(more))}" if more else "0"
    return (what, _span(was), _span(would), changed)


def _span(duration: Millis) -> str:
    """Write a duration, long ones without what nobody looks at.

    >>> _span(12_859), _span(5_332_000), _span(62)
    ('12.9s', '1h28m52s', '62ms')

    """
    if duration < SECOND:
        return f"{duration}ms" if duration else "0s"
    if duration < MINUTE:
        return f"{duration / SECOND:.1f}s"
    minutes, seconds = divmod(duration // SECOND, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = ((days, "d"), (hours, "h"), (minutes, "m"), (seconds, "s"))
    return "".join(f"{number}{unit}" for number, unit in parts if number)


def _signed(number: int) -> str:
    return f"{number:+}" if number else "0"


def _points(was: float | None, would: float | None) -> str:
    if was is None or would is None:
        return ""
    points = f"{100 * (would - was):+.2f}"
    return "0" if float(points) == 0 else points


def _moment(at: Moment | None) -> str:
    return "-" if at is None else clock_of(at)


def _table(rows: Iterable[tuple[str, ...]]) -> list[str]:
    cells = [HEADS, *rows]
    wide = [max(len(row[place]) for row in cells) for place in range(len(HEADS))]
    lines: list[str] = []
    for first, *numbers in cells:
        line = f"  {first:<{wide[0]}}"
        for place, number in enumerate(numbers, 1):
            line += f"   {number:>{wide[place]}}"
        lines.append(line.rstrip())
    return lines


def _assumed(answer: WhatIf) -> list[str]:
    lines = ["assumed"]
    for text in (*ALWAYS, *(one.text for one in answer.assumptions)):
        lines += _wrapped(f"  - {plain(text)}", indent="    ")
    return lines


def _wrapped(text: str, indent: str = "    ") -> list[str]:
    return textwrap.wrap(text, WIDTH, subsequent_indent=indent, break_long_words=False)


# JSON


def tree_of_answer(answer: WhatIf, names: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return an answer as a tree for programs; all containers, or those *named*."""
    return {
        "rows": answer.rows,
        "begins_at": answer.begins,
        "begins": iso_time(answer.begins),
        "ends_at": answer.ends,
        "ends": iso_time(answer.ends),
        "containers": [
            _tree(one) for one in answer.containers if not names or one.name in names
        ],
        "total": {
            "recorded": _totals(answer.recorded),
            "what_if": _totals(answer.imagined),
            "difference": _difference(answer.recorded, answer.imagined),
        },
        "assumptions": [
            *({"kind": "always", "text": text} for text in ALWAYS),
            *(
                {
                    "kind": str(one.kind),
                    "name": one.name or None,
                    "count": one.count,
                    "text": one.text,
                }
                for one in answer.assumptions
            ),
        ],
    }


def _tree(one: Compared) -> dict[str, Any]:
    parted = one.parted
    return {
        "name": one.name,
        "parted": None
        if parted is None
        else {
            "row": parted.seq,
            "at": parted.at,
            "recorded": _phase(parted.recorded),
            "what_if": _phase(parted.imagined),
        },
        "recorded": _side(one.recorded),
        "what_if": _side(one.imagined),
        "difference": _difference(one.recorded.totals, one.imagined.totals),
    }


def _phase(container: Container | None) -> str | None:
    return None if container is None else phase_name(container.phase)


def _side(side: Side) -> dict[str, Any]:
    ended = {"phase": side.phase, "gave_up_at": side.gave_up_at}
    return {**_totals(side.totals), **ended}


def _totals(totals: Totals) -> dict[str, Any]:
    known = totals.availability
    return {
        **{what: getattr(totals, what) for what in COUNTS},
        "wanted_ms": totals.wanted_ms,
        "ready_ms": totals.ready_ms,
        "down_ms": totals.down_ms,
        "availability": None if known is None else round(known, 6),
        "phase_ms": dict(totals.phase_ms.items()),
    }


def _difference(was: Totals, would: Totals) -> dict[str, Any]:
    one, other = _totals(was), _totals(would)
    shares = (one["availability"], other["availability"])
    numbers = {
        key: other[key] - one[key]
        for key in one
        if key not in {"phase_ms", "availability"}
    }
    points = None if None in shares else round(shares[1] - shares[0], 6)
    phases = dict.fromkeys((*one["phase_ms"], *other["phase_ms"]))
    return {
        **numbers,
        "availability": points,
        "phase_ms": {
            phase: other["phase_ms"].get(phase, 0) - one["phase_ms"].get(phase, 0)
            for phase in phases
        },
    }
