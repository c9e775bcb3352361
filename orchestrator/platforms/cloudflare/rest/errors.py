"""Which error of the platform an answer of Cloudflare's REST API is.

=====================================  ===============================================
a code with ``SURPASSED_``             ``QuotaExceeded``
401                                    ``Unauthorized``
403                                    ``Refused`` if Containers itself names a code,
                                       for then the token was let in and a rule of the
                                       account said no; otherwise ``Unauthorized``
408                                    ``TimedOut``
429                                    ``RateLimited``
other 4xx, a success that is none      ``Refused``
5xx, and what is not understood        ``Unreachable``: what it did is unknown
=====================================  ===============================================

Containers hides its own code and details as JSON inside the message of the first
error. An answer may repeat what was sent: the token is cut out of every cause, and
where the request held an environment only codes are told.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import attrs
import orjson
from returns.result import Failure, Result, Success

from orchestrator.core.errors import (
    PlatformError,
    QuotaExceeded,
    RateLimited,
    Refused,
    TimedOut,
    Unauthorized,
    Unreachable,
)
from orchestrator.core.moments import Millis
from orchestrator.core.table import Table
from orchestrator.platforms.cloudflare.rest.limits import (
    TOO_MANY,
    hold_ms,
    retry_after_ms,
)
from orchestrator.platforms.cloudflare.rest.reading import (
    Malformed,
    Node,
    flag,
    read,
    text,
)

__all__ = (
    "Answer",
    "ApiProblem",
    "Reply",
    "Trouble",
    "judge",
    "misread",
    "problem_of",
    "told",
)

CAUSE_MAX: Final = 500
"""Characters of a cause that are kept."""

CODE: Final = re.compile(r"[A-Z][A-Z0-9_]{0,63}", re.ASCII)
"""What a code of Containers looks like; anything else is prose."""

OK: Final = 200
NO_CONTENT: Final = 204
BAD: Final = 400
UNAUTHORIZED: Final = 401
FORBIDDEN: Final = 403
REQUEST_TIMEOUT: Final = 408
CONFLICT: Final = 409
SERVER: Final = 500


@attrs.frozen(kw_only=True)
class Reply:
    """What came over the wire; the names of the headers are in lower case.

    ``after_ms`` is how long it took, ``secret`` is never to be told, and ``withheld``
    says that the request held other secrets.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes = attrs.field(repr=False)
    after_ms: Millis
    secret: str = attrs.field(repr=False)
    withheld: bool


@attrs.frozen(kw_only=True)
class Answer:
    """The result of a request that the API carried out."""

    status: int
    result: Any = attrs.field(repr=False)
    next_page_token: str | None = None


@attrs.frozen(kw_only=True)
class ApiProblem:
    """What the API says went wrong: its number, and the code of Containers itself."""

    number: int | None = None
    code: str | None = None
    message: str = attrs.field(default="", repr=False)
    details: Table[str, str] = attrs.field(default=Table(), repr=False)


@attrs.frozen(kw_only=True)
class Trouble:
    """Why a request has no result; ``again``: a read may be tried once more."""

    error: PlatformError
    status: int | None = None
    problem: ApiProblem = ApiProblem()
    again: bool = False
    wait_ms: Millis | None = None


def judge(reply: Reply) -> Result[Answer, Trouble]:
    """Say what a reply is: a result, or the trouble that it tells of."""
    tree = _json(reply.body)
    if reply.status >= BAD:
        return Failure(_trouble(reply, problem_of(tree)))
    if reply.status // 100 != OK // 100:
        return Failure(_odd(reply, "status", "2xx", f"{reply.status}"))
    if reply.status == NO_CONTENT:
        return Success(Answer(status=reply.status, result=None))
    if tree is None:
        found = f"{len(reply.body)} bytes that are none" if reply.body else "nothing"
        return Failure(attrs.evolve(_odd(reply, "$", "JSON", found), again=True))
    envelope = read(tree, lambda node: _envelope(node, reply.status))
    if isinstance(envelope, Failure):
        return Failure(misread(envelope.failure(), reply.status))
    answer = envelope.unwrap()
    if answer is None:
        return Failure(_trouble(reply, problem_of(tree)))
    return Success(answer)


