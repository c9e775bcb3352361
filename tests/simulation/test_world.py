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
from orchestrator.core.errors import ContainerStartFailed, StaleOperator, StaleRun
from orchestrator.core.events import ContainerEnded, ContainerReady, ContainerStarted
from orchestrator.core.exits import (
    Exited,
    OutOfMemory,
    RolledOut,
    Signaled,
    StartFailed,
    Stopped,
)
from orchestrator.core.fleet_specs import FleetSpec
from orchestrator.core.health import CheckKind, HttpProbe, TcpProbe
from orchestrator.core.observations import SeenEnded, SeenRunning
from orchestrator.core.requests import Apply, Start, Stop
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.tallies import Answer
from orchestrator.simulation.characters import Character
from orchestrator.simulation.dice import Dice
from orchestrator.simulation.faults import calm
from orchestrator.simulation.profiles import draw_plan
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


def test_an_order_of_an_older_epoch_takes_no_effect() -> None:
    one = world()
    old, new = one.attach(), one.attach()
    refusal = one.perform(start(1), "", 0, epoch=old).failure()
    assert refusal == StaleOperator(epoch=old, highest=new)
    assert (one.lives, one.stale_orders) == ({}, 1)
    assert is_successful(one.perform(start(1), "", 0, epoch=new))
    assert one.attach(after=9) == 10


def test_a_newer_run_ends_the_older_one_and_both_ends_are_told() -> None:
    one = world()
    one.perform(start(1), "", 0).unwrap()
    one.news(5_000)
    one.perform(start(2), "", 5_000).unwrap()
    assert one.next_news_at() == 5_000
    told = one.news(9_000)
    ends = [event for event in told if isinstance(event, ContainerEnded)]
    assert [(end.run, end.exit) for end in ends] == [(1, Signaled(signal=9))]
    assert {event.run for event in told} == {1, 2}


def test_a_slow_start_is_late() -> None:
    one = world()
    one.perform(start(1), "", 0, slow_ms=60_000).unwrap()
    assert one.news(59_000) == []
    assert len(one.news(70_000)) == 2


def test_a_refused_start_never_was() -> None:
    one = world(Character.REFUSED)
    refusal = one.perform(start(1), "", 0).failure()
    assert isinstance(refusal, ContainerStartFailed)
    assert one.lives == {}


def test_a_missing_image_is_told_after_the_start_was_accepted() -> None:
    one = world(Character.IMAGE_MISSING)
    one.perform(start(1), "", 0).unwrap()
    [end] = one.news(1_000)
    assert isinstance(end, ContainerEnded)
    assert isinstance(end.exit, StartFailed)


def test_a_script_says_how_each_run_ends() -> None:
    one = world(Character.SCRIPTED)
    one.scripts["web"] = (Exited(code=3), OutOfMemory())
    ends: list[object] = []
    for run in (1, 2, 3):
        one.perform(start(run), "", run * 100_000).unwrap()
        (told,) = (
            event
            for event in one.news((run + 1) * 100_000)
            if isinstance(event, ContainerEnded)
        )
        ends.append(told.exit)
    assert ends == [Exited(code=3), OutOfMemory(), Exited(code=3)]


def asked(one: World, run: int, at: int, kind: CheckKind | None = None) -> Answer:
    return one.answer("web", run, HttpProbe(port="http"), at, kind=kind)


