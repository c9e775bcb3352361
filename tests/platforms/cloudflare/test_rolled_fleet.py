"""An operator, the gateway and the REST API of one account: a service rolled out."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import attrs
import pytest

from orchestrator import FleetSpec, MemoryJournal, Operator, RolloutPolicy, Service
from orchestrator.core.events import ContainerEnded, ContainerObserved
from orchestrator.core.exits import RolledOut
from orchestrator.core.lineages import Rollout, RolloutStatus
from orchestrator.core.observations import SeenEnded
from orchestrator.core.services import replica_of
from orchestrator.platforms.cloudflare import gateway as module
from orchestrator.platforms.cloudflare.gateway import CloudflarePlatform
from orchestrator.platforms.cloudflare.project.application import facts_of
from orchestrator.platforms.cloudflare.rest.client import RestClient
from orchestrator.runtime.interpreter import Limits
from orchestrator.runtime.reports import EventRecord
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
    ACCOUNT,
    IMAGE,
    NEWER,
    PREFIX,
    TOKEN,
    FakeRest,
    Status,
    served,
)
from tests.runtime.kit import value

REPLICAS = 3
LIMITS = Limits(roll_every_ms=20)
POLICY = RolloutPolicy(
    min_ready_ms=10, container_deadline_ms=120_000, progress_deadline_ms=120_000
)
UNMENDED = attrs.evolve(
    POLICY, progress_deadline_ms=10_000, container_deadline_ms=9_900
)


def web(image: str, policy: RolloutPolicy = POLICY) -> FleetSpec:
    template = attrs.evolve(SPEC, name="web", image=image)
    service = Service(template=template, replicas=REPLICAS, rollout=policy)
    members = tuple(replica_of(service, index) for index in range(REPLICAS))
    return FleetSpec(name=FLEET, containers=members, services=(service,))


@attrs.define
class Account:
    """What the account holds; ``is_stuck``: Cloudflare gets no further."""

    gateway: FakeGateway
    rest: FakeRest
    platform: CloudflarePlatform
    journal: MemoryJournal
    application: str
    is_stuck: bool = False

    async def goes_on(self) -> None:
        """Let Cloudflare come further, and replace what it says that it replaces."""
        while True:
            if not self.is_stuck:
                self.rest.clock.now += self.rest.step_ms // 4
            await asyncio.sleep(0.02)
            for one in self.rest.instances[self.application]:
                name = one["name"].removeprefix(f"{FLEET}/")
                view = self.gateway.views.get(name)
                is_new = one["image"] != one["_was"]
                if view is not None and view["run"] != one["_run"]:
                    one["_run"] = view["run"]
                    self._starts(one)
                elif is_new:
                    one["_was"] = one["image"]
                    self.gateway.end(name, {"kind": "rollout"})

    def _starts(self, one: dict[str, Any]) -> None:
        """Give what starts the image that the application has."""
        application = self.rest.applications[self.application]
        if "active_rollout_id" not in application:
            one["image"] = one["_was"] = application["configuration"]["image"]

    @property
    def rollouts(self) -> int:
        return self.rest.writes.count(f"rollout {self.application}")

    @asynccontextmanager
    async def operated(self, declared: FleetSpec) -> AsyncIterator[Operator]:
        async with Operator.open(
            declared, platform=self.platform, journal=self.journal, limits=LIMITS
        ) as operator:
            yield operator


@asynccontextmanager
async def account(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Account]:
    gateway, rest = FakeGateway(), FakeRest()
    application = rest.add_web("demo-gateway-web")
    for index in range(REPLICAS):
        _ = rest.add_instance(application, name=f"{FLEET}/web-{index}")
        rest.instances[application][-1].update(_was=IMAGE, _run=1)
    async with serving(gateway) as url, served(rest) as client:
        root = client._http._root.removesuffix(PREFIX)

        def rest_of(*_: object) -> RestClient:
            clock = rest.clock
            return RestClient(
                ACCOUNT, TOKEN, base_url=root, now_ms=clock.now_ms, sleep=clock.sleep
            )

        monkeypatch.setattr(module, "rest_of", rest_of)
        it = Account(
            gateway=gateway,
            rest=rest,
            platform=CloudflarePlatform(choice_of(url), FLEET, SECRETS),
            journal=MemoryJournal(),
            application=application,
        )
        going = asyncio.ensure_future(it.goes_on())
        try:
            yield it
        finally:
            going.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await going


async def until(operator: Operator, is_so: Any) -> None:
    loop = operator._loop
    async with asyncio.timeout(60), loop.turned:
        await loop.turned.wait_for(is_so)


async def all_ready(operator: Operator) -> None:
    await until(
        operator, lambda: sum(info.ready for info in operator.infos()) == REPLICAS
    )


def newest(operator: Operator) -> Rollout:
    lineage = operator.fleet.lineages["web"]
    return lineage.rollout or lineage.past[-1]


async def ended(operator: Operator) -> Rollout:
    await until(operator, lambda: "web" not in operator.fleet.rolling)
    return newest(operator)


def images(operator: Operator) -> set[str | None]:
    return {each.spec.image for each in operator.fleet.containers.values()}


def end_of(record: EventRecord) -> tuple[str, object]:
    """Return who has ended, and how: told by the feed, or seen by a look before."""
    match record.event:
        case (
            ContainerEnded(name=name, exit=end)
            | ContainerObserved(name=name, sight=SeenEnded(exit=end))
        ):
            return name, end
        case _:
            return "", None


async def test_an_image_comes_to_a_service_and_nobody_counts_a_crash(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with account(monkeypatch) as it, it.operated(web(IMAGE)) as operator:
        await all_ready(operator)
        _ = await value(operator.apply(web(NEWER)))
        assert newest(operator).status is RolloutStatus.PREPARING
        over = await ended(operator)
        assert (over.status, over.failures) == (RolloutStatus.DONE, 0)
        assert (images(operator), it.rollouts) == ({NEWER}, 1)
        # Of the last one the API may tell its image before the gateway tells its end.
        await until(
            operator,
            lambda: all(info.run > 1 and info.ready for info in operator.infos()),
        )
        assert {info.crash_count for info in operator.infos()} == {0}
        ends = dict(map(end_of, await value(operator.events(0))))
        _ = ends.pop("", None)
        assert list(ends.values()) == [RolledOut()] * REPLICAS


async def test_an_operator_that_comes_back_begins_no_second_rollout(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with account(monkeypatch) as it:
        async with it.operated(web(IMAGE)) as operator:
            await all_ready(operator)
            _ = await value(operator.apply(web(NEWER)))
            it.is_stuck = True
            await until(operator, lambda: it.rollouts == 1)
        it.is_stuck = False
        url = it.platform._choice.url
        it.platform = CloudflarePlatform(choice_of(url), FLEET, SECRETS)
        async with it.operated(web(NEWER)) as operator:
            over = await ended(operator)
            assert over.status is RolloutStatus.DONE
            assert (images(operator), it.rollouts) == ({NEWER}, 1)


async def test_who_is_left_behind_with_the_old_image_is_started_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with account(monkeypatch) as it, it.operated(web(IMAGE)) as operator:
        await all_ready(operator)
        behind = it.rest.instances[it.application][1]
        it.rest.keeps_old.add(behind["id"])
        _ = await value(operator.apply(web(NEWER)))
        over = await ended(operator)
        assert over.status is RolloutStatus.DONE
        assert over.roll is not None
        assert over.roll.restarted == ("web-1",)
        assert {one["image"] for one in it.rest.instances[it.application]} == {NEWER}


async def test_a_rollout_that_is_stuck_turns_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with account(monkeypatch) as it, it.operated(web(IMAGE, UNMENDED)) as up:
        await all_ready(up)
        it.rest.stuck_after = 1
        _ = await value(up.apply(web(NEWER, UNMENDED)))
        await until(up, lambda: newest(up).status is RolloutStatus.REVERTING)
        it.rest.stuck_after = None
        over = await ended(up)
        assert over.status is RolloutStatus.REVERTED
        assert over.reason.startswith(
            "no progress for 10s: the platform has brought it to"
        )
        assert {one["image"] for one in it.rest.instances[it.application]} == {IMAGE}
        assert (images(up), it.rollouts) == ({IMAGE}, 2)


async def test_a_token_that_may_not_write_says_so_and_all_stays_as_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with account(monkeypatch) as it, it.operated(web(IMAGE)) as operator:
        await all_ready(operator)
        it.rest.faults.extend([*[None] * 5, Status(403)])
        _ = await value(operator.apply(web(NEWER)))
        over = await ended(operator)
        assert over.status is RolloutStatus.REVERTED
        assert "403" in over.reason
        assert (images(operator), it.rollouts) == ({IMAGE}, 0)
        assert {info.run for info in operator.infos()} == {1}


async def test_what_was_deployed_meanwhile_needs_no_rollout_of_ours(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with account(monkeypatch) as it, it.operated(web(IMAGE)) as operator:
        await all_ready(operator)
        it.gateway.applications["web"] = facts_of(attrs.evolve(WEB, image=NEWER))
        it.rest.applications[it.application]["configuration"] = {"image": NEWER}
        for one in it.rest.instances[it.application]:
            one["image"] = NEWER
        _ = await value(operator.apply(web(NEWER)))
        over = await ended(operator)
        assert over.status is RolloutStatus.DONE
        assert (images(operator), it.rollouts) == ({NEWER}, 0)
