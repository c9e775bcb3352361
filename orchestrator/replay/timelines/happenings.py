"""What a row of a journal was to a container, or to the fleet: the items of a timeline.

Every item names its row and its moment (ms since 1970). ``seq`` None: it was so before
the first row that was looked at. A row yields its items in this order: what was asked
or told; what ended; what was decided; what began; where the container is now.
``seen``: a look at the platform found it so; no event of the platform had told it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TypeAlias

import attrs

from orchestrator.core.errors import PlatformError, StartError
from orchestrator.core.events import CommandKind, Event
from orchestrator.core.exits import Exit
from orchestrator.core.health import CheckKind
from orchestrator.core.moments import Moment
from orchestrator.core.phases import Rule
from orchestrator.replay.timelines.of_services import ServiceHappening

__all__ = (
    "Asked",
    "Checked",
    "Closed",
    "Decided",
    "Entered",
    "Fate",
    "Happening",
    "Left",
    "LookFailed",
    "LostSight",
    "Opened",
    "OrderFailed",
    "OwnHappening",
    "RunBegun",
    "RunEnded",
    "RunReady",
    "RunUp",
    "TookOver",
    "What",
    "Wish",
)


@attrs.frozen(kw_only=True)
class Opened:
    """The stretch that is looked at begins, behind row *seq* (0: before the first)."""

    seq: int
    at: Moment


@attrs.frozen(kw_only=True)
class Closed:
    """The stretch ends with row *seq*.

    ``differing`` rows hold other commands than today's code decides, which is told.
    """

    seq: int
    at: Moment
    differing: int = 0
    first_differing: int | None = None


@attrs.frozen(kw_only=True)
class TookOver:
    """An operator took over."""

    seq: int
    at: Moment
    epoch: int
    rules: int


@attrs.frozen(kw_only=True)
class LookFailed:
    """A look at the platform was not complete."""

    seq: int
    at: Moment
    cause: str


class Wish(StrEnum):
    """What an owner may ask for."""

    APPLY = "apply"
    START = "start"
    STOP = "stop"
    RESTART = "restart"
    REMOVE = "remove"
    CLEAR = "clear"
    RECONCILE = "reconcile"
    SCALE = "scale"
    ADOPT = "adopt"
    STOP_ORPHAN = "stop_orphan"
    ROLLOUT = "rollout"


@attrs.frozen(kw_only=True)
class Asked:
    """The owner asked for something; *name* "" is the fleet, *about* says of what."""

    seq: int
    at: Moment
    name: str
    wish: Wish
    by: str
    why: str
    force: bool = False
    about: str = ""


@attrs.frozen(kw_only=True)
class Checked:
    """A health check of a run has another verdict."""

    seq: int
    at: Moment
    name: str
    run: int
    check: CheckKind
    passing: bool
    cause: str


@attrs.frozen(kw_only=True)
class OrderFailed:
    """A command was not carried out, or nobody knows whether it was."""

    seq: int
    at: Moment
    name: str
    run: int
    kind: CommandKind
    error: PlatformError | StartError


@attrs.frozen(kw_only=True)
class LostSight:
    """The platform lost sight of a run."""

    seq: int
    at: Moment
    name: str
    run: int
    cause: str


class Fate(StrEnum):
    """How a run went out of the record: refused for a newer one, let go and runs on."""

    ENDED = "ended"
    REFUSED = "refused"
    LET_GO = "let_go"


@attrs.frozen(kw_only=True)
class RunEnded:
    """A run ended; ``crashed``: the policy calls that a failure."""

    seq: int
    at: Moment
    name: str
    run: int
    fate: Fate
    exit: Exit | None
    crashed: bool
    started_at: Moment | None
    ready_at: Moment | None
    seen: bool = False


class What(StrEnum):
    """What was decided."""

    QUEUE = "queue"
    WAIT = "wait"
    COOL_DOWN = "cool_down"
    HOLD = "hold"
    COMPLETE = "complete"
    GIVE_UP = "give_up"
    REST = "rest"
    SLEEP = "sleep"
    START = "start"
    START_AGAIN = "start_again"
    STOP = "stop"
    DESTROY = "destroy"
    FORGET = "forget"


@attrs.frozen(kw_only=True)
class Decided:
    """The operator decided something about a container, because of *event*.

    ``rule`` is the one that decided, where one did; ``until`` when a wait is over;
    ``attempt`` the number of the wait in a row; ``verdict`` the exit that a run will
    have had which is ended.
    """

    seq: int
    at: Moment
    name: str
    event: Event
    what: What
    rule: Rule | None = None
    run: int | None = None
    until: Moment | None = None
    attempt: int = 0
    waits_for: str = ""
    verdict: Exit | None = None


@attrs.frozen(kw_only=True)
class RunBegun:
    """A run began: it was commanded, or a look found it alive (``adopted``).

    ``again``: it follows another. What is known of it already stands in the moments.
    """

    seq: int | None
    at: Moment
    name: str
    run: int
    revision: int
    rule: Rule | None = None
    adopted: bool = False
    again: bool = False
    commanded_at: Moment | None = None
    started_at: Moment | None = None
    ready_at: Moment | None = None


@attrs.frozen(kw_only=True)
class RunUp:
    """A process of the run exists."""

    seq: int
    at: Moment
    name: str
    run: int
    seen: bool = False


@attrs.frozen(kw_only=True)
class RunReady:
    """The run accepts work, or does not any more."""

    seq: int
    at: Moment
    name: str
    run: int
    ready: bool
    seen: bool = False


@attrs.frozen(kw_only=True)
class Entered:
    """A span begins: the container is somewhere else than it was.

    ``phase`` is the phase's stable name, ``entered_at`` when it was entered: earlier
    than ``at`` where spans part a phase. ``planned`` is when a wait is over.
    """

    seq: int | None
    at: Moment
    name: str
    phase: str
    entered_at: Moment
    run: int | None
    ready: bool
    wanted: bool
    rule: Rule | None
    planned: Moment | None
    attempt: int
    waits_for: str


@attrs.frozen(kw_only=True)
class Left:
    """The container is not in the fleet any more."""

    seq: int
    at: Moment
    name: str


OwnHappening: TypeAlias = (
    Asked
    | Checked
    | OrderFailed
    | LostSight
    | RunEnded
    | Decided
    | RunBegun
    | RunUp
    | RunReady
    | Entered
    | Left
)

Happening: TypeAlias = (
    OwnHappening | ServiceHappening | TookOver | LookFailed | Opened | Closed
)
