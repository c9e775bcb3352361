"""Restart policies as values: when to restart, how long to wait, when to give up.

A policy only *says*; ``core.decide`` reads it. How long to wait is said in
``core.backoff``. More than ``allowed_crashes`` failures within ``window_ms`` is a crash
loop, and so are more than ``start_budget`` starts in a row that failed. ``exit_rules``
come before all that; a *custom* policy, a function of the embedding program, stands
in its place.
"""

from __future__ import annotations

from enum import StrEnum

import attrs
from attrs.validators import ge, gt, instance_of, le, max_len, optional

from orchestrator.core.backoff import Backoff
from orchestrator.core.exit_rules import CODE_MAX, RULES_MAX, ExitRule, Judgement, judge
from orchestrator.core.exits import Exit
from orchestrator.core.fields import (
    LATER,
    Json,
    are_all,
    are_numbers,
    holds,
    is_json_table,
)
from orchestrator.core.moments import DURATION_MAX, Millis
from orchestrator.core.names import is_name
from orchestrator.core.table import Table

__all__ = (
    "CrashLimit",
    "CustomPolicyRef",
    "OnLoop",
    "OnLost",
    "RestartPolicy",
    "When",
    "always_restart_policy",
    "default_restart_policy",
    "judged",
    "never_restart_policy",
)


class When(StrEnum):
    """After which ends a container is started again."""

    ALWAYS = "always"
    ON_FAILURE = "on_failure"
    NEVER = "never"


class OnLoop(StrEnum):
    """What a crash loop leads to."""

    COOLDOWN = "cooldown"
    HOLD = "hold"


class OnLost(StrEnum):
    """What to do with a container that has been unknown for too long."""

    REPLACE = "replace"
    WAIT = "wait"


_duration = [instance_of(int), ge(0), le(DURATION_MAX)]
_positive = [instance_of(int), gt(0), le(DURATION_MAX)]


@attrs.frozen(kw_only=True)
class CrashLimit:
    """How many failures within a window are still no crash loop.

    0 allowed means that the first failure is one. ``on_loop=None``: cooldown for the
    min replica set, hold for ad-hoc containers.
    """

    window_ms: Millis = attrs.field(default=600_000, validator=_positive)
    allowed_crashes: int = attrs.field(
        default=3, validator=[instance_of(int), ge(0), le(1_000)]
    )
    on_loop: OnLoop | None = attrs.field(
        default=None, validator=optional(instance_of(OnLoop))
    )


@attrs.frozen(kw_only=True)
class CustomPolicyRef:
    """A restart policy of the embedding program, by name and version.

    The journal holds this and no code: a replay without the very function is refused.
    ``params`` is handed to it.
    """

    name: str = attrs.field(
        validator=holds(is_name, "a name of a-z, 0-9, '.', '_' and '-'")
    )
    version: int = attrs.field(validator=[instance_of(int), ge(1)])
    params: Table[str, Json] = attrs.field(
        default=Table[str, Json](),
        validator=holds(is_json_table, "a table of frozen JSON"),
    )


@attrs.frozen(kw_only=True)
class RestartPolicy:
    """When a container is started again, how fast, and when not any more.

    ``min_interval_ms`` is the least time between starts after clean exits under
    ``always``; ``lost_after_ms`` how long a container may be unknown before
    ``on_lost`` applies (None: replace where the platform fences by run, else wait).
    ``max_restarts`` is how many failures in a row are answered with a restart before
    it gives up for good; ``start_budget`` how many starts may fail in a row before
    that is a crash loop (they do not count in the window). ``success_codes`` are clean
    beside 0.
    """

    when: When = attrs.field(default=When.ON_FAILURE, validator=instance_of(When))
    crash: CrashLimit = CrashLimit()
    backoff: Backoff = Backoff()
    min_interval_ms: Millis = attrs.field(default=1_000, validator=_duration)
    lost_after_ms: Millis = attrs.field(default=60_000, validator=_positive)
    on_lost: OnLost | None = attrs.field(
        default=None, validator=optional(instance_of(OnLost))
    )
    max_restarts: int | None = attrs.field(
        default=None,
        validator=optional([instance_of(int), ge(0), le(1_000_000)]),
        metadata=LATER,
    )
    start_budget: int = attrs.field(
        default=5, validator=[instance_of(int), ge(0), le(1_000)], metadata=LATER
    )
    success_codes: tuple[int, ...] = attrs.field(
        default=(),
        validator=holds(are_numbers(0, CODE_MAX), f"exit codes from 0 to {CODE_MAX}"),
        metadata=LATER,
    )
    exit_rules: tuple[ExitRule, ...] = attrs.field(
        default=(),
        validator=[max_len(RULES_MAX), holds(are_all(ExitRule), "exit rules")],
        metadata=LATER,
    )
    custom: CustomPolicyRef | None = attrs.field(
        default=None,
        validator=optional(instance_of(CustomPolicyRef)),
        metadata=LATER,
    )


def default_restart_policy() -> RestartPolicy:
    """Restart failures, with the default limits.

    >>> default_restart_policy().crash.allowed_crashes
    3

    """
    return RestartPolicy()


def always_restart_policy() -> RestartPolicy:
    """Restart whatever the exit was.

    >>> always_restart_policy().when
    <When.ALWAYS: 'always'>

    """
    return RestartPolicy(when=When.ALWAYS)


def never_restart_policy() -> RestartPolicy:
    """Never restart.

    >>> never_restart_policy().when
    <When.NEVER: 'never'>

    """
    return RestartPolicy(when=When.NEVER)


def judged(policy: RestartPolicy, exit_: Exit) -> Judgement:
    """Say what an exit counts as under a policy.

    >>> from orchestrator.core.exits import Exited
    >>> judged(RestartPolicy(success_codes=(3,)), Exited(code=3)).outcome
    <Outcome.CLEAN: 'clean'>

    """
    return judge(policy.exit_rules, policy.success_codes, exit_)
