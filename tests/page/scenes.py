"""A small fleet on a simulated platform that shows all that a container's page tells.

``dead`` crash-loops and is held, ``doomed`` waits long for its next start, ``web`` runs
with a readiness check, ``job`` is done. Names, configs, reasons, log lines and errors
hold markup that would run if it ever became part of a page. Nothing happens by itself
while a test looks: no start comes due, and the platform is looked at only once.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import attrs
from playwright.async_api import Locator, Page

from orchestrator import Backoff, CrashLimit, OnLoop, RestartPolicy
from orchestrator.core.health import HealthCheck, HealthChecks, HttpProbe
from orchestrator.core.table import Table
from orchestrator.platforms.port import LogLine
from tests.page.kit import served
from tests.runtime.kit import HOLD, LIMIT_MS, Faulty, Kit, fleet, opened, spec, value

__all__ = ("MARKUP", "Scene", "Talking", "ask", "card", "scene")

MARKUP = "<img src=x onerror='document.title=1'><script>document.title=2</script>"
"""What would show, were it taken for more than text."""

PATIENT = RestartPolicy(
    crash=CrashLimit(allowed_crashes=5, on_loop=OnLoop.HOLD),
    backoff=Backoff(initial_ms=600_000, max_ms=600_000, jitter=0.0),
)
READY_CHECK = HealthChecks(
    readiness=HealthCheck(probe=HttpProbe(port="http", path="/up"), period_ms=50)
)


class Talking(Faulty):
    """A platform whose containers have something to say."""

    def __init__(self) -> None:
        super().__init__()
        self.lines = [LogLine(at=1_795_000_000_000, stream="o", text="it begins")]
        self.lines.append(LogLine(at=1_795_000_000_001, stream="e", text=MARKUP))

    async def log(self, name: str, *, follow: bool) -> AsyncIterator[LogLine]:
        """Say two lines of each container but ``job``, which is silent."""
        del follow
        for line in self.lines if name != "job" else ():
            yield line


@attrs.frozen
class Scene:
    """An operator, where it is served, and what it works on."""

    kit: Kit
    url: str

    @property
    def seq(self) -> int:
        """Return the number of the newest row."""
        return self.kit.operator.seq


@asynccontextmanager
async def scene(folder: Path, *, read_only: bool = False) -> AsyncIterator[Scene]:
    """Open the fleet, wait until each container is where it stays, and serve it."""
    declared = fleet(
        spec("dead", HOLD, config=Table.of([("says", MARKUP), ("api_key", "geheim")])),
        spec("doomed", PATIENT),
        spec("job"),
        spec("web", ports=Table.of([("http", 8080)]), health=READY_CHECK),
        reconcile_interval_ms=0,
    )
    async with opened(declared, platform=Talking()) as kit:
        await kit.container("dead", "crash_looping")
        await kit.container("doomed", "backing_off")
        await kit.container("job", "completed")
        _ = await value(kit.operator.wait("web", limit_ms=LIMIT_MS))
        async with served(kit.operator, folder, read_only=read_only) as url:
            yield Scene(kit, url)


def card(page: Page, name: str) -> Locator:
    """Return one of the cards of a view: why, actions, runs, events and so on."""
    return page.locator(f"#card-{name}")


async def ask(page: Page, word: str, why: str = "", by: str = "") -> None:
    """Press the button of an action, give a reason, and go through with it."""
    await page.get_by_role("button", name=f"{word}\u2026", exact=True).click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Why?").fill(why)
    await dialog.get_by_label("Your name").fill(by)
    await dialog.get_by_role("button", name=word, exact=True).click()
