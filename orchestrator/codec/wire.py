"""What is persisted, as canonical JSON: events, commands, records, whole fleets.

Canonical: the same value gives the same bytes, in every process. Fields stand in the
order of their classes, tables in the order of their keys, and nothing is hashed.
``decode(encode(x)) == x``; what is not understood is refused with its place.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, Final, TypeAlias, TypeVar, cast, get_args

import attrs
import orjson
from returns.result import Failure, Result, Success

from orchestrator.codec.converter import make_converter
from orchestrator.codec.json_values import freeze_json
from orchestrator.codec.on_demand import OnDemand
from orchestrator.codec.problems import Refusal, Wrong, invalid, told
from orchestrator.codec.schema import SCHEMA, upcast
from orchestrator.codec.swift import Odd, SwiftReaders
from orchestrator.codec.swift_writing import swift_writer
from orchestrator.core.commands import Command
from orchestrator.core.errors import InvalidSpec, PlatformError, StartError
from orchestrator.core.events import Event
from orchestrator.core.exit_rules import ExitMatch
from orchestrator.core.exits import Exit, Exited, Signaled
from orchestrator.core.fields import Json
from orchestrator.core.health import HealthChecks, Probe
from orchestrator.core.hosting import InstanceType, Placement
from orchestrator.core.observations import Sight
from orchestrator.core.phases import Phase
from orchestrator.core.policies import RestartPolicy
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.state import (
    Container,
    Desired,
    Fleet,
    History,
    LastRun,
    found_by_hash,
)
from orchestrator.core.table import Table

__all__ = (
    "CONVERTER",
    "NO_COMMANDS",
    "TAGGED",
    "all_commands_of",
    "commands_of",
    "decode_commands",
    "decode_container",
    "decode_event",
    "decode_fleet",
    "encode_commands",
    "encode_container",
    "encode_event",
    "encode_fleet",
    "event_of",
    "events_of",
    "frozen_config",
    "read_tree",
    "tree_of",
)

T = TypeVar("T")

TAGGED: Final[tuple[type, ...]] = (
    *get_args(Event),
    *get_args(Command),
    *get_args(Phase),
    *get_args(Exit),
    *get_args(Sight),
    *get_args(Probe),
    *get_args(ExitMatch),
    *get_args(PlatformError),
    *get_args(StartError),
)
"""Members of the sum types that are persisted."""

CONVERTER: Final = make_converter(TAGGED)


def _writer(kind: type) -> Callable[[Any], Any]:
    if kind in _SWIFT.tagged:
        return swift_writer(kind, CONVERTER, _WRITERS)
    hook: Callable[[Any], Any] = CONVERTER.get_unstructure_hook(kind)
    return hook


_WRITERS: Final[OnDemand[type, Callable[[Any], Any]]] = OnDemand(
    (*TAGGED, Container, Fleet, History, LastRun, Desired), _writer
)
_dumps: Final = orjson.dumps
_loads: Final = orjson.loads
_AS_THEY_ARE: Final = frozenset({int, str, bool})
_Reader: TypeAlias = Callable[[Any], T]


def _reader(kind: Any) -> _Reader[Any]:
    return lambda tree: CONVERTER.structure(tree, kind)


_READ_EVENT: Final[_Reader[Event]] = _reader(Event)
_READ_COMMANDS: Final[_Reader[tuple[Command, ...]]] = _reader(tuple[Command, ...])
_READ_CONTAINER: Final[_Reader[Container]] = _reader(Container)
_READ_FLEET: Final[_Reader[Fleet]] = _reader(Fleet)

_SHARED: Final = frozenset(
    {RestartPolicy, HealthChecks, InstanceType, Placement, Exited, Signaled}
)
_ALIKE: Final = {ContainerSpec: ("name", "service", "replica")}
_SWIFT: Final = SwiftReaders(CONVERTER, frozenset(TAGGED), _SHARED, _ALIKE)
_SWIFT_EVENT: Final[_Reader[Event]] = _SWIFT.of(Event)
_SWIFT_EVENTS: Final = _SWIFT.by_tag(get_args(Event))
_SWIFT_COMMANDS: Final[_Reader[tuple[Command, ...]]] = _SWIFT.of(tuple[Command, ...])

_BALKS: Final = (Odd, Wrong, KeyError, ValueError, TypeError, ExceptionGroup)
"""What the swift readers raise."""

PIECE: Final = 256
"""Containers of a fleet that are written at once."""

NO_COMMANDS: Final = b"[]"
"""What most events lead to."""


def encode_event(event: Event) -> bytes:
    """Write an event."""
    return _dumps(_WRITERS[event.__class__](event))


def event_of(data: bytes) -> Event | InvalidSpec:
    """Read an event of today's schema: ``decode_event``, with a plain answer."""
    events = events_of((data,))
    return _refused(data, _READ_EVENT) if events is None else events[0]


def events_of(texts: Iterable[bytes]) -> list[Event] | None:
    """Read many events at once; None where one of them is in doubt.

    ``event_of`` then says of each one what it is, or what is wrong with it.
    """
    read, loads = _SWIFT_EVENTS, _loads
    try:
        return [read[(tree := loads(text))["type"]](tree) for text in texts]
    except _BALKS:
        return None


