"""The reference of the HTTP API: a page and the OpenAPI file, from the table of routes.

``python -m tests.docs.generate_api`` writes both.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from orchestrator.api.openapi import document
from orchestrator.api.route import Route
from orchestrator.api.routes import ROUTES
from orchestrator.api.statuses import STATUSES

__all__ = ("api_page", "openapi_file")

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"

HEAD = """\
# HTTP API

What `orchestrator` can do by command, a program can do by HTTP: on the Unix socket in
the state folder, and where `--listen` or `[api] listen` says so
([how to expose it safely](../how-to/expose-safely.md)). The same, for machines:
[openapi.json](openapi.json), which every operator serves at `/openapi.json`.

Bodies and answers are JSON. Times are milliseconds since 1970. A parameter or a field
of a body that is not named here is refused; a field of an answer that is not named here
is to be passed over.

    curl --unix-socket STATE/operator.sock http://localhost/v1/containers
    curl -H "Authorization: Bearer $TOKEN" https://operator.example/v1/fleet

* **A place** in the past is the number of a row (`at=812`) or a time of ISO 8601
  (`at=2026-01-31T12:30:00Z`; without an offset it is UTC).
* **A list** stands between commas: `phase=failed,crash_looping`.
* **An error** is `{"error": {"code", "message", ...facts}}`. `code` is stable; the
  [table of errors](errors.md) says which status it has.
* **A request that changes something** may carry `Idempotency-Key`, 1 to 128 visible
  ASCII characters. Sent again with the same key within a day it does nothing twice: the
  answer has `Idempotency-Replayed: true`. The same key with another request is refused
  (`key_reused`). Key and request are written down together, so that an operator that
  ends in between forgets neither.
* **`Orchestrator-Seq`** of such an answer is the row of the journal that holds the
  request; where nothing was written down, the newest row. Of a look it is the row after
  which the fleet is shown, and `Orchestrator-At` the moment from which it is seen.
* No answer may be kept by a cache (`Cache-Control: no-store`).

Every route under `/v1` answers also 400 `bad_request`, 401 `not_authenticated`,
403 `not_allowed` and `foreign_origin`, 429 `too_many_requests`, 422 `invalid_spec`; one
that takes a body also 408 `request_timeout`, 413 `body_too_large` and 415
`unsupported_media_type`. Another path answers 404 `not_found`, another method 405
`method_not_allowed`. `HEAD` is answered where `GET` is, but for streams.
"""


def api_page() -> str:
    """Return the page."""
    lines = [HEAD, "| | | needs |", "|---|---|---|"]
    lines += [
        f"| `{route.method} {route.path}` | {route.summary} | {route.scope} |"
        for route in ROUTES
    ]
    for route in ROUTES:
        lines += ["", f"## {route.method} {route.path}", "", *_section(route)]
    lines += ["", "## Answers", "", *_answers()]
    return "\n".join(lines) + "\n"


def _answers() -> Iterator[str]:
    """Yield the fields of every class that is answered with, or within one."""
    schemas = document()["components"]["schemas"]
    yield "The classes that answers are made of; what may be left out is in brackets."
    for name, schema in schemas.items():
        if name.endswith(("Input", "Error")) or "properties" not in schema:
            continue
        yield ""
        yield f"**{name}**: {_plain(schema['description'])}"
        yield ""
        needed = schema.get("required", ())
        told = (
            _field(field, kind, is_needed=field in needed)
            for field, kind in schema["properties"].items()
        )
        yield from textwrap.wrap("; ".join(told) + ".", 96, break_long_words=False)


def _field(name: str, schema: dict[str, Any], *, is_needed: bool) -> str:
    told = f"`{name}`: {_kind(schema)}"
    return told if is_needed else f"[{told}]"


def _plain(text: str) -> str:
    """Return a docstring's words as Markdown has them."""
    return text.replace("``", "`")


