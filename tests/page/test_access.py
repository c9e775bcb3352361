"""Who may look, and who may change: tokens and read-only doors, in a browser."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from orchestrator.api.guard.tokens import Grant
from tests.page.kit import (
    LIST,
    UNAUTHORIZED,
    Windows,
    held,
    is_accessible,
    row,
    served,
    token,
)
from tests.runtime.kit import fleet, opened, spec

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_door_that_asks_for_a_token_is_opened_in_a_dialog(
    windows: Windows, tmp_path: Path
) -> None:
    secret = token(tmp_path, "ops", Grant.WRITE)
    async with opened(fleet(spec("web"))) as kit, served(kit.operator, tmp_path) as url:
        page = await windows.open(url, allow=UNAUTHORIZED)
        dialog = page.get_by_role("dialog")
        await expect(dialog).to_be_visible()
        field = dialog.get_by_label("Token", exact=True)
        await expect(field).to_be_focused()
        await is_accessible(page)
        await field.fill("two words")
        await page.keyboard.press("Enter")
        await expect(dialog.get_by_role("alert")).to_contain_text("one word")
        await field.fill("orch_wrong")
        await page.keyboard.press("Enter")
        await expect(dialog.get_by_role("alert")).to_contain_text("refused")
        await field.fill(secret)
        await page.keyboard.press("Enter")
        await expect(row(page, "web")).to_be_visible()
        await expect(dialog).to_be_hidden()
        await expect(page.locator(".pill")).to_contain_text("live")
        assert secret not in page.url
        assert secret not in await page.content()
        await page.reload()
        await expect(row(page, "web")).to_be_visible()
        await page.get_by_role("button", name="Keys and help").click()
        await page.get_by_role("button", name="Forget the token").click()
        await expect(page.get_by_label("Token", exact=True)).to_be_visible()
        await expect(row(page, "web")).to_have_count(0)


async def test_a_refusal_that_comes_late_is_none_of_the_token_given_since(
    windows: Windows, tmp_path: Path
) -> None:
    secret = token(tmp_path, "ops")
    async with opened(fleet(spec("web"))) as kit, served(kit.operator, tmp_path) as url:
        page = await windows.open(url, allow=UNAUTHORIZED)
        dialog = page.get_by_role("dialog")
        await expect(dialog).to_be_visible()
        told = await held(page, LIST)
        async with page.expect_request(LIST):
            await page.reload()
        await dialog.get_by_label("Token", exact=True).fill(secret)
        await page.keyboard.press("Enter")
        await expect(dialog).to_be_hidden()
        told.set()
        await expect(row(page, "web")).to_be_visible()
        await expect(dialog).to_be_hidden()


async def test_a_dialog_that_was_put_off_can_be_opened_again(
    windows: Windows, tmp_path: Path
) -> None:
    secret = token(tmp_path, "ops")
    async with opened(fleet(spec("web"))) as kit, served(kit.operator, tmp_path) as url:
        page = await windows.open(url, allow=UNAUTHORIZED)
        await page.get_by_role("button", name="Not now").click()
        await expect(page.get_by_text("A token is needed")).to_be_visible()
        await expect(page.locator(".notes")).to_be_hidden()
        await page.get_by_role("button", name="Enter a token").click()
        await page.get_by_label("Token", exact=True).fill(secret)
        await page.get_by_role("button", name="Use this token").click()
        await expect(row(page, "web")).to_be_visible()


async def test_a_container_that_is_looked_at_without_a_token_says_how_to_give_one(
    windows: Windows, tmp_path: Path
) -> None:
    secret = token(tmp_path, "ops")
    async with opened(fleet(spec("web"))) as kit, served(kit.operator, tmp_path) as url:
        page = await windows.open(url, "#/c/web", allow=UNAUTHORIZED)
        await page.get_by_role("button", name="Not now").click()
        note = page.locator(".notes")
        await expect(note).to_contain_text("without a token")
        await note.get_by_role("button", name="Enter a token").click()
        await page.get_by_label("Token", exact=True).fill(secret)
        await page.get_by_role("button", name="Use this token").click()
        await expect(page.locator(".pill")).to_contain_text("live")
        await expect(note).to_be_hidden()


async def test_a_request_that_is_repeated_is_known_to_be_one(
    windows: Windows, tmp_path: Path
) -> None:
    async with opened(fleet(spec("web"))) as kit, served(kit.operator, tmp_path) as url:
        page = await windows.open(url)
        await expect(row(page, "web")).to_be_visible()
        assert await stopped(page) == [200, False]
        assert await stopped(page) == [200, True]


async def stopped(page: Page) -> list[int | bool]:
    """Ask for a stop with the same key each time: its status, and whether repeated."""
    told: list[int | bool] = await page.evaluate(
        """async () => {
          const { send } = await import("/page/api.js");
          const words = { by: "ada", why: "enough" };
          const told = await send("POST", "/v1/containers/web/stop", words, "one-key");
          return [told.status, told.replayed];
        }"""
    )
    return told


@pytest.mark.parametrize("by", ["token", "door"])
async def test_who_may_only_look_is_told_so(
    windows: Windows, tmp_path: Path, by: str
) -> None:
    async with (
        opened(fleet(spec("web"))) as kit,
        served(kit.operator, tmp_path, read_only=by == "door") as url,
    ):
        page = await windows.open(url, allow=UNAUTHORIZED)
        await expect(row(page, "web")).to_be_visible()
        tag = page.get_by_text("read-only")
        if by == "token":
            await expect(tag).to_be_hidden()
            secret = token(tmp_path, "ops")
            await page.reload()
            await page.get_by_label("Token", exact=True).fill(secret)
            await page.keyboard.press("Enter")
        await expect(tag).to_be_visible()
