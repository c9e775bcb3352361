"""The journal in a Durable Object, beside SQLite on this machine; and coming back.

The gateway runs in the real runtime on this machine: no network is between. Rows are
appended one by one, and 64 with one commit; then an operator comes back behind many
rows, and behind many news in the feed of the registry. ``durable_runs`` says what is
timed, all of it by the wall.
"""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import Final

import attrs

from orchestrator.journal.port import Draft
from tests.bench.engine import Engine, started
from tests.bench.machine import NotReadyError, why_not
from tests.benchmarks.databases import opened_at
from tests.benchmarks.durable_ground import ground
from tests.benchmarks.durable_runs import AT_ONCE, KINDS, Runs, Size
from tests.benchmarks.figures import Asked, Figures, Sheet, costs, told
from tests.benchmarks.harness import Goal, Spread, Timing
from tests.benchmarks.trace import written

__all__ = ("ABOUT", "figures")

ABOUT: Final = (
    "Rows appended to a Durable Object behind the gateway, beside SQLite on this"
    " machine; and an operator that comes back behind many rows, or many news."
)
WHOLE: Final = Size(
    commits=40,
    rows=100_000,
    containers=10_000,
    news=100_000,
    lists=(1_000, 10_000, 50_000, 100_000),
    rounds=3,
)
SMOKE: Final = Size(
    commits=2,
    rows=300,
    containers=20,
    news=100,
    lists=(10,),
    rounds=1,
)
US: Final = 1e3
S: Final = 1e9


def figures(asked: Asked) -> Figures:
    """Append, come back behind rows, come back behind news."""
    if reason := why_not():
        raise NotReadyError(reason)
    usual = SMOKE if asked.smoke else WHOLE
    size = attrs.evolve(
        usual,
        rows=asked.events or usual.rows,
        containers=asked.containers or usual.containers,
        rounds=min(asked.rounds, usual.rounds),
    )
    lines = written(asked.directory, size.rows, min(1_000, size.rows // 10))
    with started() as engine:
        return asyncio.run(_figures(engine, size, lines))


async def _figures(engine: Engine, size: Size, lines: Path) -> Figures:
    drafts = _drafts(lines)
    size = attrs.evolve(size, rows=len(drafts))
    with tempfile.TemporaryDirectory(dir=engine.folder) as folder:
        async with ground(engine, Path(folder) / "gateway") as it:
            runs = Runs(it=it, size=size, folder=Path(folder))
            appended = await runs.appended(drafts)
            rows = await runs.behind_rows(drafts)
            news = await runs.behind_news()
            lists = await runs.lists()
    each = max(1, size.news // size.containers)
    of_rows = f"Back behind {size.rows} rows, without a snapshot"
    of_news = f"Back behind {size.news} news of {size.containers} containers"
    return Figures(
        sheets=(
            _rates(appended),
            costs(of_rows, rows, unit="s", scale=S),
            costs(of_news, news, unit="s", scale=S),
            Sheet(
                title="One answer for a whole fleet at rest",
                columns=("containers", "bytes", "s"),
                rows=lists,
            ),
        ),
        ratios=_ratios(appended, rows, news),
        remarks=(
            "An append to the object is one request over HTTP and one transaction in"
            " it; an append to SQLite is two syncs of the disk.",
            f"One news in {each} is an end, and becomes a row; the others were known,"
            " and are passed over. `caught up`: from the opening of the operator until"
            " its first look is over and all news are taken in.",
        ),
    )


def _drafts(lines: Path) -> tuple[Draft, ...]:
    reading = opened_at(lines)
    drafts = tuple(
        Draft(at=row.at, event=row.event, commands=row.commands, changes=row.changes)
        for row in reading.rows()
    )
    reading.close()
    return drafts


def _rates(appended: Timing) -> Sheet:
    """Return what a row costs, and how many there are in a second."""
    rows = [(name, appended.cost(name)) for name in appended.rounds]
    return Sheet(
        title="Rows appended, by the wall",
        columns=("case", "µs a row: median", "least", "most", "rows a second"),
        rows=tuple((name, *_cells(cost), told(S / cost.median)) for name, cost in rows),
    )


def _cells(cost: Spread) -> tuple[str, str, str]:
    return told(cost.median / US), told(cost.least / US), told(cost.most / US)


def _ratios(appended: Timing, rows: Timing, news: Timing) -> dict[str, Spread]:
    durable, other = KINDS
    pairs = [
        *((appended, f"{{}}, {size} at once") for size in AT_ONCE),
        *((rows, f"{what}, {{}}") for what in ("read", "come back")),
        (news, "caught up, {}"),
    ]
    return {
        f"{name.format(durable)} / {name.format(other)}": timing.speed(
            Goal(case=name.format(durable), limit=name.format(other), least=0)
        )
        for timing, name in pairs
    }
