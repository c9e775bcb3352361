"""What each event does to the fleet, before starts are granted.

Most move one container: it is found, moved (``core.advance``) and put back, and so are
the others of its group. The others take a step of their own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias, get_args

from orchestrator.core.advance import MOVES, Move, advance
from orchestrator.core.autoscale import minding, observe_load
from orchestrator.core.commands import Command, ForgetContainer, ObserveFleet
from orchestrator.core.companions import involve_group
from orchestrator.core.declare import apply_spec, remove_one, start_new
from orchestrator.core.drafts import (
    FleetDraft,
    is_watched,
    place,
)
from orchestrator.core.events import (
    Booted,
    CommandAccepted,
    CommandKind,
    ContainerEvent,
    FleetObserved,
    LifecycleEvent,
    ReconcileRequested,
    RemoveRequested,
    SpecApplied,
    StartRequested,
    TimeReached,
)
from orchestrator.core.loads import LoadObserved, ServiceRolled
from orchestrator.core.looks import look
from orchestrator.core.notices import NoticeDelivered, NoticeFailed
from orchestrator.core.noticing import delivered, failed, given_again
from orchestrator.core.outstanding import outstanding_of
from orchestrator.core.phases import Starting
from orchestrator.core.rollout_requests import request_rollout
from orchestrator.core.rollouts import seen_again, service_rolled
from orchestrator.core.scaling import scale
from orchestrator.core.service_events import (
    AdoptRequested,
    OrphanStopRequested,
    RolloutRequested,
    ScaleRequested,
)
from orchestrator.core.strangers import adopt, evict, meet, stranger_ended

__all__ = ("TURNS", "Orders")

Orders: TypeAlias = tuple[Command, ...]
"""What has to be done."""

_Turn: TypeAlias = Callable[[FleetDraft, Any], Orders]


def _of_one(move: Move, *, hears: bool = False) -> _Turn:
    """Return the turn of a fleet in which *move* moves one container.

    *hears*: the event is of the platform's stream, and may say how far it was heard.
    """

    def turn(draft: FleetDraft, event: Any) -> Orders:
        if hears and event.cursor:
            draft.cursor = event.cursor
        before = draft.containers.get(event.name)
        if before is None:
            return stranger_ended(draft, event)
        after, commands = move(before, event, draft)
        if after is before:
            draft.ignored += not commands
            return commands
        commands += place(draft, before, after)
        if after.spec.group or before.spec.group:
            commands += involve_group(draft, before, after)
        return commands

    return turn


def _of_all(turn: _Turn) -> _Turn:
    """Return a turn after which it is asked again who watches the steps of the fleet.

    Those that move one container only begin no rollout, and change no settings.
    """

    def turned(draft: FleetDraft, event: Any) -> Orders:
        commands = turn(draft, event)
        draft.watched = is_watched(draft)
        return commands

    return turned


_accept: Final = _of_one(MOVES[CommandAccepted])
_reach: Final = _of_one(MOVES[TimeReached])
_start: Final = _of_one(MOVES[StartRequested])


def _accepted(draft: FleetDraft, event: CommandAccepted) -> Orders:
    if event.kind is _FORGET:
        return _forgotten(draft, event)
    return _accept(draft, event)


_FORGET: Final = CommandKind.FORGET


def _timed(draft: FleetDraft, event: TimeReached) -> Orders:
    """Do what is due; no start is given again before the first look after boot.

    The look may show it running; the reconcile that follows does what is due then.
    """
    if event.name is None:
        return look(draft, event)
    if draft.observed:
        return _reach(draft, event)
    before = draft.containers.get(event.name)
    if before is not None and isinstance(before.phase, Starting):
        draft.ignored += 1
        return ()
    return _reach(draft, event)


def _started(draft: FleetDraft, event: StartRequested) -> Orders:
    known = event.name in draft.containers
    return _start(draft, event) if known else start_new(draft, event)


def _boot(draft: FleetDraft, event: Booted) -> tuple[Command, ...]:
    """Take over: nothing starts before the platform was seen.

    What was on its way to whoever is told of trouble may have been lost: it is sent
    once more.
    """
    draft.epoch = max(draft.epoch, event.epoch)
    draft.rules = event.rules
    draft.fences = event.fences
    draft.rolls = event.rolls
    draft.observed = False
    draft.observing = False
    return (*given_again(draft.notices), ObserveFleet())


def _observed(draft: FleetDraft, event: FleetObserved) -> tuple[Command, ...]:
    """Reconcile: do what is due for each container that is not where it should be.

    The first complete look after boot also gives again what was never confirmed.
    """
    draft.observing = False
    if not event.complete:
        return ()
    first = not draft.observed
    draft.observed = True
    draft.observed_at = draft.reconciled_at
    commands: list[Command] = []
    for name in list(draft.diverged):
        before = draft.containers[name]
        due = TimeReached(at=event.at, name=name)
        after, orders = advance(before, due, draft)
        if after is not before:
            orders += place(draft, before, after)
            orders += involve_group(draft, before, after)
        elif first:
            orders += outstanding_of(after)
        commands += orders
    commands = _last_of_each(commands)
    commands += (
        ForgetContainer(name=name, run=run) for name, run in draft.forgetting.items()
    )
    again = seen_again(draft) if first else ()
    return (*commands, *again, *meet(draft, event))


def _last_of_each(commands: list[Command]) -> list[Command]:
    """Keep the last command of each container: its group may have had another word."""
    latest = {getattr(command, "name", None): command for command in commands}
    return list(latest.values())


def _forgotten(draft: FleetDraft, event: CommandAccepted) -> tuple[Command, ...]:
    """Let go of a name that the platform has forgotten.

    A look under way may have begun before and still show it, as a stranger that nobody
    ends: the name is kept until that look is over, and forgotten once more.
    """
    if draft.forgetting.get(event.name) != event.run:
        draft.ignored += 1
    elif not draft.observing:
        draft.forgetting = draft.forgetting.drop(event.name)
    return ()


def _answered(
    draft: FleetDraft, event: NoticeDelivered | NoticeFailed
) -> tuple[Command, ...]:
    """Take in what came of a notice; one that nobody waits for is ignored."""
    before, notify = draft.notices, draft.settings.notify
    if isinstance(event, NoticeDelivered) or notify is None:
        draft.notices = delivered(before, event.number)
    else:
        draft.notices = failed(before, notify, event.number, event.at)
    draft.ignored += draft.notices is before
    return ()


TURNS: Final[dict[type, _Turn]] = {
    **{kind: _of_one(MOVES[kind]) for kind in get_args(ContainerEvent)},
    **{kind: _of_one(MOVES[kind], hears=True) for kind in get_args(LifecycleEvent)},
    CommandAccepted: _accepted,
    TimeReached: _timed,
    StartRequested: _started,
    RemoveRequested: _of_all(remove_one),
    ReconcileRequested: look,
    SpecApplied: _of_all(minding(apply_spec)),
    ScaleRequested: _of_all(minding(scale)),
    AdoptRequested: _of_all(minding(adopt)),
    LoadObserved: _of_all(observe_load),
    RolloutRequested: _of_all(request_rollout),
    ServiceRolled: _of_all(service_rolled),
    OrphanStopRequested: _of_all(evict),
    FleetObserved: _of_all(_observed),
    Booted: _of_all(_boot),
    NoticeDelivered: _answered,
    NoticeFailed: _answered,
}
"""What moves the fleet, by the class of the event: looked up, not matched, for a chain
of classes is walked anew for each event. A test holds it to all there are."""
