"""The receiver of the how-to hears of a crash loop, and believes nobody else."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from orchestrator.runtime.notifier import signature
from orchestrator.runtime.posting import post
from tests.cli.kit import up
from tests.docs.generate import DOCS
from tests.docs.test_pages import blocks

PAGE = DOCS / "how-to" / "notifications.md"
KEY = "a key that both know"
ENV = {**os.environ, "NOTIFY_KEY": KEY}


@contextmanager
def receiving() -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run the program of the page; give it, and where it listens."""
    (program,) = blocks(PAGE, "python")
    process = subprocess.Popen(
        [sys.executable, "-c", program, "0"],
        env=ENV,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        port = said(process).removeprefix("listening on ")
        yield process, f"http://127.0.0.1:{port}/hook"
    finally:
        process.kill()
        process.communicate()


def said(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_the_receiver_of_the_page_hears_of_a_crash_loop(tmp_path: Path) -> None:
    (fleet,) = blocks(PAGE, "toml")
    (line,) = blocks(PAGE, "text")
    with receiving() as (receiver, url):
        file = tmp_path / "fleet.toml"
        file.write_text(fleet.replace("http://127.0.0.1:8900/hook", url))
        with up(file, tmp_path / "state", env=ENV):
            assert said(receiver) == line.strip()


async def test_the_receiver_believes_only_who_knows_the_key() -> None:
    body = b'{"delivery":"demo-1-1","text":"heard"}'
    other = b'{"delivery":"demo-1-2","text":"heard the other"}'
    now = int(time.time())
    with receiving() as (receiver, url):

        async def answer(body: bytes, signed: str) -> str | None:
            headers = {"Orchestrator-Signature": signed}
            return await post(url, headers, body, timeout_ms=60_000)

        for wrong in (
            "",
            "t=1,v1=00",
            "t=x,v1=é".encode("ascii", "replace").decode(),
            signature("another key", body, now),
            signature(KEY, other, now),
            signature(KEY, body, now - 1_000),
        ):
            assert await answer(body, wrong) == "it answered 403"
        for _ in range(2):
            assert await answer(body, signature(KEY, body, now)) is None
        assert await answer(other, signature(KEY, other, now)) is None
        assert [said(receiver), said(receiver)] == ["heard", "heard the other"]
