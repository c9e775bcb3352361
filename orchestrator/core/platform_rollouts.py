"""What the platform itself does for a rollout, where image and size are a service's.

```
begins, or turns back ─▶ RollService ─▶ the platform replaces instances
                             ▲               │ ServiceRolled: progressing, done, failed
       given again at boot ──┘               ▼
              members that differ in image and size alone are moved as they run;
              all others go the way of every rollout
```

Cloudflare's ``default`` policy gives one image and one size to all instances of a
service. There no container can be moved alone: the platform is told once, and the
machine of ``core.rollouts`` waits until it has said that every instance has the image.
The members' runs end as ``RolledOut`` meanwhile and begin again, which is no failure.
Those that it leaves behind, though it calls its rollout over, are started anew by us.

How long that may take is the rollout's ``progress_deadline_ms``; what counts as
progress is said here: an instance more that has the image, or the platform's first word
that it has begun.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, assert_never

from orchestrator.core.commands import Command, RollService
from orchestrator.core.drafts import FleetDraft, place
from orchestrator.core.evolving import evolve
from orchestrator.core.exits import RolledOut
from orchestrator.core.fingerprints import fingerprint
from orchestrator.core.lineages import (
    ENDED,
    Lineage,
    PlatformRoll,
    Rollout,
    RolloutStatus,
)
from orchestrator.core.loads import RollOutcome, ServiceRolled
from orchestrator.core.moments import Moment
from orchestrator.core.moves import order_stop
from orchestrator.core.phases import Stopping, live_run
from orchestrator.core.renewals import redeclare
from orchestrator.core.rosters import names_in
from orchestrator.core.services import Service, replica_of
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.standings import is_up
from orchestrator.core.state import Container
from orchestrator.core.under_way import keep

__all__ = ("awaits_platform", "prepared", "rolls_again", "stuck_words", "take_rolled")


class _Lineages(Protocol):
    """What a table of lineages and one that is changed in place both offer."""

    def get(self, key: str, /) -> Lineage | None: ...


class Rolling(Protocol):
    """What a fleet and its draft both say about rollouts under way."""

    @property
    def rolls(self) -> bool: ...
    @property
    def rolling(self) -> Iterable[str]: ...
    @property
    def lineages(self) -> _Lineages: ...


def awaits_platform(rollout: Rollout) -> bool:
    """Say whether members wait until the platform has brought the image."""
    return rollout.roll is not None and not rollout.roll.done


def stuck_words(rollout: Rollout) -> str:
    """Say how far the platform has come with what does not get further."""
    roll = rollout.roll or PlatformRoll(revision=rollout.target)
    found = f"the platform has brought it to {roll.updated} of {roll.total} instances"
    is_first = rollout.status is RolloutStatus.PREPARING
    return f"{found}; {rollout.reason}" if is_first and rollout.reason else found


def rolls_again(
    fleet: Rolling, services: Iterable[str] | None = None
) -> tuple[RollService, ...]:
    """Return what the platform was told and has not finished, in the order of names.

    It is given again after a boot, and of *services* that are resumed; the platform
    takes it for the same. While one is paused nobody asks for it.
    """
    if not fleet.rolls:
        return ()
    names = fleet.rolling if services is None else services
    found = ((name, _under_way(fleet.lineages.get(name))) for name in names)
    return tuple(
        RollService(service=name, revision=rollout.roll.revision)
        for name, rollout in found
        if rollout is not None
        and rollout.status is not RolloutStatus.PAUSED
        and rollout.roll is not None
        and not rollout.roll.done
    )


def prepared(
    draft: FleetDraft, lineage: Lineage, rollout: Rollout, revision: int
) -> tuple[Rollout, tuple[Command, ...]]:
    """Have the platform bring the image of a revision, where that is another one.

    *rollout* begins, or turns back. One that is not to wait is returned as it is.
    """
    if not draft.rolls:
        return (evolve(rollout, roll=None) if rollout.roll else rollout), ()
    wanted = _template(lineage, revision)
    last = _last(lineage, rollout)
    if wanted is None or _has_shape(lineage, rollout, last, wanted):
        return rollout, ()
    unfinished = last is not None and not last.done
    given_up = last.id or last.given_up if last is not None and unfinished else ""
    roll = PlatformRoll(revision=revision, given_up=given_up)
    waiting = evolve(rollout, roll=roll)
    if waiting.status is not RolloutStatus.REVERTING:
        waiting = evolve(waiting, status=RolloutStatus.PREPARING)
    return waiting, (RollService(service=rollout.service, revision=revision),)


def _last(lineage: Lineage, rollout: Rollout) -> PlatformRoll | None:
    """Return what the platform was told last."""
    newest = (rollout, lineage.rollout, *reversed(lineage.past))
    return next((one.roll for one in newest if one is not None and one.roll), None)


def _has_shape(
    lineage: Lineage, rollout: Rollout, last: PlatformRoll | None, wanted: ContainerSpec
) -> bool:
    """Say whether the service surely has the image and the size that are wanted.

    It has what the platform was last told, once that is done; what was given up may be
    half done, and is never taken for granted.
    """
    if last is not None and not last.done:
        return False
    number = rollout.previous if last is None else last.revision
    standing = _template(lineage, number)
    return standing is not None and _shape(standing) == _shape(wanted)


def _shape(spec: ContainerSpec) -> tuple[object, object]:
    return spec.image, spec.instance_type


def _template(lineage: Lineage, number: int) -> ContainerSpec | None:
    revision = lineage.revision(number)
    return None if revision is None else revision.template


def _under_way(lineage: Lineage | None) -> Rollout | None:
    rollout = None if lineage is None else lineage.rollout
    return None if rollout is None or rollout.status in ENDED else rollout


def take_rolled(
    draft: FleetDraft, event: ServiceRolled
) -> tuple[tuple[Command, ...], str]:
    """Take in what the platform tells; the text says why it has failed, if it has.

    What is not about the revision that is waited for is ignored.
    """
    lineage = draft.lineages.get(event.service)
    rollout = _under_way(lineage)
    roll = None if rollout is None else rollout.roll
    is_awaited = roll is not None and not roll.done and roll.revision == event.revision
    if lineage is None or rollout is None or roll is None or not is_awaited:
        draft.ignored += 1
        return (), ""
    match event.outcome:
        case RollOutcome.PROGRESSING:
            further = _further(rollout, roll, event)
            further, commands = _mended(draft, further, event)
            keep(draft, lineage, further)
            return commands, ""
        case RollOutcome.DONE:
            keep(draft, lineage, _done(rollout, roll, event))
            return _moved_as_they_run(draft, lineage, rollout, event.at), ""
        case RollOutcome.FAILED:
            keep(draft, lineage, _given_up(_further(rollout, roll, event)))
            return (), event.cause or "the platform has given its rollout up"
        case _:
            assert_never(event.outcome)


def _further(rollout: Rollout, roll: PlatformRoll, event: ServiceRolled) -> Rollout:
    """Note how far the platform is; only what is better than ever is progress."""
    is_better = event.updated > roll.updated or bool(event.id and not roll.id)
    further = evolve(
        roll,
        id=event.id or roll.id,
        updated=max(roll.updated, event.updated),
        total=event.total,
    )
    progress_at = event.at if is_better else rollout.progress_at
    told = evolve(rollout, roll=further, progress_at=progress_at)
    is_first = rollout.status is RolloutStatus.PREPARING
    return evolve(told, reason=event.cause) if is_first else told


def _given_up(rollout: Rollout) -> Rollout:
    """Begin the platform's part anew, for whenever it is asked for again."""
    over = rollout.roll or PlatformRoll(revision=rollout.target)
    anew = PlatformRoll(revision=over.revision, given_up=over.id or over.given_up)
    return evolve(rollout, roll=anew)


