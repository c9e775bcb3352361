"""What of the owner's own traffic containers bear, as the gateway counts it."""

from __future__ import annotations

import asyncio
from typing import Any

from orchestrator.codec.platform_choices import CloudflareChoice
from orchestrator.core.autoscaling import Metric
from orchestrator.core.specs import ContainerSpec
from orchestrator.platforms.cloudflare.gateway import CloudflarePlatform
from orchestrator.platforms.measuring import MeasuredService
from tests.platforms.cloudflare.gateway.kit import TOKEN, Gateway, until
from tests.runtime.kit import value

EXITED_0: dict[str, Any] = {}
HELD: dict[str, Any] = {"plan": {"onSignal": EXITED_0, "isHeld": True}}
FREE: dict[str, Any] = {"plan": {"onSignal": EXITED_0}}
BORNE_S = 1.0


async def running(gateway: Gateway, name: str, **plan: Any) -> None:
    await gateway.drive(name, "put", {"plan": {"onSignal": EXITED_0, **plan}})
    assert (await gateway.start(name)).status == 202
    await gateway.news("ready", name)


async def loads(gateway: Gateway) -> dict[str, dict[str, Any]]:
    answer = await gateway.get("loads", epoch=gateway.epoch)
    assert answer.status == 200, answer
    return {told["name"]: told for told in answer.body["loads"]}


async def until_in_flight(gateway: Gateway, name: str, count: int) -> dict[str, Any]:
    async def found() -> dict[str, Any] | None:
        told = (await loads(gateway))[name]
        return told if told["in_flight"] == count else None

    told = await until(f"{count} in flight", found)
    assert told is not None
    return told


async def test_the_operator_reads_what_the_gateway_counts(scripted: Gateway) -> None:
    await running(scripted, "web-0")
    await running(scripted, "web-1")
    await scripted.drive("web-0", "put", HELD)
    url = f"{scripted.workerd.url}{scripted.prefix}"
    choice, secrets = CloudflareChoice(url=url), {"GATEWAY_TOKEN": TOKEN}
    platform = CloudflarePlatform(choice, scripted.fleet, secrets)
    template = ContainerSpec(name="web", image="docker.io/library/httpd:2.4")
    service = MeasuredService(
        name="web", template=template, containers=("web-0", "web-1", "web-2")
    )

    async def measured() -> float:
        found = await value(platform.loads(Metric.IN_FLIGHT, (service,)))
        return found["web"]

    assert await measured() == 0
    asked = [asyncio.ensure_future(scripted.own("web-0")) for _ in range(3)]
    await until_in_flight(scripted, "web-0", 3)
    assert 0 < await measured() <= 3
    await scripted.drive("web-0", "put", FREE)
    await asyncio.gather(*asked)
    await until_in_flight(scripted, "web-0", 0)
    assert 0 < await measured() <= 3  # on the average since it was asked last
    await platform.detach()


async def test_who_answers_nobody_bears_nothing(scripted: Gateway) -> None:
    assert await loads(scripted) == {}
    await running(scripted, "a")
    told = (await loads(scripted))["a"]
    assert (told["run"], told["in_flight"], told["busy_ms"]) == (1, 0, 0)
    assert told["since"] <= told["now"]


async def test_requests_count_while_they_are_answered(scripted: Gateway) -> None:
    await running(scripted, "a")
    await running(scripted, "b")
    await scripted.drive("a", "put", HELD)
    before = (await loads(scripted))["a"]
    asked = [asyncio.ensure_future(scripted.own("a")) for _ in range(3)]
    during = await until_in_flight(scripted, "a", 3)
    assert (await loads(scripted))["b"]["in_flight"] == 0
    await asyncio.sleep(BORNE_S)
    later = (await loads(scripted))["a"]
    borne = 3 * (later["now"] - during["now"])
    assert later["busy_ms"] - during["busy_ms"] == borne >= 3 * 900 * BORNE_S
    await scripted.drive("a", "put", FREE)
    assert {answer.status for answer in await asyncio.gather(*asked)} == {200}
    after = await until_in_flight(scripted, "a", 0)
    assert before["busy_ms"] <= during["busy_ms"] < later["busy_ms"] <= after["busy_ms"]
    assert before["since"] == during["since"] == after["since"]
    busy, passed = after["busy_ms"], after["now"] - before["now"]
    assert borne <= busy <= 3 * passed


async def test_a_request_that_fails_counts_no_longer(scripted: Gateway) -> None:
    await running(scripted, "a")
    await scripted.drive("a", "put", {"plan": {"onSignal": EXITED_0, "fetch": "gone"}})
    assert (await scripted.own("a")).status == 503
    assert (await loads(scripted))["a"]["in_flight"] == 0


async def test_what_is_at_rest_is_not_asked(scripted: Gateway) -> None:
    await running(scripted, "a")
    await scripted.order("destroy", "a")
    await scripted.end_of("a")
    assert await loads(scripted) == {}


async def test_one_that_does_not_answer_is_named(scripted: Gateway) -> None:
    await running(scripted, "a")
    await running(scripted, "b")
    await scripted.call("a", "break", "load", "not now")
    found = await loads(scripted)
    assert found["a"] == {"name": "a"}
    assert found["b"]["in_flight"] == 0


async def test_an_operator_that_was_replaced_is_told_nothing(scripted: Gateway) -> None:
    attached = await scripted.post("attach", after=3)
    scripted.epoch = attached.body["epoch"]
    stale = await scripted.get("loads", epoch=scripted.epoch - 1)
    assert (stale.status, stale.code) == (409, "stale_operator")
    assert (await scripted.get("loads")).status == 200


async def test_to_be_asked_is_no_use_of_a_container(scripted: Gateway) -> None:
    await scripted.drive("a", "put", {"plan": {"onSignal": EXITED_0}})
    await scripted.start("a", sleep_after_ms=600)
    await scripted.news("ready", "a")
    asking = asyncio.ensure_future(until_gone(scripted, "a"))
    assert (await scripted.end_of("a"))["kind"] == "slept"
    await asking


async def until_gone(gateway: Gateway, name: str) -> None:
    """Ask again and again what a container bears, until it is at rest."""

    async def is_gone() -> bool:
        return name not in await loads(gateway)

    await until(f"{name} is at rest", is_gone)
