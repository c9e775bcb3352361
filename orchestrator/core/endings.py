"""The end of a run: what the record keeps of it, and where the policy puts it then.

What follows is decided in ``core.decide``; what the end adds to the history is counted
in ``core.histories``. How the end counts is judged once, for both.
"""

from __future__ import annotations

from typing import Final, assert_never

from orchestrator.core.decide import decided
from orchestrator.core.decisions import (
    Complete,
    CoolDown,
    Decision,
    GiveUp,
    Hold,
    Rest,
    RestartAt,
    Sleep,
)
from orchestrator.core.evolving import evolve, evolver, maker
from orchestrator.core.exits import Exit, GroupEnded
from orchestrator.core.histories import counted
from orchestrator.core.moments import Moment
from orchestrator.core.moves import lived, pending
from orchestrator.core.phases import (
    Asleep,
    BackingOff,
    Completed,
    CrashLooping,
    Failed,
    Phase,
    Stopping,
)
from orchestrator.core.phases import Stopped as AtRest
from orchestrator.core.policies import judged
from orchestrator.core.state import Container, LastRun
from orchestrator.core.terms import Terms

__all__ = ("conclude",)

_backing_off: Final = maker(BackingOff)
_last_run: Final = maker(LastRun)
_ended: Final = evolver(Container, "phase", "changed_at", "last", "history", "place")
_NOWHERE: Final = ""
"""The place of a run that has ended."""


def conclude(container: Container, exit_: Exit, at: Moment, terms: Terms) -> Container:
    """Record the end of the live run, and put the container where the policy says."""
    phase, policy = container.phase, container.spec.restart
    begun, ready_at = lived(phase)
    verdict = phase.verdict if isinstance(phase, Stopping) else exit_
    last = _last_run(
        run=container.run,
        exit=verdict,
        ended_at=at,
        started_at=begun,
        ready_at=ready_at,
    )
    judgement = judged(policy, verdict)
    history = counted(container.history, policy, last, judgement.outcome)
    decision = decided(container, last, judgement, history=history, terms=terms)
    phase = _follow(decision, at)
    if isinstance(verdict, GroupEnded):
        phase = _with_group(phase, verdict, at + terms.settings.min_restart_delay_ms)
    return _ended(container, phase, at, last, history, _NOWHERE)


def _with_group(phase: Phase, verdict: GroupEnded, soon: Moment) -> Phase:
    """Note for whom a run that has ended with its group waits."""
    if isinstance(phase, BackingOff | CrashLooping):
        return evolve(phase, waits_for=verdict.by, not_before=soon)
    return phase


def _follow(decision: Decision, at: Moment) -> Phase:
    """Return the phase that a decision leads to."""
    if isinstance(decision, RestartAt):  # mostly
        when, rule = decision.at, decision.rule
        if when <= at:
            return pending(since=at, rule=rule)
        return _backing_off(since=at, until=when, rule=rule)
    match decision:
        case CoolDown(until=until, rule=rule):
            return CrashLooping(since=at, until=until, rule=rule)
        case Hold(rule=rule):
            return CrashLooping(since=at, until=None, rule=rule)
        case Complete(rule=rule):
            return Completed(since=at, rule=rule)
        case GiveUp(rule=rule):
            return Failed(since=at, rule=rule)
        case Rest(rule=rule):
            return AtRest(since=at, rule=rule)
        case Sleep(rule=rule):
            return Asleep(since=at, rule=rule)
        case _:
            assert_never(decision)
