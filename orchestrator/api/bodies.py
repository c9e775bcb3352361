"""Bodies of requests and answers: strict in, plain JSON out."""

from __future__ import annotations

from typing import Any, Literal, TypeVar

import attrs
import orjson
from aiohttp import web
from returns.result import Failure, Result

from orchestrator.api.statuses import status_of
from orchestrator.codec.problems import invalid
from orchestrator.codec.wire import read_tree, tree_of
from orchestrator.core.access_errors import AccessError
from orchestrator.core.errors import ContainerError, InvalidSpec
from orchestrator.core.fields import Json
from orchestrator.core.policies import RestartPolicy
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.table import Table

__all__ = ("Asking", "StartBody", "answer", "error_body", "read_body", "refusal")

T = TypeVar("T")


@attrs.frozen(kw_only=True)
class Asking:
    """Who asks, and what for."""

    by: str = "owner"
    why: str = ""


@attrs.frozen(kw_only=True)
class StartBody:
    """A start; what is left out stays as it is."""

    by: str = "owner"
    why: str = ""
    config: Table[str, Json] | None = None
    command: tuple[str, ...] | None = None
    restart: RestartPolicy | None = None
    spec: ContainerSpec | None = None
    force: bool = False


async def read_body(request: web.Request, kind: type[T]) -> Result[T, InvalidSpec]:
    """Read the body of a request; none means that nothing is asked for."""
    data = await request.read()
    if not data:
        return read_tree({}, kind)
    try:
        tree: Any = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        return Failure(invalid(f"byte {error.pos}", "JSON", error.msg))
    return read_tree(tree, kind)


def answer(value: Any) -> web.Response:
    """Write a value as JSON."""
    return web.Response(body=orjson.dumps(tree_of(value)), content_type=_JSON)


def error_body(error: ContainerError | AccessError) -> dict[str, Any]:
    """Return an error as JSON: its code, its sentence, its facts."""
    facts = {
        field.name: tree_of(getattr(error, field.name))
        for field in attrs.fields(type(error))
    }
    return {"error": {"code": error.code, "message": error.message, **facts}}


def refusal(error: ContainerError | AccessError) -> web.Response:
    """Write an error with its status."""
    return web.Response(
        body=orjson.dumps(error_body(error)),
        status=status_of(error).http,
        content_type=_JSON,
    )


_JSON: Literal["application/json"] = "application/json"
