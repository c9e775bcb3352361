"""The laws of a platform that grants leases, ours or a user's.

``check_leases`` is given two adapters of one place that nobody has used, as two
operators have them. A law that is broken raises ``AssertionError``. It waits for a
lease to run out, as long as *ms* says.
"""

from __future__ import annotations

import asyncio
from typing import Final, TypeVar

from returns.future import FutureResult

from orchestrator.core.errors import (
    ContainerError,
    LeaseHeld,
    StaleOperator,
)
from orchestrator.core.moments import Millis
from orchestrator.platforms.leases import (
    LEASE_MS_MIN,
    Claim,
    LeaseInfo,
    LeasingPlatform,
)
from orchestrator.platforms.port import Attachment
from orchestrator.runtime.outcomes import settled

__all__ = ("check_leases",)

T = TypeVar("T")

MARGIN_S: Final = 0.25
"""Beyond a lease, for it to have run out whoever counts."""


async def check_leases(
    one: LeasingPlatform, two: LeasingPlatform, *, ms: Millis = LEASE_MS_MIN
) -> None:
    """Hold two adapters of one place to the laws of leases; both are let go of."""
    first, second = Claim(holder="one/1", ms=ms), Claim(holder="two/2", ms=ms)
    try:
        await _is_nobodys(one, "nobody has it at first")
        granted = await _granted(one, 0, first)
        await _only_one_has_it(one, two, (granted, first), second)
        again = await _granted(one, granted.epoch, first)
        _holds("who has it may attach again", again.epoch > granted.epoch)
        await _the_newest_renews(one, granted.epoch, again.epoch)
        await _what_is_released_is_nobodys(one, two, again, second)
        await _what_has_run_out_is_nobodys(one, two, first, second)
    finally:
        await one.detach()
        await two.detach()


async def _only_one_has_it(
    one: LeasingPlatform,
    two: LeasingPlatform,
    held: tuple[Attachment, Claim],
    other: Claim,
) -> None:
    granted, claim = held
    lease = await settled(two.lease())
    _holds(
        "everybody sees whose it is",
        isinstance(lease, LeaseInfo)
        and (lease.holder, lease.epoch, lease.ms)
        == (claim.holder, granted.epoch, claim.ms)
        and 0 < lease.expires_in_ms <= claim.ms,
    )
    refused = await settled(two.attach_as(granted.epoch, other))
    _holds(
        "nobody else is granted an epoch meanwhile",
        isinstance(refused, LeaseHeld)
        and refused.holder == claim.holder
        and 0 < refused.expires_in_ms <= claim.ms,
    )
    plain = await settled(two.attach(granted.epoch))
    _holds("nor who claims no lease", not isinstance(plain, Attachment))
    _holds(
        "a refusal changes nothing",
        isinstance(await settled(one.renew(granted.epoch)), LeaseInfo),
    )


async def _the_newest_renews(one: LeasingPlatform, old: int, new: int) -> None:
    stale = StaleOperator(epoch=old, highest=new)
    renewed = await settled(one.renew(old))
    _holds("an older epoch does not renew", renewed == stale)
    released = await settled(one.release(old))
    _holds("nor does it release", released == stale)
    lease = await settled(one.renew(new))
    _holds(
        "the newest one renews",
        isinstance(lease, LeaseInfo) and lease.epoch == new,
    )


async def _what_is_released_is_nobodys(
    one: LeasingPlatform, two: LeasingPlatform, held: Attachment, other: Claim
) -> None:
    _holds("the newest one releases", await settled(one.release(held.epoch)) is None)
    await _is_nobodys(two, "what was released is nobody's")
    granted = await _granted(two, held.epoch, other)
    _holds("whoever comes next has a higher epoch", granted.epoch > held.epoch)
    stale = StaleOperator(epoch=held.epoch, highest=granted.epoch)
    _holds("who had it is stale", await settled(one.renew(held.epoch)) == stale)
    _holds("it is the next one's", await settled(two.release(granted.epoch)) is None)


async def _what_has_run_out_is_nobodys(
    one: LeasingPlatform, two: LeasingPlatform, first: Claim, second: Claim
) -> None:
    granted = await _granted(one, 0, first)
    await asyncio.sleep(first.ms / 1_000 + MARGIN_S)
    await _is_nobodys(two, "what has run out is nobody's")
    lease = await settled(one.renew(granted.epoch))
    _holds("it is renewed where nobody has taken it", isinstance(lease, LeaseInfo))
    await asyncio.sleep(first.ms / 1_000 + MARGIN_S)
    taken = await _granted(two, granted.epoch, second)
    stale = StaleOperator(epoch=granted.epoch, highest=taken.epoch)
    found = await settled(one.renew(granted.epoch))
    _holds("what somebody has taken is not renewed", found == stale)


async def _granted(platform: LeasingPlatform, after: int, claim: Claim) -> Attachment:
    asked: FutureResult[Attachment, ContainerError] = platform.attach_as(after, claim)
    found = await settled(asked)
    if not isinstance(found, Attachment):
        law = f"a lease that is nobody's is granted: found {found}"
        raise AssertionError(law)  # noqa: TRY004 - no type is wrong, but a law
    return found


async def _is_nobodys(platform: LeasingPlatform, law: str) -> None:
    found = await settled(platform.lease())
    if found is not None:
        raise AssertionError(f"{law}: found {found}")


def _holds(law: str, is_so: object) -> None:
    if not is_so:
        raise AssertionError(law)
