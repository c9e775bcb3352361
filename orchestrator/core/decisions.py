"""The answers of a restart policy, each with the rule that gave it."""

from __future__ import annotations

from typing import TypeAlias

import attrs

from orchestrator.core.evolving import all_quick
from orchestrator.core.moments import Moment
from orchestrator.core.phases import Rule

__all__ = (
    "Complete",
    "CoolDown",
    "Decision",
    "GiveUp",
    "Hold",
    "Rest",
    "RestartAt",
    "Sleep",
)


@attrs.frozen(kw_only=True, weakref_slot=False)
class RestartAt:
    """Start again at a moment."""

    at: Moment
    rule: Rule = Rule.CUSTOM_POLICY


@attrs.frozen(kw_only=True, weakref_slot=False)
class Complete:
    """The work is done."""

    rule: Rule = Rule.CUSTOM_POLICY


@attrs.frozen(kw_only=True, weakref_slot=False)
class GiveUp:
    """Do not start again."""

    rule: Rule = Rule.CUSTOM_POLICY


@attrs.frozen(kw_only=True, weakref_slot=False)
class CoolDown:
    """A crash loop: try again at ``until``."""

    until: Moment
    rule: Rule = Rule.CUSTOM_POLICY


@attrs.frozen(kw_only=True, weakref_slot=False)
class Hold:
    """A crash loop: stay until somebody clears it."""

    rule: Rule = Rule.CUSTOM_POLICY


@attrs.frozen(kw_only=True, weakref_slot=False)
class Rest:
    """The owner wants it stopped."""

    rule: Rule


@attrs.frozen(kw_only=True, weakref_slot=False)
class Sleep:
    """Idle: start when asked for."""

    rule: Rule


Decision: TypeAlias = RestartAt | Complete | GiveUp | CoolDown | Hold | Rest | Sleep

all_quick(Decision)
