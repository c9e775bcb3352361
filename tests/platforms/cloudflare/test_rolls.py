"""Rollouts by Cloudflare itself: begun once, believed when every instance shows it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import attrs
import pytest

from orchestrator.codec.platform_choices import SchedulingPolicy
from orchestrator.core.errors import (
    PlatformError,
    RateLimited,
    Refused,
    StaleOperator,
    TimedOut,
    Unreachable,
)
from orchestrator.core.hosting import INSTANCE_TYPES, InstanceType
from orchestrator.core.loads import RollOutcome
from orchestrator.core.specs import ContainerSpec
from orchestrator.platforms.cloudflare import deployed
from orchestrator.platforms.cloudflare import gateway as module
from orchestrator.platforms.cloudflare.gateway import CloudflarePlatform
from orchestrator.platforms.cloudflare.project.application import facts_of
from orchestrator.platforms.cloudflare.rest.client import RestLimits
from orchestrator.platforms.port import RollOrder, RollSight
from orchestrator.runtime.outcomes import settled
from orchestrator.testing.platforms import start_order
from tests.platforms.cloudflare.fake_gateway import (
    FLEET,
    SECRETS,
    SPEC,
    WEB,
    FakeGateway,
    choice_of,
    serving,
)
from tests.platforms.cloudflare.fake_rest import (
    IMAGE,
    NEWER,
    Drop,
    FakeRest,
    Fault,
    Slow,
    Status,
    Truncate,
    served,
)
from tests.runtime.kit import value

TEMPLATE = ContainerSpec(name="web", image=NEWER)
NAME = "demo-gateway-web"
ONCE = RestLimits(retries_max=0)
LATE = Slow(30)
BASIC = INSTANCE_TYPES["basic"]
OWN = InstanceType(vcpu=1.0, memory_mib=4_096, disk_mb=9_000)


def once(fault: Fault) -> RestLimits:
    """Ask once; the limit is short only where an answer is to be late."""
    return attrs.evolve(ONCE, request_timeout_ms=3_000) if fault == LATE else ONCE


@attrs.frozen
class Kit:
    """A gateway and the REST API of its account, and who rolls out there."""

    gateway: FakeGateway
    rest: FakeRest
    platform: CloudflarePlatform
    application: str
    epoch: int

    def order(self, **more: Any) -> RollOrder:
        given: dict[str, Any] = {
            "service": "web",
            "revision": 2,
            "epoch": self.epoch,
            "template": TEMPLATE,
            "percent": 50,
        }
        return RollOrder(**{**given, **more})

    async def roll(self, **more: Any) -> RollSight:
        return await value(self.platform.roll(self.order(**more)))

    async def fails(self, **more: Any) -> PlatformError:
        answer = await settled(self.platform.roll(self.order(**more)))
        assert not isinstance(answer, RollSight)
        return answer

    def pass_time(self, steps: int = 1) -> None:
        self.rest.clock.now += steps * self.rest.step_ms

    @property
    def rollouts(self) -> int:
        return self.rest.writes.count(f"rollout {self.application}")


@asynccontextmanager
async def rolling(
    monkeypatch: pytest.MonkeyPatch,
    instances: int = 2,
    *,
    limits: RestLimits | None = None,
    **more: Any,
) -> AsyncIterator[Kit]:
    gateway, rest = FakeGateway(), FakeRest()
    application = rest.add_web(NAME)
    for _ in range(instances):
        _ = rest.add_instance(application)
    async with serving(gateway) as url, served(rest, limits=limits) as client:
        monkeypatch.setattr(module, "rest_of", lambda *_: client)
        platform = CloudflarePlatform(choice_of(url, **more), FLEET, SECRETS)
        try:
            granted = await value(platform.attach(0))
            assert granted.rolls
            yield Kit(gateway, rest, platform, application, granted.epoch)
        finally:
            await platform.detach()


def progress(updated: int, total: int, **more: Any) -> RollSight:
    given: dict[str, Any] = {"outcome": RollOutcome.PROGRESSING, "id": "rollout-1"}
    return RollSight(updated=updated, total=total, **{**given, **more})


def done(total: int, **more: Any) -> RollSight:
    given: dict[str, Any] = {"outcome": RollOutcome.DONE, "id": "rollout-1"}
    return RollSight(updated=total, total=total, **{**given, **more})


# Begun once, and seen to its end


async def test_a_service_is_rolled_out_step_by_step(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with rolling(monkeypatch) as kit:
        seen = [await kit.roll()]
        for _ in range(2):
            kit.pass_time()
            seen.append(await kit.roll(known="rollout-1"))
        assert kit.rollouts == 1
        assert len(kit.rest.rollouts["rollout-1"]["steps"]) == 2
    assert seen == [progress(0, 2), progress(1, 2), done(2)]


async def test_where_nothing_runs_the_image_alone_decides(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with rolling(monkeypatch, instances=0) as kit:
        same = attrs.evolve(TEMPLATE, image=IMAGE)
        assert await kit.roll(template=same) == done(0, id="")
        assert kit.rollouts == 0
        assert await kit.roll() == progress(0, 0)
        kit.pass_time(2)
        assert await kit.roll(known="rollout-1") == done(0)


@pytest.mark.parametrize(("percent", "steps"), [(100, 1), (30, 4), (5, 20), (1, 20)])
async def test_no_more_are_replaced_at_a_time_than_may_be(
    percent: int, steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with rolling(monkeypatch) as kit:
        _ = await kit.roll(percent=percent)
        assert len(kit.rest.rollouts["rollout-1"]["steps"]) == steps


async def test_a_size_is_rolled_out_and_is_looked_for_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with rolling(monkeypatch, instances=1) as kit:
        larger = ContainerSpec(name="web", image=IMAGE, instance_type=BASIC)
        assert await kit.roll(template=larger) == progress(0, 1)
        target = kit.rest.rollouts["rollout-1"]["target_configuration"]
        assert target == {"image": IMAGE, "instance_type": "basic"}
        kit.pass_time(2)
        seen = await kit.roll(template=larger, known="rollout-1")
        assert seen.outcome is RollOutcome.PROGRESSING
        shown = {"vcpu": 0.25, "memory": 1024, "disk": 4000}
        kit.rest.instances[kit.application][0]["configuration"] = shown
        assert await kit.roll(template=larger, known="rollout-1") == done(1)


# What Cloudflare says is not believed


async def test_completed_with_the_old_image_is_not_done(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with rolling(monkeypatch, instances=3) as kit:
        one = kit.rest.add_instance(kit.application, name="demo/web-7")
        kit.rest.keeps_old.add(one)
        _ = await kit.roll()
        kit.pass_time(2)
        seen = await kit.roll(known="rollout-1")
        assert "active_rollout_id" not in kit.rest.applications[kit.application]
        assert (seen.outcome, seen.updated, seen.total) == (
            RollOutcome.PROGRESSING,
            3,
            4,
        )
        assert seen.cause == (
            "1 of 4 instances are not what was rolled out, though the platform calls"
            " it over: demo/web-7"
        )
        assert seen.behind == ("web-7",)
        kit.rest.keeps_old.clear()
        kit.rest.instances[kit.application][3]["image"] = NEWER
        assert await kit.roll(known="rollout-1") == done(4)


async def test_an_instance_that_tells_no_image_is_not_believed_to_have_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with rolling(monkeypatch, instances=0) as kit:
        for _ in range(4):
            _ = kit.rest.add_instance(kit.application, image=None)
            kit.rest.instances[kit.application][-1].pop("image")
        kit.rest.keeps_old |= {one["id"] for one in kit.rest.instances["app-1"]}
        kit.rest.applications[kit.application]["configuration"] = {"image": NEWER}
        seen = await kit.roll()
    assert (seen.outcome, seen.updated) == (RollOutcome.PROGRESSING, 0)
    assert seen.cause.endswith(", ...")
    assert seen.behind == ()  # they are no containers of this fleet


async def test_a_rollout_that_is_stuck_says_how_far_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with rolling(monkeypatch) as kit:
        kit.rest.stuck_after = 1
        _ = await kit.roll()
        kit.pass_time(9)
        assert [await kit.roll(known="rollout-1") for _ in range(3)] == [
            progress(1, 2)
        ] * 3
        assert kit.rollouts == 1


# Answers that are lost


@pytest.mark.parametrize(
    "fault",
    [Drop(after=True), Truncate(), LATE, Status(500), Drop(), Status(503)],
    ids=["dropped", "truncated", "late", "500", "not_sent", "503"],
)
async def test_a_rollout_is_begun_once_whatever_became_of_the_answer(
    fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before it is begun five requests look; the sixth begins it."""
    async with rolling(monkeypatch, limits=once(fault)) as kit:
        kit.rest.faults.extend([*[None] * 5, fault])
        answer = await settled(kit.platform.roll(kit.order()))
        if isinstance(answer, RollSight):
            assert answer == progress(0, 2)
        else:
            assert isinstance(answer, Unreachable)
            assert kit.rollouts == 0
            assert await kit.roll() == progress(0, 2)
        assert kit.rollouts == 1


