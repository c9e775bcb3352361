"""What the owner of a fleet once met in a corner of a rollout, and did not expect."""

from __future__ import annotations

import attrs
import pytest

from orchestrator.core.commands import RollService
from orchestrator.core.dependencies import Condition
from orchestrator.core.events import Booted
from orchestrator.core.exits import Slept
from orchestrator.core.lineages import Outcome, RolloutStatus
from orchestrator.core.loads import RollOutcome, ServiceRolled
from orchestrator.core.outstanding import outstanding
from orchestrator.core.planning import Masks, PlanAction, plan
from orchestrator.core.requests import Stop
from orchestrator.core.rollout_info import rollout_info
from orchestrator.core.rollout_policies import (
    CanaryStep,
    OnFailure,
    Promotion,
    RolloutPolicy,
    Share,
)
from orchestrator.core.table import Table
from orchestrator.core.wake import wake_at_fleet

from .examples import spec
from .rolling import Rolling, policy, served, told

HOLD = policy(on_failure=OnFailure.HOLD)
SOAK = policy(strategy="canary", steps=(CanaryStep(share=Share(1), soak_ms=20_000),))


def held(*images: str) -> Rolling:
    """Return a service whose last image is no good, and was held half way."""
    story = told(3, HOLD)
    story.is_broken = lambda each: each.spec.image == images[-1]
    for image in images:
        story.told(served(3, image, HOLD))
        story.goes_on(lambda it: it.rollout.ended_at is not None)
    assert story.status() is RolloutStatus.HELD
    return story


@pytest.mark.parametrize(
    ("images", "back"), [(("two",), "one"), (("two", "three"), "two")]
)
def test_an_undo_of_what_was_held_goes_back_to_what_served(
    images: tuple[str, ...], back: str
) -> None:
    story = held(*images).roll("undo")
    target = story.lineage.revision(story.rollout.target)
    assert target is not None
    assert target.template.image == back
    story.goes_on()
    assert story.status() is RolloutStatus.DONE
    assert {image for _, image in story.images()} == {back}


def test_an_undo_of_a_way_back_that_was_held_tries_it_again() -> None:
    story = told(3, policy(failure_budget=Share(0)))
    story.is_broken = lambda _: True
    story.told(served(3, "two", story.fleet.services["web"].rollout))
    story.goes_on(lambda it: it.status() is RolloutStatus.HELD)
    assert story.rollout.back_to == 1
    story.is_broken = lambda _: False
    story.roll("undo").goes_on()
    assert {image for _, image in story.images()} == {"one"}


def test_what_came_after_a_held_rollout_is_what_an_undo_begins_from() -> None:
    story = held("two", "three")
    story.told(served(3, "four")).goes_on()
    assert (story.lineage.serving, story.status()) == (4, RolloutStatus.HELD)
    story.roll("undo").goes_on()
    assert {image for _, image in story.images()} == {"two"}


def test_a_soak_does_not_end_while_who_is_watched_is_down() -> None:
    story = told(3, SOAK).told(served(3, "two", SOAK))
    story.goes_on(lambda it: it.status() is RolloutStatus.SOAKING)
    until = story.rollout.until
    assert until is not None
    story.is_slow = lambda each: each.spec.image == "two"
    story.ended(name="web-0", at=until - 500)
    story.goes_on(limit=3)
    story.time(until + 5_000, None)
    assert story.status() is RolloutStatus.SOAKING
    assert [image for _, image in story.images()].count("two") == 1
    due = wake_at_fleet(story.fleet)
    assert due is not None
    assert due > story.fleet.at
    story.ready("web-0")
    story.is_slow = lambda _: False
    assert story.status() is RolloutStatus.SOAKING
    story.goes_on()
    assert (story.status(), story.rollout.failures) == (RolloutStatus.DONE, 1)


def test_a_soak_whose_canary_stays_down_fails_by_its_deadlines() -> None:
    story = told(3, SOAK).told(served(3, "two", SOAK))
    story.goes_on(lambda it: it.status() is RolloutStatus.SOAKING)
    story.is_slow = lambda each: each.spec.image == "two"
    story.ended(name="web-0")
    story.goes_on()
    assert story.status() is RolloutStatus.REVERTED
    assert "web-0" in story.rollout.reason


def test_a_revision_is_good_though_its_owner_has_stopped_one_of_it() -> None:
    story = told(3, policy(failure_budget=Share(0)))
    story.asked(Stop(name="web-2"))
    story.goes_on()
    story.is_broken = lambda each: each.spec.image == "two"
    story.told(served(3, "two", story.fleet.services["web"].rollout))
    assert story.lineage.revisions[0].outcome is Outcome.GOOD
    story.goes_on()
    assert story.status() is RolloutStatus.REVERTED
    assert {image for _, image in story.images()} == {"one"}


def test_a_revision_of_which_all_were_stopped_is_not_good() -> None:
    story = told(2, policy())
    for name in ("web-0", "web-1"):
        story.asked(Stop(name=name))
        story.goes_on()
    story.told(served(2, "two", policy()))
    assert story.lineage.revisions[0].outcome is Outcome.UNPROVEN


