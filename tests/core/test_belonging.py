"""Who belongs to a service is looked up: nobody goes through a whole fleet for it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import attrs
import pytest

from orchestrator.codec.wire import encode_fleet
from orchestrator.core import belonging, hash_table
from orchestrator.core.admit import admit
from orchestrator.core.belonging import belonging_to, is_indexed
from orchestrator.core.dependencies import Condition
from orchestrator.core.events import FleetObserved
from orchestrator.core.fleet_specs import FleetSettings, FleetSpec
from orchestrator.core.lineages import RolloutAction
from orchestrator.core.origins import Prune
from orchestrator.core.reduce import fold, reduce
from orchestrator.core.requests import Adopt, Apply, Request, Roll, Scale, Start
from orchestrator.core.services import Service, replica_of
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.state import Container, Fleet, empty_fleet
from orchestrator.core.table import Table
from tests.benchmarks.steps import counted

from .examples import spec
from .rolling import policy

KEPT = FleetSettings(prune=Prune.KEEP)


def of_services(
    sizes: dict[str, int],
    *others: ContainerSpec,
    settings: FleetSettings = FleetSettings(),  # noqa: B008 - frozen
) -> FleetSpec:
    services = tuple(
        Service(template=spec(name), replicas=size, rollout=policy())
        for name, size in sizes.items()
    )
    rows = (replica_of(each, n) for each in services for n in range(each.replicas))
    return FleetSpec(
        name="demo",
        settings=settings,
        containers=(*rows, *others),
        services=services,
    )


def after(fleet: Fleet, request: Request) -> Fleet:
    return reduce(fleet, admit(fleet, request, fleet.at).unwrap()).fleet


def declared(file: FleetSpec) -> Fleet:
    return after(empty_fleet("demo"), Apply(spec=file))


def names(fleet: Fleet, service: str = "web") -> list[str]:
    found = [each.name for each in belonging_to(fleet, service)]
    scanned = [
        name
        for name, each in fleet.containers.items()
        if each.spec.service == service != name
    ]
    assert found == scanned
    return found


@pytest.fixture(name="searches")
def fixture_searches(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Note how many containers were looked at, each time that somebody searched."""
    found: list[int] = []
    search = belonging._searched

    def searched(containers: Iterable[Container]) -> Any:
        everybody = tuple(containers)
        found.append(len(everybody))
        return search(everybody)

    monkeypatch.setattr(belonging, "_searched", searched)
    return found


def test_all_are_looked_at_once_and_nobody_again(searches: list[int]) -> None:
    fleet = declared(of_services({"api": 3, "web": 2}, spec("alone")))
    assert (searches, is_indexed(fleet)) == ([], False)
    for replicas in (4, 1, 3):
        fleet = after(fleet, Scale(service="web", replicas=replicas))
        assert len(names(fleet)) == replicas
    assert names(fleet, "api") == ["api-0", "api-1", "api-2"]
    assert names(fleet, "alone") == []
    assert (searches, is_indexed(fleet)) == ([6], True)


def test_who_goes_last_leaves_nothing(searches: list[int]) -> None:
    fleet = declared(of_services({"api": 1, "web": 2}))
    assert names(fleet) == ["web-0", "web-1"]
    fleet = after(fleet, Scale(service="web", replicas=0))  # none had begun: gone
    assert names(fleet) == []
    assert names(after(fleet, Scale(service="web", replicas=1))) == ["web-0"]
    assert searches == [3]


def test_a_fleet_keeps_what_it_was_when_another_comes_of_it() -> None:
    before = declared(of_services({"web": 2}))
    assert names(before) == ["web-0", "web-1"]
    later = after(before, Scale(service="web", replicas=3))
    other = after(before, Scale(service="web", replicas=1))
    assert names(before) == ["web-0", "web-1"]
    assert names(later) == ["web-0", "web-1", "web-2"]
    assert names(other) == ["web-0"]


def test_one_of_its_own_becomes_a_replica_and_is_one_no_more() -> None:
    alone = of_services({"api": 1}, spec("web-0"), settings=KEPT)
    fleet = declared(alone)
    assert names(fleet) == []
    fleet = after(fleet, Apply(spec=of_services({"web": 1}, settings=KEPT)))
    assert names(fleet) == ["web-0"]
    assert names(fleet, "api") == ["api-0"]  # kept, as an ad-hoc one
    assert names(after(fleet, Apply(spec=alone))) == []


def test_a_replica_comes_to_another_service() -> None:
    fleet = declared(FleetSpec(name="demo", containers=(spec("a", service="web"),)))
    assert names(fleet) == ["a"]
    other = FleetSpec(name="demo", containers=(spec("a", service="api"),))
    fleet = after(fleet, Apply(spec=other))
    assert (names(fleet), names(fleet, "api")) == ([], ["a"])


def test_it_is_written_nowhere_and_makes_no_fleet_unlike_another() -> None:
    fleet = declared(of_services({"web": 2}))
    told, plain = encode_fleet(fleet), attrs.evolve(fleet)
    assert names(fleet) == ["web-0", "web-1"]
    assert encode_fleet(fleet) == told
    assert (fleet, repr(fleet), hash(fleet)) == (plain, repr(plain), hash(plain))
    more = admit(fleet, Scale(service="web", replicas=3), fleet.at).unwrap()
    assert reduce(fleet, more) == reduce(plain, more)


