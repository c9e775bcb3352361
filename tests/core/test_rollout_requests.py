"""What an owner may ask of a rollout, when, and what comes of it."""

from __future__ import annotations

import pytest

from orchestrator.core.errors import (
    InvalidSpec,
    RolloutNotFound,
    RolloutRefused,
    ServiceNotFound,
)
from orchestrator.core.lineages import Outcome, RolloutAction, RolloutStatus
from orchestrator.core.requests import Roll
from orchestrator.core.rollout_policies import (
    CanaryStep,
    OnFailure,
    Promotion,
    Share,
)
from orchestrator.core.service_events import RolloutRequested

from .rolling import Rolling, policy, served, told

CANARY = policy(
    strategy="canary",
    steps=(CanaryStep(share=Share(1)),),
    promote=Promotion.MANUAL,
)
SOAKING = policy(strategy="canary", steps=(CanaryStep(share=Share(1), soak_ms=60_000),))
ONE = [("web-0", "one"), ("web-1", "one"), ("web-2", "one")]
TWO = [("web-0", "two"), ("web-1", "two"), ("web-2", "two")]


def ask(action: str, to: int | None = None, service: str = "web") -> Roll:
    return Roll(service=service, action=RolloutAction(action), to=to, by="ann")


def at(status: RolloutStatus) -> Rolling:
    """Return a canary that has come to a status."""
    rollout = SOAKING if status is RolloutStatus.SOAKING else CANARY
    story = told(3, rollout).told(served(3, "two", rollout))
    if status is RolloutStatus.PAUSED:
        return story.roll("pause")
    return story.goes_on(lambda it: it.status() is status)


def test_a_promotion_is_waited_for_and_given() -> None:
    story = at(RolloutStatus.AWAITING_PROMOTION)
    assert story.images() == [("web-0", "two"), *ONE[1:]]
    story.goes_on()
    assert story.status() is RolloutStatus.AWAITING_PROMOTION
    story.roll("promote").goes_on()
    assert (story.status(), story.rollout.promoted) == (RolloutStatus.DONE, 1)
    assert story.images() == TWO


def test_a_promotion_ends_a_soak() -> None:
    story = at(RolloutStatus.SOAKING)
    before = story.fleet.at
    story.roll("promote").goes_on()
    assert story.status() is RolloutStatus.DONE
    assert story.fleet.at - before < 60_000


def test_a_soak_is_over_when_its_time_is() -> None:
    story = at(RolloutStatus.SOAKING)
    before = story.fleet.at
    story.goes_on()
    assert story.status() is RolloutStatus.DONE
    assert story.fleet.at - before > 60_000


def test_a_pause_stops_the_clock_of_a_soak() -> None:
    story = at(RolloutStatus.SOAKING)
    until = story.rollout.until
    assert until is not None
    story.roll("pause")
    story.time(story.fleet.at + 1_000_000, None)
    assert story.status() is RolloutStatus.PAUSED
    story.roll("resume")
    assert story.rollout.until == until + 1_000_000
    assert story.goes_on().status() is RolloutStatus.DONE


def test_nothing_moves_while_a_rollout_is_paused() -> None:
    story = told(3, policy()).told(served(3, "two", policy())).roll("pause")
    assert story.rollout.reason == "it was paused by ann"
    story.goes_on()
    assert story.images() == [("web-0", "two"), *ONE[1:]]
    story.time(story.fleet.at + 10_000_000, None)
    assert story.roll("resume").goes_on().status() is RolloutStatus.DONE


def test_an_aborted_rollout_goes_back_to_where_it_came_from() -> None:
    story = at(RolloutStatus.AWAITING_PROMOTION)
    story.happens(
        RolloutRequested(
            at=story.fleet.at,
            service="web",
            action=RolloutAction.ABORT,
            by="ann",
            why="bad",
        )
    )
    assert (story.status(), story.lineage.serving) == (RolloutStatus.REVERTING, 1)
    story.goes_on()
    assert story.status() is RolloutStatus.REVERTED
    assert story.rollout.reason == (
        "it was aborted by ann: bad; 3 replicas are of revision 1, and ready"
    )
    assert story.images() == ONE


def test_what_was_reverted_is_not_tried_again_by_the_same_file_but_by_a_start() -> None:
    story = at(RolloutStatus.AWAITING_PROMOTION).roll("abort").goes_on()
    before = story.fleet.lineages
    story.told(served(3, "two", CANARY))
    assert story.fleet.lineages == before
    story.roll("start").goes_on()
    assert (story.rollout.target, story.lineage.count) == (2, 2)
    story.roll("promote").goes_on()
    assert (story.status(), story.images()) == (RolloutStatus.DONE, TWO)


def test_a_start_makes_all_anew_also_of_a_service_without_a_policy() -> None:
    story = told(3)
    runs = [story.container(name).run for name, _ in ONE]
    story.roll("start").goes_on()
    assert (story.status(), story.lineage.serving) == (RolloutStatus.DONE, 2)
    assert story.images() == ONE
    assert [story.container(name).run for name, _ in ONE] == [run + 1 for run in runs]
    story.roll("start").goes_on()
    assert story.lineage.serving == 3


