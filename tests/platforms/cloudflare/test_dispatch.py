"""Orders of one moment go in one request; each has its own answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
import pytest
from returns.result import Failure, Success

from orchestrator.core.errors import (
    PlatformError,
    RateLimited,
    Refused,
    StaleRun,
    Unauthorized,
    Unreachable,
)
from orchestrator.platforms.cloudflare.dispatch import Dispatch
from orchestrator.platforms.cloudflare.http import Answer, Credentials, Gateway
from tests.platforms.cloudflare.fake_gateway import (
    FLEET,
    TOKEN,
    FakeGateway,
    Fault,
    serving,
)
from tests.platforms.cloudflare.fake_rest import Drop, Say, Status, Truncate


@asynccontextmanager
async def dispatching(fake: FakeGateway) -> AsyncIterator[Dispatch]:
    async with serving(fake) as url:
        known = Success(Credentials(token=TOKEN))
        gateway = Gateway(url, lambda: known, 60_000)
        dispatch = Dispatch(gateway, f"fleets/{FLEET}/batch")
        try:
            yield dispatch
        finally:
            await dispatch.close()
            await gateway.close()


def destroy(name: str, run: int = 1, **more: Any) -> dict[str, Any]:
    return {"op": "destroy", "name": name, "run": run, "epoch": 1, **more}


async def send(dispatch: Dispatch, *orders: dict[str, Any]) -> list[Answer]:
    return list(await asyncio.gather(*map(dispatch.send, orders)))


async def test_orders_of_one_moment_are_one_request_in_their_order() -> None:
    fake = FakeGateway()
    orders = [destroy(f"web-{n}") for n in range(100)]
    async with dispatching(fake) as dispatch:
        answers = await send(dispatch, *orders)
    assert len(fake.seen) == 1
    assert fake.orders() == orders
    assert [answer.unwrap()["name"] for answer in answers] == [
        f"web-{n}" for n in range(100)
    ]


async def test_an_order_alone_does_not_wait_for_company() -> None:
    fake = FakeGateway()
    async with dispatching(fake) as dispatch:
        for n in range(200):
            assert isinstance(await dispatch.send(destroy(f"web-{n}")), Success)
    assert len(fake.seen) == 200
    assert len({seen.peer for seen in fake.seen}) == 1


async def test_many_orders_are_few_requests_over_few_connections() -> None:
    fake = FakeGateway()
    async with dispatching(fake) as dispatch:
        answers = await send(dispatch, *(destroy(f"web-{n}") for n in range(250)))
    assert all(isinstance(answer, Success) for answer in answers)
    assert sorted(len(seen.body["orders"]) for seen in fake.seen) == [50, 100, 100]
    assert len({seen.peer for seen in fake.seen}) <= 3


async def test_orders_too_large_for_one_request_are_split() -> None:
    fake = FakeGateway()
    orders = [destroy("web-0", run, surplus="x" * 300_000) for run in range(7)]
    async with dispatching(fake) as dispatch:
        answers = await send(dispatch, *orders)
    sizes = sorted(len(seen.body["orders"]) for seen in fake.seen)
    assert sizes == [1, 2, 2, 2]
    refused = Refused(cause="invalid: destroy: expected other fields")
    assert answers == [Failure(refused)] * 7


async def test_an_order_too_large_fails_alone() -> None:
    fake = FakeGateway()
    large = destroy("web-1", surplus="x" * 1_048_576)
    async with dispatching(fake) as dispatch:
        answers = await send(dispatch, destroy("web-0"), large, destroy("web-2"))
    assert [isinstance(answer, Success) for answer in answers] == [True, False, True]
    refused = answers[1].failure()
    assert isinstance(refused, Refused)
    assert "too many" in refused.cause


async def test_each_order_has_its_own_answer() -> None:
    fake = FakeGateway(floors={"web-1": 9})
    start = {
        "op": "start",
        "name": "web-1",
        "run": 2,
        "epoch": 1,
        "revision": 1,
        "fingerprint": "",
        "application": "web",
        "entrypoint": [],
        "env": {},
        "ports": {},
        "wait_for": [],
        "start_timeout_ms": 1,
        "stop": {},
        "internet": True,
        "keep_alive": True,
        "sleep_after_ms": None,
        "location_hint": None,
        "jurisdiction": None,
    }
    async with dispatching(fake) as dispatch:
        answers = await send(
            dispatch, destroy("web-0"), start, {"op": "dance"}, destroy("web-2")
        )
    assert isinstance(answers[0], Success)
    assert answers[1] == Failure(StaleRun(name="web-1", run=2, highest=9))
    assert answers[2] == Failure(Refused(cause="invalid: dance: expected other fields"))
    assert isinstance(answers[3], Success)


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Status(500), Unreachable(cause="HTTP 500")),
        (Status(401), Unauthorized(cause="HTTP 401")),
        (Status(429), RateLimited()),
        (Drop(), Unreachable),
        (Truncate(), Unreachable),
        (
            Say(b'{"results": []}'),
            Unreachable(cause="expected 3 results of the gateway, found 0"),
        ),
        (
            Say(b'{"results": "no"}'),
            Unreachable(cause="expected 3 results of the gateway, found 0"),
        ),
        (Say(b"{}"), Unreachable(cause="expected 3 results of the gateway, found 0")),
        (
            Say(b'{"results": [{}, {}, {}, {}]}'),
            Unreachable(cause="expected 3 results of the gateway, found 4"),
        ),
    ],
)
async def test_a_request_that_fails_fails_each_of_its_orders(
    fault: Fault, expected: PlatformError | type[PlatformError]
) -> None:
    fake = FakeGateway()
    fake.faults.append(fault)
    async with dispatching(fake) as dispatch:
        answers = await send(dispatch, *(destroy(f"web-{n}") for n in range(3)))
    assert len(answers) == 3
    for answer in answers:
        error = answer.failure()
        assert expected in (error, type(error))


async def test_only_the_request_that_fails_fails() -> None:
    fake = FakeGateway()
    fake.faults.extend([Status(500), None])
    async with dispatching(fake) as dispatch:
        answers = await send(dispatch, *(destroy(f"web-{n}") for n in range(150)))
    failed = [isinstance(answer, Failure) for answer in answers]
    assert failed in ([True] * 100 + [False] * 50, [False] * 100 + [True] * 50)


@pytest.mark.parametrize(
    "result",
    [
        None,
        [],
        {},
        {"status": 202},
        {"status": "202", "body": {}},
        {"status": True, "body": {}},
        {"status": 202, "body": []},
    ],
)
async def test_a_result_of_another_shape_is_not_understood(result: object) -> None:
    good = {"status": 202, "body": {}}
    fake = FakeGateway()
    fake.faults.append(Say(orjson.dumps({"results": [good, result]})))
    async with dispatching(fake) as dispatch:
        answers = await send(dispatch, destroy("web-0"), destroy("web-1"))
    not_understood = Unreachable(cause="a result of the gateway is not understood")
    assert answers == [Success({}), Failure(not_understood)]


async def test_a_status_of_its_own_is_an_error_of_its_own() -> None:
    body = {"code": "rate_limited", "details": {"retry_after_ms": 5}}
    results = [{"status": 429, "body": body}, {"status": 302, "body": {}}]
    fake = FakeGateway()
    fake.faults.append(Say(orjson.dumps({"results": results})))
    async with dispatching(fake) as dispatch:
        answers = await send(dispatch, destroy("web-0"), destroy("web-1"))
        assert answers[0] == Failure(RateLimited(retry_after_ms=5))
        assert isinstance(answers[1].failure(), Unreachable)
        assert isinstance(await dispatch.send(destroy("web-0")), Success)


@pytest.mark.parametrize("value", ["planted\udcff", 2**64, object()])
async def test_an_order_that_cannot_be_written_fails_alone(value: object) -> None:
    fake = FakeGateway()
    wrong = destroy("web-1", env={"KEY": value})
    async with dispatching(fake) as dispatch:
        async with asyncio.timeout(60):
            answers = await send(dispatch, destroy("web-0"), wrong, destroy("web-2"))
    assert isinstance(answers[0], Success)
    refused = Refused(cause="the request cannot be written as JSON")
    assert answers[1] == Failure(refused)
    assert isinstance(answers[2], Success)


async def test_who_gave_up_waiting_disturbs_nobody() -> None:
    fake = FakeGateway(holds=asyncio.Event())
    async with dispatching(fake) as dispatch:
        first, second = (
            asyncio.ensure_future(dispatch.send(destroy(name)))
            for name in ("web-0", "web-1")
        )
        await fake.until(lambda: fake.under_way > 0)
        first.cancel()
        assert fake.holds is not None
        fake.holds.set()
        assert isinstance(await second, Success)
    assert first.cancelled()


async def test_what_is_on_its_way_is_given_up_at_the_end() -> None:
    fake = FakeGateway(holds=asyncio.Event())
    async with dispatching(fake) as dispatch:
        sent = asyncio.ensure_future(dispatch.send(destroy("web-0")))
        await fake.until(lambda: fake.under_way > 0)
        await dispatch.close()
        assert await sent == Failure(Unreachable(cause="given up"))
        await dispatch.close()


async def test_what_has_not_left_is_given_up_at_the_end() -> None:
    fake = FakeGateway()
    async with dispatching(fake) as dispatch:
        sent = asyncio.ensure_future(dispatch.send(destroy("web-0")))
        await asyncio.sleep(0)
        await dispatch.close()
        assert await sent == Failure(Unreachable(cause="given up"))
        late = await dispatch.send(destroy("web-1"))
        assert late == Failure(Unreachable(cause="given up"))
    assert fake.seen == []
