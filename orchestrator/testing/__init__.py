"""A toolkit for those who test: their restart policies, their fleets, their adapters.

* ``Scenario``: given a fleet, when this happens, then that is so; in virtual time.
* ``check_policy``: the laws that every restart policy obeys, tried with Hypothesis.
* ``check_strategy``: the laws that every strategy of rollouts obeys.
* ``FleetMachine``: a ready state machine of Hypothesis, to subclass.
* ``strategies``: Hypothesis strategies for all that the core knows.
* ``VirtualClock``: time that only a test moves.
* ``check_platform``, ``check_takeover``, ``check_journal``,
  ``check_compactable``, ``check_leases``: laws for adapters.
* ``judge``: whether what operators that share a journal were answered can be explained.

Nothing is loaded before it is used. ``check_policy``, ``check_strategy``,
``FleetMachine`` and ``strategies`` need Hypothesis (the extra ``[testing]``).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from orchestrator.testing.acts import (
        Act,
        accepts,
        becomes_ready,
        crashes,
        dies,
        ends,
        fails_check,
        fails_to_start,
        is_seen,
        loses_sight,
        passes_check,
        refuses,
        starts,
        succeeds,
        vanishes,
    )
    from orchestrator.testing.clock import VirtualClock
    from orchestrator.testing.evidence import save_history
    from orchestrator.testing.expectations import (
        Expectation,
        admitted,
        commands,
        counts,
        is_ready,
        phase,
        refused,
        rule,
        runs,
        starts_in,
        that,
    )
    from orchestrator.testing.histories import (
        Accepted,
        AppendRows,
        Conflict,
        Granted,
        GrantEpoch,
        HeadIs,
        Operation,
        ReadHead,
        Refused,
        Register,
        StaleEpoch,
        StartRun,
    )
    from orchestrator.testing.journals import check_compactable, check_journal
    from orchestrator.testing.laws import LAWS
    from orchestrator.testing.leases import check_leases
    from orchestrator.testing.machine import FleetMachine
    from orchestrator.testing.platforms import check_platform, check_takeover
    from orchestrator.testing.policies import check_policy
    from orchestrator.testing.rollout_checks import (
        STRATEGY_LAWS,
        StrategyBroken,
        check_strategy,
    )
    from orchestrator.testing.scenarios import (
        ExpectationFailed,
        HistoryFailed,
        ImpossibleHistory,
        LawBroken,
        Scenario,
    )
    from orchestrator.testing.turns import (
        asks,
        comes_down,
        comes_up,
        happens,
        late,
        looks,
        restarts_operator,
    )
    from orchestrator.testing.verdicts import (
        Explained,
        StartSeen,
        Undecided,
        Unexplained,
        judge,
        judge_calls,
        judge_journal,
        judge_starts,
    )

_ACTS = (
    "Act",
    "accepts",
    "becomes_ready",
    "crashes",
    "dies",
    "ends",
    "fails_check",
    "fails_to_start",
    "is_seen",
    "loses_sight",
    "passes_check",
    "refuses",
    "starts",
    "succeeds",
    "vanishes",
)
_TURNS = (
    "asks",
    "comes_down",
    "comes_up",
    "happens",
    "late",
    "looks",
    "restarts_operator",
)
_EXPECTATIONS = (
    "Expectation",
    "admitted",
    "commands",
    "counts",
    "is_ready",
    "phase",
    "refused",
    "rule",
    "runs",
    "starts_in",
    "that",
)
_SCENARIOS = (
    "ExpectationFailed",
    "HistoryFailed",
    "ImpossibleHistory",
    "LawBroken",
    "Scenario",
)
_HISTORIES = (
    "Accepted",
    "AppendRows",
    "Conflict",
    "GrantEpoch",
    "Granted",
    "HeadIs",
    "Operation",
    "ReadHead",
    "Refused",
    "Register",
    "StaleEpoch",
    "StartRun",
)
_VERDICTS = (
    "Explained",
    "StartSeen",
    "Undecided",
    "Unexplained",
    "judge",
    "judge_calls",
    "judge_journal",
    "judge_starts",
)
_HOMES: dict[str, str] = {
    **dict.fromkeys(_ACTS, "acts"),
    **dict.fromkeys(_TURNS, "turns"),
    **dict.fromkeys(_EXPECTATIONS, "expectations"),
    **dict.fromkeys(_SCENARIOS, "scenarios"),
    **dict.fromkeys(_HISTORIES, "histories"),
    **dict.fromkeys(_VERDICTS, "verdicts"),
    "FleetMachine": "machine",
    "LAWS": "laws",
    "STRATEGY_LAWS": "rollout_checks",
    "StrategyBroken": "rollout_checks",
    "VirtualClock": "clock",
    "check_compactable": "journals",
    "check_journal": "journals",
    "check_leases": "leases",
    "check_platform": "platforms",
    "check_policy": "policies",
    "check_strategy": "rollout_checks",
    "check_takeover": "platforms",
    "save_history": "evidence",
}

__all__ = (
    "LAWS",
    "STRATEGY_LAWS",
    "Accepted",
    "Act",
    "AppendRows",
    "Conflict",
    "Expectation",
    "ExpectationFailed",
    "Explained",
    "FleetMachine",
    "GrantEpoch",
    "Granted",
    "HeadIs",
    "HistoryFailed",
    "ImpossibleHistory",
    "LawBroken",
    "Operation",
    "ReadHead",
    "Refused",
    "Register",
    "Scenario",
    "StaleEpoch",
    "StartRun",
    "StartSeen",
    "StrategyBroken",
    "Undecided",
    "Unexplained",
    "VirtualClock",
    "accepts",
    "admitted",
    "asks",
    "becomes_ready",
    "check_compactable",
    "check_journal",
    "check_leases",
    "check_platform",
    "check_policy",
    "check_strategy",
    "check_takeover",
    "comes_down",
    "comes_up",
    "commands",
    "counts",
    "crashes",
    "dies",
    "ends",
    "fails_check",
    "fails_to_start",
    "happens",
    "is_ready",
    "is_seen",
    "judge",
    "judge_calls",
    "judge_journal",
    "judge_starts",
    "late",
    "looks",
    "loses_sight",
    "passes_check",
    "phase",
    "refused",
    "refuses",
    "restarts_operator",
    "rule",
    "runs",
    "save_history",
    "starts",
    "starts_in",
    "succeeds",
    "that",
    "vanishes",
)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
