"""The model platform obeys the laws of the port."""

from __future__ import annotations

import pytest
from returns.pipeline import is_successful

from orchestrator.core.commands import (
    DestroyContainer,
    ForgetContainer,
    StartContainer,
    StopContainer,
)
from orchestrator.core.errors import StaleRun
from orchestrator.core.events import ContainerEnded, ContainerReady, ContainerStarted
from orchestrator.core.exits import Exited, Signaled, Stopped
from orchestrator.core.observations import SeenEnded, SeenRunning
from orchestrator.core.requests import Apply, Start, Stop
from orchestrator.core.specs import ContainerSpec, FleetSpec
from orchestrator.simulation.dice import Dice
from orchestrator.simulation.faults import Character, calm, draw_plan
from orchestrator.simulation.runs import start_run
from orchestrator.simulation.world import World


def world(character: Character = Character.STEADY) -> World:
    return World(dice=Dice(1), characters={"web": character})


def start(run: int) -> StartContainer:
    return StartContainer(name="web", run=run, revision=1)


def stop(run: int) -> StopContainer:
    return StopContainer(name="web", run=run, signal="TERM", grace_ms=1_000)


def test_a_run_tells_started_and_ready_once() -> None:
    one = world()
    assert is_successful(one.perform(start(1), "mark", 0))
    told = one.news(10_000)
    assert [type(event) for event in told] == [ContainerStarted, ContainerReady]
    assert one.news(20_000) == []
    assert one.next_news_at() is None


def test_the_same_start_twice_does_the_same_as_once() -> None:
    one = world()
    for _ in range(2):
        assert is_successful(one.perform(start(2), "", 0))
    assert one.double_starts == 0
    refusal = one.perform(start(1), "", 5).failure()
    assert refusal == StaleRun(name="web", run=1, highest=2)
    assert is_successful(one.perform(start(3), "", 5))
    assert one.double_starts == 1


@pytest.mark.parametrize(
    ("character", "ends_at", "exit_"),
    [
        (Character.STEADY, 5_020, Exited(code=0)),
        (Character.STUBBORN, 6_000, Signaled(signal=9)),
    ],
)
def test_a_stop_keeps_its_grace(
    character: Character, ends_at: int, exit_: object
) -> None:
    one = world(character)
    one.perform(start(1), "", 0).unwrap()
    one.news(5_000)
    one.perform(stop(1), "", 5_000).unwrap()
    one.perform(stop(1), "", 5_500).unwrap()
    assert one.news(ends_at - 1) == []
    [end] = one.news(ends_at)
    assert isinstance(end, ContainerEnded)
    assert end.exit == exit_
    one.perform(stop(1), "", 9_000).unwrap()
    assert len(one.news(9_000)) == 1


def test_destroying_is_at_once() -> None:
    one = world(Character.STUBBORN)
    one.perform(start(1), "", 0).unwrap()
    one.perform(DestroyContainer(name="web", run=1), "", 5_000).unwrap()
    assert isinstance(one.news(5_020)[-1], ContainerEnded)
    one.perform(ForgetContainer(name="web", run=1), "", 5_030).unwrap()
    assert one.lives == {}
    one.perform(ForgetContainer(name="web", run=1), "", 5_030).unwrap()


def test_a_stop_of_what_is_not_there_is_told_as_ended() -> None:
    one = world()
    one.perform(stop(4), "", 7).unwrap()
    [end] = one.news(7)
    assert isinstance(end, ContainerEnded)
    assert (end.run, end.exit) == (4, Stopped())
    one.perform(stop(3), "", 8).unwrap()
    assert one.news(8) == []


def test_a_look_shows_what_is() -> None:
    one = world(Character.DEAD)
    one.perform(start(1), "mark", 0).unwrap()
    [seen] = one.observe(0, complete=True).sightings
    assert (seen.sight, seen.fingerprint) == (SeenRunning(ready=False), "mark")
    [seen] = one.observe(9_999, complete=True).sightings
    assert seen.sight == SeenEnded(exit=Exited(code=1))
    one.vanish("web", 9_999)
    assert "web" in one.lives


def test_the_same_seed_draws_the_same() -> None:
    assert draw_plan(7, 1_000) == draw_plan(7, 1_000)
    assert draw_plan(7, 1_000) != draw_plan(8, 1_000)
    rolls = [Dice(3).between(1, 6) for _ in range(3)]
    assert len(set(rolls)) == 1
    assert all(1 <= Dice(n).between(1, 6) <= 6 for n in range(100))


def test_a_request_is_answered() -> None:
    run = start_run(1, calm(), {}, on_step=lambda _: None)
    assert run.ask(Stop(name="web")) is not None
    spec = ContainerSpec(name="web", command=("run",))
    fleet = FleetSpec(name="simulated", containers=(spec,))
    assert run.ask(Apply(spec=fleet)) is None
    run.run_until(10_000)
    assert run.ask(Start(name="web")) is None
