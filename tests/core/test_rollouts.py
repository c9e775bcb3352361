"""A service goes from one revision to the next, within the bounds of its policy."""

from __future__ import annotations

import attrs

from orchestrator.core.dependencies import Condition
from orchestrator.core.errors import InvalidSpec
from orchestrator.core.events import Booted, FleetObserved
from orchestrator.core.exits import Exited, Slept
from orchestrator.core.fleet_specs import FleetSettings
from orchestrator.core.groups import GroupStrategy, Membership
from orchestrator.core.lineages import RolloutStatus
from orchestrator.core.loads import RollOutcome, ServiceRolled
from orchestrator.core.notify import NoticeKind, Notify
from orchestrator.core.requests import Adopt, Start
from orchestrator.core.rollout_policies import (
    CanaryStep,
    OnFailure,
    Promotion,
    RolloutPolicy,
    Share,
)
from orchestrator.core.service_events import AdoptRequested
from orchestrator.core.table import Table
from orchestrator.core.wake import wake_at_fleet

from .examples import spec
from .rolling import Rolling, policy, served, told

HOLD = OnFailure.HOLD


def test_a_rollout_in_place_keeps_the_names_and_the_bounds() -> None:
    story = told(4, policy())
    story.told(served(4, "two", policy())).goes_on()
    assert story.status() is RolloutStatus.DONE
    assert story.images() == [(f"web-{i}", "two") for i in range(4)]
    assert (story.least, story.most) == (3, 4)
    assert story.rollout.reason == "4 replicas are of revision 2, and ready"
    assert (story.lineage.serving, story.lineage.good) == (2, 2)


def test_with_a_surge_nothing_is_missing_and_one_runs_beside() -> None:
    bounds = policy(max_unavailable=Share(0), max_surge=Share(1))
    story = told(3, bounds)
    story.told(served(3, "two", bounds)).goes_on()
    assert story.status() is RolloutStatus.DONE
    assert (story.least, story.most) == (3, 4)
    assert story.images() == [(f"web-{i}.r2", "two") for i in range(3)]
    story.told(served(3, "three", bounds)).goes_on()
    assert story.images() == [(f"web-{i}", "three") for i in range(3)]


def test_blue_green_makes_all_beside_then_lets_the_old_ones_go() -> None:
    bounds = policy(strategy="blue_green", keep_old_ms=30_000)
    story = told(3, bounds)
    story.told(served(3, "two", bounds)).goes_on(
        lambda it: it.status() is RolloutStatus.SOAKING
    )
    assert len(story.images()) == 6
    story.goes_on()
    assert story.status() is RolloutStatus.DONE
    assert (story.least, story.most) == (3, 6)


def test_recreate_stops_all_before_one_starts() -> None:
    bounds = policy(strategy="recreate")
    story = told(3, bounds)
    story.told(served(3, "two", bounds)).goes_on()
    assert story.status() is RolloutStatus.DONE
    assert story.least == 0
    assert story.images() == [(f"web-{i}", "two") for i in range(3)]


def test_a_revision_that_crashes_goes_back_to_the_good_one() -> None:
    story = told(4, policy())
    story.is_broken = lambda each: each.spec.image == "two"
    story.told(served(4, "two", policy())).goes_on(
        lambda it: it.status() is RolloutStatus.REVERTED
    )
    assert "more than 3: web-0: exit 1; 4 replicas" in story.rollout.reason
    assert story.images() == [(f"web-{i}", "one") for i in range(4)]
    assert story.least == 3


def test_who_crashes_when_it_had_counted_is_waited_for_again() -> None:
    rollout = policy(strategy="canary", steps=(CanaryStep(share=Share(1)),))
    rollout = attrs.evolve(rollout, promote=Promotion.MANUAL)
    story = told(2, rollout)
    story.told(served(2, "two", story.fleet.services["web"].rollout))
    story.goes_on(lambda it: it.status() is RolloutStatus.AWAITING_PROMOTION)
    story.ended(name="web-0")
    roster = story.rollout.roster
    assert (list(roster.counted), list(roster.moved)) == ([], ["web-0"])
    assert (story.rollout.failures, story.rollout.trouble) == (1, "web-0: exit 1")
    story.goes_on()
    assert list(story.rollout.roster.counted) == ["web-0"]


def test_one_that_is_never_ready_fails_by_its_deadline() -> None:
    rollout = policy(failure_budget=Share(0))
    story = told(2, rollout)
    story.is_slow = lambda each: each.spec.image == "two"
    story.told(served(2, "two", rollout, start_timeout_ms=900_000))
    story.goes_on(lambda it: it.status() is RolloutStatus.REVERTING)
    expected = "web-0 was not ready for long enough in 1m"
    assert story.rollout.reason.endswith(expected)
    assert story.goes_on().status() is RolloutStatus.REVERTED


