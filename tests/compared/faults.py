"""The same faults on both sides, side by side: ``python -m tests.compared.faults``.

* *operator gone*: ours is killed (SIGKILL), and another one is opened later; theirs is
  an object, which is reset, and needs nobody to come back.
* *runtime gone*: workerd is killed on both sides, and started again later. Our operator
  lives through it; theirs was in it.
* *operator cut off*: nothing reaches the gateway of ours, and the operator of theirs
  refuses what the objects of its containers tell it; then all is well again.

Two of three containers end meanwhile (``hurt``). Milliseconds count from the moment the
fault is over: the operator is opened, the runtime is up, the way is free. A table is
printed, then all that was seen, as one line of JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Final, TypeAlias

import attrs

from orchestrator import MemoryJournal, StaleOperator, open_sqlite, settled
from tests.bench.engine import Engine, started
from tests.bench.fault_proxy import FaultProxy
from tests.bench.machine import why_not
from tests.cli.kit import reached
from tests.compared.compare import machine
from tests.compared.hurt import (
    ENDING,
    NAMES,
    Ends,
    Seen,
    Theirs,
    ends_of,
    now_ms,
    our_ends,
    our_ground,
)
from tests.compared.sides import SIDES, Side, install
from tests.platforms.cloudflare.real.command_kit import up_and_killed

__all__ = ("FAULTS", "main", "suffered", "table", "two_operators")

AWAY_S: Final = 5.0
"""How long the fault lasts; both end at its beginning."""

ENDED_S: Final = 60.0
"""Within it our operator that was replaced has to end."""

Noticed: TypeAlias = Mapping[str, tuple[float, str]]
Found: TypeAlias = dict[str, Seen]
Fault: TypeAlias = Callable[[Engine, Path], Awaitable[Found]]


async def _found(
    ends: Ends, since_ms: float, noticed: Callable[[], Awaitable[Noticed]]
) -> Found:
    """Wait until both run again, and ask the operator what it noticed."""
    again = await ends.again(since_ms)
    told = await noticed()
    assert "steady" not in told, told
    return {
        name: Seen(
            noticed_ms=told[name][0] if name in told else None,
            told=told[name][1] if name in told else "",
            again_ms=again[name][0],
            starts=again[name][1],
        )
        for name in ENDING
    }


async def _our_operator_gone(engine: Engine, folder: Path) -> Found:
    async with our_ground(engine, folder) as it:
        with up_and_killed(it):
            client = reached(it.state)
            for name in NAMES:
                client.get("containers", name, "wait")
        ends = await our_ends(it.stage)
        await ends.all_run()
        ends.end_two()
        await asyncio.sleep(AWAY_S)
        since = now_ms()
        journal = await settled(open_sqlite(it.state / "journal.db"))
        async with it.stage.operator(journal=journal) as up:
            return await _found(ends, since, lambda: ends_of(up.operator, since))


async def _their_operator_gone(engine: Engine, folder: Path) -> Found:
    async with Theirs.opened(engine, folder) as it:
        ends = await it.ends()
        since = now_ms()
        await it.ask("/reset")
        ends.end_two()
        return await _found(ends, since, lambda: it.noticed(since))


async def _our_runtime_gone(engine: Engine, folder: Path) -> Found:
    async with our_ground(engine, folder) as it, it.stage.operator() as up:
        await up.all_ready(len(NAMES))
        ends = await our_ends(it.stage)
        await ends.all_run()
        await it.stage.workerd.kill()
        ends.end_two()
        await asyncio.sleep(AWAY_S)
        await it.stage.workerd.start()
        since = now_ms()
        return await _found(ends, since, lambda: ends_of(up.operator, since))


async def _their_runtime_gone(engine: Engine, folder: Path) -> Found:
    async with Theirs.opened(engine, folder) as it:
        ends = await it.ends()
        await it.workerd.kill()
        ends.end_two()
        await asyncio.sleep(AWAY_S)
        await it.workerd.start()
        since = now_ms()
        return await _found(ends, since, lambda: it.noticed(since))


async def _our_operator_cut_off(engine: Engine, folder: Path) -> Found:
    async with (
        our_ground(engine, folder) as it,
        FaultProxy(it.stage.workerd.url) as proxy,
        it.stage.operator(url=proxy.url) as up,
    ):
        await up.all_ready(len(NAMES))
        ends = await our_ends(it.stage)
        await ends.all_run()
        await proxy.close()  # also what waits for news at this moment
        ends.end_two()
        await asyncio.sleep(AWAY_S)
        await proxy.open()
        since = now_ms()
        return await _found(ends, since, lambda: ends_of(up.operator, since))


async def _their_operator_cut_off(engine: Engine, folder: Path) -> Found:
    async with Theirs.opened(engine, folder) as it:
        ends = await it.ends()
        await it.ask(f"/deaf?ms={AWAY_S * 1_000:.0f}")
        ends.end_two()
        await asyncio.sleep(AWAY_S)
        since = now_ms()
        return await _found(ends, since, lambda: it.noticed(since))


FAULTS: Final[Mapping[str, Mapping[Side, Fault]]] = {
    "operator gone": {"ours": _our_operator_gone, "theirs": _their_operator_gone},
    "runtime gone": {"ours": _our_runtime_gone, "theirs": _their_runtime_gone},
    "operator cut off": {
        "ours": _our_operator_cut_off,
        "theirs": _their_operator_cut_off,
    },
}


async def suffered(engine: Engine, fault: str) -> dict[Side, Found]:
    """Have both sides suffer a fault, one after the other."""
    found: dict[Side, Found] = {}
    for side in SIDES:
        with tempfile.TemporaryDirectory(dir=engine.folder) as folder:
            found[side] = await FAULTS[fault][side](engine, Path(folder))
        print(f"{fault}, {side}: {found[side]}", file=sys.stderr, flush=True)
    return found


async def two_operators(engine: Engine) -> float:
    """Open a second operator of ours; return when the first had ended, in ms.

    Of theirs there is no second one: a Durable Object has one instance by its name.
    """
    with tempfile.TemporaryDirectory(dir=engine.folder) as folder:
        async with our_ground(engine, Path(folder)) as it, it.stage.operator() as old:
            await old.all_ready(len(NAMES))
            since = now_ms()
            async with it.stage.operator(journal=MemoryJournal()) as new:
                async with asyncio.timeout(ENDED_S):
                    ended = await old.operator.ended()
                taken = now_ms() - since
                assert isinstance(ended, StaleOperator), ended
                await new.all_ready(len(NAMES))
                assert new.starts() == {}
                assert len(it.stage.running()) == len(NAMES)
    return taken


def table(found: Mapping[str, Mapping[Side, Found]]) -> str:
    """Show what each side noticed, as what, when it ran again, how often.

    >>> seen = Seen(noticed_ms=12.4, told="exit 7", again_ms=None, starts=0)
    >>> print(table({"a fault": {"ours": {"leaver": seen}}}))
    | fault | container | side | noticed after ms | as | runs again after ms | starts |
    |---|---|---|---|---|---|---|
    | a fault | leaver | ours | 12 | exit 7 | never | 0 |

    """
    head = "| fault | container | side | noticed after ms | as | runs again after ms"
    lines = [f"{head} | starts |", "|---|---|---|---|---|---|---|"]
    for fault, sides in found.items():
        for name in ENDING:
            for side, each in sides.items():
                if name in each:
                    lines.append(
                        f"| {fault} | {name} | {side} | {_cells(each[name])} |"
                    )
    return "\n".join(lines)


def _cells(seen: Seen) -> str:
    noticed, again = (
        "never" if moment is None else f"{moment:.0f}"
        for moment in (seen.noticed_ms, seen.again_ms)
    )
    return f"{noticed} | {seen.told} | {again} | {seen.starts}"


async def _all(engine: Engine, names: list[str]) -> dict[str, Any]:
    found = {name: await suffered(engine, name) for name in names}
    return {"faults": found, "two_operators_ms": await two_operators(engine)}


def main(words: list[str]) -> int:
    """Hurt both sides, and print; the exit code is 2 where it cannot be done."""
    parser = argparse.ArgumentParser(prog="faults", description=__doc__)
    parser.add_argument("names", nargs="*", help=", ".join(FAULTS))
    names = parser.parse_args(words).names or list(FAULTS)
    if reason := why_not() or install():
        print(reason, file=sys.stderr)
        return 2
    with started() as engine:
        told = machine(engine)
        found = asyncio.run(_all(engine, names))
    print(table(found["faults"]))
    print(f"the older of two operators of ours: {found['two_operators_ms']:.0f} ms")
    plain = {
        fault: {
            side: {name: attrs.asdict(one) for name, one in each.items()}
            for side, each in sides.items()
        }
        for fault, sides in found["faults"].items()
    }
    print(json.dumps({**told, **found, "faults": plain}))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
