"""The table that is found by hash: nobody sees the hashes, and nobody needs it.

The laws of both kinds of tables are in ``property_tests/test_tables.py``.
"""

from __future__ import annotations

import pickle
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import attrs
import pytest

from orchestrator.core import hash_table
from orchestrator.core.hash_table import HashTable, many
from orchestrator.core.state import empty_fleet, found_by_hash
from orchestrator.core.table import Table

COUNT: Final = 3_000
INDEXES: Final = ("containers", "starting", "diverged")

if many(Table[str, int]()).__class__ is Table:
    pytest.skip("nothing to find by hash with", allow_module_level=True)


def numbered(count: int) -> HashTable[str, int]:
    return HashTable.of((f"web-{number:05}", number) for number in range(count))


@pytest.mark.parametrize("count", [0, 1, 6_000])
def test_it_is_the_same_built_at_once_one_by_one_and_on_top_of_the_half(
    count: int,
) -> None:
    table, pairs = numbered(count), [(f"web-{n:05}", n) for n in range(count)]
    one_by_one, on_top = HashTable[str, int](), numbered(count // 2)
    for key, value in reversed(pairs):
        one_by_one, on_top = one_by_one.put(key, value), on_top.put(key, value)
    assert list(table.items()) == pairs
    assert table == one_by_one == on_top == Table.of(pairs)


def test_keys_whose_hashes_are_the_same_are_told_apart() -> None:
    class Same(str):
        __slots__ = ()

        def __hash__(self) -> int:
            return -7

    table = HashTable[str, int]()
    for number in range(50):
        table = table.put(Same(f"{number:03}"), number)
    for number in range(0, 50, 2):
        table = table.drop(Same(f"{number:03}"))
    assert [*table.values()] == [*range(1, 50, 2)]
    assert Same("000") not in table
    assert table.get(Same("000")) is None


def test_a_key_with_none_for_its_value_is_there() -> None:
    table = HashTable[str, None]().put("web", None)
    assert "web" in table
    assert table.get("web") is None
    assert "api" not in table


def test_to_drop_a_stranger_changes_nothing_and_the_last_one_leaves_nothing() -> None:
    table = numbered(2)
    assert table.drop("api") is table
    empty = table.drop("web-00000").drop("web-00001")
    assert not empty
    assert empty.first() is None
    assert empty == HashTable() == Table()
    with pytest.raises(KeyError):
        empty["web-00000"]


def test_keys_are_put_in_order_once_for_all_tables_that_have_the_same() -> None:
    table = numbered(500).put("api", 1)
    later = table.put("web-00007", -7)
    assert next(iter(table)) == "api"
    assert later._order is table._order
    assert len(later._order) == len(later)
    assert table.put("zoo", 1)._order is not table._order
    assert table.drop("api")._order is not table._order


def test_it_differs_from_what_is_no_table_or_holds_something_else() -> None:
    table = numbered(3)
    assert table == HashTable.of(table.items())
    assert table != {"web-00000": 0}
    assert table != table.put("web-00001", 7)
    assert table != table.drop("web-00001")
    assert table != Table.of([*table.items()][:2])
    assert table != Table.of([(key, -1) for key in table])
    assert repr(numbered(1)) == "HashTable.of([('web-00000', 0)])"
    assert hash(table) == hash(Table.of(table.items()))


def test_another_process_with_other_hashes_finds_everything_in_it() -> None:
    asked = (
        "import pickle, sys\n"
        "table = pickle.load(sys.stdin.buffer)\n"
        f"names = [f'web-{{n:05}}' for n in range({COUNT})]\n"
        "assert [*table] == names and all(name in table for name in names)\n"
        "sys.stdout.buffer.write(pickle.dumps(table.put('web-00001', -1)))\n"
    )
    answer = subprocess.run(
        [sys.executable, "-c", asked],
        input=pickle.dumps(numbered(COUNT)),
        env={"PYTHONHASHSEED": "1"},
        capture_output=True,
        check=True,
        timeout=240,
    )
    found = pickle.loads(answer.stdout)  # noqa: S301 - we have asked for it
    assert found == numbered(COUNT).put("web-00001", -1)


def test_a_fleet_finds_its_containers_by_hash_and_so_does_one_that_was_read() -> None:
    fleet = empty_fleet("demo")
    plain: dict[str, Any] = {
        name: Table.of(getattr(fleet, name).items()) for name in INDEXES
    }
    read = attrs.evolve(fleet, **plain)
    assert read == found_by_hash(read) == fleet
    for one in (fleet, found_by_hash(read)):
        assert all(isinstance(getattr(one, name), HashTable) for name in INDEXES)


def test_without_the_package_the_tables_of_a_fleet_are_plain_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "immutables", None)
    without: dict[str, Any] = runpy.run_path(str(Path(hash_table.__file__)))
    table = Table.of([("web", 1)])
    assert without["many"](table) is table
