"""Groups: who is taken along, who waits for whom, and who lets them go."""

from __future__ import annotations

import attrs
import pytest

from orchestrator.core import companions
from orchestrator.core.backoff import Backoff
from orchestrator.core.commands import StartContainer, StopContainer
from orchestrator.core.errors import NoCapacity, StartNeedsForce
from orchestrator.core.events import (
    Booted,
    CommandFailed,
    CommandKind,
    ContainerErrored,
    ContainerObserved,
    Event,
    FleetObserved,
)
from orchestrator.core.exit_rules import Codes, ExitAction, ExitKind, ExitRule, Kinds
from orchestrator.core.exits import (
    Exit,
    Exited,
    GroupEnded,
    Lost,
    RolledOut,
    Slept,
)
from orchestrator.core.fleet_specs import FleetSettings
from orchestrator.core.groups import MEMBERS_MAX, GroupStrategy, Membership
from orchestrator.core.observations import SeenEnded, SeenRunning
from orchestrator.core.phases import BackingOff, CrashLooping, Pending, Rule, Stopping
from orchestrator.core.policies import CrashLimit, OnLoop, RestartPolicy, When
from orchestrator.core.reduce import fold
from orchestrator.core.requests import (
    ClearCrashHistory,
    Remove,
    Request,
    Restart,
    Start,
    Stop,
)
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.state import empty_fleet
from orchestrator.core.wake import wake_at

from .examples import NO_JITTER, SETTINGS, Story, spec

ALL, REST = GroupStrategy.ONE_FOR_ALL, GroupStrategy.REST_FOR_ONE
HOLDS = attrs.evolve(
    NO_JITTER, crash=CrashLimit(allowed_crashes=0, on_loop=OnLoop.HOLD)
)
COOLS = attrs.evolve(
    NO_JITTER, crash=CrashLimit(allowed_crashes=0, on_loop=OnLoop.COOLDOWN)
)
NEVER = attrs.evolve(NO_JITTER, when=When.NEVER)
SLOW = attrs.evolve(NO_JITTER, backoff=Backoff(initial_ms=9_000, jitter=0))
COOL_UNTIL = 1_000 + COOLS.crash.window_ms


def place(position: int, strategy: GroupStrategy = ALL, group: str = "g") -> Membership:
    return Membership(group=group, strategy=strategy, position=position)


def member(
    name: str,
    position: int,
    strategy: GroupStrategy = ALL,
    policy: RestartPolicy = NO_JITTER,
) -> ContainerSpec:
    return spec(name, policy, group=place(position, strategy))


def running(*specs: ContainerSpec, settings: FleetSettings = SETTINGS) -> Story:
    story = Story(*specs, settings=settings)
    for one in specs:
        story.accepted(one.name).ready(one.name)
    return story


def three(
    strategy: GroupStrategy = ALL,
    policy: RestartPolicy = NO_JITTER,
    settings: FleetSettings = SETTINGS,
) -> Story:
    """Run a, b and c of one group; *policy* is the one of b."""
    return running(
        member("a", 0, strategy),
        member("b", 1, strategy, policy),
        member("c", 2, strategy),
        settings=settings,
    )


def phases(story: Story) -> dict[str, str]:
    names = list(story.fleet.containers)
    return {name: story.phase(name) for name in names}


def taken(story: Story) -> set[str]:
    return {order.name for order in story.orders() if isinstance(order, StopContainer)}


def started(story: Story) -> set[str]:
    return {order.name for order in story.orders() if isinstance(order, StartContainer)}


def held(story: Story, name: str) -> bool:
    phase = story.container(name).phase
    return isinstance(phase, CrashLooping) and phase.rule is Rule.GROUP_HELD


def down(
    policy: RestartPolicy = HOLDS,
    strategy: GroupStrategy = ALL,
    settings: FleetSettings = SETTINGS,
) -> Story:
    """End b for good (or for a while), and the others with it."""
    story = three(strategy, policy, settings).ended(name="b", at=1_000)
    for name in sorted(taken(story)):
        story.ended(Exited(code=143), name=name, at=1_010)
    return story


