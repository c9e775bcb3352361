"""Services and their rollouts in a browser: live, acted on, in trouble, and past."""

from __future__ import annotations

import re
from pathlib import Path

import attrs
import pytest
from playwright.async_api import Page, expect

from orchestrator import (
    Backoff,
    LocalPlatform,
    MemoryJournal,
    OnFailure,
    Operator,
    RestartPolicy,
    Service,
    Share,
)
from orchestrator.core.lineages import ENDED, RolloutAction, RolloutStatus
from orchestrator.core.rollout_requests import may
from orchestrator.core.service_events import RolloutRequested
from tests.page.kit import Windows, end_shims, held, is_accessible, served, until
from tests.page.rollout_scenes import (
    WAITING,
    RolloutScene,
    awaiting,
    release,
    rolled_fleet,
    rollout_scene,
    strip_card,
)
from tests.page.scenes import MARKUP, ask, card
from tests.platforms.local_kit import script
from tests.runtime.kit import LIMIT_MS, opened, spec, value

pytestmark = pytest.mark.asyncio(loop_scope="session")

AUTO = attrs.evolve(WAITING, strategy="rolling", steps=())
STATUS = ".rollout-line .phase .word"


async def settles(page: Page, headline: str, end: str) -> None:
    """Wait until the newest outcome says this, and how it ended."""
    newest = page.locator(".outcome").first
    await expect(newest.get_by_role("heading")).to_have_text(headline)
    await expect(newest.locator(".outcome-end")).to_have_text(re.compile(end))


async def can_be_pressed(page: Page, *actions: str) -> None:
    """Wait until these actions of a service can be pressed, and no others."""
    await until(
        page,
        """(wanted) => {
          const buttons = document.querySelectorAll(".actions button:enabled");
          const found = [...buttons].map((button) => button.dataset.action);
          return found.sort().join() === wanted;
        }""",
        ",".join(sorted(actions)),
    )


async def test_a_rollout_of_real_processes_is_seen_live_promoted_and_done(
    windows: Windows, tmp_path: Path
) -> None:
    def released(number: int) -> Service:
        text = f"import time; time.sleep({900 + number})"
        template = spec("web", command=script(text))
        return Service(template=template, replicas=3, rollout=WAITING)

    platform = LocalPlatform(tmp_path / "local")
    first, second = (rolled_fleet(released(number)) for number in (1, 2))
    try:
        async with Operator.open(
            first, platform=platform, journal=MemoryJournal()
        ) as operator:
            for index in range(3):
                await value(operator.wait(f"web-{index}", limit_ms=LIMIT_MS))
            async with served(operator, tmp_path) as url:
                page = await windows.open(url)
                web = strip_card(page, "web")
                await expect(web).to_contain_text("3 of 3 ready")
                await expect(web).to_contain_text("revision 1")
                await expect(web.locator(".rollout")).to_be_empty()
                await value(operator.apply(second, by="ada", why="faster"))
                await expect(web.locator(STATUS)).to_have_text("awaiting promotion")
                await expect(web).to_contain_text("1 of 3 new and ready")
                await expect(web).to_contain_text("canary, from revision 1 to 2")
                await expect(web).to_contain_text("Asked for by ada: faster")
                await expect(web).to_contain_text("0 failures, 3 are allowed")
                legend = web.locator(".rollout-legend li:visible")
                await expect(legend).to_have_text(
                    ["1 new and ready", "2 old, available"]
                )
                await ask(page, "Promote", why="looks well", by="grace")
                await settles(page, "✓ Promote: done", "revision 2: done")
                await expect(web).to_contain_text("revision 2")
                await expect(web.locator(".service-status")).to_contain_text("done")
            await value(operator.down())
    finally:
        end_shims(tmp_path / "local")


