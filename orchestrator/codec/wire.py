"""What is persisted, as canonical JSON: events, commands, records, whole fleets.

Canonical: the same value gives the same bytes, in every process. Fields stand in the
order of their classes, tables in the order of their keys, and nothing is hashed.
``decode(encode(x)) == x``; what is not understood is refused with its place.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any, Final, TypeAlias, TypeVar, cast, get_args

import orjson
from returns.result import Failure, Result, Success

from orchestrator.codec.converter import make_converter
from orchestrator.codec.json_values import freeze_json
from orchestrator.codec.on_demand import OnDemand
from orchestrator.codec.problems import Refusal, Wrong, invalid, told
from orchestrator.codec.schema import SCHEMA, upcast
from orchestrator.codec.swift import Odd, SwiftReaders, swift_writer
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
from orchestrator.core.state import Container, Desired, Fleet, History, LastRun
from orchestrator.core.table import Table

__all__ = (
    "CONVERTER",
    "NO_COMMANDS",
    "TAGGED",
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
_SWIFT: Final = SwiftReaders(CONVERTER, frozenset(TAGGED), _SHARED)
_SWIFT_EVENT: Final[_Reader[Event]] = _SWIFT.of(Event)
_SWIFT_EVENTS: Final = _SWIFT.by_tag(get_args(Event))
_SWIFT_COMMANDS: Final[_Reader[tuple[Command, ...]]] = _SWIFT.of(tuple[Command, ...])

_BALKS: Final = (Odd, Wrong, KeyError, ValueError, TypeError, ExceptionGroup)
"""What the swift readers raise."""

NO_COMMANDS: Final = b"[]"
"""What most events lead to."""


def encode_event(event: Event) -> bytes:
    """Write an event."""
    return _dumps(_WRITERS[event.__class__](event))


def event_of(data: bytes) -> Event | InvalidSpec:
    """Read an event of today's schema: ``decode_event`` for a million of them."""
    try:
        tree = _loads(data)
        event: Event = _SWIFT_EVENTS[tree["type"]](tree)
    except _BALKS:
        return _refused(data, _READ_EVENT)
    return event


def decode_event(data: bytes, schema: int = SCHEMA) -> Result[Event, InvalidSpec]:
    """Read an event of any version that ever was."""
    if schema == SCHEMA:
        return _decode(data, _READ_EVENT, _SWIFT_EVENT)
    return _decode(data, lambda tree: _risen(tree, schema))


def encode_commands(commands: tuple[Command, ...]) -> bytes:
    """Write the commands of one event."""
    return orjson.dumps([_WRITERS[type(command)](command) for command in commands])


def commands_of(data: bytes) -> tuple[Command, ...] | InvalidSpec:
    """Read the commands of one event: ``decode_commands`` for a million of them."""
    if data == NO_COMMANDS:
        return ()
    try:
        return _SWIFT_COMMANDS(orjson.loads(data))
    except _BALKS:
        return _refused(data, _READ_COMMANDS)


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
    """Write a whole fleet, as a snapshot holds it."""
    return orjson.dumps(_WRITERS[Fleet](fleet))


def decode_fleet(data: bytes) -> Result[Fleet, InvalidSpec]:
    """Read a whole fleet."""
    return _decode(data, _READ_FLEET, _SWIFT.of(Fleet))


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
