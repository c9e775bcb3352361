"""What a condition may ask of a service: its replicas, and its newest rollout."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from orchestrator.core.lineages import Rollout, RolloutStatus
from orchestrator.core.rollout_info import newest_rollout
from orchestrator.replay.conditions.kinds import (
    NONE,
    Asks,
    Fact,
    Kind,
    Situation,
    Value,
)

__all__ = ("SERVICE_QUESTIONS",)


def _read_revision(now: Situation, asked: tuple[str, ...]) -> int:
    """Read the revision of a container's spec, or else what a service is made of."""
    container = now.fleet.containers.get(asked[0])
    if container is not None:
        return container.revision
    lineage = now.fleet.lineages.get(asked[0])
    known = int(asked[0] in now.fleet.services)
    return known if lineage is None else lineage.serving


def _of_rollout(
    kind: Kind,
    about: str,
    of: Callable[[Rollout], Value],
    nobody: Value,
    words: tuple[str, ...] = (),
) -> Fact:
    """Return a fact of a service's newest rollout; *nobody*: it never had one."""

    def read(now: Situation, asked: tuple[str, ...]) -> Value:
        lineage = now.fleet.lineages.get(asked[0])
        if lineage is None:
            return nobody
        newest = newest_rollout(lineage)
        return nobody if newest is None else of(newest)

    return Fact(
        kind=kind,
        about=about,
        read=read,
        takes=(Asks.SERVICE,),
        words=(*words, str(nobody)) if words else None,
    )


def _read_replicas(now: Situation, asked: tuple[str, ...]) -> int:
    service = now.fleet.services.get(asked[0])
    return 0 if service is None else service.replicas


SERVICE_QUESTIONS: Final[dict[str, Fact]] = {
    "revision": Fact(
        kind=Kind.NUMBER,
        about="the revision of its spec; of a service, the one that new replicas are",
        read=_read_revision,
        takes=(Asks.CONTAINER,),
    ),
    "rollout": _of_rollout(
        Kind.TEXT,
        "where its newest rollout is, such as `'paused'`; `'none'` where it had none",
        lambda one: str(one.status),
        NONE,
        tuple(RolloutStatus),
    ),
    "rollout_failures": _of_rollout(
        Kind.NUMBER,
        "the failures of new replicas in its newest rollout",
        lambda one: one.failures,
        0,
    ),
    "replicas": Fact(
        kind=Kind.NUMBER,
        about="how many replicas of it are asked for",
        read=_read_replicas,
        takes=(Asks.SERVICE,),
    ),
}
"""What is asked about a service."""