async def test_a_rollout_is_paused_resumed_and_aborted_with_reasons(
    windows: Windows, tmp_path: Path
) -> None:
    async with rollout_scene(tmp_path) as it:
        await awaiting(it)
        page = await windows.open(it.url, "#/s/web")
        status = card(page, "rollout").locator(STATUS)
        await expect(status).to_have_text("awaiting promotion")
        await can_be_pressed(page, "pause", "promote", "abort", "undo", "scale")
        await ask(page, "Pause", why=MARKUP, by="ada")
        await settles(page, "✓ Pause: done", "revision 2: paused")
        await expect(status).to_have_text("paused")
        await can_be_pressed(page, "resume", "abort", "undo", "scale")
        await ask(page, "Resume", by="ada")
        await settles(page, "✓ Resume: done", "awaiting promotion")
        await ask(page, "Abort", why="not today", by="ada")
        await settles(page, "✓ Abort: done", "went back.*aborted by ada: not today")
        await can_be_pressed(page, "start", "undo", "scale")
        asked = [
            (record.event.action, record.event.by, record.event.why)
            for record in await value(it.kit.operator.events(0, limit=1000))
            if isinstance(record.event, RolloutRequested)
        ]
        assert asked == [
            (RolloutAction.PAUSE, "ada", MARKUP),
            (RolloutAction.RESUME, "ada", ""),
            (RolloutAction.ABORT, "ada", "not today"),
        ]
        history = card(page, "history").locator("tbody").first.locator("tr")
        await expect(history).to_have_count(1)
        await expect(history).to_contain_text("went back")
        await expect(history).to_contain_text("aborted by ada: not today")


async def test_a_service_is_rolled_out_again_back_to_a_revision_and_scaled(
    windows: Windows, tmp_path: Path
) -> None:
    async with rollout_scene(tmp_path) as it:
        page = await windows.open(it.url, "#/s/web")
        await expect(card(page, "history")).to_contain_text("no rollout yet")
        await can_be_pressed(page, "start", "scale")
        await it.apply(2, AUTO)
        await it.until(RolloutStatus.DONE)
        await page.get_by_role("button", name="Undo…").click()
        dialog = page.get_by_role("dialog")
        await dialog.get_by_label("Back to").select_option("1")
        command = f"orchestrator rollout undo web --to 1 --url {it.url}"
        await expect(dialog.locator(".command code")).to_have_text(command)
        await dialog.get_by_role("button", name="Undo", exact=True).click()
        await settles(page, "✓ Undo: done", "revision 3: done")
        serving = card(page, "history").locator("tr", has_text="serving")
        await expect(serving.locator("td").first).to_contain_text("3")
        await ask(page, "Start", why="once more")
        await settles(page, "✓ Start: done", "done")
        await page.get_by_role("button", name="Scale…").click()
        await expect(dialog.get_by_label("Replicas")).to_be_focused()
        await dialog.get_by_label("Replicas").fill("6")
        scaled = f"orchestrator scale web 6 --url {it.url}"
        await expect(dialog.locator(".command code")).to_have_text(scaled)
        await dialog.get_by_role("button", name="Scale", exact=True).click()
        await settles(page, "✓ Scale: done", "6 replicas run")
        await expect(card(page, "facts")).to_contain_text("6 of 6 asked for")
        await expect(card(page, "members").locator("li")).to_have_count(6)


async def test_to_what_one_can_go_back_may_come_while_one_is_asked(
    windows: Windows, tmp_path: Path
) -> None:
    async with rollout_scene(tmp_path) as it:
        await it.apply(2, AUTO)
        await it.until(RolloutStatus.DONE)
        page = await windows.open(it.url)
        told = await held(page, "**/rollout/history")
        async with page.expect_request("**/rollout/history"):
            await (
                strip_card(page, "web")
                .get_by_role("link", name="web", exact=True)
                .click()
            )
        await page.get_by_role("button", name="Undo…").click()
        choices = page.get_by_label("Back to").locator("option")
        await expect(choices).to_have_count(1)
        told.set()
        await expect(choices).to_have_count(2)
        await page.get_by_label("Back to").select_option("1")
        await it.apply(3)
        await it.until(RolloutStatus.AWAITING_PROMOTION)
        await expect(choices).to_have_count(3)
        await expect(page.get_by_label("Back to")).to_have_value("1")
        # Somebody else has it go back: what was chosen is still what would be sent.
        await page.get_by_label("Back to").select_option("2")
        _ = await value(it.kit.operator.rollout("web", RolloutAction.ABORT))
        await expect(choices.last).to_contain_text("Revision 2, no longer")
        await expect(page.get_by_label("Back to")).to_have_value("2")


