"""What an operator finds that comes back: examples; that counts add up is a law."""

from __future__ import annotations

import attrs
import pytest

from orchestrator.core.errors import NoCapacity
from orchestrator.core.events import (
    Booted,
    CommandFailed,
    CommandKind,
    ContainerEnded,
    ContainerErrored,
    ContainerObserved,
    Event,
    FleetObserved,
)
from orchestrator.core.exits import (
    Exit,
    Exited,
    Lost,
    OutOfMemory,
    Signaled,
    Slept,
    StartFailed,
    Stopped,
)
from orchestrator.core.observations import (
    SeenAbsent,
    SeenEnded,
    SeenRunning,
    SeenUnreachable,
    Sight,
)
from orchestrator.core.policies import RestartPolicy
from orchestrator.core.reduce import step_of
from orchestrator.core.requests import Stop
from orchestrator.core.state import Fleet, empty_fleet
from orchestrator.core.steps import Step
from orchestrator.core.table import Table
from orchestrator.replay.absences import (
    Absence,
    CatchUp,
    EndKind,
    absence_of,
    absence_text,
)
from tests.core.examples import Story, spec

LEFT = 5_000
BACK = LEFT + 723_000
LOOK = FleetObserved(at=BACK, complete=True)
NAMES = ("a", "b", "c", "d")


def led(*names: str, policy: RestartPolicy | None = None) -> Fleet:
    """Return a fleet whose containers are ready, when its operator ends."""
    more = {} if policy is None else {"policy": policy}
    story = Story(*(spec(name, **more) for name in names))
    for name in names:
        story.ready(name)
    return story.time(LEFT).fleet


def steps_behind(before: Fleet, *events: Event) -> list[Step]:
    fleet, steps = before, list[Step]()
    for event in (Booted(at=BACK, epoch=2, rules=3, fences=True), *events):
        steps.append(step_of(fleet, attrs.evolve(event, at=BACK)))
        fleet = steps[-1].after
    return steps


def found(before: Fleet, *events: Event) -> Absence:
    absence = absence_of(before, steps_behind(before, *events, LOOK))
    assert absence is not None
    return absence


def told(name: str, exit_: Exit, run: int = 1) -> ContainerEnded:
    return ContainerEnded(at=BACK, name=name, run=run, exit=exit_)


def seen(name: str, sight: Sight, run: int = 1) -> ContainerObserved:
    return ContainerObserved(at=BACK, name=name, run=run, sight=sight)


def test_it_says_how_long_nobody_led_and_what_became_of_every_run() -> None:
    absence = found(
        led(*NAMES),
        told("a", Exited(code=7)),
        seen("b", SeenEnded(exit=Exited(code=0))),
        told("c", Slept()),
    )
    assert (absence.epoch, absence.absent_ms) == (2, 723_000)
    assert dict(absence.ended.items()) == {
        "a": Exited(code=7),
        "b": Exited(code=0),
        "c": Slept(),
    }
    assert absence_text(absence) == (
        "nobody led for 12m3s: 2 runs ended (1 crash), 1 sleeps, 1 goes on"
    )
    assert absence.facts() == {
        "absent_ms": 723_000,
        "catch_up_ms": 0,
        "crashes": 1,
        "clean": 1,
        "lost": 0,
        "stopped": 0,
        "asleep": 1,
        "going_on": 1,
        "unseen": 0,
        "strangers": 0,
    }


@pytest.mark.parametrize(
    ("exit_", "kind"),
    [
        (Exited(code=0), EndKind.CLEAN),
        (Exited(code=7), EndKind.CRASH),
        (Signaled(signal=9), EndKind.CRASH),
        (OutOfMemory(), EndKind.CRASH),
        (StartFailed(reason="no image"), EndKind.CRASH),
        (Lost(), EndKind.LOST),
        (Slept(), EndKind.ASLEEP),
        (Stopped(), EndKind.STOPPED),
        (NoCapacity(), EndKind.STOPPED),
    ],
)
def test_each_end_is_of_one_kind(exit_: Exit, kind: EndKind) -> None:
    absence = found(led("a"), told("a", exit_))
    assert dict(absence.kinds.items()) == {kind: 1}
    assert absence.count(kind) == 1


def test_what_counts_as_clean_is_for_the_policy_to_say() -> None:
    tolerant = RestartPolicy(success_codes=(3,))
    assert found(led("a", policy=tolerant), told("a", Exited(code=3))).count(
        EndKind.CLEAN
    )


