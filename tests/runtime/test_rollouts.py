"""Rollouts of a running operator: asked for, read, waited for, told to a receiver."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import attrs
from returns.future import FutureResult

from orchestrator import (
    CanaryStep,
    FleetSpec,
    InvalidSpec,
    OnFailure,
    OperatorClosed,
    Promotion,
    ReplicaState,
    RolloutAction,
    RolloutInfo,
    RolloutNotFound,
    RolloutPolicy,
    RolloutRefused,
    RolloutStatus,
    Service,
    ServiceNotFound,
    Share,
    Table,
    Ticket,
    TimedOut,
)
from orchestrator.core.errors import PlatformError, Refused
from orchestrator.core.events import Booted, SpecApplied
from orchestrator.core.notify import NoticeKind, Notify
from orchestrator.core.services import replica_of
from orchestrator.journal.sqlite import SqliteJournal, open_sqlite
from orchestrator.platforms.port import Accepted, Order, StartOrder
from orchestrator.replay.places import AfterRow
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
from tests.runtime.receiver import receiver
from tests.runtime.virtual import in_virtual_time

TICKET = Ticket(key="one", digest="d")

QUICK = RolloutPolicy(
    max_unavailable=Share(1),
    min_ready_ms=20,
    container_deadline_ms=20_000,
    progress_deadline_ms=20_000,
    failure_budget=Share(1),
)
MANUAL = attrs.evolve(
    QUICK,
    strategy="canary",
    steps=(CanaryStep(share=Share(1)),),
    promote=Promotion.MANUAL,
)


class Choosy(Faulty):
    """A platform that refuses to start what is called ``bad``."""

    def perform(self, order: Order) -> FutureResult[Accepted, PlatformError]:
        if isinstance(order, StartOrder) and order.command == ("bad",):
            return FutureResult.from_failure(Refused(cause="a bad image"))
        return super().perform(order)


def served(
    command: str = "one", policy: RolloutPolicy | None = QUICK, **settings: Any
) -> FleetSpec:
    template = spec("web", command=(command,), env=Table.of([("TOKEN", f"t{command}")]))
    service = Service(template=template, replicas=3, rollout=policy)
    own = tuple(replica_of(service, index) for index in range(3))
    return attrs.evolve(fleet(*own, **settings), services=(service,))


async def come_up(kit: Kit) -> None:
    for index in range(3):
        await value(kit.operator.wait(f"web-{index}", limit_ms=LIMIT_MS))


async def ended(kit: Kit) -> RolloutInfo:
    return await value(kit.operator.wait_for_rollout("web", limit_ms=LIMIT_MS))


async def has(kit: Kit, status: RolloutStatus) -> RolloutInfo:
    """Wait until the rollout has a status, and return it."""

    def is_so() -> bool:
        lineage = kit.operator.fleet.lineages.get("web")
        rollout = None if lineage is None else lineage.rollout
        return rollout is not None and rollout.status is status

    async with asyncio.timeout(LIMIT_MS / 1_000):
        await kit.until(is_so)
    return await value(kit.operator.get_rollout("web"))


async def journal_at(folder: Path) -> SqliteJournal:
    return await value(open_sqlite(folder / "journal.db"))


@in_virtual_time
async def test_a_rollout_is_waited_for_and_told_replica_by_replica() -> None:
    async with opened(served()) as kit:
        await come_up(kit)
        assert await value(kit.operator.list_rollouts()) == ()
        nothing = RolloutNotFound(service="web")
        assert await error(kit.operator.get_rollout("web")) == nothing
        assert await error(kit.operator.rollout_history("web")) == nothing
        await value(kit.operator.apply(served("two"), by="ann", why="news"))
        begun = await value(kit.operator.get_rollout("web"))
        assert (begun.status, begun.by, begun.why) == ("progressing", "ann", "news")
        assert begun.deadline is not None
        assert not begun.has_ended
        done = await ended(kit)
        assert (done.status, done.revision, done.previous) == ("done", 2, 1)
        assert (done.counted, done.old, done.failures, done.budget) == (3, 0, 0, 1)
        assert done.has_ended
        assert [(each.name, each.revision, each.state) for each in done.members] == [
            (f"web-{index}", 2, ReplicaState.COUNTED) for index in range(3)
        ]
        assert await value(kit.operator.list_rollouts()) == (done,)
        [service] = await value(kit.operator.list_services())
        assert (service.revision, service.rollout) == (2, "done")


@in_virtual_time
async def test_a_rollout_can_be_seen_as_it_was() -> None:
    async with opened(served()) as kit:
        await come_up(kit)
        await value(kit.operator.apply(served("two")))
        begun, seq = await value(kit.operator.get_rollout("web")), kit.operator.seq
        await ended(kit)
        then = await value(kit.operator.get_rollout("web", at=AfterRow(seq)))
        assert then == begun
        assert await value(kit.operator.list_rollouts(at=AfterRow(seq))) == (begun,)
        assert await value(kit.operator.list_rollouts(at=AfterRow(2))) == ()


@in_virtual_time
async def test_history_tells_what_each_revision_changed_and_no_secret() -> None:
    async with opened(served(), platform=Choosy()) as kit:
        await come_up(kit)
        await value(kit.operator.apply(served("two"), by="ann", why="news"))
        await ended(kit)
        await value(kit.operator.apply(served("bad")))
        assert (await ended(kit)).status is RolloutStatus.REVERTED
        told = await value(kit.operator.rollout_history("web"))
        assert (told.serving, told.good) == (2, 2)
        marks = [(one.number, one.outcome, one.serving) for one in told.revisions]
        assert marks == [(1, "good", False), (2, "good", True), (3, "failed", False)]
        assert (told.revisions[1].by, told.revisions[1].why) == ("ann", "news")
        assert told.revisions[0].changes == ()
        changed = {
            one.path: (one.before, one.after) for one in told.revisions[1].changes
        }
        assert changed == {
            "command": ('["one"]', '["two"]'),
            "env.TOKEN": ('"***"', '"***"'),
        }
        ends = [(one.revision, one.status, one.back_to) for one in told.rollouts]
        assert ends == [(2, "done", None), (3, "reverted", 2)]
        assert "ttwo" not in repr(told)


@in_virtual_time
async def test_a_boot_declares_nothing_anew_after_a_surge_and_a_revert() -> None:
    surge = attrs.evolve(QUICK, max_surge=Share(1), max_unavailable=Share(0))
    journal = FullJournal()
    async with opened(served(policy=surge), platform=Choosy(), journal=journal) as kit:
        await come_up(kit)
        await value(kit.operator.apply(served("two", surge)))
        await ended(kit)
        await value(kit.operator.apply(served("bad", surge)))
        assert (await ended(kit)).status is RolloutStatus.REVERTED
    async with opened(served("bad", surge), platform=Choosy(), journal=journal) as kit:
        assert await value(kit.operator.list_rollouts())
        told = [each.event for each in await value(kit.operator.events(0))]
    assert sum(isinstance(event, SpecApplied) for event in told) == 3
    assert sum(isinstance(event, Booted) for event in told) == 2


@in_virtual_time
async def test_an_owner_leads_a_rollout_step_by_step() -> None:
    async with opened(served(policy=MANUAL)) as kit:
        await come_up(kit)
        operator = kit.operator
        await value(operator.apply(served("two", MANUAL)))
        first = await has(kit, RolloutStatus.AWAITING_PROMOTION)
        assert (first.counted, first.old_available) == (1, 2)
        late = await error(operator.wait_for_rollout("web", limit_ms=1))
        assert late == TimedOut(after_ms=1)
        paused = await value(operator.rollout("web", "pause", by="ann", why="lunch"))
        assert paused.status is RolloutStatus.PAUSED
        assert "ann" in paused.reason
        refused = await error(operator.rollout("web", RolloutAction.PROMOTE))
        assert refused == RolloutRefused(
            service="web", action="promote", status="paused"
        )
        await value(operator.rollout("web", RolloutAction.RESUME))
        await value(operator.rollout("web", RolloutAction.PROMOTE))
        assert (await ended(kit)).status is RolloutStatus.DONE
        undone = await value(operator.rollout("web", RolloutAction.UNDO, to=1))
        assert (undone.revision, undone.previous) == (3, 2)
        aborted = await value(operator.rollout("web", RolloutAction.ABORT))
        assert aborted.status is RolloutStatus.REVERTING
        assert (await ended(kit)).status is RolloutStatus.REVERTED
        assert kit.platform.started("web-0").command == ("two",)


@in_virtual_time
async def test_a_fleet_has_not_converged_while_a_rollout_goes_on() -> None:
    slow = attrs.evolve(QUICK, min_ready_ms=300)
    async with opened(served(policy=slow)) as kit:
        await come_up(kit)
        await value(kit.operator.apply(served("two", slow)))
        await value(kit.operator.converge(limit_ms=LIMIT_MS, steady_ms=0))
        assert (await value(kit.operator.get_rollout("web"))).has_ended
        await value(kit.operator.apply(served("three", MANUAL)))
        await value(kit.operator.converge(limit_ms=LIMIT_MS, steady_ms=0))
        waits = (await value(kit.operator.get_rollout("web"))).status
        assert waits is RolloutStatus.AWAITING_PROMOTION


@in_virtual_time
async def test_what_cannot_be_asked_is_said() -> None:
    async with opened(served()) as kit:
        operator = kit.operator
        ghost = ServiceNotFound(name="ghost")
        assert await error(operator.rollout("ghost")) == ghost
        assert await error(operator.get_rollout("ghost")) == ghost
        assert await error(operator.rollout_history("ghost")) == ghost
        assert await error(operator.wait_for_rollout("ghost")) == ghost
        unknown = await error(operator.rollout("web", "explode"))
        assert isinstance(unknown, InvalidSpec)
        assert "one of start, pause" in unknown.message
        missing = await error(operator.rollout("web", "undo", to=9))
        assert missing == RolloutNotFound(service="web", revision=9)
        none = await error(operator.wait_for_rollout("web"))
        assert none == RolloutNotFound(service="web")


@in_virtual_time
async def test_a_request_is_done_once() -> None:
    async with opened(served()) as kit:
        await come_up(kit)
        one = await value(kit.operator.rollout("web", ticket=TICKET))
        await ended(kit)
        again = await value(kit.operator.rollout("web", ticket=TICKET))
        assert (again.began_at, again.status) == (one.began_at, RolloutStatus.DONE)
        [lineage] = kit.operator.fleet.lineages.values()
        assert len(lineage.past) == 1
        await value(kit.operator.apply(fleet()))
        gone = await error(kit.operator.rollout("web", ticket=TICKET))
        assert gone == ServiceNotFound(name="web")


@in_virtual_time
async def test_the_next_operator_goes_on_where_it_was(tmp_path: Path) -> None:
    platform = Faulty()
    journal = await journal_at(tmp_path)
    async with opened(served(policy=MANUAL), platform=platform, journal=journal) as kit:
        await come_up(kit)
        await value(kit.operator.apply(served("two", MANUAL)))
        before = await has(kit, RolloutStatus.AWAITING_PROMOTION)
        waiting = asyncio.ensure_future(error(kit.operator.wait_for_rollout("web")))
    assert await waiting == OperatorClosed()
    journal = await journal_at(tmp_path)
    again = served("two", MANUAL)
    async with opened(again, platform=platform, journal=journal) as kit:
        after = await value(kit.operator.get_rollout("web"))
        assert (after.began_at, after.step) == (before.began_at, before.step)
        await value(kit.operator.rollout("web", RolloutAction.PROMOTE))
        assert (await ended(kit)).status is RolloutStatus.DONE
        assert len({o.run for o in platform.orders if o.name == "web-2"}) == 2


async def test_a_receiver_hears_how_a_rollout_ended() -> None:
    held = attrs.evolve(QUICK, on_failure=OnFailure.HOLD)
    async with receiver() as hook:
        notify = Notify(
            url=hook.url, events=(NoticeKind.ROLLOUT_FINISHED,), timeout_ms=300_000
        )
        declared = served(policy=held, notify=notify)
        async with opened(declared, platform=Choosy()) as kit:
            await come_up(kit)
            for count, command in enumerate(("two", "bad"), start=1):
                await value(kit.operator.apply(served(command, held, notify=notify)))
                await ended(kit)
                _ = await hook.has(count)  # so the first is there before the second
            letters = [each.tree for each in hook.letters]
    assert [each["service"] for each in letters] == ["web", "web"]
    assert [each["kind"] for each in letters] == ["rollout_finished"] * 2
    assert letters[0]["text"].startswith("demo: the rollout of web is done: ")
    assert letters[1]["text"].startswith("demo: the rollout of web is held: ")
