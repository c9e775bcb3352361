"""How a rehearsal is shown: plain text for people, JSON for programs.

The same rehearsal gives the same bytes: nothing here asks for the terminal, the
locale or the time.
"""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterable
from typing import Any, Final

import attrs

from orchestrator.cli.plain import counted
from orchestrator.cli.rehearsed_rollouts import changes_text, rollouts_text, trees_of
from orchestrator.core.moments import Moment, format_duration
from orchestrator.core.uptimes import sum_of
from orchestrator.simulation.chronicle import Lane
from orchestrator.simulation.plans import FaultPlan, Stretch
from orchestrator.simulation.profiles import PROFILES
from orchestrator.simulation.rehearsals import Rehearsal

__all__ = ("availability", "clock", "json_of", "text_of")

WIDTH: Final = 96

PHASES_SHOWN: Final = 4
"""Phases of a container in its row, the longest ones."""


def clock(at: Moment) -> str:
    """Write a moment of the run as hours, minutes and seconds since its begin.

    >>> clock(90_061_500)
    '25:01:01.5'

    """
    seconds, rest = divmod(at, 1_000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}.{rest // 100}"


def availability(lane: Lane) -> float | None:
    """Return the share of the time in which it was wanted and ready; None: never."""
    return lane.uptime.totals().availability


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.2f} %"


# Text


def text_of(shown: Rehearsal) -> str:
    """Write a rehearsal for people."""
    parts = (
        _head(shown),
        changes_text(shown, [clock(each.at) for each in shown.changed]),
        rollouts_text(shown),
        _timeline(shown),
        _containers(shown),
        _counts(shown),
        _invariants(shown),
        [_verdict(shown)],
    )
    return "\n\n".join("\n".join(part) for part in parts if part) + "\n"


def _head(shown: Rehearsal) -> list[str]:
    wish = shown.wish
    span, healed = format_duration(wish.span_ms), format_duration(shown.healed_at)
    count = counted(len(wish.fleet.containers), "container")
    kinds = Counter(str(kind) for kind in shown.characters.values())
    drawn = ", ".join(
        f"{number} {kind}"
        for kind, number in sorted(kinds.items(), key=lambda each: (-each[1], each[0]))
    )
    profile = f"{wish.profile} ({PROFILES[wish.profile].about})"
    lines = (
        f"fleet {wish.fleet.name!r}: {count}, {span}, seed {wish.seed}",
        f"profile: {profile}; all heals after {healed}",
        f"containers drawn: {drawn or 'none'}",
        f"faults drawn: {', '.join(_faults(shown.plan)) or 'none'}",
        f"not healed: {_doomed(shown)}",
    )
    return [_wrapped(text) for text in lines]


def _wrapped(text: str) -> str:
    return textwrap.fill(text, WIDTH, subsequent_indent="    ", break_long_words=False)


def _faults(plan: FaultPlan) -> Iterable[str]:
    """Say what a plan breaks, and how often."""
    for field in attrs.fields(FaultPlan):
        value: Any = getattr(plan, field.name)
        words = field.name.removesuffix("_every_ms").replace("_", " ")
        if field.name == "until" or not value:
            continue
        if isinstance(value, tuple):
            total = format_duration(sum(each.ends - each.begins for each in value))
            yield f"{len(value)} x {words} ({total})"
        elif field.name.endswith("_ms"):
            yield f"{words} every {format_duration(value)} or so"
        else:
            yield f"{words} {value / 10:g} %"


def _doomed(shown: Rehearsal) -> str:
    named = (f"{name} ({doom})" for name, doom in shown.doomed.items())
    return ", ".join(named) or "none"


def _timeline(shown: Rehearsal) -> list[str]:
    if not shown.timeline:
        return []
    wide = max(len(noted.about) for noted in shown.timeline)
    lines = [
        f"  {clock(noted.at)}  {noted.about or '-':<{wide}}  {noted.what}"
        for noted in shown.timeline
    ]
    more = f" ({shown.left_out} more moments)" if shown.left_out else ""
    return [f"timeline{more}", *lines]


