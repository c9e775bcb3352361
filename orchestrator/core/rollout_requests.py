"""What an owner may ask of the rollout of a service, and what comes of it.

| asked for | where | what comes of it |
|---|---|---|
| ``start`` | no rollout is under way | all anew; or again what was reverted, or held |
| ``pause`` | it is under way | nothing moves until it is resumed |
| ``resume`` | it is paused | it goes on; what has failed is forgiven |
| ``promote`` | it waits for that, or soaks | the next step |
| ``abort`` | it is under way, and not on its way back | back to the revision before |
| ``undo`` | an earlier revision is kept | its template again, under a new number |
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from returns.result import Failure, Result, Success

from orchestrator.core.commands import Command
from orchestrator.core.drafts import FleetDraft
from orchestrator.core.errors import (
    InvalidSpec,
    RequestError,
    RolloutNotFound,
    RolloutRefused,
    ServiceNotFound,
)
from orchestrator.core.evolving import evolve
from orchestrator.core.generations import first_lineage, is_same_process, template_of
from orchestrator.core.lineages import (
    Lineage,
    Outcome,
    Revision,
    Rollout,
    RolloutAction,
    RolloutStatus,
)
from orchestrator.core.moments import Moment
from orchestrator.core.names import NAME_LENGTH_MAX
from orchestrator.core.platform_rollouts import rolls_again
from orchestrator.core.requests import Roll
from orchestrator.core.rollout_policies import BUILT_IN, RolloutPolicy
from orchestrator.core.rollout_steps import forgiven_time, over
from orchestrator.core.rollout_turns import begin, revert
from orchestrator.core.service_events import RolloutRequested
from orchestrator.core.services import Service
from orchestrator.core.start_specs import invalid
from orchestrator.core.state import Desired, Fleet
from orchestrator.core.under_way import keep, names_of

__all__ = ("may", "request_rollout", "rolled", "wrong_names")

_STOPPABLE: Final = frozenset(
    {
        RolloutStatus.PREPARING,
        RolloutStatus.PROGRESSING,
        RolloutStatus.SOAKING,
        RolloutStatus.AWAITING_PROMOTION,
    }
)
_ALLOWED: Final[dict[RolloutAction, frozenset[RolloutStatus]]] = {
    RolloutAction.PAUSE: _STOPPABLE | {RolloutStatus.REVERTING},
    RolloutAction.RESUME: frozenset({RolloutStatus.PAUSED}),
    RolloutAction.PROMOTE: frozenset(
        {RolloutStatus.AWAITING_PROMOTION, RolloutStatus.SOAKING}
    ),
    RolloutAction.ABORT: _STOPPABLE | {RolloutStatus.PAUSED},
}
"""In which states of a rollout under way something may be asked of it."""

_AGAIN: Final = frozenset({RolloutStatus.REVERTED, RolloutStatus.HELD})


# Asked for


def rolled(
    fleet: Fleet, request: Roll, at: Moment
) -> Result[RolloutRequested, RequestError]:
    """Answer a wish about a service's rollout."""
    service = fleet.services.get(request.service)
    if service is None:
        return Failure(ServiceNotFound(name=request.service))
    refusal = _refusal(fleet.lineages.get(service.name), request)
    if refusal is not None:
        return Failure(refusal)
    return Success(
        RolloutRequested(
            at=at,
            service=service.name,
            action=request.action,
            to=request.to,
            by=request.by,
            why=request.why,
        )
    )


def _refusal(
    lineage: Lineage | None, request: Roll
) -> RolloutNotFound | RolloutRefused | None:
    service, action = request.service, request.action
    under_way = None if lineage is None else lineage.rollout
    match action:
        case RolloutAction.START if under_way is not None:
            return RolloutRefused(
                service=service, action=action.value, status=under_way.status.value
            )
        case RolloutAction.START:
            return None
        case RolloutAction.UNDO:
            if lineage is None or _earlier(lineage, request.to) is None:
                is_undo = lineage is not None and request.to is None
                return RolloutNotFound(
                    service=service, revision=request.to, is_undo=is_undo
                )
            return None
        case _:
            return _not_now(lineage, service, action)


def _not_now(
    lineage: Lineage | None, service: str, action: RolloutAction
) -> RolloutNotFound | RolloutRefused | None:
    newest = None if lineage is None else _newest(lineage)
    if newest is None:
        return RolloutNotFound(service=service)
    if may(newest, action):
        return None
    return RolloutRefused(
        service=service, action=action.value, status=newest.status.value
    )


def _newest(lineage: Lineage) -> Rollout | None:
    past = lineage.past[-1] if lineage.past else None
    return lineage.rollout or past


def may(rollout: Rollout, action: RolloutAction) -> bool:
    """Say whether something may be asked of a rollout where it is now."""
    is_back = rollout.paused_from is RolloutStatus.REVERTING
    if action is RolloutAction.ABORT and is_back:
        return False
    return rollout.status in _ALLOWED.get(action, ())


def _earlier(lineage: Lineage, to: int | None) -> Revision | None:
    """Return the revision to go back to: the one asked for, or the newest good one.

    While none is under way, that is one whose replicas are not alike those there are.
    What was held has left some of its revision: of that all come back.
    """
    if to is not None:
        return lineage.revision(to)
    rollout = lineage.rollout or _left_half_way(lineage)
    present = lineage.serving if rollout is None else rollout.heading
    now = None if rollout is not None else lineage.revision(present)
    good = (
        one
        for one in reversed(lineage.revisions)
        if one.outcome is Outcome.GOOD
        and one.number != present
        and (now is None or not is_same_process(one.template, now.template))
    )
    return next(good, None)


