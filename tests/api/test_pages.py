"""How the page is served: its files and no others, and what keeps it harmless."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from orchestrator.api import pages
from orchestrator.api.pages import INDEX, add_page, page_files

FOLDER = Path(pages.__file__).parent / "page"
LINES_MAX = 310


@asynccontextmanager
async def served() -> AsyncIterator[TestClient[web.Request, web.Application]]:
    app = web.Application()
    add_page(app)
    async with TestClient(TestServer(app)) as client:
        yield client


def test_every_file_of_the_folder_is_served_and_fits_a_head() -> None:
    found = {path.name for path in FOLDER.iterdir()}
    assert found == set(page_files())
    for path in FOLDER.iterdir():
        lines = len(path.read_text(encoding="utf-8").splitlines())
        assert lines <= LINES_MAX, (path, lines)


def test_a_file_says_first_what_it_holds() -> None:
    for path in FOLDER.iterdir():
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".js":
            assert text.startswith("// "), path
        if path.suffix == ".css":
            assert text.startswith("/* "), path


def test_what_the_files_point_at_is_there() -> None:
    """Imports, links and scripts, at any place of a file."""
    table = page_files()
    for name, file in table.items():
        text = file.body.decode()
        pointed = re.findall(r'"(?:\./|page/)([\w.-]+\.(?:js|css|svg))"', text)
        assert set(pointed) <= set(table), name
        assert not re.search(r'(?:src|href)(?:=|: )"/', text), name  # below any path
        assert not re.search(r"https?://(?!www\.w3\.org/)", text), name


def test_no_file_makes_markup_from_text_or_holds_a_script_or_style_of_its_own() -> None:
    table = page_files()
    ways = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|Function\("
    for name, file in table.items():
        assert not re.search(ways, file.body.decode()), name
    index = table[INDEX].body.decode()
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?! src=)", index)


async def test_the_page_comes_with_a_policy_that_lets_nothing_else_in() -> None:
    async with served() as client:
        for path in ("/", f"/page/{INDEX}", "/page/main.js", "/page/styles.css"):
            answer = await client.get(path)
            assert answer.status == 200
            policy = answer.headers["Content-Security-Policy"]
            assert policy.startswith("default-src 'none'; script-src 'self';")
            assert "unsafe" not in policy
            assert "frame-ancestors 'none'" in policy
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert answer.headers["Referrer-Policy"] == "no-referrer"
            assert answer.headers["Cache-Control"] == "no-cache"


@pytest.mark.parametrize(
    ("name", "media"),
    [
        (INDEX, "text/html; charset=utf-8"),
        ("main.js", "text/javascript; charset=utf-8"),
        ("styles.css", "text/css; charset=utf-8"),
        ("icon.svg", "image/svg+xml; charset=utf-8"),
    ],
)
async def test_a_file_comes_whole_and_as_what_it_is(name: str, media: str) -> None:
    async with served() as client:
        answer = await client.get(f"/page/{name}")
        assert answer.headers["Content-Type"] == media
        assert await answer.read() == (FOLDER / name).read_bytes()


async def test_a_file_that_the_browser_has_is_not_sent_again() -> None:
    async with served() as client:
        first = await client.get("/page/main.js")
        tag = first.headers["ETag"]
        again = await client.get("/page/main.js", headers={"If-None-Match": tag})
        assert (again.status, await again.read()) == (304, b"")
        assert again.headers["ETag"] == tag
        assert "Content-Security-Policy" in again.headers
        other = await client.get("/page/main.js", headers={"If-None-Match": '"x"'})
        assert other.status == 200
        head = await client.head("/page/main.js")
        assert (head.status, await head.read()) == (200, b"")


@pytest.mark.parametrize(
    "path",
    [
        "/page/nothing.js",
        "/page/",
        "/page/../pages.py",
        "/page/..%2fpages.py",
        "/page/%2e%2e%2fpages.py",
        "/page/....//pages.py",
        "/page/main.js%00.css",
        "/page/main.js/",
        "/page//etc/passwd",
        "/page/%2fetc%2fpasswd",
        "/page/MAIN.JS",
        "/page/__init__.py",
    ],
)
async def test_nothing_but_the_files_can_be_had(path: str) -> None:
    async with served() as client, aiohttp.ClientSession() as session:
        url = f"{client.make_url('/')}".rstrip("/") + path
        from yarl import URL

        answer = await session.get(URL(url, encoded=True))
        assert answer.status == 404
