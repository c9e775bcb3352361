"""Where what is believed to run differs from what is asked for: each kind once."""

from __future__ import annotations

import attrs

from orchestrator.core.dependencies import Condition
from orchestrator.core.drift import DriftKind, drift
from orchestrator.core.events import ContainerErrored, FleetObserved
from orchestrator.core.exits import Exited
from orchestrator.core.explain import container_info
from orchestrator.core.requests import Remove, Start, Stop
from orchestrator.core.state import Fleet
from orchestrator.core.table import Table
from tests.core.examples import Story, spec

WEB = spec("web")


def kinds(fleet: Fleet) -> list[tuple[str, DriftKind]]:
    return [(one.name, one.kind) for one in drift(fleet, 0)]


def test_a_fleet_that_is_as_it_shall_be_has_none() -> None:
    assert drift(Story(WEB).ready().fleet, 0) == ()
    stopped = Story(WEB).ready().asked(Stop(name="web")).ended(Exited(code=0))
    assert drift(stopped.fleet, 0) == ()
    done = Story(WEB).ready().ended(Exited(code=0))
    assert drift(done.fleet, 0) == ()


def test_what_shall_run_and_does_not_is_told_with_the_reason() -> None:
    (found,) = drift(Story(WEB).ready().ended(Exited(code=3)).fleet, 0)
    assert (found.kind, found.asked) == (DriftKind.NOT_RUNNING, "running")
    assert (found.found, found.why) == ("backing_off", "it failed (exit 3)")


def test_what_runs_and_shall_not_is_told() -> None:
    (found,) = drift(Story(WEB).ready().asked(Stop(name="web")).fleet, 0)
    assert (found.kind, found.asked) == (DriftKind.NOT_STOPPED, "stopped")
    assert found.found == "stopping"


def test_what_cannot_be_seen_is_told() -> None:
    story = Story(WEB).ready()
    story.happens(ContainerErrored(at=1, name="web", run=1, cause="cut off"))
    assert kinds(story.fleet) == [("web", DriftKind.UNKNOWN)]
    (found,) = drift(story.fleet, 7_201_000)
    assert found.why == "cannot be seen since 2h"


def test_for_whom_one_waits_is_told_as_its_record_tells_it() -> None:
    needy = spec("api", depends_on=Table.of([("db", Condition.READY)]))
    fleet = Story(needy, spec("db")).fleet
    told = {one.name: one.why for one in drift(fleet, 0)}
    assert told["api"] == "waits for db to be ready: it was declared; db is starting"
    assert told["api"] == container_info(fleet, fleet.containers["api"], 0).why


def test_a_run_of_an_older_revision_is_told() -> None:
    fleet = Story(WEB).ready().fleet
    older = attrs.evolve(fleet.containers["web"], revision=2)
    aged = attrs.evolve(fleet, containers=fleet.containers.put("web", older))
    (found,) = drift(aged, 0)
    assert found.kind is DriftKind.OLDER_REVISION
    assert (found.asked, found.found) == ("revision 2", "revision 1")


def test_strangers_and_what_is_not_yet_forgotten_are_told_in_the_order_of_names() -> (
    None
):
    story = Story(WEB).ready()
    story.asked(Start(name="zed", spec=spec("zed"))).asked(Stop(name="zed"))
    story.ended(Exited(code=0), "zed").asked(Remove(name="zed"))
    strangers = Table.of([("alien", 4)])
    story.happens(FleetObserved(at=2, complete=True, strangers=strangers))
    assert kinds(story.fleet) == [
        ("alien", DriftKind.STRANGER),
        ("zed", DriftKind.NOT_FORGOTTEN),
    ]
    stranger = drift(story.fleet, 2)[0]
    assert (stranger.found, stranger.why) == (
        "run 4",
        "the platform has it; it belongs to no container of the fleet",
    )
