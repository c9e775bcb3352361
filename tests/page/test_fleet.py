"""The fleet in a browser: what its table shows, filters, sorts, keeps in the URL."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import attrs
import pytest
from playwright.async_api import Page, expect

from orchestrator.core.fleet_specs import FleetSpec
from orchestrator.core.phases import PHASE_NAMES
from tests.page.kit import Windows, cell, is_live, names, row, served, until
from tests.runtime.kit import HOLD, LIMIT_MS, NEVER, Kit, fleet, opened, spec, value

pytestmark = pytest.mark.asyncio(loop_scope="session")

DECLARED = (
    *map(spec, ("web-10", "web-2", "web-1")),
    spec("late", start_timeout_ms=600_000),
)
BY_NAME = ["dead", "doomed", "late", "web-1", "web-2", "web-10"]


@attrs.frozen
class Scene:
    kit: Kit
    declared: FleetSpec
    url: str


@asynccontextmanager
async def scene(folder: Path) -> AsyncIterator[Scene]:
    """Open the fleet, wait until each container is where it stays, and serve it."""
    declared = fleet(*DECLARED, spec("dead", HOLD), spec("doomed", NEVER))
    async with opened(declared) as kit:
        await kit.container("late", "running")
        await kit.container("dead", "crash_looping")
        await kit.container("doomed", "failed")
        for name in ("web-1", "web-2", "web-10"):
            await value(kit.operator.wait(name, limit_ms=LIMIT_MS))
        async with served(kit.operator, folder) as url:
            yield Scene(kit, declared, url)


@asynccontextmanager
async def many(
    windows: Windows, folder: Path, count: int, path: str = "", **look: Any
) -> AsyncIterator[Page]:
    """Show a fleet of so many, all of which run: nothing moves under the pointer."""
    declared = fleet(*(spec(f"c-{number}") for number in range(count)))
    async with opened(declared) as kit, served(kit.operator, folder) as url:
        await kit.until(lambda: all(one.ready for one in kit.operator.infos()))
        page = await windows.open(url, path, **look)
        await expect(page.get_by_text(f"{count} ready")).to_be_visible()
        await is_live(page)
        yield page


async def test_the_table_says_of_each_container_what_its_owner_wants_to_know(
    windows: Windows, tmp_path: Path
) -> None:
    async with scene(tmp_path) as it:
        page = await windows.open(it.url)
        await expect(page.get_by_role("heading", level=1)).to_have_text("6 containers")
        await expect(page).to_have_title("demo")
        assert await names(page) == BY_NAME
        await expect(cell(page, "web-1", "phase")).to_have_text("running")
        await expect(cell(page, "late", "phase")).to_have_text("not ready")
        await expect(cell(page, "dead", "phase")).to_have_text("crash looping")
        await expect(cell(page, "dead", "exit")).to_have_text("exit 1")
        await expect(cell(page, "dead", "crashes")).to_have_text("1")
        await expect(cell(page, "dead", "why")).to_contain_text("it fails too often")
        await expect(cell(page, "web-1", "rev")).to_have_text("1")
        await expect(cell(page, "web-1", "age")).to_contain_text(" s")
        await expect(cell(page, "dead", "age")).to_have_text("\u2013")
        pressed = page.locator(".chip")
        counts = await pressed.all_inner_texts()
        assert [" ".join(text.split()) for text in counts] == [
            "crash looping 1",
            "failed 1",
            "not ready 1",
            "running 3",
        ]


async def test_every_phase_is_told_by_a_shape_and_a_word(
    windows: Windows, tmp_path: Path
) -> None:
    async with scene(tmp_path) as it:
        page = await windows.open(it.url)
        await expect(row(page, "dead")).to_be_visible()
        told = await page.evaluate(
            """async () => {
              const { PHASES, badge } = await import("/page/phases.js");
              return PHASES.map((phase) => {
                const made = badge({ phase: phase.name, ready: true });
                const paths = [...made.querySelectorAll("path")];
                const dash = paths.map((path) => path.getAttribute("stroke-dasharray"));
                const drawn = paths.map((path) => path.getAttribute("d"));
                return [phase.name, made.textContent, drawn.concat(dash).join()];
              });
            }"""
        )
        assert {name for name, _, _ in told} == set(PHASE_NAMES.values())
        assert len({word for _, word, _ in told}) == len(PHASE_NAMES)
        assert len({shape for _, _, shape in told}) == len(PHASE_NAMES)


async def test_a_text_filters_by_name_reason_and_exit_and_stands_in_the_url(
    windows: Windows, tmp_path: Path
) -> None:
    async with scene(tmp_path) as it:
        page = await windows.open(it.url)
        field = page.get_by_role("searchbox")
        await field.fill("WEB 1")
        await expect(page.get_by_text("2 of 6 shown")).to_be_visible()
        assert await names(page) == ["web-1", "web-10"]
        await expect(page).to_have_url(f"{it.url}/#/?q=WEB+1")
        await field.fill("fails too")
        await expect(row(page, "dead")).to_be_visible()
        assert await names(page) == ["dead"]
        await field.fill("no such thing")
        await expect(page.get_by_text("No container matches")).to_be_visible()
        await page.locator(".state").get_by_role("button").click()
        await until(page, "document.querySelectorAll('tr[data-name]').length === 6")
        await expect(page).to_have_url(f"{it.url}/#/")


async def test_phases_filter_together_and_the_url_brings_it_all_back(
    windows: Windows, tmp_path: Path
) -> None:
    async with scene(tmp_path) as it:
        page = await windows.open(it.url)
        await page.get_by_role("button", name="failed").click()
        await page.get_by_role("button", name="crash looping").click()
        await expect(page.get_by_text("2 of 6 shown")).to_be_visible()
        assert await names(page) == ["dead", "doomed"]
        await page.get_by_role("button", name="Container").click()
        path = "#/?phase=crash_looping,failed&sort=-name"
        await expect(page).to_have_url(f"{it.url}/{path}")
        again = await windows.open(it.url, path)
        await expect(again.get_by_text("2 of 6 shown")).to_be_visible()
        assert await names(again) == ["doomed", "dead"]
        pressed = again.get_by_role("button", name="failed", pressed=True)
        await expect(pressed).to_be_visible()


async def test_a_heading_sorts_and_says_so(windows: Windows, tmp_path: Path) -> None:
    async with scene(tmp_path) as it:
        page = await windows.open(it.url)
        heading = page.get_by_role("columnheader", name="Phase")
        await heading.get_by_role("button").click()
        await expect(heading).to_have_attribute("aria-sort", "ascending")
        worst_first = ["dead", "doomed", "late", "web-1", "web-2", "web-10"]
        assert await names(page) == worst_first
        await heading.get_by_role("button").click()
        await expect(heading).to_have_attribute("aria-sort", "descending")
        turned = ["web-1", "web-2", "web-10", "late", "doomed", "dead"]
        assert await names(page) == turned
        await expect(page).to_have_url(f"{it.url}/#/?sort=-phase")
        crashes = page.get_by_role("columnheader", name="Crashes")
        await crashes.get_by_role("button").click()
        await expect(heading).not_to_have_attribute("aria-sort", "descending")
        assert (await names(page))[0] in {"dead", "doomed"}


async def test_a_url_that_was_changed_by_hand_is_followed(
    windows: Windows, tmp_path: Path
) -> None:
    async with scene(tmp_path) as it:
        page = await windows.open(it.url, "#/?q=web&sort=-name")
        await expect(row(page, "web-1")).to_be_visible()
        assert await names(page) == ["web-10", "web-2", "web-1"]
        await page.evaluate("location.hash = '#/?q=late'")
        await expect(row(page, "late")).to_be_visible()
        assert await names(page) == ["late"]
        await expect(page.get_by_role("searchbox")).to_have_value("late")
        await page.evaluate("location.hash = '#/?phase=nonsense&rev=x&sort=what'")
        await until(page, "document.querySelectorAll('tr[data-name]').length === 6")
        await page.evaluate("location.hash = '#/nowhere/at/all'")
        await expect(page.get_by_text("There is no such page.")).to_be_visible()


async def test_a_revision_can_be_picked_once_there_are_two(
    windows: Windows, tmp_path: Path
) -> None:
    async with scene(tmp_path) as it:
        page = await windows.open(it.url)
        revisions = page.get_by_role("combobox", name="Revision")
        await expect(row(page, "dead")).to_be_visible()
        await expect(revisions).to_be_hidden()
        newer = spec("web-2", command=("run", "anew"))
        same = (each for each in it.declared.containers if each.name != "web-2")
        await value(it.kit.operator.apply(fleet(newer, *same)))
        await revisions.select_option("2")
        await expect(page.get_by_text("1 of 6 shown")).to_be_visible()
        assert await names(page) == ["web-2"]
        await expect(page).to_have_url(f"{it.url}/#/?rev=2")


async def test_an_empty_fleet_says_how_to_fill_it(
    windows: Windows, tmp_path: Path
) -> None:
    async with opened(fleet()) as kit, served(kit.operator, tmp_path) as url:
        page = await windows.open(url)
        await expect(page.get_by_text("This fleet has no containers")).to_be_visible()
        await value(kit.operator.start_container("newcomer"))
        await expect(row(page, "newcomer")).to_be_visible()
        await expect(cell(page, "newcomer", "name")).to_contain_text("ad hoc")


@pytest.mark.parametrize("width", [1280, 360])
async def test_a_fleet_of_hundreds_keeps_only_the_rows_in_sight(
    windows: Windows, tmp_path: Path, width: int
) -> None:
    """In the middle and at the end, the rows in sight are there, without a hole."""
    size = {"width": width, "height": 800}
    async with many(windows, tmp_path, 400, viewport=size) as page:
        await expect(row(page, "c-0")).to_be_visible()
        table = page.get_by_role("table")
        await expect(table).to_have_attribute("aria-rowcount", "401")
        await page.evaluate("scrollTo(0, document.body.scrollHeight / 2)")
        await until(page, FILLED, 8)
        assert await page.locator("tr[data-name]").count() < 60
        await expect(row(page, "c-0")).to_have_count(0)
        await page.evaluate("scrollTo(0, document.body.scrollHeight)")
        await expect(row(page, "c-399")).to_be_in_viewport()
        assert await page.locator("tr[data-name]").count() < 60
        assert await row(page, "c-399").get_attribute("aria-rowindex") == "401"


@pytest.mark.parametrize("width", [1280, 1000, 740])
async def test_the_columns_fill_the_table_where_rows_are_left_out(
    windows: Windows, tmp_path: Path, width: int
) -> None:
    size = {"width": width, "height": 800}
    async with many(windows, tmp_path, 100, viewport=size) as page:
        await expect(row(page, "c-0")).to_be_visible()
        await page.evaluate("scrollTo(0, document.body.scrollHeight / 2)")
        await expect(row(page, "c-50")).to_be_visible()
        await expect(row(page, "c-0")).to_have_count(0)
        table, cells = await page.evaluate(
            """() => {
              const right = (node) => node.getBoundingClientRect().right;
              const cells = document.querySelectorAll("tr[data-name='c-50'] td");
              return [right(document.querySelector("table")), [...cells].map(right)];
            }"""
        )
        assert abs(table - max(cells)) < 4


async def test_who_comes_back_from_a_container_stands_where_they_left(
    windows: Windows, tmp_path: Path
) -> None:
    async with many(windows, tmp_path, 200, "#/?sort=-name") as page:
        await expect(row(page, "c-199")).to_be_visible()
        await page.evaluate("scrollTo(0, document.body.scrollHeight / 2)")
        await expect(row(page, "c-100")).to_be_in_viewport()
        await cell(page, "c-100", "why").click()
        await expect(page).to_have_title("c-100 · demo")
        await page.go_back()
        await expect(row(page, "c-100")).to_be_in_viewport()
        await expect(row(page, "c-100").get_by_role("link")).to_be_focused()
        await page.keyboard.press("j")
        await expect(row(page, "c-99").get_by_role("link")).to_be_focused()


async def test_what_needs_attention_is_one_press_away(
    windows: Windows, tmp_path: Path
) -> None:
    async with scene(tmp_path) as it:
        page = await windows.open(it.url)
        await page.get_by_role("link", name="3 need attention").click()
        await expect(page.get_by_text("3 of 6 shown")).to_be_visible()
        assert await names(page) == ["dead", "doomed", "late"]


FILLED = """(gap) => {
  const rows = [...document.querySelectorAll("tr[data-name]")];
  const boxes = rows.map((row) => row.getBoundingClientRect());
  const isWhole = boxes.every(
    ({ top }, place) => place === 0 || Math.abs(top - boxes[place - 1].bottom) <= gap
  );
  return isWhole && boxes[0].top < 60 && boxes.at(-1).bottom >= innerHeight;
}"""
"""The rows follow one another, and fill the window."""
