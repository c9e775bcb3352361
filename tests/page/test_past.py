"""The time slider in a browser: any place of the journal, and what happened there."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import Locator, Page, Route, expect

from orchestrator import FleetSpec, MemoryJournal
from orchestrator.api import pages_of_events
from orchestrator.core.errors import JournalCompacted
from orchestrator.core.events import ContainerEnded
from orchestrator.core.explain import ContainerInfo
from orchestrator.replay.places import AfterRow
from orchestrator.runtime.recovery import snapshot_of
from orchestrator.runtime.reports import EventRecord
from tests.page.kit import Windows, cell, is_accessible, names, served, until
from tests.page.scenes import Scene, card, scene
from tests.runtime.kit import LIMIT_MS, fleet, opened, spec, value

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def events(it: Scene) -> dict[int, EventRecord]:
    return {record.seq: record for record in await value(it.kit.operator.events(0))}


async def at(it: Scene, row: int) -> dict[str, ContainerInfo]:
    seen = await value(it.kit.operator.list_containers(at=AfterRow(row)))
    return {info.name: info for info in seen}


async def stands_at(page: Page, row: int) -> None:
    """Wait until everything shows this row, and the URL says so."""
    await expect(page.locator(".place")).to_contain_text(f"Row {row} of")
    await expect(slider(page)).to_have_value(str(row))
    await until(page, "!document.querySelector('.past').hasAttribute('aria-busy')")
    place = await page.evaluate("location.hash")
    assert re.fullmatch(rf"#/past\?at={row}(&follow=.*)?", place), place


@asynccontextmanager
async def compacted(
    declared: FleetSpec, folder: Path
) -> AsyncIterator[tuple[str, int]]:
    """Serve a fleet whose journal begins behind a row: yield the URL, and that row."""
    written = MemoryJournal()
    async with opened(declared, journal=written) as kit:
        await kit.container("web", "running")
    head = await value(written.head())
    shortened = MemoryJournal(snapshot_of(kit.operator.fleet, head))
    async with (
        opened(declared, journal=shortened) as kit,
        served(kit.operator, folder) as url,
    ):
        await kit.container("web", "running")
        yield url, head.seq


def note(page: Page) -> Locator:
    return page.locator(".note-box")


def slider(page: Page) -> Locator:
    return page.get_by_role("slider", name="Row of the journal")


async def test_at_every_row_the_fleet_is_shown_as_it_was(
    windows: Windows, tmp_path: Path
) -> None:
    async with scene(tmp_path) as it:
        tall = {"width": 1_280, "height": 2_000}
        page = await windows.open(it.url, "#/past?at=0", viewport=tall)
        await stands_at(page, 0)
        await expect(page.get_by_text("There was no container yet.")).to_be_visible()
        await slider(page).focus()
        for row in range(1, 13):
            await page.keyboard.press("ArrowRight")
            await stands_at(page, row)
            seen = await at(it, row)
            assert await names(page) == sorted(seen)
            for name, info in seen.items():
                shown = cell(page, name, "why")
                await expect(shown).to_have_text(info.why)


async def test_the_slider_and_its_keys_move_by_rows_and_stand_in_the_url(
    windows: Windows, tmp_path: Path
) -> None:
    async with scene(tmp_path) as it:
        page = await windows.open(it.url, "#/past?at=5")
        await stands_at(page, 5)
        await page.keyboard.press("ArrowLeft")
        await stands_at(page, 4)
        await page.keyboard.press("ArrowRight")
        await page.keyboard.press("ArrowRight")
        await stands_at(page, 6)
        await slider(page).focus()
        await page.keyboard.press("Home")
        await stands_at(page, 0)
        await page.get_by_role("button", name="To the newest row").click()
        await stands_at(page, it.seq)
        await page.get_by_role("button", name="One row back").click()
        await stands_at(page, it.seq - 1)
        number = page.get_by_role("spinbutton", name="Row number")
        await number.fill("3")
        await number.press("Enter")
        await stands_at(page, 3)
        said = await slider(page).get_attribute("aria-valuetext")
        assert re.match(rf"row 3 of {it.seq}, \d{{4}}-", said or "")
        # A row is a whole number, and nothing is no row.
        await number.fill("2.6")
        await number.press("Enter")
        await stands_at(page, 3)
        await number.fill("")
        await number.press("Enter")
        await stands_at(page, 3)
        await expect(number).to_have_value("3")
        await page.evaluate("location.hash = '#/past?at=7'")
        await stands_at(page, 7)
        await page.evaluate("location.hash = '#/past'")
        await stands_at(page, it.seq)
        await page.evaluate("location.hash = '#/past?at=7'")
        await stands_at(page, 7)
        await page.evaluate("location.hash = '#/past?at=99999999'")
        await stands_at(page, it.seq)


async def test_a_row_is_told_with_what_was_decided_and_what_changed(
    windows: Windows, tmp_path: Path
) -> None:
    async with scene(tmp_path) as it:
        ended = next(
            seq
            for seq, record in (await events(it)).items()
            if isinstance(record.event, ContainerEnded) and record.event.name == "dead"
        )
        page = await windows.open(it.url, f"#/past?at={ended}")
        await stands_at(page, ended)
        step = card(page, "step")
        words = step.locator(".step-words")
        await expect(words).to_have_text("✕ dead: run 1 ended: exit 1")
        rules = step.locator(".rules")
        await expect(rules).to_contain_text("it fails too often")
        await expect(rules.locator("code")).to_have_text("crash_loop_hold")
        changed = card(page, "changes").locator('.changed[data-name="dead"]')
        phases = await changed.locator("h3 .phase").all_inner_texts()
        assert [text.strip() for text in phases][-1] == "crash looping"
        total = changed.get_by_role("row", name="history.crashes total")
        await expect(total.locator("del")).to_have_text("0")
        await expect(total.locator("ins")).to_have_text("1")
        await step.get_by_text("The event as JSON").click()
        await expect(step.locator("pre")).to_contain_text('"container_ended"')
        link = changed.get_by_role("link", name="dead")
        await expect(link).to_have_attribute("href", f"#/c/dead?at={ended}")


async def test_commands_are_told_where_they_were_decided(
    windows: Windows, tmp_path: Path
) -> None:
    async with scene(tmp_path) as it:
        page = await windows.open(it.url, "#/past?at=3")
        await stands_at(page, 3)
        commanded = card(page, "step").locator(".commanded li")
        await expect(commanded).to_have_text(
            [f"\u203a start {name} run 1" for name in ("dead", "doomed", "job", "web")]
        )


async def test_jumps_lead_along_the_rows_of_one_container(
    windows: Windows, tmp_path: Path
) -> None:
    async with scene(tmp_path) as it:
        own = [
            seq
            for seq, record in (await events(it)).items()
            if getattr(record.event, "name", None) == "job"
        ]
        page = await windows.open(it.url, f"#/past?at={own[0]}")
        await stands_at(page, own[0])
        follow = page.get_by_role("button", name="Next row of the container")
        await follow.click()
        await expect(note(page)).to_contain_text("Choose a container first")
        chosen = page.get_by_label("Container to follow")
        await chosen.fill("job")
        await chosen.press("Enter")
        for row in own[1:]:
            await follow.click()
            await stands_at(page, row)
        await expect(note(page)).to_have_count(0)
        place = await page.evaluate("location.hash")
        assert place == f"#/past?at={own[-1]}&follow=job"
        await follow.click()
        await expect(note(page)).to_contain_text("There is no row of job")
        await page.get_by_role("heading", level=1).click()
        for row in reversed(own[:-1]):
            await page.keyboard.press(",")
            await stands_at(page, row)


async def test_jumps_go_on_where_the_operator_has_looked_at_enough_rows(
    windows: Windows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with scene(tmp_path) as it:
        page = await windows.open(it.url, "#/past?at=0&follow=job")
        await stands_at(page, 0)
        rows = "fetch('/v1/events?name=job').then(answer => answer.json())"
        own = await page.evaluate(f"{rows}.then(rows => rows.map(row => row.seq))")
        assert len(own) > 4
        # As a journal of a million rows is for what may be looked at in one go.
        monkeypatch.setattr(pages_of_events, "PAGE", 1)
        monkeypatch.setattr(pages_of_events, "SIFTED_MAX", 1)
        for row in own:
            await page.get_by_role("button", name="Next row of the container").click()
            await stands_at(page, row)
        for row in reversed(own[:-1]):
            await page.get_by_role("button", name="Previous row of").click()
            await stands_at(page, row)
        await page.evaluate("location.hash = '#/c/job'")
        listed = card(page, "events").locator(".events > li")
        await expect(listed).to_have_count(len(own))


async def test_a_past_that_failed_to_come_is_asked_for_again(
    windows: Windows, tmp_path: Path
) -> None:
    async def busy(route: Route) -> None:
        error = {"error": {"code": "busy", "message": "BUSY NOW"}}
        await route.fulfill(status=503, json=error)

    async with scene(tmp_path) as it:
        page = await windows.open(it.url, allow="status of 503")
        await expect(cell(page, "web", "name")).to_be_visible()
        await page.route("**/v1/events?limit=1", busy)
        await page.evaluate("location.hash = '#/past?at=4'")
        await expect(note(page)).to_contain_text("BUSY NOW")
        await page.unroute("**/v1/events?limit=1", busy)
        await note(page).get_by_role("button", name="Try again").click()
        await stands_at(page, 4)
        await expect(note(page)).to_have_count(0)


async def test_jumps_lead_to_every_crash_and_to_nothing_else(
    windows: Windows, tmp_path: Path
) -> None:
    async with scene(tmp_path) as it:
        await value(it.kit.operator.start_container("dead", force=True))
        await it.kit.until(lambda: it.kit.operator.fleet.containers["dead"].run == 2)
        await it.kit.container("dead", "crash_looping")
        ends = {
            seq: record.event.name
            for seq, record in (await events(it)).items()
            if isinstance(record.event, ContainerEnded)
        }
        crashes = [seq for seq, name in ends.items() if name in {"dead", "doomed"}]
        page = await windows.open(it.url, "#/past?at=0")
        await stands_at(page, 0)
        for row in crashes:
            await page.keyboard.press("x")
            await stands_at(page, row)
        await page.keyboard.press("x")
        await expect(note(page)).to_contain_text("There is no crash after")
        for row in reversed(crashes[:-1]):
            await page.get_by_role("button", name="Previous crash").click()
            await stands_at(page, row)
        await page.evaluate("location.hash = '#/past?at=0&follow=dead'")
        await stands_at(page, 0)
        for row in (seq for seq in crashes if ends[seq] == "dead"):
            await page.get_by_role("button", name="Next crash").click()
            await stands_at(page, row)


async def test_the_past_is_played_and_stops_at_its_end(
    windows: Windows, tmp_path: Path
) -> None:
    async with scene(tmp_path) as it:
        last = it.seq
        page = await windows.open(it.url, f"#/past?at={last - 3}")
        await stands_at(page, last - 3)
        await page.get_by_label("Speed").select_option("12 rows a second")
        await page.get_by_role("button", name="Play").click()
        await expect(page.get_by_role("button", name="Play")).to_be_visible()
        await stands_at(page, it.seq)
        assert it.seq == last, "nothing that only looks becomes a row"


async def test_who_drags_sees_the_last_place_and_no_older_answer_later(
    windows: Windows, tmp_path: Path
) -> None:
    """The answer of a place that was left comes late, and is not shown."""
    async with scene(tmp_path) as it:
        page = await windows.open(it.url, "#/past?at=1")
        await stands_at(page, 1)
        late = asyncio.Event()

        async def held_back(route: Route) -> None:
            if route.request.url.endswith("/steps/4"):
                await late.wait()
            await route.continue_()

        await page.route("**/v1/steps/*", held_back)
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        number = page.get_by_role("spinbutton", name="Row number")
        await number.fill("4")
        async with page.expect_request("**/v1/steps/4"):
            await number.press("Enter")
        await slider(page).focus()
        for _ in range(4):
            await page.keyboard.press("ArrowRight")
        await stands_at(page, 8)
        late.set()
        shown = await page.locator(".step-words").inner_text()
        await page.evaluate("fetch('/v1/fleet')")
        assert await page.locator(".step-words").inner_text() == shown
        steps = [url.rsplit("/", 1)[1] for url in asked if "/v1/steps/" in url]
        assert steps[0] == "4"
        assert steps[-1] == "8"


async def test_the_plots_of_the_fleet_lead_to_a_place(
    windows: Windows, tmp_path: Path
) -> None:
    async with scene(tmp_path) as it:
        page = await windows.open(it.url, "#/past?at=1")
        plots = card(page, "plots")
        told_of = re.compile("^The fleet: .*2 crashes in all")
        await expect(plots.get_by_role("group", name=told_of)).to_be_visible()
        await expect(plots).to_contain_text(f"Rows 1 to {it.seq}.")
        column = plots.locator(".column:has(.crashes)").first
        await column.hover()
        line = plots.locator(".readout")
        facts = re.compile(r"\d of 4 ready .*crash.*up to row")
        await expect(line).to_contain_text(facts)
        told = re.search(r"up to row (\d+)", await line.inner_text())
        assert told is not None
        await column.focus()
        await page.keyboard.press("Enter")
        await stands_at(page, int(told[1]))
        whole = plots.get_by_role("button", name="the whole journal")
        await whole.click()
        await expect(whole).to_have_attribute("aria-pressed", "true")
        cursor = plots.locator(".cursor")
        await expect(cursor).to_have_attribute("visibility", "visible")


async def test_the_slider_grows_with_the_journal(
    windows: Windows, tmp_path: Path
) -> None:
    async with scene(tmp_path) as it:
        page = await windows.open(it.url, "#/past?at=2")
        await stands_at(page, 2)
        await value(it.kit.operator.stop_container("web"))
        await it.kit.container("web", "stopped")
        async with asyncio.timeout(LIMIT_MS / 1_000):
            # Which row is the newest is asked each time: another one may come yet.
            while await slider(page).get_attribute("max") != str(it.seq):
                await page.evaluate("new Promise(requestAnimationFrame)")
        head = await slider(page).get_attribute("max")
        await expect(page.locator(".place")).to_contain_text(f"Row 2 of {head}")


async def test_the_fleet_of_the_past_is_filtered_and_leads_to_its_containers(
    windows: Windows, tmp_path: Path
) -> None:
    async with scene(tmp_path) as it:
        page = await windows.open(it.url, f"#/past?at={it.seq}")
        await stands_at(page, it.seq)
        counts = page.get_by_role("list", name="Containers by phase")
        await expect(counts).to_contain_text("1 crash looping")
        await page.get_by_label("Filter the fleet").fill("crash")
        await expect(cell(page, "web", "name")).to_have_count(0)
        assert await names(page) == ["dead"]
        await page.get_by_role("link", name="dead", exact=True).last.click()
        await expect(note(page)).to_contain_text("This is how it was")
        await page.get_by_role("link", name="the fleet at this place").click()
        await stands_at(page, it.seq)


async def test_a_journal_that_was_compacted_is_seen_from_where_it_begins(
    windows: Windows, tmp_path: Path
) -> None:
    async with compacted(fleet(spec("web"), spec("late")), tmp_path) as (url, base):
        first = base + 1
        page = await windows.open(url, f"#/past?at={first}", allow="status of 410")
        await stands_at(page, first)
        await expect(note(page)).to_contain_text(f"behind row {base}")
        await expect(slider(page)).to_have_attribute("min", str(base))
        await slider(page).focus()
        await page.keyboard.press("Home")
        await stands_at(page, base)
        await expect(card(page, "step")).to_contain_text("what it was is not kept")
        # What was said of a place that is gone is said no more elsewhere.
        await page.evaluate("location.hash = '#/'")
        await page.evaluate("location.hash = '#/past?at=1'")
        behind = JournalCompacted(asked=1, base=base)
        await expect(note(page)).to_contain_text(behind.message)
        await note(page).get_by_role("button", name=f"To row {first}").click()
        await stands_at(page, first)
        await expect(note(page)).not_to_contain_text(behind.message)
        await expect(note(page)).to_contain_text(f"behind row {base}")
        # What was compacted away is said in a sentence, wherever it is asked for.
        old = await windows.open(url, "#/c/web?at=1")
        await expect(old.locator(".note-box")).to_contain_text(behind.message)
        await old.get_by_role("link", name=f"To row {first}").click()
        told = f"This is how it was after row {first}"
        await expect(old.locator(".note-box")).to_contain_text(told)
        await expect(card(old, "why").locator(".phase")).to_be_visible()


async def test_who_comes_back_before_another_view_was_loaded_stays_in_the_past(
    windows: Windows, tmp_path: Path
) -> None:
    async with scene(tmp_path) as it:
        page = await windows.open(it.url, "#/past?at=5")
        await stands_at(page, 5)
        await page.evaluate(
            """() => {
              for (const hash of ["#/", "#/past?at=4"]) {
                history.pushState(null, "", hash);
                dispatchEvent(new HashChangeEvent("hashchange"));
              }
            }"""
        )
        await stands_at(page, 4)
        await page.keyboard.press("ArrowLeft")
        await stands_at(page, 3)


async def test_a_place_that_is_gone_is_told_whichever_way_it_is_asked_for(
    windows: Windows, tmp_path: Path
) -> None:
    async with compacted(fleet(spec("web")), tmp_path) as (url, base):
        first = base + 1
        page = await windows.open(url, f"#/past?at={first}", allow="status of 410")
        await stands_at(page, first)
        await page.evaluate("location.hash = '#/past?at=1'")
        behind = JournalCompacted(asked=1, base=base)
        await expect(note(page)).to_contain_text(behind.message)
        await page.keyboard.press("ArrowRight")
        await stands_at(page, base)
        await expect(note(page)).not_to_contain_text(behind.message)


@pytest.mark.parametrize("look", ["light", "dark"])
async def test_it_is_accessible_and_fits_a_narrow_screen(
    windows: Windows, tmp_path: Path, look: str
) -> None:
    async with scene(tmp_path) as it:
        for width in (1_280, 360):
            page = await windows.open(
                it.url,
                f"#/past?at={it.seq - 1}",
                color_scheme=look,
                viewport={"width": width, "height": 740},
            )
            await stands_at(page, it.seq - 1)
            await expect(card(page, "plots").locator(".column").first).to_be_visible()
            wide = "document.documentElement.scrollWidth"
            assert await page.evaluate(wide) == width
            await is_accessible(page)