def test_no_progress_for_too_long_is_a_failure() -> None:
    rollout = policy(
        progress_deadline_ms=50_000, container_deadline_ms=600_000, on_failure=HOLD
    )
    story = told(2, rollout)
    story.is_slow = lambda each: each.spec.image == "two"
    story.told(served(2, "two", rollout, start_timeout_ms=900_000))
    assert wake_at_fleet(story.fleet) == story.fleet.at + 50_000
    story.goes_on(lambda it: it.status() is RolloutStatus.HELD)
    assert story.rollout.reason == (
        "no progress for 50s: 0 of 2 replicas are new and ready"
    )
    assert story.lineage.serving == 1


def test_without_a_good_revision_a_failed_rollout_is_held() -> None:
    rollout = policy(failure_budget=Share(0))
    story = Rolling().told(served(2, rollout=rollout))
    story.is_broken = lambda each: each.spec.image == "two"
    story.told(served(2, "two", rollout)).goes_on(
        lambda it: it.status() is RolloutStatus.HELD
    )
    assert story.rollout.reason.endswith("no other revision is known to be good")
    assert story.lineage.good == 0


def test_a_way_back_that_fails_is_held_too() -> None:
    rollout = policy(failure_budget=Share(0))
    story = told(2, rollout)
    story.is_broken = lambda _: True
    story.told(served(2, "two", rollout)).goes_on(
        lambda it: it.status() is RolloutStatus.HELD
    )
    assert "; going back failed, too: 1 failure" in story.rollout.reason


def test_a_service_without_replicas_is_rolled_out_at_once() -> None:
    story = told(0, policy()).roll("start")
    assert (story.status(), story.rollout.reason) == (
        RolloutStatus.DONE,
        "it has no replicas",
    )
    assert not story.fleet.rolling
    story.told(served(0, "two", policy()))
    assert story.lineage.serving == 3


def test_a_paused_one_that_was_scaled_to_nothing_ends_when_it_is_resumed() -> None:
    story = told(2, policy()).told(served(2, "two", policy())).roll("pause")
    story.scaled(0).goes_on()
    assert story.status() is RolloutStatus.PAUSED
    assert story.roll("resume").status() is RolloutStatus.DONE


def test_a_way_back_of_a_service_without_replicas_is_over_too() -> None:
    story = told(2, policy()).told(served(2, "two", policy())).roll("abort")
    story.scaled(0)
    assert story.status() is RolloutStatus.REVERTED
    assert story.rollout.reason == "it was aborted by ann; it has no replicas"


def test_an_abort_starts_again_whom_the_rollout_has_stopped() -> None:
    rollout = policy(strategy="recreate")
    story = told(3, rollout).told(served(3, "two", rollout))
    assert len(story.rollout.roster.drained) == 3
    assert story.container("web-0").desired.by == "rollout"
    story.roll("abort").goes_on()
    assert story.status() is RolloutStatus.REVERTED
    assert story.images() == [(f"web-{i}", "one") for i in range(3)]
    assert all(each.desired.running for each in story.fleet.containers.values())


def test_a_rollout_that_takes_the_place_of_a_recreate_starts_them_too() -> None:
    rollout = policy(strategy="recreate")
    story = told(3, rollout).told(served(3, "two", rollout))
    story.goes_on(lambda it: it.phase("web-0") == "Stopped")
    story.told(served(3, "three", policy())).goes_on()
    assert story.images() == [(f"web-{i}", "three") for i in range(3)]
    assert all(each.desired.running for each in story.fleet.containers.values())


def test_a_drained_one_that_its_owner_starts_is_drained_again() -> None:
    rollout = policy(strategy="recreate")
    story = told(2, rollout).told(served(2, "two", rollout))
    story.asked(Start(name="web-0"))
    story.goes_on()
    assert story.status() is RolloutStatus.DONE
    assert story.images() == [("web-0", "two"), ("web-1", "two")]


def sleepers(rollout: RolloutPolicy) -> Rolling:
    """Return a service whose replicas may sleep."""
    first = served(2, "one", rollout, keep_alive=False)
    return Rolling().told(first).goes_on().watched()


def test_those_that_are_asleep_or_done_count() -> None:
    story = sleepers(policy())
    story.ended(Slept(), name="web-0").ended(Exited(code=0), name="web-1")
    assert (story.phase("web-0"), story.phase("web-1")) == ("Asleep", "Completed")
    story.watched().told(served(2, "two", policy(), keep_alive=False))
    assert story.rollout.roster.available == 1
    story.goes_on(lambda it: it.phase("web-0") == "Running")
    story.ended(Exited(code=0), name="web-0")
    assert "web-0" in story.rollout.roster.counted
    assert story.goes_on().status() is RolloutStatus.DONE


def test_one_that_is_asleep_and_needed_is_waited_for() -> None:
    story = sleepers(policy(strategy="canary", steps=(CanaryStep(share=Share(1)),)))
    story.told(served(2, "two", story.fleet.services["web"].rollout, keep_alive=False))
    story.goes_on(lambda it: it.phase("web-0") == "Running")
    story.ended(Slept(), name="web-0")
    assert list(story.rollout.roster.counted) == ["web-0"]
    needs = Table.of([("web", Condition.READY)])
    story.asked(Start(name="job", spec=spec("job", depends_on=needs)))
    assert story.phase("web-0") in {"Pending", "Starting"}
    assert list(story.rollout.roster.moved)[:1] == ["web-0"]


