"""Values that are made of one before: checked where they differ, and nowhere else."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import attrs
import pytest

from orchestrator.codec import alike
from orchestrator.codec.alike import alike_reader
from orchestrator.codec.swift import SwiftReaders
from orchestrator.codec.wire import CONVERTER, TAGGED, tree_of
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.table import Table

OWN = ("name", "service", "replica")
PLAIN = SwiftReaders(CONVERTER, frozenset(TAGGED)).of(ContainerSpec)
SPEC = ContainerSpec(name="a-1", service="a", image="b", env=Table.of([("A", "x")]))
TREE: dict[str, Any] = tree_of(SPEC)


def reader() -> Any:
    return alike_reader(ContainerSpec, OWN, PLAIN)


def test_a_value_like_one_before_is_made_of_it() -> None:
    read = reader()
    first = read(TREE)
    other = read({**TREE, "name": "a-2", "replica": 1})
    assert first == SPEC
    assert other == attrs.evolve(SPEC, name="a-2", replica=1)
    assert other.restart is first.restart
    assert hash(other) == hash(attrs.evolve(SPEC, name="a-2", replica=1))
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        other.name = "a-3"


def test_what_differs_elsewhere_is_read_anew() -> None:
    read = reader()
    _ = read(TREE)
    other = read({**TREE, "image": "c"})
    assert other == attrs.evolve(SPEC, image="c")
    assert read({**TREE, "image": "c", "name": "z"}).name == "z"


@pytest.mark.parametrize(
    "wrong",
    [
        {**TREE, "name": "a b"},
        {**TREE, "name": 7},
        {**TREE, "name": None},
        {**TREE, "service": ""},
        {**TREE, "replica": True},
        {**TREE, "replica": -1},
        {**TREE, "replica": 1.0},
        {**TREE, "more": 1},
        {**TREE, "env": {"A": 1}},
        {key: value for key, value in TREE.items() if key != "name"},
        {key: value for key, value in TREE.items() if key != "replica"},
        [],
        None,
    ],
)
def test_what_is_wrong_is_not_read_whatever_was_before(wrong: Any) -> None:
    for read in (reader(), PLAIN):
        _ = read(TREE)
    read = reader()
    _ = read(TREE)
    with pytest.raises((Exception,)):
        read(wrong)
    assert read(TREE) == SPEC


def test_what_others_are_made_of_is_not_kept_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(alike, "KNOWN_MAX", 2)
    read = reader()
    first = read(TREE)
    for image in "xyz":
        assert read({**TREE, "image": image}).image == image
    again = read(TREE)
    assert again == first
    assert again.restart is not first.restart


def test_no_check_of_another_field_looks_at_what_is_its_own() -> None:
    """Whatever name another field is checked beside, it is right or wrong alike."""
    whole = attrs.fields(ContainerSpec)
    for field in whole:
        if field.name not in OWN and field.validator is not None:
            field.validator(object(), field, getattr(SPEC, field.name))
    shared = [field.name for field in whole if field.name not in OWN]
    nameless: Any = SimpleNamespace(**{name: getattr(SPEC, name) for name in shared})
    ContainerSpec.__attrs_post_init__(nameless)
