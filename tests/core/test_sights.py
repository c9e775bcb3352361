"""What a look at the platform says that is new, and what it does."""

from __future__ import annotations

import attrs
import pytest

from orchestrator.core.commands import StopContainer
from orchestrator.core.events import (
    Booted,
    CommandKind,
    ContainerObserved,
    FleetObserved,
    PlaceObserved,
)
from orchestrator.core.exits import Exited, Stopped
from orchestrator.core.fingerprints import fingerprint
from orchestrator.core.observations import (
    Observation,
    SeenAbsent,
    SeenEnded,
    SeenRunning,
    SeenUnreachable,
    Sighting,
)
from orchestrator.core.phases import Running, Starting, Stopping
from orchestrator.core.requests import Stop
from orchestrator.core.sights import differences
from orchestrator.core.table import Table

from .examples import NO_JITTER, Story, spec

SEEN = SeenRunning(ready=True, addresses=Table.of([("http", "10.0.0.1:80")]))


def observed(story: Story, run: int, print_: str = "", at: int = 9_000) -> Story:
    event = ContainerObserved(
        at=at, name="web", run=run, sight=SEEN, fingerprint=print_
    )
    return story.happens(event)


def test_each_difference_is_told_as_it_was_seen() -> None:
    story = Story(spec("a"), spec("b")).accepted("a").ready("a").accepted("b")
    sighting = Sighting(name="a", run=1, sight=SeenUnreachable(), fingerprint="f")
    look = Observation(began=1, complete=True, sightings=(sighting,))
    assert differences(story.fleet, look, at=5) == (
        ContainerObserved(
            at=5, name="a", run=1, sight=SeenUnreachable(), fingerprint="f"
        ),
        ContainerObserved(at=5, name="b", run=1, sight=SeenAbsent()),
        FleetObserved(at=5, complete=True),
    )


@pytest.mark.parametrize(("began", "count"), [(100, 1), (101, 2)])
def test_what_changed_in_the_moment_the_look_began_is_not_compared(
    began: int, count: int
) -> None:
    story = Story(spec()).accepted().ready(at=100)
    gone = Observation(began=began, complete=True)
    assert len(differences(story.fleet, gone, at=200)) == count
    ended = Sighting(name="web", run=1, sight=SeenEnded(exit=Exited(code=1)))
    seen = Observation(began=began, complete=False, sightings=(ended,))
    assert len(differences(story.fleet, seen, at=200)) == count


def test_a_run_that_is_taken_over_has_its_time_and_its_addresses() -> None:
    story = Story(spec()).accepted().ready().ended(at=10)
    observed(story, run=4, print_=fingerprint(spec()), at=500)
    container = story.container()
    assert container.phase == Running(
        since=500, run=4, ready_at=500, addresses=SEEN.addresses
    )
    assert (container.run, container.started_revision) == (4, 1)


def test_a_run_that_is_taken_over_unready_has_the_time_of_a_start() -> None:
    story = Story(spec()).accepted().ready().ended(at=10)
    sight = SeenRunning()
    story.happens(ContainerObserved(at=500, name="web", run=4, sight=sight))
    assert story.container().phase == Running(since=500, run=4, deadline=60_500)


def test_one_of_a_later_revision_is_taken_over_as_of_that_revision() -> None:
    story = Story(spec()).accepted().ready()
    policy = attrs.evolve(NO_JITTER, min_interval_ms=7)
    story.asked(story.apply(spec(policy=policy)), at=5).ended(at=10)
    observed(story, run=4)
    assert story.container().started_revision == 2


def test_one_that_waits_under_a_later_revision_is_taken_over_as_of_that() -> None:
    story = Story(spec()).accepted().ready().ended(at=10)
    story.happens(Booted(at=20, epoch=2, rules=2, fences=True))
    policy = attrs.evolve(NO_JITTER, min_interval_ms=7)
    story.asked(story.apply(spec(policy=policy)), at=30)
    assert (story.phase(), story.container().started_revision) == ("Pending", 1)
    assert observed(story, run=4).container().started_revision == 2


