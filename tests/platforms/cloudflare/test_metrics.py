"""Cloudflare's metrics by GraphQL, against a server that answers as is documented."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import aiohttp
import attrs
import orjson
import pytest
from aiohttp import web
from returns.future import FutureResult

from orchestrator.core.errors import (
    PlatformError,
    RateLimited,
    Refused,
    Unauthorized,
    Unreachable,
)
from orchestrator.platforms.cloudflare.rest.metrics import (
    LATE_MS,
    ROWS_MAX,
    SPAN_MS,
    Metrics,
)
from tests.runtime.kit import error, value

ACCOUNT, TOKEN = "0" * 32, "planted-token-of-the-metrics-55aa"
NOW = 1_795_000_123_456


@attrs.define
class FakeMetrics:
    """The API: it answers sums, or what a test says."""

    used: dict[str, float] = attrs.Factory(dict)
    status: int = 200
    says: Any = None
    headers: dict[str, str] = attrs.Factory(dict)
    seen: list[dict[str, Any]] = attrs.Factory(list)

    async def handle(self, request: web.Request) -> web.Response:
        assert request.method == "POST"
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return web.json_response({"success": False, "errors": []}, status=403)
        self.seen.append(orjson.loads(await request.read()))
        tree = self.tree() if self.says is None else self.says
        body = tree if isinstance(tree, bytes) else orjson.dumps(tree)
        return web.Response(status=self.status, body=body, headers=self.headers)

    def tree(self) -> dict[str, Any]:
        rows = [
            {"dimensions": {"container": name}, "sum": {"cpuTimeSec": used}}
            for name, used in self.used.items()
        ]
        return answer(rows)


def answer(rows: Any) -> dict[str, Any]:
    account = {"containersMetricsAdaptiveGroups": rows}
    return {"data": {"viewer": {"accounts": [account]}}, "errors": None}


@asynccontextmanager
async def measuring(fake: FakeMetrics, token: str = TOKEN) -> AsyncIterator[Metrics]:
    app = web.Application()
    app.router.add_route("*", "/graphql", fake.handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/graphql"
    async with aiohttp.ClientSession() as session:
        yield Metrics(ACCOUNT, token, url=url, session=session, now=lambda: NOW)
    await runner.cleanup()


async def asked(fake: FakeMetrics, token: str = TOKEN) -> object:
    async with measuring(fake, token) as metrics:
        return await error(FutureResult(metrics.cpu_seconds("demo")))


async def test_seconds_are_told_by_the_name_of_the_container() -> None:
    fake = FakeMetrics(used={"web-0": 12.5, "web-1": 3})
    async with measuring(fake) as metrics:
        found = await value(FutureResult(metrics.cpu_seconds("demo")))
        assert found == {"web-0": 12.5, "web-1": 3}


async def test_asked_is_for_whole_minutes_that_have_been_over_for_a_while() -> None:
    fake = FakeMetrics()
    assert await asked(fake) == {}
    [body] = fake.seen
    told = body["variables"]
    begin, end = (
        int(datetime.fromisoformat(told[key]).timestamp() * 1_000)
        for key in ("from", "to")
    )
    assert begin % 60_000 == 0
    assert end - begin == SPAN_MS - 1_000  # both ends are within
    assert LATE_MS <= NOW - end <= LATE_MS + 61_000
    assert (told["account"], told["label"]) == (ACCOUNT, "fleet=demo")
    assert "labels_has: $label" in body["query"]
    assert TOKEN not in orjson.dumps(body).decode()


async def test_a_container_that_was_placed_twice_is_added_up() -> None:
    rows = [
        {"dimensions": {"container": "web-0"}, "sum": {"cpuTimeSec": used}}
        for used in (1.5, 2)
    ]
    assert await asked(FakeMetrics(says=answer(rows))) == {"web-0": 3.5}


@pytest.mark.parametrize(
    "says",
    [
        b"no JSON",
        {},
        {"data": None},
        {"data": {}},
        {"data": {"viewer": {"accounts": []}}},
        {"data": {}, "errors": [7]},
        answer(None),
        answer([7]),
        answer([{"dimensions": {"container": "a"}, "sum": {"cpuTimeSec": -1}}]),
        answer([{"dimensions": {"container": None}, "sum": {"cpuTimeSec": 1}}]),
    ],
)
async def test_what_is_not_as_documented_is_not_understood(says: Any) -> None:
    assert isinstance(await asked(FakeMetrics(says=says)), Unreachable)


async def test_an_error_of_the_query_is_told_without_the_token() -> None:
    says = {"data": None, "errors": [{"message": f"unknown field for {TOKEN}"}]}
    failed = await asked(FakeMetrics(says=says))
    assert failed == Refused(cause="unknown field for [hidden]")


async def test_more_sums_than_one_answer_holds_are_no_sums() -> None:
    row = {"dimensions": {"container": "a"}, "sum": {"cpuTimeSec": 1}}
    failed = await asked(FakeMetrics(says=answer([row] * ROWS_MAX)))
    assert isinstance(failed, Refused)


async def test_who_may_not_is_told_so() -> None:
    assert isinstance(await asked(FakeMetrics(), "another"), Unauthorized)


@pytest.mark.parametrize(
    ("status", "headers", "kind"),
    [(500, {}, Unreachable), (429, {"Retry-After": "7"}, RateLimited)],
)
async def test_trouble_is_what_it_is_of_the_rest_api(
    status: int, headers: dict[str, str], kind: type[PlatformError]
) -> None:
    fake = FakeMetrics(status=status, says={"errors": []}, headers=headers)
    assert isinstance(await asked(fake), kind)
    assert len(fake.seen) == 1  # what measures comes again by itself
