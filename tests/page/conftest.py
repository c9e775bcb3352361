"""A browser for all tests of the page, and windows for each of them.

All run on one event loop, which the browser is bound to: a test here is marked with
``pytest.mark.asyncio(loop_scope="session")``.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright, expect

from tests.page.kit import LIMIT_MS, Windows, kept_port
from tests.page.machine import program, why_no_browser
from tests.page.undisturbed import undisturbed


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser(
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Browser]:
    """Give a browser, or skip and say why there is none."""
    reason, found = why_no_browser(), program()
    if reason is not None or found is None:
        pytest.skip(reason or "there is no Chromium")
    expect.set_options(timeout=LIMIT_MS)
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(
            executable_path=undisturbed(found, tmp_path_factory.mktemp("browser")),
            timeout=LIMIT_MS,
            args=["--no-sandbox", "--disable-dev-shm-usage"],
        )
        yield started
        await started.close()


@pytest.fixture
def port() -> Iterator[int]:
    """Give a port at which somebody serves, goes, and serves again."""
    with kept_port() as kept:
        yield kept


@pytest_asyncio.fixture(loop_scope="session")
async def windows(browser: Browser) -> AsyncIterator[Windows]:
    """Give windows; a page that complained, or asked a stranger, fails the test."""
    opened = Windows(browser)
    yield opened
    await opened.close()
