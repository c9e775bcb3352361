"""What was recorded is merged, compared, and shown as it is."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import attrs
import pytest

from tests.benchmarks import guard, record
from tests.benchmarks.areas import AREAS, area_of, known
from tests.benchmarks.chart import chart_of, curves_in
from tests.benchmarks.figures import (
    Asked,
    Curve,
    Figures,
    Reached,
    Sheet,
    markdown,
    plain,
    ratios_of,
)
from tests.benchmarks.guard import guarded, worse
from tests.benchmarks.harness import Goal, Spread
from tests.benchmarks.page import names_in, written_anew
from tests.benchmarks.reasons import why
from tests.benchmarks.record import PLACES, Places, merged, read, recorded, written
from tests.benchmarks.runs import Ran, limit_of, run_area, words_of

OVER_ALL = ["goals", "missed", "machine"]


def spread(median: float, least: float | None = None) -> Spread:
    return Spread(median=median, least=least or median, most=median)


def found(speed: float = 0.5, least: float = 0.25) -> Figures:
    goal = Goal(case="fold", limit="loop", least=least, why="It is written in Python.")
    return Figures(
        sheets=(Sheet(title="A row", columns=("case", "ns"), rows=(("fold", "12"),)),),
        reached=(Reached(goal=goal, speed=spread(speed)),),
        ratios={"reduce / loop": spread(0.2, 0.15)},
        curves=(Curve(name="reduce", unit="ns", points=((100, 9e3), (1_000, 12e3))),),
    )


def ran(name: str = "replay", speed: float = 0.5) -> Ran:
    tree = {"area": name, "about": "This beside that."} | plain(found(speed))
    return Ran(name=name, found=tree, wrong="", took_s=3.2)


def asked(tmp_path: Path, **more: Any) -> Asked:
    return Asked(directory=tmp_path, **more)


@pytest.fixture
def places(tmp_path: Path) -> Places:
    page = tmp_path / "page.md"
    parts = [*OVER_ALL, "replay", "api"]
    marks = (
        f"<!-- figures: {part} -->\nold\n<!-- end of figures -->" for part in parts
    )
    page.write_text("# By hand\n\n" + "\n\nbetween\n\n".join(marks) + "\n")
    return Places(
        recorded=tmp_path / "recorded.json", page=page, chart=tmp_path / "chart.svg"
    )


# What was really recorded


def test_the_page_and_the_chart_are_those_of_the_record() -> None:
    page = PLACES.page.read_text(encoding="utf-8")
    assert written_anew(page, read()) == page
    assert chart_of(read()) == PLACES.chart.read_text(encoding="utf-8")


def test_each_area_has_its_place_on_the_page_and_says_what_it_compares() -> None:
    page = PLACES.page.read_text(encoding="utf-8")
    assert sorted(names_in(page)) == sorted([*OVER_ALL, *(each.name for each in AREAS)])
    for entry in known().values():
        assert area_of(entry).ABOUT.endswith(".")


def test_what_is_recorded_and_missed_is_explained() -> None:
    missed = [
        f"{name}: {goal['case']} / {goal['limit']}"
        for name, entry in read().items()
        for goal in entry["goals"]
        if not goal["met"] and not why(name, goal)
    ]
    assert missed == []


# Merging


def test_an_area_that_is_recorded_alone_replaces_only_itself(tmp_path: Path) -> None:
    areas = merged({}, ran("api"), asked(tmp_path))
    both = merged(areas, ran("replay"), asked(tmp_path))
    again = merged(both, ran("replay", 0.4), asked(tmp_path))
    assert again["api"] == areas["api"]
    assert both["replay"]["ratios"]["fold / loop"]["median"] == 0.5
    assert again["replay"]["ratios"]["fold / loop"]["median"] == 0.4


def test_a_record_says_what_repeats_it(tmp_path: Path) -> None:
    told = asked(tmp_path, rounds=7, events=1_000_000, minutes=1.5)
    entry = merged({}, ran("api"), told)["api"]
    options = "--rounds 7 --events 1000000 --minutes 1.5"
    assert entry["command"] == f"python -m tests.benchmarks api {options}"
    assert entry["asked"] == {"rounds": 7, "events": 1_000_000, "minutes": 1.5}
    assert merged({}, ran("api"), asked(tmp_path))["api"]["command"].endswith(" api")
    assert {"cores", "processor", "python", "versions"} <= entry["machine"].keys()


def test_a_tolerance_follows_how_far_rounds_were_apart() -> None:
    told = {"median": 1.0, "most": 2.0}
    assert record.tolerance({**told, "least": 0.99}) == 0.25
    assert record.tolerance({**told, "least": 0.7}) == 0.45
    assert record.tolerance({**told, "least": 0.1}) == 0.6


def test_an_area_that_fails_is_said_and_the_others_are_kept(
    places: Places,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    outcomes = [
        Ran(name="api", found=None, wrong="exit code 1: no port", took_s=1.0),
        ran("replay"),
    ]
    monkeypatch.setattr(record, "runs_of", lambda *_: iter(outcomes))
    assert recorded(["api", "replay"], asked(tmp_path), places) == 1
    assert list(read(places)) == ["replay"]
    assert "api has failed" in capsys.readouterr().err


def test_an_hour_fits_into_what_an_area_may_take(tmp_path: Path) -> None:
    assert limit_of(asked(tmp_path)) > 3_600
    for minutes in (1.0, 60.0, 600.0):
        assert limit_of(asked(tmp_path, minutes=minutes)) > minutes * 60


def test_a_process_that_fails_or_does_not_end_is_said(tmp_path: Path) -> None:
    wrong = run_area("nothing", asked(tmp_path))
    assert wrong.found is None
    assert "there is no area 'nothing'" in wrong.wrong
    late = run_area("timers", asked(tmp_path, smoke=True), limit_s=0.01)
    assert (late.found, late.wrong) == (None, "it has not ended within 0 s")


def test_what_is_asked_is_said_to_each_process(tmp_path: Path) -> None:
    words = words_of(asked(tmp_path, containers=10, smoke=True))
    assert words == [
        *("--rounds", "5", "--directory", str(tmp_path), "--containers", "10"),
        "--smoke",
    ]


# Comparing


def entry(tmp_path: Path, **tolerances: float) -> dict[str, Any]:
    kept: dict[str, Any] = merged({}, ran(), asked(tmp_path))["replay"]
    kept["tolerances"] |= tolerances
    return kept


def test_only_what_is_worse_by_more_than_its_tolerance_is_said(tmp_path: Path) -> None:
    kept = entry(tmp_path)
    assert worse(kept, plain(found(0.38))["ratios"]) == ()
    (told,) = worse(kept, plain(found(0.3))["ratios"])
    assert told.message == "fold / loop: was 0.500, is 0.300 (40% less; 25% is allowed)"
    assert worse(kept, plain(found(5.0))["ratios"]) == ()


def test_a_ratio_that_nobody_measures_any_more_is_said(tmp_path: Path) -> None:
    gone = attrs.evolve(found(), ratios={})
    (told,) = worse(entry(tmp_path), plain(gone)["ratios"])
    assert told.message == "reduce / loop: was 0.200, is not measured any more"


@pytest.mark.parametrize(
    ("speeds", "code", "said"),
    [
        ((0.5,), 0, "are as good as they were"),
        ((0.3, 0.5), 0, "worse once"),
        ((0.3, 0.31), 1, "was 0.500, is 0.300"),
    ],
)
def test_what_is_worse_must_be_so_twice(
    places: Places,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    *,
    speeds: tuple[float, ...],
    code: int,
    said: str,
) -> None:
    written(merged({}, ran(), asked(tmp_path, events=77)), places)
    runs = iter(ran(speed=speed) for speed in speeds)
    sizes: list[int | None] = []

    def measured(_: object, told: Asked, *__: object) -> Ran:
        sizes.append(told.events)
        return next(runs)

    monkeypatch.setattr(guard, "run_area", measured)
    monkeypatch.setattr(guard, "runs_of", lambda *each: iter([measured(*each)]))
    assert guarded(["replay", "api"], asked(tmp_path), places) == code
    shown = capsys.readouterr()
    assert said in shown.out
    assert "api: nothing was recorded" in shown.err
    assert sizes == [77] * len(speeds)


# Showing


def test_goals_are_among_the_ratios_and_in_a_table_of_their_own() -> None:
    assert list(ratios_of(found())) == ["fold / loop", "reduce / loop"]
    text = markdown(plain(found(0.2)))
    assert "| fold | loop | 0.250 | 0.200 (0.200-0.200) | no |" in text
    assert "| reduce / loop | 0.200 (0.150-0.200) |" in text
    assert "| fold | 12 |" in text


def test_a_page_keeps_what_was_written_by_hand(places: Places, tmp_path: Path) -> None:
    written(merged({}, ran(speed=0.2), asked(tmp_path)), places)
    text = places.page.read_text()
    assert text.startswith("# By hand\n")
    assert text.count("\nbetween\n") == 4
    assert "old" not in re.split(r"\W+", text)
    assert "0.200 in place of 0.250. It is written in Python." in text
    assert "Nothing has been recorded of this yet." in text
    assert written_anew(text, read(places)) == text


def test_the_chart_draws_the_known_curves_and_says_them_in_words(
    tmp_path: Path,
) -> None:
    areas = merged({}, ran(), asked(tmp_path))
    other = Curve(name="of no interest", unit="ns", points=((1, 1.0),))
    areas["replay"]["curves"].append(attrs.asdict(other))
    assert [curve.name for curve in curves_in(areas)] == ["reduce"]
    text = chart_of(areas)
    assert "9.00 µs at 100 containers, 12.0 µs at 1000 containers." in text
    assert not re.search(r"(href|src|url)\s*[=(]\s*[\"']?\s*(https?:)?//", text)
    assert text.count("<g ") == text.count("</g>") == 1
    assert "Nothing has been recorded yet." in chart_of({})


def test_a_sheet_refuses_a_row_of_another_length() -> None:
    with pytest.raises(AssertionError, match="two"):
        _ = Sheet(title="", columns=("one",), rows=(("one", "two"),))