class TestWhoIsTaken:
    @pytest.mark.parametrize(
        ("strategy", "by", "expected"),
        [
            (ALL, "a", {"b", "c"}),
            (ALL, "b", {"a", "c"}),
            (ALL, "c", {"a", "b"}),
            (REST, "a", {"b", "c"}),
            (REST, "b", {"c"}),
            (REST, "c", set()),
        ],
    )
    def test_the_strategy_says_whom_a_member_takes_along(
        self, strategy: GroupStrategy, by: str, expected: set[str]
    ) -> None:
        story = three(strategy).ended(name=by, at=1_000)
        assert taken(story) == expected
        for name in expected:
            phase = story.container(name).phase
            assert isinstance(phase, Stopping)
            assert phase.verdict == GroupEnded(group="g", by=by, restart_at=2_000)
            assert story.container(name).changed_at == 1_000

    def test_nobody_of_another_group_or_of_none_is_taken(self) -> None:
        elsewhere = spec("x", group=place(1, group="h"))
        story = running(member("a", 0), elsewhere, spec("y"))
        assert taken(story.ended(name="a", at=1_000)) == set()
        assert taken(story.ended(name="y", at=1_001)) == set()

    def test_replicas_of_a_service_share_a_position(self) -> None:
        replicas = [member("b-0", 1, REST), member("b-1", 1, REST)]
        story = running(member("a", 0, REST), *replicas, member("c", 2, REST))
        assert taken(story.ended(name="b-0", at=1_000)) == {"c"}
        replicas = [member("b-0", 1), member("b-1", 1)]
        story = running(member("a", 0), *replicas)
        assert taken(story.ended(name="b-0", at=1_000)) == {"a", "b-1"}

    @pytest.mark.parametrize("exit_", [RolledOut(), Slept(), NoCapacity()])
    def test_an_end_that_is_not_its_own_doing_concerns_nobody_else(
        self, exit_: Exit
    ) -> None:
        story = three().ended(exit_, name="b", at=1_000)
        assert phases(story)["a"] == phases(story)["c"] == "Running"
        assert story.phase("b") == "BackingOff"

    @pytest.mark.parametrize("request_", [Stop(name="b"), Restart(name="b")])
    def test_a_requested_end_concerns_nobody_else(self, request_: Request) -> None:
        story = three().asked(request_, at=900)
        assert taken(story) == {"b"}
        story.ended(Exited(code=1), name="b", at=1_000)
        assert phases(story)["a"] == phases(story)["c"] == "Running"

    def test_a_lack_of_capacity_concerns_nobody_else(self) -> None:
        story = running(member("a", 0))
        story.asked(story.apply(member("a", 0), member("b", 1)))
        error = CommandFailed(
            at=1_000, name="b", run=1, kind=CommandKind.START, error=NoCapacity()
        )
        assert taken(story.happens(error)) == set()

    def test_work_that_is_done_concerns_nobody_else(self) -> None:
        story = three().ended(Exited(code=0), name="b", at=1_000)
        assert phases(story) == {"a": "Running", "b": "Completed", "c": "Running"}

    def test_a_rule_that_completes_or_restarts_is_heard(self) -> None:
        def ruled(action: ExitAction) -> RestartPolicy:
            rule = ExitRule(match=Codes(values=(1,)), action=action)
            return attrs.evolve(NO_JITTER, exit_rules=(rule,))

        done = three(policy=ruled(ExitAction.COMPLETE)).ended(name="b", at=1_000)
        assert phases(done) == {"a": "Running", "b": "Completed", "c": "Running"}
        again = three(policy=ruled(ExitAction.IGNORE)).ended(name="b", at=1_000)
        assert taken(again) == {"a", "c"}
        failed = three(policy=ruled(ExitAction.FAIL)).ended(name="b", at=1_000)
        assert taken(failed) == {"a", "c"}

    def test_one_that_is_given_up_for_an_obstacle_takes_along(self) -> None:
        match = Kinds(values=(ExitKind.NO_CAPACITY,))
        rule = ExitRule(match=match, action=ExitAction.FAIL)
        strict = attrs.evolve(NO_JITTER, exit_rules=(rule,))
        story = three(policy=strict).ended(NoCapacity(), name="b", at=1_000)
        assert story.phase("b") == "Failed"
        assert taken(story) == {"a", "c"}

    def test_a_clean_end_that_is_restarted_takes_along(self) -> None:
        always = attrs.evolve(NO_JITTER, when=When.ALWAYS)
        story = three(policy=always).ended(Exited(code=0), name="b", at=1_000)
        assert taken(story) == {"a", "c"}

    def test_one_that_starts_again_at_once_takes_along(self) -> None:
        soon = attrs.evolve(NO_JITTER, when=When.ALWAYS, min_interval_ms=0)
        settings = FleetSettings(min_restart_delay_ms=0)
        story = three(policy=soon, settings=settings)
        story.ended(Exited(code=0), name="b", at=1_000)
        assert taken(story) == {"a", "c"}
        verdict = GroupEnded(group="g", by="b", restart_at=1_000)
        phase = story.container("a").phase
        assert isinstance(phase, Stopping)
        assert phase.verdict == verdict
        story.ended(name="a", at=1_500)
        assert story.phase("a") == "Starting"

    @pytest.mark.parametrize("policy", [HOLDS, COOLS, NEVER])
    def test_one_that_is_down_takes_along(self, policy: RestartPolicy) -> None:
        assert taken(three(policy=policy).ended(name="b", at=1_000)) == {"a", "c"}