async def test_a_release_that_crashes_goes_back_and_says_why(
    windows: Windows, tmp_path: Path
) -> None:
    policy = attrs.evolve(AUTO, failure_budget=Share(0), on_failure=OnFailure.REVERT)
    patient = RestartPolicy(backoff=Backoff(initial_ms=60_000, max_ms=60_000))

    def released(text: str) -> Service:
        template = spec("web", patient, command=script(text))
        return Service(template=template, replicas=2, rollout=policy)

    good, bad = map(released, ("import time; time.sleep(900)", "raise SystemExit(7)"))
    platform = LocalPlatform(tmp_path / "local")
    try:
        async with Operator.open(
            rolled_fleet(good), platform=platform, journal=MemoryJournal()
        ) as operator:
            for name in ("web-0", "web-1"):
                await value(operator.wait(name, limit_ms=LIMIT_MS))
            async with served(operator, tmp_path) as url:
                page = await windows.open(url)
                await expect(strip_card(page, "web")).to_contain_text("2 of 2 ready")
                await value(operator.apply(rolled_fleet(bad)))
                web = strip_card(page, "web")
                await expect(web.locator(STATUS)).to_have_text("went back")
                await expect(web).to_contain_text("from revision 1 to 2, back to 1")
                await expect(web.locator(".rollout-budget")).to_be_hidden()
                await expect(web).to_contain_text("2 of 2 ready")
                await expect(web.locator(".rollout-reason")).to_contain_text(
                    "1 failure of new replicas, more than 0: web-0: exit 7"
                )
                await web.get_by_role("link", name="web", exact=True).click()
                revision = card(page, "history").locator("tr", has_text="✕ failed")
                await expect(revision.locator("td").first).to_have_text("2")
                await expect(revision).to_contain_text("raise SystemExit(7)")
            await value(operator.down())
    finally:
        end_shims(tmp_path / "local")


async def test_what_is_no_longer_possible_is_refused_with_a_sentence(
    windows: Windows, tmp_path: Path
) -> None:
    async with rollout_scene(tmp_path) as it:
        await awaiting(it)
        page = await windows.open(it.url, "#/s/web", allow="status of 409")
        await page.get_by_role("button", name="Pause…").click()
        await value(it.kit.operator.rollout("web", "promote"))
        await it.until(RolloutStatus.DONE)
        await (
            page.get_by_role("dialog")
            .get_by_role("button", name="Pause", exact=True)
            .click()
        )
        newest = page.locator(".outcome").first
        await expect(newest.get_by_role("heading")).to_have_text("✕ Pause: refused")
        await expect(newest).to_contain_text("pause is not possible now")
        await expect(newest.locator("code")).to_have_text("rollout_refused")


async def test_the_commands_of_all_actions_are_shown(
    windows: Windows, tmp_path: Path
) -> None:
    async with rollout_scene(tmp_path) as it:
        page = await windows.open(it.url, "#/s/web")
        await page.get_by_text("The same on the command line").click()
        actions = ("pause", "resume", "promote", "abort", "undo", "start")
        await expect(card(page, "actions").locator(".commands code")).to_have_text(
            [
                *(
                    f"orchestrator rollout {word} web --url {it.url}"
                    for word in actions
                ),
                f"orchestrator scale web N --url {it.url}",
            ]
        )


async def test_who_may_only_look_sees_the_rollout_and_no_button(
    windows: Windows, tmp_path: Path
) -> None:
    async with rollout_scene(tmp_path, read_only=True) as it:
        await awaiting(it)
        page = await windows.open(it.url)
        web = strip_card(page, "web")
        await expect(web.locator(STATUS)).to_have_text("awaiting promotion")
        await expect(web.get_by_role("button")).to_have_count(0)
        await page.goto(f"{it.url}/#/s/web")
        actions = card(page, "actions")
        await expect(actions).to_contain_text("You may look at this fleet")
        await expect(actions.get_by_role("button")).to_have_count(0)


async def test_the_past_shows_the_rollout_as_it_was_then(
    windows: Windows, tmp_path: Path
) -> None:
    async with rollout_scene(tmp_path) as it:
        await awaiting(it)
        middle = it.kit.operator.seq
        await value(it.kit.operator.rollout("web", "promote"))
        await it.until(RolloutStatus.DONE)
        page = await windows.open(it.url, f"#/past?at={middle}")
        web = strip_card(page, "web")
        await expect(web.locator(STATUS)).to_have_text("awaiting promotion")
        await expect(web).to_contain_text("1 of 4 new and ready")
        await expect(web.get_by_role("button")).to_have_count(0)
        await page.get_by_role("button", name="To the newest row").click()
        await expect(web.locator(".service-status")).to_contain_text("done")
        await page.get_by_role("button", name="To the first row").click()
        await expect(strip_card(page, "web")).to_have_count(0)
        await page.goto(f"{it.url}/#/s/web?at={middle}")
        await expect(page.locator(".note-box")).to_contain_text(f"after row {middle}")
        await expect(card(page, "members").locator("li").first).to_contain_text(
            "revision 2, new and ready"
        )
        await expect(page.locator(".actions")).to_have_count(0)
        await page.get_by_role("link", name="See it now").click()
        await expect(card(page, "rollout").locator(STATUS)).to_have_text("done")


