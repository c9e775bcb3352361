"""What an operator of the command works with: its platform, its journal, its lease.

All of it is what a fleet file says; what is wrong fails as the command does.
"""

from __future__ import annotations

import importlib
import os
import socket
from pathlib import Path
from typing import Any, Final, assert_never

from orchestrator.api.places import JOURNAL, LOCAL
from orchestrator.cli.failing import failed
from orchestrator.cli.journal_kinds import journal_of
from orchestrator.codec.journal_choice import JournalChoice, JournalKind, LeaseChoice
from orchestrator.codec.platform_choices import (
    CloudflareChoice,
    LocalChoice,
    PlatformChoice,
    SimulatedChoice,
)
from orchestrator.core.errors import ContainerError
from orchestrator.core.fleet_specs import FleetSpec
from orchestrator.platforms.leases import Claim
from orchestrator.platforms.local.platform import LocalPlatform
from orchestrator.platforms.port import Platform
from orchestrator.platforms.simulated.platform import SimulatedPlatform
from orchestrator.runtime.operator import Operator
from orchestrator.runtime.outcomes import settled
from orchestrator.runtime.preparing import Means
from orchestrator.runtime.retention import Keep
from orchestrator.runtime.secrets import EnvironmentSecrets, Secrets

__all__ = ("claim_of", "keep_of", "means_of", "open_operator")

HOST_MAX: Final = 100
"""Characters of a host's name in that of a holder: the rest is what tells two apart."""


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


async def means_of(
    state: Path,
    fleet: str,
    choice: PlatformChoice,
    kind: JournalKind = JournalKind.SQLITE,
    *,
    is_known: bool = False,
    **more: Any,
) -> Means:
    """Open what an operator of a state folder works with, or fail as the command does.

    *kind* says where its journal is: in the folder, or behind the gateway. One that
    *is_known* was open before.
    """
    secrets = more.get("secrets")
    journal = await journal_of(kind, state, fleet, choice, secrets, is_known=is_known)
    platform = platform_of(choice, state, fleet, secrets)
    return {"platform": platform, "journal": journal, **more}  # type: ignore[typeddict-item]


async def open_operator(
    state: Path,
    spec: FleetSpec,
    choice: PlatformChoice,
    kind: JournalKind = JournalKind.SQLITE,
    **more: Any,
) -> Operator:
    """Open the operator of a state folder, or fail as the command does."""
    means = await means_of(state, spec.name, choice, kind, **more)
    operator = await settled(Operator.start(spec, **means))
    if isinstance(operator, ContainerError):
        raise failed(operator)
    return operator


def claim_of(kind: JournalKind, lease: LeaseChoice | None = None) -> Claim | None:
    """Return the lease that an operator claims whose journal is of a *kind*.

    Where several can have the journal one always does, so that none takes the fleet
    from another that works; None: the journal is this machine's.
    """
    if kind is JournalKind.SQLITE:
        return None
    lease = lease or LeaseChoice()
    host = "".join(filter(str.isprintable, socket.gethostname()))[:HOST_MAX] or "host"
    return Claim(holder=f"{host}/{os.urandom(4).hex()}", ms=lease.duration_ms)


def keep_of(choice: JournalChoice, state: Path) -> Keep | None:
    """Return how much of the journal is kept, and where the rest goes to."""
    if choice.keep_ms is None and choice.keep_rows is None:
        return None
    archive = state / JOURNAL if choice.archive else None
    return Keep(rows=choice.keep_rows, ms=choice.keep_ms, archive=archive)
