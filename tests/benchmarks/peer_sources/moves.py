"""What each event does to a container: the table that a library of others is given.

A row says from which phases to which, if all guards say so, after the actions; the
first row that fits is taken. An adapter hands the rows and a ``Unit`` to its library,
which finds the row, asks the guards and changes the phase. ``move`` is the least that
does the same by hand.
"""

from __future__ import annotations

from typing import Final

import attrs

from tests.benchmarks.peer_sources.units import PHASES, Tree, Unit

__all__ = ("KINDS", "MOVES", "Move", "move")

ALIVE: Final = ("starting", "running", "stopping")
BUSY: Final = ("starting", "running")
WAITING: Final = ("pending", "completed", "backing_off", "crash_looping")


@attrs.frozen
class Move:
    """A row; *to* is None where the phase stays."""

    kind: str
    sources: tuple[str, ...]
    to: str | None
    guards: tuple[str, ...] = ()
    actions: tuple[str, ...] = ()


def _run(kind: str, source: str, to: str | None, guard: str, *actions: str) -> Move:
    """Return a row for news of a run, which must be the container's own."""
    guards = ("is_its_run", guard) if guard else ("is_its_run",)
    return Move(kind, (source,), to, guards, actions)


def _ends() -> tuple[Move, ...]:
    """Return what may follow the end of a run, from whatever it was in."""
    answers = (
        ("stopped", "is_unwanted", ()),
        ("pending", "is_as_told", ()),
        ("completed", "is_done", ()),
        ("backing_off", "is_clean", ("rest_between",)),
        ("crash_looping", "is_looping", ("cool_down",)),
        ("backing_off", "", ("back_off",)),
    )
    return tuple(
        _run("container_ended", source, to, guard, "conclude", *actions)
        for source in ALIVE
        for to, guard, actions in answers
    )


MOVES: Final = (
    Move("turn_reached", ("pending",), "starting", (), ("begin",)),
    Move("time_reached", ("starting",), "stopping", ("is_late",), ("stop_late",)),
    Move("time_reached", ("starting",), None, ("is_asked_again",), ("ask_again",)),
    Move("time_reached", ("running",), "stopping", ("is_never_ready",), ("stop_late",)),
    Move("time_reached", ("running",), None, ("is_forgiven",), ("forget",)),
    Move("time_reached", ("stopping",), None, ("is_insisted",), ("insist",)),
    Move("time_reached", ("backing_off",), "pending", ("is_over",), ("leave",)),
    Move("time_reached", ("crash_looping",), "pending", ("is_over",), ("leave",)),
    _run("container_started", "starting", "running", "", "run_on"),
    _run("container_ready", "starting", "running", "", "run_on", "listen"),
    _run("container_ready", "running", None, "", "listen"),
    *_ends(),
    _run("command_accepted", "starting", None, "is_of_start", "accept"),
    _run("command_accepted", "stopping", None, "is_of_stop", "accept"),
    _run("command_failed", "starting", None, "is_of_start", "ask_later"),
    _run("command_failed", "stopping", None, "is_of_stop", "look_later"),
    _run("health_changed", "running", "stopping", "fails_alive_again", "destroy_sick"),
    _run("health_changed", "running", "stopping", "fails_alive", "stop_sick"),
    _run("health_changed", "running", None, "is_readiness", "judge"),
    Move("start_requested", ("stopped",), "pending", (), ("want", "leave")),
    Move(
        "start_requested",
        ("stopping",),
        None,
        ("is_unwanted",),
        ("want", "end_as_told"),
    ),
    Move("stop_requested", BUSY, "stopping", (), ("let_go", "stop")),
    Move("stop_requested", ("stopping",), None, (), ("let_go", "end_as_told")),
    Move("stop_requested", WAITING, "stopped", (), ("let_go", "leave")),
    Move("restart_requested", BUSY, "stopping", (), ("want", "stop")),
    Move("restart_requested", ("stopping",), None, (), ("want", "end_as_told")),
    Move("restart_requested", ("stopped",), "pending", (), ("want", "leave")),
    Move(
        "crash_history_cleared",
        ("crash_looping",),
        "pending",
        ("is_wanted",),
        ("forget", "leave"),
    ),
    Move(
        "crash_history_cleared",
        tuple(phase for phase in PHASES if phase != "crash_looping"),
        None,
        (),
        ("forget",),
    ),
)

KINDS: Final = tuple(dict.fromkeys(each.kind for each in MOVES))


def _rows() -> dict[tuple[str, str], tuple[Move, ...]]:
    found: dict[tuple[str, str], list[Move]] = {}
    for each in MOVES:
        for source in each.sources:
            found.setdefault((each.kind, source), []).append(each)
    return {place: tuple(rows) for place, rows in found.items()}


ROWS: Final = _rows()


def move(unit: Unit, kind: str, told: Tree) -> None:
    """Take the first row that fits; an event that none fits changes nothing."""
    for row in ROWS.get((kind, unit.phase), ()):
        if all(getattr(unit, guard)(told) for guard in row.guards):
            for action in row.actions:
                getattr(unit, action)(told)
            unit.phase = row.to or unit.phase
            return
