"""What is known of a revision, and what an owner means who has seen it fail."""

from __future__ import annotations

import attrs

from orchestrator.core.errors import RolloutNotFound
from orchestrator.core.events import Booted, FleetObserved, TimeReached
from orchestrator.core.field_changes import FieldChange
from orchestrator.core.fleet_specs import FleetSpec
from orchestrator.core.lineages import Outcome, RolloutAction, RolloutStatus
from orchestrator.core.origins import Origin, Prune
from orchestrator.core.planning import Masks, plan
from orchestrator.core.requests import Apply, Roll, Stop
from orchestrator.core.rollout_policies import Share
from orchestrator.core.scaling import is_ready
from orchestrator.core.wake import wake_at_fleet

from .rolling import Rolling, policy, served, told

STRICT = policy(failure_budget=Share(0))
RECREATE = policy(strategy="recreate")


def outcomes(story: Rolling) -> list[Outcome]:
    return [each.outcome for each in story.lineage.revisions]


def failing(image: str = "two") -> Rolling:
    """Return a service of two on its way to an image that crashes."""
    story = told(2, policy())
    story.is_broken = lambda each: each.spec.image == image
    return story.told(served(2, image, policy()))


def test_a_revision_that_nobody_saw_healthy_is_not_good() -> None:
    story = failing().scaled(0)
    assert (story.status(), story.rollout.reason) == (
        RolloutStatus.DONE,
        "it has no replicas",
    )
    assert outcomes(story) == [Outcome.GOOD, Outcome.UNPROVEN]
    assert (story.lineage.good, story.lineage.serving) == (1, 2)


def test_a_service_without_replicas_proves_nothing_of_what_it_serves() -> None:
    story = failing().scaled(0).roll("start")
    assert story.lineage.good == 1
    assert outcomes(story)[1] is Outcome.UNPROVEN


def test_a_revision_whose_replicas_were_all_stopped_is_not_good() -> None:
    story = told(2, policy())
    story.is_slow = lambda each: each.spec.image == "two"
    story.told(served(2, "two", policy()))
    story.asked(Stop(name="web-0"))
    story.goes_on(lambda it: it.container("web-1").generation == 2)
    story.asked(Stop(name="web-1"))
    story.goes_on(lambda it: it.rollout.ended_at is not None)
    assert story.status() is RolloutStatus.DONE
    assert story.rollout.reason == "2 replicas are of revision 2, and stopped"
    assert story.lineage.good == 1


def test_who_was_stopped_is_told_of_a_revision_that_is_good() -> None:
    story = told(2, policy())
    story.asked(Stop(name="web-1"))
    story.goes_on().told(served(2, "two", policy())).goes_on()
    assert story.rollout.reason == (
        "2 replicas are of revision 2, and ready, but for 1 stopped"
    )
    assert story.lineage.good == 2


def test_a_start_does_not_try_again_what_the_file_no_longer_says() -> None:
    story = told(2, STRICT)
    story.is_broken = lambda each: each.spec.image == "two"
    story.told(served(2, "two", STRICT)).goes_on()
    assert story.status() is RolloutStatus.REVERTED
    story.told(served(2, "one", STRICT)).goes_on()
    runs = [story.container(name).run for name, _ in story.images()]
    story.roll("start").goes_on()
    assert (story.status(), story.lineage.serving) == (RolloutStatus.DONE, 3)
    assert story.images() == [("web-0", "one"), ("web-1", "one")]
    assert [story.container(f"web-{i}").run for i in (0, 1)] == [
        run + 1 for run in runs
    ]


def test_an_undo_after_a_restart_goes_to_what_was_before_it() -> None:
    story = told(2, policy()).told(served(2, "two", policy())).goes_on()
    story.roll("start").goes_on().roll("undo").goes_on()
    assert story.status() is RolloutStatus.DONE
    assert story.images() == [("web-0", "one"), ("web-1", "one")]


def test_there_is_nothing_to_undo_where_all_revisions_are_alike() -> None:
    story = told(2, policy()).roll("start").goes_on()
    refusal = story.refused(Roll(service="web", action=RolloutAction.UNDO))
    assert isinstance(refusal, RolloutNotFound)


def test_who_a_rollout_has_stopped_starts_again_when_its_service_goes() -> None:
    for is_at_rest in (False, True):
        story = told(2, RECREATE).told(served(2, "two", RECREATE))
        if is_at_rest:
            story.goes_on(lambda it: it.phase("web-0") == "Stopped")
        other = attrs.evolve(served(0), services=())
        story.told(other, prune=Prune.KEEP).goes_on()
        assert not story.fleet.rolling
        for name in ("web-0", "web-1"):
            assert story.container(name).desired.running
            assert story.phase(name) == "Running"


