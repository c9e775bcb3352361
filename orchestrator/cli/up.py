"""``up``: an operator in the foreground.  ``down``: everything ended."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import click

from orchestrator.cli.asks import duration_option
from orchestrator.cli.client import Client, NoOperator
from orchestrator.cli.failing import Failed, failed
from orchestrator.cli.journal_kinds import secrets_of
from orchestrator.cli.listening import listen_options
from orchestrator.cli.live import show_lines, show_until
from orchestrator.cli.named import IN_FILE, policies_named
from orchestrator.cli.opening import claim_of, open_operator
from orchestrator.cli.plain import cleaned
from orchestrator.cli.reach import Reach, reach_options
from orchestrator.cli.reloading import content_of
from orchestrator.cli.rollout_following import BACK
from orchestrator.cli.rollout_words import line_of
from orchestrator.cli.running import run_session
from orchestrator.cli.session import Session
from orchestrator.cli.state import kept, state_option, states
from orchestrator.cli.telling import Telling, telling_options
from orchestrator.cli.tools import read_file
from orchestrator.codec.journal_choice import SNAPSHOT_EVERY_MAX, JournalKind
from orchestrator.codec.wire import tree_of
from orchestrator.core.errors import ContainerError
from orchestrator.core.fleet_specs import FleetSpec
from orchestrator.core.lineages import RolloutStatus
from orchestrator.core.moments import Moment
from orchestrator.runtime.operator import Operator
from orchestrator.runtime.outcomes import settled
from orchestrator.runtime.secrets import Secrets

__all__ = ("down", "up")

FAILED = 4

SUPERVISED = "ORCHESTRATOR_SUPERVISED"
"""Is 1 where a supervisor starts ``up`` again whenever it has not ended with 0."""

NAMES_MAX = 6
"""Orphans that are named on a line."""


secrets_option = click.option(
    "--secrets",
    type=click.Path(path_type=Path, dir_okay=False),
    help="KEY=value lines, mode 0600; otherwise the environment is looked into.",
)


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@secrets_option
@click.option("--once", is_flag=True, help="Converge, then leave; containers go on.")
@click.option("--stop-on-exit", is_flag=True, help="Stop the containers at the end.")
@click.option("--watch", is_flag=True, help="Read FILE again when it has changed.")
@click.option("--standby", is_flag=True, help="Wait to lead while another one does.")
@duration_option("5m")
@click.option(
    "--snapshot-every",
    type=click.IntRange(1, SNAPSHOT_EVERY_MAX),
    metavar="ROWS",
    help="In place of the file's: after so many rows the fleet is saved beside them.",
)
@listen_options
@telling_options
@click.option("-v", "--verbose", is_flag=True, help="Log at level info.")
@state_option
def up(  # noqa: PLR0913 - one for each option
    file: Path,
    secrets: Path | None,
    timeout: int,
    snapshot_every: int | None,
    listen: str | None,
    state: Path | None,
    *,
    telling: Telling,
    once: bool,
    read_only: bool,
    standby: bool,
    stop_on_exit: bool,
    watch: bool,
    verbose: bool,
) -> int:
    """Keep the fleet of FILE running, until Ctrl-C; the containers then go on.

    SIGHUP has FILE read again, as --watch does when it changes; a file that is wrong is
    told, and changes nothing. --timeout says how long --once may take.

    With --standby several may be started for one fleet, whose journal is behind its
    gateway: one leads, the others follow, and one of them takes over when nobody leads.

    Where ORCHESTRATOR_SUPERVISED is 1, exit code 0 says that the fleet was brought
    down, and 143 that SIGTERM ended the operator alone.
    """
    if once and watch:
        raise click.UsageError("--once leaves: it does not go with --watch.")
    if standby and (once or stop_on_exit):
        raise click.UsageError(
            "--standby has others go on: it does not go with --once or --stop-on-exit."
        )
    telling.begin(verbose=verbose)
    content = content_of(file)
    fleet = read_file(file)
    telling.begin(verbose=verbose, fleet=fleet.spec.name)
    if standby and fleet.journal.kind is JournalKind.SQLITE:
        raise Failed(
            f"{file}: --standby needs a journal that others have, too: [journal] kind ="
            ' "durable_object"',
            2,
        )
    session = Session(
        state=state or states() / fleet.spec.name,
        file=fleet,
        folder=file.absolute().parent,
        secrets=secrets_of(secrets),
        show=_converge(timeout) if once else show_until,
        stop_on_exit=stop_on_exit,
        snapshot_every=snapshot_every,
        listen=listen,
        read_only=read_only,
        telling=telling,
        path=file,
        content=content,
        watch=watch,
        standby=standby,
        supervised=os.environ.get(SUPERVISED) == "1",
    )
    return asyncio.run(run_session(session))


def _converge(limit_ms: int) -> Callable[[Operator, asyncio.Event], Awaitable[int]]:
    async def show(operator: Operator, end: asyncio.Event) -> int:
        began = operator.now
        done = asyncio.Event()
        showing = asyncio.ensure_future(show_lines(operator, done))
        converging = asyncio.ensure_future(
            settled(operator.converge(limit_ms=limit_ms))
        )
        ending = asyncio.ensure_future(end.wait())
        await asyncio.wait({converging, ending}, return_when=asyncio.FIRST_COMPLETED)
        done.set()
        await showing
        ending.cancel()
        if not converging.done():
            converging.cancel()
            raise Failed("ended before the fleet had converged", 130)
        infos = converging.result()
        if isinstance(infos, ContainerError):
            raise failed(infos)
        bad = [
            info
            for info in infos
            if info.stuck or info.phase in {"failed", "crash_looping"}
        ]
        for info in bad:
            click.echo(f"{info.name} is {info.phase}: {info.why}", err=True)
        back = await _gone_back(operator, began)
        for line in back:
            click.echo(cleaned(line), err=True)
        if back:
            return BACK
        return FAILED if bad else 0

    return show


async def _gone_back(operator: Operator, began: Moment) -> list[str]:
    """Tell the rollouts that have ended since a moment, and not where they should."""
    infos = await settled(operator.list_rollouts())
    if isinstance(infos, ContainerError):
        raise failed(infos)
    return [
        line_of(tree_of(info))
        for info in infos
        if info.ended_at is not None
        and info.ended_at >= began
        and info.status is not RolloutStatus.DONE
    ]


@click.command()
@secrets_option
@reach_options
def down(secrets: Path | None, reach: Reach) -> None:
    """Stop everything: containers and operator. Orphans are told, and left alone.

    Where no operator runs, the platform's own token is looked for in --secrets.
    """
    client = reach.client()
    try:
        orphans = _orphans(client)
        client.post("down", timeout_s=None)
    except NoOperator:
        folder = reach.folder()
        if folder is None:
            raise
        orphans = asyncio.run(_down_alone(folder, secrets_of(secrets)))
    click.echo("everything is down")
    if orphans:
        click.echo(cleaned(_told_of(orphans)))


def _orphans(client: Client) -> list[str]:
    """Return what the platform has beside the fleet; nobody ends it."""
    try:
        return [str(each["name"]) for each in client.get("orphans")]
    except NoOperator:
        raise
    except Failed:  # an operator of a release that cannot say
        return []


def _told_of(orphans: list[str]) -> str:
    """Say which ones are left.

    >>> _told_of(["web-1", "web-2"])
    '2 orphans are left alone: web-1, web-2'
    >>> _told_of([str(number) for number in range(9)])
    '9 orphans are left alone: 0, 1, 2, 3, 4, 5 and 3 more'

    """
    count, more = len(orphans), len(orphans) - NAMES_MAX
    listed = ", ".join(orphans[:NAMES_MAX]) + (f" and {more} more" * (more > 0))
    what = "1 orphan is" if count == 1 else f"{count} orphans are"
    return f"{what} left alone: {listed}"


async def _down_alone(folder: Path, secrets: Secrets | None) -> list[str]:
    """Take over a fleet without an operator, only to end it; return the orphans."""
    found = kept(folder)
    nothing = FleetSpec(name=found.name)
    reference, home = found.policies or (None, ".")
    operator = await open_operator(
        folder,
        nothing,
        found.platform,
        found.journal,
        secrets=secrets,
        lease=claim_of(found.journal),
        policies=policies_named(reference, Path(home), IN_FILE),
    )
    try:
        ended = await settled(operator.down())
        if isinstance(ended, ContainerError):
            raise failed(ended)
        _ = await settled(operator.reconcile(by="down"))
        return list(operator.fleet.strangers)
    finally:
        await operator.close()