def test_an_undo_brings_an_old_template_under_a_new_number() -> None:
    story = told(3, policy()).told(served(3, "two", policy())).goes_on()
    story.roll("undo").goes_on()
    assert (story.images(), story.lineage.serving) == (ONE, 3)
    story.roll("undo", to=2).goes_on()
    assert (story.images(), story.lineage.serving) == (TWO, 4)
    story.roll("undo", to=2).goes_on()
    assert (story.status(), story.lineage.serving) == (RolloutStatus.DONE, 5)


def test_an_undo_takes_the_place_of_a_rollout_under_way() -> None:
    story = at(RolloutStatus.AWAITING_PROMOTION).roll("undo")
    assert [each.status for each in story.lineage.past] == [RolloutStatus.SUPERSEDED]
    story.goes_on().roll("promote").goes_on()
    assert (story.status(), story.images()) == (RolloutStatus.DONE, ONE)
    assert story.container("web-1").run == 1  # it never needed a restart


def test_a_pause_on_failure_goes_on_with_its_failures_forgiven() -> None:
    rollout = policy(on_failure=OnFailure.PAUSE, failure_budget=Share(0))
    story = told(3, rollout)
    story.is_broken = lambda each: each.spec.image == "two"
    story.told(served(3, "two", rollout)).goes_on(
        lambda it: it.status() is RolloutStatus.PAUSED
    )
    expected = "1 failure of new replicas, more than 0: web-0: exit 1"
    assert story.rollout.reason == expected
    revision = story.lineage.revision(2)
    assert revision is not None
    assert revision.outcome is Outcome.FAILED
    story.is_broken = lambda _: False
    story.roll("resume")
    assert (story.rollout.failures, story.rollout.reason) == (0, "")
    assert story.goes_on().status() is RolloutStatus.DONE


@pytest.mark.parametrize(
    ("status", "allowed"),
    [
        (RolloutStatus.PROGRESSING, "pause abort undo"),
        (RolloutStatus.SOAKING, "pause promote abort undo"),
        (RolloutStatus.AWAITING_PROMOTION, "pause promote abort undo"),
        (RolloutStatus.PAUSED, "resume abort"),
    ],
)
def test_what_may_be_asked_depends_on_where_it_is(
    status: RolloutStatus, allowed: str
) -> None:
    story = at(status)
    for action in RolloutAction:
        if action not in allowed.split() and action is not RolloutAction.UNDO:
            assert story.refused(ask(action)) == RolloutRefused(
                service="web", action=action, status=status
            )


def test_on_its_way_back_it_may_be_paused_and_not_aborted() -> None:
    story = at(RolloutStatus.AWAITING_PROMOTION).roll("abort")
    assert isinstance(story.refused(ask("abort")), RolloutRefused)
    story.roll("pause")
    assert isinstance(story.refused(ask("abort")), RolloutRefused)
    story.roll("resume").goes_on()
    assert (story.status(), story.images()) == (RolloutStatus.REVERTED, ONE)


def test_what_is_not_there_is_not_found() -> None:
    story = told(3, policy())
    assert story.refused(ask("pause", service="db")) == ServiceNotFound(name="db")
    assert story.refused(ask("pause")) == RolloutNotFound(service="web")
    assert story.refused(ask("undo")) == RolloutNotFound(service="web")
    story.told(served(3, "two", policy())).goes_on()
    assert story.refused(ask("undo", 7)) == RolloutNotFound(service="web", revision=7)
    done = RolloutRefused(service="web", action="resume", status="done")
    assert story.refused(ask("resume")) == done


def test_an_undo_without_an_earlier_good_revision_says_what_there_is() -> None:
    story = told(3, policy()).told(served(3, "two", policy())).roll("abort").goes_on()
    refusal = story.refused(ask("undo"))
    assert refusal == RolloutNotFound(service="web", is_undo=True)
    assert refusal.message == (
        "service 'web' has no earlier revision that was good; `rollout history web`"
        " lists what is kept, and `--to N` names one"
    )
    assert RolloutNotFound(service="web").message == "service 'web' has no rollout"
    missing = RolloutNotFound(service="web", revision=7)
    assert missing.message == "revision 7 of service 'web' is not kept"


def test_what_no_longer_applies_is_ignored() -> None:
    story = told(2, policy())
    for action in RolloutAction:
        if action is not RolloutAction.START:
            event = RolloutRequested(at=story.fleet.at, service="web", action=action)
            before = story.fleet
            story.happens(event)
            assert story.fleet.ignored == before.ignored + 1
            assert story.fleet.lineages == before.lineages
    story.told(served(2, "two", policy()))
    before = story.fleet
    start = RolloutRequested(at=before.at, service="web", action=RolloutAction.START)
    assert story.happens(start).fleet.ignored == before.ignored + 1


def test_a_name_without_room_for_replicas_beside_is_refused() -> None:
    name = "w" * 60
    for rollout, is_refused in (
        (policy(max_surge=Share(1)), True),
        (policy(strategy="blue_green"), True),
        (policy(), False),
    ):
        fleet = served(1, rollout=rollout, name=name)
        if is_refused:
            refusal = Rolling().refused(Rolling.applied(fleet))
            assert isinstance(refusal, InvalidSpec)
            (problem,) = refusal.problems
            assert problem.place == f"{name}.rollout"
            assert problem.expected.startswith("a name of at most 51 letters")
        else:
            story = Rolling().told(fleet)
            assert list(story.fleet.containers) == [f"{name}-0"]
