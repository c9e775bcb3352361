"""Everything persisted decodes to itself; a key too many is refused."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.codec.wire import (
    decode_commands,
    decode_container,
    decode_event,
    decode_fleet,
    encode_commands,
    encode_container,
    encode_event,
    encode_fleet,
)
from orchestrator.core.events import Event
from orchestrator.core.reduce import reduce
from orchestrator.core.state import Container, empty_fleet
from orchestrator.testing import strategies as drawn

from .test_totality import HISTORIES, in_order


@given(event=drawn.events())
def test_an_event_decodes_to_itself(event: Event) -> None:
    data = encode_event(event)
    assert decode_event(data).unwrap() == event
    assert encode_event(decode_event(data).unwrap()) == data


@given(container=drawn.containers())
def test_a_record_decodes_to_itself(container: Container) -> None:
    data = encode_container(container)
    assert decode_container(data).unwrap() == container


@given(history=HISTORIES | drawn.rolled_histories().map(list))
def test_a_fleet_and_its_commands_decode_to_themselves(history: list[Event]) -> None:
    fleet = empty_fleet("demo")
    for event in in_order(history):
        transition = reduce(fleet, event)
        fleet = transition.fleet
        data = encode_commands(transition.commands)
        assert decode_commands(data).unwrap() == transition.commands
    assert decode_fleet(encode_fleet(fleet)).unwrap() == fleet


OWNED = {"config", "env", "headers", "params", "ports", "addresses", "strangers"}
"""Tables whose keys are not ours."""


def places(tree: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """List the ways to every object in a tree that is no user config."""
    found = []
    if isinstance(tree, dict):
        found.append(path)
        for key, inner in tree.items():
            if key not in OWNED:
                found += places(inner, (*path, key))
    elif isinstance(tree, list):
        for index, inner in enumerate(tree):
            found += places(inner, (*path, index))
    return found


@given(event=drawn.events(), choice=st.randoms(use_true_random=False))
def test_a_key_too_many_is_refused_wherever_it_stands(
    event: Event, choice: Any
) -> None:
    tree = json.loads(encode_event(event))
    inner = tree
    for step in choice.choice(places(tree)):
        inner = inner[step]
    inner["surplus"] = 1
    refusal = decode_event(json.dumps(tree).encode()).failure()
    assert any("surplus" in problem.place for problem in refusal.problems)


@given(data=st.binary(max_size=60))
def test_no_bytes_raise(data: bytes) -> None:
    assert decode_event(data).failure().message
    assert decode_fleet(data).failure().message
