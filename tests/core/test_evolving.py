"""Quick classes are the plain ones, only sooner."""

from __future__ import annotations

import copy
import pickle
from typing import Any, get_args

import attrs
import pytest
from attrs.validators import ge

from orchestrator.core.custom import NO_POLICIES
from orchestrator.core.drafts import close, open_draft
from orchestrator.core.events import Event
from orchestrator.core.evolving import (
    closer,
    evolve,
    evolver,
    maker,
    opener,
    quick,
    twin_of,
)
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
    """One that may be referred to weakly."""

    count: int = 0


@quick
@attrs.frozen(kw_only=True, slots=False)
class Spread:
    """One that keeps its fields in a dict, as a fleet does."""

    count: int = 0
    names: tuple[str, ...] = ()


@attrs.define(kw_only=True, slots=False, init=False)
class Draft:
    count: int
    names: tuple[str, ...]


@attrs.define(kw_only=True)
class SlottedDraft:
    count: int
    names: tuple[str, ...]


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


def test_a_class_that_cannot_be_quick_stays_as_it_is() -> None:
    assert twin_of(Checked) is None
    assert evolve(Checked(count=1), count=2) == Checked(count=2)
    assert evolver(Checked, "count")(Checked(count=1), 2) == Checked(count=2)
    assert evolver(Checked)(Checked(count=1)) == Checked(count=1)
    assert maker(Checked) is Checked


@pytest.mark.parametrize("kind", [Words, Referred, Spread, Container, Fleet])
def test_a_twin_takes_any_field_and_the_class_that_it_becomes_none(kind: Any) -> None:
    twin: Any = twin_of(kind)
    names = [field.name for field in attrs.fields(kind)]
    one = twin()
    for name in names:
        setattr(one, name, name)
    one.__class__ = kind
    assert [getattr(one, name) for name in names] == names
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        setattr(one, names[0], "other")
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        delattr(one, names[0])
    for again in (copy.copy(one), pickle.loads(pickle.dumps(one))):  # noqa: S301 - our own
        assert again == one
        assert hash(again) == hash(one)
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        setattr(copy.copy(one), names[0], "other")


@pytest.mark.parametrize("draft", [Draft, SlottedDraft])
def test_a_frozen_value_is_opened_changed_and_closed(draft: Any) -> None:
    """Also where one of the two has slots: then its fields are copied one by one."""
    one = Spread(count=1, names=("a",))
    opened = opener(draft, Spread)(one)
    assert type(opened) is draft
    opened.count = 2
    closed: Any = closer(Spread, draft)(opened)
    assert type(closed) is Spread
    assert (one, closed) == (
        Spread(count=1, names=("a",)),
        Spread(count=2, names=("a",)),
    )
    assert hash(closed) == hash(Spread(count=2, names=("a",)))
    assert closed == pickle.loads(pickle.dumps(closed))  # noqa: S301 - our own
    assert (
        attrs.evolve(closed, count=3)
        == evolve(closed, count=3)
        == Spread(count=3, names=("a",))
    )
    anything: Any = closed
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        anything.count = 4


def test_a_fleet_that_was_opened_holds_its_fields_and_nothing_else() -> None:
    fleet = Story(spec()).fleet
    closed = close(open_draft(fleet, NO_POLICIES))
    assert list(vars(closed)) == [field.name for field in attrs.fields(Fleet)]
    assert (closed, hash(closed)) == (fleet, hash(fleet))


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
