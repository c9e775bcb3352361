"""What rows say changed, put together, is what every container came to be."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import attrs
import orjson
import pytest

from orchestrator.codec.changes import NO_CHANGES, encode_changes, read_changes
from orchestrator.codec.wire import encode_container
from orchestrator.core.fields import LATER
from orchestrator.core.state import Container, empty_fleet
from orchestrator.core.steps import Step
from tests.replay.golden import steps_of

SEEDS = (1, 3)


def merged(known: dict[str, Any], changes: bytes) -> None:
    """Do as the docstring of the module says: put new fields over the known ones."""
    read = read_changes(changes)
    assert read is not None
    for name, fields in read.items():
        if fields is None:
            del known[name]
        else:
            known[name] = {**known.get(name, {}), **fields}


def held(steps: Iterable[Step]) -> None:
    """Hold the changes of a history to the records it came to, at each row."""
    known: dict[str, Any] = {}
    for step in steps:
        merged(known, encode_changes(step.before, step.after, step.touched))
        records = step.after.containers
        assert sorted(known) == list(records)
        for name in step.touched:
            if name in records:
                assert orjson.dumps(known[name]) == encode_container(records[name])


@pytest.mark.parametrize("seed", SEEDS)
def test_changes_put_together_are_the_records_at_each_row(seed: int) -> None:
    steps = steps_of(seed)
    held(steps)
    gone = [step for step in steps if b'"extra":null' in changes_of(step)]
    assert gone, "nothing was forgotten: the example shows too little"


def changes_of(step: Step) -> bytes:
    return encode_changes(step.before, step.after, step.touched)


def test_names_stand_in_the_order_in_which_they_were_touched() -> None:
    steps = [step for step in steps_of(SEEDS[0]) if len(step.touched) > 1]
    assert steps
    for step in steps:
        assert tuple(read_changes(changes_of(step)) or ()) == step.touched


def test_a_new_container_has_all_of_its_fields_and_a_known_one_what_is_new() -> None:
    steps = steps_of(SEEDS[0])
    fields = {field.name for field in attrs.fields(Container)}
    later = {field.name for field in attrs.fields(Container) if field.metadata == LATER}
    seen = set()
    for step in steps:
        for name, (was, now) in zip(step.touched, step.pairs(), strict=True):
            new = (read_changes(changes_of(step)) or {})[name]
            if now is None:
                assert new is None
                seen.add("gone")
            elif was is None:
                assert set(new) == fields - later
                seen.add("new")
            else:
                other = {f for f in fields if getattr(was, f) != getattr(now, f)}
                assert set(new) == other
                seen.add("known")
    assert seen == {"gone", "new", "known"}


def test_what_touches_nothing_changes_nothing() -> None:
    fleet = empty_fleet("demo")
    assert encode_changes(fleet, fleet, ()) == NO_CHANGES == b"{}"
    assert read_changes(NO_CHANGES) == {}


def test_a_container_that_was_touched_and_is_as_it_was_has_no_fields() -> None:
    (step, *_) = [one for one in steps_of(SEEDS[0]) if one.touched]
    name = step.touched[0]
    assert encode_changes(step.after, step.after, [name]) == b'{"%s":{}}' % (
        name.encode()
    )


@pytest.mark.parametrize(
    "data",
    [bytes(32), b'{"' + bytes(30), b'{"a":"' + b"x" * 26, b"[]", b"3", b"", b"\xff"],
)
def test_what_is_no_table_holds_no_fields(data: bytes) -> None:
    assert read_changes(data) is None


def test_a_table_of_the_size_of_a_digest_is_a_table() -> None:
    table = b'{"web":{"run":1234567,"x":null}}'
    assert len(table) == 32
    assert read_changes(table) == {"web": {"run": 1234567, "x": None}}
