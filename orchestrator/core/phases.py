"""Where one container is: a class for each phase, carrying just what is true in it.

``since`` is when the phase was entered. A phase with a ``run`` is *live*: a process
of that run may exist. ``rule`` names what decided a phase of waiting or of rest, so
that ``explain`` never has to guess. Whatever is not live has None for its ``run``.

Note [Stopping remembers why]. A run that we end ourselves ends *as what we say*:
``Stopping.verdict`` is the exit to record when the end is confirmed, whatever code the
process gave in its last moment. A requested stop is ``Stopped``, a start that took too
long ``StartFailed``. So a restart counts no crash, and a timed-out start does.
"""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar, Final, TypeAlias

import attrs

from orchestrator.core.evolving import all_quick
from orchestrator.core.exits import Exit
from orchestrator.core.fields import LATER
from orchestrator.core.moments import Moment
from orchestrator.core.table import Table

__all__ = (
    "PHASE_NAMES",
    "Asleep",
    "BackingOff",
    "Completed",
    "CrashLooping",
    "Escalation",
    "Failed",
    "LivePhase",
    "Pending",
    "Phase",
    "Rule",
    "Running",
    "Starting",
    "Stopped",
    "Stopping",
    "Unknown",
    "live_run",
    "phase_name",
)


class Rule(StrEnum):
    """Which rule decided: the answer to "why is it there?"."""

    DECLARED = "declared"
    REQUESTED = "requested"
    FORCED = "forced"
    NEW_REVISION = "new_revision"
    HISTORY_CLEARED = "history_cleared"
    OWNER_WANTS_IT_STOPPED = "owner_wants_it_stopped"
    RESTART_REQUESTED = "restart_requested"
    ROLLED_OUT = "rolled_out"
    KEPT_ALIVE = "kept_alive"
    ASLEEP_UNTIL_ASKED = "asleep_until_asked"
    OBSTACLE_BACKOFF = "obstacle_backoff"
    ALWAYS_AFTER_CLEAN_EXIT = "always_after_clean_exit"
    CLEAN_EXIT = "clean_exit"
    NEVER_RESTART = "never_restart"
    FAILURE_BACKOFF = "failure_backoff"
    CRASH_LOOP_COOLDOWN = "crash_loop_cooldown"
    CRASH_LOOP_HOLD = "crash_loop_hold"
    START_LOOP_COOLDOWN = "start_loop_cooldown"
    START_LOOP_HOLD = "start_loop_hold"
    MAX_RESTARTS = "max_restarts"
    EXIT_RULE_RESTART = "exit_rule_restart"
    EXIT_RULE_COMPLETE = "exit_rule_complete"
    EXIT_RULE_FAIL = "exit_rule_fail"
    EXIT_RULE_IGNORE = "exit_rule_ignore"
    GROUP_RESTART = "group_restart"
    GROUP_HELD = "group_held"
    CUSTOM_POLICY = "custom_policy"
    CUSTOM_POLICY_FAILED = "custom_policy_failed"
    CUSTOM_POLICY_MISSING = "custom_policy_missing"
    STALE_RUN = "stale_run"
    NEEDED = "needed"


class Escalation(StrEnum):
    """How far a stop has gone: asked, looked for, destroyed."""

    SIGNALED = "signaled"
    OBSERVED = "observed"
    DESTROYED = "destroyed"


@attrs.frozen(kw_only=True, weakref_slot=False)
class Pending:
    """It shall start and waits for its turn (a start slot, the first observation).

    ``waits_for``: a service that it depends on, which is not yet as it must be.
    """

    run: ClassVar[None] = None
    since: Moment
    rule: Rule
    waits_for: str = attrs.field(default="", metadata=LATER)


@attrs.frozen(kw_only=True, weakref_slot=False)
class Starting:
    """A start was commanded. ``retry_at``: when to command it again, if unanswered."""

    since: Moment
    run: int
    accepted: bool = False
    retry_at: Moment | None = None
    retries: int = 0


