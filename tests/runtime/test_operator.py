"""The operator: what is asked becomes durable, then true; what is read never waits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import attrs
import pytest
from returns.future import FutureResult
from returns.result import Failure, Result, Success

from orchestrator import (
    CrashLimit,
    JournalUnavailable,
    OnLoop,
    Operator,
    OperatorClosed,
    Prune,
    RestartPolicy,
    TimedOut,
    When,
    settled,
)
from orchestrator.core.dependencies import Condition
from orchestrator.core.errors import PlatformError, Unreachable
from orchestrator.core.events import (
    Booted,
    CommandFailed,
    ContainerEnded,
    LifecycleEvent,
    SpecApplied,
    StopRequested,
)
from orchestrator.core.exits import Lost
from orchestrator.core.observations import Observation
from orchestrator.core.reduce import fold
from orchestrator.core.state import RULES, empty_fleet
from orchestrator.core.table import Table
from orchestrator.platforms.port import Accepted, Order
from orchestrator.runtime.boot import Engine
from orchestrator.runtime.interpreter import Limits
from orchestrator.runtime.recovery import recover, snapshot_of
from orchestrator.runtime.reports import config_of
from tests.runtime.kit import (
    FAST,
    HOLD,
    LIMIT_MS,
    NEVER,
    Faulty,
    FullJournal,
    error,
    fleet,
    opened,
    spec,
    value,
)
from tests.runtime.virtual import in_virtual_time


@in_virtual_time
async def test_a_declared_fleet_comes_up_and_says_where_it_is() -> None:
    async with opened(fleet(spec("web"), spec("job"))) as kit:
        web = await value(kit.operator.wait("web", "ready", limit_ms=LIMIT_MS))
        assert (web.phase, web.ready, web.run, web.restarts) == ("running", True, 1, 0)
        assert web.min_replica_set
        assert dict(web.addresses.items()) == {"http": "web:8080"}
        assert web == attrs.evolve(
            await value(kit.operator.get_container_info("web")), uptime_ms=web.uptime_ms
        )
        listed = await value(kit.operator.list_containers())
        assert [info.name for info in listed] == ["job", "web"]


@in_virtual_time
async def test_an_ad_hoc_container_lives_by_request_alone() -> None:
    async with opened(fleet()) as kit:
        operator = kit.operator
        info = await value(
            operator.start_container(
                "worker-7",
                {"queue": "eu", "deep": {"list": [1, 2.5, None]}},
                NEVER,
                command=("work", "${config.queue}", "${config.deep.list}", "${name}"),
                by="alice",
                why="backlog",
            )
        )
        assert info.phase in {"pending", "starting"}
        assert info.origin.value == "ad_hoc"
        await value(operator.wait("worker-7", limit_ms=LIMIT_MS))
        order = kit.platform.started("worker-7")
        assert order.command == ("work", "eu", "[1,2.5,null]", "worker-7")
        assert order.env["CONTAINER_NAME"] == "worker-7"
        explained = await value(operator.explain("worker-7"))
        assert (explained.desired_by, explained.desired_why) == ("alice", "backlog")
        stopping = await value(operator.stop_container("worker-7", why="enough"))
        assert stopping.desired == "stopped"
        stopped = await value(operator.wait("worker-7", "stopped", limit_ms=LIMIT_MS))
        assert stopped.why == "stopped by owner: enough"
        assert await settled(operator.remove_container("worker-7")) is None
        assert not await value(operator.list_containers())


@in_virtual_time
async def test_a_restart_is_a_new_run_and_no_crash() -> None:
    async with opened(fleet(spec("web"))) as kit:
        await value(kit.operator.wait("web", limit_ms=LIMIT_MS))
        await value(kit.operator.restart_container("web"))
        await kit.until(lambda: kit.operator.infos()[0].run == 2)
        info = await value(kit.operator.wait("web", limit_ms=LIMIT_MS))
        assert (info.run, info.crash_count, info.last_exit) == (2, 0, "stopped")


@in_virtual_time
async def test_a_cleared_history_lets_a_failed_container_start_again() -> None:
    async with opened(fleet(spec("dead", NEVER))) as kit:
        await kit.container("dead", "failed")
        await value(kit.operator.clear_crash_history("dead"))
        await kit.until(lambda: kit.operator.infos()[0].run == 2)
        forced = kit.operator.start_container("dead", force=True)
        assert (await value(forced)).desired == "running"


@in_virtual_time
async def test_a_job_is_waited_for_until_it_completes() -> None:
    policy = RestartPolicy(when=When.ON_FAILURE, backoff=FAST)
    async with opened(fleet(spec("job", policy))) as kit:
        info = await value(kit.operator.wait("job", "completed", limit_ms=LIMIT_MS))
        assert info.last_exit == "exit 0"


@in_virtual_time
async def test_events_are_read_in_pages_and_waited_for() -> None:
    async with opened(fleet(spec("web"))) as kit:
        await value(kit.operator.converge(limit_ms=LIMIT_MS, steady_ms=0))
        first = await value(kit.operator.events(limit=2))
        assert [record.seq for record in first] == [1, 2]
        assert isinstance(first[0].event, Booted)
        assert isinstance(first[1].event, SpecApplied)
        end = kit.operator.seq
        assert await value(kit.operator.events(end)) == ()
        waiting = asyncio.ensure_future(
            settled(kit.operator.events(end, wait_ms=LIMIT_MS))
        )
        await value(kit.operator.stop_container("web"))
        page = await waiting
        assert isinstance(page, tuple)
        assert isinstance(page[0].event, StopRequested)


@in_virtual_time
async def test_what_is_recovered_is_what_was_live() -> None:
    journal = FullJournal()
    async with opened(fleet(spec("web"), spec("dead")), journal=journal) as kit:
        await value(kit.operator.wait("web", limit_ms=LIMIT_MS))
        await value(kit.operator.start_container("extra"))
        events = [r.event for r in await value(kit.operator.events())]
        seen = kit.operator.seq
        live = kit.operator.fleet
        assert seen == len(events)
        folded = fold(empty_fleet("demo"), events)
        counted = attrs.evolve(folded, at=live.at, ignored=live.ignored)
        assert counted == live
    recovered = await value(recover(journal, "demo"))
    assert recovered.folded == 0  # the snapshot of the end is enough
    assert recovered.fleet.containers == kit.operator.fleet.containers


@in_virtual_time
async def test_the_same_file_again_is_not_applied_again() -> None:
    journal, platform = FullJournal(), Faulty()
    declared = fleet(spec("web"))
    for _ in range(3):
        async with opened(declared, journal=journal, platform=platform) as kit:
            await value(kit.operator.wait("web", limit_ms=LIMIT_MS))
    async with opened(declared, journal=journal, platform=platform) as kit:
        events = [record.event for record in await value(kit.operator.events())]
        assert sum(isinstance(event, SpecApplied) for event in events) == 1
        assert sum(isinstance(event, Booted) for event in events) == 4
        assert kit.operator.infos()[0].run == 1


@in_virtual_time
async def test_a_snapshot_of_other_rules_is_folded_anew() -> None:
    journal = FullJournal()
    async with opened(fleet(spec("web")), journal=journal) as kit:
        await value(kit.operator.converge(limit_ms=LIMIT_MS, steady_ms=0))
    head = await value(journal.head())
    for change in ({"rules": 99}, {"body": b"rubbish"}):
        wrong = attrs.evolve(snapshot_of(empty_fleet("wrong"), head), **change)
        await value(journal.save_snapshot(wrong))
        recovered = await value(recover(journal, "demo"))
        assert recovered.folded == head.seq
        assert recovered.fleet.name == "demo"
        newest = await value(journal.latest_snapshot())
        assert newest is not None
        assert newest.rules == RULES


@in_virtual_time
async def test_a_full_disk_refuses_requests_keeps_facts_and_passes() -> None:
    async with opened(fleet(spec("web"), spec("job"))) as kit:
        await value(kit.operator.wait("web", limit_ms=LIMIT_MS))
        full = JournalUnavailable(cause="No space left on device")
        kit.journal.error = full
        seq = kit.operator.seq
        assert await error(kit.operator.stop_container("web")) == full
        kit.operator._loop.tell(ContainerEnded(at=0, name="web", run=1, exit=Lost()))
        await kit.until(lambda: kit.operator._loop.journal_error is not None)
        info = await value(kit.operator.get_container_info("web"))
        assert (info.phase, kit.operator.seq) == ("running", seq)
        kit.journal.error = None
        await kit.container("web", "backing_off")
        assert (await value(kit.operator.stop_container("web"))).desired == "stopped"


@in_virtual_time
async def test_a_bug_in_an_adapter_is_one_outcome_and_shows_no_secret(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with opened(fleet()) as kit:
        kit.platform.bug = RuntimeError("hunter2")
        await value(kit.operator.start_container("extra"))
        assert await kit.failure("extra") == Unreachable(cause="RuntimeError")
    assert "hunter2" not in caplog.text


@in_virtual_time
async def test_down_ends_everything_and_the_same_file_brings_it_back() -> None:
    journal, platform = FullJournal(), Faulty()
    declared = fleet(spec("web"), prune=Prune.KEEP)
    async with opened(declared, journal=journal, platform=platform) as kit:
        await value(kit.operator.start_container("extra"))
        await value(kit.operator.converge(limit_ms=LIMIT_MS, steady_ms=0))
        assert await settled(kit.operator.down()) is None
        assert [info.phase for info in kit.operator.infos()] == ["stopped"]
    async with opened(declared, journal=journal, platform=platform) as kit:
        info = await value(kit.operator.wait("web", limit_ms=LIMIT_MS))
        assert info.run == 2
        assert kit.phase("extra") == "stopped"


@in_virtual_time
async def test_down_ends_a_fleet_whose_template_needs_one_of_its_services() -> None:
    template = spec("any", depends_on=Table.of([("db", Condition.READY)]))
    async with opened(fleet(spec("db"), ad_hoc=template)) as kit:
        await value(kit.operator.start_container("extra"))
        await value(kit.operator.converge(limit_ms=LIMIT_MS, steady_ms=0))
        assert await settled(kit.operator.down()) is None
        assert [info.phase for info in kit.operator.infos()] == ["stopped"]
        assert kit.operator.fleet.settings.ad_hoc == template


@in_virtual_time
async def test_commands_of_one_container_stay_in_order_and_others_go_on() -> None:
    async with opened(fleet(spec("web-0"), spec("web-1"))) as kit:
        await value(kit.operator.converge(limit_ms=LIMIT_MS, steady_ms=0))
        for _ in range(5):
            await value(kit.operator.restart_container("web-0"))
            await value(kit.operator.wait("web-1", limit_ms=LIMIT_MS))
        await value(kit.operator.stop_container("web-0"))
        await value(kit.operator.wait("web-0", "stopped", limit_ms=LIMIT_MS))
        runs = [order.run for order in kit.platform.orders if order.name == "web-0"]
        assert runs == sorted(runs)


class Slow(Faulty):
    """A platform whose looks take until they are let go; what they show is older."""

    def __init__(self) -> None:
        super().__init__()
        self.looks = 0
        self.let_go = asyncio.Event()
        self.let_go.set()

    def observe(self) -> FutureResult[Observation, PlatformError]:
        self.looks += 1
        return FutureResult(self._seen(super().observe()))

    async def _seen(
        self, seen: FutureResult[Observation, PlatformError]
    ) -> Result[Observation, PlatformError]:
        found = await settled(seen)
        await self.let_go.wait()
        return Success(found) if isinstance(found, Observation) else Failure(found)


@in_virtual_time
async def test_a_reconcile_is_not_answered_by_a_look_that_began_before_it() -> None:
    platform = Slow()
    async with opened(fleet(spec("web")), platform=platform) as kit:
        await value(kit.operator.wait("web", limit_ms=LIMIT_MS))
        before = platform.looks
        platform.let_go.clear()
        first = asyncio.ensure_future(value(kit.operator.reconcile(why="first")))
        await kit.until(lambda: kit.operator.fleet.observing)
        seq = kit.operator.seq
        second = asyncio.ensure_future(value(kit.operator.reconcile(why="second")))
        await kit.until(lambda: kit.operator.seq > seq)
        asked_at = kit.operator.fleet.at
        platform.let_go.set()
        await asyncio.gather(first, second)
        assert platform.looks == before + 2
        observed_at = kit.operator.fleet.observed_at
        assert observed_at is not None
        assert observed_at >= asked_at


@in_virtual_time
async def test_a_reconcile_tells_what_it_did() -> None:
    async with opened(fleet(spec("web"))) as kit:
        await value(kit.operator.converge(limit_ms=LIMIT_MS, steady_ms=0))
        report = await value(kit.operator.reconcile())
        (outcome,) = report.outcomes
        assert (outcome.name, outcome.phase, outcome.action) == (
            "web",
            "running",
            "none",
        )


@in_virtual_time
async def test_the_config_shows_placeholders_and_hides_what_looks_secret() -> None:
    env = Table.of([("API_KEY", "sk-123"), ("TOKEN", "${secret.T}"), ("LEVEL", "info")])
    secretive = spec("web", env=env, config=Table.of([("password", "x"), ("a", "b")]))
    async with opened(fleet(secretive)) as kit:
        config = await value(kit.operator.get_config())
        (shown,) = config.containers
        assert dict(shown.env.items()) == {
            "API_KEY": "***",
            "TOKEN": "${secret.T}",
            "LEVEL": "info",
        }
        assert dict(shown.config.items()) == {"a": "b", "password": "***"}
        assert config.settings.ad_hoc is not None
        assert config_of(empty_fleet("x")).settings.ad_hoc is None


@in_virtual_time
async def test_a_platform_whose_stream_breaks_is_listened_to_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("orchestrator.runtime.listening.LISTEN_AGAIN_S", 0.01)

    class Breaking(Faulty):
        breaks = 3

        async def events(self, after: str) -> AsyncIterator[LifecycleEvent]:
            async for event in super().events(after):
                yield event
                if self.breaks:
                    self.breaks -= 1
                    raise OSError("the stream broke")

    platform = Breaking()
    async with opened(fleet(spec("web")), platform=platform) as kit:
        await value(kit.operator.wait("web", limit_ms=LIMIT_MS))
        await value(kit.operator.restart_container("web"))
        await kit.until(lambda: kit.operator.infos()[0].run == 2)
        await value(kit.operator.wait("web", limit_ms=LIMIT_MS))
    assert platform.breaks < 3


@in_virtual_time
async def test_a_command_without_an_answer_times_out() -> None:
    class Silent(Faulty):
        def perform(self, order: Order) -> FutureResult[Accepted, PlatformError]:
            async def never() -> Result[Accepted, PlatformError]:
                await asyncio.sleep(3_600)
                raise AssertionError

            return FutureResult(never())

    limits = Limits(command_ms=20)
    async with opened(fleet(), platform=Silent(), limits=limits) as kit:
        await value(kit.operator.start_container("extra"))
        failure = await kit.failure("extra")
        assert getattr(failure, "code", "") == "timed_out"
        records = await value(kit.operator.events())
        assert sum(isinstance(r.event, CommandFailed) for r in records) >= 1
    assert isinstance(kit.operator, Operator)


@in_virtual_time
async def test_a_bug_in_the_loop_leaves_nobody_waiting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(ZeroDivisionError):  # noqa: PT012 - it is raised at the end
        async with opened(fleet(spec("web"))) as kit:
            await value(kit.operator.converge(limit_ms=LIMIT_MS, steady_ms=0))

            def broken(*_: object) -> None:
                raise ZeroDivisionError

            monkeypatch.setattr("orchestrator.runtime.steps.Batch.take", broken)
            waiting = asyncio.ensure_future(
                settled(kit.operator.wait("web", "completed"))
            )
            refused = await error(kit.operator.stop_container("web"))
            assert refused == OperatorClosed()
            assert await waiting == OperatorClosed()


@in_virtual_time
async def test_what_dies_at_once_has_not_come_up() -> None:
    policy = RestartPolicy(
        crash=CrashLimit(allowed_crashes=5, on_loop=OnLoop.HOLD), backoff=FAST
    )
    async with opened(fleet(spec("job", HOLD), spec("dead", policy))) as kit:
        infos = await value(kit.operator.converge(limit_ms=LIMIT_MS, steady_ms=300))
        phases = {info.name: info.phase for info in infos}
        assert phases == {"dead": "crash_looping", "job": "completed"}
        assert await error(kit.operator.converge(limit_ms=10)) == TimedOut(after_ms=10)


@in_virtual_time
async def test_a_closed_operator_begins_nothing_more() -> None:
    """What comes due while it closes is outstanding, and given after the next boot."""
    async with opened(fleet(spec("web"))) as kit:
        await value(kit.operator.converge(limit_ms=LIMIT_MS, steady_ms=0))
        orders = len(kit.platform.orders)
        engine = kit.operator._engine
        assert isinstance(engine, Engine)
        await engine.interpreter.close(1.0)
        await value(kit.operator.restart_container("web"))
        assert (await value(kit.operator.get_container_info("web"))).phase == "stopping"
    assert len(kit.platform.orders) == orders


async def test_what_runs_is_taken_over_although_no_millisecond_has_passed() -> None:
    """The first look is newer than the declaration, also within its millisecond."""
    platform = Faulty()
    declared = fleet(spec("web"))
    async with opened(declared, platform=platform) as kit:
        await value(kit.operator.wait("web", limit_ms=LIMIT_MS))
        await value(kit.operator.restart_container("web"))
        await kit.until(lambda: kit.operator.fleet.containers["web"].run == 2)
        await value(kit.operator.wait("web", limit_ms=LIMIT_MS))
    for _ in range(20):
        async with opened(declared, platform=platform) as kit:
            await value(kit.operator.wait("web", limit_ms=LIMIT_MS))
            assert kit.operator.fleet.containers["web"].run == 2
