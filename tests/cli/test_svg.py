"""Pieces of a drawing: escaped, repeatable, within bounds."""

from __future__ import annotations

from itertools import pairwise
from xml.etree import ElementTree as ET

import pytest

from orchestrator.cli.svg import (
    Box,
    Scale,
    Tone,
    axis,
    bar,
    circle,
    document,
    group,
    legend,
    line,
    rect,
    text,
    text_width,
    ticks,
)

SVG = "{http://www.w3.org/2000/svg}"
NASTY = "</text><script>&\"'\x00\x1b\ud800"


def drawing(*pieces: str, title: str = "t") -> str:
    return document(pieces, width=800, height=100, title=title, about=title)


def test_whatever_a_name_holds_stays_text() -> None:
    pieces = (
        text(0, 0, NASTY, kind=NASTY),
        rect(Box(0, 0, 1, 1), about=NASTY),
        circle(0, 0, 1, about=NASTY),
        group([line((0, 0), (1, 1))], label=NASTY),
    )
    root = ET.fromstring(drawing(*pieces, title=NASTY))  # noqa: S314 - our own
    assert root.find(f".//{SVG}script") is None
    told = root.findtext(f"{SVG}title") or ""
    assert told.startswith("</text><script>&\"'")
    assert "\x00" not in told


def test_every_tone_has_a_colour_in_light_and_in_dark_and_all_but_one_a_pattern() -> (
    None
):
    page = drawing(*(bar(Box(0, 0, 9, 9), tone) for tone in Tone))
    for tone in Tone:
        assert page.count(f"--{tone}: #") == 2
        assert (f'id="over-{tone}"' in page) is (tone is not Tone.GOOD)
    assert "prefers-color-scheme: dark" in page


@pytest.mark.parametrize("end", [1, 7, 999, 61_000, 3_600_000, 10**9, 10**13])
@pytest.mark.parametrize("most", [1, 4, 10])
def test_ticks_are_few_and_even(end: int, most: int) -> None:
    found = ticks(0, end, most)
    assert found[0] == 0
    assert len(found) <= most + 1
    assert len({later - sooner for sooner, later in pairwise(found)}) <= 1


def test_labels_of_an_axis_do_not_run_into_one_another() -> None:
    scale = Scale(begin=0, end=86_400_000, left=0, right=700)
    labels = [piece for piece in axis(scale, 10) if piece.startswith("<text")]
    assert 3 < len(labels) <= 13
    places = [float(label.split('"')[1]) for label in labels]
    widest = max(text_width(label.split(">")[1].split("<")[0]) for label in labels)
    assert min(b - a for a, b in pairwise(places)) > widest
    narrow = Scale(begin=0, end=86_400_000, left=0, right=30)
    assert len([piece for piece in axis(narrow, 10) if "<text" in piece]) == 2
    assert len(axis(scale, 10, top=0)) == len(axis(scale, 10)) + len(labels)


def test_a_legend_breaks_into_rows() -> None:
    one, low = legend([(Tone.GOOD, "runs")], 0, 0, 300)
    many, high = legend([(Tone.WAIT, "w" * 20)] * 4, 0, 0, 300)
    assert (len(one), low) == (2, 20)
    assert (len(many), high) == (8, 80)


def test_a_moment_beyond_the_scale_stands_at_its_end() -> None:
    scale = Scale(begin=10, end=20, left=0, right=100)
    assert [scale.x(at) for at in (0, 10, 15, 99)] == [0, 0, 50, 100]
    assert Scale(begin=5, end=5, left=3, right=9).x(5) == 3


def test_a_length_below_zero_is_none() -> None:
    assert 'width="0"' in rect(Box(0, 0, -5, 1))
