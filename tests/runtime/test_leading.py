"""A lease that is kept: when it is renewed, when it is given up; in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from returns.future import FutureResult

from orchestrator import Claim, StaleOperator, Unreachable
from orchestrator.core.errors import ContainerError, PlatformError, Unauthorized
from orchestrator.platforms.leases import LeaseInfo
from orchestrator.platforms.simulated.platform import SimulatedPlatform
from orchestrator.runtime.leading import Leading, Term
from tests.runtime.virtual import run_virtually

Story = Callable[["Gateway", Leading, list[ContainerError]], Awaitable[None]]

LEASE_MS = 3_000
LEASE_S = LEASE_MS / 1_000
CLAIM = Claim(holder="me/1", ms=LEASE_MS)


class Gateway(SimulatedPlatform):
    """Notes when it was asked to renew, and answers what it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.error: PlatformError | None = None
        self.takes_s = 0.0
        self.asked_at: list[float] = []
        self.released: list[int] = []

    def renew(self, epoch: int) -> FutureResult[LeaseInfo, PlatformError]:
        async def answer() -> Any:
            self.asked_at.append(asyncio.get_running_loop().time())
            if self.takes_s:
                await asyncio.sleep(self.takes_s)
            lease = LeaseInfo(
                epoch=epoch, holder="me/1", since=0, ms=LEASE_MS, expires_in_ms=LEASE_MS
            )
            told: FutureResult[LeaseInfo, PlatformError] = (
                FutureResult.from_value(lease)
                if self.error is None
                else FutureResult.from_failure(self.error)
            )
            return (await told)._inner_value

        return FutureResult(answer())

    def release(self, epoch: int) -> FutureResult[None, PlatformError]:
        self.released.append(epoch)
        return FutureResult.from_value(None)


def kept(
    story: Callable[[Gateway, Leading, list[ContainerError]], Awaitable[None]],
) -> Any:
    """Have a story told of a lease that begins at zero."""

    async def told() -> None:
        gateway, gave_up = Gateway(), list[ContainerError]()
        term = Term(epoch=4, claim=CLAIM, asked_at=0.0, since=0)
        leading = Leading(gateway, term, gave_up.append)
        leading.start()
        await story(gateway, leading, gave_up)
        leading.stop()

    def test() -> None:
        run_virtually(told())

    test.__name__ = story.__name__
    return test


def now() -> float:
    return asyncio.get_running_loop().time()


@kept
async def test_it_is_renewed_after_each_third(
    gateway: Gateway, leading: Leading, gave_up: list[ContainerError]
) -> None:
    await asyncio.sleep(3.5)
    assert gateway.asked_at == pytest.approx([1.0, 2.0, 3.0])
    assert leading.expires_in_ms == pytest.approx(2_500, abs=2)
    assert not gave_up


@kept
async def test_what_was_answered_besides_renews_it_too(
    gateway: Gateway, leading: Leading, gave_up: list[ContainerError]
) -> None:
    for _ in range(8):
        await asyncio.sleep(0.5)
        leading.renewed(now())
    assert gateway.asked_at == []
    leading.renewed(1.0)  # an answer that comes late takes nothing away
    assert leading.expires_in_ms == pytest.approx(LEASE_MS, abs=2)
    await asyncio.sleep(1.2)
    assert gateway.asked_at == pytest.approx([5.0])
    assert not gave_up


@kept
async def test_it_is_given_up_when_nothing_was_answered_for_its_whole_length(
    gateway: Gateway, leading: Leading, gave_up: list[ContainerError]
) -> None:
    gateway.error = Unauthorized(cause="the token was revoked")
    await asyncio.sleep(LEASE_S - 0.01)
    assert not gave_up
    assert len(gateway.asked_at) > 3
    await asyncio.sleep(0.02)
    cause = "the lease was not renewed for 3s: not authorized: the token was revoked"
    assert gave_up == [Unreachable(cause=cause)]
    assert leading.expires_in_ms == 0
    await leading.close()
    assert gateway.released == []


@kept
async def test_it_counts_from_before_what_was_answered_was_asked(
    gateway: Gateway, leading: Leading, gave_up: list[ContainerError]
) -> None:
    gateway.takes_s = 0.9
    await asyncio.sleep(1.95)
    assert leading.expires_in_ms == pytest.approx(LEASE_MS - 950, abs=2)
    assert not gave_up


@kept
async def test_an_answer_that_does_not_come_is_not_waited_for(
    gateway: Gateway, leading: Leading, gave_up: list[ContainerError]
) -> None:
    gateway.takes_s = 60.0
    await asyncio.sleep(LEASE_S + 0.01)
    (found,) = gave_up
    assert isinstance(found, Unreachable)
    assert "timed out" in found.message


@kept
async def test_it_is_given_up_at_once_when_another_one_leads(
    gateway: Gateway, leading: Leading, gave_up: list[ContainerError]
) -> None:
    gateway.error = stale = StaleOperator(epoch=4, highest=5)
    await asyncio.sleep(1.01)
    assert gave_up == [stale]


@kept
async def test_a_fault_that_passes_in_time_changes_nothing(
    gateway: Gateway, leading: Leading, gave_up: list[ContainerError]
) -> None:
    gateway.error = Unreachable(cause="no way")
    await asyncio.sleep(2.5)
    gateway.error = None
    await asyncio.sleep(10)
    assert not gave_up
    assert leading.expires_in_ms > 0


def paused(seconds: float) -> None:
    """Let time pass in which the process does nothing, as one that was stopped."""
    loop: Any = asyncio.get_running_loop()
    loop.passed_s += seconds


@kept
async def test_a_process_that_was_stopped_asks_once_more(
    gateway: Gateway, leading: Leading, gave_up: list[ContainerError]
) -> None:
    paused(3 * LEASE_S)
    await asyncio.sleep(0.01)
    assert len(gateway.asked_at) == 1
    assert not gave_up
    assert leading.expires_in_ms > 0


@kept
async def test_and_stands_down_where_it_is_not_told_that_it_leads(
    gateway: Gateway, leading: Leading, gave_up: list[ContainerError]
) -> None:
    gateway.error = Unreachable(cause="no way")
    paused(3 * LEASE_S)
    await asyncio.sleep(0.01)
    assert [type(each) for each in gave_up] == [Unreachable]


@kept
async def test_it_is_released_once(
    gateway: Gateway, leading: Leading, gave_up: list[ContainerError]
) -> None:
    await leading.close()
    await leading.close()
    assert gateway.released == [4]
    await asyncio.sleep(10)
    assert not gave_up
