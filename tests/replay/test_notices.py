"""Histories with notices and tickets are replayed, told and imagined like any other."""

from __future__ import annotations

import attrs

from orchestrator.core.notices import NoticeDelivered, NoticeEvent, NoticeFailed
from orchestrator.core.requests import Restart
from orchestrator.core.steps import Step
from orchestrator.core.table import Table
from orchestrator.core.tickets import Ticket
from orchestrator.journal.reading import RECORDING
from orchestrator.replay import timeline, verify
from orchestrator.replay.history import Entry
from orchestrator.replay.imagined.hypotheses import FOR_ALL, Hypothesis
from orchestrator.replay.imagined.imagining import what_if
from orchestrator.simulation.faults import FaultPlan
from tests.core.examples import NO_JITTER
from tests.replay.kit import entries_of
from tests.simulation.test_notices import MINUTE, told

PLAN = FaultPlan(until=50 * MINUTE, unreachable=300, unanswered=200)


def recorded() -> tuple[list[Entry], Step]:
    run, steps = told(PLAN, 60)
    restart = Restart(name="a", ticket=Ticket(key="one", digest="d1"))
    _ = run.ask(restart)
    run.run_until(90 * MINUTE)
    return entries_of(steps), steps[-1]


def test_they_replay_to_the_same_decisions() -> None:
    entries, last = recorded()
    kinds = {type(one.event) for one in entries if isinstance(one.event, NoticeEvent)}
    assert kinds == {NoticeDelivered, NoticeFailed}
    verdict = verify(entries, RECORDING).unwrap()
    assert verdict.fleet == last.after


def test_they_are_no_part_of_a_container_s_story() -> None:
    entries, _ = recorded()
    (course,) = timeline(entries).courses
    assert course.name == "a"
    assert course.runs


def test_what_if_nobody_was_told_is_the_same_but_for_that() -> None:
    entries, last = recorded()
    settings = attrs.evolve(last.after.settings, notify=None)
    answer = what_if(entries, Hypothesis(settings=settings)).unwrap()
    assert answer.recorded == answer.imagined
    assert answer.fleet.notices.count == 0
    assert answer.fleet.containers == last.after.containers


def test_another_policy_can_be_imagined_where_somebody_is_told() -> None:
    entries, _ = recorded()
    other = Table.of([(FOR_ALL, NO_JITTER)])
    for follows in (True, False):
        answer = what_if(entries, Hypothesis(policies=other, follows=follows)).unwrap()
        assert answer.rows == len(entries)
        assert answer.fleet.notices.count > 0
