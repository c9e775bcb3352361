"""What the API answers where the library has no class of its own for it."""

from __future__ import annotations

from typing import Literal

import attrs

from orchestrator.core.commands import Command
from orchestrator.core.events import Event
from orchestrator.core.explain import ContainerInfo
from orchestrator.core.fields import Json
from orchestrator.core.moments import Moment
from orchestrator.core.table import Table

__all__ = (
    "Applied",
    "Change",
    "FleetFacts",
    "Health",
    "Readiness",
    "StepTold",
    "Touched",
    "Version",
)


@attrs.frozen(kw_only=True)
class FleetFacts:
    """The fleet as a whole, now.

    ``at`` is the operator's clock; ``can_write`` says whether the caller may change
    anything; ``journal_error`` why nothing can be written down at present, if so.
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


@attrs.frozen(kw_only=True)
class Health:
    """Whether the operator is alive, and turns: it has not hung for a minute."""

    status: Literal["ok", "ended", "hangs"]


@attrs.frozen(kw_only=True)
class Readiness:
    """Whether the operator looks after its fleet; ``missing`` is what it waits for."""

    status: Literal["ready", "not_ready"]
    missing: tuple[str, ...] = ()


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
