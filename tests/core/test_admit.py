"""What may be asked for now, and every way to be refused."""

from __future__ import annotations

import attrs
import pytest

from orchestrator.core.admit import admit
from orchestrator.core.errors import (
    AdHocContainerNotAllowed,
    ContainerNotFound,
    ContainerNotStopped,
    CrashLoopDetected,
    InvalidSpec,
    MinReplicaSetContainer,
    Problem,
    RevisionConflict,
    StartNeedsForce,
)
from orchestrator.core.events import Declaration, SpecApplied, StartRequested
from orchestrator.core.exits import Exited
from orchestrator.core.fingerprints import salt_of
from orchestrator.core.fleet_specs import FleetSettings, FleetSpec
from orchestrator.core.groups import GroupStrategy, Membership
from orchestrator.core.policies import never_restart_policy
from orchestrator.core.requests import (
    Apply,
    ClearCrashHistory,
    Remove,
    Request,
    Restart,
    Start,
    Stop,
)
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.table import Table

from .examples import Story, spec
from .test_reduce import crashed


@pytest.mark.parametrize(
    "request_",
    [
        Stop(name="ghost"),
        Restart(name="ghost"),
        Remove(name="ghost"),
        ClearCrashHistory(name="ghost"),
    ],
)
def test_what_does_not_exist_is_not_found(request_: Request) -> None:
    assert Story().refused(request_) == ContainerNotFound(name="ghost")


@pytest.mark.parametrize("request_", [Start(name="web"), Restart(name="web")])
def test_a_crash_loop_needs_force(request_: Request) -> None:
    story = crashed(4)
    refusal = story.refused(request_)
    assert isinstance(refusal, CrashLoopDetected)
    assert (refusal.name, refusal.crash_count) == ("web", 4)
    assert refusal.window_ms == 600_000
    assert refusal.next_start_at is not None


def test_what_failed_or_completed_needs_force() -> None:
    story = Story(spec(policy=never_restart_policy())).accepted().ready().ended()
    assert story.refused(Start(name="web")) == StartNeedsForce(
        name="web", current_status="failed"
    )
    done = Story(spec()).accepted().ready().ended(Exited(code=0))
    assert done.refused(Restart(name="web")) == StartNeedsForce(
        name="web", current_status="completed"
    )
    assert done.asked(Start(name="web", force=True)).phase() == "Starting"


def test_one_that_leaves_gets_no_new_run_until_it_is_taken_back() -> None:
    story = Story(spec("web"), spec("db")).accepted().ready()
    story.asked(story.apply(spec("db")))
    assert story.container("web").leaving
    refused = story.refused(Restart(name="web"))
    assert isinstance(refused, InvalidSpec)
    assert "a start takes back one that leaves" in refused.message
    story.asked(Start(name="web")).asked(Restart(name="web")).ended(Exited(code=0))
    assert (story.phase("web"), story.container("web").leaving) == ("Starting", False)


def test_a_closed_fleet_takes_no_ad_hoc_container() -> None:
    story = Story(spec(), settings=FleetSettings(allow_ad_hoc_containers=False))
    assert story.refused(Start(name="x")) == AdHocContainerNotAllowed(name="x")


def test_a_bare_name_needs_a_template_a_spec_or_a_command() -> None:
    story = Story()
    assert isinstance(story.refused(Start(name="x")), InvalidSpec)
    assert isinstance(story.refused(Start(name="Not a name")), InvalidSpec)
    assert isinstance(story.refused(Start(name="x", spec=spec("y"))), InvalidSpec)
    assert isinstance(story.refused(Start(name="x", command=("${nope}",))), InvalidSpec)
    assert story.asked(Start(name="x", command=("run",))).phase("x") == "Starting"
    assert story.asked(Start(name="y", spec=spec("y"))).phase("y") == "Starting"


def test_the_spec_of_the_min_replica_set_is_not_changed_by_request() -> None:
    story = Story(spec())
    other = Start(name="web", config=Table.of([("a", 1)]))
    assert story.refused(other) == MinReplicaSetContainer(name="web")


def test_only_ad_hoc_containers_at_rest_are_removed() -> None:
    story = Story(spec(), settings=FleetSettings(ad_hoc=spec("any")))
    assert story.refused(Remove(name="web")) == MinReplicaSetContainer(name="web")
    story.asked(Start(name="x"))
    assert story.refused(Remove(name="x")) == ContainerNotStopped(
        name="x", current_status="starting"
    )


def test_an_expected_revision_must_still_hold() -> None:
    story = Story(spec())
    stale = attrs.evolve(story.apply(spec()), expect_revision=7)
    assert story.refused(stale) == RevisionConflict(expected=7, found=1)
    assert story.asked(attrs.evolve(stale, expect_revision=1)).fleet.revision == 1


