"""The laws of leases: obeyed by ours, and broken by what is made to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

import pytest
from returns.future import FutureResult

from orchestrator import Claim, SimulatedPlatform
from orchestrator.core.errors import LeaseHeld, PlatformError
from orchestrator.platforms.leases import LeaseInfo, LeasingPlatform, lease_of
from orchestrator.platforms.port import Attachment
from orchestrator.platforms.simulated.lines import Line
from orchestrator.testing import check_leases, check_takeover
from tests.platforms.test_laws import SPEC
from tests.runtime.virtual import VirtualLoop, run_virtually


class Generous(SimulatedPlatform):
    """Grants whatever it is asked for."""

    def attach_as(
        self, after: int, claim: Claim
    ) -> FutureResult[Attachment, PlatformError | LeaseHeld]:
        self.expire_lease()
        return super().attach_as(after, claim)


class Lenient(SimulatedPlatform):
    """Lets in whoever claims nothing."""

    def attach(self, after: int) -> FutureResult[Attachment, PlatformError]:
        granted = Attachment(epoch=after + 1, fences=True)
        return FutureResult.from_value(granted)


class Forgetful(SimulatedPlatform):
    """Renews for an epoch that is not the newest."""

    def renew(self, epoch: int) -> FutureResult[LeaseInfo, PlatformError]:
        del epoch
        return super().renew(self.epoch)


class Clinging(SimulatedPlatform):
    """Releases nothing."""

    def release(self, epoch: int) -> FutureResult[None, PlatformError]:
        return super().renew(epoch).map(lambda _: None)


class Jealous(SimulatedPlatform):
    """Has a lease never run out."""

    def lease(self) -> FutureResult[LeaseInfo | None, PlatformError]:
        if self.epoch:
            _ = self.shown(self.epoch)
        return super().lease()


def held(make: Callable[[Callable[[], int]], SimulatedPlatform]) -> None:
    """Hold two lines of one platform to the laws, in virtual time."""

    async def told() -> None:
        loop = cast("VirtualLoop", asyncio.get_running_loop())
        both = make(loop.nanos)
        await check_leases(Line(both), Line(both))

    run_virtually(told())


def test_the_simulated_platform_obeys_the_laws_of_leases() -> None:
    held(lambda clock: SimulatedPlatform(clock=clock))
    assert isinstance(SimulatedPlatform(), LeasingPlatform)


async def test_and_in_time_that_passes() -> None:
    both = SimulatedPlatform()
    await check_leases(both, both, ms=4_000)  # so a busy machine keeps it


@pytest.mark.parametrize(
    ("kind", "law"),
    [
        (Generous, "nobody else is granted an epoch meanwhile"),
        (Lenient, "nor who claims no lease"),
        (Forgetful, "an older epoch does not renew"),
        (Clinging, "what was released is nobody's"),
        (Jealous, "what has run out is nobody's"),
    ],
)
def test_a_platform_that_breaks_a_law_is_found(
    kind: type[SimulatedPlatform], law: str
) -> None:
    with pytest.raises(AssertionError, match=law):
        held(lambda clock: kind(clock=clock))


async def test_a_line_is_a_platform_that_is_taken_over() -> None:
    both = SimulatedPlatform(seed=7)
    await check_takeover(Line(both), Line(both), SPEC)


def test_a_lease_that_is_none_is_none() -> None:
    whole = {"epoch": 1, "holder": "me", "since": 2, "ms": 3, "expires_in_ms": -4}
    told = lease_of(whole)
    assert told == LeaseInfo(epoch=1, holder="me", since=2, ms=3, expires_in_ms=0)
    assert lease_of(None) is None
    assert lease_of({**whole, "ms": "3"}) is None
    assert lease_of({"holder": None, "epoch": 1}) is None
