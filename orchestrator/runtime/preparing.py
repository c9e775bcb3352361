"""What must hold before an operator works: the journal read, the fleet taken over.

```
read ──▶ attach (an epoch, and the lease if one is claimed) ──▶ read on to the end
         no older operator can append any more ──────────────▶ save, where rules changed
```

The lease is renewed from the attach on, for reading on may take longer than it lasts.
Where it goes all the same, the take-over is given up; where that is, the lease.

A journal that several operators have is written only under the epoch that was granted;
what an older one has written before that is read before anything is decided.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final, NotRequired, TypedDict

import attrs
from returns.result import Failure

from orchestrator.codec.journal_choice import SNAPSHOT_EVERY, SNAPSHOT_EVERY_MAX
from orchestrator.codec.problems import invalid
from orchestrator.core.admit import admit
from orchestrator.core.custom import NO_POLICIES, CustomPolicies
from orchestrator.core.errors import (
    ContainerError,
    InvalidSpec,
    JournalCompacted,
    Problem,
)
from orchestrator.core.fleet_specs import FleetSpec
from orchestrator.core.reduce import reduce
from orchestrator.core.requests import Apply
from orchestrator.core.state import Fleet
from orchestrator.journal.fenced import Fenced
from orchestrator.journal.port import Journal
from orchestrator.platforms.leases import Claim, LeasingPlatform
from orchestrator.platforms.port import Attachment, Platform
from orchestrator.runtime.clock import Clock
from orchestrator.runtime.environment import EnvVars
from orchestrator.runtime.interpreter import Limits
from orchestrator.runtime.leading import Leading, Term
from orchestrator.runtime.outcomes import settled
from orchestrator.runtime.recovery import Recovered, caught_up, recover, saved
from orchestrator.runtime.retention import Keep, not_compactable
from orchestrator.runtime.secrets import Secrets
from orchestrator.runtime.telemetry import Telemetry

__all__ = (
    "Means",
    "Prepared",
    "applying",
    "let_go",
    "prepare",
    "read_journal",
    "take_over",
)

LOG: Final = logging.getLogger("orchestrator.boot")


class Means(TypedDict):
    """What an operator works with; only platform and journal must be given.

    ``secrets`` is the operator's own environment by default; ``hooks`` an object with
    any of ``on_start``, ``on_stop``, ``on_error``; ``policies`` are the custom restart
    policies that specs may name (``core.custom.registered``); ``snapshot_every``: after
    so many rows the fleet is saved beside them (1 to 1,000,000, by default 10,000);
    ``keep`` says how much of the journal is kept, all of it by default; ``telemetry``
    counts what happens; ``lease`` is what the operator claims of a platform that grants
    leases: nobody else takes over while it renews it.
    """

    platform: Platform
    journal: Journal
    env_vars: NotRequired[EnvVars | None]
    secrets: NotRequired[Secrets | None]
    hooks: NotRequired[object | None]
    limits: NotRequired[Limits]
    policies: NotRequired[CustomPolicies]
    snapshot_every: NotRequired[int]
    keep: NotRequired[Keep | None]
    telemetry: NotRequired[Telemetry]
    lease: NotRequired[Claim | None]


@attrs.frozen(kw_only=True)
class Prepared:
    """A fleet that was taken over, and nothing of it decided yet.

    ``is_declared``: the fleet that is to be declared is so already. ``leading`` renews
    the lease; None where none was claimed.
    """

    recovered: Recovered
    attachment: Attachment
    is_declared: bool
    leading: Leading | None = None

    async def give_back(self) -> None:
        """Have nobody wait for an operator that does not come to work."""
        if self.leading is not None:
            await self.leading.close()


async def let_go(journal: Journal, platform: Platform) -> None:
    """Close a journal, and let go of a platform."""
    closed = await settled(journal.close())
    if closed is not None:
        LOG.warning("the journal did not close: %s", closed.message)
    await platform.detach()


async def prepare(fleet: FleetSpec, means: Means) -> Prepared | ContainerError:
    """Read the journal, and take the fleet over."""
    recovered = await read_journal(fleet, means)
    if not isinstance(recovered, Recovered):
        return recovered
    return await take_over(fleet, means, recovered)


async def read_journal(fleet: FleetSpec, means: Means) -> Recovered | ContainerError:
    """Return what the journal holds; what is wrong with the means is said first."""
    journal, policies = means["journal"], means.get("policies", NO_POLICIES)
    wrong = _out_of_bounds(means.get("snapshot_every", SNAPSHOT_EVERY))
    wrong = wrong or not_compactable(journal, means.get("keep")) or _no_leases(means)
    if wrong is not None:
        return wrong
    is_alone = not _is_shared(means)
    recovered = await settled(recover(journal, fleet.name, policies, save=is_alone))
    if not isinstance(recovered, Recovered):
        return recovered
    if recovered.fleet.name != fleet.name:
        problem = Problem(
            place="fleet.name",
            expected=f"{recovered.fleet.name!r}, whose journal this is",
            found=repr(fleet.name),
            hint="another fleet needs a state folder of its own",
        )
        return InvalidSpec(problems=(problem,))
    return recovered


async def take_over(
    fleet: FleetSpec, means: Means, known: Recovered
) -> Prepared | ContainerError:
    """Attach to the platform, and read on what was written until then.

    The lease is let go of where that does not come about, or is cancelled.
    """
    asked_at = asyncio.get_running_loop().time()
    attachment = await _attached(means, known.fleet.epoch)
    if not isinstance(attachment, Attachment):
        return attachment
    preparing = _prepared(fleet, means, known, attachment)
    platform, claim = means["platform"], means.get("lease")
    if claim is None or not isinstance(platform, LeasingPlatform):
        return await preparing
    since = Clock(not_before=known.fleet.at).now()
    term = Term(epoch=attachment.epoch, claim=claim, asked_at=asked_at, since=since)
    leading = Leading(platform, term)
    leading.start()
    prepared: Prepared | ContainerError | None = None
    try:
        prepared = await leading.during(preparing)
    finally:
        if not isinstance(prepared, Prepared):
            await leading.close()
    if not isinstance(prepared, Prepared):
        return prepared
    return attrs.evolve(prepared, leading=leading)


async def _prepared(
    fleet: FleetSpec, means: Means, known: Recovered, granted: Attachment
) -> Prepared | ContainerError:
    policies = means.get("policies", NO_POLICIES)
    recovered = await _read_on(fleet, means, known, granted)
    if not isinstance(recovered, Recovered):
        return recovered
    return Prepared(
        recovered=recovered,
        attachment=granted,
        is_declared=await asyncio.to_thread(
            _is_declared, recovered.fleet, fleet, policies
        ),
    )


async def _attached(means: Means, after: int) -> Attachment | ContainerError:
    platform, claim = means["platform"], means.get("lease")
    if claim is not None and isinstance(platform, LeasingPlatform):
        granted: Attachment | ContainerError = await settled(
            platform.attach_as(after, claim)
        )
        return granted
    return await settled(platform.attach(after))


async def _read_on(
    fleet: FleetSpec, means: Means, known: Recovered, granted: Attachment
) -> Recovered | ContainerError:
    """Return what a shared journal holds, now that nobody else can write to it."""
    journal, policies = means["journal"], means.get("policies", NO_POLICIES)
    if not _is_shared(means):
        return known
    if isinstance(journal, Fenced):
        journal.lead(granted.epoch)
    latest = await settled(caught_up(journal, known, policies))
    if isinstance(latest, JournalCompacted):
        latest = await settled(recover(journal, fleet.name, policies, save=False))
    if not isinstance(latest, Recovered):
        return latest
    return await settled(saved(journal, latest))


def _is_shared(means: Means) -> bool:
    return means.get("lease") is not None or isinstance(means["journal"], Fenced)


def _no_leases(means: Means) -> InvalidSpec | None:
    platform = means["platform"]
    if means.get("lease") is None or isinstance(platform, LeasingPlatform):
        return None
    return invalid("lease", "a platform that grants leases", type(platform).__name__)


def _out_of_bounds(snapshot_every: int) -> InvalidSpec | None:
    if type(snapshot_every) is int and 1 <= snapshot_every <= SNAPSHOT_EVERY_MAX:
        return None
    expected = f"a number of rows from 1 to {SNAPSHOT_EVERY_MAX}"
    return invalid("snapshot_every", expected, snapshot_every)


def applying(fleet: FleetSpec) -> Apply:
    """Return the request that makes *fleet* the declared one, as a file does."""
    return Apply(spec=fleet, by="fleet file", keep_scale=True)


def _is_declared(known: Fleet, fleet: FleetSpec, policies: CustomPolicies) -> bool:
    """Say whether an apply would change nothing: the core is asked, on a copy."""
    if not known.revision:
        return False  # nothing was ever declared
    event = admit(known, applying(fleet), known.at, policies)
    if isinstance(event, Failure):
        return False  # whoever asks is told why
    after = reduce(known, event.unwrap(), policies).fleet
    return after.revision == known.revision
