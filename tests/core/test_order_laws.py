"""Each law of dependencies sees the violation that it is there for."""

from __future__ import annotations

import attrs

from orchestrator.core.commands import Command, StartContainer
from orchestrator.core.dependencies import Awaited
from orchestrator.core.events import TimeReached
from orchestrator.core.invariants import violations
from orchestrator.core.phases import Asleep, Pending, Rule
from orchestrator.core.state import Container, Fleet
from orchestrator.core.steps import Step
from orchestrator.core.table import Table

from .examples import Story, spec
from .test_dependencies import on

NO_START = "no start before what it depends on"
NOBODY_WAITS = "nobody waits for what is there"
NOBODY_IS_KEPT = "who stops after others has others to wait for"
INDEXES = "indexes agree with the records"


def story() -> Story:
    return Story(spec("db"), spec(depends_on=on(db="ready")))


def found(before: Fleet, after: Fleet, *commands: Command) -> set[str]:
    step = Step(
        before=before,
        event=TimeReached(at=after.at, name="web"),
        after=after,
        commands=commands,
        touched=("db", "gone", "web"),
    )
    return {violation.name for violation in violations(step)}


def having(fleet: Fleet, container: Container) -> Fleet:
    """Write a record behind the core's back."""
    return attrs.evolve(
        fleet, containers=fleet.containers.put(container.name, container)
    )


def entered(fleet: Fleet, entry: Awaited) -> Fleet:
    return attrs.evolve(fleet, awaited=fleet.awaited.put("db", entry))


def entry_of(fleet: Fleet) -> Awaited:
    entry = fleet.awaited.get("db")
    assert entry is not None
    return entry


def test_a_right_step_violates_nothing() -> None:
    fleet = story().fleet
    assert found(fleet, fleet) == set()


def test_a_start_before_its_dependencies_is_seen() -> None:
    fleet = story().fleet
    start = StartContainer(name="web", run=1, revision=1)
    gone = StartContainer(name="gone", run=1, revision=1)
    again = StartContainer(name="db", run=1, revision=1)
    assert NO_START in found(fleet, fleet, start)
    assert NO_START not in found(fleet, fleet, gone, again)


def test_one_who_waits_for_what_is_there_is_seen() -> None:
    fleet = story().fleet
    there = attrs.evolve(entry_of(fleet), lacking=Table())
    assert NOBODY_WAITS in found(fleet, entered(fleet, there))
    nobody = attrs.evolve(there, waiting=Table())
    assert NOBODY_WAITS not in found(fleet, entered(fleet, nobody))


def test_one_who_is_held_for_nobody_is_seen() -> None:
    fleet = story().fleet
    held = attrs.evolve(entry_of(fleet), held=Table.of([("db", None)]))
    assert NOBODY_IS_KEPT in found(fleet, entered(fleet, held))
    for_web = attrs.evolve(held, ending=Table.of([("web", 1)]))
    assert NOBODY_IS_KEPT not in found(fleet, entered(fleet, for_web))


def test_an_index_that_does_not_know_who_waits_is_seen() -> None:
    fleet = story().fleet
    entry = entry_of(fleet)
    assert INDEXES in found(fleet, entered(fleet, attrs.evolve(entry, waiting=Table())))
    assert INDEXES in found(fleet, attrs.evolve(fleet, awaited=Table()))
    web = fleet.containers["web"]
    for service in ("x", ""):
        phase = Pending(since=0, rule=Rule.DECLARED, waits_for=service)
        other = having(fleet, attrs.evolve(web, phase=phase))
        assert INDEXES in found(fleet, other)
    alone = spec(depends_on=on(api="ready"))
    stray = having(entered(fleet, entry), attrs.evolve(web, spec=alone))
    assert INDEXES in found(fleet, stray)


def test_an_index_that_does_not_know_a_member_is_seen() -> None:
    fleet = story().fleet
    db = fleet.containers["db"]
    assert INDEXES in found(
        fleet, entered(fleet, attrs.evolve(entry_of(fleet), lacking=Table()))
    )
    asleep = having(fleet, attrs.evolve(db, phase=Asleep(since=0)))
    assert INDEXES in found(fleet, asleep)
    held = having(fleet, attrs.evolve(db, stops_after="web"))
    assert INDEXES in found(fleet, held)
