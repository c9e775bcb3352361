"""The page of a standby: it says what it is and who leads, and offers no change."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import expect

from orchestrator import MemoryJournal, Operator, SimulatedPlatform, Standby
from tests.api.test_standby import DECLARED, means
from tests.page.kit import Windows, is_accessible, row, served
from tests.runtime.kit import LIMIT_MS, value
from tests.runtime.test_standby import until

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_standby_says_quietly_that_it_is_one_and_who_leads(
    windows: Windows, tmp_path: Path
) -> None:
    platform, rows = SimulatedPlatform(seed=3, speed=20), MemoryJournal()
    async with (
        Operator.open(DECLARED, **means(platform, rows, "one")) as leader,
        Standby.open(DECLARED, **means(platform, rows, "two")) as standby,
    ):
        _ = await value(leader.wait("web", limit_ms=LIMIT_MS))
        await standby._watch._look()
        await until(lambda: standby.operator.seq >= leader.seq, LIMIT_MS / 1_000)
        async with served(standby.operator, tmp_path) as url:
            page = await windows.open(url)
            await expect(row(page, "web")).to_be_visible()
            notes = page.get_by_role("list", name="Notes on this fleet")
            await expect(notes).to_contain_text(
                "This is a standby. one/1 leads; it took over "
            )
            await expect(page.get_by_text("read-only")).to_be_visible()
            await is_accessible(page)


async def test_a_leader_with_a_lease_says_so_and_since_when(
    windows: Windows, tmp_path: Path
) -> None:
    platform, rows = SimulatedPlatform(seed=3, speed=20), MemoryJournal()
    async with (
        Operator.open(DECLARED, **means(platform, rows, "one")) as leader,
        served(leader, tmp_path) as url,
    ):
        page = await windows.open(url)
        notes = page.get_by_role("list", name="Notes on this fleet")
        said = notes.get_by_text("This operator leads, as one/1; it took over ")
        await expect(said).to_be_visible()
        await page.get_by_label("How times are told").select_option("utc")
        await expect(said.locator("time")).to_contain_text(" UTC")
        await is_accessible(page)
