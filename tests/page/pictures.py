"""Take the pictures of the tutorial: ``python -m tests.page.pictures``.

They show what the tutorial tells: its own fleet file is read, its containers are real
processes of this machine, and the page is used as the text says.
"""

from __future__ import annotations

import asyncio
import re
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from playwright.async_api import Browser, Page, async_playwright, expect

from orchestrator import MemoryJournal, Operator
from orchestrator.codec.fleet_file import read_fleet_file
from orchestrator.core.events import ContainerEnded
from orchestrator.platforms.local.platform import LocalPlatform
from tests.page.kit import LIMIT_MS, served
from tests.page.machine import program
from tests.page.scenes import ask, card
from tests.runtime.kit import value

DOCS: Final = Path(__file__).parents[2] / "docs"
PICTURES: Final = DOCS / "pictures"
SIZE_MAX: Final = 200_000
"""Bytes of a picture: a page of the docs is read over a slow line, too."""

HELD: Final = 60.0
"""Seconds until the mailer crash-loops, at the latest."""


def fleet_text() -> str:
    """Return the fleet file that the tutorial shows."""
    page = (DOCS / "tutorial-page.md").read_text(encoding="utf-8")
    found = re.search(r"^```toml\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1]


async def until_looping(operator: Operator) -> None:
    """Wait, event by event, until the mailer crash-loops and the others are ready."""
    after = 0
    while not has_come(operator):
        page = await value(operator.events(after, wait_ms=5_000))
        after = page[-1].seq if page else after


def has_come(operator: Operator) -> bool:
    """Say whether the fleet is where the tutorial finds it."""
    infos = {info.name: info for info in operator.infos()}
    return infos["mailer"].phase == "crash_looping" and all(
        infos[name].ready for name in ("web-0", "web-1")
    )


async def opened(browser: Browser, url: str, path: str, **look: Any) -> Page:
    """Open a page of 1180 x 800, light, unless told otherwise."""
    look = {"viewport": {"width": 1180, "height": 800}, "color_scheme": "light"} | look
    context = await browser.new_context(reduced_motion="reduce", **look)
    context.set_default_timeout(LIMIT_MS)
    page = await context.new_page()
    _ = await page.goto(f"{url}/{path}")
    await expect(page.locator("#top").get_by_text("live", exact=True)).to_be_visible()
    return page


async def take(page: Page, name: str) -> None:
    """Keep what is in sight as a picture."""
    path = PICTURES / f"page-{name}.png"
    _ = await page.screenshot(path=path)
    assert path.stat().st_size < SIZE_MAX, path


async def take_card(page: Page, name: str, selector: str) -> None:
    """Keep one part of the page as a picture."""
    path = PICTURES / f"page-{name}.png"
    _ = await page.locator(selector).screenshot(path=path)
    assert path.stat().st_size < SIZE_MAX, path


async def take_all(browser: Browser, operator: Operator, url: str) -> None:
    """Go through the tutorial, and take each picture where it stands."""
    page = await opened(browser, url, "#/", viewport={"width": 1180, "height": 480})
    await expect(page.get_by_text("crash looping").first).to_be_visible()
    await take(page, "fleet")
    page = await opened(
        browser, url, "#/c/mailer", viewport={"width": 1180, "height": 1010}
    )
    await expect(card(page, "runs").locator(".lane")).to_have_count(5)
    await card(page, "runs").locator(".lane").nth(2).hover()
    await take(page, "container")
    await card(page, "log").get_by_role("button", name="Show the log").click()
    await expect(card(page, "log").locator(".line.stderr").first).to_be_visible()
    await take_card(page, "log", "#card-log")
    await dialog_and_outcomes(page)
    await past(browser, operator, url)
    page = await opened(
        browser,
        url,
        "#/c/mailer",
        viewport={"width": 360, "height": 760},
        color_scheme="dark",
        device_scale_factor=2,
    )
    await expect(card(page, "why").get_by_role("timer")).to_be_visible()
    await take(page, "phone")


def rollout_text() -> str:
    """Return the table of a rollout that the tutorial has its reader add."""
    page = (DOCS / "tutorial-page.md").read_text(encoding="utf-8")
    found = re.search(
        r"^(\[containers\.rollout\]\n.*?)^```$", page, re.MULTILINE | re.DOTALL
    )
    assert found is not None
    return found[1]


async def rollout(browser: Browser, operator: Operator, url: str, folder: str) -> None:
    """Add a rollout to web and two replicas, change it, and stand in the middle."""
    head, tail = fleet_text().replace("replicas = 2", "replicas = 4").rsplit("[[", 1)
    text = f"{head}{rollout_text()}\n[[{tail}"
    for bind in ('"--bind"', '"--protocol", "HTTP/1.1", "--bind"'):
        changed = text.replace('"--bind"', bind).encode()
        read = read_fleet_file(changed, file="fleet.toml", folder=folder).unwrap()
        _ = await value(operator.apply(read.spec, by="ada", why="keep connections"))
        for index in range(4):
            _ = await value(operator.wait(f"web-{index}", limit_ms=LIMIT_MS))
    page = await opened(
        browser, url, "#/s/web", viewport={"width": 1180, "height": 860}
    )
    await expect(page.locator(".rollout-line")).to_contain_text("soaking")
    await expect(card(page, "history")).to_contain_text("HTTP/1.1")
    await take(page, "rollout")


async def dialog_and_outcomes(page: Page) -> None:
    """Ask for a start, which is refused, and for one by force, which fails."""
    await page.get_by_role("button", name="Start\u2026", exact=True).click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Why?").fill("customers get no mail")
    await dialog.get_by_label("Your name").fill("ada")
    await take_card(page, "dialog", "dialog")
    await dialog.get_by_role("button", name="Start", exact=True).click()
    await expect(page.locator(".outcome h3").filter(has_text="refused")).to_be_visible()
    await ask(page, "Force start", why="to see it fail once more", by="ada")
    await expect(page.locator(".outcome-end")).to_contain_text("was ready, and ended")
    # Held still: what is above the card would move it while the picture is taken.
    await page.get_by_role("button", name="Pause").click()
    await take_card(page, "outcome", "#card-actions .outcomes")


async def past(browser: Browser, operator: Operator, url: str) -> None:
    """Stand at the crash with which the mailer began to crash-loop."""
    rows = await value(operator.events(0))
    crashes = [
        row.seq
        for row in rows
        if isinstance(row.event, ContainerEnded) and row.event.name == "mailer"
    ]
    page = await opened(
        browser,
        url,
        f"#/past?at={crashes[3]}&follow=mailer",
        viewport={"width": 1180, "height": 1340},
    )
    await expect(page.locator(".step-words")).to_contain_text("run 4 ended")
    await expect(card(page, "plots").locator(".column").first).to_be_visible()
    await take(page, "past")


async def main() -> None:
    """Run the fleet of the tutorial, and take its pictures."""
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="orchestrator-pictures-") as folder:
        root = Path(folder)
        read = read_fleet_file(
            fleet_text().encode(), file="fleet.toml", folder=folder
        ).unwrap()
        async with (
            Operator.open(
                read.spec, platform=LocalPlatform(root), journal=MemoryJournal()
            ) as operator,
            served(operator, root) as url,
            async_playwright() as playwright,
        ):
            expect.set_options(timeout=LIMIT_MS)
            try:
                await asyncio.wait_for(until_looping(operator), HELD)
                browser = await playwright.chromium.launch(
                    executable_path=program(), args=["--no-sandbox"]
                )
                await take_all(browser, operator, url)
                await rollout(browser, operator, url, folder)
                await browser.close()
            finally:
                await value(operator.down(by="pictures"))


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
