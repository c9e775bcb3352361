"""What the time of a container comes to."""

from __future__ import annotations

import attrs

from orchestrator.core.commands import StartContainer
from orchestrator.core.events import TimeReached
from orchestrator.core.origins import Origin
from orchestrator.core.phases import Asleep, BackingOff, Completed, Rule, Running
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.state import Container, Desired, History, empty_fleet
from orchestrator.core.steps import Step
from orchestrator.core.table import Table
from orchestrator.core.uptimes import Totals, Uptime, begun, is_wanted, sum_of

WEB = Container(
    name="web",
    spec=ContainerSpec(name="web", command=("run",)),
    salt=0,
    revision=1,
    origin=Origin.AD_HOC,
    desired=Desired(running=True, by="owner", why="", at=0),
    phase=Running(since=0, run=1, ready_at=0),
    run=1,
)


def test_time_counts_for_what_a_container_was_while_it_passed() -> None:
    uptime = Uptime(since=100)
    uptime.become(WEB, 200)
    unready = attrs.evolve(WEB, phase=Running(since=0, run=1))
    uptime.become(unready, 1_200)
    waits = BackingOff(since=0, until=9_999, rule=Rule.FAILURE_BACKOFF)
    uptime.become(attrs.evolve(WEB, phase=waits), 1_300)
    uptime.pass_to(1_600)
    uptime.become(None, 1_600)
    uptime.pass_to(9_999)
    totals = uptime.totals()
    assert dict(totals.phase_ms.items()) == {"backing_off": 300, "running": 1_100}
    assert (totals.wanted_ms, totals.ready_ms, totals.down_ms) == (1_400, 1_000, 400)


def test_a_moment_that_is_past_adds_nothing() -> None:
    uptime = Uptime(since=100, container=WEB)
    uptime.pass_to(100)
    uptime.pass_to(50)
    assert uptime.totals() == Totals()


def test_what_is_done_or_asleep_or_to_be_stopped_is_not_wanted() -> None:
    for phase in (Completed(since=0), Asleep(since=0)):
        assert not is_wanted(attrs.evolve(WEB, phase=phase))
    stopped = attrs.evolve(WEB.desired, running=False)
    rests = attrs.evolve(WEB, desired=stopped)
    assert not is_wanted(rests)
    uptime = Uptime(since=0, container=rests)
    uptime.pass_to(500)
    assert (uptime.wanted_ms, uptime.phase_ms) == (0, {"running": 500})
    assert is_wanted(WEB)


def test_crashes_and_restarts_are_counted_where_the_record_rises() -> None:
    uptime = Uptime(since=0, container=WEB)
    more = attrs.evolve(WEB, history=History(crashes_total=1, restarts_total=1))
    uptime.become(more, 1)
    uptime.become(more, 2)
    uptime.become(None, 3)
    uptime.become(more, 4)
    assert (uptime.crashes, uptime.restarts) == (1, 1)


def test_a_start_that_is_commanded_again_begins_no_run() -> None:
    fleet = attrs.evolve(empty_fleet("demo"), containers=Table.of([("web", WEB)]))
    commands = (
        StartContainer(name="web", run=1, revision=1),
        StartContainer(name="web", run=2, revision=1),
        StartContainer(name="new", run=1, revision=1),
    )
    step = Step(
        before=fleet,
        event=TimeReached(at=0),
        after=fleet,
        commands=commands,
        touched=(),
    )
    assert begun(step) == commands[1:]


def test_totals_add_up() -> None:
    one = Totals(phase_ms=Table.of([("running", 5)]), wanted_ms=4, ready_ms=3, starts=2)
    two = Totals(phase_ms=Table.of([("running", 1), ("failed", 2)]), crashes=1)
    whole = sum_of([one, two])
    assert dict(whole.phase_ms.items()) == {"failed": 2, "running": 6}
    assert (whole.wanted_ms, whole.ready_ms, whole.starts, whole.crashes) == (
        4,
        3,
        2,
        1,
    )
    assert (whole.availability, two.availability) == (0.75, None)
    assert sum_of([]) == Totals()
