"""Who belongs to a service is looked up: nobody goes through the whole fleet for it."""

from __future__ import annotations

from collections.abc import Iterable

import attrs
import pytest

from orchestrator.core.admit import admit
from orchestrator.core.belonging import is_indexed
from orchestrator.core.fleet_specs import FleetSettings, FleetSpec
from orchestrator.core.reduce import step_of
from orchestrator.core.requests import Apply, Request, Scale, Stop
from orchestrator.core.rollout_info import RolloutInfo, rollout_info
from orchestrator.core.services import Service, replica_of
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.state import Container, Fleet, empty_fleet
from orchestrator.runtime import members as module
from orchestrator.runtime import rollings
from orchestrator.runtime.members import Members, searched
from tests.runtime.kit import opened, value
from tests.runtime.test_scales import served
from tests.runtime.virtual import in_virtual_time

SERVICES = ("api", "web")
REPLICAS = 40


def declared(replicas: int = REPLICAS) -> FleetSpec:
    templates = [ContainerSpec(name=name, command=("run",)) for name in SERVICES]
    services = tuple(Service(template=each, replicas=replicas) for each in templates)
    rows = (replica_of(each, index) for each in services for index in range(replicas))
    alone = ContainerSpec(name="alone", command=("run",))
    return FleetSpec(
        name="demo",
        settings=FleetSettings(),
        containers=(*rows, alone),
        services=services,
    )


class Story:
    """A fleet that members are followed of, with a count of who is looked at."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.fleet = empty_fleet("demo")
        self.members = Members(self.fleet)
        self.looks = 0
        look = Members._look_at

        def looked(members: Members, name: str, container: Container | None) -> None:
            self.looks += 1
            look(members, name, container)

        patch.setattr(Members, "_look_at", looked)
        self.asks(Apply(spec=declared()))

    def asks(self, request: Request) -> None:
        event = admit(self.fleet, request, self.fleet.at).unwrap()
        step = step_of(self.fleet, event)
        self.fleet = step.after
        self.members.see(step)

    def names(self, service: str, fleet: Fleet | None = None) -> list[str]:
        found = self.members.of(fleet or self.fleet, service)
        assert found == searched(fleet or self.fleet, service)
        return [each.name for each in found]


@pytest.fixture
def story(monkeypatch: pytest.MonkeyPatch) -> Story:
    return Story(monkeypatch)


def test_all_are_looked_at_once_and_then_those_that_were_touched(story: Story) -> None:
    assert story.looks == 0
    assert len(story.names("web")) == REPLICAS
    assert story.looks == 2 * REPLICAS + 1
    story.asks(Stop(name="web-3"))
    story.asks(Stop(name="api-7"))
    assert len(story.names("web")) == len(story.names("api")) == REPLICAS
    assert story.looks == 2 * REPLICAS + 1 + 2


def test_who_comes_and_who_goes_is_known(story: Story) -> None:
    assert "web-40" not in story.names("web")
    story.asks(Apply(spec=declared(REPLICAS + 1)))
    assert "web-40" in story.names("web")
    story.asks(Apply(spec=declared(0)))  # none had begun: they are gone
    assert story.names("web") == []
    assert story.names("api") == []
    assert not is_indexed(story.fleet)
    assert story.names("alone") == []


def test_a_fleet_that_is_not_the_newest_is_searched(story: Story) -> None:
    before = story.fleet
    assert len(story.names("web")) == REPLICAS
    story.asks(Apply(spec=declared(2)))
    looks = story.looks
    assert len(story.names("web", before)) == REPLICAS
    assert story.looks == looks
    assert story.names("web") == ["web-0", "web-1"]


def test_where_the_core_has_an_index_nobody_is_looked_at(story: Story) -> None:
    before = story.fleet
    story.asks(Scale(service="web", replicas=2))
    story.asks(Stop(name="web-1"))
    assert is_indexed(before)
    assert len(story.names("web", before)) == REPLICAS
    assert story.names("web") == ["web-0", "web-1"]
    assert story.looks == 0


def test_where_nobody_asks_for_long_nothing_is_kept(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "NOTED_MIN", 3)
    story.asks(Apply(spec=declared(1)))
    assert len(story.names("web")) == 1
    assert story.members._is_known
    for _ in range(2):
        story.asks(Stop(name="web-0"))
        story.asks(Apply(spec=declared()))
        assert not story.members._noted
        assert not story.members._is_known
    assert len(story.names("web")) == REPLICAS


@in_virtual_time
async def test_a_service_is_summed_up_by_its_own_replicas(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with opened(served(3)) as kit:
        await value(kit.operator.converge(steady_ms=0))
        before = kit.operator.fleet
        listed = (await value(kit.operator.list_services()))[0]
        searches: list[str] = []

        def noted(fleet: Fleet, service: str) -> tuple[Container, ...]:
            searches.append(service)
            return searched(fleet, service)

        monkeypatch.setattr(module, "searched", noted)
        info = await value(kit.operator.scale("web", 3))
        assert kit.operator.fleet is not before
    assert (info.members, info.ready) == (listed.members, 3)
    assert searches == []


@in_virtual_time
async def test_a_rollout_is_told_by_its_own_replicas(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given: list[list[str]] = []

    def noted(
        fleet: Fleet, service: str, now: int, among: Iterable[Container]
    ) -> RolloutInfo | None:
        given.append([each.name for each in among])
        return rollout_info(fleet, service, now, among)

    monkeypatch.setattr(rollings, "rollout_info", noted)
    whole = served(3)
    alone = ContainerSpec(name="alone", command=("run",))
    whole = attrs.evolve(whole, containers=(*whole.containers, alone))
    async with opened(whole) as kit:
        await value(kit.operator.converge(steady_ms=0))
        begun = await value(kit.operator.rollout("web"))
        told = await value(kit.operator.get_rollout("web"))
        assert begun.revision == told.revision == 2
    replicas = ["web-0", "web-1", "web-2"]
    assert [sorted(set(names) & {"alone", *replicas}) for names in given] == [
        replicas,
        replicas,
    ]
