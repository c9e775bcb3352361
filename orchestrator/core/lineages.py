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
from orchestrator.core.fields import LATER
from orchestrator.core.moments import Moment
from orchestrator.core.rollout_policies import WHOLE, RolloutPolicy, Share
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.table import Table

__all__ = (
    "ENDED",
    "KEPT_MAX",
    "Doing",
    "Lineage",
    "Moved",
    "Outcome",
    "PlatformRoll",
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


class Doing(StrEnum):
    """What a rollout's present step does; ``asking``: it has none, and wants one."""

    ASKING = "asking"
    STOPPING = "stopping"
    MOVING = "moving"
    RETIRING = "retiring"
    FINISHING = "finishing"
    WAITING = "waiting"


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
class Moved:
    """A new replica that does not count yet: since when it is waited for, and ready.

    ``armed_at`` is when its deadline began; ``ready_at`` None: it is not ready.
    """

    armed_at: Moment
    ready_at: Moment | None = None


@quick
@attrs.frozen(kw_only=True, weakref_slot=False)
class Roster:
    """Who is where in a rollout: an index of the service's containers, by their names.

    Not moved yet are those of ``old``, which are available, of ``old_down``, which are
    not, of ``lost``, which are out of sight and may be, of ``resting``, which their
    owner has stopped, and of ``drained``, which the rollout has; ``living`` are those
    of them that have a live run. ``moved`` are new
    and not counted yet; ``counted`` are new and ready for long enough. ``kept`` are old
    ones whose successor runs beside them (``twins``: by index), ``kept_up`` those of
    them that are available; ``spent`` may go once they need not be kept, ``surplus`` at
    once. ``going`` are on their way out. ``due`` has who is waited for by the start of
    its deadline, ``ripening`` who is ready by when it became so.
    """

    old: Table[tuple[int, str], None] = Table()
    old_down: Table[tuple[int, str], None] = Table()
    resting: Table[tuple[int, str], None] = Table()
    drained: Table[tuple[int, str], None] = Table()
    living: Table[str, None] = Table()
    moved: Table[str, Moved] = Table()
    due: Table[tuple[Moment, str], None] = Table()
    ripening: Table[tuple[Moment, str], None] = Table()
    counted: Table[str, None] = Table()
    kept: Table[tuple[int, str], None] = Table()
    kept_up: Table[str, None] = Table()
    twins: Table[str, str] = Table()
    spent: Table[tuple[int, str], None] = Table()
    surplus: Table[tuple[int, str], None] = Table()
    going: Table[str, None] = Table()
    lost: Table[tuple[int, str], None] = attrs.field(
        default=Table[tuple[int, str], None](), metadata=LATER
    )

    @property
    def new(self) -> int:
        """Return how many are new."""
        return len(self.moved) + len(self.counted)

    @property
    def unmoved(self) -> int:
        """Return how many are still to be moved, or might be."""
        down = len(self.old_down) + len(self.lost)
        return len(self.old) + down + len(self.resting) + len(self.drained)

    @property
    def first_down(self) -> tuple[int, str] | None:
        """Return the first one that is neither moved nor available."""
        firsts = self.old_down.first(), self.lost.first()
        return min((first[0] for first in firsts if first is not None), default=None)

    @property
    def available(self) -> int:
        """Return how many accept work; who was stopped by the owner is not missed."""
        old = len(self.old) + len(self.resting) + len(self.kept_up)
        return old + len(self.counted)

    @property
    def present(self) -> int:
        """Return how many there are, those on their way out included."""
        return self.new + self.unmoved + len(self.kept) + len(self.going)


@quick
@attrs.frozen(kw_only=True, weakref_slot=False)
class PlatformRoll:
    """What the platform was told to bring to a service, and how far it is.

    ``id`` is its own name of what it does, "" while that is not known; ``given_up`` the
    name of what it did before and did not end. ``updated`` of ``total`` instances have
    the image; ``done``: all have, so that members may move. ``restarted`` are members
    that it had left behind, each once.
    """

    revision: int
    id: str = ""
    given_up: str = ""
    updated: int = 0
    total: int = 0
    done: bool = False
    restarted: tuple[str, ...] = ()


@quick
@attrs.frozen(kw_only=True, weakref_slot=False)
class Rollout:
    """A service on its way from one revision to another.

    ``target`` is the revision that is rolled out, ``previous`` the one before; a
    rollout that reverts goes to ``back_to``. ``step`` counts the steps of the strategy
    that are over, ``goal`` is how many replicas the present one wants new, ``until``
    when a soak ends. ``progress_at`` is when something last became better. ``failures``
    are those of new replicas. ``paused_from`` is where a paused one goes on. ``reason``
    says why it is there, in words. ``roll`` is what the platform itself does for it,
    None: nothing. ``doing`` is what the present step does, ``share`` how many it wants
    new and ``beside`` whether old ones are kept meanwhile; ``promoted`` steps ended by
    the owner's word. ``best`` is the most that ever counted, ``trouble`` the newest
    failure in words. ``wakes_at`` is when time alone changes something about it.
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
    doing: Doing = Doing.ASKING
    share: Share = WHOLE
    promoted: int = 0
    best: int = 0
    trouble: str = ""
    roll: PlatformRoll | None = attrs.field(default=None, metadata=LATER)
    wakes_at: Moment | None = attrs.field(default=None, metadata=LATER)

    @property
    def heading(self) -> int:
        """Return the revision that it is on its way to, or has come to."""
        turned = not _BACK.isdisjoint((self.status, self.paused_from))
        return self.back_to or self.target if turned else self.target


_BACK: Final = frozenset({RolloutStatus.REVERTING, RolloutStatus.REVERTED})


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

    def revision(self, number: int) -> Revision | None:
        """Return a revision that is kept."""
        kept = (each for each in self.revisions if each.number == number)
        return next(kept, None)
