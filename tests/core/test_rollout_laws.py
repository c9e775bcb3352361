"""The invariants of rollouts see what is wrong: each is planted here."""

from __future__ import annotations

import attrs

from orchestrator.core.commands import Command
from orchestrator.core.dependencies import Condition
from orchestrator.core.events import TimeReached
from orchestrator.core.exits import Exited
from orchestrator.core.fleet_specs import FleetSettings, FleetSpec
from orchestrator.core.invariants import violations
from orchestrator.core.lineages import Rollout, RolloutStatus, Roster
from orchestrator.core.origins import Origin
from orchestrator.core.rollout_policies import Share
from orchestrator.core.rollout_steps import is_over
from orchestrator.core.state import Container, Fleet
from orchestrator.core.steps import Step
from orchestrator.core.table import Table

from .examples import spec
from .rolling import Rolling, policy, served, told

BOUNDS = "a rollout keeps within its bounds"
ROSTERS = "rosters agree with the records"
RUNS = "run numbers only grow"
ROLLS = "who rolls has a rollout"
NO_COMMANDS: tuple[Command, ...] = ()


def found(before: Fleet, after: Fleet, *touched: str) -> set[str]:
    event = TimeReached(at=after.at, name=None)
    step = Step(
        before=before,
        event=event,
        after=after,
        commands=NO_COMMANDS,
        touched=touched,
    )
    return {violation.name for violation in violations(step)}


def rolling() -> Rolling:
    """Return a rollout of three that is paused, with one of them moved."""
    bounds = policy(max_surge=Share(1))
    return told(3, bounds).told(served(3, "two", bounds)).roll("pause")


def put(fleet: Fleet, *containers: Container) -> Fleet:
    table = fleet.containers
    for container in containers:
        table = table.put(container.name, container)
    return attrs.evolve(fleet, containers=table)


def with_rollout(fleet: Fleet, **changes: object) -> Fleet:
    lineage = fleet.lineages["web"]
    assert lineage.rollout is not None
    rollout: Rollout = attrs.evolve(lineage.rollout, **changes)  # type: ignore[arg-type]
    kept = attrs.evolve(lineage, rollout=rollout)
    return attrs.evolve(fleet, lineages=fleet.lineages.put("web", kept))


def test_one_that_is_taken_down_too_early_is_seen() -> None:
    story = rolling()
    web = other = story.container("web-2")
    moved = story.container("web-0.r2")
    taken = attrs.evolve(web, phase=moved.phase, generation=2)
    lineage = story.lineage
    assert lineage.rollout is not None
    roster = lineage.rollout.roster
    few = with_rollout(
        put(story.fleet, taken), roster=attrs.evolve(roster, old=Table())
    )
    assert BOUNDS in found(story.fleet, few, "web-2")
    sent = with_rollout(
        put(story.fleet, attrs.evolve(other, leaving=True)),
        roster=attrs.evolve(roster, old=Table()),
    )
    assert BOUNDS in found(story.fleet, sent, "web-2")
    gone = attrs.evolve(sent, containers=sent.containers.drop("web-2"))
    assert BOUNDS in found(story.fleet, gone, "web-2")
    scaled = attrs.evolve(sent, services=sent.services.drop("no"))
    fewer = attrs.evolve(
        scaled,
        services=scaled.services.put("web", attrs.evolve(sent.services["web"])),
    )
    assert BOUNDS not in found(story.fleet, fewer, "web-2")


def test_one_too_many_that_is_made_beside_is_seen() -> None:
    story = rolling()
    bare = story.fleet.containers.drop("web-0.r2")
    before = attrs.evolve(story.fleet, containers=bare)
    roster = story.rollout.roster
    many = attrs.evolve(roster, going=Table.of([("x", None), ("y", None)]))
    crowded = with_rollout(story.fleet, roster=many)
    assert BOUNDS in found(before, crowded, "web-0.r2")
    alone = with_rollout(story.fleet, roster=attrs.evolve(many, twins=Table()))
    assert BOUNDS not in found(before, alone, "web-0.r2")


