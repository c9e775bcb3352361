"""A step that breaks an invariant is told and counted, and the operator goes on."""

from __future__ import annotations

import attrs
import pytest

from orchestrator.core.events import TimeReached
from orchestrator.core.state import Fleet, empty_fleet
from orchestrator.core.steps import Step
from orchestrator.runtime.watch import Watch

from .kit import LIMIT_MS, fleet, opened, spec, value


def step(before: Fleet, after: Fleet) -> Step:
    event = TimeReached(at=after.at)
    return Step(before=before, event=event, after=after, commands=(), touched=())


def test_a_step_that_breaks_nothing_is_not_told() -> None:
    watch = Watch()
    watch.see(step(empty_fleet("demo"), empty_fleet("demo")))
    assert watch.violations == 0


def test_a_step_that_breaks_an_invariant_is_told_and_counted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    watch = Watch()
    late = attrs.evolve(empty_fleet("demo"), at=5)
    watch.see(step(late, attrs.evolve(late, at=4)))
    assert watch.violations == 1
    assert "time never runs backwards (demo, by TimeReached)" in caplog.text


async def test_a_fleet_at_work_breaks_none() -> None:
    async with opened(fleet(spec("web"), spec("dead"), spec("job"))) as kit:
        await kit.container("dead", "backing_off")
        await value(kit.operator.wait("web", limit_ms=LIMIT_MS))
        assert kit.operator.seq > 5
        assert kit.operator.violations == 0
