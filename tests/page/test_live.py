"""The stream in a browser: what happens is seen at once, or told to be unseen."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import orjson
import pytest
from playwright.async_api import Page, Route, expect

from orchestrator import (
    Backoff,
    ContainerSpec,
    FleetSpec,
    LocalPlatform,
    MemoryJournal,
    Operator,
    RestartPolicy,
)
from orchestrator.api.pages import page_files
from orchestrator.platforms.local.folders import Folders
from orchestrator.platforms.local.records import read_run
from tests.page.kit import (
    LIST,
    Windows,
    cell,
    end_shims,
    is_live,
    row,
    served,
    until,
)
from tests.platforms.local_kit import script
from tests.runtime.kit import LIMIT_MS, Faulty, fleet, opened, spec, value

pytestmark = pytest.mark.asyncio(loop_scope="session")

PATIENT = RestartPolicy(backoff=Backoff(initial_ms=600_000, max_ms=600_000))


async def test_a_real_process_that_is_killed_is_seen_to_end_and_to_wait(
    windows: Windows, tmp_path: Path
) -> None:
    platform = LocalPlatform(tmp_path / "local")
    sleeper = ContainerSpec(
        name="web", command=script("import time; time.sleep(999)"), restart=PATIENT
    )
    declared = FleetSpec(name="ward", containers=(sleeper,))
    try:
        async with Operator.open(
            declared, platform=platform, journal=MemoryJournal()
        ) as operator:
            await value(operator.wait("web", limit_ms=LIMIT_MS))
            async with served(operator, tmp_path) as url:
                page = await windows.open(url)
                await expect(cell(page, "web", "phase")).to_have_text("running")
                leader = read_run(Folders(tmp_path / "local"), "web", 1).leader
                assert leader is not None
                os.kill(leader.pid, signal.SIGKILL)
                await expect(cell(page, "web", "phase")).to_have_text("backing off")
                await expect(cell(page, "web", "exit")).to_have_text("signal 9")
                await expect(cell(page, "web", "why")).to_have_text(
                    "it failed (signal 9)"
                )
                await expect(cell(page, "web", "next")).to_contain_text("in ")
                await counts_down(page)
            await value(operator.down())
    finally:
        end_shims(tmp_path / "local")


async def counts_down(page: Page) -> None:
    """Wait until the time to the next start has become less by itself."""
    shown = await cell(page, "web", "next").inner_text()
    await expect(cell(page, "web", "next")).not_to_have_text(shown)


async def test_a_container_that_is_removed_leaves_the_table(
    windows: Windows, tmp_path: Path
) -> None:
    async with opened(fleet(spec("web"))) as kit, served(kit.operator, tmp_path) as url:
        page = await windows.open(url)
        await value(kit.operator.start_container("extra"))
        await expect(row(page, "extra")).to_be_visible()
        await value(kit.operator.stop_container("extra"))
        await expect(cell(page, "extra", "phase")).to_have_text("stopped")
        await value(kit.operator.wait("extra", "stopped", limit_ms=LIMIT_MS))
        removed = kit.operator.remove_container("extra")
        assert (await removed) is not None
        await expect(row(page, "extra")).to_have_count(0)


async def test_a_pause_keeps_the_view_and_a_resume_misses_nothing(
    windows: Windows, tmp_path: Path
) -> None:
    async with opened(fleet(spec("web"))) as kit, served(kit.operator, tmp_path) as url:
        await value(kit.operator.wait("web", limit_ms=LIMIT_MS))
        page = await windows.open(url)
        pill = page.locator(".pill")
        await expect(pill).to_contain_text("live")
        await page.get_by_role("button", name="Pause").click()
        await expect(pill).to_contain_text("paused")
        await value(kit.operator.stop_container("web", why="enough"))
        await value(kit.operator.wait("web", "stopped", limit_ms=LIMIT_MS))
        await expect(pill).to_contain_text(re.compile(r"data ([2-9]|\d\d) s old"))
        await expect(cell(page, "web", "phase")).to_have_text("running")
        await heard_rows(page)
        await page.get_by_role("button", name="Resume").click()
        await expect(pill).to_contain_text("live")
        await expect(cell(page, "web", "phase")).to_have_text("stopped")
        await expect(cell(page, "web", "why")).to_have_text("stopped by owner: enough")
        await until(page, f"window.heard?.includes({kit.operator.seq})")
        rows = await page.evaluate("window.heard")
        assert rows == list(range(rows[0], rows[0] + len(rows)))


async def test_a_row_that_is_caught_up_with_does_not_put_the_clock_back(
    windows: Windows, tmp_path: Path
) -> None:
    async with opened(fleet(spec("web"))) as kit, served(kit.operator, tmp_path) as url:
        page = await windows.open(url)
        await expect(page.locator(".pill")).to_contain_text("live")
        await page.get_by_role("button", name="Pause").click()
        await expect(page.locator(".pill")).to_contain_text("paused")
        await page.evaluate(
            """async () => {
              const { onRow } = await import("/page/store.js");
              const { now } = await import("/page/times.js");
              const note = (row) => { window.ahead = now() - row.at; };
              onRow(note);
            }"""
        )
        before = kit.operator.seq
        await value(kit.operator.stop_container("web"))
        (record, *_) = await value(kit.operator.events(before, limit=1))
        hour = 3_600_000
        old = {"seq": record.seq, "at": record.event.at - hour, "event": {}}

        async def with_an_old_row(route: Route) -> None:
            text = orjson.dumps(old).decode()
            body = f"event: event\ndata: {text}\n\n"
            await route.fulfill(content_type="text/event-stream", body=body)

        await page.route("**/v1/events**", with_an_old_row)
        await page.get_by_role("button", name="Resume").click()
        await until(page, "window.ahead !== undefined")
        assert await page.evaluate("window.ahead") >= hour


async def test_a_page_that_nobody_sees_lets_go_of_its_connection(
    windows: Windows, tmp_path: Path
) -> None:
    """A browser has six to a host: the seventh tab would wait for ever."""
    async with opened(fleet(spec("web"))) as kit, served(kit.operator, tmp_path) as url:
        await value(kit.operator.wait("web", limit_ms=LIMIT_MS))
        page = await windows.open(url)
        await expect(page.locator(".pill")).to_contain_text("live")
        await page.clock.install()
        await hide(page, hidden=True)
        await page.clock.fast_forward(31_000)
        await expect(page.locator(".pill")).to_contain_text("paused")
        await value(kit.operator.stop_container("web"))
        await hide(page, hidden=False)
        await expect(page.locator(".pill")).to_contain_text("live")
        await expect(cell(page, "web", "phase")).to_have_text("stopped")


async def hide(page: Page, *, hidden: bool) -> None:
    """Have the page believe that its tab was left, or come back to."""
    await page.evaluate(
        """(hidden) => {
          const told = { value: hidden, configurable: true };
          Object.defineProperty(document, "hidden", told);
          document.dispatchEvent(new Event("visibilitychange"));
        }""",
        hidden,
    )


async def heard_rows(page: Page) -> None:
    """Have the page note every row that its stream brings."""
    await page.evaluate(
        """async () => {
          window.heard = [];
          const { onRow } = await import("/page/store.js");
          onRow((row) => window.heard.push(row.seq));
        }"""
    )


async def test_an_operator_that_restarts_is_found_again_with_all_that_happened(
    windows: Windows, tmp_path: Path, port: int
) -> None:
    journal, platform, declared = MemoryJournal(), Faulty(), fleet(spec("web"))

    def operator() -> AbstractAsyncContextManager[Operator]:
        return Operator.open(declared, platform=platform, journal=journal)

    async with operator() as first:
        await value(first.wait("web", limit_ms=LIMIT_MS))
        async with served(first, tmp_path, port=port) as url:
            page = await windows.open(url)
            await expect(page.locator(".pill")).to_contain_text("live")
            await expect(cell(page, "web", "phase")).to_have_text("running")
    await expect(page.locator(".pill")).to_contain_text("disconnected")
    await expect(page.get_by_text("What you see is old.")).to_be_visible()
    await expect(cell(page, "web", "phase")).to_have_text("running")
    async with operator() as second:
        await value(second.stop_container("web", why="meanwhile"))
        async with served(second, tmp_path, port=port):
            await expect(page.locator(".pill")).to_contain_text("live")
            await expect(cell(page, "web", "phase")).to_have_text("stopped")
            await expect(page.get_by_text("What you see is old.")).to_be_hidden()
            await value(second.start_container("web"))
            await expect(cell(page, "web", "phase")).to_have_text("running")


async def test_another_fleet_at_the_same_address_replaces_the_old_one(
    windows: Windows, tmp_path: Path, port: int
) -> None:
    async with (
        opened(fleet(spec("web"))) as kit,
        served(kit.operator, tmp_path, port=port) as url,
    ):
        page = await windows.open(url)
        await expect(row(page, "web")).to_be_visible()
    other = FleetSpec(name="other", containers=(spec("api"),))
    async with opened(other) as kit, served(kit.operator, tmp_path, port=port):
        await expect(row(page, "api")).to_be_visible()
        await expect(row(page, "web")).to_have_count(0)
        await expect(page).to_have_title("other")
        await expect(page.locator(".pill")).to_contain_text("live")


async def test_an_operator_that_never_answers_is_told_and_found_when_it_does(
    windows: Windows, tmp_path: Path
) -> None:
    """The page itself comes from the browser; what it asks for does not."""
    async with opened(fleet(spec("web"))) as kit, served(kit.operator, tmp_path) as url:
        page = await (await windows.window()).new_page()
        await page.route("**/v1/**", lambda route: route.abort())
        await page.goto(url)
        told = page.get_by_text("The fleet cannot be shown")
        await expect(told).to_be_visible()
        why = page.locator(".state p")
        await expect(why).to_have_text("The operator does not answer.")
        again = await page.get_by_role("button", name="Try now").element_handle()
        await page.unroute("**/v1/**")
        # It may have tried again by itself meanwhile: then the button is gone.
        await again.evaluate("node => node.click()")
        await expect(row(page, "web")).to_be_visible()
        await expect(told).to_be_hidden()


async def test_a_request_that_is_never_answered_is_given_up_and_tried_anew(
    windows: Windows, tmp_path: Path
) -> None:
    """As from a process that was halted: it is connected to, and says nothing."""
    async with opened(fleet(spec("web"))) as kit, served(kit.operator, tmp_path) as url:
        page = await windows.open(url)
        await expect(row(page, "web")).to_be_visible()
        tried: asyncio.Queue[str] = asyncio.Queue()
        goes_on = asyncio.Event()

        async def halted(route: Route) -> None:
            tried.put_nowait(route.request.url)
            if goes_on.is_set():
                await route.continue_()

        await page.clock.install()
        await page.route("**/v1/**", halted)
        await page.reload()
        await tried.get()
        await page.clock.fast_forward(11_000)
        told = page.locator(".state p")
        await expect(told).to_have_text("The operator does not answer.")
        while not tried.empty():
            tried.get_nowait()
        await tried.get()  # it tries again by itself, and waits again
        soon = float(await page.evaluate("Date.now() / 1_000 + 1"))
        await page.clock.pause_at(soon)  # from now on it gives nothing up by itself
        goes_on.set()
        async with page.expect_response("**/v1/fleet"):
            await page.get_by_role("button", name="Try now").dispatch_event("click")
        await page.clock.resume()
        await expect(row(page, "web")).to_be_visible()


async def test_facts_that_are_older_than_the_list_beside_them_are_of_the_same_fleet(
    windows: Windows, tmp_path: Path
) -> None:
    async with opened(fleet(spec("web"))) as kit, served(kit.operator, tmp_path) as url:
        page = await windows.open(url)
        await expect(row(page, "web")).to_be_visible()
        listed = asyncio.Event()

        async def first(route: Route) -> None:
            await route.fulfill(response=await route.fetch())
            listed.set()

        async def a_row_older(route: Route) -> None:
            await listed.wait()
            answer = await route.fetch()
            facts = await answer.json()
            body = orjson.dumps(facts | {"seq": facts["seq"] - 1})
            await route.fulfill(response=answer, body=body)

        await page.route(LIST, first)
        await page.route("**/v1/fleet", a_row_older)
        await page.reload()
        await expect(row(page, "web")).to_be_visible()
        await expect(page.locator(".pill")).to_contain_text("live")


async def test_a_view_opens_though_the_operator_went_away_before_it_was_asked_for(
    windows: Windows, tmp_path: Path, port: int
) -> None:
    scripts = [f"/page/{name}" for name in page_files() if name.endswith(".js")]
    async with opened(fleet(spec("web"))) as kit:
        async with served(kit.operator, tmp_path, port=port) as url:
            page = await windows.open(url)
            await expect(row(page, "web")).to_be_visible()
            await until(page, ARE_LOADED, scripts)
        await expect(page.locator(".pill")).to_contain_text("disconnected")
        await page.get_by_role("link", name="Past", exact=True).click()
        await expect(page.get_by_role("heading", name="The past")).to_be_visible()
        await page.get_by_role("link", name="Fleet", exact=True).click()
        await row(page, "web").get_by_role("link").click()
        await expect(page.locator("#card-runs")).to_be_visible()
        async with served(kit.operator, tmp_path, port=port):
            await expect(page.locator(".pill")).to_contain_text("live")


async def test_a_view_that_could_not_be_loaded_is_tried_again_once_there_is_an_answer(
    windows: Windows, tmp_path: Path, port: int
) -> None:
    async with opened(fleet(spec("web"))) as kit:
        async with served(kit.operator, tmp_path, port=port) as url:
            page = await (await windows.window()).new_page()
            await page.route("**/page/past.js", lambda route: route.abort())
            await page.goto(url)
            await expect(row(page, "web")).to_be_visible()
        await expect(page.locator(".pill")).to_contain_text("disconnected")
        await page.get_by_role("link", name="Past", exact=True).click()
        told = page.get_by_text("This part of the page could not be loaded.")
        await expect(told).to_be_visible()
        await page.unroute("**/page/past.js")
        async with served(kit.operator, tmp_path, port=port):
            await expect(page.get_by_role("heading", name="The past")).to_be_visible()
            await expect(told).to_be_hidden()


ARE_LOADED = """(scripts) => {
  const found = performance.getEntriesByType("resource");
  const paths = new Set(found.map(({ name }) => new URL(name).pathname));
  return scripts.every((path) => paths.has(path));
}"""
"""The browser has these files."""


async def test_what_the_operator_doubts_is_told_above_the_fleet(
    windows: Windows, tmp_path: Path
) -> None:
    async with opened(fleet(spec("web"))) as kit, served(kit.operator, tmp_path) as url:
        page = await windows.open(url)
        await is_live(page)
        await expect(page.locator(".notes")).to_be_hidden()
        # Paused, it does not ask for what is true, in the place of what is planted.
        await page.get_by_role("button", name="Pause").click()
        await expect(page.locator(".pill .word")).to_have_text("paused")
        facts = await page.evaluate("fetch('/v1/fleet').then((told) => told.json())")
        doubts = {
            "journal_error": "no space left",
            "violations": 2,
            "hook_failures": 1,
            "strangers": ["odd-one"],
            "observed": False,
            "version": "10.0",
        }
        await page.evaluate(
            "(facts) => import('/page/store.js').then((it) => it.setFacts(facts))",
            facts | doubts,
        )
        await expect(page.locator(".notes li")).to_have_count(len(doubts))
        notes = await page.locator(".notes li").all_inner_texts()
        assert "Nothing can be recorded: no space left" in notes
        assert any("this page came with 9.9" in note for note in notes)
        assert "Not of this fleet, and left alone: odd-one" in notes
