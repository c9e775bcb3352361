"""What can be done with a container on its page, and what is said to come of it."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest
from playwright.async_api import Page, Route, expect

from orchestrator.api.guard.tokens import Grant
from orchestrator.core.events import StartRequested, StopRequested
from orchestrator.core.phases import Running
from tests.page.kit import (
    UNAUTHORIZED,
    Windows,
    is_accessible,
    is_live,
    row,
    token,
    until,
)
from tests.page.scenes import MARKUP, ask, card, scene
from tests.runtime.kit import value

pytestmark = pytest.mark.asyncio(loop_scope="session")

REFUSED = "status of 409"
"""What the console says of a request that was refused."""


async def settles(page: Page, headline: str, end: str) -> None:
    """Wait until the newest outcome says this, and how it ended."""
    newest = page.locator(".outcome").first
    await expect(newest.get_by_role("heading")).to_have_text(headline)
    await expect(newest.locator(".outcome-end")).to_have_text(re.compile(end))


async def row_of(page: Page) -> int:
    """Return the row of the journal as which the newest outcome was accepted."""
    link = page.locator(".outcome").first.get_by_role("link")
    await expect(link).to_have_text(re.compile(r"row \d+"))
    return int((await link.inner_text()).removeprefix("row "))


async def test_a_stop_is_accepted_as_a_row_and_followed_to_its_end(
    windows: Windows, tmp_path: Path
) -> None:
    async with scene(tmp_path) as it:
        page = await windows.open(it.url, "#/c/web")
        await is_live(page)  # that is said as well, and is not to be said last
        await ask(page, "Stop", why=MARKUP, by="ada")
        await settles(page, "✓ Stop: done", "It rests: stopped by ada")
        accepted = await row_of(page)
        (record, *_) = await value(it.kit.operator.events(accepted - 1, limit=1))
        asked = record.event
        assert isinstance(asked, StopRequested)
        assert record.seq == accepted
        assert (asked.name, asked.by, asked.why) == ("web", "ada", MARKUP)
        told = page.locator(".outcome").first
        await expect(told).to_contain_text(f"Reason: {MARKUP}")
        await expect(page.locator(".outcome .steps li").last).to_contain_text("stopped")
        said = page.locator("#said")
        await expect(said).to_contain_text("Stop: done")


async def test_a_start_is_followed_until_it_is_ready(
    windows: Windows, tmp_path: Path
) -> None:
    async with scene(tmp_path) as it:
        await value(it.kit.operator.stop_container("web"))
        await it.kit.container("web", "stopped")
        page = await windows.open(it.url, "#/c/web")
        await ask(page, "Start")
        await settles(page, "✓ Start: done", "Run 2 runs and is ready")
        steps = page.locator(".outcome .steps li")
        await expect(steps.first).to_contain_text("run 2")
        await expect(steps.last).to_contain_text("running")


async def test_a_restart_is_followed_to_the_next_run(
    windows: Windows, tmp_path: Path
) -> None:
    async with scene(tmp_path) as it:
        page = await windows.open(it.url, "#/c/web")
        await ask(page, "Restart", why="new certificate")
        await settles(page, "✓ Restart: done", "Run 2 runs and is ready")
        phase = it.kit.operator.fleet.containers["web"].phase
        assert isinstance(phase, Running)
        assert phase.run == 2


async def test_a_refusal_is_told_with_its_sentence_and_its_code(
    windows: Windows, tmp_path: Path
) -> None:
    async with scene(tmp_path) as it:
        page = await windows.open(it.url, "#/c/dead", allow=REFUSED)
        await is_live(page)  # that is said as well, and is not to be said last
        before = it.seq
        await ask(page, "Start")
        newest = page.locator(".outcome").first
        await expect(newest.get_by_role("heading")).to_have_text("✕ Start: refused")
        await expect(newest).to_contain_text("crash-looping")
        await expect(newest.locator("code")).to_have_text("crash_loop_detected")
        assert it.seq == before
        await expect(page.locator("#said")).to_contain_text("Start: refused")
        await ask(page, "Remove")
        await expect(newest.locator("code")).to_have_text("min_replica_set_container")


async def test_a_forced_start_that_fails_again_is_not_called_done(
    windows: Windows, tmp_path: Path
) -> None:
    async with scene(tmp_path) as it:
        page = await windows.open(it.url, "#/c/dead")
        await ask(page, "Force start", why="once more")
        await settles(
            page,
            "✕ Force start: accepted, but it failed",
            "Run 2 is over.*fails too often",
        )
        accepted = await row_of(page)
        (record, *_) = await value(it.kit.operator.events(accepted - 1, limit=1))
        assert isinstance(record.event, StartRequested)
        assert record.event.force


async def test_a_run_that_ends_right_after_it_was_ready_is_told_as_well(
    windows: Windows, tmp_path: Path
) -> None:
    async with scene(tmp_path) as it:
        page = await windows.open(it.url, "#/c/job")
        # What happened before the page listened, it can only see the end of.
        await is_live(page)
        await ask(page, "Force start")
        await settles(
            page,
            "✓ Force start: done",
            "Run 2 was ready, and ended .* later. It ended well",
        )
        steps = page.locator(".outcome .steps li")
        await expect(steps.last).to_contain_text("completed")


async def test_an_answer_that_is_ahead_of_the_rows_does_not_tell_the_end_of_them(
    windows: Windows, tmp_path: Path
) -> None:
    """The run has come and gone before the page hears of its first row."""
    async with scene(tmp_path) as it:
        page = await windows.open(it.url, "#/c/job")
        rows_may_come = asyncio.Event()

        async def held_back(route: Route) -> None:
            await rows_may_come.wait()
            await route.continue_()

        async def answered_late(route: Route) -> None:
            answer = await route.fetch()
            await it.kit.until(lambda: it.kit.operator.fleet.containers["job"].run == 2)
            await it.kit.container("job", "completed")
            now = await route.fetch(url=f"{it.url}/v1/containers/job", method="GET")
            await route.fulfill(response=answer, body=await now.text())

        await is_live(page)
        await page.get_by_role("button", name="Pause", exact=True).click()
        await page.route("**/v1/events?*with=containers*", held_back)
        await page.route("**/v1/containers/job/start", answered_late)
        async with page.expect_request("**/v1/events?*with=containers*"):
            await page.get_by_role("button", name="Resume", exact=True).click()
        await ask(page, "Force start")
        await settles(page, "✓ Force start: done", "Run 2 is over. It ended well")
        rows_may_come.set()
        told = "Run 2 was ready, and ended .* later. It ended well"
        await settles(page, "✓ Force start: done", told)


async def test_a_reset_empties_the_crash_history(
    windows: Windows, tmp_path: Path
) -> None:
    async with scene(tmp_path) as it:
        page = await windows.open(it.url, "#/c/doomed")
        budget = card(page, "why").locator(".budget")
        await expect(budget).to_contain_text("1 crash in the last")
        await ask(page, "Reset")
        await settles(page, "✓ Reset: done", "Its crash history is empty")


async def test_a_container_that_was_started_by_request_can_be_removed(
    windows: Windows, tmp_path: Path
) -> None:
    async with scene(tmp_path) as it:
        await value(it.kit.operator.start_container("extra"))
        await it.kit.container("extra", "running")
        page = await windows.open(it.url, "#/c/extra", allow=f"{REFUSED}|status of 404")
        await ask(page, "Remove")
        newest = page.locator(".outcome").first
        await expect(newest.locator("code")).to_have_text("container_not_stopped")
        await ask(page, "Stop")
        await settles(page, "✓ Stop: done", "It rests")
        await ask(page, "Remove", why="not needed")
        await settles(page, "✓ Remove: done", "It is removed")
        assert "extra" not in it.kit.operator.fleet.containers
        await expect(page.locator(".note-box")).to_contain_text("not in the fleet")


async def test_each_try_has_a_key_and_a_lost_answer_is_asked_for_with_the_same(
    windows: Windows, tmp_path: Path
) -> None:
    async with scene(tmp_path) as it:
        page = await windows.open(it.url, "#/c/web", allow="net::ERR_FAILED")
        keys: list[str] = []

        async def first_is_lost(route: Route) -> None:
            if route.request.method == "GET":
                await route.continue_()
                return
            keys.append(route.request.headers["idempotency-key"])
            if len(keys) == 1:
                _ = await route.fetch()
                await route.abort()
            else:
                await route.continue_()

        await page.route("**/v1/containers/web/*", first_is_lost)
        await ask(page, "Restart", why="who knows")
        newest = page.locator(".outcome").first
        await expect(newest.get_by_role("heading")).to_have_text("? Restart: no answer")
        await newest.get_by_role("button", name="Try again").click()
        await settles(page, "✓ Restart: done", "Run 2 runs and is ready")
        assert keys[0] == keys[1]
        # Which row it was the first time is not answered; no other one is shown for it.
        await expect(newest).to_contain_text("It had been accepted before.")
        await expect(newest.get_by_role("link")).to_have_count(0)
        await ask(page, "Restart")
        await settles(page, "✓ Restart: done", "Run 3 runs and is ready")
        assert len(set(keys)) == 2
        assert it.kit.operator.fleet.containers["web"].run == 3


async def test_the_command_line_equivalent_is_shown_and_copied(
    windows: Windows, tmp_path: Path
) -> None:
    async with scene(tmp_path) as it:
        page = await windows.open(
            it.url, "#/c/web", permissions=["clipboard-read", "clipboard-write"]
        )
        await page.get_by_text("The same on the command line").click()
        listed = card(page, "actions").locator(".commands code")
        await expect(listed).to_have_text(
            [
                f"orchestrator {words} --url {it.url}"
                for words in (
                    "start web",
                    "start web --force",
                    "stop web",
                    "restart web",
                    "reset web",
                    "remove web",
                )
            ]
        )
        await page.get_by_role("button", name="Stop\u2026", exact=True).click()
        dialog = page.get_by_role("dialog")
        await dialog.get_by_label("Why?").fill("it's $(late)")
        await page.evaluate(NOTE_WHAT_A_DIALOG_SAYS)
        await dialog.get_by_role("button", name="Copy the command").click()
        await until(page, "noted.some((text) => text.includes('Copied'))")
        copied = await page.evaluate("navigator.clipboard.readText()")
        why = r"'it'\''s $(late)'"
        assert copied == f"orchestrator stop web --why {why} --url {it.url}"


NOTE_WHAT_A_DIALOG_SAYS = """() => {
  window.noted = [];
  const dialog = document.querySelector("dialog[open]");
  const note = () => window.noted.push(dialog.textContent);
  const all = { characterData: true, childList: true, subtree: true };
  new MutationObserver(note).observe(dialog, all);
}"""
"""What is said for a moment only may be over when somebody looks."""


async def test_a_dialog_is_used_by_keyboard_alone_and_cancelled_without_a_trace(
    windows: Windows, tmp_path: Path
) -> None:
    async with scene(tmp_path) as it:
        page = await windows.open(it.url, "#/c/web")
        before = it.seq
        stop = page.get_by_role("button", name="Stop\u2026", exact=True)
        await stop.focus()
        await page.keyboard.press("Enter")
        await expect(page.get_by_label("Why?")).to_be_focused()
        await is_accessible(page)
        await page.keyboard.press("Escape")
        await expect(page.get_by_role("dialog")).to_have_count(0)
        await expect(stop).to_be_focused()
        assert it.seq == before
        await page.keyboard.press("Enter")
        await expect(page.get_by_label("Why?")).to_be_focused()
        await page.keyboard.type("by keyboard")
        await page.keyboard.press("Control+Enter")
        await settles(page, "✓ Stop: done", "stopped by owner: by keyboard")


async def test_a_dialog_goes_with_its_view(windows: Windows, tmp_path: Path) -> None:
    async with scene(tmp_path) as it:
        page = await windows.open(it.url)
        await expect(row(page, "web")).to_be_visible()
        await page.evaluate("location.hash = '#/c/web'")
        await page.get_by_role("button", name="Stop\u2026", exact=True).click()
        await expect(page.get_by_label("Why?")).to_be_focused()
        await page.go_back()
        await expect(row(page, "web")).to_be_visible()
        await expect(page.locator("dialog[open]")).to_have_count(0)


async def test_there_is_nothing_to_press_where_there_is_no_container(
    windows: Windows, tmp_path: Path
) -> None:
    async with scene(tmp_path) as it:
        # 503: the operator may be closed while the page still asks for what is new.
        page = await windows.open(it.url, "#/c/nobody", allow="status of (404|503)")
        await expect(page.locator(".note-box")).to_contain_text("nobody")
        buttons = card(page, "actions").get_by_role("button")
        read_only = page.get_by_text("You may look at this fleet")
        await expect(buttons).to_have_count(0)
        # What is told of the fleet later does not bring them back.
        async with page.expect_response("**/v1/fleet"):
            await value(it.kit.operator.stop_container("web"))
        for _ in range(3):
            await page.evaluate("new Promise(requestAnimationFrame)")
        await expect(buttons).to_have_count(0)
        await expect(read_only).to_be_hidden()
        await value(it.kit.operator.start_container("nobody"))
        await expect(buttons).to_have_count(6)


async def test_who_may_act_is_not_told_before_it_is_known(
    windows: Windows, tmp_path: Path
) -> None:
    secret = token(tmp_path, "owner", Grant.WRITE)
    async with scene(tmp_path) as it:
        page = await windows.open(it.url, "#/c/web", allow=UNAUTHORIZED)
        await page.get_by_role("button", name="Not now").click()
        actions = card(page, "actions")
        await expect(page.get_by_text("You may look at this fleet")).to_be_hidden()
        await expect(actions.get_by_role("button")).to_have_count(0)
        await page.reload()
        await page.get_by_role("textbox", name="Token").fill(secret)
        await page.get_by_role("button", name="Use this token").click()
        await expect(actions.get_by_role("button")).to_have_count(6)
        # A command that was not possible without it, now carries it.
        await page.get_by_text("The same on the command line").click()
        command = actions.locator(".commands code").first
        await expect(command).to_have_text(re.compile("--token-file TOKEN_FILE$"))


async def test_an_outcome_outlives_the_view(windows: Windows, tmp_path: Path) -> None:
    async with scene(tmp_path) as it:
        page = await windows.open(it.url, "#/c/web")
        await ask(page, "Stop", why="over night")
        await page.evaluate("location.hash = '#/c/job'")
        await expect(page.get_by_role("heading", level=1)).to_have_text("job")
        await expect(page.locator(".outcome")).to_have_count(0)
        await page.evaluate("location.hash = '#/c/web'")
        await settles(page, "✓ Stop: done", "stopped by owner: over night")


async def test_who_may_only_read_sees_no_button_and_is_refused(
    windows: Windows, tmp_path: Path
) -> None:
    async with scene(tmp_path, read_only=True) as it:
        page = await windows.open(it.url, "#/c/dead", allow="status of 403")
        actions = card(page, "actions")
        await expect(actions).to_contain_text("You may look at this fleet")
        await expect(actions.get_by_role("button")).to_have_count(0)
        before = it.seq
        status = await page.evaluate(
            "fetch('/v1/containers/web/stop', {method: 'POST'}).then(a => a.status)"
        )
        assert status == 403
        assert it.seq == before


async def test_nobody_acts_on_the_past(windows: Windows, tmp_path: Path) -> None:
    async with scene(tmp_path) as it:
        page = await windows.open(it.url, f"#/c/web?at={it.seq}")
        await expect(card(page, "why").locator(".phase")).to_be_visible()
        await expect(page.get_by_role("button", name="Stop\u2026")).to_have_count(0)
