"""Whether an answer is what the OpenAPI document says, and says nothing beside it."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from openapi_schema_validator import OAS31Validator

from orchestrator.api.openapi import document

__all__ = ("check_documented", "operation_of", "problems")

UNDOCUMENTED = {404: "not_found", 405: "method_not_allowed"}
"""What the framework says where there is no route."""


@cache
def closed() -> dict[str, Any]:
    """Return the components, in which an object has no field that is not named."""
    components = copy.deepcopy(document()["components"])
    for schema in components["schemas"].values():
        _close(schema)
    return {"components": components}


def _close(schema: Any) -> None:
    if isinstance(schema, dict):
        if "properties" in schema:
            schema.setdefault("additionalProperties", False)
        for inner in schema.values():
            _close(inner)
    elif isinstance(schema, list):
        for inner in schema:
            _close(inner)


def operation_of(method: str, path: str) -> dict[str, Any] | None:
    """Return the documented operation that a request is meant for."""
    bare = path.partition("?")[0]
    for template, operations in document()["paths"].items():
        parts = re.split(r"\{\w+\}", template)
        pattern = "[^/{}]+".join(map(re.escape, parts))
        if re.fullmatch(pattern, bare) and method.lower() in operations:
            found: dict[str, Any] = operations[method.lower()]
            return found
    return None


def problems(schema: dict[str, Any], value: object) -> list[str]:
    """Say in what a value is not what a schema of the document asks for."""
    return [
        f"{'.'.join(map(str, error.absolute_path)) or 'body'}: {error.message[:300]}"
        for error in _validator(json.dumps(schema)).iter_errors(value)
    ]


@cache
def _validator(schema: str) -> Any:
    own = json.loads(schema)
    _close(own)
    return OAS31Validator({**own, **closed()})


def check_documented(
    method: str, path: str, status: int, headers: Mapping[str, str], body: bytes
) -> None:
    """Fail where an answer is not as it is documented."""
    asked = f"{method} {path}: {status}"
    operation = operation_of(method, path)
    if operation is None:
        error = json.loads(body)["error"]
        assert error["code"] == UNDOCUMENTED[status], asked
        assert error["message"], asked
        return
    answer = operation["responses"].get(str(status))
    assert answer is not None, asked
    media = headers["Content-Type"].partition(";")[0]
    assert media in answer["content"], (asked, media)
    for name in answer.get("headers", ()):
        is_sometimes = name in {"Idempotency-Replayed", "Retry-After"}
        assert is_sometimes or name in headers or media != "application/json", (
            asked,
            name,
        )
    if media == "application/json":
        assert headers["Cache-Control"] == "no-store", asked
        found = problems(answer["content"][media]["schema"], json.loads(body))
        assert not found, (asked, found, body[:500])
