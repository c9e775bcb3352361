"""What can be asked and read of the rollouts of services.

A request is answered when it is durable, with the rollout as it is then; who wants to
know how it ends waits for that. ``rollout_history`` tells what each revision changed,
without what looks secret.
"""

from __future__ import annotations

import attrs
from returns.future import FutureResult
from returns.result import Failure, Result, Success

from orchestrator.core.errors import (
    ContainerError,
    InvalidSpec,
    Problem,
    RolloutNotFound,
    ServiceNotFound,
)
from orchestrator.core.field_changes import FieldChange, field_changes
from orchestrator.core.lineages import (
    ENDED,
    Lineage,
    Outcome,
    Revision,
    Rollout,
    RolloutAction,
    RolloutStatus,
)
from orchestrator.core.moments import Millis, Moment
from orchestrator.core.requests import Roll
from orchestrator.core.rollout_info import RolloutInfo, rollout_info, rollout_infos
from orchestrator.core.state import Fleet
from orchestrator.core.tickets import Ticket
from orchestrator.replay.places import Place
from orchestrator.runtime import waits
from orchestrator.runtime.masks import masked_spec
from orchestrator.runtime.scales import Scales
from orchestrator.runtime.steps import Asked, Heard
from orchestrator.runtime.views import View

__all__ = ("EndedRollout", "RevisionInfo", "Rollings", "RolloutHistory")


@attrs.frozen(kw_only=True)
class RevisionInfo:
    """A revision of a service: who asked for it, what became of it, what it changed.

    ``changes`` are the fields in which it differs from the revision before that is
    kept; the oldest one has none.
    """

    number: int
    at: Moment
    by: str
    why: str
    outcome: Outcome
    serving: bool
    changes: tuple[FieldChange, ...] = ()


@attrs.frozen(kw_only=True)
class EndedRollout:
    """A rollout of a service that is over, and why it ended so."""

    revision: int
    previous: int
    back_to: int | None
    strategy: str
    status: RolloutStatus
    began_at: Moment
    ended_at: Moment | None
    failures: int
    reason: str
    by: str
    why: str


@attrs.frozen(kw_only=True)
class RolloutHistory:
    """What is kept of the past of a service, the newest last.

    New replicas are made of revision ``serving``; ``good`` is the newest that was
    wholly healthy, 0 where none was.
    """

    service: str
    serving: int
    good: int
    revisions: tuple[RevisionInfo, ...]
    rollouts: tuple[EndedRollout, ...]


class Rollings(Scales):
    """Rollouts of an operator's services; ``Operator`` adds all the rest."""

    def list_rollouts(
        self, *, at: Place | None = None
    ) -> FutureResult[tuple[RolloutInfo, ...], ContainerError]:
        """Return the newest rollout of each service that had one, now or at a place."""
        return self.view(at).map(lambda view: rollout_infos(view.fleet, view.at))

    def get_rollout(
        self, service: str, *, at: Place | None = None
    ) -> FutureResult[RolloutInfo, ContainerError]:
        """Return the newest rollout of a service, now or at a place."""

        def info(view: View) -> Result[RolloutInfo, ContainerError]:
            return self._newest(view.fleet, service, view.at)

        return self.view(at).bind_result(info)

    def rollout_history(
        self, service: str
    ) -> FutureResult[RolloutHistory, ContainerError]:
        """Return the revisions of a service that are kept, and its ended rollouts."""
        fleet = self.fleet
        lineage = fleet.lineages.get(service)
        if service not in fleet.services:
            return FutureResult.from_failure(ServiceNotFound(name=service))
        if lineage is None:
            return FutureResult.from_failure(RolloutNotFound(service=service))
        return FutureResult.from_value(_history(service, lineage))

    def rollout(
        self,
        service: str,
        action: RolloutAction | str = RolloutAction.START,
        *,
        to: int | None = None,
        by: str = "owner",
        why: str = "",
        ticket: Ticket | None = None,
        heard: Heard | None = None,
    ) -> FutureResult[RolloutInfo, ContainerError]:
        """Ask something of a service's rollout; *to* is the revision of an undo.

        ``start`` rolls all replicas out anew, or once more to a revision that was
        reverted or held.
        """
        if action not in set(RolloutAction):
            return FutureResult.from_failure(_no_action(action))
        request = Roll(
            service=service,
            action=RolloutAction(action),
            to=to,
            by=by,
            why=why,
            ticket=ticket,
        )

        def info(asked: Asked) -> Result[RolloutInfo, ContainerError]:
            return self._newest(asked.fleet, service, asked.at)

        done = FutureResult(waits.asked(self._engine, request, heard))
        return done.bind_result(info)

    def wait_for_rollout(
        self, service: str, *, limit_ms: Millis | None = None
    ) -> FutureResult[RolloutInfo, ContainerError]:
        """Wait until the newest rollout of a service has ended, however it ends.

        Where another one takes its place that one is waited for.
        """
        return FutureResult(self._ended_rollout(service, limit_ms))

    async def _ended_rollout(
        self, service: str, limit_ms: Millis | None
    ) -> Result[RolloutInfo, ContainerError]:
        def is_over() -> bool:
            lineage = self.fleet.lineages.get(service)
            rollout = None if lineage is None else lineage.rollout
            return rollout is None or rollout.status in ENDED

        if not await waits.until(self._engine, is_over, limit_ms):
            late: Result[RolloutInfo, ContainerError] = waits.not_yet(
                self._engine, limit_ms
            )
            return late
        return self._newest(self.fleet, service, self.now)

    def _newest(
        self, fleet: Fleet, service: str, now: Moment
    ) -> Result[RolloutInfo, ContainerError]:
        """Tell of the newest rollout; its replicas are not searched for in a fleet."""
        if service not in fleet.services:
            return Failure(ServiceNotFound(name=service))
        among = self._loop.members.of(fleet, service)
        info = rollout_info(fleet, service, now, among)
        if info is None:
            return Failure(RolloutNotFound(service=service))
        return Success(info)


def _no_action(found: str) -> InvalidSpec:
    known = ", ".join(action.value for action in RolloutAction)
    return InvalidSpec(
        problems=(
            Problem(place="action", expected=f"one of {known}", found=repr(found)),
        )
    )


def _history(service: str, lineage: Lineage) -> RolloutHistory:
    revisions: list[RevisionInfo] = []
    before: Revision | None = None
    for revision in lineage.revisions:
        changes = () if before is None else _changes(before, revision)
        revisions.append(
            RevisionInfo(
                number=revision.number,
                at=revision.at,
                by=revision.by,
                why=revision.why,
                outcome=revision.outcome,
                serving=revision.number == lineage.serving,
                changes=changes,
            )
        )
        before = revision
    return RolloutHistory(
        service=service,
        serving=lineage.serving,
        good=lineage.good,
        revisions=tuple(revisions),
        rollouts=tuple(map(_ended, lineage.past)),
    )


def _changes(before: Revision, after: Revision) -> tuple[FieldChange, ...]:
    values = before.template, after.template
    shown = masked_spec(before.template), masked_spec(after.template)
    return tuple(field_changes(values, shown))


def _ended(rollout: Rollout) -> EndedRollout:
    return EndedRollout(
        revision=rollout.target,
        previous=rollout.previous,
        back_to=rollout.back_to,
        strategy=rollout.policy.strategy,
        status=rollout.status,
        began_at=rollout.began_at,
        ended_at=rollout.ended_at,
        failures=rollout.failures,
        reason=rollout.reason,
        by=rollout.by,
        why=rollout.why,
    )
