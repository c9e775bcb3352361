"""The page below a path of somebody else's, as behind the gateway that hosts it."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from playwright.async_api import expect

from tests.page.kit import Windows, row
from tests.page.scenes import ask, scene

pytestmark = pytest.mark.asyncio(loop_scope="session")


@contextlib.asynccontextmanager
async def below(url: str, path: str) -> AsyncIterator[str]:
    """Pass on what is below a path, as it is, to an operator at its own root."""
    async with aiohttp.ClientSession(auto_decompress=False) as session:

        async def passed(request: web.Request) -> web.StreamResponse:
            target = url + request.raw_path.removeprefix(path)
            body = await request.read() or None
            async with session.request(
                request.method, target, headers=request.headers, data=body
            ) as answer:
                kept = {
                    key: value
                    for key, value in answer.headers.items()
                    if key.lower() not in {"transfer-encoding", "content-length"}
                }
                response = web.StreamResponse(status=answer.status, headers=kept)
                await response.prepare(request)
                async for piece in answer.content.iter_any():
                    await response.write(piece)
                return response

        app = web.Application()
        app.router.add_route("*", f"{path}/{{rest:.*}}", passed)
        runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        try:
            yield f"http://{host}:{port}{path}"
        finally:
            await runner.cleanup()


async def test_the_page_looks_and_changes_below_any_path(
    windows: Windows, tmp_path: Path
) -> None:
    """Nothing outside of the path is asked for: the windows keep account of that."""
    async with scene(tmp_path) as it, below(it.url, "/operator") as far:
        page = await windows.open(far)
        await expect(row(page, "web")).to_be_visible()
        await expect(page.locator(".pill")).to_contain_text("live")
        await page.goto(f"{far}/#/c/web")
        await page.get_by_role("button", name="Stop\u2026", exact=True).click()
        await expect(page.get_by_role("dialog")).to_contain_text(f"--url {far}")
        await page.keyboard.press("Escape")
        await ask(page, "Stop", why="below a path")
        newest = page.locator(".outcome").first
        await expect(newest.get_by_role("heading")).to_have_text("✓ Stop: done")