def _envelope(node: Node, status: int) -> Answer | None:
    """Read the envelope of a success; None where it says that it is none."""
    if not node.need("success", flag):
        return None
    return Answer(
        status=status,
        result=node.maybe("result", lambda result: result.tree),
        next_page_token=node.inside("result_info").maybe("next_page_token", text)
        or None,
    )


def misread(malformed: Malformed, status: int | None = None) -> Trouble:
    """Return the trouble with an answer that is not what the API promises."""
    cause = f"the answer is not understood: {malformed.message}"
    return Trouble(error=Unreachable(cause=cause), status=status)


def problem_of(tree: Any) -> ApiProblem:
    """Read the first error of an envelope as far as it can be read; never refuse.

    >>> message = '{"error": "VALIDATE_INPUT", "details": {"name": "too long"}}'
    >>> problem_of({"errors": [{"code": 1000, "message": message}]})
    ApiProblem(number=1000, code='VALIDATE_INPUT')

    """
    errors = tree.get("errors") if isinstance(tree, dict) else None
    first = errors[0] if isinstance(errors, list) and errors else None
    if not isinstance(first, dict):
        return ApiProblem()
    number, message = first.get("code"), first.get("message")
    inner = _nested(message)
    code = inner.get("error")
    coded = isinstance(code, str) and CODE.fullmatch(code) is not None
    return ApiProblem(
        number=number if type(number) is int else None,
        code=code if coded else None,
        message=message if isinstance(message, str) and not coded else "",
        details=_flat(inner.get("details")) if coded else Table(),
    )


def _nested(message: Any) -> dict[str, Any]:
    """Read the JSON that a message may be."""
    tree = _json(message.encode()) if isinstance(message, str) else message
    return tree if isinstance(tree, dict) else {}


def _flat(details: Any) -> Table[str, str]:
    entries = details if isinstance(details, dict) else {"details": details}
    return Table.of(
        (key, value if isinstance(value, str) else _written(value))
        for key, value in entries.items()
        if value is not None
    )


def _written(value: Any) -> str:
    try:
        return orjson.dumps(value).decode()
    except TypeError:  # nested deeper than orjson writes, though it reads it
        return "..."


def _json(body: bytes) -> Any:
    """Parse JSON; None where it is none."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None


def _odd(reply: Reply, place: str, expected: str, found: str) -> Trouble:
    malformed = Malformed(place=place, expected=expected, found=found)
    return misread(malformed, reply.status)


def _trouble(reply: Reply, problem: ApiProblem) -> Trouble:
    again = reply.status in {REQUEST_TIMEOUT, CONFLICT} or reply.status >= SERVER
    return Trouble(
        error=_error(reply, problem),
        status=reply.status,
        problem=problem,
        again=again,
        wait_ms=retry_after_ms(reply.headers),
    )


def _error(reply: Reply, problem: ApiProblem) -> PlatformError:
    cause = _cause(reply, problem)
    if reply.status == TOO_MANY:
        return RateLimited(retry_after_ms=hold_ms(reply.status, reply.headers))
    if reply.status == UNAUTHORIZED:
        return Unauthorized(cause=cause)
    if "SURPASSED_" in (problem.code or ""):
        return QuotaExceeded()
    if reply.status == FORBIDDEN and problem.code is None:
        return Unauthorized(cause=cause)
    if reply.status == REQUEST_TIMEOUT:
        return TimedOut(after_ms=reply.after_ms)
    return Unreachable(cause=cause) if reply.status >= SERVER else Refused(cause=cause)


def _cause(reply: Reply, problem: ApiProblem) -> str:
    """Say what the API said, without what must not be said."""
    words = [f"status {reply.status}"]
    if problem.code is not None:
        words.append(problem.code)
    if problem.number is not None:
        words.append(f"code {problem.number}")
    if not reply.withheld:
        said = [f"{key}={value}" for key, value in problem.details.items()]
        words += [part for part in (problem.message, *said) if part]
    return told(", ".join(words), reply.secret)


def told(cause: str, secret: str) -> str:
    """Cut a secret out of a cause, and the cause to a length that one can read."""
    safe = cause.replace(secret, "[hidden]")
    return safe if len(safe) <= CAUSE_MAX else f"{safe[:CAUSE_MAX]}..."
