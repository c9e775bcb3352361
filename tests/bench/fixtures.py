"""What a conftest imports to let its tests use the bench."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.bench.engine import Engine, started
from tests.bench.machine import why_not

__all__ = ("engine",)


class Shared:
    """One engine for all that import the fixture, until the last has gone."""

    users = 0
    stack = ExitStack()
    engine: Engine | None = None

    @classmethod
    def take(cls) -> Engine:
        if cls.engine is None:
            cls.engine = cls.stack.enter_context(started())
        cls.users += 1
        return cls.engine

    @classmethod
    def give_back(cls) -> None:
        cls.users -= 1
        if cls.users == 0:
            cls.engine = None
            cls.stack.close()


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    """Give the Docker engine of this run, or skip and say why there is none."""
    reason = why_not()
    if reason is not None:
        pytest.skip(reason)
    yield Shared.take()
    Shared.give_back()
