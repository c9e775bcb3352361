"""What a row leads to for very many containers is done by pieces: others go on."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import Iterable, Sequence
from typing import Any, cast

import pytest
from returns.future import FutureResult

from orchestrator import FleetSpec
from orchestrator.core.errors import PlatformError
from orchestrator.core.health import HealthCheck, HealthChecks, TcpProbe
from orchestrator.core.state import Container, Fleet
from orchestrator.core.steps import Step
from orchestrator.core.table import Table
from orchestrator.platforms.port import Attachment
from orchestrator.runtime import followers
from orchestrator.runtime.collecting import AT_WORK
from orchestrator.runtime.followers import by_pieces
from orchestrator.runtime.interpreter import Interpreter
from orchestrator.runtime.prober import Prober
from orchestrator.runtime.telemetry import Telemetry
from orchestrator.runtime.timers import Timers
from tests.runtime.kit import Faulty, FullJournal, fleet, opened, spec, value
from tests.runtime.test_turns import Other
from tests.runtime.virtual import in_virtual_time

FEW = 4
"""The size of a piece here."""

MANY = 5 * FEW + 1
NAMES = tuple(f"c-{number:02}" for number in range(MANY))


@pytest.fixture(autouse=True)
def _small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(followers, "PIECE", FEW)


@pytest.mark.parametrize("count", [0, 1, FEW, FEW + 1, MANY])
async def test_all_are_taken_in_order_and_others_go_on(count: int) -> None:
    taken: list[Sequence[int]] = []
    other = Other()
    await by_pieces(range(count), taken.append)
    other.task.cancel()
    assert [each for piece in taken for each in piece] == [*range(count)]
    assert [len(piece) <= FEW for piece in taken] == [True] * max(1, -(-count // FEW))
    assert other.turns == len(taken) - 1


class Noted:
    """Notes how many names each of the parts is given in one go."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.given: dict[str, list[int]] = {}
        refresh, restarted = Timers.refresh, Telemetry.restarted
        refresh_all = Prober._refresh_all

        def refreshed(timers: Timers, whole: Fleet, names: Iterable[str]) -> None:
            refresh(timers, whole, self.seen("timers", names))

        def counted(
            told: Telemetry, seq: int, step: Step, names: Iterable[str]
        ) -> None:
            restarted(told, seq, step, self.seen("counts", names))

        def asked(prober: Prober, spread_ms: int, names: Iterable[str]) -> None:
            refresh_all(prober, spread_ms, self.seen("checks", names))

        patch.setattr(Timers, "refresh", refreshed)
        patch.setattr(Telemetry, "restarted", counted)
        patch.setattr(Prober, "_refresh_all", asked)

    def seen(self, part: str, names: Iterable[str]) -> tuple[str, ...]:
        there = tuple(names)
        self.given.setdefault(part, []).append(len(there))
        return there

    def most(self) -> dict[str, int]:
        """Return the most that each was given, of those that were given all."""
        return {
            part: max(counts)
            for part, counts in self.given.items()
            if sum(counts) >= MANY
        }


def declared() -> FleetSpec:
    return fleet(*(spec(name) for name in NAMES), reconcile_interval_ms=0)


@in_virtual_time
async def test_a_fleet_is_declared_and_taken_up_again_by_pieces(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    journal, wanted = FullJournal(), {"timers": FEW, "counts": FEW, "checks": FEW}
    noted = Noted(monkeypatch)
    async with opened(declared(), journal=journal) as kit:
        await value(kit.operator.converge(steady_ms=0))
    assert noted.most() == wanted
    noted.given.clear()
    async with opened(declared(), journal=journal, platform=kit.platform) as kit:
        await value(kit.operator.converge(steady_ms=0))
        while "checks" not in noted.most():  # noqa: ASYNC110 - they begin a moment later
            await asyncio.sleep(0.001)
    assert noted.most() == {"timers": FEW, "checks": FEW}


async def test_commands_are_handed_out_by_pieces(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    turns: list[int] = []
    carry_out = Interpreter.carry_out

    def carried_out(interpreter: Interpreter, *command: Any) -> None:
        turns.append(other.turns)
        carry_out(interpreter, *command)

    async with opened(declared()) as kit:
        await value(kit.operator.converge(steady_ms=0))
        other = Other()
        monkeypatch.setattr(Interpreter, "carry_out", carried_out)
        await value(kit.operator.down())
        other.task.cancel()
    stops = turns[:MANY]
    assert max(stops.count(turn) for turn in stops) <= FEW


@in_virtual_time
async def test_who_begins_to_watch_between_two_pieces_misses_no_row() -> None:
    """A watcher's first step is the one behind the fleet that there was."""
    begun: list[Fleet] = []
    seen: list[Step] = []
    async with opened(declared()) as kit:
        loop = kit.operator._loop

        def follow(_: int, step: Step, names: Sequence[str]) -> None:
            if len(step.touched) > FEW and step.touched[FEW] in names and not begun:
                begun.append(loop.fleet)
                loop.watchers.append(seen.append)

        loop.followers.append(follow)
        await value(kit.operator.apply(fleet(*(spec(n, env=ENV) for n in NAMES))))
        await value(kit.operator.converge(steady_ms=0))
    assert seen[0].before is begun[0]


ENV = Table.of([("A", "b")])


@in_virtual_time
async def test_a_question_that_a_row_overtakes_is_not_asked(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between two pieces a check may be due whose container has left the fleet."""
    check = HealthCheck(probe=TcpProbe(port="http"), period_ms=1)
    checked: dict[str, Any] = {
        "ports": Table.of([("http", 80)]),
        "health": HealthChecks(liveness=check),
        "stop_grace_ms": 1,
    }
    asked: list[str] = []
    async with opened(fleet(*(spec(name, **checked) for name in NAMES))) as kit:
        loop, engine = kit.operator._loop, cast("Any", kit.operator._engine)
        prober: Prober = engine.prober
        await value(kit.operator.converge(steady_ms=0))
        ask = prober._asker.ask

        async def noted(whole: Fleet, container: Container, *rest: Any) -> Any:
            asked.append(container.name)
            return await ask(whole, container, *rest)

        monkeypatch.setattr(prober._asker, "ask", noted)
        known = prober._known[NAMES[0]]
        gone = next(iter(known.values()))
        _ = await value(kit.operator.apply(fleet()))
        await kit.until(lambda: not loop.fleet.containers)
        asked.clear()
        caplog.clear()
        with caplog.at_level(logging.ERROR):
            await prober._ask(gone)
    assert asked == []
    assert caplog.records == []


class Watched(Faulty):
    """A platform that notes how often Python collects when it is attached to."""

    def __init__(self) -> None:
        super().__init__()
        self.thresholds: list[tuple[int, int, int]] = []

    def attach(self, after: int) -> FutureResult[Attachment, PlatformError]:
        self.thresholds.append(gc.get_threshold())
        return super().attach(after)


async def test_nobody_looks_at_all_that_lives_between_a_recovery_and_the_loop() -> None:
    before, platform = gc.get_threshold(), Watched()
    async with opened(fleet(spec("web")), platform=platform):
        assert gc.get_threshold() >= AT_WORK
    assert platform.thresholds == [AT_WORK]
    await asyncio.sleep(0)
    assert gc.get_threshold() == before
