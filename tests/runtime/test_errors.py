"""Every typed error, produced by an operation: a table."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

import attrs
import pytest

from orchestrator import (
    Claim,
    MemoryJournal,
    OpenFailed,
    Operator,
    SimulatedPlatform,
    Standby,
    settled,
)
from orchestrator.core import errors
from orchestrator.core.custom import CustomPolicy, registered
from orchestrator.core.decisions import GiveUp
from orchestrator.core.errors import ContainerError
from orchestrator.core.events import Booted
from orchestrator.core.fleet_specs import FleetSpec
from orchestrator.core.lineages import RolloutAction
from orchestrator.core.observations import Observation, SeenUnreachable
from orchestrator.core.policies import CustomPolicyRef, RestartPolicy
from orchestrator.core.rollout_policies import RolloutPolicy
from orchestrator.core.services import Service
from orchestrator.core.state import RULES
from orchestrator.core.table import Table
from orchestrator.core.tickets import Ticket
from orchestrator.journal.port import START, Snapshot
from orchestrator.journal.reading import RECORDING
from orchestrator.journal.sqlite import open_sqlite
from orchestrator.platforms.simulated.lines import Line
from orchestrator.replay.history import Entry
from orchestrator.replay.places import AfterRow
from orchestrator.replay.verifying import verify
from orchestrator.runtime.preparing import Means
from orchestrator.runtime.travel import WAITING_MAX
from orchestrator.testing.journals import draft
from orchestrator.testing.shared import SharedJournal
from tests.journal.opened import bad, filled, good
from tests.runtime.kit import (
    HOLD,
    LIMIT_MS,
    NEVER,
    FullJournal,
    error,
    fleet,
    opened,
    spec,
    value,
)
from tests.runtime.virtual import in_virtual_time

Producer = Callable[[Path], Awaitable[object]]
TABLE: dict[type, Producer] = {}


def rolled() -> FleetSpec:
    """Return a fleet with a service of no replicas: its rollouts end at once."""
    web = Service(template=spec("web"), replicas=0, rollout=RolloutPolicy())
    return attrs.evolve(fleet(), services=(web,))


def produces(kind: type) -> Callable[[Producer], Producer]:
    def add(producer: Producer) -> Producer:
        TABLE[kind] = producer
        return producer

    return add


@produces(errors.ContainerNotFound)
async def stop_of_a_stranger(_: Path) -> object:
    async with opened(fleet()) as kit:
        return await error(kit.operator.stop_container("nobody"))


@produces(errors.CrashLoopDetected)
async def start_in_a_crash_loop(_: Path) -> object:
    async with opened(fleet(spec("dead", HOLD))) as kit:
        await kit.container("dead", "crash_looping")
        waited = await error(kit.operator.wait("dead", limit_ms=LIMIT_MS))
        assert waited == await error(kit.operator.start_container("dead"))
        return waited


@produces(errors.ContainerFailed)
async def wait_for_what_has_failed(_: Path) -> object:
    async with opened(fleet(spec("dead", NEVER))) as kit:
        return await error(kit.operator.wait("dead", limit_ms=LIMIT_MS))


@produces(errors.StartNeedsForce)
async def start_of_what_has_failed(_: Path) -> object:
    async with opened(fleet(spec("dead", NEVER))) as kit:
        await kit.container("dead", "failed")
        return await error(kit.operator.start_container("dead"))


@produces(errors.ContainerNotStopped)
async def removal_of_what_runs(_: Path) -> object:
    async with opened(fleet()) as kit:
        await value(kit.operator.start_container("extra"))
        return await error(kit.operator.remove_container("extra"))


@produces(errors.MinReplicaSetContainer)
async def removal_of_what_is_declared(_: Path) -> object:
    async with opened(fleet(spec("web"))) as kit:
        return await error(kit.operator.remove_container("web"))


@produces(errors.AdHocContainerNotAllowed)
async def start_in_a_closed_fleet(_: Path) -> object:
    async with opened(fleet(allow_ad_hoc_containers=False)) as kit:
        return await error(kit.operator.start_container("extra"))


@produces(errors.InvalidSpec)
async def config_that_is_not_json(_: Path) -> object:
    async with opened(fleet()) as kit:
        when = datetime(2026, 1, 1, tzinfo=UTC)
        return await error(kit.operator.start_container("extra", {"at": when}))


@produces(errors.RevisionConflict)
async def application_to_a_fleet_that_has_moved(_: Path) -> object:
    async with opened(fleet()) as kit:
        return await error(kit.operator.apply(fleet(spec("web")), expect_revision=99))


@produces(errors.KeyReused)
async def key_of_another_request(_: Path) -> object:
    async with opened(fleet(spec("web"))) as kit:
        ticket = Ticket(key="one", digest="d1")
        await value(kit.operator.stop_container("web", ticket=ticket))
        other = attrs.evolve(ticket, digest="d2")
        return await error(kit.operator.restart_container("web", ticket=other))


@produces(errors.ServiceNotFound)
async def scale_of_no_service(_: Path) -> object:
    async with opened(fleet(spec("web"))) as kit:
        return await error(kit.operator.scale("web", 3))


@produces(errors.RolloutNotFound)
async def pause_of_no_rollout(_: Path) -> object:
    async with opened(rolled()) as kit:
        return await error(kit.operator.rollout("web", RolloutAction.PAUSE))


@produces(errors.RolloutRefused)
async def pause_of_a_rollout_that_has_ended(_: Path) -> object:
    async with opened(rolled()) as kit:
        await value(kit.operator.rollout("web", RolloutAction.START))
        return await error(kit.operator.rollout("web", RolloutAction.PAUSE))


@produces(errors.ReconcileFailed)
async def look_that_fails(_: Path) -> object:
    async with opened(fleet()) as kit:
        await kit.until(lambda: kit.operator.fleet.observed)
        kit.platform.look_error = errors.Unreachable(cause="cut off")
        return await error(kit.operator.reconcile())


@produces(errors.PartialReconcile)
async def look_that_misses_one(_: Path) -> object:
    def blind(seen: Observation) -> Observation:
        hidden = [
            attrs.evolve(s, sight=SeenUnreachable()) if s.name == "web-1" else s
            for s in seen.sightings
        ]
        return attrs.evolve(seen, sightings=tuple(hidden))

    async with opened(fleet(spec("web-0"), spec("web-1"))) as kit:
        await value(kit.operator.converge(limit_ms=LIMIT_MS, steady_ms=0))
        await asyncio.sleep(0.005)  # a look in the moment of a change compares nothing
        kit.platform.look_as = blind
        found = await error(kit.operator.reconcile())
        assert found == errors.PartialReconcile(failed=("web-1",), success_count=1)
        return found


@produces(errors.OperatorClosed)
async def request_to_a_closed_operator(_: Path) -> object:
    async with opened(fleet(spec("web"))) as kit:
        await kit.until(lambda: kit.operator.fleet.observed)
    assert await kit.operator.ended() is None
    waited = await error(kit.operator.wait("web", "completed"))
    assert waited == errors.OperatorClosed()
    return await error(kit.operator.stop_container("web"))


def _of_the_platform(found: errors.PlatformError) -> Producer:
    async def produce(_: Path) -> object:
        async with opened(fleet()) as kit:
            kit.platform.order_error = found
            await value(kit.operator.start_container("extra"))
            return await kit.failure("extra")

    return produce


for _error in (
    errors.ContainerStartFailed(name="extra", cause="no image"),
    errors.ContainerStopFailed(name="extra", cause="no process"),
    errors.Unreachable(cause="cut off"),
    errors.Refused(cause="not now"),
    errors.Unauthorized(cause="token"),
    errors.RateLimited(retry_after_ms=5),
    errors.NoCapacity(),
    errors.QuotaExceeded(),
    errors.StaleRun(name="extra", run=1, highest=7),
):
    TABLE[type(_error)] = _of_the_platform(_error)


@produces(errors.TimedOut)
async def wait_for_too_long(_: Path) -> object:
    async with opened(fleet(spec("late"))) as kit:
        converged = await error(kit.operator.converge(limit_ms=1))
        assert converged == errors.TimedOut(after_ms=1)
        return await error(kit.operator.wait("late", limit_ms=1))


@produces(errors.StaleOperator)
async def newer_operator(_: Path) -> object:
    async with opened(fleet()) as kit:
        await kit.until(lambda: kit.operator.fleet.observed)
        await value(kit.platform.attach(0))
        await value(kit.operator.start_container("extra"))
        ended = await kit.operator.ended()
        assert ended == await error(kit.operator.start_container("another"))
        return ended


@produces(errors.SecretMissing)
async def start_without_its_secret(_: Path) -> object:
    env = Table.of([("KEY", "${secret.NO_SUCH_SECRET_HERE}")])
    async with opened(fleet(spec("web", env=env))) as kit:
        return await kit.failure("web")


@produces(errors.EnvVarsFailed)
async def builder_that_raises(_: Path) -> object:
    def build(*_: object) -> dict[str, str]:
        raise ValueError("the password is hunter2")

    async with opened(fleet(spec("web")), env_vars=build) as kit:
        found = await kit.failure("web")
        assert found == errors.EnvVarsFailed(name="web", cause_type="ValueError")
        return found


@produces(errors.JournalUnavailable)
async def request_on_a_full_disk(_: Path) -> object:
    async with opened(fleet(spec("web"))) as kit:
        await value(kit.operator.converge(limit_ms=LIMIT_MS, steady_ms=0))
        kit.journal.error = errors.JournalUnavailable(cause="disk full")
        return await error(kit.operator.stop_container("web"))


@produces(errors.JournalConflict)
async def another_writer(_: Path) -> object:
    journal = FullJournal()
    async with opened(fleet(spec("web")), journal=journal) as kit:
        await value(kit.operator.converge(limit_ms=LIMIT_MS, steady_ms=0))
        await value(MemoryJournal.append(journal, _end(journal), (draft(1),)))
        found = await error(kit.operator.stop_container("web"))
        assert await kit.operator.ended() == found
        return found


def _end(journal: FullJournal) -> Any:
    return journal._head()


@produces(errors.JournalCorrupt)
async def row_that_makes_no_sense(_: Path) -> object:
    journal = FullJournal()
    nonsense = attrs.evolve(draft(1), event=b'{"type":"no_such_event"}')
    await value(journal.append(START, (nonsense,)))
    with pytest.raises(OpenFailed) as failed:
        async with opened(fleet(), journal=journal):
            raise AssertionError
    return failed.value.error


@produces(errors.JournalLocked)
async def second_operator(folder: Path) -> object:
    first = await filled(folder / "journal.db", 1)
    found = await bad(open_sqlite(folder / "journal.db"))
    await good(first.close())
    return found


@produces(errors.JournalTooNew)
async def journal_of_a_newer_release(folder: Path) -> object:
    import sqlite3

    await good((await filled(folder / "journal.db", 1)).close())
    connection = sqlite3.connect(folder / "journal.db")
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    return await bad(open_sqlite(folder / "journal.db"))


@produces(errors.JournalCompacted)
async def row_that_was_compacted_away(_: Path) -> object:
    base = Snapshot(seq=7, digest=bytes(32), rules=RULES, body=b"{}")
    return await bad(MemoryJournal(base).read(after=3, limit=1))


@produces(errors.JournalBusy)
async def journey_into_the_past_beside_too_many(_: Path) -> object:
    async with opened(fleet(spec("web"))) as kit:
        looks = [
            kit.operator.get_container_info("web", at=AfterRow(1))
            for _ in range(WAITING_MAX + 1)
        ]
        return (await asyncio.gather(*map(settled, looks)))[-1]


@produces(errors.PolicyNotRegistered)
async def journal_that_needs_an_unknown_policy(_: Path) -> object:
    journal = FullJournal()
    ref = CustomPolicyRef(name="mine", version=1)
    declared = fleet(spec("web", RestartPolicy(custom=ref)))
    mine = CustomPolicy(name="mine", version=1, decide=lambda _: GiveUp())
    async with opened(declared, journal=journal, policies=registered([mine])):
        pass
    with pytest.raises(OpenFailed) as failed:
        async with opened(declared, journal=journal):
            raise AssertionError
    return failed.value.error


@asynccontextmanager
async def led(ms: int = 3_000) -> AsyncIterator[tuple[Means, Operator]]:
    """Have a fleet led; what is given is for another operator of it."""
    platform, rows = SimulatedPlatform(), MemoryJournal()

    def means(holder: str) -> Means:
        line = Line(platform)
        journal = SharedJournal(rows, line)
        claim = Claim(holder=holder, ms=ms)
        return {"platform": line, "journal": journal, "lease": claim}

    async with Operator.open(fleet(), **means("one")) as operator:
        yield means("two"), operator


@produces(errors.LeaseHeld)
async def second_operator_beside_a_lease(_: Path) -> object:
    async with led() as (means, _operator):
        return await error(Operator.start(fleet(), **means))


@produces(errors.NotLeader)
async def request_to_a_standby(_: Path) -> object:
    async with led() as (means, _operator), Standby.open(fleet(), **means) as standby:
        return await error(standby.operator.reconcile())


@produces(errors.NotReplayable)
async def replay_that_diverges(_: Path) -> object:
    boot = Booted(at=0, epoch=1, rules=RULES)
    entry = Entry(seq=1, event=boot, commands=(), changes=b"{}")
    return verify([entry], RECORDING).failure()


def test_the_table_is_total() -> None:
    assert set(TABLE) == set(get_args(ContainerError))


@pytest.mark.parametrize("kind", TABLE, ids=lambda kind: kind.code)
@in_virtual_time
async def test_every_error_can_be_produced(kind: type, tmp_path: Path) -> None:
    found = await TABLE[kind](tmp_path)
    assert isinstance(found, kind), found


@in_virtual_time
async def test_an_open_that_fails_is_a_value_too() -> None:
    journal = FullJournal()
    async with opened(fleet(), journal=journal):
        pass
    other = attrs.evolve(fleet(), name="another")
    answer = await settled(
        Operator.start(other, platform=SimulatedPlatform(), journal=journal)
    )
    assert isinstance(answer, errors.InvalidSpec)
    assert "whose journal this is" in answer.message
