"""The benchmarks of the real runtime run, and measure what they say."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench.machine import why_not
from tests.benchmarks import durable, gateway, reference
from tests.benchmarks.figures import Asked
from tests.compared.sides import install


@pytest.fixture(autouse=True)
def ready() -> None:
    """Skip, and say why, where no engine runs or theirs cannot be installed."""
    if reason := why_not() or install():
        pytest.skip(reason)


def test_a_fleet_is_started_by_us_and_by_the_bare_engine(tmp_path: Path) -> None:
    found = gateway.figures(Asked(directory=tmp_path, smoke=True))
    (sheet,) = found.sheets
    assert [row[0].partition(",")[0] for row in sheet.rows] == ["docker", "ours"]
    assert list(found.ratios) == ["ours, 2, with sidecars / docker, 2, with sidecars"]


def test_registered_containers_are_looked_at_on_both_sides(tmp_path: Path) -> None:
    found = reference.figures(Asked(directory=tmp_path, smoke=True))
    (sheet,) = found.sheets
    names = ["look, ours", "list, ours", "look, theirs", "event, ours", "event, theirs"]
    assert [row[0] for row in sheet.rows] == names
    assert all(speed.least > 0 for speed in found.ratios.values())


def test_rows_are_appended_and_news_taken_in_over_the_gateway(tmp_path: Path) -> None:
    found = durable.figures(Asked(directory=tmp_path, smoke=True))
    appended, rows, news, lists = found.sheets
    assert [row[0] for row in appended.rows] == [
        "durable, 1 at once",
        "SQLite, 1 at once",
        "durable, 64 at once",
        "SQLite, 64 at once",
    ]
    assert len(rows.rows) == len(news.rows) == 4
    assert lists.rows[0][0] == "10"
    assert all(speed.least > 0 for speed in found.ratios.values())
