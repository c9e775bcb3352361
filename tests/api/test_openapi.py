"""The OpenAPI document: valid, complete, and derived from what the codec does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import attrs
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from orchestrator.api.bodies import Asking, StartBody, error_body
from orchestrator.api.openapi import document
from orchestrator.api.routes import PAGE_PATHS, ROUTES, SCOPES
from orchestrator.api.schemas import Schemas
from orchestrator.api.statuses import STATUSES
from orchestrator.codec.converter import tag_of
from orchestrator.codec.wire import tree_of
from orchestrator.core.errors import ContainerNotFound
from orchestrator.core.events import Event
from orchestrator.core.fleet_specs import FleetSpec
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.table import Table
from tests.api.documented import check_documented, problems

COPY = Path(__file__).parents[2] / "docs" / "reference" / "openapi.json"


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document()["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def test_the_document_is_openapi() -> None:
    found = OpenAPIV31SpecValidator(document()).iter_errors()
    assert [str(error) for error in found] == []


def test_the_copy_in_the_docs_is_what_the_code_says() -> None:
    assert json.loads(COPY.read_text(encoding="utf-8")) == document()


def test_every_route_is_documented_once() -> None:
    found = sorted((method, path) for method, path, _ in operations())
    assert found == sorted((route.method, route.path) for route in ROUTES)
    names = [operation["operationId"] for _, _, operation in operations()]
    assert len(set(names)) == len(names)
    assert {path for _, path in SCOPES} == {
        *PAGE_PATHS,
        *(route.path for route in ROUTES),
    }


def test_what_changes_something_is_not_asked_for_by_get() -> None:
    """A plan changes nothing, and is for those alone who may do what it says.

    A load that is told twice counts once, without a key.
    """
    keyless = {"/v1/plan", "/v1/services/{name}/load"}
    for route in ROUTES:
        assert (route.scope == "write") is (route.method != "GET"), route.path
        keyed = [one.name for one in route.headers if one.name == "Idempotency-Key"]
        changes = route.scope == "write" and route.path not in keyless
        assert bool(keyed) == changes, route.path
        operation = document()["paths"][route.path][route.method.lower()]
        told = operation["responses"]["200"].get("headers", {})
        assert ("Idempotency-Replayed" in told) == changes, route.path


def test_what_is_open_holds_nothing_of_the_fleet() -> None:
    found = {path for (_, path), scope in SCOPES.items() if scope == "open"}
    assert found == {*PAGE_PATHS, "/healthz", "/readyz", "/version"}


def test_every_component_is_referred_to() -> None:
    text = json.dumps(document())
    for name in document()["components"]["schemas"]:
        assert f'"#/components/schemas/{name}"' in text, name


def test_every_status_of_the_table_of_errors_is_documented_where_it_may_come() -> None:
    for route in ROUTES:
        operation = document()["paths"][route.path][route.method.lower()]
        for kind in route.errors:
            assert str(STATUSES[kind].http) in operation["responses"], (route, kind)


def test_every_event_is_told_by_its_tag() -> None:
    event = document()["components"]["schemas"]["EventRecord"]["properties"]["event"]
    tags = {tag_of(kind) for kind in get_args(Event)}
    assert set(event["discriminator"]["mapping"]) == tags
    assert len(event["oneOf"]) == len(tags)


SPEC = ContainerSpec(name="web", command=("run",), ports=Table.of([("http", 80)]))


@pytest.mark.parametrize(
    ("component", "value"),
    [
        ("ContainerSpec", SPEC),
        ("ContainerSpecInput", SPEC),
        ("FleetSpecInput", FleetSpec(name="demo", containers=(SPEC,))),
        ("AskingInput", Asking(by="alice")),
        ("StartBodyInput", StartBody(spec=SPEC, command=("a",))),
    ],
)
def test_what_is_written_is_as_its_schema_says(component: str, value: object) -> None:
    schema = {"$ref": f"#/components/schemas/{component}"}
    assert problems(schema, tree_of(value)) == []
    assert problems(schema, {**tree_of(value), "more": 1}) != []


def test_a_bound_of_a_field_is_a_bound_of_its_schema() -> None:
    spec = document()["components"]["schemas"]["ContainerSpecInput"]
    grace = spec["properties"]["stop_grace_ms"]
    assert (grace["minimum"], grace["description"]) == (0, "Milliseconds.")
    assert spec["properties"]["start_timeout_ms"]["exclusiveMinimum"] == 0
    assert "KILL" in spec["properties"]["stop_signal"]["enum"]
    asking = document()["components"]["schemas"]["AskingInput"]
    assert asking["properties"]["by"]["maxLength"] == 256


def test_two_classes_of_one_name_get_names_of_their_own() -> None:
    @attrs.frozen
    class Stopped:
        pass

    from orchestrator.core import exits, phases

    schemas = Schemas([exits.Stopped, phases.Stopped])
    assert schemas.of(exits.Stopped) == {"$ref": "#/components/schemas/ExitsStopped"}
    assert schemas.of(phases.Stopped) == {"$ref": "#/components/schemas/PhasesStopped"}
    assert Schemas([Stopped]).of(Stopped) == {"$ref": "#/components/schemas/Stopped"}


def test_an_answer_that_is_not_documented_is_found() -> None:
    headers = {"Content-Type": "application/json", "Cache-Control": "no-store"}
    refused = error_body(ContainerNotFound(name="web"))
    seen = {**headers, "Orchestrator-Seq": "1", "Orchestrator-At": "1"}
    good = ("GET", "/v1/containers/web", 404, headers, json.dumps(refused).encode())
    check_documented(*good)
    for bad in (
        (*good[:2], 409, *good[3:]),
        (*good[:4], b'{"error": {"code": "container_not_found"}}'),
        (*good[:3], {**headers, "Content-Type": "text/plain"}, good[4]),
        (*good[:3], {**headers, "Cache-Control": "public"}, good[4]),
        (*good[:2], 200, seen, b'{"name": "web"}'),
        ("GET", "/v1/nothing", 200, headers, b'{"error": {"code": "x"}}'),
    ):
        with pytest.raises((AssertionError, KeyError)):
            check_documented(*bad)


def test_arrays_and_tables_are_told_as_the_codec_writes_them() -> None:
    schemas = Schemas([])
    pair = schemas.of(tuple[int, str])
    assert [one["type"] for one in pair["prefixItems"]] == ["integer", "string"]
    assert problems(pair, [1, "a"]) == []
    assert problems(pair, [1]) != []
    index = schemas.of(Table[str, None])
    assert problems(index, tree_of(tuple(Table.of([("a", None)])))) == []
    table = schemas.of(Table[str, int] | None)
    assert problems(table, None) == problems(table, {"a": 1}) == []
    assert problems(table, {"a": "b"}) != []
