"""What ``rollout`` and ``autoscaling`` may be given in Python, with types."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Literal, Required, TypeAlias, TypedDict

from orchestrator.core.autoscaling import Metric
from orchestrator.core.rollout_policies import (
    CanaryStep,
    OnFailure,
    Promotion,
    Share,
)

__all__ = ("AutoscalingTable", "Duration", "RolloutTable", "Shares", "StepTable")

Duration: TypeAlias = str | timedelta
"""A duration: ``"10s"``, ``"1h30m"`` or a timedelta of whole milliseconds."""

Shares: TypeAlias = int | str | Share
"""So many replicas, or so many percent of them: ``2``, ``"25%"``."""


class StepTable(TypedDict, total=False):
    """A step of a canary: so many replicas are new, and are watched for a time."""

    share: Required[Shares]
    soak: Duration
    soak_ms: int


class RolloutTable(TypedDict, total=False):
    """How the replicas of an entry come to another template."""

    strategy: str
    version: int
    max_unavailable: Shares
    max_surge: Shares
    steps: Sequence[StepTable | CanaryStep]
    promote: Promotion | Literal["auto", "manual"]
    keep_old: Duration
    keep_old_ms: int
    min_ready: Duration
    min_ready_ms: int
    container_deadline: Duration
    container_deadline_ms: int
    progress_deadline: Duration
    progress_deadline_ms: int
    failure_budget: Shares
    on_failure: OnFailure | Literal["revert", "hold", "pause"]
    params: Mapping[str, Any]


class AutoscalingTable(TypedDict, total=False):
    """How many replicas an entry has, by what it is measured at."""

    metric: Required[Metric | Literal["in_flight", "cpu", "pushed"]]
    target: Required[float]
    min: int
    max: Required[int]
    window: Duration
    window_ms: int
    tolerance: str
    up_after: Duration
    up_after_ms: int
    down_after: Duration
    down_after_ms: int
