"""The persistent table agrees with a dict, in key order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.core.table import Table

steps = st.lists(st.tuples(st.booleans(), st.integers(0, 80)), max_size=300)


@given(steps)
def test_a_table_agrees_with_a_sorted_dict(changes: list[tuple[bool, int]]) -> None:
    table: Table[int, int] = Table()
    model: dict[int, int] = {}
    for add, key in changes:
        table = table.put(key, key) if add else table.drop(key)
        model.update({key: key}) if add else model.pop(key, None)
        assert list(table.items()) == sorted(model.items())
        assert len(table) == len(model)