def _left_half_way(lineage: Lineage) -> Rollout | None:
    """Return the newest rollout where it was held and nothing else came since."""
    newest = _newest(lineage)
    if newest is None or newest.status is not RolloutStatus.HELD:
        return None
    served = {newest.previous, newest.back_to} - {newest.target}
    return newest if lineage.serving in served else None


BESIDE_ROOM: Final = len("-9999.r99999")
"""Letters that the name of a replica may need behind that of its service."""


def wrong_names(services: tuple[Service, ...]) -> InvalidSpec | None:
    """Say whether the name of a service leaves no room for replicas made beside."""
    longest = NAME_LENGTH_MAX - BESIDE_ROOM
    for service in services:
        policy, length = service.rollout, len(service.name)
        if policy is not None and length > longest and _makes_beside(policy):
            expected = (
                f"a name of at most {longest} letters: replicas run beside others"
            )
            return invalid(f"{service.name}.rollout", expected, f"one of {length}")
    return None


def _makes_beside(policy: RolloutPolicy) -> bool:
    is_plain = policy.strategy in BUILT_IN and policy.strategy != "blue_green"
    return not is_plain or policy.max_surge.value > 0


# Taken in


def request_rollout(draft: FleetDraft, event: RolloutRequested) -> tuple[Command, ...]:
    """Do what was asked of a rollout; what no longer applies is ignored."""
    service = draft.services.get(event.service)
    lineage = draft.lineages.get(event.service)
    under_way = None if lineage is None else lineage.rollout
    is_start = event.action is RolloutAction.START and under_way is None
    if service is not None and (is_start or event.action is RolloutAction.UNDO):
        return _anew(draft, service, event)
    if lineage is None or under_way is None or not may(under_way, event.action):
        draft.ignored += 1
        return ()
    if event.action is RolloutAction.ABORT:
        by = f"it was aborted by {event.by}"
        reason = f"{by}: {event.why}" if event.why else by
        return revert(draft, event.service, under_way.previous, reason)
    keep(draft, lineage, _CHANGES[event.action](under_way, event))
    is_resumed = event.action is RolloutAction.RESUME
    return rolls_again(draft, (event.service,)) if is_resumed else ()


def _paused(rollout: Rollout, event: RolloutRequested) -> Rollout:
    reason = f"it was paused by {event.by}"
    return evolve(
        rollout,
        status=RolloutStatus.PAUSED,
        paused_from=rollout.status,
        since=event.at,
        reason=f"{reason}: {event.why}" if event.why else reason,
    )


def _promoted(rollout: Rollout, event: RolloutRequested) -> Rollout:
    return over(rollout, event.at, promoted=True)


def _resumed(rollout: Rollout, event: RolloutRequested) -> Rollout:
    """Go on where it was paused: no time has passed, and no failure counts."""
    at, until = event.at, rollout.until
    gone_on = evolve(
        rollout,
        status=rollout.paused_from or RolloutStatus.PROGRESSING,
        paused_from=None,
        since=at,
        until=None if until is None else until + at - rollout.since,
        failures=0,
        trouble="",
        reason="",
    )
    return forgiven_time(gone_on, at)


_CHANGES: Final[dict[RolloutAction, Callable[[Rollout, RolloutRequested], Rollout]]] = {
    RolloutAction.PAUSE: _paused,
    RolloutAction.RESUME: _resumed,
    RolloutAction.PROMOTE: _promoted,
}


def _anew(
    draft: FleetDraft, service: Service, event: RolloutRequested
) -> tuple[Command, ...]:
    """Begin a rollout that no file asks for."""
    known = draft.lineages.get(service.name)
    lineage = known or first_lineage(service.template, event.at)
    target, anew = _wanted(lineage, service, event)
    if target is None:
        draft.ignored += 1
        return ()
    draft.lineages = draft.lineages.put(service.name, lineage)
    draft.revision += 1
    asked = Desired(running=True, by=event.by, why=event.why, at=event.at)
    names = names_of(draft, service.name)
    return begin(draft, target, asked, names, anew=anew)


def _is_asked(again: Revision, service: Service) -> bool:
    """Say whether the file still asks for a revision that has failed."""
    return is_same_process(again.template, service.template)


def _wanted(
    lineage: Lineage, service: Service, event: RolloutRequested
) -> tuple[Revision | None, bool]:
    """Return the revision that is asked for, and whether all begin anew for it."""
    newest = lineage.past[-1] if lineage.past else None
    if event.action is RolloutAction.START and newest is not None:
        again = lineage.revision(newest.target)
        if newest.status in _AGAIN and again is not None and _is_asked(again, service):
            return evolve(again, outcome=Outcome.UNPROVEN), False
    if event.action is RolloutAction.START:
        template, anew = template_of(service, lineage), True
    else:
        earlier = _earlier(lineage, event.to)
        if earlier is None:
            return None, False
        template, anew = earlier.template, False
    return Revision(
        number=lineage.count + 1,
        template=template,
        at=event.at,
        by=event.by,
        why=event.why,
    ), anew
