"""Which orders count: those of the newest operator, about a run that is not over."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from tests.platforms.cloudflare.gateway.kit import Gateway, until

EXITED_3 = {"message": "Container exited with unexpected exit code: 3", "exitCode": 3}


async def attach(gateway: Gateway, after: int = 0, **more: Any) -> int:
    answer = await gateway.post("attach", after=after, **more)
    assert answer.status == 200, answer
    epoch: int = answer.body["epoch"]
    return epoch


def stale(epoch: int, highest: int) -> tuple[int, str, dict[str, int]]:
    return (409, "stale_operator", {"epoch": epoch, "highest": highest})


async def test_each_epoch_is_higher_than_all_before(scripted: Gateway) -> None:
    first = await attach(scripted)
    second = await attach(scripted)
    third = await attach(scripted, second + 40)
    assert 0 < first < second < second + 40 < third
    assert third < await attach(scripted, 1)
    answer = await scripted.post("attach", after=0)
    assert (
        answer.body["generation"]
        == (await scripted.get("containers")).body["generation"]
    )


async def test_an_older_operator_gives_no_orders(scripted: Gateway) -> None:
    old, new = await attach(scripted), await attach(scripted)
    expected = stale(old, new)
    scripted.epoch = new
    await scripted.start("a")
    scripted.epoch = old
    answers = [
        await scripted.start("b"),
        await scripted.start("a", 2),
        await scripted.stop("a"),
        await scripted.order("destroy", "a"),
        await scripted.order("forget", "a"),
        await scripted.get("containers", epoch=old),
        await scripted.get("events", epoch=old),
    ]
    for answer in answers:
        assert (answer.status, answer.code, answer.body["details"]) == expected
    batch = await scripted.post(
        "batch", orders=[{"op": "start", "name": "b", **scripted.start_body()}]
    )
    (result,) = batch.body["results"]
    assert (result["status"], result["body"]["code"]) == expected[:2]
    await scripted.news("ready", "a")
    assert await scripted.drive("a", "calls", "signal") == []
    assert set(await scripted.listed()) == {"a"}


async def test_an_order_of_a_newer_one_makes_older_ones_stale(
    scripted: Gateway,
) -> None:
    old = await attach(scripted)
    scripted.epoch = old + 5
    assert (await scripted.start("a")).status == 202
    scripted.epoch = old
    assert (await scripted.stop("a")).code == "stale_operator"


async def test_an_older_operator_that_waits_is_told_at_once(scripted: Gateway) -> None:
    old = await attach(scripted)
    poll = asyncio.ensure_future(scripted.get("events", wait_ms=25_000, epoch=old))

    async def waits() -> bool:
        return bool(await scripted.registry("listeners") == 1)

    await until("it waits", waits)
    began = time.monotonic()
    new = await attach(scripted)
    answer = await poll
    assert time.monotonic() - began < 20
    details = answer.body["details"]
    assert (answer.status, answer.code, details) == stale(old, new)


async def test_many_identical_starts_are_one(gateway: Gateway) -> None:
    gateway.workerd.engine.forget_calls()
    answers = await asyncio.gather(*(gateway.start("a") for _ in range(50)))
    assert {answer.status for answer in answers} == {202}
    await gateway.news("ready", "a")
    assert (await gateway.start("a")).status == 202
    await gateway.running(1)
    made = gateway.workerd.engine.calls()["POST /containers/create"]
    assert made == 2  # and a sidecar
    assert {event["type"] for event in gateway.told} == {"started", "ready"}


async def test_who_orders_the_same_again_is_told_again(scripted: Gateway) -> None:
    await scripted.start("a")
    for news, tells in (("ready", None), ("ended", EXITED_3)):
        if tells:
            await scripted.drive("a", "end", tells)
        first = await scripted.news(news, "a")
        scripted.told.clear()
        assert (await scripted.start("a")).status == 202
        again = await scripted.news(news, "a")
        assert {**again, "cursor": ""} == {**first, "cursor": ""}
        assert again["cursor"] != first["cursor"]
    assert len(await scripted.drive("a", "calls", "start")) == 1


async def test_of_two_runs_at_once_the_higher_wins(gateway: Gateway) -> None:
    before = {one.id for one in gateway.containers()}
    low, high = await asyncio.gather(gateway.start("a", 5), gateway.start_over("a", 6))
    assert high.status == 202
    assert low.status == 202 or low.code == "stale_run"
    await gateway.news("ready", "a", 6)
    (one,) = await gateway.running(1, besides=before)
    assert one.state == "running"
    view = await gateway.state("a")
    assert (view["run"], view["phase"]) == (6, "running")
    if low.status == 202:
        assert (await gateway.end_of("a", 5))["kind"] == "stopped"


async def test_a_higher_run_replaces_a_lower_one(gateway: Gateway) -> None:
    before = {one.id for one in gateway.containers()}
    for run in (1, 2, 3):
        assert (await gateway.start_over("a", run)).status == 202
        await gateway.news("ready", "a", run)
        (one,) = await gateway.running(1, besides=before)
        before.add(one.id)
        assert sum(found.id in before for found in gateway.containers()) <= len(before)
    for run in (1, 2):
        assert (await gateway.end_of("a", run))["kind"] == "stopped"
    answer = await gateway.start("a", 2)
    assert (answer.status, answer.code) == (409, "stale_run")
    assert answer.body["details"] == {"name": "a", "run": 2, "highest": 3}


def refused(answer: Any) -> tuple[int, Any]:
    return answer.status, answer.code


async def test_a_run_that_was_stopped_before_it_came_never_runs(
    scripted: Gateway,
) -> None:
    assert (await scripted.stop("a", 3)).status == 202
    assert (await scripted.end_of("a", 3))["kind"] == "stopped"
    assert refused(await scripted.start("a", 3)) == (409, "stale_run")
    assert refused(await scripted.start("a", 2)) == (409, "stale_run")
    assert await scripted.listed() == {}
    assert (await scripted.start("a", 4)).status == 202
    await scripted.news("ready", "a", 4)
    # And where the container is known.
    await scripted.drive("a", "end", EXITED_3)
    await scripted.news("ended", "a", 4)
    assert (await scripted.order("destroy", "a", 6)).status == 202
    assert (await scripted.end_of("a", 6))["kind"] == "stopped"
    assert refused(await scripted.start("a", 5)) == (409, "stale_run")
    assert refused(await scripted.start("a", 6)) == (409, "stale_run")
    assert len(await scripted.drive("a", "calls", "start")) == 1


async def test_its_object_refuses_what_the_registry_had_admitted(
    scripted: Gateway,
) -> None:
    # A start that was on its way from the one to the other for a long time.
    late = {**scripted.start_body(1), "name": "a", "fleet": scripted.fleet}
    await scripted.start("a", 1)
    await scripted.stop("a", 2)
    answer = await scripted.call("a", "start", {**late, "run": 2})
    assert answer["refused"]["code"] == "stale_run"
    assert answer["refused"]["details"] == {"name": "a", "run": 2, "highest": 2}


async def test_a_run_whose_stop_did_not_arrive_is_over_all_the_same(
    scripted: Gateway,
) -> None:
    await scripted.start("a", 4)
    await scripted.news("ready", "a", 4)
    await scripted.drive("a", "end", EXITED_3)
    await scripted.news("ended", "a", 4)
    await scripted.call("a", "break", "stop", "on its way")
    assert (await scripted.stop("a", 5)).status == 500
    assert refused(await scripted.start("a", 5)) == (409, "stale_run")
    assert (await scripted.start("a", 6)).status == 202


async def test_a_stop_of_a_higher_run_leaves_nothing_running(scripted: Gateway) -> None:
    for op, name in (("stop", "a"), ("destroy", "b")):
        await scripted.start(name, 3)
        await scripted.news("ready", name, 3)
        await scripted.drive(name, "put", {"plan": {"onSignal": EXITED_3}})
        more = {"signal": 15, "grace_ms": 60_000} if op == "stop" else {}
        assert (await scripted.order(op, name, 5, **more)).status == 202
        for run in (3, 5):
            assert (await scripted.end_of(name, run))["kind"] == "stopped"
        assert (await scripted.state(name))["phase"] == "ended"


async def test_a_stop_of_a_lower_run_leaves_the_higher_one_alone(
    scripted: Gateway,
) -> None:
    await scripted.start("a", 3)
    await scripted.news("ready", "a", 3)
    assert (await scripted.stop("a", 2)).status == 202
    assert (await scripted.order("destroy", "a", 2)).status == 202
    assert (await scripted.end_of("a", 2))["kind"] == "stopped"
    assert (await scripted.state("a"))["phase"] == "running"
    assert await scripted.drive("a", "calls", "signal") == []
    assert await scripted.drive("a", "calls", "destroy") == []


async def test_the_end_of_a_run_is_told_again_to_who_stops_it_again(
    scripted: Gateway,
) -> None:
    await scripted.start("a")
    await scripted.news("ready", "a")
    await scripted.drive("a", "end", EXITED_3)
    first = await scripted.news("ended", "a")
    scripted.told.clear()
    await scripted.stop("a")
    again = await scripted.news("ended", "a")
    assert (again["end"], again["started"]) == (first["end"], True)
    assert again["end"]["code"] == 3


async def test_what_runs_is_not_forgotten(scripted: Gateway) -> None:
    await scripted.start("a")
    answer = await scripted.order("forget", "a")
    assert refused(answer) == (409, "not_stopped")
    assert set(await scripted.listed()) == {"a"}


async def test_what_is_forgotten_is_gone_and_its_runs_stay_refused(
    scripted: Gateway,
) -> None:
    await scripted.start("a", 4)
    await scripted.news("ready", "a", 4)
    await scripted.drive("a", "end", EXITED_3)
    await scripted.news("ended", "a", 4)
    for _ in range(2):
        assert (await scripted.order("forget", "a", 4)).status == 200
        assert await scripted.listed() == {}
        assert (await scripted.get("containers", "a")).status == 404
    late = {**scripted.start_body(4), "name": "a", "fleet": scripted.fleet}
    assert refused(await scripted.start("a", 4)) == (409, "stale_run")
    answer = await scripted.call("a", "start", late)
    assert answer["refused"]["code"] == "stale_run"
    assert (await scripted.start("a", 5)).status == 202
    await scripted.news("ready", "a", 5)
    assert set(await scripted.listed()) == {"a"}


async def test_a_forget_that_was_overtaken_forgets_nothing(scripted: Gateway) -> None:
    await scripted.start("a", 4)
    await scripted.news("ready", "a", 4)
    await scripted.drive("a", "end", EXITED_3)
    await scripted.news("ended", "a", 4)
    await scripted.call("a", "break", "start", "on its way")
    assert (await scripted.start("a", 5)).status >= 500
    assert refused(await scripted.order("forget", "a", 4)) == (409, "stale_run")
    await scripted.call("a", "break", "start", None)
    assert (await scripted.start("a", 5)).status == 202
    await scripted.news("ready", "a", 5)
    assert set(await scripted.listed()) == {"a"}


async def test_the_end_of_a_forget_takes_no_newer_run_off_the_list(
    scripted: Gateway,
) -> None:
    await scripted.start("a", 5)
    await scripted.news("ready", "a", 5)
    await scripted.registry("dropped", "a", 4)  # what an older operator had begun
    assert set(await scripted.listed()) == {"a"}
    assert (await scripted.start("a", 5)).status == 202
    await scripted.registry("dropped", "a", 5)
    assert await scripted.listed() == {}


async def test_nothing_is_kept_of_what_was_forgotten_long_ago(
    scripted: Gateway,
) -> None:
    await scripted.start("a", 4)
    await scripted.drive("a", "end", EXITED_3)
    await scripted.news("ended", "a", 4)
    await scripted.order("forget", "a", 4)
    await scripted.call("a", "ahead", 540_000, "alarm")
    assert (await scripted.call("a", "remembered"))["closed"] == 4
    await scripted.call("a", "ahead", 610_000, "alarm")
    assert (await scripted.call("a", "remembered"))["closed"] == 0
    assert await scripted.call("a", "alarmIn") is None


async def test_what_was_admitted_and_has_not_come_is_seen_as_that(
    scripted: Gateway,
) -> None:
    await scripted.call("a", "break", "start", "on its way")
    assert (await scripted.start("a")).status >= 500
    view = (await scripted.listed())["a"]
    assert (view["name"], view["run"], view["phase"]) == ("a", 1, "admitted")
    await scripted.call("a", "break", "start", None)
    assert (await scripted.start("a")).status == 202  # the same once more
    await scripted.news("ready", "a")