async def test_a_page_that_was_cut_off_catches_up_with_the_rollout(
    windows: Windows, tmp_path: Path, port: int
) -> None:
    async with opened(release(1)) as kit:
        async with served(kit.operator, tmp_path, port=port) as url:
            page = await windows.open(url)
            web = strip_card(page, "web")
            await expect(web).to_contain_text("revision 1")
        await expect(page.locator(".pill")).to_contain_text("disconnected")
        it = RolloutScene(kit, url)
        await it.apply(2, AUTO)
        await it.until(RolloutStatus.DONE)
        async with served(kit.operator, tmp_path, port=port):
            await expect(web.locator(".service-status")).to_contain_text("done")
            await expect(web).to_contain_text("revision 2")


@pytest.mark.parametrize("scheme", ["dark", "light"])
async def test_a_narrow_screen_and_a_keyboard_do_in_both_colours(
    windows: Windows, tmp_path: Path, scheme: str
) -> None:
    async with rollout_scene(tmp_path) as it:
        await it.apply(2, why=MARKUP)
        await it.until(RolloutStatus.AWAITING_PROMOTION)
        phone = {"width": 360, "height": 740}
        page = await windows.open(it.url, viewport=phone, color_scheme=scheme)
        web = strip_card(page, "web")
        await expect(web).to_contain_text(MARKUP)
        await fits(page)
        await is_accessible(page)
        await page.keyboard.press("Tab")
        await web.get_by_role("link", name="web", exact=True).focus()
        await page.keyboard.press("Enter")
        await expect(card(page, "rollout").locator(STATUS)).to_have_text(
            "awaiting promotion"
        )
        await expect(card(page, "history")).to_contain_text("Revisions")
        await fits(page)
        await is_accessible(page)
        pause = page.get_by_role("button", name="Pause…")
        await pause.focus()
        await page.keyboard.press("Enter")
        await expect(page.get_by_label("Why?")).to_be_focused()
        await is_accessible(page)
        await page.keyboard.press("Escape")
        await expect(pause).to_be_focused()
        await page.keyboard.press("Enter")
        await expect(page.get_by_label("Why?")).to_be_focused()
        await page.keyboard.type("by keyboard")
        await page.keyboard.press("Control+Enter")
        await settles(page, "✓ Pause: done", "paused")


async def fits(page: Page) -> None:
    """Nothing stands out at the side."""
    width = "document.documentElement.scrollWidth <= innerWidth"
    assert await page.evaluate(width)


async def test_a_soak_counts_down_by_itself(windows: Windows, tmp_path: Path) -> None:
    slow = attrs.evolve(WAITING.steps[0], soak_ms=600_000)
    soaking = attrs.evolve(WAITING, steps=(slow,))
    async with rollout_scene(tmp_path) as it:
        await it.apply(2, soaking)
        await it.until(RolloutStatus.SOAKING)
        page = await windows.open(it.url)
        clock = strip_card(page, "web").locator(".rollout-clock")
        await expect(clock).to_contain_text(re.compile(r"The soak ends in (10|9) m"))
        was = await clock.inner_text()
        await expect(clock).not_to_have_text(was)
        await ask(page, "Promote", why="seen enough")
        await settles(page, "✓ Promote: done", "awaiting promotion|done")


async def test_the_page_enables_what_the_machine_allows(
    windows: Windows, tmp_path: Path
) -> None:
    """Of each status, and of one that was paused on its way back."""
    async with rollout_scene(tmp_path) as it:
        await awaiting(it)
        lineage = it.kit.operator.fleet.lineages["web"]
        assert lineage.rollout is not None
        page = await windows.open(it.url)
        acts = set(RolloutAction) - {RolloutAction.START, RolloutAction.UNDO}
        for status in RolloutStatus:
            for back_to in (None, 1) if status is RolloutStatus.PAUSED else (None,):
                rollout = attrs.evolve(
                    lineage.rollout,
                    status=status,
                    back_to=back_to,
                    paused_from=None if back_to is None else RolloutStatus.REVERTING,
                )
                told = await page.evaluate(
                    """async (rollout) => {
                      const { possible } = await import("/page/rollout_words.js");
                      return [...possible(rollout)];
                    }""",
                    {"status": status.value, "back_to": back_to},
                )
                allowed = {act.value for act in acts if may(rollout, act)}
                assert set(told) - {"start", "undo"} == allowed, status
                assert ("start" in told) == (status in ENDED), status
