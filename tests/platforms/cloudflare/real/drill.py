"""Break everything, many times: ``python -m tests.platforms.cloudflare.real.drill``.

Two operators look after real containers. Drawn from a seed, a leader is killed, paused
or cut off, a standby is, the gateway is killed, a container, or all at once, while two
clients ask for something all the time. After each, all must be well again before the
next. At the end what was recorded is judged, the journal is exported and verified, and
the take-over times are printed.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Final

from orchestrator.testing import AppendRows, Granted, StartRun
from tests.bench.engine import started
from tests.bench.machine import why_not
from tests.platforms.cloudflare.real.ha_faults import FAULTS, begin
from tests.platforms.cloudflare.real.ha_kit import Ground, TakeOver, ground
from tests.platforms.cloudflare.real.ha_load import load
from tests.platforms.cloudflare.real.ha_peers import LEASE_S
from tests.platforms.cloudflare.real.ha_record import operations_of

__all__ = ("main",)

PAUSE_S: Final = 0.5
"""Between two requests of each of the clients that go on asking all the time."""

WEIGHTS: Final = {
    "leader killed": 4,
    "leader paused": 3,
    "leader cut off": 3,
    "standby killed": 2,
    "standby cut off": 1,
    "runtime killed": 2,
    "both asked": 2,
    "nobody leads": 1,
    "container killed": 2,
}


async def drilled(it: Ground, kills: int, seed: int, until: float) -> Counter[str]:
    """Do what the seed says; stop early when time is up."""
    dice = random.Random(seed)
    counts: Counter[str] = Counter()
    await begin(it)
    async with load(it, PAUSE_S):
        for number in range(1, kills + 1):
            if time.monotonic() > until:
                break
            (what,) = dice.choices(list(WEIGHTS), list(WEIGHTS.values()))
            began = time.monotonic()
            await FAULTS[what](it)
            await it.all_ready()
            counts[what] += 1
            took = time.monotonic() - began
            print(f"{number:4} {what:18} well again after {took:5.1f} s", flush=True)
    return counts


def report(it: Ground, counts: Counter[str], rows: int) -> None:
    """Print what was done, and what came of it."""
    operations = operations_of(it.exchanges())
    kinds = Counter(type(one.call).__name__ for one in operations)
    unknown = sum(one.answer is None for one in operations)
    grants = sum(isinstance(one.answer, Granted) for one in operations)
    done = sum(wish.is_acknowledged for wish in it.wishes)
    print()
    for what, count in sorted(counts.items()):
        print(f"{what:34} {count}")
    print(f"{'operations at the gateway':34} {len(operations)}, {unknown} unknown")
    for kind in (AppendRows, StartRun):
        print(f"{'  ' + kind.__name__:34} {kinds[kind.__name__]}")
    print(f"{'epochs granted':34} {grants}")
    print(f"{'rows in the journal':34} {rows}")
    print(f"{'starts at the engine':34} {len(it.watch.started)}")
    print(f"{'requests made, acknowledged':34} {len(it.wishes)}, {done}")
    for what in sorted({one.what for one in it.take_overs}):
        print_times(what, [one for one in it.take_overs if one.what == what])
    print_times("all take-overs", it.take_overs)


def print_times(what: str, take_overs: Sequence[TakeOver]) -> None:
    """Print how long take-overs took, in seconds."""
    times = sorted(one.seconds for one in take_overs)
    if not times:
        return
    late = times[min(len(times) - 1, round(0.9 * (len(times) - 1)))]
    facts = (
        f"{name} {value:.2f}"
        for name, value in (
            ("min", times[0]),
            ("median", median(times)),
            ("p90", late),
            ("max", times[-1]),
        )
    )
    print(f"{what:34} {len(times)}: {', '.join(facts)} s")


async def run(kills: int, seed: int, minutes: float) -> None:
    until = time.monotonic() + 60 * minutes
    with started() as engine, tempfile.TemporaryDirectory() as name:
        async with ground(engine, Path(name), lease_s=LEASE_S) as it:
            counts = await drilled(it, kills, seed, until)
            rows = await it.exported(Path(name) / "journal.jsonl")
            report(it, counts, len(rows))
            await it.judged(rows)
            print(f"{'lease':34} {LEASE_S:.0f} s")
            print(f"{'verdict':34} explained: nothing lost, nothing started twice")


def main(words: Sequence[str] | None = None) -> int:
    """Run the program; 1 where the machine cannot run it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=120.0)
    asked = parser.parse_args(words)
    reason = why_not()
    if reason is not None:
        print(reason, file=sys.stderr)
        return 1
    asyncio.run(run(asked.kills, asked.seed, asked.minutes))
    return 0


if __name__ == "__main__":
    sys.exit(main())