def test_whoever_makes_a_fleet_of_fields_makes_it_without() -> None:
    fleet = declared(of_services({"web": 3}))
    assert names(fleet) == ["web-0", "web-1", "web-2"]
    fewer = attrs.evolve(fleet, containers=fleet.containers.drop("web-1"))
    assert names(fewer) == ["web-0", "web-2"]


def test_a_journal_is_folded_with_one_search(searches: list[int]) -> None:
    fleet, events = declared(of_services({"web": 2, "api": 3})), []
    for replicas in (4, 1, 5):
        wish = Scale(service="web", replicas=replicas)
        events.append(admit(fleet, wish, fleet.at).unwrap())
        fleet = reduce(fleet, events[-1]).fleet
    searches.clear()
    folded = fold(declared(of_services({"web": 2, "api": 3})), events)
    assert folded == fleet
    assert names(folded) == [f"web-{index}" for index in range(5)]
    assert len(searches) == 1


ROLL = Roll(service="web", action=RolloutAction.START)


def rolled(fleet: Fleet) -> Fleet:
    """Return a fleet whose service is rolled out: it has a lineage then."""
    return after(fleet, ROLL)


def met(fleet: Fleet, name: str) -> Fleet:
    strangers = Table.of([(name, 1)])
    seen = FleetObserved(at=fleet.at, complete=True, strangers=strangers)
    return reduce(fleet, seen).fleet


def test_an_adopted_stranger_is_one_of_them(searches: list[int]) -> None:
    fleet = met(rolled(declared(of_services({"web": 2, "api": 3}))), "web-7")
    fleet = after(fleet, Adopt(name="web-7"))
    assert names(fleet) == ["web-0", "web-1", "web-7"]
    assert searches == [5]


def depending(replicas: int) -> tuple[Fleet, Start]:
    """Return a fleet, and the start of a job that needs a service of it."""
    any_ = spec("any")
    alone = spec("api-alone")
    file = of_services({"web": 2, "api": replicas}, alone)
    file = attrs.evolve(file, settings=attrs.evolve(file.settings, ad_hoc=any_))
    needs = Table.of([("web", Condition.READY), ("api-alone", Condition.STARTED)])
    job = spec("job", depends_on=needs)
    fleet = declared(file)
    _ = belonging_to(fleet, "web")
    return fleet, Start(name="job", spec=job)


def test_members_of_who_is_first_depended_on_are_looked_up(
    searches: list[int],
) -> None:
    fleet, start = depending(3)
    fleet = after(fleet, start)
    web, alone = fleet.awaited["web"], fleet.awaited["api-alone"]
    assert (web.members, web.wanted) == (2, 2)
    assert (alone.members, alone.wanted) == (1, 1)
    assert searches == [6]


# What it costs


def steps(others: int, request: Request) -> int:
    """Return what a request takes beside so many containers of another service."""
    fleet = rolled(declared(of_services({"web": 5, "api": others})))
    fleet = met(fleet, "web-9")
    _ = belonging_to(fleet, "web")
    return counted(lambda: after(fleet, request)).steps


@pytest.mark.parametrize(
    "request_",
    [
        Scale(service="web", replicas=6),
        Scale(service="web", replicas=2),
        Adopt(name="web-9"),
    ],
)
def test_a_service_costs_the_same_in_a_fleet_ten_times_as_large(
    request_: Request,
) -> None:
    assert steps(1_000, request_) < 1.2 * steps(100, request_)


def test_a_rollout_begins_alike_in_a_fleet_ten_times_as_large() -> None:
    def taken(others: int) -> int:
        fleet = declared(of_services({"web": 5, "api": others}))
        _ = belonging_to(fleet, "web")
        return counted(lambda: rolled(fleet)).steps

    assert taken(1_000) < 1.2 * taken(100)


def test_a_dependent_costs_the_same_in_a_fleet_ten_times_as_large() -> None:
    def taken(replicas: int) -> int:
        fleet, start = depending(replicas)
        return counted(lambda: after(fleet, start)).steps

    assert taken(1_000) < 1.2 * taken(100)


def test_no_scale_puts_the_names_of_a_fleet_in_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The interpreter does that in one step, which is a long one."""
    fleet = declared(of_services({"web": 5, "api": 100}))
    _ = belonging_to(fleet, "web")
    lengths: list[int] = []

    def noted(keys: Iterable[Any], **how: Any) -> list[Any]:
        found = sorted(keys, **how)
        lengths.append(len(found))
        return found

    monkeypatch.setattr(hash_table, "sorted", noted, raising=False)
    for replicas in (6, 4, 7):
        fleet = after(fleet, Scale(service="web", replicas=replicas))
    assert lengths == []
    if isinstance(fleet.containers, hash_table.HashTable):
        assert len(list(fleet.containers)) == lengths[0] == 107


def test_to_read_a_file_costs_ten_times_as_much_for_ten_times_as_many_services() -> (
    None
):
    def taken(services: int) -> int:
        file = of_services({f"web{number}": 2 for number in range(services)})
        return counted(lambda: attrs.evolve(file)).steps

    assert taken(100) < 12 * taken(10)


def test_a_boot_looks_at_each_container_a_few_times_whatever_the_services() -> None:
    def taken(services: int) -> int:
        file = of_services({f"web{number}": 2 for number in range(services)})
        fleet = declared(file)
        wish = Apply(spec=file, keep_scale=True)
        return counted(lambda: admit(fleet, wish, fleet.at)).steps

    assert taken(100) < 12 * taken(10)
