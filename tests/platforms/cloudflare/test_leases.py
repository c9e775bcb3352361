"""The lease as the Cloudflare platform asks for it, over a faked gateway."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from orchestrator import Claim, settled
from orchestrator.core.errors import (
    LeaseHeld,
    RateLimited,
    Refused,
    StaleOperator,
    Unreachable,
)
from orchestrator.platforms.cloudflare.gateway import CloudflarePlatform
from orchestrator.platforms.leases import LEASE_MS_MAX, LeaseInfo, LeasingPlatform
from orchestrator.platforms.port import Attachment, ForgetOrder
from orchestrator.testing import check_leases
from tests.platforms.cloudflare.fake_gateway import (
    FLEET,
    SECRETS,
    FakeGateway,
    choice_of,
    over,
    serving,
)
from tests.platforms.cloudflare.fake_rest import Status

CLAIM = Claim(holder="one/1", ms=LEASE_MS_MAX)


@asynccontextmanager
async def two(
    fake: FakeGateway,
) -> AsyncIterator[tuple[CloudflarePlatform, CloudflarePlatform]]:
    """Have two operators reach one gateway."""
    async with serving(fake) as url:
        yield (
            CloudflarePlatform(choice_of(url), FLEET, SECRETS),
            CloudflarePlatform(choice_of(url), FLEET, SECRETS),
        )


async def test_it_obeys_the_laws_of_leases() -> None:
    async with two(FakeGateway()) as (one, other):
        assert isinstance(one, LeasingPlatform)
        await check_leases(one, other, ms=4_000)  # so a busy machine keeps it


async def test_a_lease_that_is_held_says_by_whom() -> None:
    async with two(FakeGateway()) as (one, other):
        granted = await settled(one.attach_as(6, CLAIM))
        assert granted == Attachment(epoch=7, fences=True)
        held = await settled(other.attach_as(0, Claim(holder="two/1", ms=LEASE_MS_MAX)))
        assert isinstance(held, LeaseHeld)
        assert (held.holder, 0 < held.expires_in_ms <= CLAIM.ms) == ("one/1", True)
        plain = await settled(other.attach(0))
        assert isinstance(plain, Refused)
        assert "one/1 leads this fleet" in plain.message
        await one.detach()
        await other.detach()


async def test_a_gateway_without_leases_grants_none() -> None:
    fake = FakeGateway()
    fake.lease.is_known = False
    async with over(fake) as platform:
        refused = await settled(platform.attach_as(0, CLAIM))
        assert isinstance(refused, Refused)
        assert "deploy it again" in refused.message
        assert isinstance(await settled(platform.attach(0)), Attachment)


@pytest.mark.parametrize("told", ["{}", '{"holder": 7}', '{"epoch": "x"}'])
async def test_an_answer_that_is_no_lease_is_refused(told: str) -> None:
    fake = FakeGateway()
    async with over(fake) as platform:
        for path in ("renew", "lease"):
            fake.standing = {path: Status(200, body=told.encode())}
            asked = platform.renew(1) if path == "renew" else platform.lease()
            assert isinstance(await settled(asked), Refused)
        fake.standing = {"attach": Status(200, body=told.encode())}
        assert isinstance(await settled(platform.attach_as(0, CLAIM)), Refused)


async def test_errors_stay_what_they_are() -> None:
    fake = FakeGateway()
    async with over(fake) as platform:
        first = await settled(platform.attach_as(0, CLAIM))
        assert isinstance(first, Attachment)
        fake.take_over()
        stale = StaleOperator(epoch=1, highest=2)
        assert await settled(platform.renew(1)) == stale
        assert await settled(platform.release(1)) == stale
        fake.standing = {"attach": Status(503), "lease": Status(503)}
        assert isinstance(await settled(platform.attach_as(0, CLAIM)), Unreachable)
        assert isinstance(await settled(platform.lease()), Unreachable)


async def test_a_gateway_that_wants_no_orders_for_a_while_renews_it() -> None:
    fake = FakeGateway()
    async with over(fake) as platform:
        granted = await settled(platform.attach_as(0, CLAIM))
        assert isinstance(granted, Attachment)
        later = Status(429, headers=(("retry-after", "300"),))
        fake.standing = {"batch": later, "containers": later}
        order = ForgetOrder(name="web-0", run=1, epoch=granted.epoch)
        assert isinstance(await settled(platform.perform(order)), RateLimited)
        assert isinstance(await settled(platform.observe()), RateLimited)
        assert isinstance(await settled(platform.renew(granted.epoch)), LeaseInfo)
        assert isinstance(await settled(platform.lease()), LeaseInfo)
        assert await settled(platform.release(granted.epoch)) is None


async def test_nothing_is_asked_about_a_lease_once_let_go_of() -> None:
    async with over(FakeGateway()) as platform:
        assert isinstance(await settled(platform.attach_as(0, CLAIM)), Attachment)
        await platform.detach()
        assert isinstance(await settled(platform.renew(1)), Unreachable)


async def test_a_lease_that_has_run_out_is_nobodys() -> None:
    fake = FakeGateway()
    async with over(fake) as platform:
        _ = await settled(platform.attach_as(0, CLAIM))
        assert isinstance(await settled(platform.lease()), LeaseInfo)
        body = (
            b'{"epoch": 1, "holder": "one/1", "since": 1, "ms": 3000,'
            b' "expires_in_ms": 0}'
        )
        fake.standing = {"lease": Status(200, body=body)}
        assert await settled(platform.lease()) is None