class TestTogether:
    def test_they_start_again_when_it_does(self) -> None:
        story = three().ended(name="b", at=1_000)
        story.ended(Exited(code=1), name="a", at=1_100)
        story.ended(Exited(code=0), name="c", at=1_200)
        for name, ended in (("a", 1_100), ("c", 1_200)):
            assert story.container(name).phase == BackingOff(
                since=ended,
                until=2_000,
                rule=Rule.GROUP_RESTART,
                waits_for="b",
                not_before=ended + SETTINGS.min_restart_delay_ms,
            )
            assert story.container(name).history.crashes_total == 0
            assert story.container(name).history.attempts == 0
        found = [started(story.time(2_000, name)) for name in ("a", "b", "c")]
        assert set.union(*found) == {"a", "b", "c"}

    def test_one_that_takes_long_to_end_starts_right_after(self) -> None:
        story = three().ended(name="b", at=1_000).time(2_000, "b")
        assert phases(story) == {"a": "Stopping", "b": "Starting", "c": "Stopping"}
        story.ended(name="a", at=5_000)
        phase = story.container("a").phase
        assert isinstance(phase, BackingOff)
        assert phase.until == 5_000 + SETTINGS.min_restart_delay_ms

    def test_a_cooldown_is_kept_by_all(self) -> None:
        story = down(COOLS)
        for name in ("a", "c"):
            phase = story.container(name).phase
            assert isinstance(phase, BackingOff)
            assert phase.until == 1_000 + COOLS.crash.window_ms
            assert wake_at(story.container(name), fences=True) == phase.until

    @pytest.mark.parametrize("policy", [HOLDS, NEVER])
    def test_one_that_is_given_up_or_held_holds_the_others(
        self, policy: RestartPolicy
    ) -> None:
        story = down(policy)
        assert held(story, "a")
        assert held(story, "c")
        for name in ("a", "c"):
            assert wake_at(story.container(name), fences=True) is None
            assert started(story.time(10**8, name)) == set()

    def test_the_end_of_a_companion_takes_nobody_along(self) -> None:
        story = three().ended(name="b", at=1_000)
        story.ended(Exited(code=1), name="a", at=1_100)
        assert taken(story) == set()
        assert story.phase("b") == "BackingOff"

    def test_what_its_owner_stopped_stays_stopped(self) -> None:
        story = three().asked(Stop(name="c"), at=900)
        story.ended(name="b", at=1_000)
        assert taken(story) == {"a"}
        story.ended(name="c", at=1_100)
        assert story.phase("c") == "Stopped"
        story.time(2_000, "b").time(2_000, "c")
        assert story.phase("c") == "Stopped"

    def test_one_that_is_stopped_while_it_is_taken_along_rests(self) -> None:
        story = three().ended(name="b", at=1_000).asked(Stop(name="a"), at=1_001)
        story.ended(name="a", at=1_100)
        assert story.phase("a") == "Stopped"


