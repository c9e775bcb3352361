"""A container's page in a browser: why, countdown, runs, checks, events, log, spec."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path

import attrs
import pytest
from playwright.async_api import Locator, Response, Route, expect

from orchestrator import When
from orchestrator.core.errors import Unreachable
from orchestrator.core.phases import BackingOff
from orchestrator.platforms.port import LogLine
from tests.page.kit import LIST, Windows, held, is_accessible, is_live, row, until
from tests.page.scenes import MARKUP, Scene, Talking, card, scene
from tests.runtime.kit import LIMIT_MS, fleet, opened, spec, value

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_it_says_why_it_is_there_and_which_rule_decided(
    windows: Windows, tmp_path: Path
) -> None:
    async with scene(tmp_path) as it:
        page = await windows.open(it.url, "#/c/dead")
        why = card(page, "why")
        await expect(page.get_by_role("heading", level=1)).to_have_text("dead")
        await expect(why.locator(".phase")).to_have_text("crash looping")
        told = next(info for info in it.kit.operator.infos() if info.name == "dead").why
        sentence = f"{told[0].upper()}{told[1:]}."
        await expect(why.locator(".why-sentence")).to_have_text(sentence)
        await expect(why.get_by_text("crash_loop_hold")).to_be_visible()
        budget = why.locator(".budget")
        await expect(budget).to_contain_text("1 crash in the last 10 m; 0 are allowed.")
        await expect(budget.locator(".box.over")).to_have_count(1)
        await expect(why.locator(".countdown")).to_be_hidden()
        await expect(why).to_contain_text("exit 1, a failure")


async def test_the_next_start_is_counted_down_by_the_operators_clock(
    windows: Windows, tmp_path: Path
) -> None:
    async with scene(tmp_path) as it:
        phase = it.kit.operator.fleet.containers["doomed"].phase
        assert isinstance(phase, BackingOff)
        page = await windows.open(it.url, "#/c/doomed")
        left = card(page, "why").get_by_role("timer")
        # The page's clock is a little late where what it hears took long to come.
        planned = (phase.until - phase.since) // 1_000
        first = await seconds(left, most=planned)
        await seconds(left, most=first - 1)
        await expect(card(page, "why").get_by_role("progressbar")).to_be_visible()
        bar = "document.querySelector('.countdown-bar').value"
        await until(page, f"0 < {bar} && {bar} < 1")
        # What is forced has nothing to wait for any more.
        await value(it.kit.operator.start_container("doomed", force=True))
        await expect(card(page, "why")).to_contain_text("last run2: exit 1, a failure")


async def seconds(left: Locator, *, most: int) -> int:
    """Wait until a countdown says so many seconds at most, and return how many."""
    async with asyncio.timeout(LIMIT_MS / 1_000):
        while True:
            text = await left.inner_text()
            told = re.fullmatch(r"in(?: (\d+) m)?(?: (\d+) s)?", text)
            assert told is not None, text
            found = 60 * int(told[1] or 0) + int(told[2] or 0)
            if 0 < found <= most:
                return found
            await left.page.evaluate("new Promise(requestAnimationFrame)")


async def test_each_run_is_a_lane_that_tells_its_facts_to_pointer_and_keyboard(
    windows: Windows, tmp_path: Path
) -> None:
    async with scene(tmp_path) as it:
        await value(it.kit.operator.start_container("doomed", force=True))
        await it.kit.until(lambda: it.kit.operator.fleet.containers["doomed"].run == 2)
        await it.kit.container("doomed", "backing_off")
        page = await windows.open(it.url, "#/c/doomed")
        runs = card(page, "runs")
        names = runs.locator(".lane-name")
        await expect(names).to_have_text(["run 1", "run 2", "next"])
        line = runs.locator(".readout")
        await runs.locator(".lane").first.hover()
        await expect(line).to_have_text(re.compile(r"Run 1, .*exit 1 \(a crash\)\."))
        await page.mouse.move(0, 0)
        await runs.locator(".lane").last.focus()
        await expect(line).to_have_text(re.compile("The next start is planned at .*"))
        await page.keyboard.press("ArrowUp")
        await expect(line).to_have_text(re.compile("Run 2, .*"))
        await page.keyboard.press("Home")
        await expect(line).to_have_text(re.compile("Run 1, .*"))
        # The drawing is made anew each second; who stands on a run stays there.
        drawn = "document.querySelector('svg.runs')"
        await page.evaluate(f"window.old = {drawn}")
        await until(page, f"window.old !== {drawn}")
        focused = page.locator(".lane:focus .lane-name")
        await expect(focused).to_have_text("run 1")


async def test_the_runs_stand_in_a_table_as_well(
    windows: Windows, tmp_path: Path
) -> None:
    async with scene(tmp_path) as it:
        page = await windows.open(it.url, "#/c/dead")
        runs = card(page, "runs")
        await runs.get_by_text("The runs as a table").click()
        line = runs.locator("tbody tr")
        await expect(line).to_have_count(1)
        await expect(line.locator("th")).to_have_text("1")
        await expect(line).to_contain_text("exit 1 (crash)")
        await expect(line).to_contain_text("it was declared")
        # Crash and end by us differ in their glyphs, not just in their colours.
        await expect(runs.locator("svg.runs .end")).to_have_text(
            [re.compile("✕ exit 1"), "held"]
        )


async def test_how_far_back_the_runs_go_can_be_chosen(
    windows: Windows, tmp_path: Path
) -> None:
    async with scene(tmp_path) as it:
        page = await windows.open(it.url, "#/c/web")
        runs = card(page, "runs")
        await expect(runs.locator(".lane")).to_have_count(1)
        day = runs.get_by_role("button", name="24 h")
        await day.click()
        await expect(day).to_have_attribute("aria-pressed", "true")
        newest = runs.get_by_role("button", name="newest runs")
        await expect(newest).to_have_attribute("aria-pressed", "false")
        await expect(runs.locator(".axis text").first).to_have_text(
            re.compile(r"[hd]$")
        )


async def test_health_checks_are_told_with_their_verdicts(
    windows: Windows, tmp_path: Path
) -> None:
    async with scene(tmp_path) as it:
        page = await windows.open(it.url, "#/c/web")
        health = card(page, "health")
        await expect(health).to_contain_text("GET /up on port http, every 50 ms")
        await expect(health).to_contain_text("passes since")
        await page.evaluate("location.hash = '#/c/job'")
        await expect(health).to_contain_text("No health check is declared")


async def test_events_come_live_each_with_its_json(
    windows: Windows, tmp_path: Path
) -> None:
    async with scene(tmp_path) as it:
        page = await windows.open(it.url, "#/c/web")
        events = card(page, "events")
        rows = events.locator(".events > li")
        await expect(rows.first).to_be_visible()
        before = await rows.count()
        oldest = rows.last
        await oldest.evaluate("node => { window.kept = node }")
        await value(it.kit.operator.restart_container("web", why=MARKUP))
        newest = events.get_by_text(f"the owner asked to restart it: {MARKUP}")
        await expect(newest).to_be_visible()
        assert await rows.count() > before
        same = "document.querySelector('.events > li:last-child') === window.kept"
        assert await page.evaluate(same), "the list was not made anew"
        await newest.click()
        told = json.loads(await events.locator("pre.json").inner_text())
        assert told["event"]["type"] == "restart_requested"
        assert told["event"]["why"] == MARKUP
        link = events.get_by_role("link", name=f"The fleet after row {told['seq']}")
        await expect(link).to_have_attribute("href", f"#/past?at={told['seq']}")


async def test_events_are_filtered_by_type_and_saved_as_json(
    windows: Windows, tmp_path: Path
) -> None:
    async with scene(tmp_path) as it:
        page = await windows.open(it.url, "#/c/dead")
        events = card(page, "events")
        await expect(events.locator(".events > li").first).to_be_visible()
        await events.get_by_label("Which events").select_option("container_ended")
        await expect(events.locator(".events > li")).to_have_count(1)
        await expect(events).to_contain_text("1 event since the first row there is.")
        async with page.expect_download() as saving:
            await events.get_by_role("button", name="Download as JSON").click()
        saved = await saving.value
        assert saved.suggested_filename == "dead-events.json"
        rows = json.loads((await saved.path()).read_bytes())
        assert "container_ended" in {row["event"]["type"] for row in rows}
        assert [row["seq"] for row in rows] == sorted({row["seq"] for row in rows})


async def test_availability_and_crashes_are_plotted_with_words(
    windows: Windows, tmp_path: Path
) -> None:
    async with scene(tmp_path) as it:
        page = await windows.open(it.url, "#/c/dead")
        plots = card(page, "plots")
        await expect(plots).to_contain_text("1 crash, 0 restarts.")
        drawing = plots.get_by_role("group", name=re.compile("^dead: .*1 crash in all"))
        await expect(drawing).to_be_visible()
        await plots.locator(".column:has(.crashes)").focus()
        await expect(plots.locator(".readout")).to_contain_text("1 crash, up to row")
        await plots.get_by_text("The same as a table").click()
        await expect(plots.locator("tbody tr")).to_have_count(60)
        await page.keyboard.press("Shift+Tab")
        await plots.locator(".column:has(.crashes)").press("Enter")
        await expect(page.get_by_role("heading", level=1)).to_have_text("The past")
        await expect(page.locator(".step-words")).to_contain_text("run 1 ended: exit 1")


async def test_a_plot_that_grows_keeps_the_focus_on_the_same_crash(
    windows: Windows, tmp_path: Path
) -> None:
    async with scene(tmp_path) as it:
        page = await windows.open(it.url, "#/c/dead")
        plots = card(page, "plots")
        drawn = plots.locator("svg.plot")
        crashed = plots.locator(".column:has(.crashes)")
        await crashed.focus()
        await drawn.evaluate("drawing => { drawing.isOld = true; }")
        # Time goes on, and every column has other edges than before.
        await until(page, "() => !document.querySelector('svg.plot').isOld")
        await expect(crashed).to_be_focused()
        await expect(crashed).to_have_attribute("tabindex", "0")
        await expect(plots.locator('.point[tabindex="0"]')).to_have_count(1)


async def test_the_log_is_shown_when_it_is_asked_for(
    windows: Windows, tmp_path: Path
) -> None:
    async with scene(tmp_path) as it:
        page = await windows.open(it.url, "#/c/web")
        log = card(page, "log")
        await expect(log.locator("pre")).to_be_hidden()
        await log.get_by_role("button", name="Show the log").click()
        await expect(log.locator(".line")).to_have_count(2)
        await expect(log.locator(".line.stderr")).to_contain_text(MARKUP)
        await expect(log).to_contain_text("2 lines; the log ends here.")
        async with page.expect_download() as saving:
            await log.get_by_role("button", name="Download").click()
        saved = await saving.value
        assert MARKUP in (await saved.path()).read_text()
        await page.evaluate("location.hash = '#/c/job'")
        await expect(page.get_by_role("heading", level=1)).to_have_text("job")
        await card(page, "log").get_by_role("button", name="Show the log").click()
        await expect(card(page, "log")).to_contain_text("gives no line of a log")


async def test_all_of_a_log_is_saved_whether_it_is_shown_or_not(
    windows: Windows, tmp_path: Path
) -> None:
    async with scene(tmp_path) as it:
        platform = it.kit.platform
        assert isinstance(platform, Talking)
        platform.lines = [
            LogLine(at=1_795_000_000_000 + index, stream="o", text=f"line {index}")
            for index in range(1_500)
        ]
        page = await windows.open(it.url, "#/c/web", timezone_id="Asia/Tokyo")
        log = card(page, "log")
        async with page.expect_download() as saving:
            await log.get_by_role("button", name="Download").click()
        saved = (await (await saving.value).path()).read_text().splitlines()
        assert len(saved) == 1_500
        assert saved[0].endswith("o line 0")
        assert saved[-1].endswith("o line 1499")
        await log.get_by_role("button", name="Show the log").click()
        await expect(log.locator(".line")).to_have_count(1_000)
        # Times follow the switch, also of what is shown already.
        last = log.locator(".line-at").last
        await expect(last).to_have_text("20:06:41.499")
        await page.get_by_label("How times are told").select_option("utc")
        await expect(last).to_have_text("11:06:41.499")


async def test_a_story_that_failed_to_come_leaves_the_card_as_it_was(
    windows: Windows, tmp_path: Path
) -> None:
    async with scene(tmp_path) as it:
        page = await windows.open(it.url, "#/c/web", allow="status of 503")
        runs = card(page, "runs")
        await expect(runs.locator(".lane")).to_have_count(1)
        await page.route("**/timeline*", busy)
        await value(it.kit.operator.restart_container("web"))
        await expect(runs).to_contain_text("BUSY NOW")
        await expect(runs.locator(".lane")).to_have_count(1)
        again = runs.get_by_role("button", name="Try again")
        await expect(again).to_have_count(1)
        await page.unroute("**/timeline*", busy)
        await pressed_away(again)
        await expect(runs.locator(".lane")).to_have_count(2)
        await expect(runs).not_to_contain_text("BUSY NOW")


async def pressed_away(again: Locator) -> None:
    """Press a button until it is gone: what comes meanwhile may take it away, too."""
    async with asyncio.timeout(LIMIT_MS / 1_000):
        while await again.count():
            await again.evaluate_all("nodes => nodes.forEach((node) => node.click())")
            await again.page.evaluate("new Promise(requestAnimationFrame)")


async def busy(route: Route) -> None:
    error = {"error": {"code": "busy", "message": "BUSY NOW"}}
    await route.fulfill(status=503, json=error)


async def test_events_that_failed_to_come_are_asked_for_again(
    windows: Windows, tmp_path: Path
) -> None:
    async with scene(tmp_path) as it:
        page = await windows.open(it.url, allow="status of 503")
        await expect(row(page, "job")).to_be_visible()
        await page.route("**/v1/events?name=job*", busy)
        await page.evaluate("location.hash = '#/c/job'")
        events = card(page, "events")
        await expect(events).to_contain_text("BUSY NOW")
        await page.unroute("**/v1/events?name=job*", busy)
        again = events.get_by_role("button", name="Try again")
        await expect(again).to_have_count(1)
        await pressed_away(again)
        await expect(events).to_contain_text("events since the first row there is.")


async def test_events_in_a_gap_of_the_stream_are_fetched(
    windows: Windows, tmp_path: Path
) -> None:
    async with scene(tmp_path) as it:
        # 503: the operator may be closed while the page still asks for what is new.
        page = await windows.open(it.url, "#/c/web", allow="status of 503")
        events = card(page, "events")
        await value(it.kit.operator.restart_container("web", why="seen"))
        await expect(events.get_by_text("asked to restart it: seen")).to_be_visible()
        await page.get_by_role("button", name="Pause", exact=True).click()
        await value(it.kit.operator.restart_container("web", why="left out"))
        _ = await value(it.kit.operator.wait("web", limit_ms=LIMIT_MS))
        told: list[int] = []

        async def left_out(route: Route) -> None:
            if told:
                await route.continue_()
                return
            told.append(it.seq)
            gap = json.dumps({"from": 1, "to": it.seq})
            hello = json.dumps({"seq": it.seq, "at": None})
            body = f"event: hello\ndata: {hello}\n\nevent: gap\ndata: {gap}\n\n"
            await route.fulfill(body=body, content_type="text/event-stream")

        await page.route("**/v1/events?*with=containers*", left_out)
        await page.get_by_role("button", name="Resume", exact=True).click()
        missed = events.get_by_text("asked to restart it: left out")
        await expect(missed).to_be_visible()
        assert told


async def test_what_is_declared_is_shown_without_its_secrets(
    windows: Windows, tmp_path: Path
) -> None:
    async with scene(tmp_path) as it:
        page = await windows.open(it.url, "#/c/dead")
        declared = card(page, "spec")
        await declared.get_by_text("All of it as JSON").click()
        told = json.loads(await declared.locator("pre").text_content() or "")
        assert told["config"] == {"api_key": "***", "says": MARKUP}
        assert told["command"] == ["run"]
        assert "geheim" not in await page.content()


async def test_who_reads_what_is_declared_goes_on_when_the_fleet_comes_late(
    windows: Windows, tmp_path: Path
) -> None:
    async with scene(tmp_path) as it:
        page = await windows.open(it.url, "#/c/web")
        whole = card(page, "spec").locator("pre")
        await expect(whole).to_be_attached()
        await expect(card(page, "why").locator(".phase")).to_have_text("running")
        await is_live(page)
        told = await held(page, LIST)
        _ = await held(page, "**/v1/containers/web")
        specs: list[Response] = []
        page.on("response", lambda it: specs.append(it) if is_spec(it) else None)
        await page.reload()
        await card(page, "spec").get_by_text("All of it as JSON").click()
        await expect(whole).to_be_visible()
        told.set()
        async with asyncio.timeout(LIMIT_MS / 1_000):
            while len(specs) < 2:
                await page.evaluate("new Promise(requestAnimationFrame)")
        await specs[1].finished()
        await page.evaluate("new Promise((done) => setTimeout(done, 100))")
        await expect(whole).to_be_visible()


def is_spec(response: Response) -> bool:
    return response.url.endswith("/v1/containers/web/spec")


async def test_nothing_that_a_fleet_says_becomes_part_of_the_page(
    windows: Windows, tmp_path: Path
) -> None:
    """In configs, reasons, names of owners, errors of the platform and log lines."""
    async with scene(tmp_path) as it:
        operator, platform = it.kit.operator, it.kit.platform
        await value(operator.stop_container("web", by=MARKUP, why=MARKUP))
        await it.kit.container("web", "stopped")
        platform.order_error = Unreachable(cause=MARKUP)
        await value(operator.start_container("web", by=MARKUP, why=MARKUP))
        assert isinstance(await it.kit.failure("web"), Unreachable)
        page = await windows.open(it.url, "#/c/web")
        await card(page, "log").get_by_role("button", name="Show the log").click()
        await expect(card(page, "why")).to_contain_text(f"{MARKUP}: {MARKUP}")
        for summary in await page.locator("details > summary").all():
            await summary.click()
        await expect(page.locator("details[open] pre.json").first).to_be_visible()
        await page.evaluate("location.hash = '#/c/dead'")
        await expect(card(page, "spec")).to_contain_text(json.dumps(MARKUP)[1:-1])
        await page.evaluate(f"location.hash = '#/past?at={it.seq}'")
        await expect(card(page, "step")).to_be_visible()
        assert await page.title() not in {"1", "2"}
        planted = "document.querySelectorAll('main img, main script, main iframe')"
        assert await page.evaluate(f"{planted}.length") == 0


async def test_a_container_can_be_seen_as_it_was(
    windows: Windows, tmp_path: Path
) -> None:
    async with scene(tmp_path) as it:
        at = it.seq
        await value(it.kit.operator.stop_container("web"))
        await it.kit.container("web", "stopped")
        page = await windows.open(it.url, f"#/c/web?at={at}")
        await expect(card(page, "why").locator(".phase")).to_have_text("running")
        note = page.locator(".note-box")
        await expect(note).to_contain_text(f"This is how it was after row {at}")
        await expect(card(page, "actions")).to_have_count(0)
        await expect(card(page, "log")).to_have_count(0)
        await page.get_by_role("link", name="See it now").click()
        await expect(card(page, "why").locator(".phase")).to_have_text("stopped")
        await expect(card(page, "actions")).to_be_visible()


async def test_a_container_that_there_is_not_is_told_in_a_sentence(
    windows: Windows, tmp_path: Path
) -> None:
    async with scene(tmp_path) as it:
        page = await windows.open(it.url, "#/c/nobody", allow="status of 404")
        await expect(page.locator(".note-box")).to_contain_text("nobody")
        link = page.get_by_role("link", name="Look for it in the past")
        await expect(link).to_have_attribute("href", "#/past?follow=nobody")
        # It may come yet.
        await value(it.kit.operator.start_container("nobody"))
        await expect(card(page, "why").locator(".phase")).to_have_text("running")


@pytest.mark.parametrize("look", ["light", "dark"])
async def test_it_is_accessible_and_fits_a_narrow_screen(
    windows: Windows, tmp_path: Path, look: str
) -> None:
    async with scene(tmp_path) as it:
        for width in (1_280, 360):
            page = await windows.open(
                it.url,
                "#/c/doomed",
                color_scheme=look,
                viewport={"width": width, "height": 740},
            )
            await expect(card(page, "runs").locator(".lane").first).to_be_visible()
            await expect(page.locator(".events > li").first).to_be_visible()
            await page.locator(".events summary").first.click()
            await card(page, "spec").get_by_text("All of it as JSON").click()
            wide = "document.documentElement.scrollWidth"
            assert await page.evaluate(wide) == width
            await is_accessible(page)


async def test_a_run_that_goes_on_is_told_and_the_past_of_many_is_kept_short(
    windows: Windows, tmp_path: Path
) -> None:
    restless = attrs.evolve(
        spec("job"),
        restart=attrs.evolve(spec("job").restart, when=When.ALWAYS, min_interval_ms=0),
    )
    async with opened(fleet(restless, min_restart_delay_ms=0)) as kit:
        await kit.until(lambda: kit.operator.fleet.containers["job"].run > 17)
        it = Scene(kit, "")
        from tests.page.kit import served

        async with served(it.kit.operator, tmp_path) as url:
            page = await windows.open(url, "#/c/job")
            runs = card(page, "runs")
            await runs.get_by_role("button", name="all").click()
            await expect(runs.locator(".lane")).to_have_count(14)
            drawing = runs.get_by_role("group", name=re.compile("the newest 14 of"))
            await expect(drawing).to_be_visible()
