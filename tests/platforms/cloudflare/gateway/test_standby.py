"""Leading and standing by on the real gateway: journal and lease in its registry."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from orchestrator import Claim, Operator, StaleOperator, Standby, settled
from orchestrator.codec.platform_choices import CloudflareChoice
from orchestrator.core.fleet_specs import FleetSettings, FleetSpec
from orchestrator.journal.durable.adapter import DurableJournal
from orchestrator.platforms.cloudflare.gateway import CloudflarePlatform
from orchestrator.platforms.cloudflare.journal_wire import wire_to
from orchestrator.runtime import leading as leading_module
from orchestrator.runtime.preparing import Means
from orchestrator.testing import check_leases
from tests.platforms.cloudflare.gateway.kit import TOKEN, WAIT_S, Gateway, until

SHORT_MS = 10_000
"""Its end is waited for, and comes no sooner: whoever is busy renews it in time."""

LONG_MS = 600_000
"""Nobody waits for it here: who leads within it has not waited for its end."""

SECRETS = {"GATEWAY_TOKEN": TOKEN}


def choice_of(gateway: Gateway) -> CloudflareChoice:
    return CloudflareChoice(url=gateway.workerd.url)


def platform_of(gateway: Gateway) -> CloudflarePlatform:
    return CloudflarePlatform(choice_of(gateway), gateway.fleet, SECRETS)


def fleet_of(gateway: Gateway) -> FleetSpec:
    """Return a fleet of no containers: rows come of what is declared."""
    settings = FleetSettings(reconcile_interval_ms=0)
    return FleetSpec(name=gateway.fleet, settings=settings)


def means(gateway: Gateway, name: str, ms: int) -> Means:
    wire = wire_to(choice_of(gateway), gateway.fleet, SECRETS).unwrap()
    return {
        "platform": platform_of(gateway),
        "journal": DurableJournal(wire),
        "lease": Claim(holder=f"{name}/1", ms=ms),
    }


async def led(gateway: Gateway, name: str, ms: int) -> Operator:
    found = means(gateway, name, ms)
    operator = await settled(Operator.start(fleet_of(gateway), **found))
    assert isinstance(operator, Operator), operator
    return operator


async def stood_by(
    gateway: Gateway, name: str, ms: int
) -> tuple[Standby, asyncio.Task[Any]]:
    found = means(gateway, name, ms)
    standby = await settled(Standby.start(fleet_of(gateway), **found))
    assert isinstance(standby, Standby), standby
    return standby, asyncio.ensure_future(settled(standby.lead()))


async def test_the_gateway_obeys_the_laws_of_leases(gateway: Gateway) -> None:
    # Nobody's poll, which keeps the registry in memory: the runtime makes one anew that
    # was idle for 10 s, and it would count the lease a quarter longer.
    poll = asyncio.ensure_future(gateway.get("events", wait_ms=25_000))
    await check_leases(platform_of(gateway), platform_of(gateway), ms=SHORT_MS)
    assert (await poll).status == 200


async def test_a_standby_follows_and_leads_as_soon_as_the_leader_leaves(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leading_module, "RELEASE_S", WAIT_S)  # however slow the answer
    leader = await led(gateway, "one", LONG_MS)
    standby, leading = await stood_by(gateway, "two", LONG_MS)

    async def has_followed() -> bool:
        return standby.operator.fleet == leader.fleet

    async with asyncio.timeout(WAIT_S):
        _ = await settled(leader.reconcile())
        assert await until("the standby has followed", has_followed)
        assert standby.leadership().leader == "one/1"
        assert not leading.done()
        await leader.close()
        operator = await leading
    assert isinstance(operator, Operator)
    assert operator.leadership.epoch == leader.leadership.epoch + 1
    await operator.close()


async def test_a_leader_that_was_not_heard_of_is_replaced_and_changes_nothing(
    gateway: Gateway,
) -> None:
    leader = await led(gateway, "one", SHORT_MS)
    _, leading = await stood_by(gateway, "two", LONG_MS)
    engine: Any = leader._engine
    engine.leading.stop()  # as if it were paused: it renews no more
    for task in engine.listening:
        task.cancel()
    async with asyncio.timeout(WAIT_S):
        operator = await leading
        assert isinstance(operator, Operator)
        # It may have looked before it was handed over, or not yet.
        _ = await operator.caught_up()
        assert operator.fleet.observed
        seq = operator.seq
        refused = await settled(leader.reconcile())
        assert isinstance(refused, StaleOperator)
        assert await leader.ended() == refused
        assert operator.seq == seq
        _ = await settled(operator.reconcile())
    assert operator.seq > seq
    await leader.close()
    await operator.close()
