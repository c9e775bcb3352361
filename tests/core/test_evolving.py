"""Quick classes are the plain ones, only sooner."""

from __future__ import annotations

import copy
import inspect
import pickle
from typing import Any, get_args

import attrs
import pytest
from attrs.validators import ge

from orchestrator.core.events import Event
from orchestrator.core.evolving import evolve, quick, remade, twin_of
from orchestrator.core.phases import Running
from orchestrator.core.state import Container, Fleet, History
from tests.core.examples import Story, spec


@quick
@attrs.frozen(weakref_slot=False)
class Words:
    """Fields with the names that the constructor itself might use."""

    kind: str
    twin: int = attrs.field(default=3, kw_only=True)
    value: tuple[int, ...] = attrs.field(default=(), kw_only=True)


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
    one = Words("a", twin=4)
    assert (one.kind, one.twin, one.value) == ("a", 4, ())
    assert type(one) is Words
    assert one == Words("a", twin=4) != Words("a")
    assert hash(one) == hash(Words("a", twin=4))
    assert repr(one) == "Words(kind='a', twin=4, value=())"
    assert copy.deepcopy(one) == one
    running = Running(since=1, run=2)
    assert pickle.loads(pickle.dumps(running)) == running  # noqa: S301 - our own


def test_a_quick_value_is_frozen() -> None:
    one: Any = Words("a")
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        one.kind = "b"
    changed: Any = evolve(one, kind="b")
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        changed.kind = "c"


def test_a_missing_or_unknown_argument_is_refused_by_name() -> None:
    making: Any = Words
    with pytest.raises(TypeError, match=r"Words.__init__.*kind"):
        making()
    with pytest.raises(TypeError, match="other"):
        making("a", other=1)
    with pytest.raises(TypeError):
        making("a", 4)
    assert list(inspect.signature(Words).parameters) == ["kind", "twin", "value"]


def test_evolving_is_what_attrs_makes_of_it() -> None:
    container = Story(spec()).container()
    for changes in ({}, {"run": 7}, {"run": 7, "leaving": True, "name": "other"}):
        assert evolve(container, **changes) == attrs.evolve(container, **changes)
    assert container == Story(spec()).container()


@pytest.mark.parametrize("kind", [Checked, Referred])
def test_a_class_that_cannot_be_quick_stays_as_it_is(kind: Any) -> None:
    assert twin_of(kind) is None
    assert evolve(kind(count=1), count=2) == kind(count=2)
    assert remade(kind, kind(count=1), count=2) == kind(count=2)


def test_a_validator_still_refuses() -> None:
    with pytest.raises(ValueError, match="count"):
        Checked(count=-1)
    with pytest.raises(ValueError, match="count"):
        evolve(Checked(count=1), count=-1)


def test_a_default_that_is_made_is_made_for_each() -> None:
    assert twin_of(Filled) is None
    assert Filled().names == ()


def test_a_value_is_remade_as_another_class_with_the_same_fields() -> None:
    @attrs.define
    class Other:
        kind: str
        twin: int
        value: tuple[int, ...]

    assert remade(Words, Other("a", 1, (2,)), twin=5) == Words("a", twin=5, value=(2,))
