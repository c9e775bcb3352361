"""Timelines of containers that wait for others, and of those they wake."""

from __future__ import annotations

import attrs

from orchestrator.core.dependencies import Condition
from orchestrator.core.events import ContainerEnded
from orchestrator.core.exits import Exited, Slept
from orchestrator.core.phases import Rule
from orchestrator.core.requests import Restart
from orchestrator.core.table import Table
from orchestrator.replay.timelines.happenings import Decided, What
from tests.replay.test_timelines import WEB, Story, decided

NEEDY = attrs.evolve(WEB, depends_on=Table.of([("db", Condition.READY)]))
DB = attrs.evolve(WEB, name="db", service="db", keep_alive=False)


def test_for_whom_it_waits_is_told_and_by_which_rule_it_starts_then() -> None:
    story = Story(NEEDY, DB)
    waits = story.course().decisions[-1]
    assert (waits.what, waits.rule, waits.waits_for) == (
        What.QUEUE,
        Rule.DECLARED,
        "db",
    )
    story.gets_ready("db")
    assert decided(story.course())[-1] == (What.START, Rule.DECLARED)
    assert [run.rule for run in story.course().runs] == [Rule.DECLARED]


def test_one_that_is_woken_starts_because_it_is_needed() -> None:
    story = Story(NEEDY, DB)
    story.gets_ready("db")
    story.gets_ready()
    story.happens(ContainerEnded(at=0, name="db", run=1, exit=Slept()))
    story.asks(Restart(name="web"))
    story.happens(ContainerEnded(at=0, name="web", run=1, exit=Exited(code=0)))
    assert [run.rule for run in story.course("db").runs] == [
        Rule.DECLARED,
        Rule.NEEDED,
    ]
    (start,) = [
        one
        for one in story.row()
        if isinstance(one, Decided) and one.what is What.START
    ]
    assert (start.name, start.rule) == ("db", Rule.NEEDED)
