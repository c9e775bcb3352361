"""The swift readers and writers agree with the converter."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_type_hints

import attrs
import orjson
import pytest

from orchestrator.codec.on_demand import OnDemand
from orchestrator.codec.swift import SHARED_MAX, SMALL, SwiftReaders
from orchestrator.codec.swift_writing import swift_writer
from orchestrator.codec.wire import (
    CONVERTER,
    NO_COMMANDS,
    TAGGED,
    all_commands_of,
    commands_of,
    encode_commands,
    encode_event,
    event_of,
    events_of,
)
from orchestrator.core.errors import InvalidSpec, RateLimited
from orchestrator.core.events import Booted, ContainerStarted, Event
from orchestrator.core.exits import Exit, Exited
from orchestrator.core.policies import CustomPolicyRef
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.state import RULES
from orchestrator.core.table import Table

GOLDEN = Path(__file__).parent.parent / "golden"
READERS = SwiftReaders(CONVERTER, frozenset(TAGGED))
STARTED = {"type": "container_started", "at": 1, "name": "a", "run": 2}
SPEC = {"name": "a", "image": "b"}
WHOLE = {**SPEC, "service": "a"}


def trees() -> Iterator[dict[str, Any]]:
    for path in sorted(GOLDEN.glob(f"journal.rules-{RULES}.*.jsonl.gz")):
        with gzip.open(path) as file:
            yield from (tree for tree in map(orjson.loads, file) if "event" in tree)


def test_every_golden_row_is_read_and_written_as_by_the_converter() -> None:
    slow = CONVERTER.get_structure_hook(Event)
    for tree in trees():
        event = READERS.of(Event)(tree["event"])
        assert event == slow(tree["event"], Event)
        assert encode_event(event) == orjson.dumps(tree["event"])
        assert encode_event(event) == orjson.dumps(CONVERTER.unstructure(event))
        commands = commands_of(orjson.dumps(tree["commands"]))
        assert isinstance(commands, tuple)
        assert encode_commands(commands) == orjson.dumps(tree["commands"])


@pytest.mark.parametrize(
    "wrong",
    [
        {**STARTED, "at": "1"},
        {**STARTED, "at": True},
        {**STARTED, "source_at": 1.0},
        {**STARTED, "other": 1},
        {**STARTED, "type": "container_begun"},
        {key: value for key, value in STARTED.items() if key != "run"},
        {"at": 1},
        [],
        "container_started",
    ],
)
def test_what_the_converter_refuses_the_swift_reader_does_not_read(wrong: Any) -> None:
    with pytest.raises(Exception):  # noqa: B017, PT011 - whatever: it says no more
        READERS.of(Event)(wrong)
    told = event_of(orjson.dumps(wrong))
    assert isinstance(told, InvalidSpec)
    assert told.problems[0].place.startswith("$")


@pytest.mark.parametrize(
    "wrong",
    [
        {**WHOLE, "env": []},
        {**WHOLE, "env": {"A": 1}},
        {**WHOLE, "command": "run"},
        {**WHOLE, "command": [1]},
        {**WHOLE, "restart": []},
    ],
)
def test_tables_and_arrays_are_what_they_are(wrong: Any) -> None:
    with pytest.raises(Exception):  # noqa: B017, PT011 - as above
        READERS.of(ContainerSpec)(wrong)


def test_a_table_of_records_is_a_table() -> None:
    read = READERS.of(Table[str, CustomPolicyRef])
    one = {"name": "a", "version": 1}
    assert read({"x": one}) == Table.of([("x", CustomPolicyRef(name="a", version=1))])
    odd: tuple[Any, ...] = ([], "x", None, {"x": 1})
    for wrong in odd:
        with pytest.raises(Exception):  # noqa: B017, PT011 - as above
            read(wrong)


def test_small_tables_of_texts_are_kept_once() -> None:
    read = READERS.of(Table[str, str])
    small = {"http": "10.0.0.1:80"}
    large = {str(number): "x" for number in range(SMALL + 1)}
    assert read(small) is read({**small})
    assert read(large) == read({**large}) == Table.of(large.items())
    assert read(large) is not read({**large})
    odd: tuple[Any, ...] = ([], {"http": 80}, {"http": None})
    for wrong in odd:
        with pytest.raises(Exception):  # noqa: B017, PT011 - as above
            read(wrong)


def test_something_of_a_sum_type_or_nothing_is_read() -> None:
    read = READERS.of(Exit | None)
    assert read(None) is None
    assert read({"type": "exited", "code": 7}) == Exited(code=7)
    assert READERS.of(CustomPolicyRef | None)(None) is None


def test_a_field_whose_default_is_made_is_left_to_the_converter() -> None:
    """The service is named like the container where nothing is said."""
    with pytest.raises(Exception):  # noqa: B017, PT011 - as above
        READERS.of(ContainerSpec)(SPEC)
    said = {**SPEC, "service": "a", "ports": {"http": 80}, "config": {"n": [1, None]}}
    read = READERS.of(ContainerSpec)(said)
    assert read.ports == Table.of([("http", 80)])
    assert read.config["n"] == (1, None)


def test_what_many_have_in_common_is_kept_once_and_not_for_ever() -> None:
    readers = SwiftReaders(CONVERTER, frozenset(TAGGED), frozenset({CustomPolicyRef}))
    read = readers.of(CustomPolicyRef)
    one = read({"name": "a", "version": 1})
    assert read({"name": "a", "version": 1}) is one
    for number in range(SHARED_MAX):
        read({"name": "b", "version": number + 1})
    assert read({"name": "a", "version": 1}) == one
    assert read({"name": "a", "version": 1}) is not one


def test_the_owners_json_is_left_to_the_converter() -> None:
    kind = get_args(get_type_hints(ContainerSpec)["config"])[1]
    assert READERS.of(kind)([1, None]) == (1, None)


def test_an_event_is_read_as_it_was_written() -> None:
    event = READERS.of(Event)(STARTED)
    assert event_of(encode_event(event)) == event


def test_rubbish_is_told_with_its_byte() -> None:
    told = event_of(b'{"type":')
    assert isinstance(told, InvalidSpec)
    assert told.message.startswith("byte 8: expected JSON")
    assert isinstance(commands_of(b"["), InvalidSpec)


def test_what_the_swift_reader_balks_at_may_be_right_all_the_same() -> None:
    """A whole number is a number; only the converter makes it one with a point."""
    factor = '"restart":{"backoff":{"factor":2}}'
    text = (
        '{"type":"start_requested","at":1,"name":"a","declaration":{"salt":1,"spec":'
        f'{{"name":"a","image":"b",{factor}}}}}}}'
    )
    read = event_of(text.encode())
    assert not isinstance(read, InvalidSpec)


def test_many_are_read_at_once_or_none_of_them() -> None:
    event = READERS.of(Event)(STARTED)
    text = encode_event(event)
    command = b'[{"type":"observe_fleet"}]'
    assert events_of([text, text]) == [event, event]
    assert all_commands_of([NO_COMMANDS, command]) == [(), commands_of(command)]
    for wrong in (b"{", b"[]", b'{"type":"unheard_of"}', b"1"):
        assert events_of([text, wrong]) is None
        assert all_commands_of([command, b"[" + wrong]) is None


def test_most_events_lead_to_nothing() -> None:
    assert commands_of(NO_COMMANDS) == ()


def test_a_member_of_a_sum_type_within_another_carries_its_tag() -> None:
    nobody: OnDemand[type, Any] = OnDemand((), CONVERTER.get_unstructure_hook)
    writers = {kind: swift_writer(kind, CONVERTER, nobody) for kind in TAGGED}
    assert writers[Booted](Booted(at=1, epoch=2, rules=3)) == {
        "type": "booted",
        "at": 1,
        "epoch": 2,
        "rules": 3,
    }
    limited = RateLimited(retry_after_ms=5)
    tree = {"type": "rate_limited", "retry_after_ms": 5}
    assert writers[RateLimited](limited) == tree
    assert READERS.of(Exit)(tree) == limited
    assert attrs.asdict(READERS.of(ContainerStarted)(STARTED))["run"] == 2
