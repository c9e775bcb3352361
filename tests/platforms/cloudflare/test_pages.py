"""Pages of a list are put together to the list, or to none."""

from __future__ import annotations

from typing import Any

import pytest
from returns.result import Failure

from orchestrator.core.errors import Unreachable
from orchestrator.platforms.cloudflare.pages import (
    NOTHING,
    Listing,
    Page,
    joined,
    page_read,
)

FIRST = {"generation": "g", "cursor": "g:1", "complete": True}
LATER = {"generation": "g", "cursor": "g:9", "complete": True}


def read(after: str, **tree: Any) -> Page:
    page: Page = page_read(tree, "containers", after).unwrap()
    return page


def named(*names: str) -> list[dict[str, Any]]:
    return [{"name": name} for name in names]


def names_of(listing: Listing) -> list[str]:
    return [item["name"] for item in listing.items]


def test_a_list_begins_before_every_name() -> None:
    assert (NOTHING.after, NOTHING.items, NOTHING.cursor) == ("", [], "")
    assert not NOTHING.complete


def test_pages_are_one_list_from_the_first_cursor_on() -> None:
    one = read("", containers=named("a", "b"), next="b", **FIRST)
    two = read("b", containers=named("c"), next=None, **LATER)
    begun = joined(NOTHING, one)
    assert (begun.after, begun.complete) == ("b", False)
    whole = joined(begun, two)
    assert (whole.after, names_of(whole)) == (None, ["a", "b", "c"])
    assert (whole.cursor, whole.complete) == ("g:1", True)


def test_one_page_that_could_not_answer_for_all_makes_a_list_that_cannot() -> None:
    one = read("", containers=named("a"), next="a", **{**FIRST, "complete": False})
    two = read("a", containers=[], next=None, **LATER)
    assert not joined(joined(NOTHING, one), two).complete


def test_a_page_of_another_registry_begins_the_list_anew() -> None:
    one = read("", containers=named("a"), next="a", **FIRST)
    other = read("a", containers=named("b"), next=None, **{**LATER, "generation": "h"})
    assert joined(joined(NOTHING, one), other) == NOTHING


def test_who_knows_no_pages_has_answered_for_all() -> None:
    one = read("", containers=named("a"), next="a", **FIRST)
    older = read("a", containers=named("b", "a"), **LATER)  # it went back to an older
    for begun in (NOTHING, joined(NOTHING, one)):
        whole = joined(begun, older)
        assert (whole.after, names_of(whole)) == (None, ["b", "a"])
        assert (whole.cursor, whole.complete) == ("g:9", True)


def test_a_page_may_show_none_of_those_that_it_passes() -> None:
    page = read("a", containers=[], next="m")
    assert (page.after, page.items) == ("m", ())
    assert read("a", containers=named("b"), next="m").after == "m"


@pytest.mark.parametrize(
    ("tree", "place"),
    [
        ({}, "containers"),
        ({"containers": {}}, "containers"),
        ({"containers": ["b"]}, "containers"),
        ({"containers": named("b", "b"), "next": None}, "containers"),
        ({"containers": named("c", "b"), "next": None}, "containers"),
        ({"containers": named("a"), "next": None}, "containers"),
        ({"containers": [{}], "next": None}, "containers"),
        ({"containers": [{"name": 7}], "next": None}, "containers"),
        ({"containers": named("b", "c"), "next": "b"}, "next"),
        ({"containers": [], "next": "a"}, "next"),
        ({"containers": [], "next": "A"}, "next"),
        ({"containers": named("b"), "next": 7}, "next"),
    ],
)
def test_what_is_not_behind_the_page_before_is_not_understood(
    tree: dict[str, Any], place: str
) -> None:
    misread = page_read(tree, "containers", "a")
    assert isinstance(misread, Failure)
    error = misread.failure()
    assert isinstance(error, Unreachable)
    assert error.cause.startswith(f"the gateway's answer is not understood: {place}:")
