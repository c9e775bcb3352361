"""An operator in the foreground: opened, served, shown, ended in order."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, assert_never

import attrs
import click
from returns.result import Failure

from orchestrator.api.app import make_app
from orchestrator.api.listen import serve_http
from orchestrator.api.places import HTTP_AT, JOURNAL, LOCAL
from orchestrator.api.socket import serve
from orchestrator.cli.failing import failed
from orchestrator.cli.listening import Entrance, entrance_of
from orchestrator.cli.named import named_object, policies_of
from orchestrator.cli.reloading import Reloading, on_hang_up, reloaded
from orchestrator.cli.state import Kept, keep
from orchestrator.cli.telling import Telling
from orchestrator.cli.tools import parsed_file, version_text
from orchestrator.codec.api_choice import ApiChoice
from orchestrator.codec.fleet_file import FleetFile
from orchestrator.codec.journal_choice import JournalChoice
from orchestrator.codec.platform_choices import (
    CloudflareChoice,
    LocalChoice,
    PlatformChoice,
    SimulatedChoice,
)
from orchestrator.core.errors import ContainerError
from orchestrator.core.fleet_specs import FleetSpec
from orchestrator.journal.sqlite import open_sqlite
from orchestrator.platforms.local.platform import LocalPlatform
from orchestrator.platforms.port import Platform
from orchestrator.platforms.simulated.platform import SimulatedPlatform
from orchestrator.runtime.boot import Means
from orchestrator.runtime.operator import Operator
from orchestrator.runtime.outcomes import settled
from orchestrator.runtime.retention import Keep
from orchestrator.runtime.secrets import (
    EnvironmentSecrets,
    FileSecrets,
    Secrets,
    read_secrets,
)

__all__ = (
    "Session",
    "open_operator",
    "policies_of",
    "run_session",
    "secrets_of",
)


def platform_of(
    choice: PlatformChoice, state: Path, fleet: str, secrets: Secrets | None
) -> Platform:
    """Return the platform that a fleet file asks for."""
    match choice:
        case LocalChoice(log_max_bytes=log_max_bytes):
            return LocalPlatform(state / LOCAL, log_max_bytes=log_max_bytes)
        case SimulatedChoice(seed=seed):
            return SimulatedPlatform(seed=seed)
        case CloudflareChoice():
            return _cloudflare(choice, fleet, secrets or EnvironmentSecrets())
        case _:
            assert_never(choice)


def _cloudflare(choice: CloudflareChoice, fleet: str, secrets: Secrets) -> Platform:
    """Return Cloudflare: loaded only here, for it brings a client of HTTP."""
    module = importlib.import_module("orchestrator.platforms.cloudflare.gateway")
    platform: Platform = module.CloudflarePlatform(choice, fleet, secrets)
    return platform


def secrets_of(path: Path | None) -> Secrets | None:
    """Return the secrets of a file, which must be readable now; None: environment."""
    if path is None:
        return None
    read = read_secrets(path)
    if isinstance(read, Failure):
        raise failed(read.failure())
    return FileSecrets(path)


async def open_operator(
    state: Path,
    spec: FleetSpec,
    choice: PlatformChoice,
    **more: Any,
) -> Operator:
    """Open the operator of a state folder, or fail as the command does."""
    journal = await settled(open_sqlite(state / JOURNAL))
    if isinstance(journal, ContainerError):
        raise failed(journal)
    platform = platform_of(choice, state, spec.name, more.get("secrets"))
    means: Means = {"platform": platform, "journal": journal, **more}  # type: ignore[typeddict-item]
    operator = await settled(Operator.start(spec, **means))
    if isinstance(operator, ContainerError):
        raise failed(operator)
    return operator


def _keep(choice: JournalChoice, state: Path) -> Keep | None:
    """Return how much of the journal is kept, and where the rest goes to."""
    if choice.keep_ms is None and choice.keep_rows is None:
        return None
    archive = state / JOURNAL if choice.archive else None
    return Keep(rows=choice.keep_rows, ms=choice.keep_ms, archive=archive)


@attrs.frozen(kw_only=True)
class Session:
    """What to run, and what to do while it runs.

    ``show`` is given the operator and the event that ends the session;
    ``snapshot_every``, ``listen`` and ``read_only`` are in place of what the file says.
    ``path`` is where the file is, for it to be read again on SIGHUP, and with ``watch``
    when it is not ``content`` any more; None: there is none.
    """

    state: Path
    file: FleetFile
    folder: Path
    secrets: Secrets | None
    show: Callable[[Operator, asyncio.Event], Awaitable[int]]
    stop_on_exit: bool = False
    snapshot_every: int | None = None
    listen: str | None = None
    read_only: bool = False
    telling: Telling = Telling()
    path: Path | None = None
    content: bytes | None = None
    watch: bool = False

    def reloading(self, operator: Operator) -> Reloading | None:
        """Return what reads the file again for an operator, if there is one."""
        if self.path is None:
            return None
        return Reloading(
            operator=operator,
            path=self.path,
            opened=self.file,
            read=parsed_file,
            say=self.telling.say,
            content=self.content,
        )

    def api(self) -> ApiChoice:
        """Return what is served over HTTP."""
        said = self.file.api
        return attrs.evolve(
            said,
            listen=self.listen or said.listen,
            read_only=self.read_only or said.read_only,
        )


async def run_session(session: Session) -> int:
    """Run an operator until it is ended; return the exit code."""
    file = session.file
    env_vars = named_object(file.env_vars, session.folder, "fleet.env_vars")
    hooks = named_object(file.hooks, session.folder, "fleet.hooks")
    policies = policies_of(file, session.folder)
    end, again = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, end.set)
    if session.path is not None:
        on_hang_up(end.set, again.set)
    entrance = entrance_of(session.api(), session.state)
    with contextlib.ExitStack() as stack:
        if entrance is not None:
            stack.callback(entrance.bound.close)
        operator = await open_operator(
            session.state,
            file.spec,
            file.platform,
            env_vars=env_vars,
            hooks=hooks,
            policies=policies,
            secrets=session.secrets,
            snapshot_every=session.snapshot_every or file.journal.snapshot_every,
            keep=_keep(file.journal, session.state),
            telemetry=session.telling.telemetry(
                session.state / JOURNAL, file.api.metrics_max_names
            ),
        )
        _ = stack.pop_all()
    policies_at = (file.policies, str(session.folder)) if file.policies else None
    keep(session.state, Kept(file.spec.name, file.platform, policies_at))
    went_down: list[bool] = []

    def down() -> None:
        went_down.append(True)
        end.set()

    try:
        serving = _served(operator, session.state, entrance, down, session.telling.say)
        reloading = session.reloading(operator)
        async with serving, reloaded(reloading, again, watch=session.watch):
            code = await _watched(operator, session, end)
    finally:
        await operator.close()
    if not went_down and not session.stop_on_exit:
        _say_goodbye(operator, session.state)
    return code


@contextlib.asynccontextmanager
async def _served(
    operator: Operator,
    state: Path,
    entrance: Entrance | None,
    down: Callable[[], None],
    say: Callable[[str], None],
) -> AsyncIterator[None]:
    """Serve an operator for a block: on its Unix socket, and at its entrance.

    What an operator before has left of its address is gone by then.
    """
    (state / HTTP_AT).unlink(missing_ok=True)
    means: dict[str, Any] = {
        "version": version_text(),
        "end": down,
        "telemetry": operator.telemetry,
    }
    async with contextlib.AsyncExitStack() as stack:
        serving = serve(make_app(operator, **means), state)
        _ = await stack.enter_async_context(serving)
        if entrance is not None:
            guard = entrance.guard
            listening = serve_http(
                make_app(operator, guard=guard, **means),
                entrance.bound,
                state,
                guard=guard,
                certificate=entrance.certificate,
            )
            url = await stack.enter_async_context(listening)
            say(entrance.welcome(url))
        yield


async def _watched(operator: Operator, session: Session, end: asyncio.Event) -> int:
    """Show the fleet until the end, or until the operator had to give up."""
    ended = asyncio.ensure_future(operator.ended())
    ended.add_done_callback(lambda _: end.set())
    code = await session.show(operator, end)
    if ended.done():
        error = ended.result()
        if error is not None:
            raise failed(error)
    ended.cancel()
    if session.stop_on_exit:
        stopped = await settled(operator.down(by="up"))
        if isinstance(stopped, ContainerError):
            raise failed(stopped)
    return code


def _say_goodbye(operator: Operator, state: Path) -> None:
    alive = sum(
        info.phase in {"running", "starting", "stopping", "unknown"}
        for info in operator.infos()
    )
    if alive:
        click.echo(
            f"the operator has ended, {alive} containers go on:"
            f" `orchestrator down --state {state}` stops them"
        )
    else:
        click.echo("the operator has ended, no container runs")