async def test_what_was_begun_and_forgotten_is_found_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The operator was killed before it could write down that it had begun."""
    async with rolling(monkeypatch) as kit:
        _ = await kit.roll()
        assert await kit.roll() == progress(
            0, 2, id="", cause="another rollout of the platform is under way: rollout-1"
        )
        kit.pass_time()
        assert await kit.roll() == progress(1, 2)
        kit.pass_time()
        assert await kit.roll() == done(2, id="")
        assert kit.rollouts == 1


# Others' rollouts


async def test_a_newer_rollout_of_somebody_else_is_the_end_of_ours(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with rolling(monkeypatch) as kit:
        _ = await kit.roll()
        kit.pass_time()
        other = attrs.evolve(TEMPLATE, image=f"{NEWER[:-1]}3")
        _ = await kit.roll(template=other, given_up="rollout-1", revision=3)
        seen = await kit.roll(known="rollout-1")
    assert seen.outcome is RollOutcome.FAILED
    assert seen.cause == "the platform's rollout rollout-1 was replaced by rollout-2"


async def test_a_rollout_that_was_taken_back_has_failed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with rolling(monkeypatch) as kit:
        _ = await kit.roll()
        kit.rest.take_back(kit.application)
        seen = await kit.roll(known="rollout-1")
        assert kit.rest.clock.slept[-3:] == [0.5, 1.0, 2.0]
        assert kit.rollouts == 1
    assert seen.outcome is RollOutcome.FAILED
    assert seen.cause == "the platform's rollout rollout-1 was taken back"


async def test_somebody_elses_rollout_is_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with rolling(monkeypatch) as kit:
        _ = await kit.roll()
        other = attrs.evolve(TEMPLATE, image=f"{NEWER[:-1]}3")
        waits = await kit.roll(template=other, revision=3)
        assert waits.outcome is RollOutcome.PROGRESSING
        assert waits.cause.endswith("under way: rollout-1")
        kit.pass_time(2)
        assert await kit.roll(template=other) == progress(0, 2, id="rollout-2")


async def test_a_rollout_that_was_given_up_is_replaced(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with rolling(monkeypatch) as kit:
        kit.rest.stuck_after = 1
        _ = await kit.roll()
        kit.pass_time()
        old = attrs.evolve(TEMPLATE, image=IMAGE)
        back = await kit.roll(template=old, revision=1, given_up="rollout-1")
        assert back == progress(1, 2, id="rollout-2")
        assert kit.rest.rollouts["rollout-1"]["status"] == "replaced"
        kit.rest.stuck_after = None
        kit.pass_time(2)
        seen = await kit.roll(template=old, revision=1, known="rollout-2")
        assert seen == done(2, id="rollout-2")


# What asking again does not mend, and what it does


@pytest.mark.parametrize("status", [400, 401, 403])
async def test_a_refusal_is_the_end(
    status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with rolling(monkeypatch, limits=ONCE) as kit:
        kit.rest.faults.extend([*[None] * 5, Status(status)])
        seen = await kit.roll()
    assert seen.outcome is RollOutcome.FAILED
    assert str(status) in seen.cause


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Status(500), Unreachable),
        (Drop(), Unreachable),
        (LATE, TimedOut),
        (Status(429, headers=(("Retry-After", "120"),)), RateLimited),
    ],
    ids=["500", "dropped", "late", "429"],
)
async def test_what_cannot_be_asked_is_asked_again(
    fault: Fault, error: type[PlatformError], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with rolling(monkeypatch, limits=once(fault)) as kit:
        for before in range(5):
            kit.rest.faults.extend([*[None] * before, fault])
            assert isinstance(await kit.fails(), error)
            kit.rest.clock.now += 200_000
            assert kit.rollouts == 0
        assert (await kit.roll()).id == "rollout-1"


async def test_an_operator_that_was_replaced_begins_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with rolling(monkeypatch) as kit:
        kit.gateway.epoch += 1
        assert isinstance(await kit.fails(), StaleOperator)
        assert kit.rollouts == 0


async def test_an_application_that_is_not_there_is_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with rolling(monkeypatch) as kit:
        kit.rest.applications[kit.application]["name"] = "other"
        seen = await kit.roll()
        assert seen.outcome is RollOutcome.FAILED
        assert "no application 'demo-gateway-web'" in seen.cause
        gone = await kit.roll(service="api")
        assert gone.outcome is RollOutcome.FAILED
        assert "no application of 'api'" in gone.cause


# What comes with a deploy alone


async def test_what_is_built_comes_with_a_deploy_and_is_watched_then(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    built = attrs.evolve(TEMPLATE, image="./web/Dockerfile")
    async with rolling(monkeypatch) as kit:
        refused = await kit.roll(template=built)
        assert refused.outcome is RollOutcome.FAILED
        assert "is built where the gateway is deployed" in refused.cause
        facts = facts_of(attrs.evolve(WEB, image="./web/Dockerfile"))
        kit.gateway.applications["web"] = facts
        _ = await kit.roll(template=built)
        assert await kit.roll(template=built) == done(2, id="")
        assert kit.rollouts == 0


async def test_a_size_of_ones_own_comes_with_a_deploy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    own = attrs.evolve(TEMPLATE, instance_type=OWN)
    async with rolling(monkeypatch) as kit:
        refused = await kit.roll(template=own)
        assert refused.outcome is RollOutcome.FAILED
        assert "a size of one's own comes with a deploy alone" in refused.cause
        kit.gateway.applications["web"] = facts_of(attrs.evolve(WEB, instance_type=OWN))
        assert await kit.roll(template=own) == progress(0, 2)
        target = kit.rest.rollouts["rollout-1"]["target_configuration"]
        assert target == {"image": NEWER}


# Who may roll, and what starts meanwhile


async def test_who_has_no_token_or_another_policy_does_not_roll(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fake = FakeGateway()
    async with serving(fake) as url:
        platform = CloudflarePlatform(choice_of(url), FLEET, SECRETS)
        assert not (await value(platform.attach(0))).rolls
        order = RollOrder(service="web", revision=2, epoch=1, template=TEMPLATE)
        seen = await value(platform.roll(order))
        await platform.detach()
    assert seen.outcome is RollOutcome.FAILED
    assert seen.cause == "there is no token for the API of the account"
    fake = FakeGateway()
    async with serving(fake) as url, served(FakeRest()) as client:
        monkeypatch.setattr(module, "rest_of", lambda *_: client)
        choice = choice_of(url, scheduling_policy=SchedulingPolicy.DURABLE_OBJECT)
        platform = CloudflarePlatform(choice, FLEET, SECRETS)
        assert not (await value(platform.attach(0))).rolls
        await platform.detach()


async def test_both_images_start_while_one_takes_the_place_of_the_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with rolling(monkeypatch) as kit:
        newer = attrs.evolve(SPEC, image=NEWER, name="web-1", replica=1)
        first = start_order(newer, 1, kit.epoch, newer.ports.items())
        assert isinstance(await settled(kit.platform.perform(first)), Refused)
        _ = await kit.roll()
        _ = await value(kit.platform.perform(first))
        old = start_order(SPEC, 1, kit.epoch, SPEC.ports.items())
        _ = await value(kit.platform.perform(old))
        kit.gateway.applications["web"] = facts_of(
            attrs.evolve(WEB, image=f"{NEWER[:-1]}3")
        )
        _ = await kit.roll()  # it was deployed anew: what was rolled out before is gone
        third = start_order(SPEC, 2, kit.epoch, SPEC.ports.items())
        assert isinstance(await settled(kit.platform.perform(third)), Refused)


async def test_what_was_rolled_out_is_learnt_again_after_a_boot(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(deployed, "TOLD_AGAIN_S", -1.0)
    async with rolling(monkeypatch) as kit:
        _ = await kit.roll()
        kit.pass_time(2)
        assert (await kit.roll(known="rollout-1")).outcome is RollOutcome.DONE
        again = CloudflarePlatform(kit.platform._choice, FLEET, SECRETS)
        granted = await value(again.attach(kit.epoch))
        newer = attrs.evolve(SPEC, image=NEWER)
        order = start_order(newer, 1, granted.epoch, newer.ports.items())
        _ = await value(again.perform(order))
        missing = attrs.evolve(SPEC, image=f"{NEWER[:-1]}3")
        other = start_order(missing, 2, granted.epoch, missing.ports.items())
        assert isinstance(await settled(again.perform(other)), Refused)
        await again.detach()
