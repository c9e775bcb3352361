"""What the gateway may be asked and may answer, as its OpenAPI file says.

``holds`` is called with every answer of a real gateway that a test sees: what is not in
the file is no answer. Fields that the file does not name are a mistake here, though a
client passes them over.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from openapi_schema_validator import OAS31Validator

FILE: Final = Path(__file__).parents[3] / "docs" / "reference" / "gateway.openapi.json"

Tree = dict[str, Any]

_JSON: Final = "application/json"
_ANYWHERE: Final = {
    "Unauthorized": "401",
    "NotFound": "404",
    "Internal": "500",
    "Unavailable": "503",
}
"""Responses that also a path or a method may have that the file does not name."""


@functools.cache
def document() -> Tree:
    """Read the file."""
    read: Tree = json.loads(FILE.read_text(encoding="utf-8"))
    return read


def holds(method: str, path: str, status: int, body: object, kind: str = _JSON) -> None:
    """Assert that an answer is one that the file allows, in its status and its body.

    *path* is what was asked, from ``/v1`` on; a query is passed over. *kind* is the
    media type of the answer.
    """
    response = _response(method, path.partition("?")[0], status)
    assert kind in response["content"], (method, path, status, kind)
    found = problems(response["content"][kind]["schema"], body)
    assert not found, (method, path, status, found, body)


def body_of(operation: Tree) -> Tree | None:
    """Return the JSON that an operation takes: its schema and an example."""
    found: Tree | None = operation.get("requestBody", {}).get("content", {}).get(_JSON)
    return found


def takes(operation: Tree, body: object) -> bool:
    """Say whether a body is one that an operation takes."""
    return fits(operation["requestBody"]["content"][_JSON]["schema"], body)


def fits(schema: Tree, value: object) -> bool:
    """Say whether a value is what a schema of the file asks for."""
    fit: bool = _validator(json.dumps(schema)).is_valid(value)  # the first problem ends
    return fit


def problems(schema: Tree, value: object) -> list[str]:
    """Say in what a value is not what a schema of the file asks for."""
    return [
        f"{'.'.join(map(str, error.absolute_path)) or 'body'}: {error.message[:300]}"
        for error in _validator(json.dumps(schema)).iter_errors(value)
    ]


@functools.cache
def _validator(schema: str) -> Any:
    whole = {**json.loads(schema), "components": {"schemas": _strict()}}
    return OAS31Validator(whole)


def operations() -> Iterator[tuple[str, str, Tree]]:
    """Yield each operation with its method and its path."""
    for path, methods in document()["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def resolved(tree: Tree) -> Tree:
    """Follow a reference, where it is one."""
    while "$ref" in tree:
        found = document()
        for part in tree["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        tree = found
    return tree


def _response(method: str, path: str, status: int) -> Tree:
    """Return the response that may have a status, or fail."""
    shared = document()["components"]["responses"]
    known = [one for one in operations() if _pattern(one[1]).fullmatch(path)]
    ours = [operation for found, _, operation in known if found == method]
    if ours:
        responses = ours[0]["responses"]
    else:
        responses = {told: shared[name] for name, told in _ANYWHERE.items()}
        if known:
            responses["405"] = shared["WrongMethod"]
    assert str(status) in responses, f"{method} {path} may not answer {status}"
    return resolved(responses[str(status)])


@functools.cache
def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(path)))


@functools.cache
def _strict() -> Tree:
    """Return the schemas, with no field but those that they name."""
    return {
        name: schema if name.endswith("Fields") else _closed(schema)
        for name, schema in document()["components"]["schemas"].items()
    }


def _closed(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: _closed(part) for key, part in schema.items()}
    open_keys = {"additionalProperties", "unevaluatedProperties", "allOf"}
    if isinstance(schema.get("properties"), dict) and not open_keys & set(schema):
        closed["additionalProperties"] = False
    return closed
