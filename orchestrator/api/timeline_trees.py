"""What a timeline holds as a tree: a class for each kind of entry.

``api.timelines`` says how they are made, and what the names mean.
"""

from __future__ import annotations

import attrs

from orchestrator.core.errors import PlatformError, StartError
from orchestrator.core.exits import Exit
from orchestrator.core.health import CheckKind
from orchestrator.core.lineages import RolloutStatus
from orchestrator.core.moments import Millis, Moment
from orchestrator.core.phases import Rule
from orchestrator.core.table import Table
from orchestrator.replay.timelines.happenings import Fate, What, Wish

__all__ = (
    "BootTree",
    "CourseTree",
    "DecisionTree",
    "FailureTree",
    "HealthTree",
    "LookTree",
    "RequestTree",
    "RolloutTree",
    "RunTree",
    "SpanTree",
    "TimelineTree",
    "TotalsTree",
    "WaitTree",
)


@attrs.frozen(kw_only=True)
class TotalsTree:
    """Sums over the whole timeline; ``availability`` is the share of wanted time."""

    availability: float | None
    wanted_ms: Millis
    ready_ms: Millis
    down_ms: Millis
    starts: int
    restarts: int
    crashes: int
    phase_ms: Table[str, Millis]


@attrs.frozen(kw_only=True)
class SpanTree:
    """A stretch in which a container stayed where it was."""

    row: int | None
    phase: str
    ready: bool
    wanted: bool
    run: int | None
    since_at: Moment
    until_at: Moment | None
    until_row: int | None
    lasted_ms: Millis
    entered_at: Moment
    rule: Rule | None
    because: str | None


@attrs.frozen(kw_only=True)
class WaitTree:
    """A stretch in which a container waited for its next start, or was held."""

    row: int | None
    phase: str
    since_at: Moment
    planned_until_at: Moment | None
    until_at: Moment | None
    until_row: int | None
    waited_ms: Millis
    attempt: int
    waits_for: str | None
    rule: Rule | None
    because: str | None


@attrs.frozen(kw_only=True)
class RunTree:
    """One run, from its start to its end."""

    row: int | None
    run: int
    revision: int
    adopted: bool
    commanded_at: Moment | None
    commands: int
    started_at: Moment | None
    started_seen: bool | None
    ready_at: Moment | None
    ready_seen: bool | None
    ended_at: Moment | None
    ended_row: int | None
    ended_seen: bool | None
    uptime_ms: Millis | None
    fate: Fate | None
    crashed: bool
    exit: Exit | None
    exit_text: str | None
    rule: Rule | None
    because: str | None


@attrs.frozen(kw_only=True)
class DecisionTree:
    """What the operator decided because of an event."""

    row: int
    at: Moment
    event: str
    decided: What
    run: int | None
    until_at: Moment | None
    attempt: int
    waits_for: str | None
    verdict: Exit | None
    verdict_text: str | None
    rule: Rule | None
    because: str | None


@attrs.frozen(kw_only=True)
class RequestTree:
    """What the owner asked for; ``about`` says of what, where no container is."""

    row: int
    at: Moment
    request: Wish
    force: bool
    by: str
    why: str
    about: str


@attrs.frozen(kw_only=True)
class HealthTree:
    """A health check had another verdict."""

    row: int
    at: Moment
    run: int
    check: CheckKind
    passing: bool
    cause: str


@attrs.frozen(kw_only=True)
class FailureTree:
    """A command was not carried out, or the platform lost sight of a run."""

    row: int
    at: Moment
    run: int
    failed: str
    error: PlatformError | StartError | None
    text: str


@attrs.frozen(kw_only=True)
class BootTree:
    """An operator took over."""

    row: int
    at: Moment
    epoch: int
    rules: int


@attrs.frozen(kw_only=True)
class LookTree:
    """A look at the platform was not complete."""

    row: int
    at: Moment
    cause: str


@attrs.frozen(kw_only=True)
class RolloutTree:
    """A rollout of a service began, went on to another step or status, or ended."""

    row: int
    at: Moment
    service: str
    revision: int
    status: RolloutStatus
    goal: int
    until_at: Moment | None
    failures: int
    reason: str


@attrs.frozen(kw_only=True)
class CourseTree:
    """One container's part; ``left_out`` counts what was not kept."""

    name: str
    totals: TotalsTree
    spans: tuple[SpanTree, ...]
    runs: tuple[RunTree, ...]
    waits: tuple[WaitTree, ...]
    decisions: tuple[DecisionTree, ...]
    requests: tuple[RequestTree, ...]
    health: tuple[HealthTree, ...]
    failures: tuple[FailureTree, ...]
    left_out: Table[str, int]


@attrs.frozen(kw_only=True)
class TimelineTree:
    """What happened behind row ``first_row`` - 1, up to row ``last_row``.

    ``rows_decided_otherwise`` counts the rows that hold other commands than today's
    code decides.
    """

    begins_at: Moment
    ends_at: Moment
    first_row: int
    last_row: int
    boots: tuple[BootTree, ...]
    requests: tuple[RequestTree, ...]
    failed_looks: tuple[LookTree, ...]
    rollouts: tuple[RolloutTree, ...]
    left_out: Table[str, int]
    rows_decided_otherwise: int
    first_row_decided_otherwise: int | None
    containers: tuple[CourseTree, ...]
