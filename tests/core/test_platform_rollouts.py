"""What the platform does for a rollout: told once, waited for, and then believed."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from orchestrator.core.commands import Command, RollService, StopContainer
from orchestrator.core.custom import NO_POLICIES
from orchestrator.core.drafts import close, open_draft
from orchestrator.core.exits import RolledOut, Stopped
from orchestrator.core.health import HealthCheck, HealthChecks, TcpProbe
from orchestrator.core.hosting import INSTANCE_TYPES
from orchestrator.core.lineages import (
    Lineage,
    PlatformRoll,
    Revision,
    Rollout,
    RolloutStatus,
)
from orchestrator.core.loads import RollOutcome, ServiceRolled
from orchestrator.core.outstanding import outstanding
from orchestrator.core.phases import Running, Stopping
from orchestrator.core.platform_rollouts import (
    awaits_platform,
    prepared,
    rolls_again,
    stuck_words,
    take_rolled,
)
from orchestrator.core.rollout_policies import RolloutPolicy
from orchestrator.core.rosters import scan
from orchestrator.core.services import Service, replica_of
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.state import Fleet
from orchestrator.core.table import Table
from orchestrator.core.under_way import gauge_of
from tests.core.examples import Story, spec

OLD = spec("web", image="web:1")
NEW = attrs.evolve(OLD, image="web:2")
STATUS = RolloutStatus
ROLL = PlatformRoll(revision=2)


def rollout(**more: Any) -> Rollout:
    given: dict[str, Any] = {
        "service": "web",
        "target": 2,
        "previous": 1,
        "policy": RolloutPolicy(),
        "status": STATUS.PROGRESSING,
        "since": 0,
        "began_at": 0,
        "progress_at": 0,
    }
    return Rollout(**{**given, **more})


def lineage(*templates: ContainerSpec, **more: Any) -> Lineage:
    revisions = tuple(
        Revision(number=number, template=template, at=0)
        for number, template in enumerate(templates, 1)
    )
    given: dict[str, Any] = {"count": len(templates), "serving": 1, "good": 1}
    return Lineage(**{**given, **more, "revisions": revisions})


def running_fleet(template: ContainerSpec = OLD) -> Fleet:
    """Return a fleet of two replicas that run, and one container of its own."""
    service = Service(template=template, replicas=2)
    story = Story(*(replica_of(service, index) for index in range(2)), spec("db"))
    for name in ("web-0", "web-1", "db"):
        story.accepted(name).ready(name, at=5)
    return story.fleet


def waiting_fleet(*templates: ContainerSpec, **more: Any) -> Fleet:
    """Return a fleet in which a rollout waits for the platform."""
    given: dict[str, Any] = {"status": STATUS.PREPARING, "roll": ROLL}
    under_way = rollout(**{**given, **more})
    known = lineage(*(templates or (OLD, NEW)), rollout=under_way)
    return indexed(
        attrs.evolve(
            running_fleet(),
            lineages=Table.of([("web", known)]),
            rolling=Table.of([("web", None)]),
            rolls=True,
        )
    )


def indexed(fleet: Fleet) -> Fleet:
    """Return a fleet whose rollout knows all replicas there are."""
    known = of(fleet)
    roster = scan(fleet.containers.values(), gauge_of(known, fleet.at))
    kept = attrs.evolve(
        fleet.lineages["web"], rollout=attrs.evolve(known, roster=roster)
    )
    return attrs.evolve(fleet, lineages=fleet.lineages.put("web", kept))


def told(
    fleet: Fleet, outcome: RollOutcome, **more: Any
) -> tuple[Fleet, tuple[Command, ...], str]:
    given: dict[str, Any] = {"at": 100, "service": "web", "revision": 2}
    event = ServiceRolled(**{**given, **more}, outcome=outcome)
    draft = open_draft(fleet, NO_POLICIES)
    commands, reason = take_rolled(draft, event)
    return close(draft), commands, reason


def of(fleet: Fleet) -> Rollout:
    known = fleet.lineages["web"].rollout
    assert known is not None
    return known


def begun(
    known: Lineage, under_way: Rollout, revision: int, *, rolls: bool = True
) -> tuple[Rollout, tuple[Command, ...]]:
    fleet = attrs.evolve(running_fleet(), rolls=rolls)
    return prepared(open_draft(fleet, NO_POLICIES), known, under_way, revision)


def names(commands: tuple[Command, ...]) -> list[str]:
    """Name those that are to stop."""
    return [each.name for each in commands if isinstance(each, StopContainer)]


# Told once, where there is anything to do


@pytest.mark.parametrize(
    "new", [NEW, attrs.evolve(OLD, instance_type=INSTANCE_TYPES["basic"])]
)
def test_another_image_or_size_is_prepared_by_the_platform(new: ContainerSpec) -> None:
    after, commands = begun(lineage(OLD, new), rollout(), 2)
    assert (after.status, after.roll) == (STATUS.PREPARING, ROLL)
    assert awaits_platform(after)
    assert commands == (RollService(service="web", revision=2),)


def test_what_the_service_has_already_is_not_prepared() -> None:
    other = attrs.evolve(OLD, stop_grace_ms=5)
    assert begun(lineage(OLD, other), rollout(), 2) == (rollout(), ())
    assert not awaits_platform(rollout())


def test_a_platform_that_does_not_roll_is_not_told() -> None:
    assert begun(lineage(OLD, NEW), rollout(), 2, rolls=False) == (rollout(), ())
    waiting = rollout(roll=ROLL, status=STATUS.REVERTING)
    free, commands = begun(lineage(OLD, NEW), waiting, 1, rolls=False)
    assert (free.roll, commands) == (None, ())


def test_a_revision_that_is_not_kept_is_not_prepared() -> None:
    assert begun(lineage(OLD, NEW), rollout(), 7) == (rollout(), ())


def test_who_turns_back_brings_the_old_image_again_though_it_may_be_half_there() -> (
    None
):
    half = attrs.evolve(ROLL, id="r-1", updated=1, total=2)
    turned = rollout(status=STATUS.REVERTING, roll=half)
    after, commands = begun(lineage(OLD, NEW), turned, 1)
    assert after.status is STATUS.REVERTING
    assert after.roll == PlatformRoll(revision=1, given_up="r-1")
    assert commands == (RollService(service="web", revision=1),)


def test_who_takes_the_place_of_an_unfinished_one_names_it() -> None:
    unnamed = PlatformRoll(revision=2, given_up="r-0")
    past = (rollout(status=STATUS.SUPERSEDED, roll=unnamed),)
    third = rollout(target=3, previous=1)
    after, _ = begun(lineage(OLD, NEW, OLD, past=past), third, 3)
    assert after.roll == PlatformRoll(revision=3, given_up="r-0")


def test_what_was_brought_is_what_the_next_rollout_begins_from() -> None:
    over = attrs.evolve(ROLL, done=True)
    known = lineage(OLD, NEW, NEW, OLD, past=(rollout(status=STATUS.DONE, roll=over),))
    same = rollout(target=3, previous=2)
    assert begun(known, same, 3) == (same, ())
    back = rollout(target=4, previous=2)
    assert begun(known, back, 4)[0].roll == PlatformRoll(revision=4)
    lost = attrs.evolve(known, revisions=known.revisions[2:])
    assert begun(lost, same, 3)[0].roll == PlatformRoll(revision=3)


# Waited for


def test_only_what_is_better_than_ever_is_progress() -> None:
    fleet = waiting_fleet()
    fleet, _, _ = told(fleet, RollOutcome.PROGRESSING, id="r-1", total=2)
    assert of(fleet).progress_at == 100
    assert of(fleet).roll == PlatformRoll(revision=2, id="r-1", total=2)
    fleet, _, _ = told(
        fleet, RollOutcome.PROGRESSING, at=200, id="r-1", updated=1, total=2
    )
    assert of(fleet).progress_at == 200
    fleet, commands, reason = told(
        fleet, RollOutcome.PROGRESSING, at=300, id="r-2", total=3, cause="it is cut off"
    )
    assert (of(fleet).progress_at, commands, reason) == (200, (), "")
    assert of(fleet).roll == PlatformRoll(revision=2, id="r-2", updated=1, total=3)
    assert of(fleet).reason == "it is cut off"


@pytest.mark.parametrize(
    "more",
    [
        {"status": STATUS.DONE},
        {"roll": None},
        {"roll": attrs.evolve(ROLL, done=True)},
        {"roll": PlatformRoll(revision=1)},
    ],
)
def test_what_nobody_waits_for_is_ignored(more: dict[str, Any]) -> None:
    fleet = waiting_fleet(**more)
    after, commands, reason = told(fleet, RollOutcome.FAILED)
    assert after == attrs.evolve(fleet, ignored=fleet.ignored + 1)
    assert (commands, reason) == ((), "")


def test_what_is_told_of_no_service_is_ignored() -> None:
    fleet = waiting_fleet()
    after, _, _ = told(fleet, RollOutcome.DONE, service="api")
    assert after.ignored == fleet.ignored + 1


@pytest.mark.parametrize(
    ("cause", "expected"), [("r-1 was taken back", "r-1"), ("", "the platform")]
)
def test_a_failure_says_why(cause: str, expected: str) -> None:
    after, commands, reason = told(waiting_fleet(), RollOutcome.FAILED, cause=cause)
    assert reason.startswith(expected)
    assert (commands, awaits_platform(of(after))) == ((), True)


def test_what_does_not_get_further_says_how_far_it_is() -> None:
    half = attrs.evolve(ROLL, updated=1, total=3)
    known = "the platform has brought it to 1 of 3 instances"
    waiting = rollout(status=STATUS.PREPARING, roll=half, reason="it is cut off")
    assert stuck_words(waiting) == f"{known}; it is cut off"
    turned = attrs.evolve(waiting, status=STATUS.REVERTING)
    assert stuck_words(turned) == known
    bare = attrs.evolve(waiting, reason="", roll=None)
    assert stuck_words(bare) == "the platform has brought it to 0 of 0 instances"


def test_why_it_turned_back_is_kept_while_it_does() -> None:
    turned = waiting_fleet(status=STATUS.REVERTING, reason="too many failures")
    after, _, _ = told(turned, RollOutcome.PROGRESSING, cause="it is cut off")
    assert of(after).reason == "too many failures"
    over, _, _ = told(after, RollOutcome.DONE)
    assert of(over).reason == "too many failures"


# Left behind


def test_who_is_left_behind_is_started_anew_once_and_not_all_at_once() -> None:
    behind = ("db", "web-0", "web-1", "web-9")
    first = waiting_fleet()
    after, commands, _ = told(first, RollOutcome.PROGRESSING, behind=behind)
    assert names(commands) == ["web-0"]
    phase = after.containers["web-0"].phase
    assert isinstance(phase, Stopping)
    assert phase.verdict == RolledOut()
    assert of(after).roll == attrs.evolve(ROLL, restarted=("web-0",))
    _, commands, _ = told(after, RollOutcome.PROGRESSING, behind=behind)
    assert commands == ()  # one is down, and no more may be
    up = attrs.evolve(after, containers=first.containers)
    again, commands, _ = told(up, RollOutcome.PROGRESSING, behind=behind)
    assert names(commands) == ["web-1"]
    up = attrs.evolve(again, containers=first.containers)
    last, commands, _ = told(up, RollOutcome.PROGRESSING, behind=behind)
    assert commands == ()
    assert of(last).roll == attrs.evolve(ROLL, restarted=("web-0", "web-1"))


# Done: members move as they run


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, {"status": STATUS.PROGRESSING, "since": 100}),
        ({"status": STATUS.REVERTING}, {"status": STATUS.REVERTING, "since": 0}),
        (
            {"status": STATUS.PAUSED, "paused_from": STATUS.PREPARING},
            {"status": STATUS.PAUSED, "paused_from": STATUS.PROGRESSING},
        ),
    ],
)
def test_when_it_is_done_the_rollout_goes_on(
    before: dict[str, Any], after: dict[str, Any]
) -> None:
    fleet, _, reason = told(
        waiting_fleet(**before), RollOutcome.DONE, total=2, updated=2
    )
    found = of(fleet)
    assert {key: getattr(found, key) for key in after} == after
    assert found.roll == PlatformRoll(revision=2, updated=2, total=2, done=True)
    assert (reason, found.progress_at) == ("", 100)
    assert not awaits_platform(found)


def test_members_of_another_image_move_without_a_restart() -> None:
    fleet = waiting_fleet()
    after, commands, _ = told(fleet, RollOutcome.DONE)
    assert commands == ()
    for name in ("web-0", "web-1"):
        moved = after.containers[name]
        assert (moved.spec.image, moved.generation) == ("web:2", 2)
        assert moved.started_revision == moved.revision == 2
        assert moved.phase == fleet.containers[name].phase
    assert after.containers["db"] == fleet.containers["db"]


def test_handling_that_changes_with_the_image_changes_at_once() -> None:
    check = HealthChecks(readiness=HealthCheck(probe=TcpProbe(port="http")))
    new = attrs.evolve(NEW, stop_grace_ms=7, ports=Table.of([("http", 80)]))
    fleet = waiting_fleet(OLD, attrs.evolve(NEW, stop_grace_ms=7))
    after, commands, _ = told(fleet, RollOutcome.DONE)
    assert (commands, after.containers["web-0"].spec.stop_grace_ms) == ((), 7)
    fleet = waiting_fleet(OLD, attrs.evolve(new, health=check))
    after, commands, _ = told(fleet, RollOutcome.DONE)
    assert (commands, after.containers) == ((), fleet.containers)


def test_who_ends_rests_or_leaves_is_left_to_the_machine() -> None:
    fleet = waiting_fleet()
    first, second = fleet.containers["web-0"], fleet.containers["web-1"]
    ending = Stopping(since=9, run=1, deadline=99, verdict=Stopped())
    changed = fleet.containers.put("web-0", attrs.evolve(first, phase=ending))
    leaving = attrs.evolve(second, leaving=True)
    fleet = attrs.evolve(fleet, containers=changed.put("web-1", leaving))
    after, _, _ = told(fleet, RollOutcome.DONE)
    assert after.containers == fleet.containers


def test_a_member_beside_another_keeps_its_name() -> None:
    fleet = waiting_fleet()
    beside = attrs.evolve(
        fleet.containers["web-1"],
        name="web-1.r1",
        spec=attrs.evolve(fleet.containers["web-1"].spec, name="web-1.r1"),
    )
    containers = fleet.containers.put("web-1.r1", beside)
    fleet = indexed(attrs.evolve(fleet, containers=containers))
    after, _, _ = told(fleet, RollOutcome.DONE)
    assert after.containers["web-1.r1"].spec.name == "web-1.r1"
    assert after.containers["web-1.r1"].spec.image == "web:2"


def test_who_was_moved_already_is_not_moved_again() -> None:
    fleet, _, _ = told(waiting_fleet(), RollOutcome.DONE)
    again = waiting_fleet()
    again = attrs.evolve(fleet, lineages=again.lineages)
    after, _, _ = told(again, RollOutcome.DONE, at=200)
    assert after.containers == again.containers


def test_done_with_a_revision_that_is_not_kept_moves_nobody() -> None:
    fleet = waiting_fleet(OLD)
    after, commands, _ = told(fleet, RollOutcome.DONE)
    assert (commands, after.containers) == ((), fleet.containers)


def test_a_run_that_nobody_has_compared_yet_is_not_taken_for_the_new_one() -> None:
    fleet = waiting_fleet()
    claimed = attrs.evolve(fleet.containers["web-0"], started_revision=0)
    fleet = attrs.evolve(fleet, containers=fleet.containers.put("web-0", claimed))
    after, commands, _ = told(fleet, RollOutcome.DONE)
    assert isinstance(after.containers["web-0"].phase, Running)
    assert after.containers["web-0"].started_revision == 0
    assert not any(isinstance(command, StopContainer) for command in commands)


# Given again


def test_what_is_under_way_is_given_again_after_a_boot() -> None:
    fleet = waiting_fleet()
    assert rolls_again(fleet) == (RollService(service="web", revision=2),)
    assert outstanding(fleet) == rolls_again(fleet)
    assert rolls_again(attrs.evolve(fleet, rolls=False)) == ()
    assert rolls_again(waiting_fleet(roll=None)) == ()
    assert rolls_again(waiting_fleet(roll=attrs.evolve(ROLL, done=True))) == ()
    assert rolls_again(waiting_fleet(status=STATUS.HELD)) == ()
    lost = attrs.evolve(fleet, lineages=Table[str, Lineage]())
    assert rolls_again(lost) == ()
