"""Quick classes are the plain ones, only sooner."""

from __future__ import annotations

import copy
import pickle
from typing import Any, get_args

import attrs
import pytest
from attrs.validators import ge

from orchestrator.core.events import Event
from orchestrator.core.evolving import evolve, evolver, maker, quick, twin_of
from orchestrator.core.phases import Running
from orchestrator.core.state import Container, Fleet, History
from tests.core.examples import Story, spec


@quick
@attrs.frozen(kw_only=True, weakref_slot=False)
class Words:
    """Fields with the names that the functions themselves might use."""

    kind: str
    twin: int = 3
    value: tuple[int, ...] = ()


@quick
@attrs.frozen(kw_only=True, weakref_slot=False)
class Checked:
    count: int = attrs.field(validator=ge(0))


@quick
@attrs.frozen(kw_only=True)
class Referred:
    count: int = 0


@quick
@attrs.frozen(kw_only=True, weakref_slot=False)
class Filled:
    names: tuple[str, ...] = attrs.field(factory=tuple)


def test_what_is_on_the_hot_path_is_quick() -> None:
    for kind in (Container, History, Fleet, *get_args(Event)):
        assert twin_of(kind) is not None, kind


def test_a_quick_value_is_like_any_other() -> None:
    make = maker(Words)
    one = make(kind="a", twin=4)
    assert (one.kind, one.twin, one.value) == ("a", 4, ())
    assert type(one) is Words
    assert one == Words(kind="a", twin=4) != Words(kind="a")
    assert make(kind="a") == Words(kind="a")
    assert hash(one) == hash(Words(kind="a", twin=4))
    assert repr(one) == "Words(kind='a', twin=4, value=())"
    assert copy.deepcopy(one) == one
    running = maker(Running)(since=1, run=2)
    assert pickle.loads(pickle.dumps(running)) == running  # noqa: S301 - our own


def test_a_quick_value_is_frozen() -> None:
    one: Any = maker(Words)(kind="a")
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        one.kind = "b"
    for changed in (evolve(one, kind="b"), evolver(Words, "kind")(one, "b")):
        anything: Any = changed
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            anything.kind = "c"


@pytest.mark.parametrize("make", [Words, maker(Words)])
def test_a_missing_or_unknown_argument_is_refused_by_name(make: Any) -> None:
    with pytest.raises(TypeError, match="kind"):
        make()
    with pytest.raises(TypeError, match="other"):
        make(kind="a", other=1)
    with pytest.raises(TypeError):
        make("a")


def test_evolving_is_what_attrs_makes_of_it() -> None:
    container = Story(spec()).container()
    for changes in ({}, {"run": 7}, {"run": 7, "leaving": True, "name": "other"}):
        assert evolve(container, **changes) == attrs.evolve(container, **changes)
        evolved = evolver(Container, *changes)(container, *changes.values())
        assert evolved == attrs.evolve(container, **changes)
    assert container == Story(spec()).container()


@pytest.mark.parametrize("kind", [Checked, Referred])
def test_a_class_that_cannot_be_quick_stays_as_it_is(kind: Any) -> None:
    assert twin_of(kind) is None
    assert evolve(kind(count=1), count=2) == kind(count=2)
    assert evolver(kind, "count")(kind(count=1), 2) == kind(count=2)
    assert evolver(kind)(kind(count=1)) == kind(count=1)
    assert maker(kind) is kind


def test_a_validator_still_refuses() -> None:
    with pytest.raises(ValueError, match="count"):
        _ = Checked(count=-1)
    with pytest.raises(ValueError, match="count"):
        _ = evolve(Checked(count=1), count=-1)
    with pytest.raises(ValueError, match="count"):
        _ = evolver(Checked, "count")(Checked(count=1), -1)


def test_a_default_that_is_made_is_made_for_each() -> None:
    assert twin_of(Filled) is None
    assert maker(Filled)().names == ()


@pytest.mark.parametrize("kind", [Words, Checked])
def test_a_value_may_be_made_of_one_of_another_class(kind: Any) -> None:
    @attrs.define(kw_only=True)
    class Other:
        kind: str = "a"
        twin: int = 1
        value: tuple[int, ...] = (2,)
        count: int = 7

    made = evolver(kind)(Other())
    assert type(made) is kind
    assert made in (Words(kind="a", twin=1, value=(2,)), Checked(count=7))
