"""Many orders in one request: each is answered by itself."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from tests.platforms.cloudflare.gateway.kit import Gateway, until

ORDERS_MAX = 100
NOTHING: tuple[Any, ...] = (None, 1, "x", [], {})
# For an object that does not answer, at the gateway.
ORDER_LIMIT_S = 10
HANG = ("slow-0", "slow-1", "slow-2", "slow-3")


def start(scripted: Gateway, name: str, run: int = 1, **more: Any) -> dict[str, Any]:
    return {"op": "start", "name": name, **scripted.start_body(run, **more)}


def order(scripted: Gateway, op: str, name: str, **more: Any) -> dict[str, Any]:
    return {"op": op, "name": name, "run": 1, "epoch": scripted.epoch, **more}


async def batch(scripted: Gateway, *orders: object) -> list[tuple[int, Any]]:
    answer = await scripted.post("batch", orders=orders)
    assert answer.status == 200, answer
    return [(one["status"], one["body"]) for one in answer.body["results"]]


def said(results: list[tuple[int, Any]]) -> list[tuple[int, Any]]:
    return [(status, body.get("code")) for status, body in results]


async def test_each_order_has_an_answer_of_its_own(scripted: Gateway) -> None:
    scripted.epoch = (await scripted.post("attach", after=0)).body["epoch"]
    results = await batch(
        scripted,
        start(scripted, "old", 7),
        start(scripted, "runs"),
        order(scripted, "stop", "closed", signal=15, grace_ms=1_000),
    )
    assert said(results) == [(202, None)] * 3
    odd: list[tuple[Any, tuple[int, str | None]]] = [
        (start(scripted, "old", 6), (409, "stale_run")),
        (start(scripted, "runs"), (202, None)),
        (start(scripted, "closed"), (409, "stale_run")),
        (order(scripted, "forget", "runs"), (409, "not_stopped")),
        (order(scripted, "forget", "nobody"), (202, None)),
        (order(scripted, "destroy", "nobody"), (202, None)),
        (order(scripted, "stop", "nobody"), (422, "invalid")),
        (order(scripted, "dance", "nobody"), (422, "invalid")),
        (order(scripted, "constructor", "nobody"), (422, "invalid")),
        (order(scripted, "destroy", "UPPER"), (422, "invalid")),
        (order(scripted, "destroy", "x", more=1), (422, "invalid")),
        (order(scripted, "destroy", "x", epoch=0), (409, "stale_operator")),
        (start(scripted, "x", application="nothing"), (409, "no_application")),
        (start(scripted, "x", image="an-image"), (409, "unsupported")),
        (start(scripted, "bare", application="bare"), (409, "no_application")),
        (start(scripted, "lost", application="missing"), (409, "no_application")),
        *((nothing, (422, "invalid")) for nothing in NOTHING),
    ]
    sound = [start(scripted, f"s{number}") for number in range(ORDERS_MAX - len(odd))]
    mixed = [*sound[:40], *(one for one, _ in odd), *sound[40:]]
    results = await batch(scripted, *mixed)
    assert said(results[40 : 40 + len(odd)]) == [expected for _, expected in odd]
    rest = results[:40] + results[40 + len(odd) :]
    assert [(status, body["name"]) for status, body in rest] == [
        (202, one["name"]) for one in sound
    ]
    for one in sound:
        await scripted.news("ready", one["name"])
    views = await scripted.listed()
    assert set(views) == {
        *(one["name"] for one in sound),
        *("old", "runs", "bare"),
    }


async def test_too_many_are_refused_as_a_whole(scripted: Gateway) -> None:
    orders = [start(scripted, f"s{number}") for number in range(ORDERS_MAX + 1)]
    answer = await scripted.post("batch", orders=orders)
    assert (answer.status, answer.code) == (422, "invalid")
    assert answer.body["details"]["place"] == "orders"
    assert await scripted.listed() == {}
    assert await batch(scripted) == []


async def test_orders_about_one_container_keep_their_order(scripted: Gateway) -> None:
    results = await batch(
        scripted,
        start(scripted, "a", 1),
        start(scripted, "a", 2),
        order(scripted, "destroy", "a", run=2),
        start(scripted, "a", 3),
    )
    assert said(results) == [(202, None)] * 4
    await scripted.news("ready", "a", 3)
    assert (await scripted.end_of("a", 2))["kind"] == "stopped"
    assert (await scripted.state("a"))["run"] == 3


async def test_what_does_not_answer_spoils_nothing_else(scripted: Gateway) -> None:
    await batch(scripted, *(start(scripted, name) for name in ("hung", "moves", "b")))
    for name in ("hung", "moves", "b"):
        await scripted.news("ready", name)
    for name in HANG:
        await scripted.call(name, "break", "start", "hangs")
    await scripted.call("moves", "break", "retire", "hangs")
    await scripted.call("fails", "break", "start", "it holds a secret")
    await scripted.call("hung", "break", "look", "hangs")
    began = time.monotonic()

    async def look() -> Any:
        answer = await scripted.get("containers")
        return time.monotonic() - began, answer.body

    async def looked_at() -> bool:
        return bool(await scripted.call("hung", "timesCalled", "look") == 1)

    looking = asyncio.ensure_future(look())
    await until("the look is under way", looked_at)
    names = ("one", *HANG, "fails", "two")
    moved = start(scripted, "moves", 2, application="chosen", image="an-image")
    results = await batch(scripted, *(start(scripted, name) for name in names), moved)
    assert said(results) == [
        (202, None),
        *[(503, "unreachable")] * len(HANG),
        (500, "internal"),
        (202, None),
        (503, "unreachable"),
    ]
    assert "secret" not in str(results)
    took_orders = time.monotonic() - began
    assert took_orders < len(HANG) * ORDER_LIMIT_S  # they hung together
    for name in ("one", "two"):
        await scripted.news("ready", name)
    # The look went on beside it: who hangs is unreachable, with what it last said.
    took, page = await looking
    assert took < took_orders  # it waits half as long for who does not answer
    views = {view["name"]: view for view in page["containers"]}
    assert (views["hung"]["run"], views["hung"]["phase"]) == (1, "unreachable")
    assert views["hung"]["fingerprint"] == "a-fingerprint"
    assert views["b"]["phase"] == "running"
    # What was told during the look comes again to who goes on from there.
    told = (await scripted.events(page["cursor"]))["events"]
    assert {event["name"] for event in told} == {"one", "two"}
