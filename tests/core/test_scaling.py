"""How many replicas a service has: which ones come, and which ones go."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from orchestrator.core.admit import admit
from orchestrator.core.dependencies import Condition
from orchestrator.core.errors import InvalidSpec, ServiceNotFound
from orchestrator.core.exits import Exited
from orchestrator.core.fleet_specs import FleetSettings, FleetSpec
from orchestrator.core.invariants import violations
from orchestrator.core.origins import Origin, Prune
from orchestrator.core.policies import never_restart_policy
from orchestrator.core.reduce import fold, reduce, step_of
from orchestrator.core.requests import Apply, Scale, Start, Stop
from orchestrator.core.scaling import as_scaled, departing, members
from orchestrator.core.service_events import ScaleRequested
from orchestrator.core.services import REPLICAS_MAX, Service, replica_of
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.state import empty_fleet
from orchestrator.core.table import Table

from .examples import NO_JITTER, Story, spec


def served(
    replicas: int,
    *others: ContainerSpec,
    settings: FleetSettings = FleetSettings(ad_hoc=spec("any")),  # noqa: B008 - frozen
    **more: Any,
) -> FleetSpec:
    service = Service(template=spec("web", **more), replicas=replicas)
    own = tuple(replica_of(service, index) for index in range(replicas))
    return FleetSpec(
        name="demo", settings=settings, containers=(*own, *others), services=(service,)
    )


def told(fleet: FleetSpec) -> Story:
    story = Story()
    return story.asked(Apply(spec=fleet))


def up(story: Story, *names: str) -> Story:
    for name in names:
        story.accepted(name).ready(name)
    return story


def scaled(story: Story, replicas: int) -> Story:
    return story.asked(Scale(service="web", replicas=replicas, by="ann"))


def names(story: Story) -> list[str]:
    return [each.name for each in members(story.fleet.containers.values(), "web")]


def test_more_take_the_lowest_free_indexes_from_the_template() -> None:
    story = told(served(1, spec("web-2")))
    scaled(story, 3)
    assert names(story) == ["web-0", "web-1", "web-3"]
    new = story.container("web-3")
    assert (new.spec.replica, new.spec.service) == (3, "web")
    assert new.origin is Origin.MIN_REPLICA_SET
    assert (new.desired.running, new.desired.by) == (True, "ann")


def test_fewer_lose_those_that_are_not_ready_first_then_the_newest() -> None:
    story = up(told(served(4)), "web-1", "web-2", "web-3")
    scaled(story, 3)
    assert names(story) == ["web-1", "web-2", "web-3"]
    scaled(story, 2)
    assert names(story) == ["web-1", "web-2"]
    assert story.container("web-3").leaving
    assert story.container("web-3").desired.why == "its service was scaled down"


def test_what_goes_is_stopped_and_forgotten_whatever_prune_says() -> None:
    settings = FleetSettings(prune=Prune.KEEP)
    story = up(told(served(1, settings=settings)), "web-0")
    scaled(story, 0)
    assert story.phase("web-0") == "Stopping"
    story.ended(Exited(code=0), "web-0")
    assert "web-0" not in story.fleet.containers
    assert story.fleet.forgetting.get("web-0") == 1


def test_one_that_comes_back_while_it_ends_is_the_same_and_starts_again() -> None:
    story = up(told(served(2)), "web-0", "web-1")
    scaled(story, 1)
    assert story.phase("web-1") == "Stopping"
    scaled(story, 2)
    assert not story.container("web-1").leaving
    story.ended(Exited(code=0), "web-1")
    assert story.phase("web-1") == "Starting"
    assert story.container("web-1").run == 2


def test_what_a_boot_keeps_closes_no_circle_with_what_the_file_said_before() -> None:
    settings = FleetSettings(prune=Prune.KEEP)
    needs = Table.of([("db", Condition.STARTED)])
    story = told(served(1, spec("db"), settings=settings, depends_on=needs))
    scaled(story, 2)
    turned = spec("db", depends_on=Table.of([("web", Condition.STARTED)]))
    file = served(1, turned, settings=settings)
    refused = story.refused(Apply(spec=file))
    assert isinstance(refused, InvalidSpec)
    assert "depends_on" in refused.message
    story.asked(Apply(spec=file, keep_scale=True))
    assert names(story) == ["web-0", "web-1"]
    assert not any(story.container(name).spec.depends_on for name in names(story))


def test_a_number_that_is_so_already_changes_nothing_but_the_row() -> None:
    story = told(served(2))
    before = story.fleet
    assert scaled(story, 2).fleet == before


def test_a_scale_moves_the_revision_of_the_fleet() -> None:
    story = told(served(2))
    before = story.fleet.revision
    assert scaled(story, 3).fleet.revision == before + 1
    assert scaled(story, 1).fleet.revision == before + 2


def test_a_name_that_somebody_has_taken_is_left_out() -> None:
    story = told(served(1)).asked(Start(name="web-1"))
    scaled(story, 2)
    assert names(story) == ["web-0", "web-2"]


def test_a_replica_that_its_owner_stopped_is_one_all_the_same() -> None:
    story = up(told(served(2)), "web-0", "web-1")
    story.asked(Stop(name="web-1")).ended(Exited(code=0), "web-1")
    scaled(story, 3)
    assert names(story) == ["web-0", "web-1", "web-2"]
    assert story.phase("web-1") == "Stopped"
    assert names(scaled(story, 2)) == ["web-0", "web-1"]


def test_one_that_rests_is_not_ready_and_goes_at_once() -> None:
    job = spec("web", never_restart_policy())
    story = up(told(served(2, restart=job.restart)), "web-0", "web-1")
    story.ended(Exited(code=0), "web-0")
    scaled(story, 1)
    assert names(story) == ["web-1"]
    assert "web-0" not in story.fleet.containers


def test_a_container_of_its_own_is_no_service() -> None:
    story = told(served(1, spec("solo")))
    refused = story.refused(Scale(service="solo", replicas=2))
    assert refused == ServiceNotFound(name="solo")
    assert "`replicas`" in refused.message


@pytest.mark.parametrize("replicas", [-1, REPLICAS_MAX + 1, True])
def test_a_number_out_of_bounds_is_refused(replicas: int) -> None:
    refused = told(served(1)).refused(Scale(service="web", replicas=replicas))
    assert isinstance(refused, InvalidSpec)
    assert refused.message.startswith("replicas: expected a number from 0 to 10000")


def test_a_name_that_has_no_room_for_an_index_is_refused() -> None:
    long = "w" * 61
    service = Service(template=spec(long), replicas=1)
    fleet = FleetSpec(
        name="demo", containers=(replica_of(service, 0),), services=(service,)
    )
    refused = told(fleet).refused(Scale(service=long, replicas=11))
    assert isinstance(refused, InvalidSpec)


def test_a_scale_of_what_is_no_service_any_more_is_ignored() -> None:
    story = told(served(1))
    event = admit(story.fleet, Scale(service="web", replicas=2), 5).unwrap()
    story.asked(Apply(spec=FleetSpec(name="demo")))
    ignored = story.fleet.ignored
    story.happens(event)
    assert story.fleet.ignored == ignored + 1


def test_one_that_is_there_already_is_not_declared_again() -> None:
    story = told(served(1))
    event = admit(story.fleet, Scale(service="web", replicas=2), 5).unwrap()
    assert isinstance(event, ScaleRequested)
    story.happens(event)
    there = story.container("web-1")
    assert story.happens(event).container("web-1") == there


class TestFiles:
    def test_an_apply_makes_the_number_of_the_file_hold(self) -> None:
        story = told(served(2))
        scaled(story, 4).asked(Apply(spec=served(2)))
        assert names(story) == ["web-0", "web-1"]
        service = story.fleet.services["web"]
        assert (service.replicas, service.declared) == (2, 2)

    def test_who_boots_keeps_what_was_scaled_to(self) -> None:
        story = up(told(served(3)), "web-1", "web-2")
        scaled(story, 2)
        story.asked(Apply(spec=served(3), keep_scale=True))
        assert names(story) == ["web-1", "web-2"]
        assert story.fleet.services["web"].replicas == 2

    def test_who_boots_with_another_number_in_the_file_means_it(self) -> None:
        story = scaled(told(served(2)), 4)
        story.asked(Apply(spec=served(3), keep_scale=True))
        assert names(story) == ["web-0", "web-1", "web-2"]
        assert story.fleet.services["web"].declared == 3

    def test_what_is_kept_takes_the_template_of_the_file(self) -> None:
        story = scaled(told(served(1)), 2)
        story.asked(Apply(spec=served(1, stop_grace_ms=77), keep_scale=True))
        graces = {story.container(name).spec.stop_grace_ms for name in names(story)}
        assert (names(story), graces) == (["web-0", "web-1"], {77})
        scaled(story, 3)
        assert story.container("web-2").spec.stop_grace_ms == 77

    def test_a_service_that_is_new_to_the_fleet_is_what_its_file_says(self) -> None:
        story = Story(spec("solo"))
        specs, services = as_scaled(story.fleet, served(2, spec("solo")))
        assert [each.name for each in specs] == ["web-0", "web-1", "solo"]
        assert services[0].replicas == 2

    def test_a_name_that_the_file_gives_to_another_is_not_kept(self) -> None:
        story = scaled(told(served(1)), 3)
        file = served(1, spec("web-1", stop_grace_ms=5))
        story.asked(Apply(spec=file, keep_scale=True))
        assert names(story) == ["web-0", "web-2"]
        assert story.container("web-1").spec.stop_grace_ms == 5
        assert story.fleet.services["web"].replicas == 2

    def test_a_service_that_has_left_the_file_is_none_any_more(self) -> None:
        story = told(served(2)).asked(Apply(spec=FleetSpec(name="demo")))
        assert len(story.fleet.services) == 0
        assert isinstance(
            story.refused(Scale(service="web", replicas=1)), ServiceNotFound
        )

    def test_a_fold_serves_as_its_steps_do(self) -> None:
        story = Story()
        events = []
        for request in (
            Apply(spec=served(2)),
            Scale(service="web", replicas=3),
            Apply(spec=FleetSpec(name="demo")),
            Apply(spec=served(1)),
        ):
            events.append(admit(story.fleet, request, story.fleet.at).unwrap())
            story.happens(events[-1])
        begun = Story().fleet
        assert fold(begun, events) == story.fleet


class TestSpecs:
    def test_a_service_declares_what_it_asks_for(self) -> None:
        assert Service(template=spec(), replicas=3).declared == 3

    def test_a_service_must_be_spelt_out(self) -> None:
        service = Service(template=spec(), replicas=1)
        one = replica_of(service, 0)
        for containers in (
            (),
            (one, replica_of(service, 1)),
            (attrs.evolve(one, stop_grace_ms=1),),
        ):
            with pytest.raises(ValueError, match="is not spelt out"):
                FleetSpec(name="demo", containers=containers, services=(service,))
        other = attrs.evolve(service, declared=2)
        with pytest.raises(ValueError, match="is not spelt out"):
            FleetSpec(name="demo", containers=(one,), services=(other,))

    def test_services_have_names_of_their_own(self) -> None:
        service = Service(template=spec(), replicas=0)
        with pytest.raises(ValueError, match="a name of its own"):
            FleetSpec(name="demo", services=(service, service))

    def test_an_entry_without_replicas_needs_a_name_of_its_own_too(self) -> None:
        for replicas in (0, 1):
            with pytest.raises(ValueError, match="a name of its own"):
                served(replicas, spec("web"))
        assert served(1, spec("web-9")).containers


def test_who_departs_is_decided_by_the_records_alone() -> None:
    story = up(told(served(3)), "web-2")
    present = members(story.fleet.containers.values(), "web")
    gone = [each.name for each in departing(present, 1)]
    assert gone == ["web-0", "web-1"]
    assert departing(present, 3) == ()


def test_a_scale_to_thousands_keeps_the_invariants() -> None:
    fleet = told(served(0)).fleet
    event = admit(fleet, Scale(service="web", replicas=2_000), 1).unwrap()
    step = step_of(fleet, event)
    assert violations(step) == ()
    assert len(members(step.after.containers.values(), "web")) == 2_000
    down = admit(step.after, Scale(service="web", replicas=0), 2).unwrap()
    left = reduce(step.after, down).fleet
    assert members(left.containers.values(), "web") == ()


def test_an_empty_fleet_has_no_services() -> None:
    assert len(empty_fleet("demo").services) == 0
    assert spec().restart == NO_JITTER
