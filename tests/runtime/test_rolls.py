"""Rollouts by the platform, followed by a real operator; in virtual time."""

from __future__ import annotations

from typing import Any

import attrs
from returns.future import FutureResult

from orchestrator import FleetSpec, RolloutPolicy, SimulatedPlatform, settled
from orchestrator.core.commands import RollService
from orchestrator.core.errors import PlatformError, RateLimited, StaleOperator
from orchestrator.core.events import ContainerEnded
from orchestrator.core.exits import RolledOut
from orchestrator.core.lineages import Rollout, RolloutStatus
from orchestrator.core.loads import RollOutcome, ServiceRolled
from orchestrator.core.rollout_policies import Share
from orchestrator.core.services import Service, replica_of
from orchestrator.platforms.port import RollOrder, RollSight
from orchestrator.runtime.interpreter import Limits
from orchestrator.runtime.rolls import order_of
from tests.runtime.kit import Kit, fleet, opened, spec, value
from tests.runtime.virtual import in_virtual_time

QUICK = Limits(roll_every_ms=5)
POLICY = RolloutPolicy(
    min_ready_ms=10, container_deadline_ms=20_000, progress_deadline_ms=20_000
)


class Rolling(SimulatedPlatform):
    """A platform that rolls out, and can be told to answer otherwise first."""

    def __init__(self, *answers: RollSight | PlatformError | Exception) -> None:
        super().__init__(seed=3, speed=20, rolls_ms=400)
        self.answers = list(answers)
        self.asked: list[RollOrder] = []

    def roll(self, order: RollOrder) -> FutureResult[RollSight, PlatformError]:
        self.asked.append(order)
        if not self.answers:
            return super().roll(order)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, RollSight):
            return FutureResult.from_value(answer)
        return FutureResult.from_failure(answer)


def serving(image: str, policy: RolloutPolicy = POLICY, count: int = 3) -> FleetSpec:
    template = spec("web", image=image, command=())
    service = Service(template=template, replicas=count, rollout=policy)
    members = (replica_of(service, index) for index in range(count))
    return attrs.evolve(fleet(*members), services=(service,))


async def ready(kit: Kit, count: int = 3) -> None:
    await kit.until(lambda: sum(info.ready for info in kit.operator.infos()) == count)


def newest(kit: Kit) -> Rollout:
    lineage = kit.operator.fleet.lineages["web"]
    return lineage.rollout or lineage.past[-1]


async def ended(kit: Kit) -> Rollout:
    await kit.until(
        lambda: (
            (lineage := kit.operator.fleet.lineages.get("web")) is not None
            and lineage.rollout is None
        )
    )
    return newest(kit)


async def told(kit: Kit) -> list[Any]:
    page = await value(kit.operator.events(0))
    return [record.event for record in page]


@in_virtual_time
async def test_an_image_is_brought_and_members_move_as_they_run() -> None:
    platform: Any = Rolling()
    async with opened(serving("web:1"), platform=platform, limits=QUICK) as kit:
        await ready(kit)
        _ = await value(kit.operator.apply(serving("web:2")))
        assert newest(kit).status is RolloutStatus.PREPARING
        over = await ended(kit)
        assert (over.status, over.failures) == (RolloutStatus.DONE, 0)
        events = await told(kit)
        ends = [each.exit for each in events if isinstance(each, ContainerEnded)]
        assert ends == [RolledOut()] * 3
        infos = [info for info in kit.operator.infos() if info.name.startswith("web")]
        assert {info.crash_count for info in infos} == {0}
        containers = kit.operator.fleet.containers
        assert {containers[info.name].spec.image for info in infos} == {"web:2"}
        rolled = [each for each in events if isinstance(each, ServiceRolled)]
        assert [each.updated for each in rolled] == sorted(
            each.updated for each in rolled
        )
        assert rolled[-1].outcome is RollOutcome.DONE
        first = platform.asked[0]
        assert (first.revision, first.percent, first.known) == (2, 33, "")
        assert first.members == ("web-0", "web-1", "web-2")


@in_virtual_time
async def test_those_left_behind_are_started_anew_one_after_another() -> None:
    behind = RollSight(
        outcome=RollOutcome.PROGRESSING,
        total=3,
        id="r-1",
        behind=("web-0", "web-1"),
    )
    platform: Any = Rolling(*[behind] * 60)
    async with opened(serving("web:1"), platform=platform, limits=QUICK) as kit:
        await ready(kit)
        _ = await value(kit.operator.apply(serving("web:2")))
        await kit.until(
            lambda: getattr(newest(kit).roll, "restarted", ()) == behind.behind
        )


@in_virtual_time
async def test_what_cannot_be_asked_is_told_once_and_asked_again() -> None:
    busy = RateLimited(retry_after_ms=20)
    platform: Any = Rolling(busy, busy, ValueError("a bug"), busy)
    async with opened(serving("web:1"), platform=platform, limits=QUICK) as kit:
        await ready(kit)
        _ = await value(kit.operator.apply(serving("web:2")))
        over = await ended(kit)
        assert over.status is RolloutStatus.DONE
        causes = [
            each.cause for each in await told(kit) if isinstance(each, ServiceRolled)
        ]
        assert causes[:3] == [
            busy.message,
            "platform unreachable: ValueError",
            busy.message,
        ]
        assert set(causes[3:]) == {""}


