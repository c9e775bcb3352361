"""Whatever is read: the swift reader and the converter never read it differently."""

from __future__ import annotations

from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.codec.swift import SwiftReaders
from orchestrator.codec.wire import (
    CONVERTER,
    TAGGED,
    decode_event,
    encode_event,
    tree_of,
)
from orchestrator.core.events import Event
from orchestrator.core.specs import ContainerSpec
from orchestrator.testing.strategies import container_specs, events

READ = SwiftReaders(CONVERTER, frozenset(TAGGED)).of(Event)
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 300),
    st.floats(allow_nan=False, allow_infinity=False, width=32),
    st.sampled_from(["", "a", "exited", "start", "type"]),
    st.just([]),
    st.just({}),
)


def _places(tree: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path of every value in a tree of JSON, the root's too."""
    found = [path]
    inner: Any = ()
    if isinstance(tree, dict):
        inner = tree.items()
    elif isinstance(tree, list):
        inner = enumerate(tree)
    for key, value in inner:
        found += _places(value, (*path, key))
    return found


def _with(tree: Any, path: tuple[Any, ...], value: Any) -> Any:
    if not path:
        return value
    copy = dict(tree) if isinstance(tree, dict) else list(tree)
    copy[path[0]] = _with(copy[path[0]], path[1:], value)
    return copy


@given(events(), st.data())
def test_what_is_changed_anywhere_is_read_alike_or_by_the_converter_alone(
    event: Event, data: st.DataObject
) -> None:
    tree = orjson.loads(encode_event(event))
    assert READ(tree) == event
    path = data.draw(st.sampled_from(_places(tree)))
    changed = _with(tree, path, data.draw(LEAVES))
    if data.draw(st.booleans()) and isinstance(changed, dict):
        changed = {**changed, data.draw(st.sampled_from(["why", "by", "x"])): "y"}
    slow = CONVERTER.get_structure_hook(Event)
    try:
        swift = READ(changed)
    except Exception:  # noqa: BLE001 - whatever it is: the converter says why
        return
    assert swift == slow(changed, Event)
    assert decode_event(orjson.dumps(changed)).unwrap() == swift


@given(container_specs(), st.data())
def test_a_spec_like_one_before_is_read_as_if_there_was_none(
    spec: ContainerSpec, data: st.DataObject
) -> None:
    """Whatever of it is changed: what is its own, what both have, or all its shape."""
    alike = {ContainerSpec: ("name", "service", "replica")}
    read = SwiftReaders(CONVERTER, frozenset(TAGGED), alike=alike).of(ContainerSpec)
    tree = tree_of(spec)
    assert read(tree) == spec
    path = data.draw(
        st.sampled_from([("name",), ("service",), ("replica",), *_places(tree)])
    )
    odd = st.one_of(LEAVES, st.sampled_from(["b", "c.d", "A B", "x" * 300]))
    changed = _with(tree, path, data.draw(odd))
    try:
        swift = read(changed)
    except Exception:  # noqa: BLE001 - as above
        return
    assert swift == CONVERTER.structure(changed, ContainerSpec)
