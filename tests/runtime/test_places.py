"""An operator takes down where its containers run, and says which are misplaced."""

from __future__ import annotations

from orchestrator import (
    Misplaced,
    Operator,
    Placement,
    SimulatedPlatform,
)
from orchestrator.api.counts import Tally
from orchestrator.api.measures import of_fleet
from orchestrator.cli.reads import readable
from orchestrator.cli.shown import container_table
from orchestrator.codec.wire import tree_of
from orchestrator.core.events import PlaceObserved
from orchestrator.journal.memory import MemoryJournal

from .kit import LIMIT_MS, fleet, spec, value
from .virtual import in_virtual_time

WITHIN = Placement(regions=("WEUR",))
WRONG = Misplaced(name="away", expected="in WEUR", found="ENAM/iad01")


@in_virtual_time
async def test_a_place_is_taken_down_once_and_survives_the_operator() -> None:
    declared = fleet(
        spec("away", placement=WITHIN), spec("home", placement=WITHIN), spec("quiet")
    )
    places = {"away": "ENAM/iad01", "home": "WEUR/fra01"}
    platform, journal = SimulatedPlatform(speed=20, places=places), MemoryJournal()
    async with Operator.open(declared, platform=platform, journal=journal) as operator:
        for name in ("away", "home", "quiet"):
            _ = await value(operator.start_container(name))
        for name in ("away", "home", "quiet"):
            _ = await value(operator.wait(name, limit_ms=LIMIT_MS))
        for _ in range(2):
            _ = await value(operator.reconcile())
        infos = {info.name: info for info in operator.infos()}
        assert infos["away"].misplaced == WRONG
        assert (infos["home"].place, infos["home"].misplaced) == ("WEUR/fra01", None)
        assert (infos["quiet"].place, infos["quiet"].misplaced) == ("", None)
        told = [one.event for one in await value(operator.events(0))]
        places_told = [each for each in told if isinstance(each, PlaceObserved)]
        assert [(each.name, each.place) for each in places_told] == [*places.items()]
        tally = Tally.of(operator.fleet.containers.values())
        measured = {name: value_ for name, _, value_ in of_fleet(operator.fleet, tally)}
        assert measured["fleet_misplaced"] == 1
    async with Operator.open(declared, platform=platform, journal=journal) as again:
        (away,) = [info for info in again.infos() if info.name == "away"]
        assert away.misplaced == WRONG


def test_the_table_marks_what_is_misplaced() -> None:
    info = {
        "name": "away",
        "phase": "running",
        "ready": True,
        "restarts": 0,
        "crash_count": 0,
        "last_exit": None,
        "next_start_at": None,
        "started_at": None,
        "addresses": {},
        "run": 1,
        "revision": 1,
        "origin": "min_replica_set",
        "why": "runs",
    }
    told = [info, info | {"place": "WEUR"}, info | {"place": "ENAM", "misplaced": {}}]
    told[2]["misplaced"] = tree_of(WRONG)
    table = container_table(told, wide=True)
    (column,) = [each for each in table.columns if each.header == "PLACE"]
    assert list(map(str, column.cells)) == ["-", "WEUR", "ENAM (misplaced)"]


def test_explain_says_what_was_expected_and_what_was_found() -> None:
    facts = {"last": None, "failures": [], "misplaced": tree_of(WRONG)}
    told = readable(facts)
    assert told["misplaced"] == "expected in WEUR, found ENAM/iad01"
    assert "misplaced" not in readable(
        {"last": None, "failures": [], "misplaced": None}
    )
