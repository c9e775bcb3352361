"""What a program brings itself: restart policies and strategies of rollouts.

Both are named, versioned pure functions of the embedding program, in one register.

A spec names one (``RestartPolicy.custom``); the journal holds the name and the version
and no code. So a replay needs the very functions, and is refused without them
(``core.registry``): nobody guesses what another policy would have decided.

A function is asked when a run has ended by itself, after the owner's wish and the exit
rules and instead of ``when``, the budgets and the backoff. It must be pure: the same
situation, the same answer. One that raises, or answers what is no decision, is not
asked again: the container is given up, and ``why`` says so. A strategy
(``core.strategies``) is asked for each step of a rollout; where it fails the rollout is
held.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, TypeAlias

import attrs
from attrs.validators import ge, instance_of

from orchestrator.core.decisions import Complete, CoolDown, GiveUp, Hold, RestartAt
from orchestrator.core.exits import Exit, Outcome
from orchestrator.core.fields import Json, holds
from orchestrator.core.moments import DURATION_MAX, Millis, Moment
from orchestrator.core.names import is_name
from orchestrator.core.phases import Rule
from orchestrator.core.policies import CustomPolicyRef, RestartPolicy
from orchestrator.core.rollout_policies import RolloutPolicy
from orchestrator.core.strategies import (
    STRATEGIES,
    CustomStrategy,
    Step,
    View,
    read_step,
)
from orchestrator.core.table import Table

__all__ = (
    "NO_POLICIES",
    "CustomDecision",
    "CustomPolicies",
    "CustomPolicy",
    "Situation",
    "ask",
    "ask_strategy",
    "is_strategy",
    "registered",
)

CustomDecision: TypeAlias = RestartAt | Complete | GiveUp | CoolDown | Hold
"""What a function may answer; it need not name a rule."""


@attrs.frozen(kw_only=True)
class Situation:
    """What a custom policy is told of a run that has ended by itself.

    ``outcome`` is what the exit counts as, ``failures`` the moments of those within
    the window of ``policy.crash``, this one included, ``attempts`` all failures since
    the last reset, ``wait_ms`` what ``policy.backoff`` would wait now, spread included.
    """

    name: str
    exit: Exit
    outcome: Outcome
    ended_at: Moment
    started_at: Moment | None
    ready_at: Moment | None
    failures: tuple[Moment, ...]
    attempts: int
    start_failures: int
    restarts_total: int
    wait_ms: Millis
    policy: RestartPolicy
    params: Table[str, Json]


@attrs.frozen(kw_only=True)
class CustomPolicy:
    """A function under the name and version by which specs and journals call it."""

    name: str = attrs.field(
        validator=holds(is_name, "a name of a-z, 0-9, '.', '_' and '-'")
    )
    version: int = attrs.field(validator=[instance_of(int), ge(1)])
    decide: Callable[[Situation], CustomDecision]


CustomPolicies: TypeAlias = "Table[tuple[str, int], CustomPolicy | CustomStrategy]"
"""What is registered, policies and strategies alike, by name and version."""

NO_POLICIES: Final[CustomPolicies] = Table[
    tuple[str, int], CustomPolicy | CustomStrategy
]()


def registered(policies: Iterable[CustomPolicy | CustomStrategy]) -> CustomPolicies:
    """Return policies as a register; two of one name and version are a mistake.

    >>> never = CustomPolicy(name="never", version=1, decide=lambda _: GiveUp())
    >>> ("never", 1) in registered([never])
    True

    """
    register = NO_POLICIES
    for policy in policies:
        key = (policy.name, policy.version)
        if key in register:
            msg = f"policy {policy.name!r} version {policy.version} is given twice"
            raise ValueError(msg)
        register = register.put(key, policy)
    return register


def ask(
    policies: CustomPolicies, ref: CustomPolicyRef, situation: Situation
) -> CustomDecision:
    """Ask a custom policy; the answer names ``CUSTOM_POLICY`` as its rule.

    What is not registered, raises, or answers nonsense gives up; even what would end
    the program does. A lack of memory is no answer, and is raised.
    """
    policy = policies.get((ref.name, ref.version))
    if not isinstance(policy, CustomPolicy):
        return GiveUp(rule=Rule.CUSTOM_POLICY_MISSING)
    try:
        return _read(policy.decide(situation), situation)
    except (KeyboardInterrupt, MemoryError):
        raise
    except BaseException:  # noqa: BLE001 - it is not our code, and reduce is total
        return GiveUp(rule=Rule.CUSTOM_POLICY_FAILED)


def _read(answer: object, situation: Situation) -> CustomDecision:
    match answer:
        case RestartAt(at=at) if _is_moment(at, situation):
            return RestartAt(at=at)
        case CoolDown(until=until) if _is_moment(until, situation):
            return CoolDown(until=until)
        case Complete():
            return Complete()
        case GiveUp():
            return GiveUp()
        case Hold():
            return Hold()
        case _:
            return GiveUp(rule=Rule.CUSTOM_POLICY_FAILED)


def _is_moment(at: object, situation: Situation) -> bool:
    return type(at) is int and 0 <= at <= situation.ended_at + DURATION_MAX


def is_strategy(policies: CustomPolicies, name: str, version: int) -> bool:
    """Say whether there is a strategy of that name and version.

    >>> is_strategy(NO_POLICIES, "canary", 1), is_strategy(NO_POLICIES, "canary", 9)
    (True, False)

    """
    key = name, version
    return key in STRATEGIES or isinstance(policies.get(key), CustomStrategy)


def ask_strategy(
    policies: CustomPolicies, policy: RolloutPolicy, view: View
) -> Step | None:
    """Ask the strategy of a policy for its next step; None: it has failed.

    What is not registered has failed, too. A lack of memory is raised: it is no answer.
    """
    key = policy.strategy, policy.version
    if key in STRATEGIES:
        return STRATEGIES[key](view)
    custom = policies.get(key)
    if not isinstance(custom, CustomStrategy):
        return None
    try:
        return read_step(custom.step(view))
    except (KeyboardInterrupt, MemoryError):
        raise
    except BaseException:  # noqa: BLE001 - it is not our code, and reduce is total
        return None
