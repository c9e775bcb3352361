"""Places of the past in a request: read as they are written, or refused."""

from __future__ import annotations

import pytest

from orchestrator.api.moments import NUMBER_MAX, place_of, query_of
from orchestrator.core.errors import InvalidSpec
from orchestrator.core.moments import MOMENT_MAX
from orchestrator.replay.places import AfterRow, AtMoment, Place

NOON = AtMoment(1_769_862_600_000)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("0", AfterRow(0)),
        ("812", AfterRow(812)),
        (str(NUMBER_MAX), AfterRow(NUMBER_MAX)),
        ("2026-01-31T12:30:00Z", NOON),
        ("2026-01-31T12:30", NOON),
        ("2026-01-31 12:30:00", NOON),
        ("2026-01-31T13:30:00+01:00", NOON),
        ("2026-01-31T12:30:00.000999Z", NOON),
        ("1969-12-31", AtMoment(-86_400_000)),
    ],
)
def test_a_place_is_a_row_or_a_moment_of_utc(text: str, place: Place) -> None:
    assert place_of(text) == place


@pytest.mark.parametrize(
    "text",
    [
        *("", "-1", "+1", "1.5", "soon", "٣", "-90s", "2026-13-01"),
        *(str(NUMBER_MAX + 1), "9" * 5_000, "T" * 41, "2026-01-31T12:30:00 01:00"),
    ],
)
def test_what_is_no_place_is_refused(text: str) -> None:
    refused = place_of(text)
    assert isinstance(refused, InvalidSpec)
    (problem,) = refused.problems
    assert problem.place == "query.at"
    assert ("%2B" in problem.hint) == (" " in text)


@pytest.mark.parametrize(
    "place", [AfterRow(0), AfterRow(7), AtMoment(0), NOON, AtMoment(MOMENT_MAX)]
)
def test_a_place_is_read_as_it_is_written(place: Place) -> None:
    assert place_of(query_of(place)) == place


def test_a_moment_that_cannot_be_written_is_as_near_as_can_be() -> None:
    assert place_of(query_of(AtMoment(-(10**18)))) == AtMoment(0)
    assert place_of(query_of(AtMoment(10**18))) == AtMoment(MOMENT_MAX)
