"""An operator in the foreground: opened, served, shown, ended in order."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Final

from returns.result import Failure

from orchestrator.api.app import make_app
from orchestrator.api.listen import serve_http
from orchestrator.api.places import HTTP_AT, JOURNAL
from orchestrator.api.seat import Seat
from orchestrator.api.socket import serve
from orchestrator.cli.failing import Failed, failed
from orchestrator.cli.listening import Entrance, entrance_of
from orchestrator.cli.named import named_object, policies_of
from orchestrator.cli.opening import claim_of, keep_of, open_operator
from orchestrator.cli.reloading import on_hang_up, reloaded
from orchestrator.cli.said import WENT_DOWN, say_goodbye, told_what_was_found
from orchestrator.cli.session import Session
from orchestrator.cli.standing_by import (
    Ending,
    begin_to_stand_by,
    stand_by,
)
from orchestrator.cli.state import Kept, keep
from orchestrator.cli.tools import version_text
from orchestrator.codec.journal_choice import JournalKind
from orchestrator.core.errors import ContainerError
from orchestrator.journal.lock import take_lock
from orchestrator.runtime.operator import Operator
from orchestrator.runtime.outcomes import settled
from orchestrator.runtime.secrets import FileSecrets
from orchestrator.runtime.standby import Standby

__all__ = ("run_session",)

LOCK: Final = "operator.lock"
"""Held while an operator works in a state folder without a journal."""


def _left(session: Session) -> Kept:
    """Return what is left in the state folder for commands that come later."""
    file, secrets = session.file, session.secrets
    is_far = file.journal.kind is not JournalKind.SQLITE
    return Kept(
        file.spec.name,
        file.platform,
        (file.policies, str(session.folder)) if file.policies else None,
        journal=file.journal.kind,
        secrets=str(secrets.path.absolute())
        if is_far and isinstance(secrets, FileSecrets)
        else None,
    )


async def run_session(session: Session) -> int:
    """Run an operator, or a standby, until it is ended; return the exit code."""
    file = session.file
    more = _means(session)
    ending = Ending()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ending.signalled, number)
    if session.path is not None:
        on_hang_up(ending.end.set, ending.again.set)
    entrance = entrance_of(session.api(), session.state)
    with contextlib.ExitStack() as stack:
        if entrance is not None:
            stack.callback(entrance.bound.close)
        stack.callback(_alone(session))
        if session.standby:
            begun: Operator | Standby = await begin_to_stand_by(session, more)
        else:
            begun = await open_operator(
                session.state, file.spec, file.platform, file.journal.kind, **more
            )
        unlock = stack.pop_all()
    seat = Seat(begun.operator if isinstance(begun, Standby) else begun)
    say = session.telling.say
    try:
        keep(session.state, _left(session))
        async with _served(seat, session.state, entrance, ending.down, say):
            if isinstance(begun, Standby):
                code = await stand_by(session, begun, seat, ending, more)
            else:
                code = await _led(session, begun, ending)
    finally:
        await begun.close()
        unlock.close()
    is_left = not (ending.went_down or session.stop_on_exit)
    if isinstance(begun, Operator) and is_left:
        say_goodbye(begun, session.state)
    elif isinstance(begun, Operator) and ending.went_down:
        say(WENT_DOWN)
    return ending.code(code, is_supervised=session.supervised)


def _means(session: Session) -> dict[str, Any]:
    """Return what an operator works with beside its platform and its journal."""
    file, folder = session.file, session.folder
    return {
        "env_vars": named_object(file.env_vars, folder, "fleet.env_vars"),
        "hooks": named_object(file.hooks, folder, "fleet.hooks"),
        "policies": policies_of(file, folder),
        "secrets": session.secrets,
        "snapshot_every": session.snapshot_every or file.journal.snapshot_every,
        "keep": keep_of(file.journal, session.state),
        "telemetry": session.telling.telemetry(
            session.state / JOURNAL, file.api.metrics_max_names
        ),
        "lease": claim_of(file.journal.kind, file.lease),
    }


def _alone(session: Session) -> Callable[[], None]:
    """Have no other operator work in the state folder; what is returned ends that.

    A journal in the folder has a lock of its own.
    """
    if session.file.journal.kind is JournalKind.SQLITE:
        return lambda: None
    session.state.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = take_lock(session.state / LOCK)
    if isinstance(lock, Failure):
        raise failed(lock.failure())
    return lock.unwrap().release


@contextlib.asynccontextmanager
async def _served(
    seat: Seat,
    state: Path,
    entrance: Entrance | None,
    down: Callable[[], None],
    say: Callable[[str], None],
) -> AsyncIterator[None]:
    """Serve whoever sits there for a block: on its Unix socket, and at its entrance.

    What an operator before has left of its address is gone by then.
    """
    (state / HTTP_AT).unlink(missing_ok=True)
    means: dict[str, Any] = {
        "version": version_text(),
        "end": down,
        "telemetry": seat.operator.telemetry,
    }
    async with contextlib.AsyncExitStack() as stack:
        serving = serve(make_app(seat, **means), state)
        _ = await stack.enter_async_context(serving)
        if entrance is not None:
            guard = entrance.guard
            listening = serve_http(
                make_app(seat, guard=guard, **means),
                entrance.bound,
                state,
                guard=guard,
                certificate=entrance.certificate,
            )
            url = await stack.enter_async_context(listening)
            say(entrance.welcome(url))
        yield


async def _led(session: Session, operator: Operator, ending: Ending) -> int:
    """Show what an operator does until the end; read its file again meanwhile."""
    reloading = session.reloading(operator)
    async with (
        reloaded(reloading, ending.again, watch=session.watch),
        told_what_was_found(operator, session.telling.say),
    ):
        return await _watched(operator, session, ending.end)


async def _watched(operator: Operator, session: Session, end: asyncio.Event) -> int:
    """Show the fleet until the end, or until the operator had to give up."""
    ended = asyncio.ensure_future(operator.ended())
    ended.add_done_callback(lambda _: end.set())
    code = 0
    failure: Failed | OSError | None = None
    try:
        code = await session.show(operator, end)
    except (Failed, OSError) as error:  # OSError: nobody reads what is shown
        failure = error
    if ended.done():
        fatal = ended.result()
        if fatal is not None:
            raise failed(fatal)
    ended.cancel()
    if session.stop_on_exit:
        stopped = await settled(operator.down(by="up"))
        if isinstance(stopped, ContainerError):
            raise failed(stopped)
    if failure is not None:
        raise failure
    return code
