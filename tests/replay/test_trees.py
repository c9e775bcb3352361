"""Two trees of JSON beside one another: which leaves differ, and where."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.core.errors import Difference
from orchestrator.replay.trees import SHOWN_MAX, differences, parting, shown

START: dict[str, Any] = {"type": "start_container", "name": "web", "run": 3}
STOP: dict[str, Any] = {"type": "stop_container", "name": "web", "run": 2}
OTHER: dict[str, Any] = {"type": "start_container", "name": "job", "run": 1}


def told(was: object, now: object, place: str = "") -> list[tuple[str, str, str]]:
    found = differences(was, now, place)
    return [(one.place, one.recorded, one.recomputed) for one in found]


@pytest.mark.parametrize(
    ("was", "now", "expected"),
    [
        (1, 1, []),
        (1, 2, [("", "1", "2")]),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, []),
        ({"a": 1}, {"b": 1}, [("a", "1", "nothing"), ("b", "nothing", "1")]),
        ({"a": None}, {}, [("a", "null", "nothing")]),
        ({"a": {"b": "x"}}, {"a": {"b": "y"}}, [("a.b", '"x"', '"y"')]),
        ({"a": {"b": 1}}, {"a": [1]}, [("a", '{"b":1}', "[1]")]),
        ({"a": 1}, {"a": True}, [("a", "1", "true")]),
        ({"a": 1}, {"a": 1.0}, [("a", "1", "1.0")]),
        ([], [], []),
        ([1, 2, 3], [1, 9, 3], [("[1]", "2", "9")]),
        ([1, 2, 3], [1, 3], [("[1]", "2", "nothing")]),
        ([1, 3], [1, 2, 3], [("[1]", "nothing", "2")]),
        ([1, 1], [1], [("[1]", "1", "nothing")]),
        ([[1, 2]], [[1, 3]], [("[0][1]", "2", "3")]),
        ([1], [[1]], [("[0]", "1", "[1]")]),
    ],
)
def test_leaves_that_differ_are_told_with_their_places(
    was: object, now: object, expected: list[tuple[str, str, str]]
) -> None:
    assert told(was, now) == expected
    turned = [(place, new, old) for place, old, new in expected]
    assert sorted(told(now, was)) == sorted(turned)


def test_one_command_less_is_one_difference() -> None:
    text = '{"type":"stop_container","name":"web","run":2}'
    assert told([STOP, START, OTHER], [START, OTHER], "commands") == [
        ("commands[0]", text, "nothing")
    ]


def test_a_command_with_another_field_is_told_by_its_field() -> None:
    later = {**START, "run": 4}
    assert told([START], [later], "commands") == [("commands[0].run", "3", "4")]


@pytest.mark.parametrize("other", [STOP, OTHER])
def test_another_command_in_its_place_is_told_whole(other: dict[str, Any]) -> None:
    assert told([START], [other], "$") == [("$[0]", shown(START), shown(other))]


def test_a_command_is_put_beside_its_like_wherever_that_is() -> None:
    later = {**START, "run": 4}
    assert told([STOP, later, OTHER], [START, OTHER], "$") == [
        ("$[0]", shown(STOP), "nothing"),
        ("$[1].run", "4", "3"),
    ]
    assert told([later, OTHER], [STOP, START, OTHER], "$") == [
        ("$[0]", "nothing", shown(STOP)),
        ("$[0].run", "4", "3"),
    ]
    assert told([START, STOP], [STOP, START], "$") == [
        ("$[0]", "nothing", shown(STOP)),
        ("$[1]", shown(STOP), "nothing"),
    ]


def test_many_items_without_a_like_are_compared_in_one_pass() -> None:
    """A quadratic search would not end before the test is ended."""
    size = 20_000
    was = [{"type": "forget", "name": f"a{n}"} for n in range(size)]
    now = [{"type": "forget", "name": f"b{n}"} for n in range(size)]
    assert len(told(was, now)) == size


def test_what_is_long_is_cut_off() -> None:
    (one,) = differences("a" * 1_000, "b", "x")
    assert len(one.recorded) == SHOWN_MAX
    assert one.recorded.endswith("a...")


def test_two_writings_of_the_same_values_are_told_from_where_they_part() -> None:
    was, now = b'{"web":{"run":1,"leaving":true}}', b'{"web":{"leaving":true,"run":1}}'
    assert parting(was, now, "changes") == Difference(
        place="changes, byte 9",
        recorded='"{\\"web\\":{\\"run\\":1,\\"leaving\\":true}}"',
        recomputed='"{\\"web\\":{\\"leaving\\":true,\\"run\\":1}}"',
    )
    longer = parting(b" " * 100, b" " * 101, "changes")
    assert longer.place == "changes, byte 100"
    assert len(longer.recomputed) == len(longer.recorded) + 1 == 23
    assert parting(b"\xff", b"", "x").recorded == '"\N{REPLACEMENT CHARACTER}"'