def _section(route: Route) -> Iterator[str]:
    yield route.summary
    if route.about:
        yield ""
        yield route.about
    rows = [*_parameters(route)]
    if rows:
        yield ""
        yield from ("| parameter | | |", "|---|---|---|", *rows)
    if route.body is not None:
        yield ""
        yield from ("| field of the body | | |", "|---|---|---|", *_fields(route))
    yield ""
    yield f"Answers {_answer(route)}"
    own = [kind for kind in route.errors if kind.code != "invalid_spec"]
    if own:
        named = sorted((STATUSES[kind].http, kind.code) for kind in own)
        errors = ", ".join(f"{http} `{code}`" for http, code in named)
        yield ""
        yield f"Errors: {errors}."


def _parameters(route: Route) -> Iterator[str]:
    operation = document()["paths"][route.path][route.method.lower()]
    for one in operation.get("parameters", ()):
        if one["in"] == "path":
            continue
        where = " (header)" if one["in"] == "header" else ""
        kind = _kind(one["schema"])
        yield f"| `{one['name']}`{where} | {kind} | {one['description']} |"


def _fields(route: Route) -> Iterator[str]:
    operation = document()["paths"][route.path][route.method.lower()]
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    found = _resolved(schema)
    for name, field in found["properties"].items():
        is_needed = "required" if name in found.get("required", ()) else ""
        yield f"| `{name}` | {_kind(field)} | {is_needed} |"


def _resolved(schema: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in schema:
        return schema
    name = schema["$ref"].rpartition("/")[2]
    found: dict[str, Any] = document()["components"]["schemas"][name]
    return found


def _kind(schema: dict[str, Any]) -> str:
    """Say in few words what a value is."""
    if "$ref" in schema:
        return f"`{schema['$ref'].rpartition('/')[2].removesuffix('Input')}`"
    if "const" in schema:
        return f"`{schema['const']}`"
    if "enum" in schema:
        words = ", ".join(f"`{word}`" for word in schema["enum"])
        return f"one of {words}{_default(schema)}"
    if "anyOf" in schema or "oneOf" in schema:
        kinds = schema.get("anyOf") or schema["oneOf"]
        if {"format": "date-time", "type": "string"} in kinds:
            return "place"
        return " or ".join(_kind(kind) for kind in kinds)
    kind = schema.get("type", "any JSON")
    if isinstance(kind, list):
        kind = " or ".join(kind)
    if kind == "array":
        return f"list of {_kind(schema['items'])}"
    if "minimum" in schema and "maximum" in schema:
        kind = f"{kind} {schema['minimum']} to {schema['maximum']}"
    return f"{kind}{_default(schema)}"


def _default(schema: dict[str, Any]) -> str:
    if "default" not in schema:
        return ""
    default = schema["default"]
    shown = str(default).lower() if isinstance(default, bool) else default
    return f"; else `{shown}`"


def _answer(route: Route) -> str:
    operation = document()["paths"][route.path][route.method.lower()]
    content = operation["responses"]["200"]["content"]
    told = [
        f"{_kind(one['schema'])} as `{media}`"
        if media == "application/json"
        else f"`{media}`"
        for media, one in content.items()
    ]
    tells = operation["responses"]["200"].get("headers", {})
    also = f", with {', '.join(f'`{name}`' for name in tells)}" if tells else ""
    more = f"; {' or '.join(str(status) for status, _ in route.also)} where not so"
    return f"{', '.join(told)}{also}{more if route.also else ''}."


def openapi_file() -> str:
    """Return the OpenAPI file."""
    return json.dumps(document(), indent=2, ensure_ascii=False) + "\n"


def main() -> None:
    """Write both."""
    (REFERENCE / "api.md").write_text(api_page(), encoding="utf-8")
    (REFERENCE / "openapi.json").write_text(openapi_file(), encoding="utf-8")


if __name__ == "__main__":
    main()
