"""The revisions that a service has had, and how it came from one to the next.

A *revision* is a template that replicas are made of, with the number that its service
gave it. A *rollout* brings the replicas from the revisions they have to another one,
step after step. Each container carries the number it was made with
(``Container.generation``): it is *new* in a rollout where that is the rollout's, *old*
where it is another.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import attrs

from orchestrator.core.evolving import quick
from orchestrator.core.moments import Moment
from orchestrator.core.rollout_policies import RolloutPolicy
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.table import Table

__all__ = (
    "ENDED",
    "KEPT_MAX",
    "Lineage",
    "Outcome",
    "Revision",
    "Rollout",
    "RolloutAction",
    "RolloutStatus",
    "Roster",
)

KEPT_MAX: Final = 10
"""Ended rollouts, and revisions, that are kept of a service (and the good one)."""


class RolloutStatus(StrEnum):
    """Where a rollout is.

    ``preparing``: the platform makes the new image available first. ``soaking``: what
    is new is watched for a time. ``held``: it ended and left all as it was;
    ``superseded``: a newer one took its place.
    """

    PREPARING = "preparing"
    PROGRESSING = "progressing"
    SOAKING = "soaking"
    AWAITING_PROMOTION = "awaiting_promotion"
    PAUSED = "paused"
    REVERTING = "reverting"
    DONE = "done"
    REVERTED = "reverted"
    HELD = "held"
    SUPERSEDED = "superseded"


ENDED: Final = frozenset(
    {
        RolloutStatus.DONE,
        RolloutStatus.REVERTED,
        RolloutStatus.HELD,
        RolloutStatus.SUPERSEDED,
    }
)
"""Where a rollout stays; each has a reason."""


class RolloutAction(StrEnum):
    """What an owner may ask of a service's rollout.

    ``start``: all replicas anew by the service's strategy, or once more to a revision
    that was reverted or held; ``undo``: back to an earlier revision.
    """

    START = "start"
    PAUSE = "pause"
    RESUME = "resume"
    PROMOTE = "promote"
    ABORT = "abort"
    UNDO = "undo"


class Outcome(StrEnum):
    """What is known of a revision."""

    UNPROVEN = "unproven"
    GOOD = "good"
    FAILED = "failed"


@quick
@attrs.frozen(kw_only=True, weakref_slot=False)
class Revision:
    """A template of a service, under its number; who asked for it, when, and why."""

    number: int
    template: ContainerSpec
    at: Moment
    by: str = "owner"
    why: str = ""
    outcome: Outcome = Outcome.UNPROVEN


@quick
@attrs.frozen(kw_only=True, weakref_slot=False)
class Roster:
    """Who is where in a rollout: an index of the service's containers, by their names.

    ``old``: not moved yet, and available; ``old_down``: not moved yet and not
    available; ``moved``: new and not counted yet, by (when it was moved, name), since
    when it has been ready (None: it is not); ``counted``: new, and ready for long
    enough; ``kept``: old ones whose successor runs beside them; ``going``: on their way
    out.
    """

    old: Table[tuple[int, str], None] = Table()
    old_down: Table[tuple[int, str], None] = Table()
    moved: Table[tuple[Moment, str], Moment | None] = Table()
    counted: Table[str, None] = Table()
    kept: Table[tuple[int, str], None] = Table()
    going: Table[str, None] = Table()


@quick
@attrs.frozen(kw_only=True, weakref_slot=False)
class Rollout:
    """A service on its way from one revision to another.

    ``target`` is the revision that is rolled out, ``previous`` the one before; a
    rollout that reverts goes to ``back_to``. ``step`` counts the steps of the strategy
    that are over, ``goal`` is how many replicas the present one wants new, ``until``
    when a soak ends. ``progress_at`` is when something last became better. ``failures``
    are those of new replicas. ``paused_from`` is where a paused one goes on. ``reason``
    says why it is there, in words.
    """

    service: str
    target: int
    previous: int
    policy: RolloutPolicy
    status: RolloutStatus
    since: Moment
    began_at: Moment
    progress_at: Moment
    step: int = 0
    goal: int = 0
    beside: bool = False
    until: Moment | None = None
    failures: int = 0
    back_to: int | None = None
    paused_from: RolloutStatus | None = None
    ended_at: Moment | None = None
    by: str = "owner"
    why: str = ""
    reason: str = ""
    roster: Roster = Roster()


@quick
@attrs.frozen(kw_only=True, weakref_slot=False)
class Lineage:
    """The revisions and rollouts of one service, the newest last.

    ``serving`` numbers the revision that new replicas are made of; ``good`` the newest
    that was wholly healthy (0: none was). ``count`` numbers all revisions there were.
    ``rollout`` is the one under way, ``past`` are those that have ended.
    """

    count: int
    serving: int
    good: int = 0
    revisions: tuple[Revision, ...] = ()
    rollout: Rollout | None = None
    past: tuple[Rollout, ...] = ()