class TestWhoeverIsNotRunning:
    def test_one_that_waits_for_a_slot_waits_as_long(self) -> None:
        narrow = FleetSettings(max_concurrent_starts=1)
        story = Story(member("a", 0), member("b", 1), settings=narrow)
        assert phases(story) == {"a": "Starting", "b": "Pending"}
        story.accepted("a").ended(name="a", at=1_000)
        assert story.container("b").phase == BackingOff(
            since=1_000,
            until=2_000,
            rule=Rule.GROUP_RESTART,
            waits_for="a",
            not_before=1_000,
        )
        assert story.fleet.waiting.first() is None

    def test_one_that_waits_for_a_slot_is_held(self) -> None:
        narrow = FleetSettings(max_concurrent_starts=1)
        first = member("a", 0, policy=NEVER)
        story = Story(first, member("b", 1), settings=narrow)
        story.accepted("a").ended(name="a", at=1_000)
        assert held(story, "b")
        story.asked(Start(name="a", force=True), at=2_000).accepted("a").ready("a")
        assert story.phase("b") == "Starting"

    def test_one_that_starts_is_taken_along(self) -> None:
        story = Story(member("a", 0), member("b", 1)).accepted("a").accepted("b")
        assert taken(story.ended(name="a", at=1_000)) == {"b"}

    def test_one_that_is_out_of_sight_is_taken_along(self) -> None:
        story = running(member("a", 0), member("b", 1))
        story.happens(ContainerErrored(at=500, name="b", run=1, cause="cut off"))
        assert taken(story.ended(name="a", at=1_000)) == {"b"}
        story.happens(ContainerErrored(at=1_001, name="b", run=1, cause="cut off"))
        story.ended(Lost(), name="b", at=1_002)
        assert story.container("b").history.crashes_total == 0

    def test_a_wait_is_made_longer_and_never_shorter(self) -> None:
        story = three().ended(RolledOut(), name="c", at=1_000)
        story.ended(name="b", at=1_050)
        assert story.container("c").phase == BackingOff(
            since=1_000,
            until=2_050,
            rule=Rule.GROUP_RESTART,
            waits_for="b",
            not_before=1_100,
        )
        slow = attrs.evolve(NO_JITTER, backoff=Backoff(initial_ms=9_000, jitter=0))
        story = running(member("b", 0), member("c", 1, policy=slow))
        story.ended(NoCapacity(), name="c", at=1_000)
        before = story.container("c")
        story.ended(name="b", at=1_050)
        assert story.container("c") == before
        assert getattr(before.phase, "until", None) == 10_000

    def test_a_wait_of_the_same_length_stays_its_own(self) -> None:
        story = running(member("b", 0), member("c", 1))
        story.ended(NoCapacity(), name="c", at=1_000)
        before = story.container("c")
        story.ended(name="b", at=1_000)
        assert getattr(story.container("b").phase, "until", None) == 2_000
        assert story.container("c") == before

    def test_one_that_has_given_up_or_is_done_or_rests_is_left_alone(self) -> None:
        story = running(
            member("a", 0, REST),
            member("b", 3, REST, NEVER),
            member("c", 2, REST),
            member("d", 1, REST),
        )
        story.ended(Exited(code=0), name="c", at=900)
        story.asked(Stop(name="d"), at=910).ended(name="d", at=920)
        story.ended(name="b", at=930)
        story.ended(name="a", at=1_000)
        expected = {"a": "BackingOff", "b": "Failed", "c": "Completed", "d": "Stopped"}
        assert phases(story) == expected


class TestTwoAtOnce:
    def test_two_that_fail_at_once_both_count_and_both_come_back(self) -> None:
        story = three().ended(name="a", at=1_000)
        assert taken(story) == {"b", "c"}
        story.ended(Exited(code=1), name="b", at=1_000)
        assert story.container("a").history.attempts == 1
        assert story.container("b").history.attempts == 0, "it was being ended by us"
        story.ended(name="c", at=1_010)
        for name in ("a", "b", "c"):
            story.time(2_000, name)
        assert phases(story) == dict.fromkeys("abc", "Starting")

    def test_the_longer_wait_of_two_holds(self) -> None:
        story = running(
            member("a", 0),
            member("b", 1, policy=COOLS),
            member("c", 2),
        )
        story.ended(Exited(code=0), name="c", at=500)
        story.ended(name="a", at=1_000).ended(name="b", at=1_001)
        story.time(2_000, "a").time(2_000, "b").accepted("a").accepted("b")
        story.ready("a").ready("b").ended(name="b", at=2_500)
        story.ended(name="a", at=2_510)
        phase = story.container("a").phase
        assert isinstance(phase, BackingOff)
        assert phase.until == 2_500 + COOLS.crash.window_ms

    def test_one_that_is_being_ended_waits_for_the_last_that_ended(self) -> None:
        story = three(policy=HOLDS).ended(name="a", at=1_000)
        story.asked(Stop(name="b"), at=1_001).ended(name="b", at=1_002)
        story.asked(Start(name="b"), at=1_003).accepted("b").ready("b")
        story.ended(name="b", at=1_004)
        phase = story.container("c").phase
        assert isinstance(phase, Stopping)
        assert phase.verdict == GroupEnded(group="g", by="b", restart_at=None)
        assert taken(story) == set(), "it was asked to stop before"
        story.ended(name="c", at=1_100)
        assert held(story, "c")
        assert held(story, "a")

    def test_one_that_is_being_ended_keeps_the_longer_wait(self) -> None:
        story = running(member("a", 0, policy=COOLS), member("b", 1), member("c", 2))
        story.ended(name="a", at=1_000)
        story.asked(Stop(name="b"), at=1_001).ended(name="b", at=1_002)
        story.asked(Start(name="b"), at=1_003).accepted("b").ready("b")
        before = story.container("c")
        story.ended(name="b", at=1_004)
        assert story.container("c") == before
        phase = before.phase
        assert isinstance(phase, Stopping)
        until = 1_000 + COOLS.crash.window_ms
        assert phase.verdict == GroupEnded(group="g", by="a", restart_at=until)

    def test_one_that_waits_for_one_that_is_held_is_held_too(self) -> None:
        story = down()
        story.asked(Start(name="c", force=True), at=2_000).accepted("c").ready("c")
        assert held(story, "a")
        story.asked(Stop(name="c"), at=2_100)
        assert held(story, "a")

    def test_one_that_is_held_already_stays_with_the_one_that_holds_it(self) -> None:
        story = down()
        before = story.container("a")
        story.asked(Start(name="c", force=True), at=2_000)
        assert story.phase("c") == "Starting"
        story.accepted("c").ready("c").ended(name="c", at=3_000)
        assert story.container("a") == before


