"""How many replicas a service has by what it is measured at."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from orchestrator.core.autoscale import (
    AUTOSCALER,
    Assessment,
    Verdict,
    assess,
    measured,
    thousandths,
)
from orchestrator.core.autoscaling import Autoscaling, Metric
from orchestrator.core.errors import InvalidSpec, ServiceNotFound
from orchestrator.core.events import FleetObserved
from orchestrator.core.fleet_specs import FleetSpec
from orchestrator.core.lineages import RolloutStatus
from orchestrator.core.load_windows import LOAD_MAX_MILLI, average, with_sample
from orchestrator.core.loads import LoadObserved, Loads
from orchestrator.core.reduce import fold, reduce
from orchestrator.core.requests import Adopt, Apply, Scale
from orchestrator.core.scaling import members
from orchestrator.core.service_loads import service_load
from orchestrator.core.services import Service, replica_of
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.table import Table
from orchestrator.core.within_bounds import clamped, within_bounds

from . import rolling
from .examples import Story, spec
from .rolling import Rolling

UP_MS, DOWN_MS, WINDOW_MS = 30_000, 300_000, 60_000


def policy(**more: Any) -> Autoscaling:
    return attrs.evolve(
        Autoscaling(metric=Metric.PUSHED, target_milli=100_000, least=1, most=6), **more
    )


def served(
    replicas: int,
    *others: ContainerSpec,
    scaling: Autoscaling | None = policy(),  # noqa: B008 - frozen
    name: str = "web",
    **more: Any,
) -> FleetSpec:
    service = Service(
        template=spec(name, **more), replicas=replicas, autoscaling=scaling
    )
    own = tuple(replica_of(service, index) for index in range(replicas))
    return FleetSpec(name="demo", containers=(*own, *others), services=(service,))


def told(fleet: FleetSpec) -> Story:
    story = Story().asked(Apply(spec=fleet))
    for name in story.fleet.containers:
        story.accepted(name).ready(name)
    return story


def load(story: Story, number: int, after: int = 0, service: str = "web") -> Story:
    at = story.fleet.at + after
    milli = number * 1_000
    return story.happens(LoadObserved(at=at, service=service, load_milli=milli))


def names(story: Story, service: str = "web") -> list[str]:
    return [each.name for each in members(story.fleet.containers.values(), service)]


# Windows


def test_a_load_counts_until_another_is_told() -> None:
    samples = with_sample(((0, 120),), WINDOW_MS, 30_000, 240)
    mean = average(samples, WINDOW_MS, 30_000)
    assert mean is not None
    assert (mean.slots, mean.total_milli) == (7, 6 * 120 + 240)


def test_what_is_older_than_the_window_is_dropped() -> None:
    assert with_sample(((4_999, 9),), WINDOW_MS, 65_000, 1) == ((65_000, 1),)
    assert with_sample(((9_999, 9),), WINDOW_MS, 64_999, 1) == (
        (9_999, 9),
        (64_999, 1),
    )
    assert average(((0, 9),), WINDOW_MS, 60_000) is None


def test_of_a_slot_the_highest_counts_and_the_same_again_changes_nothing() -> None:
    once = with_sample((), WINDOW_MS, 0, 7)
    assert with_sample(once, WINDOW_MS, 4_999, 7) is not once
    assert with_sample(once, WINDOW_MS, 4_999, 7) == once
    assert with_sample(once, WINDOW_MS, 4_999, 3) == once
    assert with_sample(once, WINDOW_MS, 4_999, 8) == ((4_999, 8),)


def test_a_load_is_held_within_what_counts() -> None:
    assert with_sample((), WINDOW_MS, 0, -5) == ((0, 0),)
    assert with_sample((), WINDOW_MS, 0, 10**30) == ((0, LOAD_MAX_MILLI),)


def test_a_window_of_a_millisecond_has_slots_all_the_same() -> None:
    assert average(((5, 4), (6, 8)), 1, 6) is not None


# What a load comes to


def found(load_milli: int, replicas: int, at: int = 0, **more: Any) -> Assessment:
    loads = Loads(samples=((at, load_milli),), scaled_at=more.pop("scaled_at", None))
    return assess(policy(**more), replicas, loads, at)


@pytest.mark.parametrize(
    ("number", "replicas", "wanted"),
    [
        (0, 3, 1),  # never fewer than least
        (100, 1, 1),
        (110, 1, 1),  # within the tolerance of 10 %
        (111, 1, 2),
        (270, 3, 3),
        (269, 3, 3),  # rounded up
        (200, 3, 2),
        (412, 3, 5),
        (10_000, 3, 6),  # never more than most
    ],
)
def test_wanted_are_as_many_as_bear_the_load(
    number: int, replicas: int, wanted: int
) -> None:
    assert found(number * 1_000, replicas).wanted == wanted


def test_none_there_and_nothing_to_bear_is_enough() -> None:
    assert found(0, 0, least=0).verdict is Verdict.ENOUGH
    assert found(1, 0, least=0).wanted == 1


def test_a_change_waits_for_its_own_cool_down() -> None:
    more = found(300_000, 1, at=1_029_999, scaled_at=1_000_000)
    assert (more.verdict, more.until) == (Verdict.WAITING, 1_030_000)
    assert more.why.endswith(": 1 to 3 replicas")
    fewer = found(0, 3, at=1_030_000, scaled_at=1_000_000)
    assert (fewer.verdict, fewer.until) == (Verdict.WAITING, 1_300_000)
    assert found(300_000, 1, at=1_030_000, scaled_at=1_000_000).verdict is Verdict.MORE
    assert found(0, 3, at=1_300_000, scaled_at=1_000_000).verdict is Verdict.FEWER


def test_who_is_not_measured_is_told_so() -> None:
    loads = Loads(samples=((0, 9_000),))
    nothing = assess(policy(), 3, loads, at=60_000)
    assert (nothing.verdict, nothing.wanted) == (Verdict.UNMEASURED, 3)
    assert nothing.why == "nothing was measured for 1m"


def test_thousandths_are_written_as_people_do() -> None:
    assert [thousandths(each) for each in (0, 400_000, 12_340, 5)] == [
        "0",
        "400",
        "12.34",
        "0.005",
    ]


# Taken in


def test_more_load_brings_replicas_as_a_scale_does() -> None:
    story = load(told(served(2)), 412, after=UP_MS)
    assert names(story) == [f"web-{index}" for index in range(5)]
    new = story.container("web-4")
    assert (new.desired.by, new.desired.running) == (AUTOSCALER, True)
    assert new.desired.why == (
        "its load is 412 on the average of 1m, 100 for each: 2 to 5 replicas"
    )
    assert story.phase("web-4") == "Starting"
    assert story.fleet.services["web"].replicas == 5
    assert story.fleet.services["web"].declared == 2
    assert story.fleet.revision == 2


def test_the_same_is_come_to_by_a_scale_of_the_owner() -> None:
    story = told(served(2))
    at = story.fleet.at + UP_MS
    by_hand = told(served(2)).asked(Scale(service="web", replicas=5), at)
    load(story, 412, after=UP_MS)
    assert names(story) == names(by_hand)
    assert story.orders() == by_hand.orders()


def test_less_load_lets_go_of_the_newest() -> None:
    story = load(told(served(4)), 150, after=DOWN_MS)
    assert names(story) == ["web-0", "web-1"]
    assert story.phase("web-3") == "Stopping"
    assert story.container("web-3").desired.by == AUTOSCALER


def test_no_two_changes_come_within_a_cool_down() -> None:
    story = load(told(served(1)), 200, after=UP_MS)
    assert len(names(story)) == 2
    load(story, 600, after=UP_MS - 1)
    assert len(names(story)) == 2
    load(story, 600, after=1)
    assert len(names(story)) > 2


def test_a_new_service_is_given_time_before_it_is_judged() -> None:
    story = told(served(3))
    load(story, 0, after=DOWN_MS - 1)
    assert len(names(story)) == 3
    load(story, 0, after=1)
    assert names(story) == ["web-0"]


def test_a_cool_down_that_ends_while_the_load_stays_wakes_nobody() -> None:
    story = load(told(served(1)), 300)
    story.time(story.fleet.at + UP_MS, name=None)
    assert len(names(story)) == 1
    load(story, 300)
    assert len(names(story)) == 3


def test_what_an_owner_scales_to_stands_for_the_cool_down() -> None:
    story = load(told(served(1)), 100, after=UP_MS)
    story.asked(Scale(service="web", replicas=9))  # above most, too
    load(story, 100, after=DOWN_MS - 1)
    assert len(names(story)) == 9
    load(story, 100, after=1)
    assert names(story) == ["web-0"]


def test_one_that_is_adopted_counts_as_a_change() -> None:
    story = told(served(1))
    met = Table.of([("web-7", 1)])
    at = story.fleet.at + 50_000
    story.happens(FleetObserved(at=at, complete=True, strangers=met))
    story.asked(Adopt(name="web-7"))
    assert story.fleet.loads["web"].scaled_at == story.fleet.at
    assert story.fleet.services["web"].replicas == 2


def test_a_load_of_a_service_that_does_not_scale_by_itself_is_counted() -> None:
    story = told(served(2, scaling=None))
    for service in ("web", "nobody"):
        before = story.fleet
        load(story, 900, service=service)
        assert story.fleet == attrs.evolve(before, ignored=before.ignored + 1)


def test_a_load_that_changes_nothing_leaves_the_fleet_as_it_is() -> None:
    story = load(told(served(1)), 100, after=UP_MS)
    before = story.fleet
    load(story, 90, after=1)
    assert attrs.evolve(story.fleet, at=before.at) == before


def test_names_that_are_too_long_leave_it_at_what_there_is() -> None:
    name = "w" * 61
    story = told(served(1, name=name, scaling=policy(most=20)))
    load(story, 2_000, after=UP_MS, service=name)
    assert len(names(story, name)) == 1
    assert story.fleet.loads[name].scaled_at == 0


def test_loads_are_folded_as_they_are_reduced() -> None:
    story = told(served(2))
    events = [
        LoadObserved(at=story.fleet.at + at, service="web", load_milli=milli)
        for at, milli in [(UP_MS, 500_000), (UP_MS + 9, 600_000), (700_000, 1)]
    ]
    fleet = story.fleet
    for event in events:
        fleet = reduce(fleet, event).fleet
    assert fold(story.fleet, events) == fleet


# Files


def test_an_apply_of_the_file_keeps_what_the_autoscaler_asked() -> None:
    story = load(told(served(2)), 500, after=UP_MS)
    for keep_scale in (False, True):
        story.asked(Apply(spec=served(2), keep_scale=keep_scale))
        assert len(names(story)) == 5
    story.asked(Apply(spec=served(2, stop_grace_ms=7)))
    assert len(names(story)) == 5
    assert story.container("web-4").spec.stop_grace_ms == 7


def test_another_number_in_the_file_is_meant() -> None:
    story = load(told(served(2)), 500, after=UP_MS)
    story.asked(Apply(spec=served(3)))
    assert names(story) == ["web-0", "web-1", "web-2"]
    load(story, 500, after=UP_MS - 1)
    assert len(names(story)) == 3


def test_a_number_outside_the_bounds_is_brought_within() -> None:
    story = told(served(9))
    assert names(story) == [f"web-{index}" for index in range(6)]
    assert story.fleet.services["web"].declared == 9
    story.asked(Apply(spec=served(9, scaling=policy(least=2, most=3))))
    assert len(names(story)) == 3
    story.asked(Apply(spec=served(9, scaling=policy(least=5))))
    assert names(story) == [f"web-{index}" for index in range(5)]


def test_those_that_are_ready_stay_where_bounds_become_narrower() -> None:
    story = told(served(3))
    story.ended(name="web-0")
    story.asked(Apply(spec=served(3, scaling=policy(most=2))))
    assert names(story) == ["web-1", "web-2"]


def test_without_autoscaling_the_file_says_the_number_again() -> None:
    story = load(told(served(2)), 500, after=UP_MS)
    story.asked(Apply(spec=served(2, scaling=None)))
    assert names(story) == ["web-0", "web-1"]
    assert len(story.fleet.loads) == 0


def test_another_metric_forgets_the_loads_and_keeps_the_cool_down() -> None:
    story = load(told(served(2)), 500, after=UP_MS)
    scaled_at = story.fleet.at
    cpu = policy(metric=Metric.CPU)
    story.asked(Apply(spec=served(2, scaling=cpu)), at=scaled_at + 9)
    assert story.fleet.loads["web"] == Loads(scaled_at=scaled_at)


def test_a_service_that_is_gone_leaves_no_loads() -> None:
    story = load(told(served(2)), 500, after=UP_MS)
    story.asked(Apply(spec=FleetSpec(name="demo", containers=(spec("solo"),))))
    assert len(story.fleet.loads) == 0


def test_a_service_that_begins_to_scale_by_itself_is_judged_at_once() -> None:
    story = told(served(2, scaling=None)).asked(Apply(spec=served(2)))
    assert "web" not in story.fleet.loads
    load(story, 500)
    assert len(names(story)) == 5


def test_bounds_concern_none_but_those_that_scale_by_themselves() -> None:
    file = served(9, spec("web-9"), scaling=None)
    assert within_bounds(file.containers, file.services, ()) == (
        file.containers,
        file.services,
    )


def test_what_comes_to_reach_the_least_leaves_names_to_others() -> None:
    file = served(1, spec("web-1"), scaling=policy(least=3))
    specs, services = within_bounds(file.containers, file.services, ())
    assert [each.name for each in specs] == ["web-0", "web-1", "web-2", "web-3"]
    assert services[0].replicas == 3


def test_as_many_come_as_have_names() -> None:
    file = served(1, name="w" * 61, scaling=policy(least=12, most=12))
    specs, services = within_bounds(file.containers, file.services, ())
    assert len(specs) == services[0].replicas == 10


def test_a_number_is_clamped_to_the_nearest() -> None:
    assert [clamped(policy(least=2), each) for each in (0, 3, 99)] == [2, 3, 6]


# Who may tell


def test_a_load_is_told_of_a_service_that_is_pushed() -> None:
    fleet = told(served(2)).fleet
    event = LoadObserved(at=0, service="web", load_milli=5)
    assert measured(fleet, event).unwrap() == event


def test_others_are_refused_with_what_was_expected() -> None:
    event = LoadObserved(at=0, service="web", load_milli=5)
    nobody = measured(told(served(2)).fleet, attrs.evolve(event, service="db"))
    assert nobody.failure() == ServiceNotFound(name="db")
    for scaling, what in ((None, "none"), (policy(metric=Metric.CPU), "metric cpu")):
        wrong = measured(told(served(2, scaling=scaling)).fleet, event).failure()
        assert isinstance(wrong, InvalidSpec)
        assert wrong.problems[0].place == "web.autoscaling"
        assert what in wrong.problems[0].found


@pytest.mark.parametrize("milli", [-1, LOAD_MAX_MILLI + 1])
def test_a_load_that_is_none_is_refused(milli: int) -> None:
    event = LoadObserved(at=0, service="web", load_milli=milli)
    wrong = measured(told(served(2)).fleet, event).failure()
    assert isinstance(wrong, InvalidSpec)
    assert wrong.problems[0].place == "load"


# While it is rolled out


def rolled(image: str) -> FleetSpec:
    fleet = rolling.served(3, image, rolling.policy())
    [service] = fleet.services
    return attrs.evolve(
        fleet,
        services=(
            attrs.evolve(service, autoscaling=policy(up_after_ms=0, down_after_ms=0)),
        ),
    )


def test_what_comes_while_a_rollout_is_under_way_is_rolled_out_too() -> None:
    story = Rolling().told(rolled("one")).goes_on()
    story.told(rolled("two"))
    story.goes_on(lambda it: "two" in dict(it.images()).values())
    load(story, 500)
    assert len(story.images()) == 5
    story.goes_on()
    assert story.status() is RolloutStatus.DONE
    assert sorted(story.images()) == [(f"web-{index}", "two") for index in range(5)]


def test_what_comes_while_a_rollout_is_paused_is_of_the_revision_that_serves() -> None:
    story = Rolling().told(rolled("one")).goes_on()
    story.told(rolled("two"))
    story.goes_on(lambda it: "two" in dict(it.images()).values())
    story.roll("pause")
    before = dict(story.images())
    load(story, 500)
    came = {name: image for name, image in story.images() if name not in before}
    assert came == {"web-3": "one", "web-4": "one"}
    made_of = {each.number: each.template.image for each in story.lineage.revisions}
    assert made_of[story.lineage.serving] == "one"


def test_what_goes_while_a_rollout_is_under_way_is_not_waited_for() -> None:
    story = Rolling().told(rolled("one")).goes_on()
    story.told(rolled("two"))
    story.goes_on(lambda it: "two" in dict(it.images()).values())
    load(story, 0)
    story.goes_on()
    assert [image for _, image in story.images()] == ["two"]
    assert story.status() is RolloutStatus.DONE
    assert story.fleet.services["web"].replicas == 1


def test_no_policy_asks_for_fewer_at_most_than_at_least() -> None:
    for least, most, expected in ((3, 2, 3), (0, 0, 1)):
        with pytest.raises(ValueError, match=f"at least {expected}, found {most}"):
            _ = policy(least=least, most=most)


def test_how_a_service_stands_is_told_in_whole_numbers() -> None:
    story = told(served(2))
    web = story.fleet.services["web"]
    before = service_load(story.fleet, web, story.fleet.at)
    assert before is not None
    assert (before.load, before.measured_at) == (None, None)
    load(story, 150)
    now = service_load(story.fleet, web, story.fleet.at)
    assert now is not None
    assert (now.metric, now.target, now.load) == (Metric.PUSHED, 100.0, 150.0)
    assert (now.least, now.most, now.wanted) == (1, 6, 2)
    assert now.measured_at == story.fleet.at
    plain = told(served(2, scaling=None)).fleet
    assert service_load(plain, plain.services["web"], plain.at) is None
