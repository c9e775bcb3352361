"""Leading by a lease, standing by, taking over: examples, in virtual time."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar, cast

import attrs
import pytest

from orchestrator import (
    Claim,
    ContainerInfo,
    InvalidSpec,
    LeaseHeld,
    LocalPlatform,
    MemoryJournal,
    NotLeader,
    Operator,
    Role,
    SimulatedPlatform,
    StaleOperator,
    Standby,
    Unreachable,
    settled,
)
from orchestrator.codec.wire import encode_event
from orchestrator.core.admit import admit
from orchestrator.core.custom import CustomPolicy, registered
from orchestrator.core.decisions import GiveUp
from orchestrator.core.errors import (
    JournalTooNew,
    JournalUnavailable,
    OperatorClosed,
    PolicyNotRegistered,
)
from orchestrator.core.events import Booted
from orchestrator.core.fleet_specs import FleetSpec
from orchestrator.core.policies import CustomPolicyRef, RestartPolicy
from orchestrator.core.requests import Apply
from orchestrator.core.state import RULES
from orchestrator.journal.port import Draft
from orchestrator.platforms.simulated.lines import Line
from orchestrator.runtime.preparing import Means
from orchestrator.runtime.recovery import snapshot_of
from orchestrator.testing.shared import SharedJournal
from tests.runtime.kit import fleet, spec, value
from tests.runtime.virtual import VirtualLoop, run_virtually

T = TypeVar("T")

LEASE_MS = 3_000
LEASE_S = LEASE_MS / 1_000
SOON_S = 0.9
"""Less than a second: how soon somebody leads after a lease was released."""

DECLARED = fleet(spec("web"), reconcile_interval_ms=0)

Story = Callable[["Ground"], Awaitable[None]]


@attrs.define(eq=False)
class Ground:
    """A platform and rows that all share; each operator has a line of its own."""

    platform: SimulatedPlatform
    rows: MemoryJournal
    lines: dict[str, Line] = attrs.field(factory=dict[str, Line])

    def means(self, name: str, **more: Any) -> Means:
        line = self.lines[name] = Line(self.platform)
        claim = Claim(holder=f"{name}/1", ms=LEASE_MS)
        journal = SharedJournal(self.rows, line)
        return {"platform": line, "journal": journal, "lease": claim, **more}  # type: ignore[typeddict-item]

    @asynccontextmanager
    async def leader(
        self, name: str = "one", declared: FleetSpec = DECLARED, **more: Any
    ) -> AsyncIterator[Operator]:
        async with Operator.open(declared, **self.means(name, **more)) as operator:
            _ = await value(operator.converge(steady_ms=10))
            yield operator

    @asynccontextmanager
    async def pair(self) -> AsyncIterator[tuple[Operator, Standby, asyncio.Task[Any]]]:
        """Have one lead, and another one wait to."""
        async with (
            self.leader() as leader,
            self.standby() as standby,
            leading(standby) as task,
        ):
            await until(lambda: standby.leadership().leader is not None)
            yield leader, standby, task

    @asynccontextmanager
    async def standby(
        self, name: str = "two", declared: FleetSpec = DECLARED, **more: Any
    ) -> AsyncIterator[Standby]:
        async with Standby.open(declared, **self.means(name, **more)) as standby:
            yield standby


def virtually(story: Story) -> Callable[[], None]:
    """Have a story told in virtual time."""

    async def told() -> None:
        loop = cast("VirtualLoop", asyncio.get_running_loop())
        platform = SimulatedPlatform(seed=2, clock=loop.nanos)
        await story(Ground(platform, MemoryJournal()))

    def test() -> None:
        run_virtually(told())

    test.__name__ = story.__name__
    return test


async def until(is_so: Callable[[], bool], limit_s: float = 30.0) -> float:
    """Wait until something is so; return how long that took."""
    loop = asyncio.get_running_loop()
    begin = loop.time()
    while not is_so():
        assert loop.time() - begin < limit_s
        await asyncio.sleep(0.01)
    return loop.time() - begin


@asynccontextmanager
async def leading(standby: Standby) -> AsyncIterator[asyncio.Task[Any]]:
    """Have a standby wait to lead; whoever it becomes is closed."""
    task = asyncio.ensure_future(settled(standby.lead()))
    try:
        yield task
    finally:
        led = task.result() if task.done() else None
        if isinstance(led, Operator):
            await led.close()
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            _ = await task


@virtually
async def test_a_standby_shows_what_is_written_and_refuses_what_is_asked(
    ground: Ground,
) -> None:
    async with ground.pair() as (leader, standby, task):
        assert not task.done()
        _ = await value(leader.start_container("extra"))
        shown = standby.operator
        await until(lambda: shown.seq == leader.seq)
        assert shown.fleet == leader.fleet
        told = standby.leadership()
        assert (told.role, told.leader, told.epoch) == (Role.STANDBY, "one/1", 1)
        assert told.lease_ms == LEASE_MS
        refused = await settled(shown.stop_container("web"))
        assert isinstance(refused, NotLeader)
        assert refused.leader == "one/1"
        assert refused.since == told.since
        assert "one/1 leads" in refused.message
        assert leader.leadership.role is Role.LEADER
        assert leader.leadership.leader == "one/1"
        assert (await shown.caught_up(), shown.absence) == (None, None)


@virtually
async def test_a_fleet_that_is_led_is_not_led_by_another(ground: Ground) -> None:
    async with ground.leader():
        refused = await settled(Operator.start(DECLARED, **ground.means("two")))
        assert isinstance(refused, LeaseHeld)
        assert (refused.holder, refused.expires_in_ms > 0) == ("one/1", True)
        assert "one/1 leads this fleet" in refused.message


@virtually
async def test_a_leader_that_closes_is_replaced_at_once(ground: Ground) -> None:
    async with ground.standby() as standby, ground.leader() as leader:
        led = leader.seq
        async with leading(standby) as task:
            await asyncio.sleep(2 * LEASE_S)
            assert not task.done()
            await leader.close()
            assert await until(task.done) < SOON_S
            operator = task.result()
            assert operator.leadership.epoch == 2
            assert operator.seq > led
            assert {info.phase for info in operator.infos()} == {"running"}
            absence = await operator.caught_up()
            assert absence is not None
            assert (absence.going_on, len(absence.ended)) == (1, 0)


@virtually
async def test_a_leader_that_is_cut_off_stands_down_before_another_leads(
    ground: Ground,
) -> None:
    loop = asyncio.get_running_loop()
    async with ground.pair() as (leader, _standby, task):
        ground.lines["one"].is_cut = True
        begin = loop.time()
        ended = asyncio.ensure_future(leader.ended())
        await until(ended.done)
        down_at = loop.time()
        why = ended.result()
        assert isinstance(why, Unreachable)
        assert "the lease was not renewed for 3s" in why.message
        assert leader.leadership.expires_in_ms == 0
        await until(task.done)
        assert down_at - begin <= LEASE_S
        assert down_at <= loop.time() <= begin + LEASE_S + 1


@virtually
async def test_a_leader_that_was_cut_off_for_a_moment_leads_on(ground: Ground) -> None:
    async with ground.leader() as leader:
        for _ in range(3):
            ground.lines["one"].is_cut = True
            await asyncio.sleep(LEASE_S * 0.6)
            ground.lines["one"].is_cut = False
            await asyncio.sleep(LEASE_S * 0.6)
        assert leader.is_alive
        assert isinstance(await settled(leader.start_container("more")), ContainerInfo)


@virtually
async def test_a_paused_leader_finds_that_it_was_replaced_and_changes_nothing(
    ground: Ground,
) -> None:
    async with ground.pair() as (leader, _standby, task):
        ground.lines["one"].halt()
        asked = asyncio.ensure_future(settled(leader.start_container("late")))
        await until(task.done)
        operator = task.result()
        seq = operator.seq
        ground.lines["one"].go_on()
        stale = await asked
        assert isinstance(stale, StaleOperator | Unreachable)
        assert not leader.is_alive
        assert "late" not in operator.fleet.containers
        await asyncio.sleep(1)
        assert operator.seq >= seq
        assert operator.is_alive


@virtually
async def test_what_an_older_leader_asks_for_is_refused_by_the_journal(
    ground: Ground,
) -> None:
    async with ground.leader() as leader:
        platform = ground.platform
        platform.expire_lease()
        taken = await value(platform.attach(0))
        stale = StaleOperator(epoch=1, highest=taken.epoch)
        first = asyncio.ensure_future(settled(leader.start_container("a")))
        second = asyncio.ensure_future(settled(leader.start_container("b")))
        assert (await first, await second) == (stale, stale)
        assert await leader.ended() == stale
        assert await settled(leader.start_container("c")) == stale


@virtually
async def test_of_two_standbys_one_leads_and_the_other_goes_on(ground: Ground) -> None:
    async with (
        ground.standby("two") as two,
        ground.standby("three") as three,
        leading(two) as one_task,
        leading(three) as other_task,
    ):
        tasks = (one_task, other_task)
        await until(lambda: any(task.done() for task in tasks))
        await asyncio.sleep(2 * LEASE_S)
        assert sorted(task.done() for task in tasks) == [False, True]


@virtually
async def test_an_append_whose_answer_is_lost_is_made_once(ground: Ground) -> None:
    async with ground.leader() as leader:
        before = leader.seq
        ground.lines["one"].loses_answers = True
        asked = asyncio.ensure_future(settled(leader.start_container("once")))
        await until(lambda: leader.journal_error is not None)
        doubt = leader.journal_error
        assert isinstance(doubt, JournalUnavailable)
        assert doubt.in_doubt
        more = asyncio.ensure_future(settled(leader.start_container("then")))
        await asyncio.sleep(0.5)
        assert not asked.done()
        ground.lines["one"].loses_answers = False
        assert isinstance(await asked, ContainerInfo)
        assert isinstance(await more, ContainerInfo)
        assert leader.journal_error is None
        rows = await value(ground.rows.read(before, 1_000))
        starts = [row for row in rows if b'"start_requested"' in row.event]
        assert len(starts) == 2


@virtually
async def test_what_is_in_doubt_for_longer_than_the_lease_is_answered_so(
    ground: Ground,
) -> None:
    async with ground.leader() as leader:
        ground.lines["one"].loses_answers = True
        answer = await settled(leader.start_container("once"))
        assert isinstance(answer, Unreachable)
        assert not leader.is_alive


@virtually
async def test_a_standby_takes_over_without_reading_the_journal_again(
    ground: Ground,
) -> None:
    async with ground.pair() as (leader, standby, task):
        await until(lambda: standby.operator.seq == leader.seq)
        read: list[int] = []
        plain = ground.rows.read

        def noted(after: int, limit: int) -> Any:
            read.append(after)
            return plain(after, limit)

        ground.rows.read = noted  # type: ignore[method-assign]
        shown = leader.seq
        await leader.close()
        await until(task.done)
        assert read
        assert min(read) >= shown


@virtually
async def test_rows_that_were_compacted_away_unread_are_recovered_anew(
    ground: Ground,
) -> None:
    async with ground.leader() as leader, ground.standby() as standby:
        changed: list[Operator] = []
        standby.on_change(changed.append)
        async with leading(standby) as task:
            first = standby.operator
            await until(lambda: first.seq == leader.seq)
            ground.lines["two"].is_cut = True
            for name in ("a", "b", "c"):
                _ = await value(leader.start_container(name))
            fleet, head = leader.fleet, leader._loop.head
            _ = await value(leader.start_container("d"))
            await value(ground.rows.begin_behind(snapshot_of(fleet, head)))
            ground.lines["two"].is_cut = False
            await until(lambda: standby.operator is not first)
            assert changed == [standby.operator]
            await until(lambda: standby.operator.seq == leader.seq)
            assert standby.operator.fleet == leader.fleet
            assert not first.is_alive
            await leader.close()
            await until(task.done)
            assert isinstance(task.result(), Operator)


@virtually
async def test_a_standby_of_an_older_release_does_not_take_over(ground: Ground) -> None:
    async with ground.pair() as (leader, standby, task):
        await until(lambda: standby.operator.seq == leader.seq)
        head = leader._loop.head
        event = Booted(at=leader.now, epoch=9, rules=RULES + 1)
        draft = Draft(
            at=event.at, event=encode_event(event), commands=b"[]", changes=b"{}"
        )
        _ = await value(ground.rows.append(head, (draft,)))
        await until(task.done)
        found = JournalTooNew(found=RULES + 1, known=RULES, seq=head.seq + 1)
        assert task.result() == found
        assert not standby.operator.is_alive


@virtually
async def test_a_fleet_that_was_brought_down_stays_so(ground: Ground) -> None:
    async with ground.pair() as (leader, standby, task):
        await until(lambda: standby.operator.seq == leader.seq)
        assert await settled(leader.down()) is None
        await leader.close()
        await until(task.done)
        assert task.result() == OperatorClosed()
    async with ground.leader("three") as again:
        assert {info.phase for info in again.infos()} == {"running"}


@virtually
async def test_who_takes_over_in_the_middle_of_coming_down_goes_on_with_it(
    ground: Ground,
) -> None:
    async with ground.pair() as (leader, standby, task):
        await until(lambda: standby.operator.seq == leader.seq)
        seq = leader.seq
        ground.lines["one"].slow_s = 0.2
        down = asyncio.ensure_future(settled(leader.down()))
        await until(lambda: ground.rows._head().seq > seq)
        ground.lines["one"].is_cut = True  # the row is there, no order has arrived
        await until(task.done)
        down.cancel()
        operator = task.result()
        assert isinstance(operator, Operator)
        await until(operator.is_down)
        assert not operator.fleet.containers


@virtually
async def test_a_leader_that_needs_an_unknown_policy_is_not_followed(
    ground: Ground,
) -> None:
    async with ground.pair() as (leader, standby, task):
        await until(lambda: standby.operator.seq == leader.seq)
        ref = CustomPolicyRef(name="mine", version=1)
        odd = fleet(spec("odd", RestartPolicy(custom=ref)))
        mine = CustomPolicy(name="mine", version=1, decide=lambda _: GiveUp())
        known = registered([mine])
        event = admit(leader.fleet, Apply(spec=odd), leader.now, known).unwrap()
        draft = Draft(
            at=event.at, event=encode_event(event), commands=b"[]", changes=b"{}"
        )
        _ = await value(ground.rows.append(leader._loop.head, (draft,)))
        await until(task.done)
        assert isinstance(task.result(), PolicyNotRegistered)


async def test_a_lease_needs_a_platform_that_grants_leases(tmp_path: Any) -> None:
    claim = Claim(holder="me/1", ms=LEASE_MS)
    means: Means = {
        "platform": LocalPlatform(tmp_path),
        "journal": MemoryJournal(),
        "lease": claim,
    }
    wrong = await settled(Operator.start(DECLARED, **means))
    assert isinstance(wrong, InvalidSpec)
    assert wrong.problems[0].place == "lease"


async def test_a_standby_needs_a_claim() -> None:
    wrong = await settled(
        Standby.start(DECLARED, platform=SimulatedPlatform(), journal=MemoryJournal())
    )
    assert isinstance(wrong, InvalidSpec)
    assert wrong.problems[0].place == "lease"


@pytest.mark.parametrize(
    "wrong",
    [
        {"holder": "", "ms": 3_000},
        {"holder": "a\nb", "ms": 3_000},
        {"holder": "x" * 129, "ms": 3_000},
        {"holder": "me", "ms": 999},
        {"holder": "me", "ms": 600_001},
    ],
)
def test_a_claim_that_no_gateway_takes_is_none(wrong: Any) -> None:
    with pytest.raises(ValueError, match=r"holder|ms"):
        Claim(**wrong)
