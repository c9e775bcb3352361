"""The laws of a persistent map: those of both kinds, and what they owe each other."""

from __future__ import annotations

import copy
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.core.hash_table import many
from orchestrator.core.mutable_table import MutableTable
from orchestrator.core.table import Table

FOUND_BY_HASH: Final[type[Table[Any, Any]]] = type(many(Table[Any, Any]()))
"""The plain one again, where there is nothing to find by hash with."""

kinds = pytest.mark.parametrize("kind", list(dict.fromkeys([Table, FOUND_BY_HASH])))


class Crowded(str):
    """A key whose hash it shares with a quarter of all."""

    __slots__ = ()

    def __hash__(self) -> int:
        return len(self) % 4 - 2

    def __reduce__(self) -> tuple[Any, ...]:
        return Crowded, (str(self),)


NAMES = st.integers(0, 400).map(lambda number: f"web-{number:03}")
CROWDED = st.integers(0, 200).map(lambda number: Crowded(number * "x"))
PAIRS = st.tuples(st.integers(0, 90), st.sampled_from("abc"))
"""As the fleet's queues have them: since when, and who."""

KEYS = st.one_of(*map(st.just, (NAMES, CROWDED, PAIRS)))


def changes(keys: st.SearchStrategy[Any]) -> st.SearchStrategy[list[tuple[Any, Any]]]:
    """Draw keys with what is put there; nothing: the key is dropped."""
    return st.lists(st.tuples(keys, st.none() | st.integers(0, 9)), max_size=120)


BEGINNINGS = KEYS.flatmap(
    lambda keys: st.tuples(
        st.dictionaries(keys, st.integers(0, 9), max_size=300), changes(keys)
    )
)


def changed(table: Any, steps: list[tuple[Any, Any]]) -> Any:
    for key, value in steps:
        table = table.drop(key) if value is None else table.put(key, value)
    return table


def expect(table: Any, model: dict[Any, Any]) -> None:
    """Compare all that can be asked of a table with a dict put in order."""
    pairs = sorted(model.items())
    assert list(table.items()) == pairs
    assert list(table) == [key for key, _ in pairs]
    assert list(table.values()) == [value for _, value in pairs]
    assert table.first() == next(iter(pairs), None)
    assert len(table) == len(model)
    assert bool(table) is bool(model)
    assert all(key in table and table.get(key) == model[key] for key in model)


@kinds
@given(BEGINNINGS)
def test_a_table_is_a_dict_in_key_order_and_stays_what_it_was(
    kind: type[Table[Any, Any]], drawn: tuple[dict[Any, Any], list[tuple[Any, Any]]]
) -> None:
    begun, steps = drawn
    tables, model = [kind.of(begun.items())], dict(begun)
    models = [dict(model)]
    for key, value in steps:
        tables.append(changed(tables[-1], [(key, value)]))
        model.pop(key, None) if value is None else model.update({key: value})
        models.append(dict(model))
        assert (key in tables[-1]) is (value is not None)
        assert tables[-1].get(key) == value
    for table, one in zip(tables, models, strict=True):  # also after all that followed
        expect(table, one)


@given(BEGINNINGS)
def test_both_kinds_are_equal_and_hash_alike_where_they_hold_the_same(
    drawn: tuple[dict[Any, Any], list[tuple[Any, Any]]],
) -> None:
    begun, steps = drawn
    tree = changed(Table.of(begun.items()), steps)
    trie = changed(FOUND_BY_HASH.of(begun.items()), steps)
    again = FOUND_BY_HASH.of(tree.items())
    assert tree == trie == again == trie == tree
    assert hash(tree) == hash(trie) == hash(again)
    more = trie.put(next(iter(begun), "web-000"), 10)
    assert tree != more != trie
    assert many(tree) == tree
    assert many(trie) is trie


@kinds
@given(BEGINNINGS)
def test_what_is_copied_or_changed_in_place_comes_back_as_what_it_was(
    kind: type[Table[Any, Any]], drawn: tuple[dict[Any, Any], list[tuple[Any, Any]]]
) -> None:
    begun, steps = drawn
    table = kind.of(begun.items())
    for same in (copy.deepcopy(table), MutableTable(table).freeze()):
        assert type(same) is kind
        assert same == table
        assert changed(same, steps) == changed(table, steps)
    in_place = changed(MutableTable(table), steps)
    assert in_place.first() == changed(table, steps).first()
    assert in_place.freeze() == changed(table, steps)