def test_nothing_moves_before_the_platform_was_seen() -> None:
    story = told(2, policy())
    story.happens(Booted(at=story.fleet.at, epoch=2, rules=3, fences=True))
    story.told(served(2, "two", policy()))
    assert {image for _, image in story.images()} == {"one"}
    story.look()
    assert story.images() == [("web-0", "two"), ("web-1", "one")]


def test_the_end_of_a_rollout_is_told() -> None:
    notify = Notify(url="https://receiver.invalid/")
    calm = Notify(url="https://receiver.invalid/", events=(NoticeKind.FAILED,))
    for asked, expected in ((notify, 1), (calm, 0)):
        settings = FleetSettings(max_concurrent_starts=100, notify=asked)
        first = attrs.evolve(served(2, rollout=policy()), settings=settings)
        story = Rolling().told(first).goes_on()
        second = attrs.evolve(served(2, "two", policy()), settings=settings)
        story.told(second).goes_on()
        told_of = list(story.fleet.notices.open.values())
        assert len(told_of) == expected
        for notice in told_of:
            assert (notice.kind, notice.name) == (NoticeKind.ROLLOUT_FINISHED, "web")
            assert (notice.run, notice.rule) == (0, None)
            assert notice.why == "done: 2 replicas are of revision 2, and ready"


def test_members_of_a_group_that_wait_for_one_that_was_moved_wait_no_more() -> None:
    group = Membership(group="g", strategy=GroupStrategy.ONE_FOR_ALL, position=0)
    story = told(2, policy())
    story.told(served(2, "one", policy(), group=group)).goes_on()
    story.is_broken = lambda each: each.spec.image == "one"
    story.ended(name="web-0")
    story.goes_on(lambda it: it.phase("web-1") == "BackingOff")
    story.told(served(2, "two", policy(), group=group)).goes_on()
    assert story.status() is RolloutStatus.DONE


def test_who_is_claimed_is_waited_for_until_a_look_has_compared_it() -> None:
    story = told(1, policy())
    story.happens(
        FleetObserved(
            at=story.fleet.at, complete=True, strangers=Table.of([("web-1", 7)])
        )
    )
    story.asked(Adopt(name="web-1"))
    story.roll("start")
    assert (story.phase("web-1"), story.container("web-1").generation) == (
        "Unknown",
        2,
    )
    assert list(story.rollout.roster.moved) == ["web-1"]


def test_a_stranger_with_the_index_of_a_replica_is_not_adopted_beside_it() -> None:
    surge = policy(max_unavailable=Share(0), max_surge=Share(1))
    story = told(2, surge).told(served(2, "two", surge)).goes_on()
    strangers = Table.of([("web-0", 9), ("web-2", 9)])
    story.happens(FleetObserved(at=story.fleet.at, complete=True, strangers=strangers))
    refusal = story.refused(Adopt(name="web-0"))
    assert isinstance(refusal, InvalidSpec)
    assert refusal.problems[0].expected == "an index of 'web' that no replica has"
    event = story.admitted(Adopt(name="web-2"))
    assert isinstance(event, AdoptRequested)
    assert event.declaration.spec.image == "two"
    story.happens(event)
    assert story.container("web-2").generation == 2
    crafted = attrs.evolve(
        event,
        name="web-0",
        declaration=attrs.evolve(
            event.declaration,
            spec=attrs.evolve(event.declaration.spec, name="web-0", replica=0),
        ),
    )
    before = story.fleet.ignored
    assert story.happens(crafted).fleet.ignored == before + 1


def test_the_platforms_part_of_a_rollout_is_waited_for() -> None:
    def prepared() -> Rolling:
        story = told(2, policy(on_failure=HOLD))
        booted = Booted(at=story.fleet.at, epoch=2, rules=3, fences=True, rolls=True)
        story.happens(booted)
        story.look().told(served(2, "two", policy(on_failure=HOLD)))
        assert story.status() is RolloutStatus.PREPARING
        return story

    def says(story: Rolling, outcome: RollOutcome) -> Rolling:
        event = ServiceRolled(
            at=story.fleet.at, service="web", revision=2, outcome=outcome, cause="no"
        )
        return story.happens(event)

    done = says(prepared(), RollOutcome.DONE).goes_on()
    assert done.status() is RolloutStatus.DONE
    failed = says(prepared(), RollOutcome.FAILED)
    assert (failed.status(), failed.rollout.reason) == (RolloutStatus.HELD, "no")
    stuck = prepared().goes_on(lambda it: it.status() is RolloutStatus.HELD)
    assert stuck.rollout.reason.startswith("no progress for 2m: ")