@in_virtual_time
async def test_a_failure_turns_back_by_the_same_way() -> None:
    failed = RollSight(outcome=RollOutcome.FAILED, cause="status 403")
    platform: Any = Rolling(failed)
    async with opened(serving("web:1"), platform=platform, limits=QUICK) as kit:
        await ready(kit)
        _ = await value(kit.operator.apply(serving("web:2")))
        over = await ended(kit)
        assert over.status is RolloutStatus.REVERTED
        assert "status 403" in over.reason
        assert [order.revision for order in platform.asked][:2] == [2, 1]
        containers = kit.operator.fleet.containers
        assert containers["web-0"].spec.image == "web:1"


@in_virtual_time
async def test_a_rollout_that_never_gets_further_comes_to_an_end() -> None:
    stuck = RollSight(outcome=RollOutcome.PROGRESSING, updated=1, total=3, id="r-1")
    platform: Any = Rolling(*[stuck] * 10_000)
    policy = attrs.evolve(POLICY, progress_deadline_ms=200)
    first = serving("web:1", policy)
    async with opened(first, platform=platform, limits=QUICK) as kit:
        await ready(kit)
        _ = await value(kit.operator.apply(serving("web:2", policy)))
        over = await ended(kit)
        assert over.status is RolloutStatus.HELD
        back = next(order for order in platform.asked if order.revision == 1)
        assert back.given_up == "r-1"
        orders = len(platform.asked)
        again = [command for command in await told(kit) if command == "none"]
        assert (again, len(platform.asked)) == ([], orders)


@in_virtual_time
async def test_another_operator_finds_what_was_begun_and_goes_on() -> None:
    stuck = RollSight(outcome=RollOutcome.PROGRESSING, updated=1, total=3, id="r-1")
    platform: Any = Rolling(*[stuck] * 10_000)
    declared = serving("web:1")
    async with opened(declared, platform=platform, limits=QUICK) as kit:
        await ready(kit)
        _ = await value(kit.operator.apply(serving("web:2")))
        await kit.until(lambda: (newest(kit).roll or None) is not None)
        await kit.until(lambda: getattr(newest(kit).roll, "id", "") == "r-1")
        journal = kit.journal
    platform.answers.clear()
    before = len(platform.asked)
    newer = serving("web:2")
    async with opened(newer, platform=platform, limits=QUICK, journal=journal) as kit:
        over = await ended(kit)
        assert over.status is RolloutStatus.DONE
        assert platform.asked[before].known == "r-1"


@in_virtual_time
async def test_an_operator_that_was_replaced_stands_down() -> None:
    platform: Any = Rolling(StaleOperator(epoch=1, highest=2))
    async with opened(serving("web:1"), platform=platform, limits=QUICK) as kit:
        await ready(kit)
        _ = await settled(kit.operator.apply(serving("web:2")))
        await kit.until(lambda: kit.operator._loop.fatal is not None)
        assert isinstance(kit.operator._loop.fatal, StaleOperator)


@in_virtual_time
async def test_a_platform_that_cannot_roll_is_not_asked() -> None:
    async with opened(serving("web:1"), limits=QUICK) as kit:
        await ready(kit)
        assert not kit.operator.fleet.rolls
        _ = await value(kit.operator.apply(serving("web:2")))
        over = await ended(kit)
        assert (over.status, over.roll) == (RolloutStatus.DONE, None)


@in_virtual_time
async def test_nobody_is_asked_about_what_nobody_waits_for() -> None:
    async with opened(serving("web:1")) as kit:
        command = RollService(service="web", revision=2)
        assert order_of(kit.operator.fleet, command, kit.operator._loop.members) is None


@in_virtual_time
async def test_all_are_replaced_at_once_where_the_policy_says_so() -> None:
    policy = attrs.evolve(POLICY, strategy="recreate")
    platform: Any = Rolling()
    first = serving("web:1", policy)
    async with opened(first, platform=platform, limits=QUICK) as kit:
        await ready(kit)
        _ = await value(kit.operator.apply(serving("web:2", policy)))
        _ = await ended(kit)
        assert platform.asked[0].percent == 100


@in_virtual_time
async def test_half_may_be_replaced_where_half_may_be_missing() -> None:
    policy = attrs.evolve(POLICY, max_unavailable=Share(2))
    platform: Any = Rolling()
    first = serving("web:1", policy, count=4)
    async with opened(first, platform=platform, limits=QUICK) as kit:
        await ready(kit, 4)
        _ = await value(kit.operator.apply(serving("web:2", policy, count=4)))
        _ = await ended(kit)
        assert platform.asked[0].percent == 50