def test_a_fleet_keeps_its_name() -> None:
    refusal = Story(spec()).refused(Apply(spec=FleetSpec(name="other")))
    assert refusal == invalid("fleet.name", "'demo'", "'other'")
    empty = Story().asked(Apply(spec=FleetSpec(name="other")))
    assert empty.fleet.name == "other"


def test_a_spec_that_breaks_its_own_rules_is_refused_not_raised() -> None:
    settings = FleetSettings(ad_hoc=spec("any"))
    story = Story().asked(Apply(spec=FleetSpec(name="demo", settings=settings)))
    refusal = story.refused(Start(name="x", command=("${nope}",)))
    assert isinstance(refusal, InvalidSpec)
    assert "placeholder" in refusal.message


def invalid(place: str, expected: str, found: str) -> InvalidSpec:
    return InvalidSpec(problems=(Problem(place=place, expected=expected, found=found),))


def test_what_is_wrong_with_a_start_is_said_with_its_place() -> None:
    story = Story()
    name = "a name of a-z, 0-9, '.', '_' and '-', at most 63 long"
    assert story.refused(Start(name="No Name")) == invalid("name", name, "'No Name'")
    nothing = "a spec, a command, or an [ad_hoc] template in the fleet"
    assert story.refused(Start(name="job")) == invalid("job", nothing, "none of them")
    other = Start(name="job", spec=spec("web"))
    assert story.refused(other) == invalid("spec.name", "'job'", "'web'")
    broken = story.refused(Start(name="job", command=("${unclosed",)))
    assert isinstance(broken, InvalidSpec)
    (problem,) = broken.problems
    assert (problem.place, problem.expected) == ("job", "a valid spec")
    assert "unclosed" in problem.found


def test_each_thing_that_is_asked_for_otherwise_is_a_change_of_the_declared() -> None:
    story = Story(spec()).accepted().ready()
    for other in (
        Start(name="web", spec=spec(stop_grace_ms=1)),
        Start(name="web", config=Table.of([("a", 1)])),
        Start(name="web", command=("other",)),
        Start(name="web", restart_policy=never_restart_policy()),
    ):
        assert story.refused(other) == MinReplicaSetContainer(name="web")
    same = Start(
        name="web",
        spec=spec(),
        config=spec().config,
        command=spec().command,
        restart_policy=spec().restart,
    )
    assert story.asked(same).orders() == ()


def test_a_group_is_not_given_a_second_strategy() -> None:
    def member(name: str, strategy: GroupStrategy) -> ContainerSpec:
        place = Membership(group="g", strategy=strategy, position=0)
        return spec(name, group=place)

    first, second = GroupStrategy
    story = Story(member("a", first), spec("x"))
    refused = story.refused(Start(name="b", spec=member("b", second)))
    place = "b.group.strategy"
    assert refused == invalid(place, "that of its group", "another")
    story.asked(Start(name="b", spec=member("b", first)))
    assert story.phase("b") == "Starting"
    alone = Story(spec("x")).asked(Start(name="b", spec=member("b", second)))
    assert alone.phase("b") == "Starting"
    alone.asked(Start(name="b", spec=member("b", first)))
    assert alone.container("b").spec == member("b", first)


def test_a_policy_that_is_asked_for_is_the_one_it_gets() -> None:
    start = Start(name="job", command=("run",), restart_policy=never_restart_policy())
    assert Story().asked(start).container("job").spec.restart == never_restart_policy()


def test_a_start_declares_only_another_spec_and_with_the_salt_it_has() -> None:
    story = Story().asked(Start(name="job", spec=spec("job")))
    known = attrs.evolve(story.container("job"), salt=7)
    fleet = attrs.evolve(
        story.fleet, containers=story.fleet.containers.put("job", known)
    )
    other = spec("job", stop_grace_ms=1)
    for asked, declaration in (
        (None, None),
        (spec("job"), None),
        (other, Declaration(spec=other, salt=7)),
    ):
        start = Start(name="job", spec=asked, by="ann", why="test")
        event = admit(fleet, start, at=5).unwrap()
        assert event == StartRequested(
            at=5, name="job", declaration=declaration, by="ann", why="test"
        )


def test_a_fleet_is_declared_as_it_is_written_and_what_is_known_keeps_its_salt() -> (
    None
):
    story = Story(spec())
    known = attrs.evolve(story.container(), salt=7)
    fleet = attrs.evolve(
        story.fleet, containers=story.fleet.containers.put("web", known)
    )
    settings = FleetSettings(max_concurrent_starts=3)
    asked = story.apply(spec(), spec("new"), settings=settings)
    assert admit(fleet, asked, at=5).unwrap() == SpecApplied(
        at=5,
        fleet="demo",
        settings=settings,
        declarations=(
            Declaration(spec=spec(), salt=7),
            Declaration(spec=spec("new"), salt=salt_of("demo", "new")),
        ),
    )
