"""The OpenAPI document: the table of routes, in the words of OpenAPI 3.1.

Nothing is written twice: paths, parameters and errors are those of the table, schemas
are derived from the classes that the codec writes and reads.
"""

from __future__ import annotations

from functools import cache
from http import HTTPStatus
from typing import Any, Final, get_args, get_type_hints

import attrs

from orchestrator.api.headers import (
    AT_HEADER,
    KEY_HEADER,
    REPLAYED_HEADER,
    SEQ_HEADER,
    TOTAL_HEADER,
)
from orchestrator.api.route import Failing, Form, Parameter, Route
from orchestrator.api.routes import ROUTES
from orchestrator.api.schemas import Schemas, Tree, summary_of
from orchestrator.api.statuses import STATUSES
from orchestrator.core import access_errors, errors
from orchestrator.replay.places import Place

__all__ = ("document",)

_DOOR: Final[tuple[Failing, ...]] = (
    access_errors.NotAuthenticated,
    access_errors.NotAllowed,
    access_errors.ForeignOrigin,
    access_errors.TooManyRequests,
)
"""Why nobody looks at what is asked for; never on the Unix socket."""

_FRAMEWORK: Final = {
    400: ("bad_request", "The request is no HTTP."),
    408: ("request_timeout", "The body took too long to come."),
    413: ("body_too_large", "The body is longer than is read."),
    415: ("unsupported_media_type", "The body is not said to be JSON."),
    500: ("internal_error", "A bug: the operator's log says more."),
}

_ABOUT: Final = (
    "Everything that the library can do, by HTTP. Times are milliseconds since 1970."
    " A parameter or a field of a body that is not named here is refused; a field of"
    " an answer that is not named here is to be passed over. Every error has a stable"
    " `code`, a `message` for people, and its facts. A path that is not named here"
    " answers 404 `not_found`, a method 405 `method_not_allowed`."
)

_TOLD: Final = {
    SEQ_HEADER: "The row that holds the request, or after which the fleet is shown.",
    AT_HEADER: "From which moment it is seen, in milliseconds since 1970.",
    TOTAL_HEADER: "How many there are in all; the answer may hold a page of them.",
    REPLAYED_HEADER: "The request had been carried out before: nothing was done.",
    "Retry-After": "After how many seconds to ask again.",
}

_TAGS: Final = {
    "fleet": "The fleet as a whole.",
    "containers": "One container, or all of them.",
    "past": "What has happened.",
    "operator": "The operator itself.",
}


@cache
def document() -> Tree:
    """Return the document; it is the same for every operator of this release."""
    schemas = Schemas([*_forms()])
    paths: dict[str, Tree] = {}
    for route in ROUTES:
        operation = _operation(route, schemas)
        paths.setdefault(route.path, {})[route.method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "An operator of a fleet of containers",
            "version": "1",
            "description": _ABOUT,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": name, "description": text} for name, text in _TAGS.items()],
        "paths": paths,
        "components": {
            "schemas": dict(sorted(schemas.components.items())),
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "As `orchestrator token create` prints it.",
                }
            },
        },
    }


def _forms() -> list[Form]:
    """Return every type that is read or written."""
    forms: list[Form] = []
    for route in ROUTES:
        forms += [route.answer, *(form for _, form in route.also)]
        forms += [*_errors(route)]
        forms += [] if route.body is None else [route.body]
    return forms


def _errors(route: Route) -> tuple[Failing, ...]:
    of_standby = (errors.NotLeader,) if route.needs_leader else ()
    every = (*route.errors, *of_standby, errors.InvalidSpec, *_DOOR)
    return tuple(dict.fromkeys(every))


def _operation(route: Route, schemas: Schemas) -> Tree:
    operation: Tree = {
        "operationId": route.handler,
        "summary": route.summary.removesuffix("."),
        "tags": [_tag(route)],
    }
    if route.about:
        operation["description"] = route.about
    parameters = [_in_path(name) for name in route.names]
    parameters += [_in_query(one) for one in route.query]
    parameters += [_in_header(one) for one in route.headers]
    if parameters:
        operation["parameters"] = parameters
    if route.body is not None:
        operation["requestBody"] = _body(route, schemas)
    operation["responses"] = _responses(route, schemas)
    operation["security"] = [] if route.scope == "open" else [{"token": []}, {}]
    operation["x-scope"] = route.scope
    return operation


def _tag(route: Route) -> str:
    if route.scope == "open" or route.handler in {"leader", "metrics", "openapi"}:
        return "operator"
    if route.handler in {"events", "export", "step", "history", "timeline"}:
        return "past"
    return "containers" if "/containers" in route.path else "fleet"


def _in_path(name: str) -> Tree:
    about = {"name": "The name of a container.", "seq": "The number of a row."}
    kind = {"seq": {"type": "integer", "format": "int64", "minimum": 1}}
    return {
        "name": name,
        "in": "path",
        "required": True,
        "description": about[name],
        "schema": kind.get(name, {"type": "string", "minLength": 1}),
    }


