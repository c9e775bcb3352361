"""Why a container exists, and what becomes of one that nobody declares any more."""

from __future__ import annotations

from enum import StrEnum

__all__ = ("Origin", "Prune")


class Origin(StrEnum):
    """Who asked for a container to exist."""

    MIN_REPLICA_SET = "min_replica_set"
    AD_HOC = "ad_hoc"


class Prune(StrEnum):
    """What becomes of a container whose spec has left the fleet file."""

    STOP = "stop"
    KEEP = "keep"
    FORGET = "forget"
