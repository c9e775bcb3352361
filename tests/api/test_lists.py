"""Lists of containers: pages, filters and orders, of small fleets and of large ones."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import attrs
import orjson
import pytest
from aiohttp.test_utils import TestClient, TestServer

from orchestrator.api import lists
from orchestrator.api.app import make_app
from orchestrator.api.headers import TOTAL_HEADER
from orchestrator.codec.wire import tree_of
from orchestrator.core.fleet_specs import FleetSettings, FleetSpec
from orchestrator.core.phases import Failed, Rule, Running
from orchestrator.core.state import Container, Fleet
from orchestrator.core.table import Table
from orchestrator.runtime.operator import Operator
from orchestrator.runtime.reports import config_of
from orchestrator.runtime.views import View
from tests.runtime.kit import LIMIT_MS, opened, spec, value

SLOW = FleetSettings(reconcile_interval_ms=0)


def many(fleet: Fleet, count: int) -> Fleet:
    """Fill a fleet with containers like the one that it has, by name x."""
    one = fleet.containers["x"]

    def like(number: int) -> Container:
        name = f"c-{number:05}"
        phase: Any = Running(
            since=number, ready_at=number if number % 5 else None, run=1
        )
        if number % 7 == 0:
            phase = Failed(since=number, rule=Rule.MAX_RESTARTS)
        changed = attrs.evolve(one.spec, name=name)
        return attrs.evolve(
            one, name=name, spec=changed, phase=phase, revision=number % 3
        )

    return attrs.evolve(
        fleet, containers=Table.of((c.name, c) for c in map(like, range(count)))
    )


@attrs.frozen
class Listed:
    client: TestClient[Any, Any]
    operator: Operator

    async def get(self, path: str, **query: str | int) -> tuple[list[str], int]:
        async with self.client.get(path, params=query) as answer:
            assert answer.status == 200, await answer.text()
            body = await answer.json()
            return [one["name"] for one in body], int(answer.headers[TOTAL_HEADER])

    async def list(self, **query: str | int) -> tuple[list[str], int]:
        return await self.get("/v1/containers", **query)


@asynccontextmanager
async def listed(count: int) -> AsyncIterator[Listed]:
    declared = FleetSpec(name="demo", settings=SLOW, containers=(spec("x"),))
    async with opened(declared) as kit:
        operator = kit.operator
        _ = await value(operator.wait("x", limit_ms=LIMIT_MS))
        operator._loop.fleet = many(operator.fleet, count)
        app = make_app(operator, version="9")
        async with TestClient(TestServer(app)) as client:
            yield Listed(client, operator)
        operator._loop.fleet = attrs.evolve(
            operator.fleet, containers=Table.of([("x", _x(operator.fleet))])
        )


def _x(fleet: Fleet) -> Container:
    some = next(iter(fleet.containers.values()))
    return attrs.evolve(some, name="x", spec=spec("x"))


async def test_pages_by_name_are_the_list_cut_into_pieces() -> None:
    async with listed(95) as it:
        whole, total = await it.list()
        assert (len(whole), total) == (95, 95)
        found: list[str] = []
        while page := (
            await it.list(limit=10, **({"after": found[-1]} if found else {}))
        )[0]:
            found += page
        assert found == whole
        assert await it.list(offset=90, limit=10) == (whole[90:], 95)
        assert await it.list(offset=500, limit=10) == ([], 95)
        assert (await it.list(sort="-name"))[0] == whole[::-1]


async def test_each_filter_lets_through_what_it_says_and_counts_all_of_it() -> None:
    async with listed(105) as it:
        infos = [tree_of(one) for one in it.operator.infos()]

        def names(**wanted: object) -> list[str]:
            return [
                one["name"]
                for one in infos
                if all(one[key] == value for key, value in wanted.items())
            ]

        failed, unready = names(phase="failed"), names(phase="running", ready=False)
        assert await it.list(phase="failed") == (failed, len(failed))
        assert await it.list(look="not_ready") == (unready, len(unready))
        both = sorted(failed + unready)
        assert await it.list(look="not_ready,failed", limit=3) == (both[:3], len(both))
        assert (await it.list(revision=2))[0] == names(revision=2)
        assert (await it.list(q="RESTARTS c-0000"))[0] == ["c-00000", "c-00007"]
        assert await it.list(q="no such words") == ([], 0)
        assert await it.list(name="c-00003,c-00001") == (["c-00001", "c-00003"], 2)
        assert (await it.list(name="c-0000*,nobody", limit=2))[1] == 10
        assert (await it.list(name="c-0000*", after="c-00004"))[0][0] == "c-00005"


async def test_an_order_puts_equal_ones_in_the_order_of_names() -> None:
    async with listed(60) as it:
        by_phase, _ = await it.list(sort="phase")
        infos = {one.name: one for one in it.operator.infos()}
        ranks = [
            ["failed", "not_ready", "running"].index(
                "not_ready"
                if infos[name].phase == "running" and not infos[name].ready
                else infos[name].phase
            )
            for name in by_phase
        ]
        assert ranks == sorted(ranks)
        assert by_phase[0] == "c-00000"
        youngest, _ = await it.list(sort="age", limit=2)
        assert youngest == ["c-00059", "c-00058"]
        crashed, _ = await it.list(sort="-crashes", limit=2)
        assert crashed == ["c-00000", "c-00001"]
        assert (await it.list(at=it.operator.seq, sort="rev"))[1] == 60


async def test_a_name_to_go_on_behind_belongs_to_the_order_of_names() -> None:
    path = "/v1/containers?after=a&sort=run"
    async with listed(3) as it, it.client.get(path) as answer:
        assert answer.status == 422
        error = (await answer.json())["error"]
        assert error["problems"][0]["place"] == "query.after"


async def test_a_long_list_is_sent_while_it_is_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lists, "PIECE", 2_000)
    async with listed(300) as it:
        view: View = it.operator.feed.view()
        expected = [one.name for one in view.infos()]
        assert (await it.list())[0] == expected
        async with it.client.get("/v1/containers") as answer:
            assert "Content-Length" not in answer.headers
        async with it.client.head("/v1/containers") as answer:
            assert answer.status == 200
            assert await answer.read() == b""
        async with it.client.get("/v1/config") as answer:
            told = orjson.loads(await answer.read())
        assert told == tree_of(config_of(it.operator.fleet))


@pytest.mark.parametrize("count", [50, 500])
async def test_a_page_reads_as_many_records_as_it_shows(count: int) -> None:
    """What a page costs beside passing over names does not follow the fleet."""
    async with listed(count) as it:
        looked: list[str] = []
        feed = it.operator.feed
        names = iter(feed.fleet.containers)
        page, total = await lists._chosen(
            feed.view(), names, _asked(offset=20, limit=10)
        )
        looked += [one.name for one in page]
        assert (len(looked), total) == (10, count)
        assert len(list(names)) == count - 30  # the rest was not even named


def _asked(**more: Any) -> dict[str, Any]:
    query = {"after": None, "offset": 0, "limit": None, "sort": "name", "q": ""}
    return query | {"phase": (), "look": (), "name": (), "revision": None} | more


async def test_others_have_their_turn_while_a_long_list_is_written() -> None:
    async with listed(2_000) as it:
        turns = 0
        is_over = asyncio.Event()

        async def other() -> None:
            nonlocal turns
            while not is_over.is_set():
                turns += 1
                await asyncio.sleep(0)

        task = asyncio.ensure_future(other())
        _ = await it.list(q="nobody says this")
        begun = turns
        _ = await it.list()
        is_over.set()
        await task
        assert begun > 3
        assert turns - begun > 3


async def test_who_goes_away_in_the_middle_of_a_list_harms_nobody(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    del tmp_path
    monkeypatch.setattr(lists, "PIECE", 500)
    async with listed(3_000) as it:
        answer = await it.client.get("/v1/containers")
        _ = await answer.content.read(100)
        answer.close()
        assert len((await it.list(limit=5))[0]) == 5
