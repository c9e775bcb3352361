"""The page of what counts as a failure, written from the core.

Each row is asked of ``decide`` and ``record_end``; nothing of it is written by hand.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, get_args

import attrs

from orchestrator.core.backoff import Backoff
from orchestrator.core.decide import decide
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
from orchestrator.core.errors import (
    EnvVarsFailed,
    NoCapacity,
    QuotaExceeded,
    RateLimited,
    SecretMissing,
    Unauthorized,
)
from orchestrator.core.exit_rules import (
    ExitAction,
    ExitKind,
    ExitRule,
    Kinds,
    kind_of,
)
from orchestrator.core.exits import (
    Exit,
    Exited,
    GroupEnded,
    Lost,
    OutOfMemory,
    RolledOut,
    Signaled,
    Slept,
    StartFailed,
    Stopped,
    Unhealthy,
)
from orchestrator.core.histories import record_end
from orchestrator.core.moments import format_duration
from orchestrator.core.origins import Origin
from orchestrator.core.phases import Pending, Rule
from orchestrator.core.policies import RestartPolicy, When, judged
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.state import Container, Desired, History, LastRun
from orchestrator.core.terms import FixedTerms

__all__ = ("failures",)

_ENDS: Final[tuple[tuple[str, Exit], ...]] = (
    ("the process exited with 0", Exited(code=0)),
    ("the process exited with another code", Exited(code=1)),
    ("the process was killed by a signal that we did not send", Signaled(signal=9)),
    ("the process used too much memory", OutOfMemory()),
    ("the start failed, or was not ready in time", StartFailed(reason="")),
    ("a liveness check failed", Unhealthy(check="liveness")),
    ("it is gone, and nobody knows why", Lost()),
    ("there was no capacity", NoCapacity()),
    ("the platform's rate was exceeded", RateLimited()),
    ("the platform's quota is used up", QuotaExceeded()),
    ("the operator may not", Unauthorized()),
    ("a secret was missing", SecretMissing(name="", key="")),
    ("the env-vars builder failed", EnvVarsFailed(name="", cause_type="")),
    ("a new version of the platform replaced it", RolledOut()),
    ("the platform put it to sleep", Slept()),
    ("its owner stopped it to restart it", Stopped()),
    (
        "it was ended with its group",
        GroupEnded(group="", by="", restart_at=None),
    ),
)
AT: Final = 1_000_000
_PAST: Final = History(
    failures=(AT - 1,),
    attempts=1,
    obstacles=1,
    start_failures=1,
    unhealthy=1,
    failed_in_a_row=1,
)
_POLICY: Final = RestartPolicy(backoff=Backoff(jitter=0))


def _container(policy: RestartPolicy, history: History) -> Container:
    return Container(
        name="web",
        spec=ContainerSpec(name="web", command=("run",), restart=policy),
        salt=1,
        revision=1,
        origin=Origin.MIN_REPLICA_SET,
        desired=Desired(running=True, by="owner", why="", at=0),
        phase=Pending(since=0, rule=Rule.DECLARED),
        history=history,
    )


def _ended(exit_: Exit) -> LastRun:
    return LastRun(run=1, exit=exit_, ended_at=AT, started_at=AT)


def _decided(exit_: Exit, policy: RestartPolicy) -> Decision:
    last = _ended(exit_)
    history = record_end(History(), policy, last)
    return decide(_container(policy, history), last, FixedTerms())


def _follows(decision: Decision) -> str:
    """Say what a decision leads to."""
    match decision:
        case RestartAt(at=at) if at <= AT:
            return "starts at once"
        case RestartAt(at=at):
            return f"starts after {format_duration(at - AT)}"
        case Complete():
            return "completed"
        case GiveUp():
            return "failed"
        case CoolDown() | Hold(rule=Rule.CRASH_LOOP_HOLD | Rule.START_LOOP_HOLD):
            return "crash loop"
        case Hold():
            return "held with its group"
        case Sleep():
            return "asleep"
        case Rest():
            return "stopped"


def _changed(before: int, after: int) -> str:
    if after > before:
        return f"+ {after - before}"
    return "" if after == before else "0"


def _cause_rows() -> Iterator[str]:
    yield "| how the run ended | kind | counts as | `always` | `on_failure` | `never` |"
    yield "|---|---|---|---|---|---|"
    for about, exit_ in _ENDS:
        kind = kind_of(exit_)
        name = "" if kind is None else f"`{kind}`"
        follows = (
            _follows(_decided(exit_, attrs.evolve(_POLICY, when=when))) for when in When
        )
        counts = judged(_POLICY, exit_).outcome
        yield f"| {about} | {name} | {counts} | {' | '.join(follows)} |"


def _history_rows() -> Iterator[str]:
    yield (
        "| how the run ended | crash window | failures | in a row | failed starts"
        " in a row | ill runs in a row | obstacles in a row |"
    )
    yield "|---|---|---|---|---|---|---|"
    for about, exit_ in _ENDS:
        told = record_end(_PAST, _POLICY, _ended(exit_))
        pairs = (
            (len(_PAST.failures), len(told.failures)),
            (_PAST.attempts, told.attempts),
            (_PAST.failed_in_a_row, told.failed_in_a_row),
            (_PAST.start_failures, told.start_failures),
            (_PAST.unhealthy, told.unhealthy),
            (_PAST.obstacles, told.obstacles),
        )
        yield f"| {about} | {' | '.join(_changed(*pair) for pair in pairs)} |"


def _action_rows() -> Iterator[str]:
    actions = tuple(ExitAction)
    heads = " | ".join(f"`{action}`" for action in actions)
    yield f"| how the run ended | {heads} |"
    yield f"|---|{'---|' * len(actions)}"
    match_all = Kinds(values=tuple(ExitKind))
    for about, exit_ in _ENDS:
        if kind_of(exit_) is None:
            continue
        cells: list[str] = []
        for action in actions:
            rules = (ExitRule(match=match_all, action=action),)
            policy = attrs.evolve(_POLICY, when=When.NEVER, exit_rules=rules)
            counts = judged(policy, exit_).outcome
            cells.append(f"{counts}; {_follows(_decided(exit_, policy))}")
        yield f"| {about} | {' | '.join(cells)} |"


_HEAD: Final = """# What counts as a failure

