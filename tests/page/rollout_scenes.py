"""A fleet with a service that is rolled out, on a simulated platform or for real.

``web`` has four replicas and goes forward one at a time, waiting for a promotion where
its release says so; ``worker`` has no rollout of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import attrs
from playwright.async_api import Locator, Page

from orchestrator import (
    CanaryStep,
    ContainerSpec,
    FleetSpec,
    Promotion,
    RolloutPolicy,
    Service,
    Share,
)
from orchestrator.core.lineages import RolloutStatus
from orchestrator.core.rollout_info import rollout_info
from orchestrator.core.services import replica_of
from tests.page.kit import LIMIT_MS, served
from tests.runtime.kit import Kit, fleet, opened, spec, value

__all__ = (
    "WAITING",
    "RolloutScene",
    "awaiting",
    "release",
    "rolled_fleet",
    "rollout_scene",
    "strip_card",
)

WAITING = RolloutPolicy(
    strategy="canary",
    steps=(CanaryStep(share=Share(1)),),
    promote=Promotion.MANUAL,
    min_ready_ms=0,
)
"""One replica first; the others when it is promoted: the last step asks nobody."""

READY = (*(f"web-{index}" for index in range(4)), "worker-0", "worker-1")


def service(template: ContainerSpec, policy: RolloutPolicy, replicas: int) -> Service:
    return Service(template=template, replicas=replicas, rollout=policy)


def rolled_fleet(*services: Service) -> FleetSpec:
    """Return a fleet of these services, with their replicas spelt out."""
    return attrs.evolve(
        fleet(reconcile_interval_ms=0),  # no row but those that are asked for
        containers=tuple(
            replica_of(each, index)
            for each in services
            for index in range(each.replicas)
        ),
        services=services,
    )


def release(
    number: int, policy: RolloutPolicy = WAITING, *, replicas: int = 4
) -> FleetSpec:
    """Return the fleet with so many-th release of web."""
    return rolled_fleet(
        service(spec("web", command=("run", str(number))), policy, replicas),
        Service(template=spec("worker"), replicas=2),
    )


@attrs.frozen
class RolloutScene:
    """An operator whose replicas are all ready, and where it is served."""

    kit: Kit
    url: str

    async def apply(
        self, number: int, policy: RolloutPolicy = WAITING, why: str = ""
    ) -> None:
        """Roll a release out."""
        await value(self.kit.operator.apply(release(number, policy), by="ada", why=why))

    async def until(self, status: RolloutStatus) -> None:
        """Wait until the rollout of web is there."""
        operator = self.kit.operator

        def is_there() -> bool:
            info = rollout_info(operator.fleet, "web", operator.now)
            return info is not None and info.status is status

        async with asyncio.timeout(LIMIT_MS / 1_000):
            await self.kit.until(is_there)


@asynccontextmanager
async def rollout_scene(
    folder: Path, *, read_only: bool = False
) -> AsyncIterator[RolloutScene]:
    """Open the fleet, wait until all replicas are ready, and serve it."""
    async with opened(release(1)) as kit:
        for name in READY:
            await value(kit.operator.wait(name, limit_ms=LIMIT_MS))
        async with served(kit.operator, folder, read_only=read_only) as url:
            yield RolloutScene(kit, url)


def strip_card(page: Page, name: str) -> Locator:
    """Return the card of a service among the services of a fleet."""
    return page.locator(f'.service[data-service="{name}"]')


async def awaiting(it: RolloutScene) -> None:
    """Roll a second release out, up to where it waits for a promotion."""
    await it.apply(2, why="new release")
    await it.until(RolloutStatus.AWAITING_PROMOTION)