def test_an_end_that_is_told_twice_counts_once_and_who_knows_more_is_believed() -> None:
    events = (
        seen("a", SeenAbsent()),
        told("a", Exited(code=7)),
        told("a", Exited(code=7)),
        seen("b", SeenAbsent()),
    )
    for order in (events, events[::-1]):
        absence = found(led("a", "b"), *order)
        assert absence.ended == Table.of([("a", Exited(code=7)), ("b", Lost())])
        assert absence_text(absence).endswith(": 2 runs ended (1 crash, 1 lost)")


def test_ends_of_other_runs_and_of_others_say_nothing() -> None:
    story = Story(spec("a"), spec("b")).ready("a").ready("b").ended(name="b")
    absence = found(
        story.fleet,
        told("a", Exited(code=7), run=9),
        told("b", Exited(code=7)),
        told("nobody", Exited(code=7)),
    )
    assert not absence.ended
    assert absence_text(absence).endswith(": 1 goes on")


def test_a_run_that_was_being_ended_has_ended_as_we_said() -> None:
    story = Story(spec("a")).ready("a")
    story.asked(Stop(name="a"))
    assert found(story.fleet, told("a", Exited(code=143))).ended["a"] == Stopped()


def test_what_cannot_be_seen_may_be_there() -> None:
    before = led("a", "b", "c")
    absence = found(
        before,
        seen("a", SeenUnreachable()),
        ContainerErrored(at=BACK, name="b", run=1, cause="reset"),
        seen("b", SeenRunning(ready=True)),
        seen("c", SeenUnreachable()),
    )
    assert (absence.unseen, absence.going_on) == (2, 1)
    text = absence_text(absence)
    assert text.endswith(": 2 cannot be seen, 1 goes on")


def test_what_nobody_here_began_is_a_stranger_beside_the_fleet_or_in_it() -> None:
    story = Story(spec("a"), spec("b")).ready("a").ended(name="a")
    story.happens(
        FleetObserved(at=story.fleet.at, complete=True, strangers=Table.of([("k", 4)]))
    )
    absence = absence_of(
        story.fleet,
        steps_behind(
            story.fleet,
            seen("a", SeenRunning(ready=True), run=5),
            seen("z", SeenRunning(), run=2),
            seen("b", SeenRunning()),
            seen("k", SeenRunning(), run=4),
            attrs.evolve(LOOK, strangers=Table.of([("k", 4), ("x", 1)])),
        ),
    )
    assert absence is not None
    assert dict(absence.strangers.items()) == {"a": 5, "x": 1, "z": 2}
    assert "3 were started by nobody here" in absence_text(absence)


def test_a_run_that_is_gone_without_an_end_is_taken_from_its_record_or_lost() -> None:
    starting = Story(spec("a"), spec("b")).fleet
    failed = CommandFailed(
        at=BACK, name="a", run=1, kind=CommandKind.START, error=NoCapacity()
    )
    steps = steps_behind(starting, failed, LOOK)
    gone = attrs.evolve(
        steps[-1].after, containers=steps[-1].after.containers.drop("b")
    )
    steps[-1] = attrs.evolve(steps[-1], after=gone)
    absence = absence_of(starting, steps)
    assert absence is not None
    assert dict(absence.ended.items()) == {"a": NoCapacity(), "b": Lost()}
    assert absence_text(absence).endswith(": 2 runs ended (1 lost, 1 stopped)")


def test_a_look_that_is_not_complete_ends_nothing() -> None:
    before = led("a")
    partly = attrs.evolve(LOOK, complete=False)
    assert absence_of(before, steps_behind(before, partly)) is None
    absence = found(before, partly, told("a", Exited(code=7)))
    assert absence.count(EndKind.CRASH) == 1


def test_a_fleet_that_nobody_led_or_nobody_leads_again_has_no_absence() -> None:
    fresh = empty_fleet("demo")
    assert absence_of(fresh, steps_behind(fresh, LOOK)) is None
    before = led("a")
    look = step_of(before, LOOK)
    catch_up = CatchUp(before=before)
    assert not catch_up.take(look)
    assert catch_up.absence(look.after) is None


def test_where_nothing_ran_and_nothing_was_found_there_is_nothing_to_tell() -> None:
    absence = found(led())
    assert absence.is_empty
    assert absence_text(absence) == ""