class TestOneThatFailsWhileAnotherIsDown:
    def again(self, name: str, policy: RestartPolicy) -> Story:
        """Start one by name while b is down, and let it fail."""
        story = down(policy).asked(Start(name=name, force=True), at=2_000)
        return story.accepted(name).ready(name).ended(name=name, at=3_000)

    @pytest.mark.parametrize("name", ["a", "c"])
    @pytest.mark.parametrize(("policy", "until"), [(SLOW, 10_000), (COOLS, COOL_UNTIL)])
    def test_waits_as_long_and_remembers_its_own_wait(
        self, name: str, policy: RestartPolicy, until: int
    ) -> None:
        assert self.again(name, policy).container(name).phase == BackingOff(
            since=3_000,
            until=until,
            rule=Rule.GROUP_RESTART,
            waits_for="b",
            not_before=4_000,
        )

    @pytest.mark.parametrize("name", ["a", "c"])
    @pytest.mark.parametrize("policy", [HOLDS, NEVER])
    def test_is_held_by_one_that_is_held_or_given_up(
        self, name: str, policy: RestartPolicy
    ) -> None:
        assert self.again(name, policy).container(name).phase == CrashLooping(
            since=3_000,
            until=None,
            rule=Rule.GROUP_HELD,
            waits_for="b",
            not_before=4_000,
        )

    def test_waits_even_if_it_would_have_started_again_at_once(self) -> None:
        soon = attrs.evolve(NO_JITTER, when=When.ALWAYS, min_interval_ms=0)
        story = running(
            member("b", 0, policy=COOLS),
            member("c", 1, policy=soon),
            settings=FleetSettings(min_restart_delay_ms=0),
        )
        story.ended(name="b", at=1_000).ended(name="c", at=1_010)
        story.asked(Start(name="c", force=True), at=2_000).accepted("c").ready("c")
        story.ended(Exited(code=0), name="c", at=3_000)
        assert story.container("c").phase == BackingOff(
            since=3_000,
            until=COOL_UNTIL,
            rule=Rule.GROUP_RESTART,
            waits_for="b",
            not_before=3_000,
        )

    def test_does_not_wait_for_one_that_would_not_take_it_along(self) -> None:
        story = three(REST, COOLS).ended(name="b", at=1_000).ended(name="a", at=1_500)
        alone = BackingOff(since=1_500, until=2_500, rule=Rule.FAILURE_BACKOFF)
        assert story.container("a").phase == alone

    def test_makes_those_wait_longer_that_waited_before(self) -> None:
        story = three(policy=COOLS).ended(name="a", at=1_000)
        story.ended(name="b", at=1_010).ended(name="c", at=1_010)
        story.asked(Start(name="b", force=True), at=1_100).accepted("b").ready("b")
        story.ended(name="b", at=1_200)
        until = 1_200 + COOLS.crash.window_ms
        for name, ended, own in (("a", 1_000, 2_000), ("c", 1_010, 1_110)):
            assert story.container(name).phase == BackingOff(
                since=ended,
                until=until,
                rule=Rule.GROUP_RESTART,
                waits_for="b",
                not_before=own,
            )

    def test_keeps_those_with_it_that_it_took_along_itself(self) -> None:
        story = down()
        for name in ("a", "c"):
            story.asked(Start(name=name, force=True), at=2_000)
            story.accepted(name).ready(name)
        story.ended(name="a", at=3_000).ended(name="c", at=3_010)
        waits = {name: story.container(name).phase for name in ("a", "c")}
        assert {
            name: getattr(phase, "waits_for", None) for name, phase in waits.items()
        } == {"a": "b", "c": "a"}
        specs = (member("a", 0), member("b", 1, policy=HOLDS), member("c", 2))
        story.asked(story.apply(*specs), at=4_000)
        assert story.orders() == ()
        assert {name: story.container(name).phase for name in ("a", "c")} == waits
        story.asked(ClearCrashHistory(name="b"), at=5_000)
        assert started(story) == {"a", "b", "c"}


