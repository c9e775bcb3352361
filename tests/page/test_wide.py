"""A fleet that is too large to be held by a page: the operator filters and sorts it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import attrs
import pytest
from playwright.async_api import Page, expect

from orchestrator.core.fleet_specs import FleetSettings, FleetSpec
from orchestrator.core.phases import Failed, Phase, Rule, Running
from orchestrator.core.state import Container, Fleet
from orchestrator.core.table import Table
from tests.page.kit import Windows, cell, is_accessible, names, row, served, until
from tests.runtime.kit import LIMIT_MS, Kit, opened, spec, value

pytestmark = pytest.mark.asyncio(loop_scope="session")

COUNT = 6_000
SLOW = FleetSettings(reconcile_interval_ms=0)


def wide(fleet: Fleet) -> Fleet:
    """Fill a fleet with containers like the one that it has, by name live."""
    one = fleet.containers["live"]

    def like(number: int) -> Container:
        phase: Phase = Running(since=1, ready_at=2, run=1)
        if number % 1_000 == 999:
            phase = Failed(since=1, rule=Rule.MAX_RESTARTS)
        return attrs.evolve(one, name=f"c-{number:04}", phase=phase)

    made = map(like, range(COUNT - 1))
    known = Table.of([(each.name, each) for each in (*made, one)])
    return attrs.evolve(fleet, containers=known)


@asynccontextmanager
async def shown(windows: Windows, folder: Path) -> AsyncIterator[tuple[Kit, Page]]:
    declared = FleetSpec(name="wide", settings=SLOW, containers=(spec("live"),))
    async with opened(declared) as kit:
        _ = await value(kit.operator.wait("live", limit_ms=LIMIT_MS))
        small = kit.operator.fleet
        kit.operator._loop.fleet = wide(small)
        async with served(kit.operator, folder) as url:
            page = await windows.open(url)
            await row(page, "c-0000").wait_for()
            yield kit, page
        kit.operator._loop.fleet = attrs.evolve(
            kit.operator.fleet, containers=small.containers
        )


async def test_only_what_is_in_sight_is_there(windows: Windows, tmp_path: Path) -> None:
    async with shown(windows, tmp_path) as (_, page):
        await expect(
            page.get_by_role("heading", name="6,000 containers")
        ).to_be_visible()
        await expect(page.get_by_text("5,995 ready")).to_be_visible()
        assert len(await names(page)) < 100
        await page.evaluate("scrollTo(0, document.body.scrollHeight / 2)")
        await row(page, "c-3000").wait_for()
        assert len(await names(page)) < 100
        await is_accessible(page)


async def test_the_operator_filters_and_sorts(windows: Windows, tmp_path: Path) -> None:
    async with shown(windows, tmp_path) as (_, page):
        field = page.get_by_role("searchbox", name="Filter by name, reason or exit")
        await field.fill("c-077")
        await expect(page.get_by_text("10 of 6,000 shown")).to_be_visible()
        assert await names(page) == [f"c-077{number}" for number in range(10)]
        await field.fill("nobody")
        await expect(page.get_by_text("No container matches")).to_be_visible()
        await field.fill("")
        await page.locator("th.c-phase button").click()
        await row(page, "c-0999").wait_for()
        assert (await names(page))[:2] == ["c-0999", "c-1999"]
        await page.locator('[data-look="failed"]').click()
        await expect(page.get_by_text("5 of 6,000 shown")).to_be_visible()


async def test_a_row_in_sight_follows_and_others_are_let_be(
    windows: Windows, tmp_path: Path
) -> None:
    async with shown(windows, tmp_path) as (kit, page):
        await page.get_by_role("searchbox").first.fill("live")
        await row(page, "live").wait_for()
        await value(kit.operator.stop_container("live"))
        await expect(cell(page, "live", "phase")).to_have_text("stopped")
        await page.get_by_role("link", name="live", exact=True).click()
        await expect(page.locator("#card-why")).to_contain_text("stopped")
        await value(kit.operator.start_container("live"))
        await expect(page.locator("#card-why")).to_contain_text("Runs and is ready")
        await until(page, "location.hash === '#/c/live'")
