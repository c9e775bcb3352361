"""Opening a journal that is behind the gateway of a fleet, for an embedding program.

It joins what knows the way there, a platform, with what reads and writes a journal.
"""

from __future__ import annotations

from collections.abc import Mapping

from returns.future import FutureResult
from returns.result import Failure, Result, Success

from orchestrator.codec.platform_choices import CloudflareChoice
from orchestrator.core.errors import JournalError, PlatformError
from orchestrator.journal.durable.adapter import DurableJournal
from orchestrator.platforms.cloudflare.journal_wire import wire_to
from orchestrator.runtime.outcomes import settled
from orchestrator.runtime.secrets import EnvironmentSecrets

__all__ = ("open_durable",)


def open_durable(
    choice: CloudflareChoice, fleet: str, secrets: Mapping[str, str] | None = None
) -> FutureResult[DurableJournal, JournalError | PlatformError]:
    """Open the journal of *fleet* behind the gateway that *choice* names.

    It is asked once, so that what is in the way is told. *secrets* hold the gateway's
    token; None: the environment does. An operator claims a lease on such a journal.
    """
    known = EnvironmentSecrets() if secrets is None else secrets
    return FutureResult(_opened(choice, fleet, known))


async def _opened(
    choice: CloudflareChoice, fleet: str, secrets: Mapping[str, str]
) -> Result[DurableJournal, JournalError | PlatformError]:
    wire = wire_to(choice, fleet, secrets)
    if isinstance(wire, Failure):
        return Failure(wire.failure())
    journal = DurableJournal(wire.unwrap())
    state = await settled(journal.state())
    if isinstance(state, JournalError):
        _ = await settled(journal.close())
        return Failure(state)
    return Success(journal)
