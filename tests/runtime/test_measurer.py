"""Services are measured in time, and scaled by what a platform or somebody tells."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

import attrs
import pytest
from returns.future import FutureResult
from returns.result import Result, Success

from orchestrator import FleetSpec, InvalidSpec, Service, ServiceInfo, ServiceNotFound
from orchestrator.core.autoscale import Verdict
from orchestrator.core.autoscaling import Autoscaling, Metric
from orchestrator.core.errors import JournalUnavailable, PlatformError, Unreachable
from orchestrator.core.load_windows import LOAD_MAX_MILLI
from orchestrator.core.loads import LoadObserved
from orchestrator.core.services import replica_of
from orchestrator.platforms.measuring import MeasuredService, Measuring
from orchestrator.runtime import measurer
from orchestrator.runtime.measurer import every_ms, milli_of
from tests.runtime.kit import (
    LIMIT_MS,
    Faulty,
    FullJournal,
    Kit,
    error,
    fleet,
    opened,
    spec,
    value,
)
from tests.runtime.virtual import in_virtual_time

POLICY = Autoscaling(
    metric=Metric.PUSHED,
    target_milli=10_000,
    most=6,
    up_after_ms=0,
    down_after_ms=0,
    window_ms=1_000,
)
IN_FLIGHT = attrs.evolve(POLICY, metric=Metric.IN_FLIGHT)


def served(policy: Autoscaling | None = POLICY, name: str = "web") -> FleetSpec:
    service = Service(template=spec(name), replicas=1, autoscaling=policy)
    return attrs.evolve(fleet(replica_of(service, 0)), services=(service,))


class Scales(Faulty):
    """A platform that measures what the test says."""

    def __init__(self, **bear: float) -> None:
        super().__init__()
        self.bear: dict[str, float] = bear
        self.error: PlatformError | None = None
        self.bug: Exception | None = None
        self.hangs = False
        self.questions: list[tuple[Metric, tuple[MeasuredService, ...]]] = []

    def loads(
        self, metric: Metric, services: tuple[MeasuredService, ...]
    ) -> FutureResult[Mapping[str, float], PlatformError]:
        self.questions.append((metric, services))
        if self.bug is not None:
            raise self.bug
        if self.error is not None:
            return FutureResult.from_failure(self.error)
        return FutureResult(self._answered())

    async def _answered(self) -> Result[Mapping[str, float], PlatformError]:
        if self.hangs:
            await asyncio.Event().wait()
        return Success(dict(self.bear))

    async def asked(self, count: int) -> None:
        """Wait until so many questions more were asked."""
        goal = len(self.questions) + count
        async with asyncio.timeout(LIMIT_MS / 1_000):
            while len(self.questions) < goal:  # noqa: ASYNC110 - a list tells nobody
                await asyncio.sleep(0.002)


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measurer, "EVERY_MS", (5, 60_000))


def replicas(kit: Kit, name: str = "web") -> int:
    return kit.operator.fleet.services[name].replicas


async def told(kit: Kit) -> list[int]:
    records = await value(kit.operator.events())
    events = [record.event for record in records]
    return [each.load_milli for each in events if isinstance(each, LoadObserved)]


# Somebody tells


@in_virtual_time
async def test_a_load_that_is_told_scales_the_service() -> None:
    async with opened(served()) as kit:
        info = await value(kit.operator.observe_load("web", 42))
        assert isinstance(info, ServiceInfo)
        assert (info.replicas, len(info.members)) == (5, 5)
        load = info.autoscaling
        assert load is not None
        assert (load.load, load.target, load.wanted) == (42.0, 10.0, 5)
        assert (load.least, load.most, load.metric) == (1, 6, Metric.PUSHED)
        assert load.verdict is Verdict.ENOUGH
        assert load.scaled_at == load.measured_at == kit.operator.fleet.at
        explained = kit.operator.fleet.containers["web-4"].desired
        assert (explained.by, explained.why) == (
            "autoscaler",
            "its load is 42 on the average of 1s, 10 for each: 1 to 5 replicas",
        )
        assert await told(kit) == [42_000]


@in_virtual_time
async def test_the_same_load_at_once_is_no_second_row() -> None:
    slow = attrs.evolve(POLICY, window_ms=3_600_000)
    async with opened(served(slow)) as kit:
        rows: list[int] = []
        for _ in range(3):
            await value(
                kit.operator.observe_load(
                    "web", 9.5, heard=lambda asked: rows.append(asked.seq)
                )
            )
        assert await told(kit) == [9_500]
        assert rows == sorted(rows)
        assert len(rows) == 3


@in_virtual_time
async def test_whoever_does_not_scale_by_itself_says_nothing_of_it() -> None:
    async with opened(served(None)) as kit:
        [info] = await value(kit.operator.list_services())
        assert info.autoscaling is None


@in_virtual_time
async def test_loads_that_nobody_waits_for_are_refused_in_words() -> None:
    async with opened(served()) as kit:
        nobody = await error(kit.operator.observe_load("db", 1))
        assert nobody == ServiceNotFound(name="db")
        for load in (-1.0, float("nan"), float("inf")):
            wrong = await error(kit.operator.observe_load("web", load))
            assert isinstance(wrong, InvalidSpec)
            assert wrong.problems[0].place == "load"
    async with opened(served(IN_FLIGHT)) as kit:
        wrong = await error(kit.operator.observe_load("web", 1))
        assert isinstance(wrong, InvalidSpec)
        assert "pushed" in wrong.problems[0].expected


@in_virtual_time
async def test_a_load_is_refused_where_the_journal_cannot_be_written() -> None:
    journal = FullJournal()
    async with opened(served(), journal=journal) as kit:
        journal.error = JournalUnavailable(cause="full", retryable=True)
        refused = await error(kit.operator.observe_load("web", 42))
        assert refused == journal.error
        journal.error = None
        assert replicas(kit) == 1


# The platform measures


@pytest.mark.usefixtures("often")
@in_virtual_time
async def test_what_the_platform_measures_scales_the_service() -> None:
    platform = Scales(web=42.0)
    assert isinstance(platform, Measuring)
    async with opened(served(IN_FLIGHT), platform=platform) as kit:
        await kit.until(lambda: replicas(kit) == 5)
        metric, [asked] = platform.questions[0]
        assert (metric, asked.name, asked.template.name) == (
            Metric.IN_FLIGHT,
            "web",
            "web",
        )
        assert asked.containers == ("web-0",)
        platform.bear = {"web": 3.0}
        await kit.until(lambda: replicas(kit) == 1)


@pytest.mark.usefixtures("often")
@in_virtual_time
async def test_a_load_that_stays_is_told_again_when_a_quarter_has_passed() -> None:
    platform = Scales(web=10.0)
    slow = attrs.evolve(IN_FLIGHT, window_ms=3_600_000)
    measured_often = attrs.evolve(slow, window_ms=40)
    async with opened(served(slow), platform=platform) as kit:
        await platform.asked(1)
        await kit.until(lambda: "web" in kit.operator.fleet.loads)
        await value(kit.operator.apply(served(measured_often)))
        await platform.asked(12)
        loads = await told(kit)
        assert set(loads) == {10_000}
        assert 3 <= len(loads) <= 13


@pytest.mark.usefixtures("often")
@in_virtual_time
async def test_what_changes_little_is_told_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(measurer, "EVERY_MS", (1, 5))
    platform = Scales(web=10.0)
    slow = attrs.evolve(IN_FLIGHT, window_ms=3_600_000)
    async with opened(served(slow), platform=platform) as kit:
        await platform.asked(2)
        platform.bear = {"web": 10.04}  # of three digits the same
        await platform.asked(5)
        assert await told(kit) == [10_000]
        platform.bear = {"web": 10.1}
        await platform.asked(2)
        assert await told(kit) == [10_000, 10_100]


@pytest.mark.usefixtures("often")
@in_virtual_time
async def test_trouble_is_logged_once_and_nothing_is_decided(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "orchestrator.loads")
    platform = Scales(web=42.0)
    platform.error = Unreachable(cause="gone")
    quick = attrs.evolve(IN_FLIGHT, window_ms=20)
    async with opened(served(quick), platform=platform) as kit:
        await platform.asked(4)
        assert (replicas(kit), await told(kit)) == (1, [])
        platform.error = None
        await kit.until(lambda: replicas(kit) == 5)
    texts = [record.getMessage() for record in caplog.records]
    assert texts == [
        "in_flight is not measured: platform unreachable: gone",
        "in_flight is measured again",
    ]


@pytest.mark.usefixtures("often")
@in_virtual_time
async def test_a_platform_that_does_not_answer_is_given_up(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(measurer, "LIMIT_S", 0.01)
    platform = Scales(web=42.0)
    platform.hangs = True
    quick = attrs.evolve(IN_FLIGHT, window_ms=20)
    async with opened(served(quick), platform=platform) as kit:
        await platform.asked(3)
        assert replicas(kit) == 1
    assert "no answer within 0.01 s" in caplog.text


@pytest.mark.usefixtures("often")
@in_virtual_time
async def test_a_bug_of_a_platform_ends_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(measurer, "AGAIN_S", 0.001)
    platform = Scales(web=42.0)
    platform.bug = RuntimeError("oh")
    async with opened(served(IN_FLIGHT), platform=platform) as kit:
        await platform.asked(2)
        platform.bug = None
        await kit.until(lambda: replicas(kit) == 5)
    assert "were not measured" in caplog.text


@in_virtual_time
async def test_a_platform_that_does_not_measure_is_told_of_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with opened(served(IN_FLIGHT)) as kit:
        await value(kit.operator.apply(served(attrs.evolve(IN_FLIGHT, most=7))))
        await value(kit.operator.reconcile())
    texts = [r.getMessage() for r in caplog.records if "measure" in r.getMessage()]
    assert texts == [
        "in_flight is not measured: this platform does not measure it: tell loads by"
        " `pushed`"
    ]


@pytest.mark.usefixtures("often")
@in_virtual_time
async def test_a_service_that_stops_to_scale_is_measured_no_more() -> None:
    platform = Scales(web=10.0, db=10.0)
    quick = attrs.evolve(IN_FLIGHT, window_ms=20)
    other = served(quick, "db")

    def both(policy: Autoscaling | None) -> FleetSpec:
        web = served(policy)
        return attrs.evolve(
            web,
            containers=(*web.containers, *other.containers),
            services=(*web.services, *other.services),
        )

    def measured(since: int) -> set[str]:
        asked = platform.questions[since:]
        return {each.name for _, services in asked for each in services}

    async with opened(both(quick), platform=platform) as kit:
        await platform.asked(3)
        assert measured(0) == {"web", "db"}
        await value(kit.operator.apply(both(None)))
        await platform.asked(1)
        since = len(platform.questions)
        await platform.asked(4)
        assert measured(since) == {"db"}
        await value(kit.operator.apply(both(quick)))
        await platform.asked(3)
        assert "web" in measured(since)


@pytest.mark.usefixtures("often")
@in_virtual_time
async def test_a_load_that_is_none_and_one_of_nobody_are_passed_over() -> None:
    platform = Scales(web=float("nan"), ghost=7.0)
    quick = attrs.evolve(IN_FLIGHT, window_ms=20)
    async with opened(served(quick), platform=platform) as kit:
        await platform.asked(3)
        assert await told(kit) == []


def test_a_service_is_measured_four_times_in_a_window_within_bounds() -> None:
    windows = {4: 1_000, 60_000: 15_000, 3_600_000: 60_000}
    for window, every in windows.items():
        assert every_ms(attrs.evolve(POLICY, window_ms=window)) == every


@pytest.mark.parametrize(
    ("load", "milli"),
    [
        (0, 0),
        (0.0004, 0),
        (1.2345, 1_230),
        (999.6, 1_000_000),
        (123_456.0, 123_000_000),
        (1e30, LOAD_MAX_MILLI),
        (-0.1, None),
    ],
)
def test_loads_are_rounded_to_three_digits(load: float, milli: int | None) -> None:
    assert milli_of(load) == milli


@in_virtual_time
async def test_a_plan_of_the_same_file_leaves_what_the_autoscaler_asked() -> None:
    async with opened(served()) as kit:
        await value(kit.operator.observe_load("web", 42))
        plan = await value(kit.operator.plan(served()))
        assert plan.is_empty
        revision = kit.operator.fleet.revision
        assert await value(kit.operator.apply(served())) == revision
        assert replicas(kit) == 5


@in_virtual_time
async def test_after_all_was_down_the_file_says_the_number() -> None:
    async with opened(served()) as kit:
        await value(kit.operator.observe_load("web", 42))
        await value(kit.operator.down())
        assert len(kit.operator.fleet.loads) == 0
        await value(kit.operator.apply(served()))
        assert replicas(kit) == 1
