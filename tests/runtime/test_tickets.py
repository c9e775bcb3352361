"""Requests that are made again: done once, answered twice, also after a kill -9."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from pathlib import Path

import attrs
from returns.future import FutureResult

from orchestrator import ContainerError, ContainerInfo, KeyReused, Ticket, settled
from orchestrator.core.errors import (
    ContainerNotFound,
    JournalUnavailable,
    ReconcileFailed,
    Unreachable,
)
from orchestrator.core.events import RestartRequested, SpecApplied, StopRequested
from orchestrator.journal.sqlite import open_sqlite
from orchestrator.runtime.steps import Asked
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

ONE = Ticket(key="one", digest="d1")
KILLED = """
import asyncio, os, signal, sys
from pathlib import Path
from returns.future import FutureResult
from returns.result import Success
from orchestrator import Operator, Ticket, settled
from orchestrator.journal.sqlite import open_sqlite
from tests.runtime.kit import Faulty, fleet, spec

async def main():
    journal = await settled(open_sqlite(Path(sys.argv[1])))
    append = journal.append
    def killed(expect, drafts):
        async def done():
            answer = Success(await settled(append(expect, drafts)))
            if any(b'"ticket"' in draft.event for draft in drafts):
                os.kill(os.getpid(), signal.SIGKILL)
            return answer
        return FutureResult(done())
    journal.append = killed
    async with Operator.open(
        fleet(spec("web")), platform=Faulty(), journal=journal
    ) as operator:
        await settled(operator.wait("web", "ready", limit_ms=60_000))
        ticket = Ticket(key="one", digest="d1")
        await settled(operator.restart_container("web", ticket=ticket))
    print("not killed")

