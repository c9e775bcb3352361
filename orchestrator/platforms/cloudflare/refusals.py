"""What an answer of the gateway means that is no success: pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeAlias, cast

import attrs

from orchestrator.core.errors import (
    PlatformError,
    RateLimited,
    Refused,
    StaleOperator,
    StaleRun,
    Unauthorized,
    Unreachable,
)
from orchestrator.core.moments import Millis, Moment

__all__ = ("HOLD_MAX_MS", "HeldByAnother", "Tree", "error_of")

Tree: TypeAlias = dict[str, Any]

HOLD_MAX_MS: Final[Millis] = 300_000
"""For how long a gateway may keep us from asking."""

SECONDS_DIGITS: Final = 9
UNAUTHORIZED: Final = (401, 403)
TOO_MANY: Final = 429
ERRORS: Final = 400
FAULTS: Final = 500


@attrs.frozen(kw_only=True)
class HeldByAnother(Refused):
    """An attach is refused, for another operator has the lease; see ``LeaseHeld``."""

    holder: str
    since: Moment
    expires_in_ms: Millis


def error_of(
    status: int, headers: Mapping[str, str], tree: Tree | None
) -> PlatformError:
    """Return what an answer of the gateway means that is no success.

    >>> error_of(401, {}, None)
    Unauthorized(cause='HTTP 401')
    >>> error_of(429, {"Retry-After": "2"}, {})
    RateLimited(retry_after_ms=2000)

    """
    told = tree or {}
    code, details = told.get("code"), told.get("details")
    cause = f"HTTP {status}"
    if isinstance(code, str):
        cause = f"{code}: {told.get('message', '')}"[:300]
    match code, details:
        case "stale_run", {"name": str(name), "run": int(run), "highest": int(highest)}:
            return StaleRun(name=name, run=run, highest=highest)
        case "stale_operator", {"epoch": int(epoch), "highest": int(highest)}:
            return StaleOperator(epoch=epoch, highest=highest)
        case (
            "lease_held",
            {"holder": str(holder), "since": int(since), "expires_in_ms": int(ms)},
        ):
            return HeldByAnother(
                cause=cause, holder=holder, since=since, expires_in_ms=max(0, ms)
            )
        case "not_configured", _:
            return Unauthorized(cause=cause)
        case "not_running", _:  # what has become of it is told by its end
            return Unreachable(cause=cause)
        case _:
            pass
    if status in UNAUTHORIZED:
        return Unauthorized(cause=cause)
    if status == TOO_MANY:
        return RateLimited(retry_after_ms=_retry_after(headers, details))
    if ERRORS <= status < FAULTS:
        return Refused(cause=cause)
    if status < ERRORS:
        return Unreachable(cause=f"HTTP {status} that is no answer of a gateway")
    return Unreachable(cause=cause)


def _retry_after(headers: Mapping[str, str], details: object) -> Millis | None:
    """Read ``Retry-After`` in seconds (RFC 9110, section 10.2.3), or the gateway's."""
    told: object = None
    if isinstance(details, dict):
        told = cast("Tree", details).get("retry_after_ms")
    if type(told) is int and told >= 0:
        return min(told, HOLD_MAX_MS)
    text = headers.get("Retry-After", "")
    if not text.isascii() or not text.isdigit():
        return None
    if len(text) > SECONDS_DIGITS:
        return HOLD_MAX_MS
    return min(int(text) * 1_000, HOLD_MAX_MS)
