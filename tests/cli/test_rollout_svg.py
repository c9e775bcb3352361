"""A rollout as a drawing: who is where over time, and what befell it."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import attrs
import pytest

from orchestrator.cli.rollout_svg import (
    PANELS_MAX,
    ROWS_MAX,
    panels,
    rollouts_in_words,
)
from orchestrator.cli.svg import document
from orchestrator.core.lineages import RolloutStatus
from orchestrator.simulation.rollout_tales import Count, Mark, MarkKind, RolloutTale

NASTY = "</text><script>&\"'\x00"


def tale(**more: object) -> RolloutTale:
    plain = RolloutTale(
        service="web",
        previous=1,
        target=2,
        strategy="canary",
        status=RolloutStatus.DONE,
        reason="",
        began_at=60_000,
        ended_at=160_000,
        replicas=4,
        least_allowed=3,
        most_allowed=5,
        least_available=3,
        most_members=5,
        counts=(
            Count(at=60_000, old=4),
            Count(at=61_000, old=3, unready=1),
            Count(at=70_000, old=3, ready=1),
            Count(at=80_000, old=3, counted=1),
            Count(at=120_000, old=2, counted=1, old_down=1),
            Count(at=160_000, counted=4),
        ),
        marks=(
            Mark(at=60_000, kind=MarkKind.STEP, words="1 are to be new"),
            Mark(at=80_000, kind=MarkKind.SOAK, words="soaks 30s", until=110_000),
            Mark(at=110_000, kind=MarkKind.WAIT, words="waits to be promoted"),
            Mark(at=120_000, kind=MarkKind.GO_ON, words="promoted"),
            Mark(at=160_000, kind=MarkKind.END, words="done"),
        ),
    )
    return attrs.evolve(plain, **more)  # type: ignore[arg-type]


def drawn(*tales: RolloutTale) -> ET.Element:
    body, tall = panels(tales, 3_600_000, 40)
    about = rollouts_in_words(tales)
    page = document(body, width=1_000, height=40 + tall, title="t", about=about)
    return ET.fromstring(page)  # noqa: S314 - our own


def words(root: ET.Element) -> list[str]:
    found = (each.text or "" for each in root.iter("{http://www.w3.org/2000/svg}text"))
    return list(found)


def abouts(root: ET.Element) -> list[str]:
    return [each.text or "" for each in root.iter("{http://www.w3.org/2000/svg}title")]


def test_a_rollout_tells_its_bounds_its_marks_and_its_end() -> None:
    told = words(drawn(tale()))
    for said in (
        "web: revision 1 to 2, canary, done",
        "at least 3 available",
        "at most 5 there",
        "soaks 30s",
        "waits to be promoted",
        "promoted",
        "new, and counts",
        "0",
        "5",
    ):
        assert said in told, said
    assert any("took 1m40s; at least 3 of 4 available" in said for said in told)


def test_each_layer_is_told_with_its_number_and_how_long_it_was_so() -> None:
    told = abouts(drawn(tale()))
    assert "4 old, available from 00:01:00.0, for 1s" in told
    assert "1 new, not ready from 00:01:01.0, for 9s" in told
    assert "1 old, not available from 00:02:00.0, for 40s" in told
    assert "soaks 30s" in told


def test_what_is_drawn_is_told_in_words_too() -> None:
    said = rollouts_in_words((tale(),))
    assert said.startswith("web, revision 1 to 2 by canary: done after 1m40s.")
    assert "at least 3 were available, at most 5 were there" in said
    assert "1m: promoted" in said


@pytest.mark.parametrize("reason", ["2 failures, 1 allowed", "w" * 200, NASTY])
def test_whatever_the_reason_it_stays_text(reason: str) -> None:
    failed = tale(
        status=RolloutStatus.REVERTED,
        reason=reason,
        marks=(Mark(at=90_000, kind=MarkKind.REVERT, words=f"reverts: {reason}"),),
    )
    root = drawn(failed)
    assert root.find(".//{http://www.w3.org/2000/svg}script") is None
    assert any(said.startswith("reverts: ") for said in words(root))


def test_one_that_is_under_way_is_drawn_up_to_where_it_came() -> None:
    waits = tale(ended_at=None, status=RolloutStatus.AWAITING_PROMOTION)
    told = words(drawn(waits))
    assert "web: revision 1 to 2, canary, awaiting promotion" in told
    assert any(said.startswith("still under way") for said in told)
    empty = attrs.evolve(waits, counts=(), marks=(), replicas=0, least_allowed=0)
    assert words(drawn(attrs.evolve(empty, most_allowed=0, most_members=0)))


def test_where_nothing_need_be_available_no_such_bound_is_drawn() -> None:
    told = words(drawn(tale(least_allowed=0, most_allowed=4)))
    assert not [said for said in told if said.startswith("at least 0")]
    assert "at most 4 there" in told


def test_marks_never_touch_and_are_bounded() -> None:
    many = tuple(
        Mark(at=60_000 + number, kind=MarkKind.STEP, words=f"{number} are to be new")
        for number in range(40)
    )
    told = words(drawn(tale(marks=many)))
    assert len([said for said in told if said.endswith("to be new")]) == ROWS_MAX


def test_no_rollout_is_no_panel_and_many_are_bounded() -> None:
    assert panels((), 1, 40) == ([], 0)
    assert rollouts_in_words(()) == ""
    assert "and 2 more rollouts" in words(drawn(*[tale()] * (PANELS_MAX + 2)))


def test_the_same_rollout_gives_the_same_bytes() -> None:
    assert panels((tale(),), 9, 40) == panels((tale(),), 9, 40)