def test_the_goal_follows_the_number_of_replicas() -> None:
    def goal(story: Rolling) -> int:
        info = rollout_info(story.fleet, "web", story.fleet.at)
        assert info is not None
        return info.goal

    story = told(4, policy()).told(served(4, "two", policy()))
    assert goal(story) == 4
    assert goal(story.scaled(2)) == 2
    assert goal(story.scaled(7)) == 7
    assert story.goes_on().status() is RolloutStatus.DONE
    assert goal(story) == story.rollout.goal


# The platform's part fails while nothing is to move


def prepared(bounds: RolloutPolicy) -> Rolling:
    """Return a rollout that waits for the platform."""
    story = told(2, bounds)
    at = story.fleet.at
    story.happens(Booted(at=at, epoch=2, rules=3, fences=True, rolls=True))
    story.look().told(served(2, "two", bounds))
    assert story.status() is RolloutStatus.PREPARING
    return story


def fails(story: Rolling, revision: int = 2, cause: str = "no quota") -> Rolling:
    story.happens(
        ServiceRolled(
            at=story.fleet.at,
            service="web",
            revision=revision,
            outcome=RollOutcome.FAILED,
            cause=cause,
            id="r1",
        )
    )
    return story


def test_one_that_is_paused_stays_so_when_the_platform_fails() -> None:
    story = fails(fails(prepared(policy()).roll("pause")))
    assert story.status() is RolloutStatus.PAUSED
    assert story.rollout.reason == "it was paused by ann; meanwhile: no quota"
    assert outstanding(story.fleet) == ()
    story.roll("resume")
    assert story.orders() == (RollService(service="web", revision=2),)
    assert story.status() is RolloutStatus.PREPARING
    assert story.rollout.roll is not None
    assert story.rollout.roll.given_up == "r1"
    assert fails(story).status() is RolloutStatus.REVERTING


def test_a_way_back_that_is_paused_turns_no_second_time() -> None:
    story = fails(prepared(policy()))
    assert (story.status(), story.rollout.heading) == (RolloutStatus.REVERTING, 1)
    fails(story.roll("pause"), revision=1)
    assert story.status() is RolloutStatus.PAUSED
    story.roll("resume")
    assert story.orders() == (RollService(service="web", revision=1),)
    assert fails(story, revision=1).status() is RolloutStatus.HELD


def test_what_the_platform_failed_at_is_tried_again_when_it_is_resumed() -> None:
    story = fails(prepared(policy(on_failure=OnFailure.PAUSE)))
    assert (story.status(), story.rollout.reason) == (RolloutStatus.PAUSED, "no quota")
    assert fails(story).rollout.reason == "no quota"
    assert story.rollout.paused_from is RolloutStatus.PREPARING
    story.roll("resume")
    assert story.orders() == (RollService(service="web", revision=2),)
    at = story.fleet.at
    story.happens(
        ServiceRolled(at=at, service="web", revision=2, outcome=RollOutcome.DONE)
    )
    assert story.goes_on().status() is RolloutStatus.DONE


def test_a_plan_names_one_that_was_on_its_way_out_and_is_called_back() -> None:
    down = policy(strategy="recreate")
    story = told(3, down).scaled(2)
    assert story.container("web-2").leaving
    wish = Rolling.applied(served(3, "two", down))
    masks = Masks(spec=lambda it: it, settings=lambda it: it)
    found = plan(story.fleet, wish, story.fleet.at, masks=masks).unwrap()
    actions = {change.name: change.action for change in found.changes}
    assert actions == dict.fromkeys(("web-0", "web-1", "web-2"), PlanAction.ROLL)


@pytest.mark.parametrize("is_paused", [False, True])
def test_who_is_woken_for_another_is_looked_at_at_once(*, is_paused: bool) -> None:
    """Unless nothing of his service is to move."""
    needs = Table.of([("web", Condition.READY)])
    waits = spec("job", depends_on=needs)
    bounds = policy(strategy="canary", steps=(CanaryStep(share=Share(1)),))
    bounds = attrs.evolve(bounds, promote=Promotion.MANUAL)
    story = Rolling().told(served(2, "one", bounds, keep_alive=False)).goes_on()
    story.told(served(2, "two", bounds, keep_alive=False))
    story.goes_on(lambda it: it.status() is RolloutStatus.AWAITING_PROMOTION)
    for name in ("web-0", "web-1"):
        story.ended(Slept(), name=name)
    if is_paused:
        story.roll("pause")
    assert list(story.fleet.rolls_at) == []
    story.told(served(2, "two", bounds, (waits,), keep_alive=False))
    woken = [] if is_paused else [(story.fleet.at, "web")]
    assert list(story.fleet.rolls_at)[:1] == woken
    story.time(story.fleet.at, None)
    assert all(moment > story.fleet.at for moment, _ in story.fleet.rolls_at)


def test_who_becomes_a_replica_by_a_file_was_none_to_keep_up() -> None:
    alone = spec(name="web-2", image="own")
    rolled = policy(max_unavailable=Share(1))
    story = Rolling()
    story.told(served(2, "one", rolled, (alone,))).goes_on()
    story.is_slow = lambda each: each.spec.image == "two"
    story.told(served(2, "two", rolled, (alone,)))
    story.goes_on(lambda it: it.rollout.roster.available < 2)
    story.told(served(3, "two", rolled))
    assert story.fleet.containers["web-2"].spec.service == "web"
    story.is_slow = lambda _: False
    story.goes_on()
    assert {image for _, image in story.images()} == {"two"}
