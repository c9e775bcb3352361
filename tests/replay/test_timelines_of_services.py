"""What a timeline tells of services: rollouts, loads, where replicas are."""

from __future__ import annotations

from typing import Any, get_args

import attrs
import pytest

from orchestrator.api.timelines import tree_of_timeline
from orchestrator.cli.service_words import service_words, status_words
from orchestrator.cli.timeline_text import by_container, by_time
from orchestrator.core.autoscaling import Autoscaling, Metric
from orchestrator.core.events import Event, PlaceObserved
from orchestrator.core.fleet_specs import FleetSpec
from orchestrator.core.lineages import RolloutStatus
from orchestrator.core.loads import LoadObserved, RollOutcome, ServiceRolled
from orchestrator.core.reduce import step_of
from orchestrator.core.requests import Apply
from orchestrator.core.services import replica_of
from orchestrator.core.steps import Step
from orchestrator.replay.timelines.happenings import Asked, Happening, Wish
from orchestrator.replay.timelines.of_services import (
    ImageRolled,
    LoadSeen,
    PlaceSeen,
    RolloutMoved,
    ServiceHappening,
)
from orchestrator.replay.timelines.telling import happenings, timeline
from tests.core.rolling import Rolling, policy, served
from tests.replay.kit import entries_of


class Recorded(Rolling):
    """A service that is rolled out, with the steps that it took."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        super().__init__()

    def happens(self, event: Event) -> Rolling:
        self.steps.append(step_of(self.fleet, event, self.policies))
        return super().happens(event)

    def items(self) -> list[Happening]:
        return list(happenings(entries_of(self.steps)))

    def moved(self) -> list[tuple[RolloutStatus, int, int]]:
        """Return where its rollouts were told to be: status, revision, goal."""
        return [
            (item.status, item.revision, item.goal)
            for item in self.items()
            if isinstance(item, RolloutMoved)
        ]


def recorded(**more: Any) -> Recorded:
    story = Recorded()
    story.told(served(2, rollout=policy(**more))).goes_on()
    return story


def test_a_rollout_is_told_where_it_goes_on_and_how_it_ends() -> None:
    story = recorded()
    story.told(served(2, "two", policy())).goes_on()
    assert story.moved() == [
        (RolloutStatus.PROGRESSING, 2, 2),
        (RolloutStatus.DONE, 2, 2),
    ]
    assert [one.status for one in timeline(entries_of(story.steps)).rollouts] == [
        RolloutStatus.PROGRESSING,
        RolloutStatus.DONE,
    ]
    tree = tree_of_timeline(timeline(entries_of(story.steps)))
    assert [(one["service"], one["status"]) for one in tree["rollouts"]] == [
        ("web", "progressing"),
        ("web", "done"),
    ]
    assert "2 replicas are of revision 2" in tree["rollouts"][1]["reason"]


def test_one_that_goes_back_keeps_its_number_and_is_told_where_it_goes() -> None:
    story = recorded()
    story.told(served(2, "two", policy())).roll("abort").goes_on()
    assert [each[:2] for each in story.moved()][1:] == [
        (RolloutStatus.REVERTING, 2),
        (RolloutStatus.REVERTED, 2),
    ]
    asked = [item for item in story.items() if isinstance(item, Asked)]
    assert (asked[-1].wish, asked[-1].about) == (Wish.ROLLOUT, "web: abort")
    text = " ".join(" ".join(by_time(story.items())).split())
    assert "fleet: ann asks of the rollout of web: abort; the rollout of web" in text
    goes = "web to revision 2 goes back to revision 1, 2 replicas are to be back"
    assert goes in text
    assert "has gone back to revision 1: it was aborted by ann" in text


def test_one_that_another_supersedes_is_told_with_it() -> None:
    story = recorded()
    story.told(served(2, "two", policy())).told(served(2, "three", policy()))
    assert [each[:2] for each in story.moved()] == [
        (RolloutStatus.PROGRESSING, 2),
        (RolloutStatus.SUPERSEDED, 2),
        (RolloutStatus.PROGRESSING, 3),
    ]
    story.roll("undo", 1)
    [last] = [item for item in story.items() if isinstance(item, Asked)][-1:]
    assert last.about == "web: undo to revision 1"


def test_the_rollout_of_one_service_is_no_news_of_another() -> None:
    story = recorded()
    story.told(served(2, "two", policy())).goes_on()
    before = story.moved()
    for image in ("one", "two"):
        story.asked(Apply(spec=with_another(served(2, "two", policy()), image)))
        story.goes_on()
    moved = [item for item in story.items() if isinstance(item, RolloutMoved)]
    assert [one.service for one in moved[len(before) :]] == ["api", "api"]


def with_another(fleet: FleetSpec, image: str) -> FleetSpec:
    """Return a fleet that has a second service."""
    web = fleet.services[0]
    template = attrs.evolve(web.template, name="api", service="api", image=image)
    api = attrs.evolve(web, template=template)
    own = tuple(replica_of(api, index) for index in range(2))
    return attrs.evolve(
        fleet, containers=(*own, *fleet.containers), services=(api, web)
    )


def test_a_load_is_told_with_the_scale_that_it_leads_to() -> None:
    scaling = Autoscaling(metric=Metric.PUSHED, target_milli=1_000, most=5)
    spec = served(1)
    service = attrs.evolve(spec.services[0], autoscaling=scaling)
    story = Recorded()
    story.asked(Apply(spec=attrs.evolve(spec, services=(service,))))
    story.look()
    for at, load in ((60_000, 1_000), (120_000, 7_500)):
        story.happens(LoadObserved(at=at, service="web", load_milli=load))
    story.happens(LoadObserved(at=120_001, service="ghost", load_milli=7))
    seen = [item for item in story.items() if isinstance(item, LoadSeen)]
    assert [(one.load_milli, one.replicas) for one in seen] == [
        (1_000, None),
        (7_500, story.fleet.services["web"].replicas),
        (7, None),
    ]
    told = [service_words(one) for one in seen]
    assert told[0] == "web is measured at 1"
    assert told[1].startswith("web is measured at 7.5, and is scaled to ")


def test_a_place_is_told_where_it_is_news() -> None:
    story = recorded()
    run = story.fleet.containers["web-0"].run
    for name in ("web-0", "web-0", "ghost"):
        at = story.fleet.at
        story.happens(PlaceObserved(at=at, name=name, run=run, place="weur"))
    seen = [item for item in story.items() if isinstance(item, PlaceSeen)]
    assert [(one.name, service_words(one)) for one in seen] == [
        ("web-0", "run 1 is at weur")
    ]
    others = happenings(entries_of(story.steps), containers=["web-1"])
    assert not any(isinstance(item, PlaceSeen) for item in others)
    assert "run 1 is at weur" in " ".join(by_container(story.items(), 100))


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        (RollOutcome.PROGRESSING, "goes on, 1 of 2 instances"),
        (RollOutcome.DONE, "is done, 1 of 2 instances"),
        (RollOutcome.FAILED, "has failed, 1 of 2 instances: no image"),
    ],
)
def test_what_the_platform_does_is_told(outcome: RollOutcome, words: str) -> None:
    story = recorded()
    told = ServiceRolled(
        at=story.fleet.at,
        service="web",
        revision=2,
        outcome=outcome,
        updated=1,
        total=2,
        cause="no image" if outcome is RollOutcome.FAILED else "",
    )
    story.happens(told)
    [item] = [item for item in story.items() if isinstance(item, ImageRolled)]
    assert service_words(item) == f"the platform's rollout of web to revision 2 {words}"
    bare = attrs.evolve(item, total=0, cause="")
    assert "instances" not in service_words(bare)


def test_every_status_has_words_and_a_soak_says_how_long() -> None:
    assert len({status_words(status) for status in RolloutStatus}) == len(RolloutStatus)
    moved = RolloutMoved(
        seq=1,
        at=5_000,
        service="web",
        revision=2,
        back_to=None,
        status=RolloutStatus.SOAKING,
        goal=1,
        until=65_000,
        failures=0,
        reason="",
    )
    assert service_words(moved) == (
        "the rollout of web to revision 2 watches what is new for 1m"
    )
    endless = attrs.evolve(moved, until=None)
    assert service_words(endless).endswith("watches what is new")
    one = attrs.evolve(moved, status=RolloutStatus.PROGRESSING)
    assert service_words(one).endswith("goes on, 1 replica is to be new")


def test_every_kind_of_item_is_told_here() -> None:
    kinds = {RolloutMoved, ImageRolled, LoadSeen, PlaceSeen}
    assert set(get_args(ServiceHappening)) == kinds
