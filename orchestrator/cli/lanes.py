"""A rehearsal as a drawing: a lane for each container, what it was as bars.

Where services were rolled out, each rollout has a panel of its own first
(``cli.rollout_svg``). Above the lanes stands what befell the fleet: storms and a full
disk as bars, kills, rollouts and set clocks as marks. Below a lane's bar a tick is a
start, above it a triangle is a crash; where there are many containers the lanes are
low, and the marks are left to the pointer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import attrs

from orchestrator.cli.plain import counted
from orchestrator.cli.rehearsed import availability, clock
from orchestrator.cli.rollout_svg import panels, rollouts_in_words
from orchestrator.cli.svg import (
    Anchor,
    Box,
    Scale,
    Tone,
    axis,
    bar,
    circle,
    document,
    group,
    legend,
    line,
    rect,
    text,
    text_width,
)
from orchestrator.core.moments import Moment, format_duration
from orchestrator.simulation.chronicle import Lane, Look
from orchestrator.simulation.plans import Stretch
from orchestrator.simulation.rehearsals import Rehearsal

__all__ = ("drawing_of",)

WIDTH: Final = 1_000.0
MARGIN: Final = 20.0
NUMBERS: Final = 66.0
"""Room for the availability, to the right of a lane."""

NAME_MOST: Final = 26
"""Letters of a name that are shown."""

ROOMY: Final = 30
"""Up to so many containers lanes are high, and have marks."""

_TONES: Final[dict[Look, tuple[Tone, str]]] = {
    Look.READY: (Tone.GOOD, "ready"),
    Look.UNDER_WAY: (Tone.BUSY, "starting, stopping, not ready"),
    Look.WAITING: (Tone.WAIT, "backing off"),
    Look.CRASH_LOOPING: (Tone.LOOP, "crash-looping"),
    Look.FAILED: (Tone.BAD, "failed"),
    Look.AT_REST: (Tone.REST, "at rest, completed, asleep"),
    Look.UNKNOWN: (Tone.UNKNOWN, "out of sight"),
}


@attrs.frozen(kw_only=True)
class _Plan:
    """Where things stand."""

    scale: Scale
    top: float
    pitch: float
    height: float
    is_roomy: bool


def drawing_of(shown: Rehearsal) -> str:
    """Draw a rehearsal as SVG, 1000 pixels wide."""
    wish = shown.wish
    is_roomy = len(shown.lanes) <= ROOMY
    names = max((_name_width(lane.name) for lane in shown.lanes), default=0.0)
    left = MARGIN + max(60.0, names) + 10
    scale = Scale(begin=0, end=wish.span_ms, left=left, right=WIDTH - MARGIN - NUMBERS)
    entries = [_TONES[look] for look in _TONES if look in _seen(shown)]
    words, legend_height = legend(entries, MARGIN, 70, WIDTH - 2 * MARGIN)
    events_top = 70 + legend_height + 16
    plan = _Plan(
        scale=scale,
        top=events_top + 44,
        pitch=30.0 if is_roomy else 14.0,
        height=16.0 if is_roomy else 10.0,
        is_roomy=is_roomy,
    )
    bottom = plan.top + plan.pitch * len(shown.lanes) + 6
    lanes = (
        *words,
        *axis(scale, bottom, top=events_top),
        *_troubles(shown, plan, events_top),
        *_healing(shown, plan, events_top, bottom),
        *(_lane(lane, shown, plan, n) for n, lane in enumerate(shown.lanes)),
    )
    rollouts, down = panels(shown.rollouts, wish.span_ms, 66)
    return document(
        (*_title(shown), *rollouts, group(lanes, down=down)),
        width=WIDTH,
        height=down + bottom + 34,
        title=f"Simulation of fleet {wish.fleet.name}",
        about=f"{_in_words(shown)} {rollouts_in_words(shown.rollouts)}".rstrip(),
    )


def _name_width(name: str) -> float:
    return text_width(_shortened(name))


def _shortened(name: str) -> str:
    return name if len(name) <= NAME_MOST else f"{name[: NAME_MOST - 1]}…"


def _seen(shown: Rehearsal) -> set[Look]:
    return {look for lane in shown.lanes for look in lane.looks()}


def _title(shown: Rehearsal) -> Iterator[str]:
    wish = shown.wish
    name, span = wish.fleet.name, format_duration(wish.span_ms)
    yield text(MARGIN, 30, f"Fleet {name}: {span} of virtual time", kind="title")
    count = counted(len(wish.fleet.containers), "container")
    facts = f"{count}, faults {wish.profile}, seed {wish.seed}"
    violated = f", {len(shown.violated)} invariants violated" if shown.violated else ""
    yield text(MARGIN, 50, f"{facts}; {_outcome(shown)}{violated}", kind="faint")


def _outcome(shown: Rehearsal) -> str:
    if shown.converged and shown.settled_ms is not None:
        return f"settled {format_duration(shown.settled_ms)} after the faults"
    if shown.converged is False:
        return "did not settle in time"
    return "too short to tell whether it settles"


def _in_words(shown: Rehearsal) -> str:
    lanes = (
        f"{lane.name} was ready {_share(lane)} of the time that it was wanted"
        f" and crashed {lane.uptime.crashes} times"
        for lane in shown.lanes
    )
    return f"{_outcome(shown)}. {'; '.join(lanes)}."


def _share(lane: Lane) -> str:
    share = availability(lane)
    return "-" if share is None else f"{100 * share:.1f} %"


# What befell the fleet


def _troubles(shown: Rehearsal, plan: _Plan, top: float) -> Iterator[str]:
    label = plan.scale.left - 10
    yield text(label, top + 12, "faults", kind="faint", anchor=Anchor.END)
    whole = Box(plan.scale.left, top, plan.scale.right - plan.scale.left, 30)
    yield rect(whole, kind="panel")
    storms = shown.plan.capacity_storms
    yield from _stretches(storms, "no capacity", Tone.WAIT, plan, top + 2)
    full = shown.plan.journal_down
    yield from _stretches(
        full, "the journal cannot be written", Tone.BAD, plan, top + 2
    )
    for x, labels in _gathered(shown.troubles, plan.scale):
        yield line((x, top + 17), (x, top + 28), kind="strong")
        yield circle(x, top + 17, 2.5, about=labels)


def _stretches(
    stretches: tuple[Stretch, ...], what: str, tone: Tone, plan: _Plan, top: float
) -> Iterator[str]:
    for stretch in stretches:
        begin, end = plan.scale.x(stretch.begins), plan.scale.x(stretch.ends)
        span = format_duration(stretch.ends - stretch.begins)
        about = f"{what} from {clock(stretch.begins)}, for {span}"
        yield bar(Box(begin, top, max(2.0, end - begin), 10), tone, about=about)


def _gathered(
    troubles: Iterable[tuple[Moment, str]], scale: Scale
) -> Iterator[tuple[float, str]]:
    """Put marks that would stand on one another into one."""
    places: dict[int, list[str]] = {}
    for at, what in troubles:
        place = round(scale.x(at) / 6)
        places.setdefault(place, []).append(f"{clock(at)} {what}")
    for place, labels in sorted(places.items()):
        more = f" and {len(labels) - 5} more" if len(labels) > 5 else ""  # noqa: PLR2004 - lines
        yield 6.0 * place, "; ".join(labels[:5]) + more


def _healing(shown: Rehearsal, plan: _Plan, top: float, bottom: float) -> Iterator[str]:
    x = plan.scale.x(shown.healed_at)
    yield line((x, top - 4), (x, bottom), kind="dashed")
    yield text(x + 4, top - 6, "all heals", kind="faint")


# Lanes


def _lane(lane: Lane, shown: Rehearsal, plan: _Plan, number: int) -> str:
    top = plan.top + plan.pitch * number
    share = _share(lane)
    baseline = top + plan.height / 2 + 4
    right = plan.scale.right + 8
    pieces = [
        text(plan.scale.left - 10, baseline, _shortened(lane.name), anchor=Anchor.END),
        text(right, baseline, share, kind="faint"),
        *_bars(lane, shown, plan, top),
    ]
    if plan.is_roomy:
        pieces += _marks(lane, shown, plan, top)
    kind = shown.characters.get(lane.name, "unknown")
    label = f"{lane.name}, {kind}: ready {share}, {lane.uptime.crashes} crashes"
    return group(pieces, label=label)


def _bars(lane: Lane, shown: Rehearsal, plan: _Plan, top: float) -> Iterator[str]:
    looks = lane.looks()
    begin = 0
    while begin < len(looks):
        end = begin
        while end < len(looks) and looks[end] is looks[begin]:
            end += 1
        entry = _TONES.get(looks[begin])
        since, until = begin * shown.column_ms, end * shown.column_ms
        left, right = plan.scale.x(since), plan.scale.x(until)
        if entry is not None and right > left:
            tone, words = entry
            span = format_duration(min(until, shown.wish.span_ms) - since)
            about = f"{lane.name}: {words} from {clock(since)}, for {span}"
            box = Box(left, top, right - left, plan.height)
            yield bar(box, tone, about=about, radius=0)
        begin = end


def _marks(lane: Lane, shown: Rehearsal, plan: _Plan, top: float) -> Iterator[str]:
    for column, count in lane.started_in.items():
        x = plan.scale.x(column * shown.column_ms)
        below = top + plan.height
        yield line((x, below + 1), (x, below + (4 if count == 1 else 7)), kind="mark")
    for column, count in lane.crashed_in.items():
        x = plan.scale.x(column * shown.column_ms)
        about = f"{lane.name}: {count} crashes at {clock(column * shown.column_ms)}"
        yield circle(x, top - 4, 2 if count == 1 else 3, about=about)
