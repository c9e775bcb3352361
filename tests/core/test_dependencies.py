"""Dependencies as values: conditions, circles, depths, and what is refused."""

from __future__ import annotations

import attrs
import pytest

from orchestrator.core.dependencies import (
    CIRCLE,
    Awaited,
    Condition,
    circles,
    depth_of,
    is_dependency_table,
    needs_of,
    refusal,
)
from orchestrator.core.fingerprints import fingerprint
from orchestrator.core.fleet_specs import FleetSettings, FleetSpec
from orchestrator.core.services import Service
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.table import Table

from .examples import spec

READY = Condition.READY


def on(**conditions: str) -> Table[str, Condition]:
    return Table.of((name, Condition(each)) for name, each in conditions.items())


def test_a_circle_is_found_wherever_it_begins() -> None:
    needs = {"a": ["b", "x"], "b": ["c"], "c": ["a"], "x": [], "y": ["y"]}
    assert circles(needs) == (("a", "b", "c", "a"), ("y", "y"))


def test_two_ways_to_the_same_are_no_circle() -> None:
    assert circles({"a": ["b", "c"], "b": ["d"], "c": ["d"], "d": []}) == ()


def test_a_long_chain_is_walked_without_recursion() -> None:
    chain = {f"s{number}": [f"s{number + 1}"] for number in range(5_000)}
    assert circles(chain) == ()
    (circle,) = circles({**chain, "s5000": ["s0"]})
    assert len(circle) == 5_002
    assert depth_of(chain) == 5_001


def test_a_circle_has_a_depth_too() -> None:
    assert depth_of({"a": ["b"], "b": ["a"]}) == 2


@pytest.mark.parametrize(
    "value",
    [
        None,
        Table.of([("Not A Name", READY)]),
        Table.of([(1, READY)]),
        Table.of([("db", "ready")]),
    ],
)
def test_what_is_no_table_of_conditions_is_none(value: object) -> None:
    assert not is_dependency_table(value)
    with pytest.raises(ValueError, match="depends_on: expected services with"):
        _ = ContainerSpec(name="web", command=("x",), depends_on=value)  # type: ignore[arg-type]


def test_a_condition_holds_for_all_who_shall_run_and_there_must_be_one() -> None:
    assert not Awaited().holds(READY)
    assert Awaited(wanted=1).holds(READY)
    lacking = Table.of([("ready", Table.of([("db", None)]))])
    one_lacks = Awaited(wanted=2, lacking=lacking)
    assert not one_lacks.holds(READY)
    assert one_lacks.holds(Condition.STARTED)


def test_needs_are_gathered_from_all_of_a_service() -> None:
    asked = [("web", on(db="ready")), ("web", on(api="started")), ("db", on())]
    assert needs_of(asked) == {"web": ("api", "db")}


def test_a_circle_is_refused_with_its_names() -> None:
    needs = {"web": ["api"], "api": ["db"], "db": ["web"]}
    wrong = refusal(needs, {"web", "api", "db"})
    assert wrong == ("web", CIRCLE, "web -> api -> db -> web")


def test_a_fleet_refuses_circles_and_strangers() -> None:
    web, api = spec("web", depends_on=on(api="ready")), spec("api")
    fleet = FleetSpec(name="demo", containers=(web, api))
    assert fleet.containers == (web, api)
    with pytest.raises(ValueError, match="web: expected a service of this fleet"):
        _ = FleetSpec(name="demo", containers=(web,))
    round_ = attrs.evolve(api, depends_on=on(web="started"))
    with pytest.raises(ValueError, match="found web -> api -> web"):
        _ = FleetSpec(name="demo", containers=(web, round_))


def test_a_service_without_replicas_is_one_all_the_same() -> None:
    web = spec("web", depends_on=on(crew="ready"))
    none = Service(template=spec("crew"), replicas=0)
    assert FleetSpec(name="demo", containers=(web,), services=(none,)).services


def test_the_template_of_started_ones_depends_on_somebody_too() -> None:
    template = spec("any", depends_on=on(db="ready"))
    settings = FleetSettings(ad_hoc=template)
    fleet = FleetSpec(name="demo", settings=settings, containers=(spec("db"),))
    assert fleet.settings.ad_hoc == template
    with pytest.raises(ValueError, match=r"\[ad_hoc\]: expected a service"):
        _ = FleetSpec(name="demo", settings=settings, containers=(spec("web"),))


def test_a_fleet_on_its_way_down_keeps_a_template_that_needs_who_has_gone() -> None:
    settings = FleetSettings(ad_hoc=spec("any", depends_on=on(db="ready")))
    assert FleetSpec(name="demo", settings=settings).settings == settings


def test_dependencies_are_no_reason_to_restart() -> None:
    assert fingerprint(spec(depends_on=on(db="ready"))) == fingerprint(spec())