class TestLettingGo:
    @pytest.mark.parametrize("policy", [HOLDS, NEVER])
    @pytest.mark.parametrize(
        "request_",
        [
            Start(name="b", force=True),
            ClearCrashHistory(name="b"),
            Start(name="b", command=("run", "another")),
        ],
    )
    def test_they_start_when_the_one_that_held_them_is_brought_back(
        self, policy: RestartPolicy, request_: Request
    ) -> None:
        story = down(policy)
        if isinstance(request_, Start) and request_.command is not None:
            specs = (
                member("a", 0),
                spec("b", policy, group=place(1), command=("run", "another")),
                member("c", 2),
            )
            story.asked(story.apply(*specs), at=2_000)
        else:
            story.asked(request_, at=2_000)
        assert started(story) == {"a", "b", "c"}

    def test_a_cooldown_that_is_cut_short_lets_the_others_go(self) -> None:
        story = down(COOLS).asked(Start(name="b", force=True), at=2_000)
        assert started(story) == {"a", "b", "c"}

    def test_a_wait_that_is_cut_short_lets_the_others_go(self) -> None:
        story = down(NO_JITTER).asked(Start(name="b", force=True), at=1_500)
        assert started(story) == {"a", "b", "c"}

    def test_one_that_has_a_wait_of_its_own_keeps_it_when_it_is_let_go(self) -> None:
        slow = attrs.evolve(NO_JITTER, backoff=Backoff(initial_ms=9_000, jitter=0))
        story = running(member("b", 0, policy=HOLDS), member("c", 1, policy=slow))
        story.ended(NoCapacity(), name="c", at=1_000).ended(name="b", at=1_050)
        assert held(story, "c")
        story.asked(Start(name="b", force=True), at=2_000)
        assert story.container("c").phase == BackingOff(
            since=1_000, until=10_000, rule=Rule.GROUP_RESTART
        )
        assert started(story.time(9_999, "c")) == set()
        assert started(story.time(10_000, "c")) == {"c"}

    def test_one_whose_own_wait_ends_as_it_is_let_go_starts_then(self) -> None:
        story = running(member("b", 0, policy=HOLDS), member("c", 1, policy=SLOW))
        story.ended(NoCapacity(), name="c", at=1_000).ended(name="b", at=1_050)
        story.asked(Start(name="b", force=True), at=10_000)
        assert started(story) == {"b", "c"}

    def test_one_that_is_let_go_says_so_while_it_waits_for_a_slot(self) -> None:
        narrow = FleetSettings(max_concurrent_starts=1)
        story = Story(member("a", 0, policy=NEVER), member("b", 1), settings=narrow)
        story.accepted("a").ended(name="a", at=1_000)
        story.asked(Start(name="a", force=True), at=2_000)
        assert story.container("b").phase == Pending(
            since=2_000, rule=Rule.GROUP_RESTART
        )

    @pytest.mark.parametrize(("policy", "until"), [(SLOW, 10_000), (COOLS, COOL_UNTIL)])
    def test_one_whose_wait_is_over_holds_nobody_before_it_has_moved_itself(
        self, policy: RestartPolicy, until: int
    ) -> None:
        old = SeenEnded(exit=Lost())
        story = down(policy)
        event = ContainerObserved(at=until - 1, name="b", run=7, sight=old)
        assert started(story.happens(event)) == set()
        event = ContainerObserved(at=until, name="b", run=8, sight=old)
        assert started(story.happens(event)) == {"a", "c"}

    def test_news_of_one_that_stays_down_move_nobody_else(self) -> None:
        """The last of three is down; the second ends late, for the first."""
        story = three(REST).ended(name="a", at=1_000).ended(name="c", at=1_010)
        story.time(2_000, "a").accepted("a").ready("a").accepted("c").ready("c")
        story.ended(name="c", at=3_000).ended(name="b", at=3_010)
        before = story.container("b")
        assert before.phase == BackingOff(
            since=3_010,
            until=3_110,
            rule=Rule.GROUP_RESTART,
            waits_for="a",
            not_before=3_110,
        )
        old = SeenEnded(exit=Lost())
        story.happens(ContainerObserved(at=3_050, name="c", run=9, sight=old))
        assert story.container("c").run == 9
        assert story.container("b") == before

    def test_those_that_are_still_being_ended_start_right_after(self) -> None:
        story = three(policy=HOLDS).ended(name="b", at=1_000)
        story.asked(Start(name="b", force=True), at=1_500)
        assert started(story) == {"b"}
        phase = story.container("a").phase
        assert isinstance(phase, Stopping)
        verdict = GroupEnded(group="g", by="b", restart_at=1_500)
        assert phase.verdict == verdict
        story.ended(name="a", at=1_600)
        phase = story.container("a").phase
        assert isinstance(phase, BackingOff)
        assert phase.until == 1_700

    def test_they_are_let_go_when_it_is_stopped_for_good(self) -> None:
        story = down().asked(Stop(name="b"), at=2_000)
        assert started(story) == {"a", "c"}
        assert story.phase("b") == "Stopped"

    def test_they_are_let_go_when_it_leaves_the_fleet(self) -> None:
        story = down()
        story.asked(story.apply(member("a", 0), member("c", 2)), at=2_000)
        assert started(story) == {"a", "c"}
        assert "b" not in story.fleet.containers

    def test_they_are_let_go_when_it_leaves_the_group(self) -> None:
        story = down()
        alone = spec("b", HOLDS)
        story.asked(story.apply(member("a", 0), alone, member("c", 2)), at=2_000)
        assert started(story) == {"a", "b", "c"}

    def test_they_are_let_go_when_an_ad_hoc_member_is_removed(self) -> None:
        story = running(member("a", 0))
        story.asked(Start(name="z", spec=member("z", 9, policy=HOLDS)), at=500)
        story.accepted("z").ready("z").ended(name="z", at=1_000)
        story.ended(name="a", at=1_010)
        assert held(story, "a")
        story.asked(Remove(name="z"), at=2_000)
        assert started(story) == {"a"}

    def test_they_are_let_go_when_an_ad_hoc_member_leaves_the_group(self) -> None:
        story = running(member("a", 0))
        story.asked(Start(name="z", spec=member("z", 9, policy=HOLDS)), at=500)
        story.accepted("z").ready("z").ended(name="z", at=1_000)
        story.ended(name="a", at=1_010)
        story.asked(Start(name="z", spec=spec("z", HOLDS)), at=2_000)
        assert started(story) == {"a", "z"}

    def test_they_are_let_go_when_it_is_found_running(self) -> None:
        story = down(COOLS)
        event = ContainerObserved(at=2_000, name="b", run=1, sight=SeenRunning())
        story.happens(event)
        assert started(story) == {"a", "c"}

    def test_a_member_that_waits_for_another_is_not_let_go(self) -> None:
        elsewhere = spec("x", group=place(0, group="h"))
        story = down()
        story.asked(
            story.apply(
                member("a", 0), member("b", 1, policy=HOLDS), member("c", 2), elsewhere
            ),
            at=2_000,
        )
        assert held(story, "a")
        assert started(story) == {"x"}

    @pytest.mark.parametrize(
        ("policy", "phase"), [(HOLDS, "CrashLooping"), (NEVER, "Failed")]
    )
    def test_a_held_member_needs_force_and_then_starts_alone(
        self, policy: RestartPolicy, phase: str
    ) -> None:
        story = down(policy)
        expected = StartNeedsForce(name="a", current_status="crash_looping")
        assert story.refused(Start(name="a")) == expected
        assert story.refused(Restart(name="a")) == expected
        story.asked(Start(name="a", force=True), at=2_000)
        assert started(story) == {"a"}
        assert held(story, "c")
        assert story.phase("b") == phase

    def test_one_that_is_held_for_no_written_reason_follows_whoever_comes_back(
        self,
    ) -> None:
        narrow = FleetSettings(max_concurrent_starts=2)
        story = Story(
            member("a", 0, policy=NEVER),
            member("b", 1),
            member("c", 2),
            settings=narrow,
        )
        story.accepted("a").accepted("b").ended(name="a", at=1_000)
        assert held(story, "c")
        assert story.container("c").last is None
        story.ended(name="b", at=1_010)
        story.asked(ClearCrashHistory(name="a"), at=2_000)
        assert phases(story) == {"a": "Starting", "b": "Starting", "c": "Pending"}

    def test_one_whose_last_end_was_for_another_is_let_go_too(self) -> None:
        """Held while it waits to start, it remembers an older end with its group."""
        narrow = FleetSettings(max_concurrent_starts=2)
        story = Story(
            member("a", 0, policy=NEVER),
            member("b", 1),
            member("c", 2),
            settings=narrow,
        )
        story.accepted("a").ready("a").accepted("b").ready("b")
        story.accepted("c").ready("c").ended(name="b", at=1_000)
        for name in ("a", "c"):
            story.ended(name=name, at=1_010)
        for name in ("b", "a", "c"):
            story.time(2_000, name)
        assert phases(story) == {"a": "Starting", "b": "Starting", "c": "Pending"}
        story.accepted("a").ended(name="a", at=2_500)
        assert held(story, "c")
        story.ended(name="b", at=2_600).asked(Start(name="a", force=True), at=3_000)
        assert {phases(story)[name] for name in "abc"} <= {"Starting", "Pending"}