When a run ends, one function of the core, `decide`, says what follows, whoever asks: a
platform's event, a reconcile, or an operator that has just been started. The tables of
this page are asked of it, so they say what it does.

An end counts as *clean*, as a *failure*, or as *neither*. Clean: the work is done. A
failure: the container did something wrong, and the budgets of its policy count it.
Neither: the run was not over by itself (somebody else ended it, or it could not begin),
and no budget counts it.

## What follows

The first end of its kind, under the default policy without jitter and the given `when`,
of a container that its owner wants to run. Where its owner wants it stopped, every end
leads to *stopped*.
"""

_HISTORY: Final = """
## What is remembered

What each end adds to the history of a container that has failed once before. `0`:
begins anew; empty: stays. More than `crash.allowed_crashes` in the crash window is a
crash loop, and so are more than `start_budget` failed starts in a row; more than
`max_restarts` failures in a row and it is given up. *Failures* say how long the next
wait is; obstacles have a wait of their own.
"""

_ACTIONS: Final = """
All of it is forgotten after `backoff.reset_after` up and ready, when its history is
cleared, by a forced start, and with a new revision of the spec. The counters of the
whole life never go back. A run that becomes ready ends the row of failed starts.

A process that ends by itself before it was ready counts in the crash window: it was
seen to end. A start that never came that far counts for itself. Where a liveness check
ends two runs in a row, the second is destroyed and not only asked to stop.

## What an exit rule makes of it

Rules (`exit_rules`) come before `when`; the first that matches decides. Here one
matches each end, under `when = "never"`, to show that it does not ask. What we ended
ourselves (on request, or with a group) is no rule's business, and what was not the
container's own doing never counts, whatever the rule says.
"""


def failures() -> str:
    """Return the page of what counts as a failure."""
    assert {type(end) for _, end in _ENDS} == set(get_args(Exit)), "every end, once"
    return "\n".join(
        [
            _HEAD,
            *_cause_rows(),
            _HISTORY,
            *_history_rows(),
            _ACTIONS,
            *_action_rows(),
            "",
        ]
    )
