"""What services bear on Cloudflare: their traffic, and their processors' time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import attrs
import pytest

from orchestrator.core.autoscaling import Metric
from orchestrator.core.errors import Refused, StaleOperator, Unreachable
from orchestrator.core.hosting import INSTANCE_TYPES
from orchestrator.platforms.cloudflare.gateway import CloudflarePlatform
from orchestrator.platforms.cloudflare.loads import LoadReader
from orchestrator.platforms.cloudflare.rest.metrics import SPAN_MS
from orchestrator.platforms.cloudflare.witness import metrics_of
from orchestrator.platforms.measuring import MeasuredService, Measuring
from tests.platforms.cloudflare.fake_gateway import (
    FLEET,
    SECRETS,
    SPEC,
    FakeGateway,
    choice_of,
    serving,
)
from tests.platforms.cloudflare.test_metrics import FakeMetrics, measuring
from tests.runtime.kit import error, value

WEB = MeasuredService(name="web", template=SPEC, containers=("web-0", "web-1"))
DB = MeasuredService(name="db", template=SPEC, containers=("db-0",))


@asynccontextmanager
async def platform(fake: FakeGateway) -> AsyncIterator[CloudflarePlatform]:
    async with serving(fake) as url:
        made = CloudflarePlatform(choice_of(url), FLEET, SECRETS)
        try:
            yield made
        finally:
            await made.detach()


def borne(name: str, in_flight: int, busy_ms: int = 0, **more: int) -> dict[str, Any]:
    clock = {"since": 1_000, "now": 2_000, **more}
    return {"name": name, "run": 1, "in_flight": in_flight, "busy_ms": busy_ms, **clock}


async def in_flight(one: CloudflarePlatform) -> Mapping[str, float]:
    return await value(one.loads(Metric.IN_FLIGHT, (WEB, DB)))


async def test_what_is_in_flight_is_summed_up_for_each_service() -> None:
    fake = FakeGateway(borne=[borne("web-0", 3), borne("web-1", 4), borne("ghost", 9)])
    async with platform(fake) as one:
        assert isinstance(one, Measuring)
        assert await in_flight(one) == {"web": 7.0}
        assert await value(one.loads(Metric.PUSHED, (WEB,))) == {}


async def test_the_average_since_the_last_question_is_told() -> None:
    fake = FakeGateway(borne=[borne("web-0", 3, 500)])
    async with platform(fake) as one:
        assert await in_flight(one) == {"web": 3.0}
        fake.borne = [borne("web-0", 0, 5_500, now=4_000)]
        assert await in_flight(one) == {"web": 2.5}
        assert await in_flight(one) == {"web": 0.0}  # no time has passed: what is now


async def test_one_that_counts_anew_is_taken_from_where_it_began() -> None:
    fake = FakeGateway(borne=[borne("web-0", 3, 500)])
    async with platform(fake) as one:
        await in_flight(one)
        fake.borne = [borne("web-0", 7, 600, since=5_000, now=5_300)]
        assert await in_flight(one) == {"web": 2.0}
        fake.borne = [borne("web-0", 7, 0, since=9_000, now=9_000)]
        assert await in_flight(one) == {"web": 7.0}


async def test_who_does_not_answer_bears_what_the_others_do() -> None:
    fake = FakeGateway(borne=[borne("web-0", 3), {"name": "web-1"}, {"name": "db-0"}])
    async with platform(fake) as one:
        assert await in_flight(one) == {"web": 6.0}


async def test_a_service_of_which_nobody_lives_is_not_measured() -> None:
    async with platform(FakeGateway()) as one:
        assert await in_flight(one) == {}


@pytest.mark.parametrize(
    "told", [None, {}, ["web-0"], [{"in_flight": 1}], [{"name": 7}]]
)
async def test_loads_that_are_none_are_not_understood(told: Any) -> None:
    async with platform(FakeGateway(borne=told)) as one:
        failed = await error(one.loads(Metric.IN_FLIGHT, (WEB,)))
        assert isinstance(failed, Unreachable)
        assert "not understood" in failed.cause


async def test_an_older_gateway_is_told_of() -> None:
    async with platform(FakeGateway(counts_loads=False)) as one:
        failed = await error(one.loads(Metric.IN_FLIGHT, (WEB,)))
        assert isinstance(failed, Refused)
        assert "counts no traffic" in failed.cause


async def test_an_operator_that_was_replaced_measures_nothing() -> None:
    fake = FakeGateway()
    async with platform(fake) as one:
        granted = await value(one.attach(0))
        newer = fake.take_over()
        failed = await error(one.loads(Metric.IN_FLIGHT, (WEB,)))
        assert failed == StaleOperator(epoch=granted.epoch, highest=newer)


# The processors' time


async def cpu(
    fake: FakeMetrics, *services: MeasuredService
) -> Mapping[str, float] | object:
    async with platform(FakeGateway()) as one, measuring(fake) as metrics:
        one._loads = LoadReader(one._lister, FLEET, metrics)
        return await error(one.loads(Metric.CPU, services))


async def test_the_processors_time_is_told_in_percent_of_one_replica() -> None:
    half = INSTANCE_TYPES["standard-1"]  # half a virtual processor
    web = attrs.evolve(WEB, template=attrs.evolve(SPEC, instance_type=half))
    seconds = SPAN_MS / 1_000 / 2  # as long as one of them may use
    fake = FakeMetrics(used={"web-0": seconds, "web-1": seconds / 4, "ghost": 9.0})
    assert await cpu(fake, web) == {"web": pytest.approx(125.0)}


async def test_a_service_of_which_nothing_is_known_is_not_measured() -> None:
    seconds = SPAN_MS / 1_000 / 16  # a sixteenth of a virtual processor: lite
    found = await cpu(FakeMetrics(used={"db-0": seconds}), DB, WEB)
    assert found == {"db": pytest.approx(100.0)}


async def test_without_an_account_no_metrics_are_read() -> None:
    async with platform(FakeGateway()) as one:
        failed = await error(one.loads(Metric.CPU, (WEB,)))
        assert isinstance(failed, Refused)
        assert "platform.account_id" in failed.cause


async def test_metrics_are_read_where_an_account_and_a_token_are_named() -> None:
    choice = attrs.evolve(choice_of("http://127.0.0.1:1"), account_id="a" * 32)
    assert metrics_of(choice, {}) is None
    assert metrics_of(choice, {"CLOUDFLARE_API_TOKEN": "no token\nat all"}) is None
    found = metrics_of(choice, {"CLOUDFLARE_API_TOKEN": "a-token"})
    assert found is not None
    assert repr(found) == f"Metrics(account_id={'a' * 32!r})"
    await found.close()
