"""Laws of an absence: every run is accounted for once, in whatever order it is told."""

from __future__ import annotations

from collections.abc import Iterator

import attrs
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.core.events import (
    Booted,
    ContainerEnded,
    ContainerObserved,
    Event,
    FleetObserved,
)
from orchestrator.core.exits import Exit, Lost
from orchestrator.core.observations import (
    SeenAbsent,
    SeenEnded,
    SeenRunning,
    SeenUnreachable,
)
from orchestrator.core.phases import live_run
from orchestrator.core.reduce import step_of
from orchestrator.core.state import RULES, Fleet, empty_fleet
from orchestrator.core.steps import Step
from orchestrator.core.table import Table
from orchestrator.replay.absences import Absence, absence_of, absence_text
from orchestrator.testing import strategies as drawn
from property_tests.trials import POLICIES
from tests.core.examples import Story, spec

LEFT = 1_000


def steps_of(before: Fleet, events: list[Event]) -> list[Step]:
    fleet, steps = before, list[Step]()
    for event in events:
        timely = attrs.evolve(event, at=max(event.at, fleet.at))
        steps.append(step_of(fleet, timely, POLICIES))
        fleet = steps[-1].after
    return steps


def accounted(absence: Absence, before: Fleet) -> None:
    """Hold an absence to what was there before it."""
    live = {
        name: run
        for name, one in before.containers.items()
        if (run := live_run(one.phase)) is not None
    }
    assert len(live) == len(absence.ended) + absence.going_on + absence.unseen
    assert set(dict(absence.ended.items())) <= set(live)
    assert sum(dict(absence.kinds.items()).values()) == len(absence.ended)
    assert absence.absent_ms >= 0
    assert absence.led_again_at <= absence.caught_up_at
    assert (absence_text(absence) == "") == absence.is_empty
    assert "\n" not in absence_text(absence)


@given(events=st.lists(drawn.events(), max_size=30))
def test_every_run_is_accounted_for_in_any_history(events: list[Event]) -> None:
    steps = steps_of(empty_fleet("fleet"), events)
    for place, step in enumerate(steps):
        if not isinstance(step.event, Booted):
            continue
        absence = absence_of(step.before, steps[place:])
        if absence is None:
            looks = [each for each in steps[place:] if is_look(each)]
            assert step.before.epoch == 0 or looks == []
            continue
        accounted(absence, step.before)


def is_look(step: Step) -> bool:
    return isinstance(step.event, FleetObserved) and step.event.complete


@attrs.frozen(kw_only=True)
class Fate:
    """What becomes of one run, and who tells of it."""

    ends: Exit | None
    is_in_feed: bool
    is_seen: bool
    is_hidden: bool

    def events(self, name: str) -> Iterator[Event]:
        """Yield what is told of it; an end is told by somebody."""
        if self.ends is None:
            if self.is_hidden:
                yield ContainerObserved(at=0, name=name, run=1, sight=SeenUnreachable())
            return
        if self.is_in_feed or not self.is_seen:
            yield ContainerEnded(at=0, name=name, run=1, exit=self.ends)
        if self.is_seen:
            gone = self.is_hidden
            sight = SeenAbsent() if gone else SeenEnded(exit=self.ends)
            yield ContainerObserved(at=0, name=name, run=1, sight=sight)

    @property
    def found(self) -> Exit | None:
        """Return the end that is to be found: nobody knows more than he was told."""
        told = self.is_in_feed or not self.is_seen or not self.is_hidden
        return self.ends if self.ends is None or told else Lost()


FATES = st.builds(
    Fate,
    ends=st.none() | drawn.platform_exits(),
    is_in_feed=st.booleans(),
    is_seen=st.booleans(),
    is_hidden=st.booleans(),
)


@st.composite
def returns(draw: st.DrawFn) -> tuple[list[Fate], int, list[Event], list[Event]]:
    """Draw the fates of some runs, strangers, and two orders to be told of them."""
    fates = draw(st.lists(FATES, max_size=8))
    strangers = draw(st.integers(0, 3))
    events = [event for n, fate in enumerate(fates) for event in fate.events(f"c{n}")]
    events += (
        ContainerObserved(at=0, name=f"s{n}", run=1, sight=SeenRunning())
        for n in range(strangers)
    )
    one, other = draw(st.permutations(events)), draw(st.permutations(events))
    return fates, strangers, one, other


@given(drawn_return=returns(), away_ms=st.integers(0, 10**9))
def test_what_is_found_is_what_happened_in_whatever_order_it_is_told(
    drawn_return: tuple[list[Fate], int, list[Event], list[Event]], away_ms: int
) -> None:
    fates, strangers, *orders = drawn_return
    story = Story(*(spec(f"c{n}") for n in range(len(fates))))
    for n in range(len(fates)):
        story.ready(f"c{n}")
    before = story.time(LEFT).fleet
    back = LEFT + away_ms
    absences = [
        absence_of(
            before,
            steps_of(
                before,
                [
                    Booted(at=back, epoch=2, rules=RULES),
                    *order,
                    FleetObserved(at=back, complete=True),
                ],
            ),
        )
        for order in orders
    ]
    absence = absences[0]
    assert absence is not None
    assert absences[1] == absence
    accounted(absence, before)
    assert absence.absent_ms == away_ms
    assert absence.ended == Table.of(
        (f"c{n}", fate.found) for n, fate in enumerate(fates) if fate.found is not None
    )
    assert absence.unseen == sum(fate.ends is None and fate.is_hidden for fate in fates)
    assert len(absence.strangers) == strangers
