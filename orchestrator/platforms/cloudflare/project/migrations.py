"""Which classes of objects a Worker has, and how it came to have them.

Cloudflare applies each migration once, in order, and remembers the last tag: what is
there stays as it is, and what is new comes behind it. A deleted class loses its
objects, with all that they remember.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final, TypeAlias, cast

from returns.result import Failure, Result, Success

from orchestrator.codec.wire import frozen_config
from orchestrator.core.errors import InvalidSpec, Problem
from orchestrator.core.fields import Json
from orchestrator.core.table import Table

__all__ = (
    "Migration",
    "living_classes",
    "read_migrations",
    "with_deleted",
    "with_new",
)

Migration: TypeAlias = "Table[str, Json]"
"""One step, as the Worker's configuration holds it."""

_MADE: Final = ("new_sqlite_classes", "new_classes")
_CLASS: Final = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*", re.ASCII)


def living_classes(migrations: Iterable[Migration]) -> tuple[str, ...]:
    """Return the classes that are there after all migrations.

    >>> first = Table.of([("tag", "v1"), ("new_sqlite_classes", ("A", "B"))])
    >>> living_classes([first, Table.of([("tag", "v2"), ("deleted_classes", ("A",))])])
    ('B',)

    """
    living: dict[str, None] = {}
    for migration in migrations:
        for key in _MADE:
            living |= dict.fromkeys(_texts(migration.get(key)))
        for was, becomes in _renamed(migration.get("renamed_classes")):
            living.pop(was, None)
            living[becomes] = None
        for gone in _texts(migration.get("deleted_classes")):
            living.pop(gone, None)
    return tuple(one for one in living if _CLASS.fullmatch(one))


def with_new(
    migrations: tuple[Migration, ...], classes: tuple[str, ...]
) -> tuple[Migration, ...]:
    """Append a migration that makes classes, where there are any to make."""
    return _with(migrations, "new_sqlite_classes", classes)


def with_deleted(
    migrations: tuple[Migration, ...], classes: tuple[str, ...]
) -> tuple[Migration, ...]:
    """Append a migration that deletes classes, where there are any to delete."""
    return _with(migrations, "deleted_classes", classes)


def _with(
    migrations: tuple[Migration, ...], key: str, classes: tuple[str, ...]
) -> tuple[Migration, ...]:
    if not classes:
        return migrations
    pairs: tuple[tuple[str, Json], ...] = (("tag", _next(migrations)), (key, classes))
    return (*migrations, Table.of(pairs))


def _next(migrations: tuple[Migration, ...]) -> str:
    """Return a tag that is not taken: v1, v2 ..."""
    taken = {migration.get("tag") for migration in migrations}
    first = len(migrations) + 1
    numbers = range(first, first + len(taken) + 1)
    return next(tag for tag in (f"v{number}" for number in numbers) if tag not in taken)


def read_migrations(tree: object) -> Result[tuple[Migration, ...], InvalidSpec]:
    """Read the migrations of a Worker's configuration, whoever wrote them."""
    if not isinstance(tree, list):
        return Failure(_wrong("migrations", "an array"))
    read: list[Migration] = []
    for index, step in enumerate(cast("list[object]", tree)):
        frozen = frozen_config(step)
        if isinstance(frozen, Failure) or not frozen.unwrap().get("tag"):
            return Failure(_wrong(f"migrations[{index}]", "a table with a tag"))
        read.append(frozen.unwrap())
    return Success(tuple(read))


def _wrong(place: str, expected: str) -> InvalidSpec:
    problem = Problem(place=place, expected=expected, found="something else")
    return InvalidSpec(problems=(problem,))


def _texts(value: Json) -> Iterator[str]:
    if isinstance(value, tuple):
        yield from (text for text in value if isinstance(text, str))


def _renamed(value: Json) -> Iterator[tuple[str, str]]:
    for step in value if isinstance(value, tuple) else ():
        if isinstance(step, Table):
            was, becomes = step.get("from"), step.get("to")
            if isinstance(was, str) and isinstance(becomes, str):
                yield was, becomes
