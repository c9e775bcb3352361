"""A browser for all tests of the page, and windows for each of them.

All run on one event loop, which the browser is bound to: a test here is marked with
``pytest.mark.asyncio(loop_scope="session")``.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright, expect

from tests.page.kit import LIMIT_MS, Windows
from tests.page.machine import program, why_no_browser


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Give a browser, or skip and say why there is none."""
    reason = why_no_browser()
    if reason is not None:
        pytest.skip(reason)
    expect.set_options(timeout=LIMIT_MS)
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(
            executable_path=program(),
            args=["--no-sandbox", "--disable-dev-shm-usage"],
        )
        yield started
        await started.close()


@pytest_asyncio.fixture(loop_scope="session")
async def windows(browser: Browser) -> AsyncIterator[Windows]:
    """Give windows; a page that complained, or asked a stranger, fails the test."""
    opened = Windows(browser)
    yield opened
    await opened.close()
