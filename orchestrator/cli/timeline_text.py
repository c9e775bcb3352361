"""A timeline as text: container by container, or one stream in order of time.

Readable at 80 columns. Where the day changes, the day stands on a line of its own.
"""

from __future__ import annotations

import textwrap
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Final, TypeAlias

from orchestrator.cli.timeline_words import (
    phase_words,
    plain,
    sentences,
    was_already,
)
from orchestrator.cli.times_of_day import clock_of, date_of, day_of
from orchestrator.core.moments import Moment, format_duration
from orchestrator.core.uptimes import Totals
from orchestrator.replay.timelines.happenings import (
    Closed,
    Entered,
    Happening,
    Opened,
)
from orchestrator.replay.timelines.recording import Recorder
from orchestrator.replay.timelines.stretches import Course, Timeline

__all__ = ("by_container", "by_time", "differing_note")

WIDTH: Final = 80

Row: TypeAlias = tuple[str, int | None, Moment, tuple[Happening, ...]]
"""Name, row, moment, items: what a row was to a container, or to the fleet ("")."""


def by_time(items: Iterable[Happening]) -> Iterator[str]:
    """Yield lines in order of time, as the items come; none is kept."""
    day = ""
    count = 0
    for name, seq, at, row in _rows(items):
        told = _sentences(row)
        if not told:
            continue
        if day_of(at) != day:
            yield from _day(day, at)
            day = day_of(at)
        count += 1
        who = f"{plain(name)}: " if name else "fleet: "
        yield from _lines(at, seq, who + "; ".join(told))
    if not count:
        yield "nothing happened"


def by_container(items: Iterable[Happening], limit: int) -> Iterator[str]:
    """Yield the lines of the fleet, then those of each container by name.

    Of each its newest *limit* rows; what was left out is said.
    """
    recorder = Recorder(limit=1)
    rows: dict[str, deque[Row]] = {}
    counts: dict[str, int] = {}
    for row in _rows(_both(items, recorder)):
        name = row[0]
        rows.setdefault(name, deque(maxlen=limit)).append(row)
        counts[name] = counts.get(name, 0) + 1
    told = recorder.timeline()
    yield from _head(told)
    if "" in rows:
        yield ""
        yield "the fleet"
        yield from _part(rows[""], counts[""])
    for course in told.courses:
        yield ""
        yield from _course(course)
        yield from _part(rows[course.name], counts[course.name])


def differing_note(closed: Timeline | Closed) -> str | None:
    """Say that today's code decides otherwise than the journal holds, if it does."""
    if not closed.differing:
        return None
    many = "1 row holds" if closed.differing == 1 else f"{closed.differing} rows hold"
    return (
        f"{many} other commands than today's code decides (the first is row"
        f" {closed.first_differing}); shown is what today's code makes of the events"
    )


def _both(items: Iterable[Happening], recorder: Recorder) -> Iterator[Happening]:
    for item in items:
        recorder.take(item)
        yield item


def _rows(items: Iterable[Happening]) -> Iterator[Row]:
    """Gather the items of a row that concern the same container."""
    for (name, seq, at), group in groupby(items, _key):
        row = tuple(group)
        if not isinstance(row[0], Opened | Closed):
            yield name, seq, at, row


def _key(item: Happening) -> tuple[str, int | None, Moment]:
    return getattr(item, "name", ""), item.seq, item.at


def _sentences(row: tuple[Happening, ...]) -> list[str]:
    last = row[-1]
    if isinstance(last, Entered) and last.seq is None:
        return [was_already(last)]
    return sentences(row)


def _head(told: Timeline) -> Iterator[str]:
    span = format_duration(told.end - told.begin)
    begin = f"{date_of(told.begin)} {clock_of(told.begin)}"
    end = f"{date_of(told.end)} {clock_of(told.end)}"
    rows = f"rows {told.after_seq + 1} to {told.seq}"
    if told.seq == told.after_seq:
        rows = "no row"
    yield f"{rows}, from {begin} to {end}: {span}"


def _course(course: Course) -> Iterator[str]:
    yield plain(course.name)
    lines = (_availability(course.totals), _phases(course.totals))
    for line in lines if course.totals.phase_ms else ():
        yield from textwrap.wrap(
            line, WIDTH, initial_indent="  ", subsequent_indent="    "
        )


def _availability(totals: Totals) -> str:
    counts = (
        f"{_many(totals.starts, 'start')}, {_many(totals.restarts, 'restart')},"
        f" {_many(totals.crashes, 'crash', 'crashes')}"
    )
    share = totals.availability
    if share is None:
        return f"never wanted; {counts}"
    wanted = format_duration(totals.wanted_ms)
    down = format_duration(totals.down_ms)
    return f"ready {100 * share:.2f} % of {wanted} wanted, down {down}; {counts}"


def _many(count: int, one: str, more: str = "") -> str:
    return f"{count} {one if count == 1 else more or f'{one}s'}"


def _phases(totals: Totals) -> str:
    longest = sorted(totals.phase_ms.items(), key=lambda each: (-each[1], each[0]))
    return ", ".join(
        f"{phase_words(phase)} {format_duration(time)}" for phase, time in longest
    )


def _part(rows: Iterable[Row], count: int) -> Iterator[str]:
    """Yield the rows of the fleet or of one container."""
    kept = tuple(rows)
    if count > len(kept):
        yield f"  ({count - len(kept)} rows before these are left out; see --limit)"
    day = ""
    for _, seq, at, row in kept:
        told = _sentences(row)
        if told and day_of(at) != day:
            yield from _day(day, at)
            day = day_of(at)
        if told:
            yield from _lines(at, seq, "; ".join(told))


def _day(before: str, at: Moment) -> Iterator[str]:
    if before:
        yield ""
    yield f"  {day_of(at)}"


def _lines(at: Moment, seq: int | None, words: str) -> Iterator[str]:
    place = "" if seq is None else f"#{seq}"
    head = f"  {clock_of(at)} {place:<6} "
    indent = " " * len(head)
    yield from textwrap.wrap(
        words,
        max(WIDTH, len(head) + 20),
        initial_indent=head,
        subsequent_indent=indent,
        break_on_hyphens=False,
    )