class TestOrphans:
    def test_a_new_revision_of_one_that_is_held_starts_it(self) -> None:
        story = down()
        specs = (
            spec("a", group=place(0), command=("other",)),
            member("b", 1, policy=HOLDS),
            member("c", 2),
        )
        story.asked(story.apply(*specs), at=2_000)
        assert started(story) == {"a"}
        assert held(story, "c")

    def test_the_same_file_again_lets_nobody_go(self) -> None:
        story = down()
        specs = (member("a", 0), member("b", 1, policy=HOLDS), member("c", 2))
        story.asked(story.apply(*specs), at=2_000)
        assert story.orders() == ()
        assert held(story, "a")

    def test_one_that_leaves_the_group_while_it_is_held_starts(self) -> None:
        story = down()
        specs = (spec("a"), member("b", 1, policy=HOLDS), member("c", 2))
        story.asked(story.apply(*specs), at=2_000)
        assert started(story) == {"a"}

    def test_a_group_without_members_is_gone(self) -> None:
        story = down()
        assert list(story.fleet.groups) == ["g"]
        story.asked(story.apply(spec("a"), spec("b"), spec("c")), at=2_000)
        assert list(story.fleet.groups) == []

    def test_a_group_lists_its_members_by_position_and_name(self) -> None:
        story = Story(member("d", 0), member("b", 2), member("c", 1), member("a", 2))
        places = ((0, "d"), (1, "c"), (2, "a"), (2, "b"))
        assert story.fleet.groups.get("g") == places
        story.asked(story.apply(member("d", 5), member("b", 2), spec("a")), at=9)
        assert story.fleet.groups.get("g") == ((1, "c"), (2, "b"), (5, "d"))
        story.ended(name="c", at=10)
        assert story.fleet.groups.get("g") == ((2, "b"), (5, "d"))