def _containers(shown: Rehearsal) -> list[str]:
    rows = [
        ("container", "is", "available", "starts", "restarts", "crashes", "time in"),
        *(_row(shown, lane) for lane in shown.lanes),
    ]
    wide = [max(len(row[place]) for row in rows) for place in range(6)]
    lines: list[str] = []
    for row in rows:
        name, kind, *numbers, phases = row
        cells = [f"{name:<{wide[0]}}", f"{kind:<{wide[1]}}"]
        cells += [f"{cell:>{wide[2 + n]}}" for n, cell in enumerate(numbers)]
        lines.append("  " + "  ".join((*cells, phases)))
    share = _percent(sum_of(lane.uptime.totals() for lane in shown.lanes).availability)
    return [*lines, f"  all: ready {share} of the time that they were wanted"]


def _row(shown: Rehearsal, lane: Lane) -> tuple[str, ...]:
    longest = sorted(lane.uptime.phase_ms.items(), key=lambda each: (-each[1], each[0]))
    phases = ", ".join(
        f"{phase} {format_duration(time)}" for phase, time in longest[:PHASES_SHOWN]
    )
    return (
        lane.name,
        str(shown.characters.get(lane.name, "-")),
        _percent(availability(lane)),
        str(lane.uptime.starts),
        str(lane.uptime.restarts),
        str(lane.uptime.crashes),
        phases,
    )


def _counts(shown: Rehearsal) -> list[str]:
    events = ", ".join(f"{n} {kind}" for kind, n in shown.events.items())
    commands = ", ".join(f"{n} {kind}" for kind, n in shown.commands.items())
    stale = f", {shown.stale_orders} stale orders refused" if shown.stale_orders else ""
    return [
        _wrapped(f"{counted(shown.steps, 'event')}: {events}"),
        _wrapped(f"commands: {commands or 'none'}"),
        f"operators: {shown.boots}{stale}",
    ]


def _invariants(shown: Rehearsal) -> list[str]:
    lines = [f"  held      {name}" for name in shown.held]
    lines += [
        f"  VIOLATED  {each.name}: {each.about}, first at step {each.step}"
        f" ({clock(each.at)}), {each.count} times"
        for each in shown.violated
    ]
    return ["invariants", *lines]


def _verdict(shown: Rehearsal) -> str:
    bound = format_duration(shown.bound_ms)
    rest = "the rest" if shown.doomed else "the fleet"
    match shown.converged, shown.settled_ms:
        case True, int(took):
            after = format_duration(took)
            return f"converged: {rest} settled {after} after that (bound {bound})"
        case False, _:
            return f"NOT CONVERGED: {rest} was not settled within {bound}"
        case _:
            calm = format_duration(shown.wish.span_ms - shown.healed_at)
            return f"not told: {calm} were left after the faults, the bound is {bound}"


# JSON


def json_of(shown: Rehearsal) -> dict[str, Any]:
    """Return a rehearsal as a tree for programs."""
    wish = shown.wish
    plan = attrs.asdict(shown.plan, recurse=False)
    return {
        "fleet": wish.fleet.name,
        "seed": wish.seed,
        "profile": wish.profile,
        "span_ms": wish.span_ms,
        "healed_at": shown.healed_at,
        "faults": {name: _plain(value) for name, value in plan.items() if value},
        "not_healed": {name: str(doom) for name, doom in shown.doomed.items()},
        **trees_of(shown),
        "timeline": [attrs.asdict(noted) for noted in shown.timeline],
        "moments_left_out": shown.left_out,
        "containers": [_lane(shown, lane) for lane in shown.lanes],
        "events": shown.events,
        "commands": shown.commands,
        "operators": shown.boots,
        "stale_orders_refused": shown.stale_orders,
        "invariants_held": list(shown.held),
        "invariants_violated": [attrs.asdict(each) for each in shown.violated],
        "bound_ms": shown.bound_ms,
        "settled_ms": shown.settled_ms,
        "converged": shown.converged,
    }


def _plain(value: int | tuple[Stretch, ...]) -> Any:
    if isinstance(value, int):
        return value
    return [[stretch.begins, stretch.ends] for stretch in value]


def _lane(shown: Rehearsal, lane: Lane) -> dict[str, Any]:
    share = availability(lane)
    return {
        "name": lane.name,
        "behaves": str(shown.characters.get(lane.name, "")),
        "availability": None if share is None else round(share, 6),
        "wanted_ms": lane.uptime.wanted_ms,
        "ready_ms": lane.uptime.ready_ms,
        "starts": lane.uptime.starts,
        "restarts": lane.uptime.restarts,
        "crashes": lane.uptime.crashes,
        "phase_ms": dict(sorted(lane.uptime.phase_ms.items())),
    }
