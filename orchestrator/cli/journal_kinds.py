"""Which journal is meant: a file of this machine, or one behind a fleet's gateway.

A fleet file says which, and so does the state folder that ``up`` has left; a database
or an export is itself. What speaks to a gateway is loaded only where one is meant.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import attrs
import click
from returns.result import Failure

from orchestrator.api.places import JOURNAL
from orchestrator.cli.failing import Failed, failed
from orchestrator.cli.state import kept, states
from orchestrator.cli.tools import parsed_file
from orchestrator.codec.fleet_file import FleetFile
from orchestrator.codec.journal_choice import JournalKind
from orchestrator.codec.platform_choices import CloudflareChoice, PlatformChoice
from orchestrator.core.errors import ContainerError, LeaseHeld, Unauthorized
from orchestrator.journal.durable.adapter import DurableJournal
from orchestrator.journal.durable.source import Waiting
from orchestrator.journal.durable.wire import Wire
from orchestrator.journal.port import START, Head, Journal
from orchestrator.journal.sqlite import open_sqlite
from orchestrator.runtime.outcomes import settled
from orchestrator.runtime.secrets import (
    EnvironmentSecrets,
    FileSecrets,
    Secrets,
    read_secrets,
)

__all__ = (
    "Far",
    "epoch_to_write",
    "expect_gateway",
    "far_in_file",
    "far_in_folder",
    "journal_of",
    "journal_to_read",
    "meant",
    "secrets_of",
    "token_option",
    "waiting_for",
)

F = TypeVar("F", bound=Callable[..., Any])

REFUSED: Final = 6
_VERSION: Final = re.compile(r"(\d{1,6})\.(\d{1,6})\.(\d{1,6})")
FLEET_FILE: Final = ".toml"

_META: Final = "orchestrator.cli.journal_kinds.secrets"
"""Where a command keeps which file of secrets it was given."""


@attrs.frozen(kw_only=True)
class Far:
    """A journal behind a gateway; ``named_in`` is the file or the folder that says so.

    ``secrets``: the file with the token, where the operator was given one.
    """

    fleet: str
    platform: CloudflareChoice
    named_in: Path
    secrets: Path | None = None


def token_option(function: F) -> F:
    """Add ``--secrets`` to a command that reads a journal."""

    def remember(
        ctx: click.Context, _: click.Parameter, value: Path | None
    ) -> Path | None:
        ctx.meta[_META] = value
        return value

    return click.option(
        "--secrets",
        type=click.Path(path_type=Path, dir_okay=False),
        expose_value=False,
        callback=remember,
        help="Holds the token of a gateway, KEY=value, mode 0600; else the environment"
        " does.",
    )(function)


def secrets_of(path: Path | None) -> Secrets | None:
    """Return the secrets of a file, which must be readable now; None: environment."""
    if path is None:
        return None
    read = read_secrets(path)
    if isinstance(read, Failure):
        raise failed(read.failure())
    return FileSecrets(path)


def meant(place: Path) -> Path | Far:
    """Return the journal that is meant by a path: a file, or one behind a gateway."""
    if place.is_dir():
        return far_in_folder(place) or place / JOURNAL
    if place.suffix != FLEET_FILE:
        return place
    file = parsed_file(place)
    return far_in_file(file, place) or states() / file.spec.name / JOURNAL


def far_in_file(file: FleetFile, place: Path) -> Far | None:
    """Return the journal behind a gateway that a fleet file has, if it has one."""
    platform = file.platform
    is_near = file.journal.kind is JournalKind.SQLITE
    if is_near or not isinstance(platform, CloudflareChoice):
        return None
    return Far(fleet=file.spec.name, platform=platform, named_in=place)


def far_in_folder(folder: Path) -> Far | None:
    """Return the journal behind a gateway that ``up`` has used with a state folder."""
    try:
        left = kept(folder)
    except Failed:  # a folder that holds a journal, and was left by no operator
        return None
    platform = left.platform
    is_near = left.journal is JournalKind.SQLITE
    if is_near or not isinstance(platform, CloudflareChoice):
        return None
    secrets = None if left.secrets is None else Path(left.secrets)
    return Far(fleet=left.name, platform=platform, named_in=folder, secrets=secrets)


def _wire(platform: CloudflareChoice, fleet: str, secrets: Secrets | None) -> Wire:
    """Return the way to a gateway; fail where there is none, or no token."""
    module = importlib.import_module("orchestrator.platforms.cloudflare.journal_wire")
    known = EnvironmentSecrets() if secrets is None else secrets
    held_by = str(known.path) if isinstance(known, FileSecrets) else "the environment"
    found = module.wire_to(platform, fleet, known, held_by=held_by)
    if isinstance(found, Failure):
        error = found.failure()
        if isinstance(error, Unauthorized):
            more = "; --secrets FILE names another place" if _may_be_given() else ""
            error = attrs.evolve(error, cause=f"{error.cause} in {held_by}{more}")
        raise failed(error)
    wire: Wire = found.unwrap()
    return wire


def _may_be_given() -> bool:
    """Say whether the command takes ``--secrets`` of ``token_option``."""
    ctx = click.get_current_context(silent=True)
    return ctx is not None and _META in ctx.meta


def waiting_for(far: Far) -> Waiting:
    """Return a journal that a tool waits for, with the token that it was given."""
    return Waiting(_wire(far.platform, far.fleet, _given(far)))


def _given(far: Far) -> Secrets | None:
    """Return the secrets of the command, or those of the operator before it."""
    ctx = click.get_current_context(silent=True)
    given: Path | None = None if ctx is None else ctx.meta.get(_META)
    if given is None and far.secrets is not None and far.secrets.exists():
        given = far.secrets
    return secrets_of(given)


def epoch_to_write(waiting: Waiting) -> int:
    """Return the newest epoch, where no operator holds a lease; fail where one does.

    Nobody is replaced by who writes under it: an operator that comes meanwhile is the
    newest, and what is written here is refused from then on.
    """
    found = waiting.done(waiting.archive.leader())
    if isinstance(found, Failure):
        raise failed(found.failure())
    leader = found.unwrap()
    if leader.holder is not None:
        raise failed(
            LeaseHeld(
                holder=leader.holder,
                since=leader.since,
                expires_in_ms=leader.expires_in_ms,
            )
        )
    return leader.epoch


def expect_gateway(waiting: Waiting, far: Far, since: str, command: str) -> None:
    """Fail where a gateway is older than what a command needs."""
    access = importlib.import_module("orchestrator.platforms.cloudflare.access")
    secrets = _given(far)
    known = EnvironmentSecrets() if secrets is None else secrets
    told = waiting.done(access.ask_about(far.platform, known))
    if isinstance(told, ContainerError):
        raise failed(told)
    found = told.get("gateway")
    if _version(found) < _version(since):
        shown = f"this gateway is {found}" if _version(found) else "this gateway is old"
        how = "write it again with `orchestrator gateway init` and deploy it"
        raise Failed(f"{shown}: `{command}` needs {since}; {how}", REFUSED)


def _version(told: object) -> tuple[int, ...]:
    """Read a version; nothing, which is older than any, where it is none."""
    found = _VERSION.fullmatch(told) if isinstance(told, str) else None
    return () if found is None else tuple(map(int, found.groups()))


# For operators


async def journal_of(
    kind: JournalKind,
    state: Path,
    fleet: str,
    platform: PlatformChoice,
    secrets: Secrets | None,
    *,
    is_known: bool = False,
) -> Journal:
    """Open the journal of an operator for writing, or fail as the command does.

    One that *is_known* was open before: a far one is not even asked.
    """
    if kind is JournalKind.SQLITE or not isinstance(platform, CloudflareChoice):
        journal: Journal | ContainerError = await settled(open_sqlite(state / JOURNAL))
        if isinstance(journal, ContainerError):
            raise failed(journal)
        return journal
    far = DurableJournal(_wire(platform, fleet, secrets))
    if is_known:
        return far
    try:
        await _expect_moved(far, state)
    except BaseException:
        _ = await settled(far.close())
        raise
    return far


async def _expect_moved(journal: Journal, state: Path) -> None:
    """Refuse to begin a new journal where the fleet has one in its state folder."""
    head = await settled(journal.head())
    if not isinstance(head, Head):
        raise failed(head)
    if head == START and (state / JOURNAL).exists():
        said = (
            f"the fleet has a journal in {state / JOURNAL}, and none behind its gateway"
        )
        how = "`orchestrator journal import` moves it; or put it elsewhere"
        raise Failed(f"{said}: {how}", REFUSED)


async def journal_to_read(state: Path, far: Far | None) -> Journal:
    """Open a journal where no operator runs, in a state folder or *far*; only to read.

    Nothing is changed.
    """
    if far is not None:
        return DurableJournal(_wire(far.platform, far.fleet, _given(far)))
    journal: Journal | ContainerError = await settled(
        open_sqlite(state / JOURNAL, read_only=True)
    )
    if isinstance(journal, ContainerError):
        raise failed(journal)
    return journal