asyncio.run(main())
"""


async def rows(kit: Kit, kind: type) -> list[int]:
    records = await value(kit.operator.events(0))
    return [record.seq for record in records if isinstance(record.event, kind)]


@in_virtual_time
async def test_a_request_that_is_made_again_is_answered_and_not_done() -> None:
    async with opened(fleet(spec("web"))) as kit:
        operator, heard = kit.operator, list[Asked]()
        await value(operator.wait("web", "ready", limit_ms=LIMIT_MS))
        for _ in range(2):
            info = await value(
                operator.stop_container("web", ticket=ONE, heard=heard.append)
            )
            assert info.desired == "stopped"
        seqs = await rows(kit, StopRequested)
        assert [asked.replayed for asked in heard] == [False, True]
        assert [heard[0].seq] == seqs
        assert seqs[0] <= heard[1].seq <= operator.seq
        await value(operator.start_container("web", ticket=attrs.evolve(ONE, key="2")))
        again = await value(operator.stop_container("web", ticket=ONE))
        assert again.desired == "running"


@in_virtual_time
async def test_two_at_once_do_one_thing() -> None:
    async with opened(fleet(spec("web"))) as kit:
        heard: list[Asked] = []
        both = await asyncio.gather(
            *(
                settled(
                    kit.operator.restart_container(
                        "web", ticket=ONE, heard=heard.append
                    )
                )
                for _ in range(2)
            )
        )
        assert all(isinstance(each, ContainerInfo) for each in both)
        assert [asked.replayed for asked in heard] == [False, True]
        assert len(await rows(kit, RestartRequested)) == 1
        assert heard[0].seq == heard[1].seq


@in_virtual_time
async def test_each_of_many_hears_its_own_row() -> None:
    async with opened(fleet(spec("web"), spec("job"))) as kit:
        heard: list[Asked] = []
        operator = kit.operator
        await asyncio.gather(
            *(
                settled(operator.stop_container(name, heard=heard.append))
                for name in ("web", "ghost", "job", "web")
            )
        )
        assert [asked.seq for asked in heard] == await rows(kit, StopRequested)


@in_virtual_time
async def test_a_key_stands_for_one_request() -> None:
    async with opened(fleet(spec("web"))) as kit:
        await value(kit.operator.stop_container("web", ticket=ONE))
        other = attrs.evolve(ONE, digest="d2")
        refused = await error(kit.operator.start_container("web", ticket=other))
        assert refused == KeyReused(key="one")


@in_virtual_time
async def test_what_has_gone_since_is_not_found_and_a_removal_stays_done() -> None:
    async with opened(fleet()) as kit:
        operator = kit.operator
        start, remove = Ticket(key="start", digest="d"), Ticket(key="rm", digest="d")
        await value(operator.start_container("job", ticket=start))
        await kit.container("job", "completed")
        heard: list[Asked] = []
        for _ in range(2):
            await value(
                operator.remove_container("job", ticket=remove, heard=heard.append)
            )
        assert [asked.replayed for asked in heard] == [False, True]
        gone = await error(operator.start_container("job", ticket=start))
        assert gone == ContainerNotFound(name="job")
        assert "job" not in operator.fleet.containers


@in_virtual_time
async def test_what_was_not_written_is_not_remembered() -> None:
    journal = FullJournal()
    async with opened(fleet(spec("web")), journal=journal) as kit:
        await value(kit.operator.wait("web", "ready", limit_ms=LIMIT_MS))
        journal.error = JournalUnavailable(cause="the disk is full")
        failed = await error(kit.operator.stop_container("web", ticket=ONE))
        assert failed == journal.error
        journal.error = None
        heard: list[Asked] = []
        await value(kit.operator.stop_container("web", ticket=ONE, heard=heard.append))
        assert [asked.replayed for asked in heard] == [False]


@in_virtual_time
async def test_a_fleet_is_applied_once() -> None:
    async with opened(fleet(spec("web"))) as kit:
        heard: list[Asked] = []
        wanted = fleet(spec("web"), spec("api"))
        first = await value(kit.operator.apply(wanted, ticket=ONE, heard=heard.append))
        await value(kit.operator.apply(fleet(spec("web"))))
        second = await value(kit.operator.apply(wanted, ticket=ONE, heard=heard.append))
        assert second == first + 1  # the revision is that of now
        assert [asked.replayed for asked in heard] == [False, True]
        assert "api" not in kit.operator.fleet.containers or (
            kit.operator.fleet.containers["api"].leaving
        )


@in_virtual_time
async def test_a_reconcile_looks_once_and_says_how_things_stand() -> None:
    async with opened(fleet(spec("web"))) as kit:
        await value(kit.operator.wait("web", "ready", limit_ms=LIMIT_MS))
        heard: list[Asked] = []
        both = await asyncio.gather(
            *(
                settled(kit.operator.reconcile(ticket=ONE, heard=heard.append))
                for _ in range(2)
            )
        )
        third = await value(kit.operator.reconcile(ticket=ONE, heard=heard.append))
        assert [asked.replayed for asked in heard] == [False, True, True]
        first, second = both
        assert not isinstance(first, ContainerError)
        assert not isinstance(second, ContainerError)
        assert [outcome.name for outcome in second.outcomes] == ["web"]
        assert third.outcomes == second.outcomes == first.outcomes


@in_virtual_time
async def test_a_reconcile_made_again_before_any_look_is_told_so() -> None:
    platform = Faulty()
    platform.look_error = Unreachable(cause="cut off")
    async with opened(fleet(spec("web")), platform=platform) as kit:
        first = await error(kit.operator.reconcile(ticket=ONE))
        assert isinstance(first, ReconcileFailed)
        await kit.until(lambda: not kit.operator.fleet.observing)
        again = await error(kit.operator.reconcile(ticket=ONE))
        assert again == ReconcileFailed(cause="no look was complete yet")


@in_virtual_time
async def test_down_is_done_once_and_leaves_what_was_started_since() -> None:
    async with opened(fleet(spec("web"))) as kit:
        operator, heard = kit.operator, list[Asked]()
        await value(operator.start_container("extra", command=("run",)))
        await value(operator.down(ticket=ONE, heard=heard.append))
        assert "web" not in operator.fleet.containers
        assert kit.phase("extra") == "stopped"
        await value(operator.apply(fleet(spec("web"))))
        await value(operator.start_container("extra"))
        await value(operator.wait("web", "ready", limit_ms=LIMIT_MS))
        await value(operator.down(ticket=ONE, heard=heard.append))
        assert [asked.replayed for asked in heard] == [False, True]
        assert operator.fleet.containers["web"].desired.running
        assert operator.fleet.containers["extra"].desired.running
        assert len(await rows(kit, SpecApplied)) == 3


@in_virtual_time
async def test_down_goes_on_where_it_was_interrupted() -> None:
    async with opened(fleet(spec("web"))) as kit:
        operator = kit.operator
        await value(operator.start_container("extra", command=("run",)))
        waits: FutureResult[None, ContainerError] = operator.down(ticket=ONE)
        task = asyncio.ensure_future(settled(waits))
        await kit.until(lambda: len(operator.fleet.tickets.used) == 1)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await value(operator.down(ticket=ONE))
        assert kit.phase("extra") == "stopped"
        assert "web" not in operator.fleet.containers


async def test_a_kill_between_the_journal_and_the_answer_forgets_nothing(
    tmp_path: Path,
) -> None:
    path = tmp_path / "journal.db"
    killed = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", KILLED, str(path)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        timeout=240,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    journal = await settled(open_sqlite(path))
    heard: list[Asked] = []
    async with opened(fleet(spec("web")), journal=journal) as kit:
        found = await value(
            kit.operator.restart_container("web", ticket=ONE, heard=heard.append)
        )
        assert found.name == "web"
        assert [asked.replayed for asked in heard] == [True]
        assert len(await rows(kit, RestartRequested)) == 1
        other = attrs.evolve(ONE, digest="d2")
        refused = await error(kit.operator.restart_container("web", ticket=other))
        assert refused == KeyReused(key="one")
