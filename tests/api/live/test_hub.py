"""The hub: how often readers are woken, and what those share who are equally far."""

from __future__ import annotations

import asyncio

import attrs
import pytest

from orchestrator.api.live import hub as hubs
from orchestrator.api.live.frames import Form
from orchestrator.api.live.wanted import Wanted
from tests.api.live.kit import Client, Stage

NEW = Wanted(form=Form.NDJSON)
SHOWN = attrs.evolve(NEW, containers=True)


async def test_readers_who_are_equally_far_are_given_the_same_piece() -> None:
    stage = Stage(2)
    one = await Client.connect(stage, NEW)
    other = await Client.connect(stage, attrs.evolve(NEW, after=0, heartbeat_ms=1_000))
    shown = await Client.connect(stage, SHOWN)
    await stage.append(5)
    first, same = await one.reader.take(), await other.reader.take()
    assert first
    assert first is same
    assert await shown.reader.take() != first
    await stage.append(5)
    again = await one.reader.take()
    assert again
    assert again != first


async def test_few_pieces_are_kept_and_who_is_slower_gets_his_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hubs, "PIECES_MAX", 2)
    stage = Stage(2)
    clients = [await Client.connect(stage, NEW)]
    for _ in range(4):
        await stage.append(3)
        clients.append(await Client.connect(stage, NEW))
    for _ in range(2):
        for client in clients:
            await client.drain()
            client.check()
        assert len(stage.hub._pieces) <= 2
        await stage.append(3)


def turns(stage: Stage) -> list[float]:
    """Note when the hub takes rows in, in seconds from now."""
    time = asyncio.get_running_loop().time
    begun, found = time(), list[float]()
    take_in = stage.hub.take_in

    def noted() -> None:
        found.append(time() - begun)
        take_in()

    stage.hub.take_in = noted  # type: ignore[method-assign]
    return found


async def test_the_more_read_the_less_often_they_are_woken() -> None:
    stage = Stage(2)
    stage.hub._pace_s = hubs.PACE_S
    assert stage.hub._pause_s() == hubs.PACE_S
    stage.hub.readers += [NEW] * 100
    assert stage.hub._pause_s() == 0.1
    stage.hub.readers += [NEW] * 900
    assert stage.hub._pause_s() == hubs.PACE_MOST_S


async def test_the_first_row_after_a_pause_is_not_held_back() -> None:
    stage = Stage(2)
    stage.hub._pace_s = 600.0
    reader = await Client.connect(stage, NEW)
    stage.tell(await stage.write(1))
    async with asyncio.timeout(60):
        await stage.hub.news(asyncio.get_running_loop().time() + 600)
    await reader.drain()
    assert len(reader.messages) == 2
    found = turns(stage)
    stage.tell(await stage.write(1))
    for _ in range(5):
        await asyncio.sleep(0)
    assert not found  # the second one is


async def test_of_a_burst_many_rows_are_taken_in_before_the_pace_allows_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hubs, "COMING_MAX", 4)
    stage = Stage(2)
    stage.hub._not_before = asyncio.get_running_loop().time() + 600
    reader = await Client.connect(stage, NEW)
    stage.tell(await stage.write(3))
    for _ in range(3):
        await asyncio.sleep(0)
    assert stage.hub.head == 0
    stage.tell(await stage.write(2))
    async with asyncio.timeout(60):
        await stage.hub.news(asyncio.get_running_loop().time() + 600)
    assert stage.hub.head == 5
    await reader.drain()
    reader.check()


async def test_who_waits_for_news_is_woken_when_it_is_time() -> None:
    stage = Stage(2)
    now = asyncio.get_running_loop().time()
    await stage.hub.news(now + 0.001)
    assert asyncio.get_running_loop().time() >= now
    assert not stage.hub._waiting