def test_who_a_rollout_has_stopped_starts_again_when_its_index_goes() -> None:
    story = told(2, RECREATE).told(served(2, "two", RECREATE))
    story.goes_on(lambda it: it.phase("web-0") == "Stopped")
    assert story.phase("web-1") == "Stopping"
    story.told(served(1, "two", RECREATE), prune=Prune.KEEP).goes_on()
    kept = story.container("web-1")
    assert (kept.origin, kept.spec.image) == (Origin.AD_HOC, "one")
    assert story.phase("web-1") == "Running"
    assert (story.status(), story.phase("web-0")) == (RolloutStatus.DONE, "Running")


def test_a_service_that_goes_takes_its_revisions_along() -> None:
    story = told(2, policy()).told(served(2, "two", policy())).goes_on()
    story.told(attrs.evolve(served(0), services=())).goes_on()
    assert not story.fleet.lineages
    assert not story.images()


def blind_for(minutes: int) -> Rolling:
    """Return a rollout whose operator booted, and then saw nothing for so long."""
    story = told(4, STRICT).told(served(4, "two", STRICT))
    story.goes_on(lambda it: is_ready(it.container("web-0")))
    at = story.fleet.at
    story.happens(Booted(at=at, epoch=2, rules=3, fences=True))
    for minute in range(1, minutes + 1):
        moment = at + minute * 60_000
        story.happens(FleetObserved(at=moment, complete=False, cause="no answer"))
        story.happens(TimeReached(at=moment, name=None))
    return story


def test_an_operator_that_sees_nothing_does_not_blame_the_revision() -> None:
    story = blind_for(25)
    assert story.status() is RolloutStatus.PROGRESSING
    assert (story.rollout.failures, story.rollout.trouble) == (0, "")
    story.happens(FleetObserved(at=story.fleet.at, complete=True))
    assert story.rollout.progress_at == story.fleet.at
    assert story.goes_on().status() is RolloutStatus.DONE
    assert {image for _, image in story.images()} == {"two"}


def test_no_rollout_wakes_an_operator_that_has_not_looked_yet() -> None:
    story = told(2, STRICT).told(served(2, "two", STRICT))
    story.happens(Booted(at=story.fleet.at, epoch=2, rules=3, fences=True))
    look_at = wake_at_fleet(attrs.evolve(story.fleet, lineages=told(1).fleet.lineages))
    assert wake_at_fleet(story.fleet) == look_at
    story.happens(FleetObserved(at=story.fleet.at, complete=True))
    assert wake_at_fleet(story.fleet) is not None


def test_a_later_look_forgives_no_time() -> None:
    story = told(2, STRICT)
    story.is_slow = lambda each: each.spec.image == "two"
    story.told(served(2, "two", STRICT, start_timeout_ms=900_000)).goes_on(limit=2)
    began = story.rollout.progress_at
    story.happens(FleetObserved(at=story.fleet.at + 30_000, complete=True))
    assert story.rollout.progress_at == began


def test_a_plan_says_that_what_a_file_goes_back_to_runs_already() -> None:
    story = told(2, policy())
    story.is_broken = lambda each: each.spec.image == "two"
    story.told(served(2, "two", STRICT)).goes_on(
        lambda it: it.rollout.ended_at is not None
    )
    assert story.status() is RolloutStatus.REVERTED
    (change,) = changed(story, served(2, "one", policy()))
    assert change.path == "services.web.template"
    assert (change.before, change.after) == ("another one", "what runs already")


def test_a_plan_says_so_of_no_service_without_replicas_or_a_past() -> None:
    none = told(2, policy()).scaled(0)
    paths = [change.path for change in changed(none, served(0, "two", policy()))]
    assert paths == ["services.web.declared", "services.web.template.image"]
    new = Rolling()
    paths = [change.path for change in changed(new, served(2, "one", policy()))]
    assert paths == ["max_concurrent_starts", "services.web.replicas"]


def changed(story: Rolling, spec: FleetSpec) -> tuple[FieldChange, ...]:
    """Return what a plan says of settings and services."""
    masks = Masks(spec=lambda it: it, settings=lambda it: it)
    found = plan(story.fleet, Apply(spec=spec), story.fleet.at, masks=masks).unwrap()
    return found.settings
