"""The persistent table agrees with a dict, in key order; so does the mutable one."""

from __future__ import annotations

import weakref

from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.core.mutable_table import SLACK, MutableTable
from orchestrator.core.table import Table

steps = st.lists(st.tuples(st.booleans(), st.integers(0, 80)), max_size=300)
ranges = st.lists(
    st.tuples(st.booleans(), st.integers(0, 2_000), st.integers(1, 90)), max_size=8
)


@given(steps)
@settings(deadline=None)
def test_a_table_agrees_with_a_sorted_dict(changes: list[tuple[bool, int]]) -> None:
    table: Table[int, int] = Table()
    model: dict[int, int] = {}
    for add, key in changes:
        table = table.put(key, key) if add else table.drop(key)
        model.update({key: key}) if add else model.pop(key, None)
        assert list(table.items()) == sorted(model.items())
        assert len(table) == len(model)


@given(ranges)
@settings(deadline=None, max_examples=40)
def test_every_key_of_a_deep_table_is_found_whatever_was_dropped_and_added(
    changes: list[tuple[bool, int, int]],
) -> None:
    table = Table.of((key, key) for key in range(0, 2_000, 2))
    model = dict(table.items())
    for add, first, length in changes:
        for key in range(first, first + length):
            table = table.put(key, -key) if add else table.drop(key)
            model.update({key: -key}) if add else model.pop(key, None)
    assert all(table.get(key) == model.get(key) for key in range(2_100))
    assert all((key in table) is (key in model) for key in range(2_100))
    assert list(table.items()) == sorted(model.items())
    assert table.first() == min(model.items(), default=None)
    assert len(table) == len(model)


def test_a_leaf_that_lost_its_first_keys_still_splits_where_they_were() -> None:
    table = Table.of((key, key) for key in range(0, 2_400, 10))
    for key in range(240, 400, 10):
        table = table.drop(key)
    for key in range(241, 400):
        table = table.put(key, key)
    assert [table.get(key) for key in range(241, 400)] == list(range(241, 400))


def test_a_change_leaves_every_earlier_table_as_it_was() -> None:
    tables = [Table.of((key, key) for key in range(300))]
    models = [dict(tables[0].items())]
    for key in range(0, 300, 2):
        tables.append(tables[-1].drop(key).put(key + 1, -1).put(key + 300, key))
        changed = {each: value for each, value in models[-1].items() if each != key}
        models.append(changed | {key + 1: -1, key + 300: key})
    assert [dict(table.items()) for table in tables] == models


@given(steps)
@settings(deadline=None)
def test_a_mutable_table_has_the_same_first_and_the_same_order(
    changes: list[tuple[bool, int]],
) -> None:
    table: Table[int, int] = Table.of((key, key) for key in range(40, 50))
    mutable = MutableTable(table)
    for add, key in changes:
        table = table.put(key, key) if add else table.drop(key)
        mutable = mutable.put(key, key) if add else mutable.drop(key)
        assert mutable.first() == table.first()
    assert list(mutable.items()) == list(table.items())
    assert mutable.freeze() == table


def test_a_table_of_many_levels_is_in_order_whatever_the_order_of_its_keys() -> None:
    keys = [(key * 7_919) % 9_001 for key in range(9_001)]  # each once, all over
    table: Table[int, int] = Table()
    for key in keys:
        table = table.put(key, -key)
    assert list(table.items()) == [(key, -key) for key in range(9_001)]
    assert all(table.get(key) == -key for key in keys)


def test_a_mutable_table_that_has_become_empty_has_no_first_key() -> None:
    table = MutableTable(Table.of([(1, "one")]))
    assert table.first() == (1, "one")
    assert table.drop(1).first() is None
    assert table.put(2, "two").first() == (2, "two")


def test_a_first_key_that_stays_does_not_make_dropped_ones_pile_up() -> None:
    mutable = MutableTable(Table.of([("", None)]))
    alive: list[weakref.ref[_Key]] = []
    for number in range(1, 10 * SLACK):
        key = _Key(f"{number:05}")
        alive.append(weakref.ref(key))
        assert mutable.put(key, None).first() == ("", None)
        assert mutable.drop(key).first() == ("", None)
        del key
    assert sum(each() is not None for each in alive) <= SLACK + 3


class _Key(str):
    """A key that can be seen to be gone."""

    __slots__ = ("__weakref__",)
