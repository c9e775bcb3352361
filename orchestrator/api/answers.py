"""What the API answers where the library has no class of its own for it."""

from __future__ import annotations

from typing import Literal

import attrs

from orchestrator.core.commands import Command
from orchestrator.core.events import Event
from orchestrator.core.explain import ContainerInfo
from orchestrator.core.fields import Json
from orchestrator.core.moments import Millis, Moment
from orchestrator.core.table import Table
from orchestrator.runtime.leadership import Role

__all__ = (
    "Absent",
    "Applied",
    "Change",
    "FleetFacts",
    "Health",
    "Leader",
    "Readiness",
    "StepTold",
    "Touched",
    "Version",
)


@attrs.frozen(kw_only=True)
class FleetFacts:
    """The fleet as a whole, now.

    ``at`` is the operator's clock; ``can_write`` says whether the caller may change
    anything, which nobody may of a standby; ``journal_error`` why nothing can be
    written down at present, if so. ``role`` is what the operator is to the fleet,
    ``leader`` the name of whoever leads since ``leader_since``, where it has a lease.
    """

    name: str
    version: str
    revision: int
    epoch: int
    rules: int
    schema: int
    seq: int
    at: Moment
    containers: int
    ready: int
    phases: Table[str, int]
    observed: bool
    observed_at: Moment | None
    strangers: tuple[str, ...]
    hook_failures: int
    violations: int
    can_write: bool
    journal_error: str | None
    role: Role
    leader: str | None
    leader_since: Moment | None


@attrs.frozen(kw_only=True)
class Health:
    """Whether the operator is alive, and turns: it has not hung for a minute."""

    status: Literal["ok", "ended", "hangs"]


@attrs.frozen(kw_only=True)
class Readiness:
    """Whether the operator looks after its fleet; ``missing`` is what it waits for.

    A ``standby`` does not: another one leads.
    """

    status: Literal["ready", "not_ready", "standby"]
    missing: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class Absent:
    """What became of the runs while nobody led, in numbers and in a sentence.

    ``led_until`` is the last row before, ``led_again_at`` when somebody led again,
    ``caught_up_at`` when the platform had been looked at. Runs that ended are counted
    by what their policies make of it; ``going_on`` are still there, ``unseen`` may be,
    and ``strangers`` were begun by nobody here.
    """

    told: str
    led_until: Moment
    led_again_at: Moment
    caught_up_at: Moment
    crashes: int
    clean: int
    lost: int
    stopped: int
    asleep: int
    going_on: int
    unseen: int
    strangers: int


@attrs.frozen(kw_only=True)
class Leader:
    """Who leads the fleet, as the operator that was asked knows it.

    ``role`` is what that operator is. ``leader`` names the process that leads, None
    where nobody does, or where it claims no lease; ``since`` is when it took over.
    ``expires_in_ms``: so long its lease runs yet, of ``lease_ms``, unless it is
    renewed. ``lag_rows`` are rows that a standby knows of and has not read;
    ``takeovers`` counts how often this process came to lead; ``absence`` is what it
    found then, None where nobody had led before, or that is not known yet.
    """

    role: Role
    epoch: int
    leader: str | None
    since: Moment | None
    lease_ms: Millis | None
    expires_in_ms: Millis | None
    lag_rows: int
    takeovers: int
    absence: Absent | None


@attrs.frozen(kw_only=True)
class Version:
    """Which release answers; ``api`` is the number in the paths."""

    version: str
    schema: int
    rules: int
    api: int


@attrs.frozen(kw_only=True)
class Applied:
    """What is declared now has this revision."""

    revision: int


@attrs.frozen(kw_only=True)
class Change:
    """A field of a container's record, before a row and after it."""

    before: Json
    after: Json


@attrs.frozen(kw_only=True)
class Touched:
    """A container before a row and after it; None where it is not in the fleet."""

    before: ContainerInfo | None
    after: ContainerInfo | None


@attrs.frozen(kw_only=True)
class StepTold:
    """One row explained: what happened, what was decided, what it changed.

    ``changes`` are the fields of each container's record that are new; ``why`` is the
    sentence of the rule that put a container where it is.
    """

    seq: int
    at: Moment
    event: Event
    commands: tuple[Command, ...]
    changes: Table[str, Table[str, Change]]
    containers: Table[str, Touched]
    why: Table[str, str]