def test_an_index_that_lies_is_seen() -> None:
    story = rolling()
    fleet = story.fleet
    assert found(fleet, fleet, "web-0", "web-2", "web-0.r2") == set()
    for name in ("web-2", "web-0.r2"):
        other = attrs.evolve(fleet.containers[name], leaving=True)
        assert ROSTERS in found(fleet, put(fleet, other), name)
    stray = attrs.evolve(fleet.containers["web-2"], origin=Origin.AD_HOC)
    assert ROSTERS in found(fleet, put(fleet, stray), "web-2")
    kept = attrs.evolve(fleet.containers["web-0"], leaving=True)
    assert ROSTERS in found(fleet, put(fleet, kept), "web-0")
    gone = attrs.evolve(fleet, containers=fleet.containers.drop("web-2"))
    assert ROSTERS in found(fleet, gone, "web-2")
    roster = attrs.evolve(story.rollout.roster, old=Table())
    roster = attrs.evolve(roster, living=Table())
    assert ROSTERS not in found(fleet, with_rollout(gone, roster=roster), "web-2")
    assert ROSTERS not in found(gone, gone, "web-2")


def test_a_service_that_rolls_without_a_rollout_is_seen() -> None:
    story = rolling()
    fleet = story.fleet
    lineage = attrs.evolve(story.lineage, rollout=None)
    bare = attrs.evolve(fleet, lineages=fleet.lineages.put("web", lineage))
    assert ROLLS in found(fleet, bare, "web-1")
    ended = with_rollout(fleet, status=RolloutStatus.DONE)
    assert ROLLS in found(fleet, ended, "web-1")
    mute = attrs.evolve(story.lineage, past=(attrs.evolve(story.rollout, reason=""),))
    silent = attrs.evolve(fleet, lineages=fleet.lineages.put("web", mute))
    assert ROLLS in found(fleet, silent, "web-1")


def test_a_rollout_that_has_no_step_is_not_over() -> None:
    story = told(1, policy()).told(served(1, "two", policy())).roll("pause")
    rollout = attrs.evolve(story.rollout, doing=type(story.rollout.doing).ASKING)
    assert not is_over(rollout, 1, 0)


def test_a_recreate_over_those_whose_work_is_done_is_within_its_bounds() -> None:
    rollout = policy(strategy="recreate")
    story = told(2, rollout)
    for name in ("web-0", "web-1"):
        story.ended(Exited(code=0), name=name)
    story.told(served(2, "two", rollout))
    assert story.rollout.roster.available == 0
    assert story.goes_on().status() is RolloutStatus.DONE


def test_a_way_back_of_a_recreate_is_held_to_its_bounds() -> None:
    rollout = policy(strategy="recreate")
    story = told(2, rollout).told(served(2, "two", rollout)).goes_on(limit=2)
    fleet = story.roll("abort").roll("pause").fleet
    old = story.container("web-0")
    up = attrs.evolve(told(2).container("web-0"), generation=2)
    before = put(fleet, up)
    few = with_rollout(put(fleet, old), roster=Roster())
    assert BOUNDS in found(before, few, "web-0")
    ahead = with_rollout(few, back_to=None)
    assert BOUNDS not in found(before, ahead, "web-0")


def test_who_a_file_has_start_anew_was_not_taken_down_by_a_rollout() -> None:
    story = told(2, policy())
    for name in ("web-0", "web-1"):
        story.ended(Exited(code=0), name=name)
    needs = Table.of([("db", Condition.STARTED)])
    second = served(2, "two", policy(), others=(spec("db"),), depends_on=needs)
    assert story.told(second).goes_on().status() is RolloutStatus.DONE


def test_another_container_of_a_name_begins_to_count_its_runs() -> None:
    story = rolling()
    was = attrs.evolve(story.container("web-2"), run=3, leaving=True)
    fresh = attrs.evolve(was, run=0, started_revision=0, leaving=False)
    before = put(story.fleet, was)
    assert RUNS not in found(before, put(story.fleet, fresh), "web-2")
    same = attrs.evolve(was, run=2, leaving=False)
    assert RUNS in found(before, put(story.fleet, same), "web-2")


def test_a_plain_name_is_taken_again_in_the_step_that_frees_it() -> None:
    kept = policy(strategy="blue_green", keep_old_ms=600_000)
    slots = FleetSettings(max_concurrent_starts=1)

    def file(image: str) -> FleetSpec:
        return attrs.evolve(served(2, image, kept), settings=slots)

    story = Rolling().told(file("one")).goes_on()
    story.told(file("two")).goes_on(lambda it: it.status() is RolloutStatus.SOAKING)
    story.told(file("three"))
    for name in ("web-0", "web-1"):
        story.ended(name=name)
    assert story.goes_on().status() is RolloutStatus.DONE
    assert story.images() == [("web-0", "three"), ("web-1", "three")]
