"""In a simulated world, too, trouble is told until somebody has heard, or given up."""

from __future__ import annotations

import pytest

from orchestrator.core.backoff import Backoff
from orchestrator.core.commands import SendNotice
from orchestrator.core.fleet_specs import FleetSettings, FleetSpec
from orchestrator.core.invariants import violations
from orchestrator.core.notices import NoticeDelivered, NoticeEvent, NoticeFailed
from orchestrator.core.notify import Notify
from orchestrator.core.requests import Apply, Stop
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.steps import Step
from orchestrator.core.tickets import Ticket
from orchestrator.simulation.characters import Character
from orchestrator.simulation.faults import FaultPlan, calm
from orchestrator.simulation.runs import Run, start_run

MINUTE = 60_000
NOTIFY = Notify(
    url="https://receiver.invalid/",
    attempts=4,
    backoff=Backoff(initial_ms=1_000, max_ms=5_000),
)


def told(plan: FaultPlan, minutes: int) -> tuple[Run, list[Step]]:
    """Let a container that always dies live among the faults of a plan."""
    steps: list[Step] = []
    run = start_run(1, plan, {"a": Character.DEAD}, on_step=steps.append)
    spec = ContainerSpec(name="a", command=("run",))
    settings = FleetSettings(notify=NOTIFY)
    fleet = FleetSpec(name="simulated", settings=settings, containers=(spec,))
    assert run.ask(Apply(spec=fleet)) is None
    run.run_until(minutes * MINUTE)
    return run, steps


def outcomes(steps: list[Step]) -> list[NoticeEvent]:
    return [step.event for step in steps if isinstance(step.event, NoticeEvent)]


def sends(steps: list[Step]) -> int:
    return sum(
        isinstance(command, SendNotice) for step in steps for command in step.commands
    )


def test_where_nothing_fails_each_notice_arrives_at_once() -> None:
    run, steps = told(calm(), 60)
    told_of = outcomes(steps)
    assert told_of
    assert all(isinstance(each, NoticeDelivered) for each in told_of)
    assert len(told_of) == sends(steps) == run.fleet.notices.count
    assert not len(run.fleet.notices.open)


def test_where_nobody_is_reached_a_notice_is_tried_again() -> None:
    plan = FaultPlan(until=50 * MINUTE, unreachable=300, unanswered=200)
    run, steps = told(plan, 90)
    kinds = {type(each) for each in outcomes(steps)}
    assert kinds == {NoticeDelivered, NoticeFailed}
    assert sends(steps) > run.fleet.notices.count
    assert not len(run.fleet.notices.open)
    assert [v for step in steps for v in violations(step)] == []


@pytest.mark.parametrize("killed_in_step", [0, 200])
def test_an_operator_that_is_killed_forgets_no_notice(killed_in_step: int) -> None:
    plan = FaultPlan(
        until=60 * MINUTE,
        kill_operator_every_ms=20_000,
        killed_in_step=killed_in_step,
        unreachable=200,
    )
    run, steps = told(plan, 90)
    heard = sum(isinstance(each, NoticeDelivered) for each in outcomes(steps))
    assert run.fleet.notices.count > 0
    assert heard + run.fleet.notices.lost == run.fleet.notices.count


def test_a_request_that_is_made_again_does_nothing() -> None:
    run, steps = told(calm(), 1)
    stop = Stop(name="a", ticket=Ticket(key="one", digest="d"))
    assert run.ask(stop) is None
    count = len(steps)
    assert run.ask(stop) is None
    assert len(steps) == count