def _in_query(one: Parameter) -> Tree:
    found: Tree = {"name": one.name, "in": "query", "description": one.about}
    if one.form == tuple[str, ...]:
        found |= {"style": "form", "explode": False}
    return {**found, "schema": _schema(one)}


def _in_header(one: Parameter) -> Tree:
    schema = _schema(one)
    return {
        "name": one.name,
        "in": "header",
        "description": one.about,
        "schema": schema,
    }


def _schema(one: Parameter) -> Tree:
    """Return the schema of a parameter."""
    if one.form is int:
        found: Tree = {"type": "integer", "format": "int64"}
        found |= {"minimum": one.least, "maximum": one.most}
    elif one.form is bool:
        found = {"type": "boolean"}
    elif one.form == tuple[str, ...]:
        word: Tree = {"type": "string", "pattern": "^[^,]+$"}
        if one.known:
            word = {"type": "string", "enum": list(one.known)}
        found = {"type": "array", "items": word, "minItems": 1}
    elif one.form == Place:
        row = {"type": "integer", "format": "int64", "minimum": 0}
        moment = {"type": "string", "format": "date-time"}
        found = {"oneOf": [row, moment]}
    elif get_args(one.form):
        found = {"type": "string", "enum": list(get_args(one.form))}
    else:
        found = {"type": "string", "pattern": one.pattern}
    if one.default not in (None, ()):
        found["default"] = one.default
    return found


def _body(route: Route, schemas: Schemas) -> Tree:
    schema = schemas.of(route.body, given=True)
    is_needed = any(
        field.default is attrs.NOTHING for field in attrs.fields(route.body)
    )
    return {"required": is_needed, "content": {"application/json": {"schema": schema}}}


def _responses(route: Route, schemas: Schemas) -> Tree:
    responses: dict[str, Tree] = {"200": _success(route, schemas)}
    for status, form in route.also:
        content = {"application/json": {"schema": schemas.of(form)}}
        about = HTTPStatus(status).phrase
        responses[str(status)] = {"description": about, "content": content}
    by_status: dict[int, list[Tree]] = {}
    for kind in _errors(route):
        by_status.setdefault(STATUSES[kind].http, []).append(_failure(kind, schemas))
    for status, (code, about) in _FRAMEWORK.items():
        if route.body is not None or status not in {408, 413, 415}:
            by_status.setdefault(status, []).append(_plain(code, about, schemas))
    for status, kinds in sorted(by_status.items()):
        if str(status) not in responses:
            responses[str(status)] = _refusal(status, kinds)
    return dict(sorted(responses.items()))


def _success(route: Route, schemas: Schemas) -> Tree:
    content: dict[str, Tree] = {}
    for media in route.media:
        is_json = media == "application/json"
        schema = schemas.of(route.answer) if is_json else {"type": "string"}
        content[media] = {"schema": schema}
    found: Tree = {"description": "Done.", "content": content}
    tells = [*route.tells]
    if any(header.name == KEY_HEADER for header in route.headers):
        tells.append(REPLAYED_HEADER)
    if tells:
        found["headers"] = {name: _header(name) for name in tells}
    return found


def _header(name: str) -> Tree:
    kinds: dict[str, Tree] = {REPLAYED_HEADER: {"const": "true"}}
    number = {"type": "integer", "format": "int64"}
    return {"description": _TOLD[name], "schema": kinds.get(name, number)}


def _refusal(status: int, kinds: list[Tree]) -> Tree:
    """Return what an answer of an error's status looks like."""
    error = kinds[0] if len(kinds) == 1 else {"oneOf": kinds}
    schema = {
        "type": "object",
        "properties": {"error": error},
        "required": ["error"],
    }
    found: Tree = {
        "description": HTTPStatus(status).phrase,
        "content": {"application/json": {"schema": schema}},
    }
    if status in {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}:
        found["headers"] = {"Retry-After": _header("Retry-After")}
    return found


def _failure(kind: Any, schemas: Schemas) -> Tree:
    """Return the schema of an error: its code, its sentence, its facts."""
    name = f"{kind.__name__}Error"
    if name not in schemas.components:
        hints = get_type_hints(kind)
        facts = {
            field.name: schemas.of(hints[field.name]) for field in attrs.fields(kind)
        }
        about = summary_of(kind)
        schemas.components[name] = _error(kind.code, about, facts)
    return {"$ref": f"#/components/schemas/{name}"}


def _plain(code: str, about: str, schemas: Schemas) -> Tree:
    """Return the schema of a refusal that has no class of its own."""
    name = "".join(map(str.title, code.split("_"))) + "Error"
    schemas.components[name] = _error(code, about, {})
    return {"$ref": f"#/components/schemas/{name}"}


def _error(code: str, about: str, facts: dict[str, Tree]) -> Tree:
    properties = {"code": {"const": code}, "message": {"type": "string"}, **facts}
    return {
        "type": "object",
        "description": about,
        "properties": properties,
        "required": list(properties),
    }