def _mended(
    draft: FleetDraft, rollout: Rollout, event: ServiceRolled
) -> tuple[Rollout, tuple[Command, ...]]:
    """Start members anew that were left behind: each once, within the bounds.

    An instance takes the image of its service when it starts.
    """
    roll = rollout.roll
    if roll is None or not event.behind:
        return rollout, ()
    present = _members(draft, rollout)
    down = sum(not is_up(each) for each in present)
    room = max(0, max(1, rollout.policy.unavailable(len(present))) - down)
    left = [
        each
        for each in present
        if each.name in event.behind
        and each.name not in roll.restarted
        and is_up(each)
        and live_run(each.phase) is not None
    ]
    commands: list[Command] = []
    for before in left[:room]:
        after, orders = order_stop(before, event.at, RolledOut())
        commands += (*orders, *place(draft, before, after))
    restarted = (*roll.restarted, *(each.name for each in left[:room]))
    roll = evolve(roll, restarted=restarted)
    return evolve(rollout, roll=roll), tuple(commands)


def _members(draft: FleetDraft, rollout: Rollout) -> list[Container]:
    found = (draft.containers[name] for name in names_in(rollout.roster))
    return [each for each in found if not each.leaving]


def _done(rollout: Rollout, roll: PlatformRoll, event: ServiceRolled) -> Rollout:
    """Let the rollout go on: members may move."""
    over = evolve(roll, updated=event.updated, total=event.total, done=True)
    free = evolve(rollout, roll=over, progress_at=event.at)
    if rollout.status is RolloutStatus.PREPARING:
        goes_on = evolve(free, status=RolloutStatus.PROGRESSING, reason="")
        return evolve(goes_on, since=event.at)
    if rollout.paused_from is RolloutStatus.PREPARING:
        return evolve(free, paused_from=RolloutStatus.PROGRESSING)
    return free


def _moved_as_they_run(
    draft: FleetDraft, lineage: Lineage, rollout: Rollout, at: Moment
) -> tuple[Command, ...]:
    """Move members whose run is the new one already: its image has come to it."""
    revision = rollout.heading
    template = _template(lineage, revision)
    if template is None:  # what is told of a lineage that has lost its revision
        return ()
    commands: list[Command] = []
    for before in _members(draft, rollout):
        after, orders = _moved(before, template, revision, at)
        if after is not before:
            commands += (*orders, *place(draft, before, after))
    return tuple(commands)


def _moved(
    container: Container, template: ContainerSpec, revision: int, at: Moment
) -> tuple[Container, tuple[Command, ...]]:
    """Return a member under another revision, if it runs and only its image differs.

    Its group and whom it depends on are not of a revision, and stay.
    """
    is_alive = live_run(container.phase) is not None
    if not is_alive or isinstance(container.phase, Stopping):
        return container, ()
    service = Service(template=template, replicas=1)
    own = container.spec
    replica = replica_of(service, own.replica)
    spec = evolve(
        replica, name=container.name, group=own.group, depends_on=own.depends_on
    )
    shaped = evolve(container.spec, image=spec.image, instance_type=spec.instance_type)
    if container.generation == revision or fingerprint(shaped) != fingerprint(spec):
        return container, ()
    rolled = evolve(container, spec=shaped, generation=revision, changed_at=at)
    return redeclare(rolled, spec, at)