@attrs.frozen(kw_only=True, weakref_slot=False)
class Running:
    """A process runs; ready since ``ready_at``, or not, or not any more (None).

    ``deadline`` is when it must have been ready for the first time. ``listening``: the
    platform says that it accepts work, and its health checks keep it from being ready;
    ``startup_passed`` and ``readiness_passed`` are what they have said last.
    """

    since: Moment
    run: int
    ready_at: Moment | None = None
    deadline: Moment | None = None
    addresses: Table[str, str] = Table()
    listening: bool = False
    startup_passed: bool = False
    readiness_passed: bool = False

    @property
    def is_listening(self) -> bool:
        """Say whether the platform says that it accepts work."""
        return self.listening or self.ready_at is not None


@attrs.frozen(kw_only=True, weakref_slot=False)
class Stopping:
    """We are ending the run; ``verdict`` is the exit it will have had.

    ``destroys`` counts how often it was destroyed without a confirmation;
    ``started_at`` and ``ready_at`` are what was known of the run while it lived.
    """

    since: Moment
    run: int
    deadline: Moment
    verdict: Exit
    escalation: Escalation = Escalation.SIGNALED
    accepted: bool = False
    destroys: int = 0
    started_at: Moment | None = None
    ready_at: Moment | None = None


@attrs.frozen(kw_only=True, weakref_slot=False)
class Stopped:
    """It rests because its owner wants it stopped."""

    run: ClassVar[None] = None
    since: Moment
    rule: Rule = Rule.OWNER_WANTS_IT_STOPPED


@attrs.frozen(kw_only=True, weakref_slot=False)
class Completed:
    """Its work is done."""

    run: ClassVar[None] = None
    since: Moment
    rule: Rule = Rule.CLEAN_EXIT


@attrs.frozen(kw_only=True, weakref_slot=False)
class BackingOff:
    """It starts again at ``until``, not before.

    ``waits_for``: a member of its group that it starts together with; should that come
    back earlier, it starts at ``not_before``, its own wait.
    """

    run: ClassVar[None] = None
    since: Moment
    until: Moment
    rule: Rule
    waits_for: str = ""
    not_before: Moment = 0


@attrs.frozen(kw_only=True, weakref_slot=False)
class CrashLooping:
    """It failed too often; tried again at ``until``, or held until cleared (None).

    ``waits_for`` and ``not_before`` are as in ``BackingOff``: held with its group.
    """

    run: ClassVar[None] = None
    since: Moment
    until: Moment | None
    rule: Rule
    waits_for: str = ""
    not_before: Moment = 0


@attrs.frozen(kw_only=True, weakref_slot=False)
class Failed:
    """Its policy has given up."""

    run: ClassVar[None] = None
    since: Moment
    rule: Rule


@attrs.frozen(kw_only=True, weakref_slot=False)
class Unknown:
    """The run cannot be seen now; ``was`` is what it was when last seen."""

    since: Moment
    run: int
    was: Starting | Running


@attrs.frozen(kw_only=True, weakref_slot=False)
class Asleep:
    """The platform stopped it because it was idle; it starts when asked for."""

    run: ClassVar[None] = None
    since: Moment
    rule: Rule = Rule.ASLEEP_UNTIL_ASKED


LivePhase: TypeAlias = Starting | Running | Stopping | Unknown
"""The phases in which a process of a run may exist."""

Phase: TypeAlias = (
    LivePhase
    | Pending
    | Stopped
    | Completed
    | BackingOff
    | CrashLooping
    | Failed
    | Asleep
)

all_quick(Phase)

PHASE_NAMES: Final[dict[type[Phase], str]] = {
    Pending: "pending",
    Starting: "starting",
    Running: "running",
    Stopping: "stopping",
    Stopped: "stopped",
    Completed: "completed",
    BackingOff: "backing_off",
    CrashLooping: "crash_looping",
    Failed: "failed",
    Unknown: "unknown",
    Asleep: "asleep",
}
"""The stable names, as they stand in JSON."""


def phase_name(phase: Phase) -> str:
    """Return the stable name of a phase.

    >>> phase_name(Stopped(since=0))
    'stopped'

    """
    return PHASE_NAMES[type(phase)]


def live_run(phase: Phase) -> int | None:
    """Return the run of a live phase, None where no process can exist.

    >>> live_run(Running(since=0, run=3)), live_run(Stopped(since=0))
    (3, None)

    """
    return phase.run