@pytest.mark.parametrize("print_", ["", fingerprint(spec())])
def test_one_that_is_as_declared_or_says_nothing_is_kept(print_: str) -> None:
    story = Story(spec()).accepted().ready().ended(at=10)
    assert observed(story, run=4, print_=print_).phase() == "Running"


def test_one_of_another_spec_is_replaced_and_counts_no_crash() -> None:
    story = Story(spec()).accepted().ready().ended(at=10)
    observed(story, run=4, print_="another")
    phase = story.container().phase
    assert isinstance(phase, Stopping)
    assert (phase.since, phase.run, phase.verdict) == (9_000, 4, Stopped())


def test_one_that_shall_not_run_is_ended_and_the_record_rests() -> None:
    resting = Story(spec()).accepted().ready().asked(Stop(name="web")).ended(at=10)
    done = Story(spec()).accepted().ready().ended(Exited(code=0), at=10)
    for story in (resting, done):
        before = story.container()
        observed(story, run=4)
        stop = StopContainer(name="web", run=4, signal="TERM", grace_ms=10_000)
        assert story.orders() == (stop,)
        assert story.container().phase == before.phase
        assert story.container().run == 4


@pytest.mark.parametrize("run", [0, 5])
def test_an_end_of_another_run_than_the_live_one_changes_nothing(run: int) -> None:
    story = Story(spec()).accepted().ready()
    before = story.container()
    sight = SeenEnded(exit=Exited(code=1))
    story.happens(ContainerObserved(at=20, name="web", run=run, sight=sight))
    assert (story.container(), story.orders()) == (before, ())


def test_an_end_of_a_later_run_raises_the_number_only() -> None:
    story = Story(spec()).accepted().ready().ended(at=10)
    before = story.container()
    sight = SeenEnded(exit=Exited(code=1))
    story.happens(ContainerObserved(at=20, name="web", run=7, sight=sight))
    assert story.container() == attrs.evolve(before, run=7, changed_at=20)


@pytest.mark.parametrize(
    ("listens", "sight", "is_news"),
    [
        (False, SeenRunning(ready=True), True),
        (False, SeenRunning(ready=False), False),
        (True, SeenRunning(ready=True), False),
        (True, SeenRunning(ready=False), False),
    ],
)
def test_a_run_that_accepts_work_is_news_until_it_is_known_to(
    *, listens: bool, sight: SeenRunning, is_news: bool
) -> None:
    story = Story(spec()).accepted().started()
    if listens:
        story.ready()
    seen = Sighting(name="web", run=1, sight=sight)
    look = Observation(began=50, complete=True, sightings=(seen,))
    found = differences(story.fleet, look, at=99)
    assert any(isinstance(event, ContainerObserved) for event in found) is is_news


def test_places_are_told_of_live_runs_of_the_fleet_alone() -> None:
    story = (
        Story(spec("a"), spec("b")).accepted("a").ready("a").accepted("b").ready("b")
    )
    seen = tuple(
        Sighting(name=name, run=run, sight=SEEN, place="ENAM/iad01")
        for name, run in (("a", 1), ("b", 2), ("stranger", 1))
    )
    look = Observation(began=0, complete=True, sightings=seen)
    told = [
        each
        for each in differences(story.fleet, look, at=5)
        if isinstance(each, PlaceObserved)
    ]
    assert told == [PlaceObserved(at=5, name="a", run=1, place="ENAM/iad01")]


def test_a_command_of_another_kind_says_nothing_of_a_start() -> None:
    story = Story(spec())
    before = story.container()
    assert isinstance(before.phase, Starting)
    assert story.accepted(kind=CommandKind.STOP).container() is before
    story.accepted()
    again = story.container()
    assert story.accepted().container() is again
