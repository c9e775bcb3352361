"""How the page looks and is used: dark and light, narrow, by keyboard, by ear."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import Locator, Page, expect

from tests.page.kit import Windows, cell, is_accessible, row, served, until
from tests.runtime.kit import HOLD, LIMIT_MS, fleet, opened, spec, value

pytestmark = pytest.mark.asyncio(loop_scope="session")

NARROW = {"width": 360, "height": 740}
LONG = f"a-{'long-' * 12}1"


@asynccontextmanager
async def scene(folder: Path) -> AsyncIterator[str]:
    """Serve a fleet in which each container is where it stays: no control goes away."""
    late = spec("late", start_timeout_ms=600_000)
    declared = fleet(spec("web"), late, spec(LONG), spec("dead", HOLD))
    async with opened(declared) as kit, served(kit.operator, folder) as url:
        for name in ("web", LONG):
            await value(kit.operator.wait(name, limit_ms=LIMIT_MS))
        await kit.container("late", "running")
        await kit.container("dead", "crash_looping")
        yield url


async def lightness(page: Page, selector: str) -> float:
    """Measure how bright the background of an element is, from 0 to 255."""
    found: float = await page.evaluate(
        """(selector) => {
          const drawn = document.createElement("canvas").getContext("2d");
          const node = document.querySelector(selector);
          drawn.fillStyle = getComputedStyle(node).backgroundColor;
          drawn.fillRect(0, 0, 1, 1);
          const [red, green, blue] = drawn.getImageData(0, 0, 1, 1).data;
          return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
        }""",
        selector,
    )
    return found


async def test_the_page_follows_the_system_until_a_theme_is_chosen(
    windows: Windows, tmp_path: Path
) -> None:
    async with scene(tmp_path) as url:
        page = await windows.open(url, color_scheme="dark")
        await expect(row(page, "web")).to_be_visible()
        assert await lightness(page, "html") < 40
        await page.emulate_media(color_scheme="light")
        assert await lightness(page, "html") > 220
        switch = page.get_by_role("button", name="Theme")
        await switch.click()
        await switch.click()
        await expect(switch).to_have_accessible_name("Theme: dark")
        assert await lightness(page, "html") < 40
        await page.reload()
        await expect(row(page, "web")).to_be_visible()
        assert await lightness(page, "html") < 40
        assert await lightness(page, "#top") < 60


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 360])
async def test_axe_has_nothing_to_say(
    windows: Windows, tmp_path: Path, scheme: str, width: int
) -> None:
    async with scene(tmp_path) as url:
        page = await windows.open(
            url, color_scheme=scheme, viewport={"width": width, "height": 740}
        )
        await expect(cell(page, "dead", "phase")).to_have_text("crash looping")
        await expect(page.locator(".pill")).to_contain_text("live")
        await is_accessible(page)
        await page.get_by_role("button", name="crash looping").click()
        await expect(page.get_by_text("1 of 4 shown")).to_be_visible()
        await is_accessible(page)
        await page.get_by_role("button", name="Keys and help").click()
        await expect(page.get_by_role("dialog")).to_be_visible()
        await is_accessible(page)


async def test_nothing_is_cut_off_at_360_pixels(
    windows: Windows, tmp_path: Path
) -> None:
    async with scene(tmp_path) as url:
        page = await windows.open(url, viewport=NARROW, has_touch=True)
        await expect(row(page, "dead")).to_be_visible()
        wide = "document.documentElement.scrollWidth"
        assert await page.evaluate(wide) == NARROW["width"]
        for column in ("name", "phase", "why", "restarts", "crashes", "exit"):
            box = await cell(page, "dead", column).bounding_box()
            assert box is not None, column
            assert box["x"] >= 0, column
            assert box["x"] + box["width"] <= NARROW["width"], column
        await page.get_by_role("combobox", name="Sort").select_option("phase")
        await until(page, "document.querySelector('tr[data-name]').dataset.name")
        first = page.locator("tr[data-name]").first
        await expect(first).to_have_attribute("data-name", "dead")


async def test_who_may_only_look_at_360_pixels_can_still_read_whose_fleet_it_is(
    windows: Windows, tmp_path: Path
) -> None:
    async with (
        opened(fleet(spec("web"))) as kit,
        served(kit.operator, tmp_path, read_only=True) as url,
    ):
        page = await windows.open(url, viewport=NARROW, has_touch=True)
        await expect(page.get_by_text("read-only")).to_be_visible()
        name = page.locator(".brand .name")
        await expect(name).to_have_text("demo")
        assert await name.evaluate("node => node.scrollWidth <= node.clientWidth")
        wide = "document.documentElement.scrollWidth"
        assert await page.evaluate(wide) == NARROW["width"]


async def test_a_key_that_the_past_has_borrowed_is_given_back(
    windows: Windows, tmp_path: Path
) -> None:
    async with scene(tmp_path) as url:
        page = await windows.open(url)
        pill, pause = page.locator(".pill"), page.get_by_role("button", name="Pause")
        await expect(pill).to_contain_text("live")
        await expect(pause).to_have_attribute("title", re.compile(r"\(p\)$"))
        await page.get_by_role("link", name="Past", exact=True).click()
        await expect(page.get_by_role("heading", name="The past")).to_be_visible()
        await expect(pause).not_to_have_attribute("title", re.compile(r"\(p\)$"))
        await page.keyboard.press("?")
        dialog = page.get_by_role("dialog")
        await expect(dialog).to_contain_text("the past: play or pause")
        await expect(dialog).not_to_contain_text("pause or go on")
        await page.keyboard.press("Escape")
        await page.get_by_role("link", name="Fleet", exact=True).click()
        await expect(row(page, "web")).to_be_visible()
        await expect(pause).to_have_attribute("title", re.compile(r"\(p\)$"))
        await page.keyboard.press("p")
        await expect(pill).to_contain_text("paused")


async def test_everything_can_be_reached_by_keyboard(
    windows: Windows, tmp_path: Path
) -> None:
    async with scene(tmp_path) as url:
        page = await windows.open(url)
        await expect(row(page, "web")).to_be_visible()
        press = page.keyboard.press
        await press("Tab")
        skip = page.get_by_role("link", name="Skip to the content")
        await expect(skip).to_be_focused()
        await expect(skip).to_be_in_viewport()
        await press("/")
        field = page.get_by_role("searchbox")
        await expect(field).to_be_focused()
        await page.keyboard.type("e")
        await expect(page.get_by_text("shown")).to_be_visible()
        await press("Escape")
        await expect(field).not_to_be_focused()
        await press("Escape")
        await expect(field).to_have_value("")
        order = [LONG, "dead", "late", "web"]
        for name in order:
            await press("j")
            await expect(row(page, name).get_by_role("link")).to_be_focused()
        await press("j")
        await press("k")
        await expect(row(page, "late").get_by_role("link")).to_be_focused()
        await page.get_by_role("button", name="Restarts").focus()
        await press("Enter")
        await expect(
            page.get_by_role("columnheader", name="Restarts")
        ).to_have_attribute("aria-sort", "descending")
        await press("p")
        await expect(page.locator(".pill")).to_contain_text("paused")
        await press("p")
        await expect(page.locator(".pill")).to_contain_text("live")
        await press("?")
        dialog = page.get_by_role("dialog")
        await expect(dialog).to_contain_text("next container")
        await press("Escape")
        await expect(dialog).to_be_hidden()
        await row(page, "web").get_by_role("link").focus()
        await press("Enter")
        await until(page, "location.hash === '#/c/web'")
        await expect(page).to_have_title("web · demo")


async def test_a_control_that_has_the_focus_shows_it(
    windows: Windows, tmp_path: Path
) -> None:
    async with scene(tmp_path) as url:
        page = await windows.open(url)
        await expect(row(page, "web")).to_be_visible()
        for _ in range(12):
            await page.keyboard.press("Tab")
            outline = await page.evaluate(
                "getComputedStyle(document.activeElement).outlineStyle"
            )
            place = await page.evaluate("document.activeElement.outerHTML.slice(0, 80)")
            assert outline == "solid", place


async def test_times_are_told_as_they_are_asked_for(
    windows: Windows, tmp_path: Path
) -> None:
    async with scene(tmp_path) as url:
        page = await windows.open(url, timezone_id="Asia/Kolkata")
        looked = page.locator(".fleet-facts time")
        await expect(looked).to_contain_text("ago")
        switch = page.get_by_role("combobox", name="How times are told")
        await switch.select_option("utc")
        moment, text = await told(looked)
        assert text == f"{moment[11:19]} UTC"
        await switch.select_option("local")
        moment, text = await told(looked)
        minutes = (int(moment[11:13]) * 60 + int(moment[14:16]) + 330) % 1440
        assert text == f"{minutes // 60:02}:{minutes % 60:02}{moment[16:19]}"
        zone = re.compile(r"UTC\+05:30$")
        await expect(looked).to_have_attribute("title", zone)
        await page.reload()
        await expect(looked).to_have_attribute("title", zone)
        await expect(switch).to_have_value("local")


async def told(looked: Locator) -> tuple[str, str]:
    """Read a moment and how it is shown, both at once: it may be another one soon."""
    moment, text = await looked.evaluate("node => [node.dateTime, node.textContent]")
    return moment, text
