"""Bodies of requests and answers: strict in, plain JSON out."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any, Final, Literal, TypeVar

import attrs
import orjson
from aiohttp import web
from attrs.validators import ge, le, max_len, optional
from returns.future import FutureResult
from returns.result import Failure, Result

from orchestrator.api.plain import BY_MAX, PLAIN, WHY_MAX, is_plain
from orchestrator.api.statuses import status_of
from orchestrator.codec.json_values import INT_MAX, INT_MIN
from orchestrator.codec.problems import Wrong, invalid
from orchestrator.codec.wire import read_tree, tree_of
from orchestrator.core.access_errors import AccessError, TooManyRequests
from orchestrator.core.errors import (
    ContainerError,
    InvalidSpec,
    JournalBusy,
    NotLeader,
    OperatorClosed,
    Problem,
    RateLimited,
)
from orchestrator.core.fields import Json, holds
from orchestrator.core.load_windows import LOAD_MAX_MILLI
from orchestrator.core.policies import RestartPolicy
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.table import Table
from orchestrator.runtime.outcomes import opened

__all__ = (
    "AdoptBody",
    "Asking",
    "LoadBody",
    "ScaleBody",
    "StartBody",
    "UndoBody",
    "answer",
    "error_body",
    "folded",
    "folded_apart",
    "read_body",
    "refusal",
    "told",
    "written",
)

T = TypeVar("T")

COME_BACK_S: Final = 5
"""When to ask for an operator again that has left: another one may be there by then."""

READ_AT_ONCE: Final = 32_768
"""Bytes of a body that are read at once; a longer one is read in a thread."""

DIGITS_MAX: Final = 21
"""Of a number of 64 bits, with its sign."""

_plain = holds(is_plain, PLAIN)


@attrs.frozen(kw_only=True)
class Asking:
    """Who asks, and what for."""

    by: str = attrs.field(default="owner", validator=[max_len(BY_MAX), _plain])
    why: str = attrs.field(default="", validator=[max_len(WHY_MAX), _plain])


@attrs.frozen(kw_only=True)
class StartBody:
    """A start; what is left out stays as it is."""

    by: str = attrs.field(default="owner", validator=[max_len(BY_MAX), _plain])
    why: str = attrs.field(default="", validator=[max_len(WHY_MAX), _plain])
    config: Table[str, Json] | None = None
    command: tuple[str, ...] | None = None
    restart: RestartPolicy | None = None
    spec: ContainerSpec | None = None
    force: bool = False


@attrs.frozen(kw_only=True)
class ScaleBody:
    """How many replicas a service shall run."""

    replicas: int
    by: str = attrs.field(default="owner", validator=[max_len(BY_MAX), _plain])
    why: str = attrs.field(default="", validator=[max_len(WHY_MAX), _plain])


@attrs.frozen(kw_only=True)
class LoadBody:
    """What a service bears: a sum over its replicas, in whatever its target is in."""

    load: float = attrs.field(validator=[ge(0), le(LOAD_MAX_MILLI // 1_000)])


@attrs.frozen(kw_only=True)
class AdoptBody:
    """Whose an orphan becomes: a replica of *service*, or ad-hoc where that is "".

    None: of the service that its name speaks of, if there is one.
    """

    service: str | None = None
    by: str = attrs.field(default="owner", validator=[max_len(BY_MAX), _plain])
    why: str = attrs.field(default="", validator=[max_len(WHY_MAX), _plain])


@attrs.frozen(kw_only=True)
class UndoBody:
    """To which revision a service shall go back.

    None: to the newest good one that is not serving.
    """

    to: int | None = attrs.field(default=None, validator=optional([ge(1), le(INT_MAX)]))
    by: str = attrs.field(default="owner", validator=[max_len(BY_MAX), _plain])
    why: str = attrs.field(default="", validator=[max_len(WHY_MAX), _plain])


async def read_body(request: web.Request, kind: type[T]) -> Result[T, InvalidSpec]:
    """Read the body of a request; none means that nothing is asked for.

    A body that says of itself that it is no JSON is refused: a form that a page of
    somebody else posts is none.
    """
    try:
        data = await request.read()
    except (ConnectionError, ValueError, web.RequestPayloadError):
        raise web.HTTPBadRequest(reason="the body is not what its head says") from None
    if not data:
        return read_tree({}, kind)
    if "Content-Type" in request.headers and request.content_type != _JSON:
        raise web.HTTPUnsupportedMediaType(reason="expected application/json")
    if len(data) > READ_AT_ONCE:
        return await asyncio.to_thread(_read, data, kind)
    return _read(data, kind)


def _read(data: bytes, kind: type[T]) -> Result[T, InvalidSpec]:
    tree = _tree(data)
    return Failure(tree) if isinstance(tree, InvalidSpec) else read_tree(tree, kind)


def _tree(data: bytes) -> Any:
    """Parse JSON; a number that would not stay what it is is refused."""
    try:
        if _LONG.search(data):
            json.loads(data, parse_int=_exact)
        return orjson.loads(data)
    except orjson.JSONDecodeError as error:
        return invalid(f"byte {error.pos}", "JSON", error.msg)
    except Wrong as wrong:
        problem = Problem(place="$", expected=wrong.expected, found=wrong.hint)
        return InvalidSpec(problems=(problem,))
    except (ValueError, RecursionError):
        return invalid("$", "JSON of UTF-8", "something else")


_LONG: Final = re.compile(rb"[0-9]{19}")
"""Where a number may be longer than 64 bits."""


def _exact(digits: str) -> int:
    found = int(digits) if len(digits) <= DIGITS_MAX else INT_MAX + 1
    if INT_MIN <= found <= INT_MAX:
        return found
    raise Wrong("numbers of at most 64 bits", digits, "a longer one")


def answer(value: Any, *, status: int = 200) -> web.Response:
    """Write a value as JSON."""
    body = written(tree_of(value))
    return web.Response(body=body, status=status, content_type=_JSON)


def written(tree: Any) -> bytes:
    """Write plain JSON; a letter that UTF-8 cannot hold is written as its number."""
    try:
        return orjson.dumps(tree)
    except TypeError:
        return json.dumps(tree).encode("ascii")


async def folded(
    operation: FutureResult[Any, ContainerError | TooManyRequests],
) -> web.Response:
    """Wait for an operation, and write its result or its error."""
    outcome = opened(await operation)
    if isinstance(outcome, ContainerError | TooManyRequests):
        return refusal(outcome)
    return answer(outcome)


async def folded_apart(
    operation: FutureResult[Any, ContainerError | TooManyRequests],
) -> web.Response:
    """Write the same in a thread: what may be long holds nobody up."""
    outcome = opened(await operation)
    if isinstance(outcome, ContainerError | TooManyRequests):
        return refusal(outcome)
    return await asyncio.to_thread(answer, outcome)


def error_body(error: ContainerError | AccessError) -> dict[str, Any]:
    """Return an error as JSON: its code, its sentence, its facts."""
    facts = {
        field.name: tree_of(getattr(error, field.name))
        for field in attrs.fields(type(error))
    }
    return {"error": {"code": error.code, "message": error.message, **facts}}


def refusal(error: ContainerError | AccessError) -> web.Response:
    """Write an error with its status, and when to come again where it says so."""
    response = web.Response(
        body=written(error_body(error)),
        status=status_of(error).http,
        content_type=_JSON,
    )
    if isinstance(error, _LATER) and error.retry_after_ms:
        response.headers["Retry-After"] = str(-(-error.retry_after_ms // 1_000))
    elif isinstance(error, OperatorClosed | NotLeader):
        response.headers["Retry-After"] = str(COME_BACK_S)
    return response


_LATER: Final = (TooManyRequests, RateLimited, JournalBusy)
"""Errors that say when to come again."""


def told(status: int, code: str, message: str) -> web.Response:
    """Write a refusal that is HTTP's own, in the shape of all others."""
    body = written({"error": {"code": code, "message": message}})
    return web.Response(body=body, status=status, content_type=_JSON)


_JSON: Literal["application/json"] = "application/json"
