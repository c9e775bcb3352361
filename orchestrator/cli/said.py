"""What an operator in the foreground says beside the fleet that it shows."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine
from itertools import count
from pathlib import Path
from typing import Any, Final

import click

from orchestrator.cli.plain import cleaned, counted
from orchestrator.cli.shown import since_when
from orchestrator.replay.absences import absence_text
from orchestrator.runtime.leadership import Leadership
from orchestrator.runtime.operator import Operator
from orchestrator.runtime.standby import Standby

__all__ = ("WENT_DOWN", "say_goodbye", "told_what_was_found", "told_who_leads")

WENT_DOWN: Final = "the fleet was brought down: the operator has ended"

LOOK_S: Final = 0.1
"""Between two looks at who leads."""

LOOKS: Final = 20
"""After which a gateway that can be reached has said who leads."""


@contextlib.asynccontextmanager
async def told_who_leads(
    standby: Standby, me: str, say: Callable[[str], None]
) -> AsyncIterator[None]:
    """Say for a block that *me* stands by, and who leads: when known, and anew."""

    async def tell() -> None:
        said: str | None = None
        for look in count():
            told = standby.leadership()
            if told.leader not in {None, said, me} or (said is None and look == LOOKS):
                say(cleaned(_stands_by(told)))
                said = told.leader or ""
            await asyncio.sleep(LOOK_S)

    async with _meanwhile(tell()):
        yield


@contextlib.asynccontextmanager
async def told_what_was_found(
    operator: Operator, say: Callable[[str], None]
) -> AsyncIterator[None]:
    """Say on one line what became of the runs while nobody led, once that is known."""

    async def tell() -> None:
        absence = await operator.caught_up()
        text = "" if absence is None else absence_text(absence)
        if text:
            say(cleaned(text))

    async with _meanwhile(tell()):
        yield


@contextlib.asynccontextmanager
async def _meanwhile(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Do *work* beside a block, and no longer."""
    doing = asyncio.ensure_future(work)
    try:
        yield
    finally:
        doing.cancel()
        await asyncio.wait([doing])


def _stands_by(told: Leadership) -> str:
    """Say that this one stands by, and who leads."""
    if told.leader is None or told.since is None:
        return "standing by: nobody is known to lead"
    return f"standing by: {told.leader} leads since {since_when(told.since)}"


def say_goodbye(operator: Operator, state: Path) -> None:
    """Say what goes on without the operator."""
    alive = sum(
        info.phase in {"running", "starting", "stopping", "unknown"}
        for info in operator.infos()
    )
    if alive:
        go, them = ("goes", "it") if alive == 1 else ("go", "them")
        click.echo(
            f"the operator has ended, {counted(alive, 'container')} {go} on:"
            f" `orchestrator down --state {state}` stops {them}"
        )
    else:
        click.echo("the operator has ended, no container runs")
