"""The OpenAPI file of the gateway says what its code does, and no more."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from orchestrator.journal.line_format import row_of
from orchestrator.journal.port import START, broken
from orchestrator.platforms.cloudflare.ends import END_KINDS
from orchestrator.platforms.cloudflare.project.files import (
    gateway_sources,
    gateway_version,
)
from tests.bench.machine import node
from tests.docs.generate_gateway import message_kinds, refusals
from tests.platforms.cloudflare.openapi import (
    Tree,
    body_of,
    document,
    fits,
    holds,
    operations,
    resolved,
    takes,
)

BELOW = "/v1/fleets/{fleet}"
SOURCES = {name: data.decode() for name, data in gateway_sources().items()}
SCHEMAS: Tree = document()["components"]["schemas"]
ORDERS = {"start", "stop", "destroy", "forget"}
BODIES = {
    "attach": "attach",
    "wish": "wish",
    "renew": "lease",
    "release": "lease",
    "keepSnapshot": "snapshot",
    "beginBehind": "base",
    "endWith": "end",
    "acknowledge": "ack",
    "batch": "batch",
    "probes": "questions",
}
QUESTIONS = {"http", "tcp", "command"}
MANY = {"batch", "probes"}


def by_id() -> dict[str, Tree]:
    return {operation["operationId"]: operation for _, _, operation in operations()}


def test_the_file_is_openapi() -> None:
    assert [str(e) for e in OpenAPIV31SpecValidator(document()).iter_errors()] == []
    assert len(by_id()) == len(list(operations()))
    assert document()["info"]["version"] == gateway_version(gateway_sources())


def test_every_reference_is_used() -> None:
    text = json.dumps(document())
    for kind in ("schemas", "responses", "parameters"):
        for name in document()["components"][kind]:
            reference = f'"#/components/{kind}/{name}"'
            assert reference in text or name in {"Error", "WrongMethod"}, name


def test_every_path_of_the_gateway_is_there_and_none_more() -> None:
    found: dict[tuple[str, str], str] = {}
    for name in re.findall(r'path\.join\("/"\) === "(\w+)"', SOURCES["gateway.js"]):
        found["GET", f"/v1/{name}"] = "200"
    for path, method, status in handlers():
        found[method, f"{BELOW}/{path}"] = status
    assert len(found) == len([*handlers()]) + 2
    assert found == {
        (method, re.sub(r"(?<!fleets/)\{\w+\}", "*", path)): status
        for method, path, operation in operations()
        for status in [next(iter(operation["responses"]))]
    }


def handlers() -> Iterator[tuple[str, str, str]]:
    """Yield each path below a fleet, its methods, and the status of success."""
    tables = r"^(?:export )?const \w*HANDLERS = \{\n(.*?)\n\};"
    for text in SOURCES.values():
        for table in re.findall(tables, text, re.MULTILINE | re.DOTALL):
            for line in table.splitlines():
                path = re.match(r' +"?([\w/*]+)"?: ', line)
                told = re.findall(r'\{ method: "(\w+)",(?: status: (\d+))?', line)
                assert told or line.lstrip().startswith("..."), line
                for method, status in told:
                    assert path is not None, line
                    yield path[1], method, status or "200"


def test_every_refusal_of_the_gateway_is_there_and_none_more() -> None:
    told = {
        (schema["x-status"], schema["properties"]["code"]["const"])
        for name, schema in SCHEMAS.items()
        if "x-status" in schema
    }
    assert told == refusals()
    mapping = SCHEMAS["Error"]["discriminator"]["mapping"]
    assert set(mapping) == {code for _, code in told}
    for code, reference in mapping.items():
        error = resolved({"$ref": reference})
        assert error["properties"]["code"]["const"] == code
    for _, _, operation in operations():
        for status, response in operation["responses"].items():
            if int(status) < 400:
                continue
            schema = resolved(response)["content"]["application/json"]["schema"]
            for part in schema.get("oneOf", [schema]):
                assert str(resolved(part)["x-status"]) == status


def test_every_kind_of_end_and_of_trouble_is_there_and_none_more() -> None:
    kinds = set(message_kinds())
    trouble, end = SCHEMAS["Trouble"]["properties"], SCHEMAS["End"]["properties"]
    assert set(trouble["kind"]["enum"]) == kinds
    assert set(SCHEMAS["Unanswered"]["properties"]["error"]["enum"]) == kinds
    assert set(end["kind"]["enum"]) == set(end["was"]["enum"]) == kinds | set(END_KINDS)


def test_every_example_is_as_its_schema_says() -> None:
    for method, path, operation in operations():
        for status, response in operation["responses"].items():
            if int(status) < 400:
                for kind, content in resolved(response)["content"].items():
                    holds(method, path, int(status), content["example"], kind)
        body = body_of(operation)
        assert body is None or takes(operation, body["example"]), path


def test_the_lines_of_the_examples_are_rows_of_a_journal() -> None:
    put = by_id()["append"]["requestBody"]["content"]["application/x-ndjson"]
    told = by_id()["readRows"]["responses"]["200"]["content"]["application/x-ndjson"]
    first, *lines = put["example"].encode().splitlines(keepends=True)
    rows = [row_of(json.loads(line), line) for line in lines]
    assert None not in rows
    assert broken(START, [row for row in rows if row is not None]) is None
    assert fits({"type": "object", "required": ["epoch", "expect"]}, json.loads(first))
    *same, end = told["example"].encode().splitlines(keepends=True)
    assert same == lines
    assert json.loads(end)["end"] == {
        key: json.loads(lines[-1])[key] for key in ("seq", "digest")
    }


def test_only_health_needs_no_token() -> None:
    public = [path for _, path, operation in operations() if "security" in operation]
    assert public == ["/v1/health"]


# What an order may hold: the gateway itself is asked about thousands of bodies

ASK = """
import { BODIES, LIMITS, ORDERS, QUESTIONS, outOfBounds } from "./bounds.js";
let text = "";
for await (const piece of process.stdin) text += piece;
const checks = { ...ORDERS, ...QUESTIONS, ...BODIES };
const fields = Object.entries(checks).map(([key, check]) => [key, Object.keys(check)]);
const taken = JSON.parse(text).map(([key, body]) => !outOfBounds(body, checks[key]));
process.stdout.write(JSON.stringify({ limits: LIMITS, fields, taken }));
"""


def asked(folder: Path, cases: list[tuple[str, Any]]) -> Tree:
    for name, text in SOURCES.items():
        (folder / name).write_text(text)
    (folder / "package.json").write_text('{"type": "module"}')
    (folder / "ask.js").write_text(ASK)
    done = subprocess.run(
        [str(node("pinned")), str(folder / "ask.js")],
        input=json.dumps(cases),
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    answer: Tree = json.loads(done.stdout)
    return answer


SIZE = {"vcpu": 1.5, "memoryMib": 4_096, "diskMb": 8_000}
STOP = {"signal": 15, "grace_ms": 0}
LEASE = {"holder": "a b", "ms": 1_000}
YEARS = 10 * 365 * 86_400_000
SAFE = 2**50
NUMBERS = (0, -1, 1, 1.5, 64, 65, 999, 1_000, 25_000, 25_001, 65_535, 65_536)
LENGTHS = (32, 33, 63, 64, 65, 128, 129, 1_024, 4_096, 4_097, 8_192, 8_193, 65_537)
TEXTS = ("", "a", "web-0", "a..b", "-a", "A", "a b", "\0", "/", "/a?b", "/a b")
WORDS = ("GET", "HEAD", "POST", "weur", "apac-ne", "apac-n", "eu", "fedramp-high")
LISTS: tuple[Any, ...] = (
    *([1] * 16, [1] * 17, [0], [65_536], ["1"], [None]),
    *(["a"] * 256, ["a"] * 257, ["x" * 8_192], ["x" * 8_193], ["\0"], [[]], []),
)
TABLES: tuple[Any, ...] = (
    *({}, {"a": "b"}, {"A=": "b"}, {"": "b"}, {"9": "b"}, {"a": 1}, {"a": "\0"}),
    *({"a" * 256: ""}, {"a" * 257: ""}, {"a": "x" * 65_536}, {"a": "x" * 65_537}),
    *({"x-a": "b"}, {"x" * 65: "b"}, {"x": "y" * 1_025}, {"a": None}),
    *({"http": 80}, {"http": 0}, {"Http": 80}, {"p" * 32: 1}, {"p" * 33: 1}),
    *({f"p{n}": 1 for n in range(16)}, {f"p{n}": 1 for n in range(17)}),
    *({f"K{n}": "" for n in range(512)}, {f"K{n}": "" for n in range(513)}),
    *(STOP, {**STOP, "signal": 65}, {"signal": 15}, {**STOP, "more": 1}),
    *(SIZE, {**SIZE, "vcpu": 0}, {**SIZE, "vcpu": 64}, {**SIZE, "vcpu": 65}),
    *({**SIZE, "vcpu": "2"}, {**SIZE, "vcpu": True}),
    *({**SIZE, "memoryMib": 0}, {**SIZE, "diskMb": 1_048_577}, {"vcpu": 1}),
    {**SIZE, "name": "custom"},
    *(LEASE, {**LEASE, "ms": 999}, {**LEASE, "ms": 600_001}, {"ms": 1_000}),
    *({**LEASE, "holder": text} for text in ("", "x" * 128, "x" * 129, "\u00e9", "\t")),
    {**LEASE, "more": 1},
)
VALUES: tuple[Any, ...] = (
    *(None, True, False, YEARS, YEARS + 1, SAFE, SAFE + 1, *NUMBERS),
    *("x" * length for length in LENGTHS),
    *(*TEXTS, *WORDS, *LISTS, *TABLES),
)


def bodies(base: Tree) -> Iterator[Tree]:
    yield base
    yield {**base, "unknown": 1}
    for key in base:
        yield {other: base[other] for other in base if other != key}
        for value in VALUES:
            yield {**base, key: value}


def bases() -> dict[str, Tree]:
    found = {
        key: body["example"]
        for key, operation in by_id().items()
        if (body := body_of(operation)) is not None
    }
    found["start"] = {**found["start"], "image": "i", "instance": SIZE}
    asked = found.pop("probe")
    timed = {key: asked[key] for key in ("run", "epoch", "timeout_ms")}
    found["http"] = {**asked, "method": "GET", "headers": {"x-a": "b"}}
    found["tcp"] = {**timed, "kind": "tcp", "port": 80}
    found["command"] = {**timed, "kind": "command", "command": ["true"]}
    return found


def test_what_an_order_may_hold_is_what_the_gateway_takes(tmp_path: Path) -> None:
    cases = [
        (key, body)
        for key, base in bases().items()
        if key not in MANY
        for body in bodies(base)
    ]
    put: list[tuple[str, Any]] = [
        (BODIES.get(key, key), {**body, "name": "web-0"} if key in ORDERS else body)
        for key, body in cases
    ]
    told = asked(tmp_path, put)
    assert {True, False} == set(told["taken"])
    for (key, body), taken in zip(cases, told["taken"], strict=True):
        kind = key.capitalize()
        if key in QUESTIONS:
            one = {"$ref": f"#/components/schemas/{kind}Question"}
            assert fits(one, body) is taken, (key, shortened(body))
            assert takes(by_id()["probe"], body) or not taken, (key, shortened(body))
        else:
            assert takes(by_id()[key], body) is taken, (key, shortened(body))
        if key in ORDERS:
            named = {"op": key, "name": "web-0", **body}
            batched = {"$ref": f"#/components/schemas/Batched{kind}"}
            assert fits(batched, named) is taken, (key, shortened(body))
        if key in QUESTIONS:
            named = {"name": "web-0", **body}
            batched = {"$ref": f"#/components/schemas/Named{kind}Question"}
            assert fits(batched, named) is taken, (key, shortened(body))


def test_the_fields_of_an_order_are_those_that_the_gateway_knows(
    tmp_path: Path,
) -> None:
    told = asked(tmp_path, [])
    for key, fields in told["fields"]:
        if key in ORDERS:
            name = "Keyed" if key in {"destroy", "forget"} else key.capitalize()
            properties = SCHEMAS[f"{name}Fields"]["properties"]
            assert {*properties, "name"} == set(fields), key
        elif key in QUESTIONS:
            properties = SCHEMAS[f"{key.capitalize()}QuestionFields"]["properties"]
            assert set(properties) == set(fields), key
        elif key != "append":  # its lines are not one body of JSON
            ours = next(ours for ours, theirs in BODIES.items() if theirs == key)
            schema = by_id()[ours]["requestBody"]["content"]["application/json"]
            assert set(resolved(schema["schema"])["properties"]) == set(fields), key
    about = by_id()["about"]["responses"]["200"]["content"]["application/json"]
    assert about["example"]["limits"] == told["limits"]
    assert set(SCHEMAS["About"]["properties"]["limits"]["required"]) == set(
        told["limits"]
    )
    for name, field in (("Batch", "orders"), ("Questions", "questions")):
        many = SCHEMAS[name]["properties"][field]
        assert many["maxItems"] == told["limits"]["orders"]


def shortened(body: Any) -> str:
    return re.sub(r"(.)\1{20,}", r"\1...", json.dumps(body))


# What is no answer


@pytest.mark.parametrize(
    ("method", "path", "status", "body"),
    [
        ("GET", "/v1/health", 200, {"ok": False}),
        ("GET", "/v1/health", 201, {"ok": True}),
        ("GET", "/v1/fleets/demo/containers/web-0", 200, {"name": "web-0", "run": 1}),
        ("POST", "/v1/fleets/demo/events/ack", 200, {"more": 1}),
        ("GET", "/v1/nothing", 200, {}),
        ("GET", "/v1/nothing", 404, {"code": "lost", "message": "", "details": {}}),
        ("PUT", "/v1/health", 404, {"code": "wrong_method"}),
    ],
)
def test_what_the_file_does_not_name_is_no_answer(
    method: str, path: str, status: int, body: Tree
) -> None:
    with pytest.raises(AssertionError):
        holds(method, path, status, body)


def test_a_path_or_a_method_that_is_not_there_is_refused() -> None:
    expected = {"expected": "GET"}
    wrong = {"code": "wrong_method", "message": "expected GET", "details": expected}
    holds("PUT", "/v1/health", 405, wrong)
    nothing = {"code": "not_found", "message": "no such path", "details": {}}
    holds("GET", "/v1/fleets/demo/nothing?a=b", 404, nothing)