class TestAfterABoot:
    def test_an_operator_that_takes_over_in_the_middle_goes_on(self) -> None:
        story = three(policy=HOLDS).ended(name="b", at=1_000)
        story.ended(name="a", at=1_010)
        story.happens(Booted(at=2_000, epoch=2, rules=2, fences=True))
        story.happens(FleetObserved(at=2_001, complete=True))
        assert taken(story) == {"c"}, "the stop that nobody confirmed"
        assert held(story, "a")
        story.ended(Lost(), name="c", at=2_100)
        assert held(story, "c")
        story.asked(ClearCrashHistory(name="b"), at=3_000)
        assert started(story) == {"a", "b", "c"}

    def test_a_group_is_folded_as_it_is_reduced(self) -> None:
        story = Told(member("a", 0), member("b", 1, policy=HOLDS), member("c", 2))
        for name in "abc":
            story.accepted(name).ready(name)
        story.ended(name="b", at=1_000).ended(name="a", at=1_010)
        story.asked(ClearCrashHistory(name="b"), at=2_000)
        story.ended(name="c", at=2_010).accepted("b").ready("b")
        story.asked(Stop(name="a"), at=2_020)
        story.asked(story.apply(member("c", 1)), at=2_030)
        assert fold(empty_fleet("demo"), story.told) == story.fleet

    def test_a_look_that_finds_a_member_gone_takes_the_others_along(self) -> None:
        story = three()
        story.happens(ContainerErrored(at=500, name="b", run=1, cause="cut off"))
        story.happens(FleetObserved(at=60_500, complete=True))
        assert taken(story) == {"a", "c"}
        assert story.phase("b") == "BackingOff"


class Told(Story):
    """A story that remembers what happened."""

    def happens(self, event: Event) -> Story:
        self.told = [*getattr(self, "told", []), event]
        return super().happens(event)


def test_the_last_position_is_allowed_and_no_other() -> None:
    assert place(MEMBERS_MAX).position == MEMBERS_MAX
    for position in (-1, MEMBERS_MAX + 1):
        with pytest.raises(ValueError, match="position"):
            place(position)
    with pytest.raises(ValueError, match="group"):
        place(0, group="No Name")


def test_one_that_has_never_run_has_not_ended() -> None:
    fresh = Story(member("a", 0)).container("a")
    assert not companions._has_ended_by_itself(fresh)
