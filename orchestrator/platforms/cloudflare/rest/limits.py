"""How long no request may leave, as the headers of an answer have it.

======================  ========================================================
``retry-after-ms``      so many milliseconds
``retry-after``         so many seconds, or until a date (against the answer's own
                        ``date``: no clock of this machine is asked)
``ratelimit``           what is left of each quota, and when it is full again
``ratelimit-policy``    the window of each quota
======================  ========================================================

A status 429 with none of these means five minutes: for so long the API then blocks
all calls of the account.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Final

import attrs

from orchestrator.core.moments import Millis

__all__ = ("HOLD_MAX_MS", "TOO_MANY", "Quota", "hold_ms", "quotas", "retry_after_ms")

TOO_MANY: Final = 429

BLOCK_MS: Final[Millis] = 5 * 60_000
"""How long the API blocks an account that asked too much, as it is documented."""

HOLD_MAX_MS: Final[Millis] = 60 * 60_000
"""Longer than any wait that was ever announced; a wrong header costs no more."""

_ITEM: Final = re.compile(r'"?(?P<name>[^";,]*)"?\s*(?P<parts>(?:;[^;,]*)*)')
_AMOUNT: Final = re.compile(r"[0-9]{1,12}(?:\.[0-9]{0,9})?", re.ASCII)


@attrs.frozen(kw_only=True)
class Quota:
    """One item of ``ratelimit`` or ``ratelimit-policy``; None is what it leaves out."""

    name: str
    remaining: int | None = None
    reset_ms: Millis | None = None
    window_ms: Millis | None = None


def hold_ms(status: int, headers: Mapping[str, str]) -> Millis:
    """Say for how long no request may follow an answer; 0 is not at all.

    >>> hold_ms(429, {"retry-after": "7"}), hold_ms(429, {}), hold_ms(200, {})
    (7000, 300000, 0)
    >>> hold_ms(200, {"ratelimit": '"default";r=0;t=30'})
    30000

    """
    asked = retry_after_ms(headers) if status == TOO_MANY else None
    spent = _spent_ms(headers)
    if asked is None and spent is None:
        return BLOCK_MS if status == TOO_MANY else 0
    return min(max(asked or 0, spent or 0), HOLD_MAX_MS)


def retry_after_ms(headers: Mapping[str, str]) -> Millis | None:
    """Say when to come back, if the answer says so."""
    millis = _amount(headers.get("retry-after-ms", ""))
    if millis is not None:
        return millis
    said = headers.get("retry-after", "").strip()
    seconds = _amount(said, 1000)
    return _until_ms(said, headers.get("date", "")) if seconds is None else seconds


def quotas(header: str) -> tuple[Quota, ...]:
    """Read ``ratelimit`` or ``ratelimit-policy``; what is not understood is left out.

    >>> quotas('"default";r=50;t=30, "burst";q=100;w=60')[1]
    Quota(name='burst', remaining=None, reset_ms=None, window_ms=60000)

    """
    return tuple(_quotas(header))


def _quotas(header: str) -> Iterator[Quota]:
    for item in header.split(","):
        found = _ITEM.fullmatch(item.strip())
        if found is None or not found["parts"]:
            continue
        pairs = (part.partition("=") for part in found["parts"].split(";"))
        parts = {key.strip(): value for key, _, value in pairs}
        yield Quota(
            name=found["name"],
            remaining=_amount(parts.get("r", "")),
            reset_ms=_amount(parts.get("t", ""), 1000),
            window_ms=_amount(parts.get("w", ""), 1000),
        )


def _spent_ms(headers: Mapping[str, str]) -> Millis | None:
    """Say when the quotas that are used up are full again, at the latest."""
    windows = {
        quota.name: quota.window_ms
        for quota in quotas(headers.get("ratelimit-policy", ""))
    }
    waits = [
        quota.reset_ms
        if quota.reset_ms is not None
        else windows.get(quota.name) or BLOCK_MS
        for quota in quotas(headers.get("ratelimit", ""))
        if quota.remaining == 0
    ]
    return max(waits) if waits else None


def _amount(said: str, unit: int = 1) -> int | None:
    """Read a number that is not negative, rounded up to whole milliseconds."""
    said = said.strip()
    return math.ceil(float(said) * unit) if _AMOUNT.fullmatch(said) else None


def _until_ms(said: str, date: str) -> Millis | None:
    until, now = _moment(said), _moment(date)
    if until is None or now is None:
        return None
    return max(0, math.ceil((until - now).total_seconds() * 1000))


def _moment(said: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(said)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return moment if moment.tzinfo else None
