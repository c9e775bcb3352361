"""Markup in names, reasons, exits and URLs: it is shown as text, and does nothing."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import orjson
import pytest
from playwright.async_api import Page, Route, expect

from orchestrator.core.errors import Refused
from tests.page.kit import LIST, Windows, cell, row, served, until
from tests.runtime.kit import LIMIT_MS, NEVER, fleet, opened, spec, value

pytestmark = pytest.mark.asyncio(loop_scope="session")

EVIL = "<img src=/v1/evil onerror='window.stung=1'><script>window.stung=1</script>"


async def is_unharmed(page: Page) -> None:
    """Fail if any of it was run, or became an element."""
    assert await page.evaluate("window.stung") is None
    assert await page.locator("main img, main script, main iframe").count() == 0


async def test_markup_in_reasons_exits_and_refusals_is_text(
    windows: Windows, tmp_path: Path
) -> None:
    declared = fleet(spec("web"), spec("refused", NEVER))
    async with opened(declared) as kit, served(kit.operator, tmp_path) as url:
        await value(kit.operator.wait("web", limit_ms=LIMIT_MS))
        page = await windows.open(url)
        await value(kit.operator.stop_container("web", by=EVIL, why=EVIL))
        await value(kit.operator.wait("web", "stopped", limit_ms=LIMIT_MS))
        await expect(cell(page, "web", "why")).to_contain_text(EVIL)
        kit.platform.order_error = Refused(cause=EVIL)
        await value(kit.operator.start_container("extra", {"key": EVIL}, NEVER))
        await expect(cell(page, "extra", "phase")).to_have_text("failed")
        await expect(cell(page, "extra", "exit")).to_contain_text(EVIL)
        await is_unharmed(page)


async def test_markup_in_a_name_is_text_should_an_operator_ever_send_one(
    windows: Windows, tmp_path: Path
) -> None:
    async with opened(fleet(spec("web"))) as kit, served(kit.operator, tmp_path) as url:
        page = await windows.open(url, allow="status of 404")
        await expect(row(page, "web")).to_be_visible()

        async def with_evil(route: Route) -> None:
            answer = await route.fetch()
            (info,) = await answer.json()
            evil = info | {"name": EVIL, "phase": EVIL, "last_exit": EVIL, "why": EVIL}
            other = info | {"name": "javascript:window.stung=1"}
            body = orjson.dumps([evil, info, other])
            await route.fulfill(response=answer, body=body)

        await page.route(LIST, with_evil)
        await page.reload()
        await until(page, "document.querySelectorAll('tr[data-name]').length === 3")
        links = page.locator("td.c-name a")
        texts = await links.all_inner_texts()
        assert {EVIL, "javascript:window.stung=1"} < set(texts)
        for link in await links.all():
            href = await link.get_attribute("href")
            assert href is not None
            assert href.startswith("#/c/")
        await links.nth(texts.index("javascript:window.stung=1")).click()
        await until(page, "location.hash.startsWith('#/c/javascript')")
        await expect(page).to_have_title("javascript:window.stung=1 · demo")
        await is_unharmed(page)


@pytest.mark.parametrize(
    "path",
    [
        f"#/?q={quote(EVIL)}&phase={quote(EVIL)}&rev={quote(EVIL)}&sort={quote(EVIL)}",
        f"#/{EVIL}",
        "#/c/%zz/%00",
        "#javascript:window.stung=1",
        "#/?__proto__=1&constructor=2",
    ],
)
async def test_markup_in_a_url_is_text(
    windows: Windows, tmp_path: Path, path: str
) -> None:
    async with opened(fleet(spec("web"))) as kit, served(kit.operator, tmp_path) as url:
        page = await windows.open(url, path)
        await expect(page.locator(".pill")).to_contain_text("live")
        await expect(page.locator("main > *").first).to_be_visible()
        await is_unharmed(page)


async def test_the_policy_stops_what_a_mistake_of_ours_would_let_in(
    windows: Windows, tmp_path: Path
) -> None:
    """Inline scripts, markup from text, other hosts, frames: all refused."""
    async with opened(fleet(spec("web"))) as kit, served(kit.operator, tmp_path) as url:
        page = await windows.open(
            url, allow=r"Content Security Policy|Trusted(HTML|Script)"
        )
        await expect(row(page, "web")).to_be_visible()
        await page.evaluate(
            """async () => {
              const refused = (window.refused = []);
              const listen = (event) => refused.push(event.effectiveDirective);
              document.addEventListener("securitypolicyviolation", listen);
              try {
                document.body.innerHTML = "<b>x</b>";
              } catch {
                refused.push("text");
              }
              const script = document.createElement("script");
              try {
                script.text = "window.stung = 1";
              } catch {
                refused.push("script");
              }
              await fetch("http://127.0.0.2:1/").catch(() => {});
              const image = new Image();
              const gone = new Promise((keep) => { image.onerror = keep; });
              image.src = "http://127.0.0.2:1/x.png";
              await gone;
            }"""
        )
        # That something was refused is told a moment after it was.
        for what in ("text", "script", "connect-src", "img-src"):
            await until(page, "(what) => window.refused.includes(what)", what)
        windows.strangers.clear()
        await is_unharmed(page)
