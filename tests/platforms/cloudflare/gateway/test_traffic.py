"""What reaches a container, and what becomes of one that nobody uses or looks after."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from tests.platforms.cloudflare.gateway.kit import Gateway, until

EXITED_0: dict[str, Any] = {}
ALONE_MS = 8_000
"""How long one may be left alone: longer than a busy machine stands still."""

USED_S = 10.0


async def running(gateway: Gateway, name: str = "a", **changes: Any) -> None:
    assert (await gateway.start(name, **changes)).status == 202
    await gateway.news("ready", name)


async def test_the_owners_traffic_goes_through(gateway: Gateway) -> None:
    await running(gateway)
    assert (await gateway.own("a")).body == "hello\n"
    assert (await gateway.own("a", "version")).body == 1
    port = {"cf-container-target-port": "8080"}
    assert (await gateway.own("a", "version", **port)).status == 200
    closed = await gateway.own("a", **{"cf-container-target-port": "8081"})
    assert (closed.status, closed.code) == (503, "not_listening")
    assert closed.headers["retry-after"] == "1"
    for odd in ("0", "65536", "x", "1.5"):
        answer = await gateway.own("a", **{"cf-container-target-port": odd})
        assert (answer.status, answer.code) == (503, "not_running"), odd
    assert (await gateway.own("nobody")).status == 503
    await gateway.order("destroy", "a")
    await gateway.end_of("a")
    answer = await gateway.own("a")
    assert (answer.status, answer.code) == (503, "not_running")


async def test_a_container_that_is_idle_is_put_to_sleep(gateway: Gateway) -> None:
    began = time.monotonic()
    await running(gateway, sleep_after_ms=1_000)
    end = await gateway.end_of("a")
    assert time.monotonic() - began >= 1
    assert (end["kind"], end["code"]) == ("slept", 0)
    await gateway.running(0)


async def test_one_that_is_used_stays_awake(scripted: Gateway) -> None:
    await scripted.drive("a", "put", {"plan": {"onSignal": EXITED_0}})
    await running(scripted, sleep_after_ms=ALONE_MS)
    used_until = time.monotonic() + USED_S
    while time.monotonic() < used_until:
        assert (await scripted.own("a")).status == 200
        assert await scripted.drive("a", "calls", "signal") == []
        await asyncio.sleep(0.05)
    assert (await scripted.end_of("a"))["kind"] == "slept"


async def test_so_does_one_that_takes_its_time_to_answer(scripted: Gateway) -> None:
    plan = {"onSignal": EXITED_0, "answersAfterMs": 0}
    await scripted.drive("a", "put", {"plan": plan})
    await running(scripted, sleep_after_ms=ALONE_MS)
    slow = {**plan, "answersAfterMs": USED_S * 1_000}
    await scripted.drive("a", "put", {"plan": slow})
    assert (await scripted.own("a")).status == 200
    assert await scripted.drive("a", "calls", "signal") == []
    assert (await scripted.end_of("a"))["kind"] == "slept"


async def test_a_sleeper_that_does_not_lie_down_is_killed(scripted: Gateway) -> None:
    await running(scripted, sleep_after_ms=300, stop={"signal": 2, "grace_ms": 200})
    end = await scripted.end_of("a")
    assert (end["kind"], end["code"]) == ("slept", 137)
    assert await scripted.drive("a", "calls", "signal") == [[2]]


async def test_one_that_may_not_sleep_never_does(scripted: Gateway) -> None:
    await running(scripted)
    await scripted.call("a", "ahead", 10**9, "alarm")
    assert (await scripted.state("a"))["phase"] == "running"
    assert await scripted.drive("a", "calls", "signal") == []


async def test_without_an_operator_containers_are_stopped(gateway: Gateway) -> None:
    await running(gateway, "a")
    await running(
        gateway, "b", entrypoint=["stubborn"], stop={"signal": 15, "grace_ms": 200}
    )
    answer = await gateway.post("attach", after=1, orphan_after_ms=ALONE_MS)
    gateway.epoch = answer.body["epoch"]
    # A caller keeps them.
    kept_until = time.monotonic() + USED_S
    while time.monotonic() < kept_until:
        answer = await gateway.get("containers", epoch=gateway.epoch)
        assert answer.status == 200
        assert {view["phase"] for view in answer.body["containers"]} == {"running"}
        await asyncio.sleep(0.1)
    # Reading the feed without an epoch is no call of an operator.
    for name, code in (("a", 0), ("b", 137)):
        end = await gateway.end_of(name)
        assert (end["kind"], end["code"]) == ("orphaned", code)
    await gateway.running(0)


async def test_a_wait_for_news_is_a_call(scripted: Gateway) -> None:
    answer = await scripted.post("attach", after=0, orphan_after_ms=ALONE_MS)
    scripted.epoch = answer.body["epoch"]
    await running(scripted)
    cursor = scripted.cursor
    for _ in range(10):
        page = await scripted.get(
            "events", epoch=scripted.epoch, after=cursor, wait_ms=1_000
        )
        assert page.body["events"] == []
    assert await scripted.drive("a", "calls", "signal") == []


async def test_an_operator_may_say_that_it_need_not_call(scripted: Gateway) -> None:
    for orphan_after_ms in (1_000, None):
        answer = await scripted.post("attach", after=0, orphan_after_ms=orphan_after_ms)
        scripted.epoch = answer.body["epoch"]
    await running(scripted)
    assert await scripted.registry("alarmIn") is None


@pytest.mark.parametrize("words", [["late", "6"], ["raw"]])
async def test_a_real_container_is_ready_when_it_listens(
    gateway: Gateway, words: list[str]
) -> None:
    await gateway.start("a", entrypoint=words)
    started = await gateway.news("started", "a")
    ready = await gateway.news("ready", "a")
    if words[0] == "late":
        assert ready["at"] - started["at"] > 200


async def test_a_real_container_that_never_listens_only_runs(gateway: Gateway) -> None:
    await gateway.start("a", entrypoint=["deaf"])
    await gateway.news("started", "a")

    async def looked_at() -> bool:
        asked = {"port": 8080, "timeout_ms": 500}
        found = await gateway.post("containers", "a", "probe", **asked)
        return bool(found.body.get("error") == "not_listening")

    await until("it is up, and deaf", looked_at)
    assert (await gateway.state("a"))["ready_at"] is None
    await gateway.start("b", entrypoint=["deaf"], ports={}, wait_for=[])
    await gateway.news("ready", "b")
    assert [event["type"] for event in gateway.told if event["name"] == "a"] == [
        "started"
    ]


@pytest.mark.parametrize(
    ("words", "code"), [(["quit", "7"], 7), (["quit", "0"], 0), (["hungry"], 137)]
)
async def test_a_real_container_ends_with_its_code(
    gateway: Gateway, words: list[str], code: int
) -> None:
    await gateway.start("a", entrypoint=words)
    end = await gateway.end_of("a")
    assert (end["kind"], end["code"]) == ("exited", code)
