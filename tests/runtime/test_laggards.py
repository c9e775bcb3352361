"""Who is waited for is found without looking at everybody after each row."""

from __future__ import annotations

from orchestrator.core.dependencies import Condition
from orchestrator.core.state import Container, Fleet, empty_fleet
from orchestrator.core.table import Table
from orchestrator.runtime.laggards import Laggards, restless
from orchestrator.runtime.reports import has_settled
from tests.core.examples import Story, spec

COUNT = 300


class Looks:
    """Counts who is looked at."""

    def __init__(self) -> None:
        self.count = 0

    def at(self, fleet: Fleet, container: Container) -> bool:
        self.count += 1
        return has_settled(fleet, container)


def test_a_fleet_that_comes_up_is_looked_at_about_once_for_each_row() -> None:
    names = [f"c-{number:03}" for number in range(COUNT)]
    story, looks = Story(*map(spec, names)), Looks()
    left = Laggards(restless, looks.at)
    for name in names:
        _ = story.accepted(name)
        assert left.are_left(story.fleet)
        _ = story.ready(name)
        assert left.are_left(story.fleet) == (name != names[-1])
    assert looks.count <= 3 * COUNT


def test_who_has_come_may_go_again() -> None:
    there = {"a"}
    fleet = Story(spec("a"), spec("b")).fleet
    left = Laggards(lambda _: ("a", "b"), lambda _, each: each.name in there)
    assert left.are_left(fleet)
    there.add("b")
    assert not left.are_left(fleet)
    there.remove("a")
    assert left.are_left(fleet)


def test_nobody_waits_for_who_has_left_the_fleet() -> None:
    fleet = Story(spec("a")).fleet
    left = Laggards(lambda _: ("a",), lambda *_: False)
    assert left.are_left(fleet)
    assert not left.are_left(empty_fleet("demo"))


def test_who_waits_for_another_is_among_those_that_may_move() -> None:
    needs = Table.of([("base", Condition.READY)])
    story = Story(spec("base"), spec("web", depends_on=needs), spec("done"))
    assert list(restless(story.fleet)) == ["base", "done", "web"]
    _ = story.accepted("done").ready("done")
    assert list(restless(story.fleet)) == ["base", "web"]
