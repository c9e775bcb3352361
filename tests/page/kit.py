"""An operator behind its real door, and windows that watch what a page does.

``served`` is what ``orchestrator up --listen`` does: the same guard, the same server.
``Windows`` opens pages and keeps account: at the end of each test no page may have
complained (errors and warnings of the console, errors of scripts, refusals of the
policy) and none may have asked anybody but the operator for anything.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest
from axe_playwright_python.async_playwright import Axe  # type: ignore[import-untyped]
from playwright.async_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Locator,
    Page,
    Route,
    expect,
)
from returns.result import Success

from orchestrator.api.app import make_app
from orchestrator.api.guard import Door, Guard
from orchestrator.api.guard.origins import Names
from orchestrator.api.guard.token_file import TokenFile, change_tokens
from orchestrator.api.guard.tokens import Grant, TokenList, made
from orchestrator.api.listen import bound_to, serve_http
from orchestrator.runtime.operator import Operator
from tests.bench.workerd import bound
from tests.platforms.local_kit import shims

LIST = re.compile(r"/v1/containers\?limit=")
"""How the page asks for the containers of the fleet."""

LIMIT_MS = 60_000
"""How long anything may take to be seen: the machine may be busy."""

NO_ANSWER = r"net::ERR_(CONNECTION|INCOMPLETE|EMPTY)|status of 503"
"""What the console says when an operator goes away, as it does at the end of a test.

While it leaves it still answers, and says so: 503, ``operator_closed``.
"""

UNAUTHORIZED = r"status of 401"


@contextlib.asynccontextmanager
async def served(
    operator: Operator, state: Path, *, port: int = 0, read_only: bool = False
) -> AsyncIterator[str]:
    """Serve an operator over loopback for a block, as ``up --listen`` does."""
    bound = bound_to(f"127.0.0.1:{port}").unwrap()
    names = Names(listen=bound.address, is_loopback=True)
    door = Door(names=names, read_only=read_only, requests_per_second=1_000)
    guard = Guard(door, TokenFile(state))
    app = make_app(operator, version="9.9", guard=guard)
    async with serve_http(app, bound, state, guard=guard) as url:
        yield url


@contextlib.contextmanager
def kept_port() -> Iterator[int]:
    """Keep a port for who serves at it again: nobody else is given it meanwhile.

    It is taken and not listened at, so who asks while nobody serves is refused.
    """
    with bound(0) as taken:
        yield int(taken.getsockname()[1])


def end_shims(root: Path) -> None:
    """Leave nothing of a test that failed; some may end by themselves meanwhile."""
    for pid in shims(root):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)


def token(state: Path, name: str, scope: Grant = Grant.READ) -> str:
    """Make a token that opens the door; the door then asks everybody for one."""
    secret, kept = made(name, scope, now=0)

    def plus(tokens: TokenList) -> Success[TokenList]:
        return Success(tokens.plus(kept))

    assert isinstance(change_tokens(state, plus), Success)
    return secret


@attrs.define(slots=False)  # Playwright keeps a wrapper of a method beside it
class Windows:
    """Pages of a browser, and all that went wrong in them."""

    browser: Browser
    contexts: list[BrowserContext] = attrs.field(factory=list)
    complaints: list[str] = attrs.field(factory=list)
    strangers: list[str] = attrs.field(factory=list)
    allowed: list[str] = attrs.field(factory=lambda: [NO_ANSWER])

    async def open(
        self, url: str, path: str = "", *, allow: str | None = None, **look: Any
    ) -> Page:
        """Open a page in a window of its own.

        *allow*: a pattern of complaints that are meant; *look*: see ``new_context``.
        """
        if allow is not None:
            self.allowed.append(allow)
        look.setdefault("viewport", {"width": 1280, "height": 800})
        look.setdefault("reduced_motion", "reduce")
        context = await self.window(**look)
        context.on("console", self._heard)
        context.on("weberror", lambda found: self.complaints.append(str(found.error)))
        context.on("request", lambda request: self._asked(url, request.url))
        page = await context.new_page()
        await page.goto(f"{url}/{path}")
        return page

    async def window(self, **look: Any) -> BrowserContext:
        """Return a window whose complaints nobody hears."""
        context = await self.browser.new_context(**look)
        context.set_default_timeout(LIMIT_MS)
        self.contexts.append(context)
        return context

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning", "assert"}:
            self.complaints.append(message.text)

    def _asked(self, url: str, asked: str) -> None:
        if not asked.startswith((f"{url}/", "data:")):
            self.strangers.append(asked)

    async def close(self) -> None:
        """Close all, and fail on what was not allowed."""
        for context in self.contexts:
            await context.close()
        meant = re.compile("|".join(self.allowed))
        wrong = [text for text in self.complaints if not meant.search(text)]
        wrong += [f"asked a stranger: {url}" for url in self.strangers]
        if wrong:
            pytest.fail("\n".join(wrong))


def row(page: Page, name: str) -> Locator:
    """Return the row of a container in the fleet table."""
    return page.locator(f'tr[data-name="{name}"]')


def cell(page: Page, name: str, column: str) -> Locator:
    """Return one cell of it; columns are named as in columns.js."""
    return row(page, name).locator(f"td.c-{column}")


async def names(page: Page) -> list[str]:
    """List the containers that the table shows, from the top."""
    found: list[str] = await page.locator("tr[data-name]").evaluate_all(
        "rows => rows.map(row => row.dataset.name)"
    )
    return found


async def until(page: Page, condition: str, argument: object = None) -> None:
    """Wait until an expression of JavaScript holds, looking once a frame.

    ``wait_for_function`` makes code from a text, which the policy forbids.
    """
    async with asyncio.timeout(LIMIT_MS / 1_000):
        while not await page.evaluate(condition, argument):
            await page.evaluate("new Promise(requestAnimationFrame)")


async def is_live(page: Page) -> None:
    """Wait until the page hears of what happens."""
    await expect(page.locator(".pill .word")).to_have_text("live")


async def held(page: Page, pattern: str | re.Pattern[str]) -> asyncio.Event:
    """Have the next that is asked for so be answered now, and come when that is set."""
    told = asyncio.Event()

    async def late(route: Route) -> None:
        answer = await route.fetch()
        await told.wait()
        await route.fulfill(response=answer)

    await page.route(pattern, late, times=1)
    return told


async def is_accessible(page: Page) -> None:
    """Fail with what axe finds, rule and place."""
    found = await Axe().run(page)
    assert [
        (each["id"], [node["target"] for node in each["nodes"]])
        for each in found.response["violations"]
    ] == []
