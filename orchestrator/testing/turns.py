"""What else happens in a scenario: whole turns, the owner's part, the operator's.

| word | what happens |
|---|---|
| ``comes_up`` | the newest run is accepted, started, ready: what is still missing |
| ``comes_down`` | a stop is accepted, and the run ends as it was asked to |
| ``asks`` | the owner makes a request, which may be refused |
| ``looks``, ``restarts_operator`` | a look ends, another operator takes over |
| ``late`` | news that were delayed, or are told again |
| ``happens`` | any event, as it stands |
"""

from __future__ import annotations

from orchestrator.core.events import (
    COMMAND_KINDS,
    Booted,
    CommandKind,
    Event,
    FleetObserved,
)
from orchestrator.core.exits import Stopped
from orchestrator.core.requests import Request
from orchestrator.core.state import RULES
from orchestrator.testing.acts import Act, accepts, acted, becomes_ready, ends, starts
from orchestrator.testing.ledger import RunFacts
from orchestrator.testing.tales import Tale

__all__ = (
    "asks",
    "comes_down",
    "comes_up",
    "happens",
    "late",
    "looks",
    "restarts_operator",
)


def comes_up(name: str) -> Act:
    """Have the newest run accepted, started and ready, as far as it is not yet."""

    def play(tale: Tale, is_late: bool) -> Tale:  # noqa: FBT001 - a callback
        if tale.ledger.waits_for(name, kind=CommandKind.START) is not None:
            tale = accepts(name, kind=CommandKind.START).play(tale, is_late)
        facts = _facts(tale, name)
        if not facts.started:
            tale = starts(name).play(tale, is_late)
        return becomes_ready(name).play(tale, is_late)

    return acted("comes_up", name, play=play)


def comes_down(name: str) -> Act:
    """Have the stop accepted, and end the run."""

    def play(tale: Tale, is_late: bool) -> Tale:  # noqa: FBT001 - a callback
        run = tale.container(name).run
        while (waits := tale.ledger.waits_for(name, run)) is not None:
            kind = COMMAND_KINDS[type(waits)]
            tale = accepts(name, run=waits.run, kind=kind).play(tale, is_late)
        return ends(name, Stopped()).play(tale, is_late)

    return acted("comes_down", name, play=play)


def _facts(tale: Tale, name: str) -> RunFacts:
    return tale.ledger.runs.get((name, tale.container(name).run)) or RunFacts()


def asks(request: Request) -> Act:
    """Have the owner make a request; ``refused`` says what it was answered."""
    return acted("asks", request, play=lambda tale, _: tale.asked(request))


def looks(*, complete: bool = True) -> Act:
    """End a look at the platform; what was not shown is as it is believed to be."""
    return acted(
        "looks",
        complete=complete or False,
        play=lambda tale, is_late: tale.happens(
            FleetObserved(at=tale.now, complete=complete), late=is_late
        ),
    )


def restarts_operator() -> Act:
    """Have another operator take over, with what the journal holds alone."""

    def play(tale: Tale, is_late: bool) -> Tale:  # noqa: FBT001 - a callback
        epoch = tale.fleet.epoch + 1
        booted = Booted(at=tale.now, epoch=epoch, rules=RULES, fences=tale.fleet.fences)
        return tale.happens(booted, late=is_late)

    return acted("restarts_operator", play=play)


def happens(event: Event) -> Act:
    """Let any event happen; its own moment counts."""
    return acted(
        "happens", event, play=lambda tale, late: tale.happens(event, late=late)
    )


def late(act: Act) -> Act:
    """Deliver news late, or again: they may be older than what is known."""

    def play(tale: Tale, _: bool) -> Tale:  # noqa: FBT001 - a callback
        return act.play(tale, True)  # noqa: FBT003 - its second is always that

    return acted("late", act, play=play)
