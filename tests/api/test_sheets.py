"""Sheets of containers: how long one is kept, and that it is right as long as it is."""

from __future__ import annotations

import attrs
import pytest
from returns.result import Result, Success

from orchestrator.api import sheets
from orchestrator.api.bodies import written
from orchestrator.api.sheets import Sheets
from orchestrator.codec.wire import tree_of
from orchestrator.core.dependencies import Condition
from orchestrator.core.errors import ContainerError
from orchestrator.core.exits import Exited
from orchestrator.core.origins import Origin
from orchestrator.core.phases import Pending, Phase, Rule, Running, Unknown
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.state import Container, Desired, Fleet, History
from orchestrator.core.table import Table
from orchestrator.runtime.views import View
from tests.codec.test_room import room
from tests.core.examples import Story
from tests.replay.golden import SEEDS
from tests.runtime.kit import spec
from tests.runtime.travel_kit import fleets

RUNS = Running(since=5, ready_at=7, run=1)


def web(phase: Phase, *failures: int) -> Container:
    return Container(
        name="web",
        spec=spec("web"),
        salt=0,
        revision=1,
        origin=Origin.AD_HOC,
        desired=Desired(running=True, by="owner", why="", at=0),
        phase=phase,
        history=History(failures=failures),
    )


def core(name: str, *needs: str) -> ContainerSpec:
    conditions = Table.of((need, Condition.STARTED) for need in needs)
    return attrs.evolve(spec(name), depends_on=conditions)


def view(
    container: Container, seq: int = 1, at: int = 10, observed_at: int | None = None
) -> View:
    known = Table.of([("web", container)])
    fleet = Fleet(name="demo", containers=known, observed_at=observed_at)
    return View(seq=seq, at=at, fleet=fleet)


def counting(view: View, name: str) -> Result[int, ContainerError]:
    """Say how often it was asked before, in the place of what is worked out."""
    return Success(view.seq * 1_000_000 + view.at)


def test_what_runs_is_written_once_for_any_row_and_moment() -> None:
    kept, runs = Sheets(counting), web(RUNS)
    for seq, at in ((1, 10), (2, 10), (9, 86_400_000)):
        assert kept.text(view(runs, seq, at), runs) == b"1000010"


def test_what_does_not_run_is_written_anew_after_each_row() -> None:
    waits = web(Pending(since=0, rule=Rule.DECLARED))
    kept = Sheets(counting)
    assert kept.text(view(waits, 1, 10), waits) == b"1000010"
    assert kept.text(view(waits, 1, 11), waits) == b"1000010"
    assert kept.text(view(waits, 2, 11), waits) == b"2000011"


def test_what_is_to_stop_after_another_is_written_anew_after_each_row() -> None:
    held = attrs.evolve(web(RUNS), stops_after="api")
    kept = Sheets(counting)
    assert kept.text(view(held, 1, 10), held) == b"1000010"
    assert kept.text(view(held, 1, 11), held) == b"1000010"
    assert kept.text(view(held, 2, 11), held) == b"2000011"


def test_what_holds_a_container_that_is_to_stop_is_told_as_it_is_now() -> None:
    story = Story(core("db"), core("api", "db"), core("web", "db"))
    for name in ("db", "api", "web"):
        story.ready(name)
    story.asked(Story.apply())
    kept, told = Sheets(View.info), list[bytes]()
    for seq, gone in enumerate(("", "api")):
        if gone:
            story.ended(Exited(code=0), gone)
        db = story.container("db")
        now = View(seq=seq, at=story.fleet.at, fleet=story.fleet)
        told.append(kept.text(now, db))
        assert told[-1] == written(tree_of(now.info("db").unwrap()))
    assert told[0] != told[1]


def test_what_cannot_be_seen_is_written_anew_at_each_moment() -> None:
    gone = web(Unknown(since=9, run=1, was=RUNS))
    kept = Sheets(counting)
    assert kept.text(view(gone, 1, 10), gone) == b"1000010"
    assert kept.text(view(gone, 1, 11), gone) == b"1000011"


def test_a_sheet_ends_when_a_failure_leaves_the_window() -> None:
    failed = web(RUNS, 3, 4)
    window_ms = failed.spec.restart.crash.window_ms
    kept = Sheets(counting)
    for at, expected in (
        (10, b"1000010"),
        (3 + window_ms - 1, b"1000010"),
        (3 + window_ms, b"%d" % (1_000_003 + window_ms)),
        (4 + window_ms, b"%d" % (1_000_004 + window_ms)),
        (99 * window_ms, b"%d" % (1_000_004 + window_ms)),
    ):
        assert kept.text(view(failed, 1, at), failed) == expected


def test_another_record_or_another_look_at_the_fleet_is_another_sheet() -> None:
    kept, runs = Sheets(counting), web(RUNS)
    again = attrs.evolve(runs)
    assert kept.text(view(runs, 1), runs) == b"1000010"
    assert kept.text(view(again, 2), again) == b"2000010"
    assert kept.text(view(again, 3, observed_at=8), again) == b"3000010"
    assert kept.blank().text(view(again, 4), again) == b"4000010"


def test_the_uptime_is_that_of_the_moment() -> None:
    kept, runs = Sheets(View.info), web(RUNS)
    for at in (10, 5, 12_345):
        now = view(runs, 1, at)
        expected = written(tree_of(now.info("web").unwrap()))
        assert b'"uptime_ms":%d,' % (at - 5) in expected
        assert kept.text(now, runs) == expected


def test_there_is_a_bound_to_what_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheets, "KEPT_MAX", 2)
    kept = Sheets(counting)
    for number in range(5):
        one = attrs.evolve(web(RUNS), name=f"web-{number}")
        _ = kept.text(view(one), one)
        assert len(kept._kept) <= 2


@pytest.mark.parametrize("seed", SEEDS)
def test_all_along_a_lively_history_sheets_say_what_is_so(seed: int) -> None:
    infos, reasons = Sheets(View.info), Sheets(View.explain)
    for seq, fleet in list(enumerate(fleets(seed, 150)))[::2]:
        for later_ms in (0, 1, 600_000):
            now = View(seq=seq, at=fleet.at + later_ms, fleet=fleet)
            for name, container in fleet.containers.items():
                info, reason = now.info(name).unwrap(), now.explain(name).unwrap()
                assert infos.text(now, container) == written(tree_of(info))
                assert reasons.text(now, container) == written(tree_of(reason))


def test_a_sheet_takes_the_room_of_its_text() -> None:
    """Also one of a container that does not run, of which nothing is put together."""
    kept = Sheets(lambda _, name: Success({"name": name}))

    def asked(number: int) -> None:
        phase = Pending(since=1, rule=Rule.DECLARED)
        waits = attrs.evolve(web(phase), name=f"c{number}")
        assert kept.text(view(waits), waits) == b'{"name":"c%d"}' % number

    assert room(asked) < 3_500