def test_a_hung_process_is_alive_and_its_checks_fail() -> None:
    one = world(Character.HUNG)
    one.perform(start(1), "", 0).unwrap()
    hangs_at = one.lives["web"].fate.hangs_at
    assert hangs_at is not None
    assert asked(one, 1, 1) is Answer.FAILED  # nothing listens yet
    assert asked(one, 1, hangs_at - 1) is Answer.PASSED
    assert one.answers_change_at("web", hangs_at - 1) == hangs_at
    assert asked(one, 1, hangs_at) is Answer.FAILED
    tcp = TcpProbe(port="http")
    assert one.answer("web", 1, tcp, hangs_at) is Answer.PASSED
    assert asked(one, 2, hangs_at) is Answer.UNKNOWN
    one.perform(stop(1), "", hangs_at).unwrap()
    [*_, end] = one.news(hangs_at + 1_000)
    assert isinstance(end, ContainerEnded)
    assert end.exit == Signaled(signal=9)
    assert one.answers_change_at("web", hangs_at + 1_000) is None
    assert one.answers_change_at("other", 0) is None


def test_a_wedged_container_hangs_until_it_is_destroyed() -> None:
    one = world(Character.WEDGED)

    def hangs_at_once(run: int, at: int) -> bool:
        one.perform(start(run), "", at).unwrap()
        fate = one.lives["web"].fate
        assert fate.hangs_at is not None
        assert fate.ready_at is not None
        return fate.hangs_at == fate.ready_at

    assert not hangs_at_once(1, 0)
    one.perform(stop(1), "", 10_000_000).unwrap()
    assert hangs_at_once(2, 20_000_000)
    one.perform(DestroyContainer(name="web", run=2), "", 30_000_000).unwrap()
    assert not hangs_at_once(3, 40_000_000)


def test_readiness_flaps_and_liveness_does_not() -> None:
    one = world(Character.FLAPPING)
    one.perform(start(1), "", 0).unwrap()
    fate = one.lives["web"].fate
    away = fate.started_at + fate.flaps_ms // 2
    assert asked(one, 1, away - 1, CheckKind.READINESS) is Answer.PASSED
    assert asked(one, 1, away, CheckKind.READINESS) is Answer.FAILED
    assert asked(one, 1, away, None) is Answer.FAILED
    assert asked(one, 1, away, CheckKind.LIVENESS) is Answer.PASSED
    assert one.answers_change_at("web", away - 1) == away


def test_what_is_rolled_out_or_killed_ends_by_that() -> None:
    one = world()
    one.roll_out("web", 0)
    one.kill("web", 0)
    assert one.lives == {}
    one = world()
    one.perform(start(1), "", 0).unwrap()
    one.roll_out("web", 5_000)
    one.roll_out("web", 5_001)
    ends = [one.lives["web"].fate.exit]
    one.perform(start(2), "", 6_000).unwrap()
    one.kill("web", 9_000)
    one.kill("web", 9_001)
    ends.append(one.lives["web"].fate.exit)
    assert ends == [RolledOut(), Exited(code=1)]
    assert one.characters["web"] is Character.DEAD


def test_healing_makes_all_steady_but_the_doomed() -> None:
    kinds = {
        "bad": Character.FLAKY,
        "doomed": Character.FLAKY,
        "hung": Character.HUNG,
        "stuck": Character.HUNG,
        "ending": Character.FLAKY,
    }
    one = World(dice=Dice(1), characters=dict(kinds))
    for name in kinds:
        command = StartContainer(name=name, run=1, revision=1)
        one.perform(command, "", 0).unwrap()
    one.perform(
        StopContainer(name="ending", run=1, signal="TERM", grace_ms=0), "", 450
    ).unwrap()
    one.heal(10_000_000, doomed={"doomed"}, hanging={"stuck"})
    assert one.lives["bad"].fate.ends_at is None
    assert one.lives["doomed"].fate.ends_at is not None
    assert one.lives["hung"].fate.hangs_at is None
    assert one.lives["stuck"].fate.hangs_at is not None
    assert one.lives["ending"].ordered
    assert one.characters["doomed"] is Character.FLAKY
    assert one.characters["bad"] is Character.STEADY


def test_an_old_note_of_news_is_passed_over() -> None:
    one = world()
    one.perform(start(1), "", 0).unwrap()
    one.vanish("web", 1)
    assert one.next_news_at() is None
    assert one.news(99_999) == []


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