def decode_event(data: bytes, schema: int = SCHEMA) -> Result[Event, InvalidSpec]:
    """Read an event of any version that ever was."""
    if schema == SCHEMA:
        return _decode(data, _READ_EVENT, _SWIFT_EVENT)
    return _decode(data, lambda tree: _risen(tree, schema))


def encode_commands(commands: tuple[Command, ...]) -> bytes:
    """Write the commands of one event."""
    return orjson.dumps([_WRITERS[type(command)](command) for command in commands])


def commands_of(data: bytes) -> tuple[Command, ...] | InvalidSpec:
    """Read the commands of one event: ``decode_commands``, with a plain answer."""
    commands = all_commands_of((data,))
    return _refused(data, _READ_COMMANDS) if commands is None else commands[0]


def all_commands_of(texts: Iterable[bytes]) -> list[tuple[Command, ...]] | None:
    """Read the commands of many events at once; None where some are in doubt.

    ``commands_of`` then says of each what they are, or what is wrong with them.
    """
    read, loads, none = _SWIFT_COMMANDS, _loads, NO_COMMANDS
    try:
        return [() if text == none else read(loads(text)) for text in texts]
    except _BALKS:
        return None


def decode_commands(data: bytes) -> Result[tuple[Command, ...], InvalidSpec]:
    """Read the commands of one event."""
    return _decode(data, _READ_COMMANDS, _SWIFT_COMMANDS)


def encode_container(container: Container) -> bytes:
    """Write the record of a container."""
    return orjson.dumps(_WRITERS[Container](container))


def decode_container(data: bytes) -> Result[Container, InvalidSpec]:
    """Read the record of a container."""
    return _decode(data, _READ_CONTAINER)


def encode_fleet(fleet: Fleet) -> bytes:
    """Write a whole fleet, as a snapshot holds it.

    Its containers are written some at a time: all of them as plain JSON would take many
    times the memory of the fleet, and other threads would wait while that is written.
    """
    tree = _WRITERS[Fleet](attrs.evolve(fleet, containers=Table()))
    tree["containers"] = orjson.Fragment(b"".join(_pieces(fleet.containers)))
    return orjson.dumps(tree)


def _pieces(containers: Table[str, Container]) -> Iterator[bytes]:
    """Yield a table of containers, some of them at a time."""
    write, left, before = _WRITERS[Container], containers.items(), b"{"
    while some := {name: write(each) for name, each in islice(left, PIECE)}:
        yield before
        yield orjson.dumps(some)[1:-1]
        before = b","
    yield b"}" if containers else b"{}"


def decode_fleet(data: bytes) -> Result[Fleet, InvalidSpec]:
    """Read a whole fleet."""
    return _decode(data, _READ_FLEET, _SWIFT.of(Fleet)).map(found_by_hash)


def _decode(
    data: bytes, read: _Reader[T], swift: _Reader[T] | None = None
) -> Result[T, InvalidSpec]:
    """Read what was written; where the swift reader balks, *read* says why."""
    try:
        tree: Any = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        return Failure(invalid(f"byte {error.pos}", "JSON", error.msg))
    if swift is not None:
        with contextlib.suppress(*_BALKS):
            return Success(swift(tree))
    return _read(tree, read)


def _refused(data: bytes, read: _Reader[T]) -> T | InvalidSpec:
    """Say why the swift reader balked; what *read* understands all the same counts."""
    found = _decode(data, read)
    return found.failure() if isinstance(found, Failure) else found.unwrap()


def _read(tree: Any, read: _Reader[T]) -> Result[T, InvalidSpec]:
    try:
        return Success(read(tree))
    except Refusal as refusal:
        return Failure(refusal.error)
    except (Wrong, ValueError, TypeError, ExceptionGroup) as error:
        return Failure(told(error))


def tree_of(value: Any) -> Any:
    """Return any value of the core as plain JSON: dicts, lists, texts, numbers."""
    if value.__class__ in _WRITERS.known:
        return _WRITERS[value.__class__](value)
    if value is None or value.__class__ in _AS_THEY_ARE:
        return value
    if isinstance(value, tuple | list):
        return [tree_of(inner) for inner in cast("tuple[Any, ...]", value)]
    if isinstance(value, dict | Table):
        table = cast("Table[str, Any]", value)
        return {key: tree_of(inner) for key, inner in table.items()}
    return CONVERTER.unstructure(value)


def read_tree(tree: Any, kind: type[T]) -> Result[T, InvalidSpec]:
    """Read parsed JSON or TOML as a value of a class of the core."""
    reader: _Reader[T] = _reader(kind)
    return _read(tree, reader)


def frozen_config(config: Any) -> Result[Table[str, Json], InvalidSpec]:
    """Freeze the config that a program or a request gives; refuse what is not JSON."""
    return _read(config, _freeze_table)


def _freeze_table(config: Any) -> Table[str, Json]:
    if not isinstance(config, dict | Table):
        raise Wrong("a table", config)
    return cast("Table[str, Json]", freeze_json(config))


def _risen(tree: Any, schema: int) -> Event:
    return _READ_EVENT(tree if schema == SCHEMA else _upcast(tree, schema))


def _upcast(tree: Any, schema: int) -> dict[str, Any]:
    """Bring an object of another version to the present one, or refuse it."""
    if not isinstance(tree, dict):
        raise Wrong("a table", tree)
    risen = upcast(schema, cast("dict[str, Any]", tree))
    if isinstance(risen, Failure):
        raise Refusal(risen.failure())
    return risen.unwrap()
