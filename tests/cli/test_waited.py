"""What a command waits for is handed on as it is, and not looked at."""

from __future__ import annotations

import asyncio

import pytest

from orchestrator.cli.waited import waited


class Large:
    """A value whose ``repr`` takes too long for anybody to want it."""

    shown = 0

    def __repr__(self) -> str:
        Large.shown += 1
        return "Large()"


async def _found(value: object) -> object:
    await asyncio.sleep(0)
    return value


def test_a_large_result_is_not_written_as_text() -> None:
    large = Large()
    assert waited(_found(large)) is large
    assert Large.shown == 0


def test_what_is_raised_is_raised() -> None:
    async def fails() -> None:
        msg = "no"
        raise LookupError(msg)

    with pytest.raises(LookupError, match="no"):
        waited(fails())
