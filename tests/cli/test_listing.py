"""A list that is longer than a page: the same text for programs, tables for people."""

from __future__ import annotations

import json
from typing import Any

import pytest

from orchestrator.cli.listing import Page, show_pages
from orchestrator.cli.shown import show_containers

FORMATS = ("json", "yaml", "name")


def info(name: str) -> dict[str, Any]:
    told = {"name": name, "phase": "running", "ready": True, "restarts": 0}
    told["crash_count"] = 0
    told |= {"last_exit": None, "next_start_at": None, "started_at": 1, "why": "runs"}
    return told | {"addresses": {}, "run": 1, "revision": 1, "origin": "ad_hoc"}


def pages(*sizes: int) -> list[Page]:
    names = iter(range(1_000))
    return [[info(f"c-{next(names)}") for _ in range(size)] for size in sizes]


@pytest.mark.parametrize("output", FORMATS)
@pytest.mark.parametrize("sizes", [(0,), (1,), (3,), (2, 2), (2, 2, 1)])
def test_programs_read_the_same_however_many_pages_there_are(
    output: str, sizes: tuple[int, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    given = pages(*sizes)
    show_pages(iter(given), output)
    told = capsys.readouterr()
    show_containers([one for page in given for one in page], output)
    assert told.out == capsys.readouterr().out
    is_long = len(sizes) > 1
    assert told.err == (f"{sum(sizes)} containers\n" if is_long else "")
    if output == "json":
        assert len(json.loads(told.out)) == sum(sizes)


def test_people_are_shown_a_table_a_page(capsys: pytest.CaptureFixture[str]) -> None:
    show_pages(iter(pages(2, 1)), "table")
    told = capsys.readouterr()
    assert told.out.count("NAME") == 2
    assert [f"c-{number}" in told.out for number in range(3)] == [True] * 3
    assert told.err == "3 containers\n"
