"""Cloudflare's metrics of containers, read by GraphQL: the processors' time.

Asked is for what is documented of ``containersMetricsAdaptiveGroups``: the sum of
``cpuTimeSec`` of each container, by the labels that the gateway starts it with. It was
never tried on an account: what the API really answers may differ.

Metrics come some minutes late, and nothing says how late. So a stretch of whole minutes
is read that has been over for a while.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, cast

import aiohttp
import orjson
from returns.result import Failure, Result, Success

from orchestrator.core.errors import PlatformError, Refused, Unreachable
from orchestrator.core.moments import Millis, Moment
from orchestrator.platforms.cloudflare.rest.errors import (
    Answer,
    Reply,
    Trouble,
    judge,
    told,
)
from orchestrator.platforms.cloudflare.rest.http import (
    Call,
    RestHttp,
    RestLimits,
    RestTiming,
)

__all__ = ("GRAPHQL_URL", "LATE_MS", "ROWS_MAX", "SPAN_MS", "Metrics")

GRAPHQL_URL: Final = "https://api.cloudflare.com/client/v4/graphql"
SPAN_MS: Final[Millis] = 300_000
"""How long the stretch is that is read."""

LATE_MS: Final[Millis] = 180_000
"""For how long it has been over."""

MINUTE_MS: Final[Millis] = 60_000
ROWS_MAX: Final = 10_000
"""As many as one query may answer; it says so itself."""

BAD: Final = 400

QUERY: Final = """
query ($account: string, $from: string, $to: string, $label: string) {
  viewer {
    accounts(filter: {accountTag: $account}) {
      containersMetricsAdaptiveGroups(
        limit: 10000
        filter: {datetime_geq: $from, datetime_leq: $to, labels_has: $label}
      ) {
        dimensions { container: label(name: "container") }
        sum { cpuTimeSec }
      }
    }
  }
}
"""


class Metrics:
    """Metrics of the containers of one account."""

    def __init__(
        self,
        account_id: str,
        token: str,
        *,
        url: str = GRAPHQL_URL,
        session: aiohttp.ClientSession | None = None,
        now: Callable[[], Moment] = lambda: time.time_ns() // 1_000_000,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Ask with *token*, which needs the permission Account Analytics Read."""
        self._account_id = account_id
        self._token = token.strip()
        self._now = now
        monotonic = RestTiming(
            now_ms=lambda: time.monotonic_ns() // 1_000_000, sleep=sleep
        )
        self._http = RestHttp(
            url,
            self._token,
            session=session,
            limits=RestLimits(retries_max=0),
            timing=monotonic,
            judging=_judge,
        )

    def __repr__(self) -> str:
        """Name the account, and nothing that is secret."""
        return f"Metrics(account_id={self._account_id!r})"

    async def close(self) -> None:
        """Let go of the connections; what is asked later is ``Unreachable``."""
        await self._http.close()

    async def cpu_seconds(
        self, fleet: str
    ) -> Result[Mapping[str, float], PlatformError]:
        """Return how many seconds of processors each container of a fleet has used.

        It is of the newest ``SPAN_MS`` that are told; who is not in it is not known.
        """
        end = (self._now() - LATE_MS) // MINUTE_MS * MINUTE_MS
        variables = {
            "account": self._account_id,
            "from": _text(end - SPAN_MS),
            "to": _text(end - 1_000),
            "label": f"fleet={fleet}",
        }
        body = {"query": QUERY, "variables": variables}
        answered = await self._http.ask(Call("POST", "", body=body))
        if isinstance(answered, Failure):
            trouble: Trouble = answered.failure()
            return Failure(trouble.error)
        return _seconds(answered.unwrap().result)


def _text(at: Moment) -> str:
    """Write a moment as the API takes it."""
    moment = datetime.fromtimestamp(at / 1_000, tz=UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _judge(reply: Reply) -> Result[Answer, Trouble]:
    """Say what a reply of GraphQL is: its data, or the trouble that it tells of."""
    if reply.status >= BAD:
        return judge(reply)
    try:
        tree: Any = orjson.loads(reply.body)
    except orjson.JSONDecodeError:
        tree = None
    match tree:
        case {"errors": [{"message": str(message)}, *_]}:
            return Failure(Trouble(error=Refused(cause=told(message, reply.secret))))
        case {"data": dict(data)} if not tree.get("errors"):
            return Success(Answer(status=reply.status, result=data))
        case _:
            cause = "the metrics that were answered are not understood"
            return Failure(Trouble(error=Unreachable(cause=cause)))


def _seconds(data: Any) -> Result[Mapping[str, float], PlatformError]:
    """Read the sums; a container that was placed twice has two, which are added."""
    found: dict[str, float] = {}
    rows = _rows(data)
    if rows is None:
        return Failure(Unreachable(cause="the metrics have no sums of containers"))
    if len(rows) >= ROWS_MAX:
        return Failure(Refused(cause=f"the metrics have more than {ROWS_MAX} sums"))
    for row in rows:
        match row:
            case {
                "dimensions": {"container": str(name)},
                "sum": {"cpuTimeSec": int() | float() as used},
            } if used >= 0:
                found[name] = found.get(name, 0.0) + used
            case _:
                return Failure(Unreachable(cause="a sum of the metrics is none"))
    return Success(found)


def _rows(data: Any) -> list[object] | None:
    match data:
        case {
            "viewer": {
                "accounts": [{"containersMetricsAdaptiveGroups": list() as rows}]
            }
        }:
            return cast("list[object]", rows)
        case _:
            return None
