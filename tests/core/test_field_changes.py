"""Which fields of a declaration change, and how they are told."""

from __future__ import annotations

import attrs

from orchestrator.core.field_changes import FieldChange, field_changes
from orchestrator.core.health import HealthCheck, HealthChecks, HttpProbe, TcpProbe
from orchestrator.core.table import Table
from tests.core.examples import spec

WAS = spec(ports=Table.of([("http", 80)]), config=Table.of([("a", 1), ("b", (1, 2))]))


def told(was: object, now: object) -> list[tuple[str, str | None, str | None]]:
    found = field_changes((was, now), (was, now))
    return [(change.path, change.before, change.after) for change in found]


def test_what_is_equal_has_no_change() -> None:
    assert told(WAS, WAS) == []
    assert told(WAS, attrs.evolve(WAS)) == []


def test_a_field_is_told_with_its_place_and_both_values_as_json() -> None:
    now = attrs.evolve(
        WAS, image="app:2", config=Table.of([("b", (1, 3)), ("c", Table.of([]))])
    )
    assert told(WAS, now) == [
        ("image", "null", '"app:2"'),
        ("config.a", "1", None),
        ("config.b", "[1,2]", "[1,3]"),
        ("config.c", None, "{}"),
    ]


def test_a_value_of_another_class_is_told_whole() -> None:
    def checked(probe: HttpProbe | TcpProbe) -> object:
        check = HealthCheck(probe=probe)
        return attrs.evolve(WAS, health=HealthChecks(readiness=check))

    changed = told(checked(TcpProbe(port="http")), checked(HttpProbe(port="http")))
    ((path, before, after),) = changed
    assert path == "health.readiness.probe"
    assert before == '{"port":"http"}'
    assert after is not None
    assert after.startswith('{"port":"http","path":"/"')
    assert [path for path, _, _ in told(WAS, checked(TcpProbe(port="http")))] == [
        "health.readiness"
    ]


def test_a_number_is_no_truth_value() -> None:
    assert told(1, now=True) == [("", "1", "true")]


def test_where_a_whole_is_hidden_nothing_is_told_of_its_parts() -> None:
    was, now = (Table.of([("auth", Table.of([("pin", pin)]))]) for pin in (1, 2))
    shown = Table.of([("auth", "***")])
    assert list(field_changes((was, now), (shown, shown), "config")) == [
        FieldChange(path="config.auth", before='"***"', after='"***"')
    ]
