"""What each end of a run counts as: the gateway's words, as exits of the core.

They are its words for Cloudflare's messages. An end that nobody saw is ``Lost``, never
a code 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, cast

from orchestrator.core.errors import NoCapacity, QuotaExceeded, RateLimited
from orchestrator.core.exits import (
    Exit,
    Exited,
    Lost,
    OutOfMemory,
    RolledOut,
    Slept,
    StartFailed,
    Stopped,
)

__all__ = ("END_KINDS", "exit_of")

CODE_MAX: Final = 255

END_KINDS: Final[dict[str, str]] = {
    "exited": "`Exited(code)`",
    "out_of_memory": "`OutOfMemory`: Cloudflare says so in words",
    "signalled": "`RolledOut`: the platform stopped it, and not for its own fault",
    "rollout": "`RolledOut`",
    "slept": "`Slept`",
    "stopped": "`Stopped`",
    "orphaned": "`Stopped`: no operator had called for `orphan_after_ms`",
    "no_capacity": "`NoCapacity`",
    "quota": "`QuotaExceeded`",
    "rate_limited": "`RateLimited`",
    "start_failed": "`StartFailed`",
    "no_application": "`StartFailed`",
    "lost": "`Lost`",
    "engine_lost": "`StartFailed` before it was up, else `Lost`",
    "unknown": "`StartFailed` before it was up, else `Lost`",
    "overloaded": "`StartFailed` before it was up, else `Lost`",
    "timed_out": "`StartFailed` before it was up, else `Lost`",
    "not_listening": "`StartFailed` before it was up, else `Lost`",
    "already_running": "`StartFailed` before it was up, else `Lost`",
    "not_running": "`StartFailed` before it was up, else `Lost`",
}
"""Each kind of end that the gateway tells, and what it counts as (for the docs)."""


def exit_of(end: object, *, was_up: bool) -> Exit:
    """Return what an end counts as; what is not understood was not seen.

    >>> exit_of({"kind": "exited", "code": 7}, was_up=True)
    Exited(code=7)
    >>> exit_of({"kind": "from the future", "raw": "?"}, was_up=True)
    Lost()

    """
    facts = cast("Mapping[str, Any]", end) if isinstance(end, Mapping) else {}
    raw = str(facts.get("raw", ""))[:300]
    match facts.get("kind"):
        case "exited":
            code = facts.get("code")
            if type(code) is int and 0 <= code <= CODE_MAX:
                return Exited(code=code)
            return Lost()
        case "out_of_memory":
            return OutOfMemory()
        case "signalled" | "rollout":
            return RolledOut()
        case "slept":
            return Slept()
        case "stopped" | "orphaned":
            return Stopped()
        case "no_capacity":
            return NoCapacity()
        case "quota":
            return QuotaExceeded()
        case "rate_limited":
            return RateLimited()
        case "start_failed" | "no_application":
            return StartFailed(reason=raw)
        case "lost":
            return Lost()
        case _:
            return Lost() if was_up else StartFailed(reason=raw)
