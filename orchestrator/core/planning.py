"""What an apply would do, worked out by doing it: to a copy, which costs nothing.

``plan`` lets the request in as ``core.admit`` does, moves the fleet by its event as
``core.reduce`` does, and compares the two fleets. So it is exact: what it says is what
``apply`` then does, and a container that is not named in it keeps its record. Only time
may go on meanwhile: one that waits for its start may get it.

Values are shown through masks (secrets are not); what is compared is what is true.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import Final, assert_never

import attrs
from returns.result import Result

from orchestrator.core.admit import admit
from orchestrator.core.custom import NO_POLICIES, CustomPolicies
from orchestrator.core.errors import RequestError
from orchestrator.core.field_changes import FieldChange, field_changes
from orchestrator.core.fleet_specs import FleetSettings
from orchestrator.core.moments import Moment
from orchestrator.core.origins import Origin
from orchestrator.core.phases import Pending, Stopping, live_run, phase_name
from orchestrator.core.planned_rolls import PlannedRoll, rolled_by
from orchestrator.core.reduce import reduce
from orchestrator.core.requests import Apply
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.state import Container, Fleet

__all__ = ("Masks", "Plan", "PlanAction", "PlannedChange", "plan")


class PlanAction(StrEnum):
    """What becomes of one container.

    ``update``: in place, what runs goes on; ``start``: one that was at rest, or held
    back, starts; ``stop``: it ends, and is then forgotten; ``keep``: it goes on as an
    ad-hoc container; ``forget``: it is looked after no more; ``roll``: the rollout of
    its service replaces it, when its turn comes.
    """

    CREATE = "create"
    UPDATE = "update"
    RESTART = "restart"
    START = "start"
    STOP = "stop"
    KEEP = "keep"
    FORGET = "forget"
    ROLL = "roll"


@attrs.frozen(kw_only=True)
class PlannedChange:
    """What becomes of one container, and why; ``fields`` are those of its spec."""

    name: str
    action: PlanAction
    fields: tuple[FieldChange, ...] = ()
    why: str = ""


@attrs.frozen(kw_only=True)
class Plan:
    """What an apply would do to a fleet.

    ``settings`` are the fields of the fleet's settings and services that change; where
    nothing changes the two revisions are the same.
    """

    fleet: str
    revision_before: int
    revision_after: int
    changes: tuple[PlannedChange, ...] = ()
    settings: tuple[FieldChange, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Say whether the apply would change nothing.

        >>> Plan(fleet="demo", revision_before=3, revision_after=3).is_empty
        True

        """
        return self.revision_before == self.revision_after and not self.changes


@attrs.frozen(kw_only=True)
class Masks:
    """How values are shown: the functions hide what looks secret."""

    spec: Callable[[ContainerSpec], ContainerSpec]
    settings: Callable[[FleetSettings], FleetSettings]


def plan(
    fleet: Fleet,
    request: Apply,
    at: Moment,
    policies: CustomPolicies = NO_POLICIES,
    *,
    masks: Masks,
) -> Result[Plan, RequestError]:
    """Say what an apply would do at a moment, or why it would be refused."""

    def planned(after: Fleet, touched: tuple[str, ...]) -> Plan:
        was, now = fleet.settings, after.settings
        shown = masks.settings(was), masks.settings(now)
        changes = tuple(_changes(fleet, after, touched, masks))
        return Plan(
            fleet=after.name,
            revision_before=fleet.revision,
            revision_after=after.revision,
            changes=changes,
            settings=(
                *field_changes((was, now), shown),
                *_of_services(fleet, after, masks),
                *_running(fleet, after, frozenset(each.name for each in changes)),
            ),
        )

    return (
        admit(fleet, request, max(at, fleet.at), policies)
        .map(lambda event: reduce(fleet, event, policies))
        .map(lambda moved: planned(moved.fleet, moved.touched))
    )


def _changes(
    fleet: Fleet, after: Fleet, touched: tuple[str, ...], masks: Masks
) -> Iterator[PlannedChange]:
    rolled = rolled_by(fleet, after)
    for name in sorted({*touched, *rolled}):
        was, now = fleet.containers.get(name), after.containers.get(name)
        if name in rolled:
            yield _rolled(rolled[name], name, was, masks)
            continue
        action = _action(was, now)
        if action is None:
            continue
        fields = () if was is None or now is None else tuple(_fields(was, now, masks))
        why = _why(action, was, is_stranger=name in fleet.strangers)
        yield PlannedChange(name=name, action=action, fields=fields, why=why)


def _rolled(
    roll: PlannedRoll, name: str, was: Container | None, masks: Masks
) -> PlannedChange:
    """Say what becomes of a replica whose service is rolled out: when its turn comes.

    Who is new was made beside another one, in the step that begins the rollout.
    """
    if was is None or roll.spec is None:
        return PlannedChange(name=name, action=PlanAction.CREATE, why=roll.why)
    shown = masks.spec(was.spec), masks.spec(roll.spec)
    fields = tuple(field_changes((was.spec, roll.spec), shown))
    action = PlanAction.ROLL
    why = f"{_why(action, was, is_stranger=False)} {roll.why}"
    return PlannedChange(name=name, action=action, fields=fields, why=why)


def _fields(was: Container, now: Container, masks: Masks) -> Iterator[FieldChange]:
    if was.spec != now.spec:
        specs = was.spec, now.spec
        yield from field_changes(specs, (masks.spec(was.spec), masks.spec(now.spec)))
    origins = was.origin, now.origin
    yield from field_changes(origins, origins, "origin")


def _of_services(fleet: Fleet, after: Fleet, masks: Masks) -> Iterator[FieldChange]:
    """Yield how many replicas are asked for; the rest is told of each of them.

    Where there is none of them, what they would be is told here.
    """
    for name in sorted({*fleet.services, *after.services}):
        was, now = fleet.services.get(name), after.services.get(name)
        before = None if was is None else str(was.replicas)
        later = None if now is None else str(now.replicas)
        if before != later:
            path = f"services.{name}.replicas"
            yield FieldChange(path=path, before=before, after=later)
        if was is None or now is None:
            continue
        declared = was.declared, now.declared
        if before == later:
            yield from field_changes(declared, declared, f"services.{name}.declared")
        if not now.replicas:
            values = was.template, now.template
            shown = masks.spec(was.template), masks.spec(now.template)
            yield from field_changes(values, shown, f"services.{name}.template")


def _running(
    fleet: Fleet, after: Fleet, changed: frozenset[str]
) -> Iterator[FieldChange]:
    """Yield the services whose new template is what their replicas are made of now.

    So it is where a file goes back to what runs since a rollout was reverted.
    """
    moved = {
        container.spec.service
        for container in after.containers.values()
        if container.name in changed
    }
    for name, now in after.services.items():
        was = fleet.services.get(name)
        if was is None or not now.replicas or name in moved:
            continue
        if was.template != now.template:
            yield FieldChange(
                path=f"services.{name}.template",
                before="another one",
                after="what runs already",
            )


def _action(was: Container | None, now: Container | None) -> PlanAction | None:
    """Return what becomes of a container; None where it is only what was due.

    One that waited may start, one that leaves may end. Who was held back by others of
    its group, and is not any more, starts because of what is declared.
    """
    if was is None or now is None:
        if now is not None:
            return PlanAction.CREATE
        return None if was is None else PlanAction.FORGET
    if now.leaving and not was.leaving:
        return PlanAction.STOP
    if now.origin is not was.origin and now.origin is Origin.AD_HOC:
        return PlanAction.KEEP
    if now.desired.running and not was.desired.running:
        return PlanAction.UPDATE if _goes_on(was, now) else PlanAction.START
    if now.revision != was.revision:
        return _renewed(was, now)
    if now.origin is not was.origin:
        return PlanAction.UPDATE
    is_let_go = now.desired.running and not isinstance(was.phase, Pending)
    return PlanAction.START if is_let_go and was != now else None


def _renewed(was: Container, now: Container) -> PlanAction:
    """Return what a new revision means for a container, which shall run now."""
    if live_run(was.phase) is None:
        waits = isinstance(was.phase, Pending)
        return PlanAction.UPDATE if waits else PlanAction.START
    goes_on = now.started_revision == now.revision
    return PlanAction.UPDATE if goes_on else PlanAction.RESTART


def _goes_on(was: Container, now: Container) -> bool:
    """Say whether the run is the same, and nobody has begun to end it."""
    run = live_run(now.phase)
    is_same = run is not None and run == live_run(was.phase)
    return is_same and not isinstance(now.phase, Stopping)


_LEFT: Final = "its spec has left the fleet"
_OF_ITS_NAME: Final = (
    "the platform has an orphan of its name, which is ended for it, without grace"
)


def _why(action: PlanAction, was: Container | None, *, is_stranger: bool) -> str:
    match action:
        case PlanAction.CREATE if is_stranger:
            return f"it is new to the fleet; {_OF_ITS_NAME}"
        case PlanAction.CREATE:
            return "it is new to the fleet"
        case PlanAction.UPDATE:
            return "no run of it is ended for that"
        case PlanAction.RESTART:
            return "what it was started with has changed"
        case PlanAction.START:
            return "" if was is None else _why_started(was)
        case PlanAction.STOP:
            return f"{_LEFT}: it is stopped, then forgotten"
        case PlanAction.KEEP:
            return f"{_LEFT}: it goes on as an ad-hoc container"
        case PlanAction.FORGET:
            lives = was is not None and live_run(was.phase) is not None
            return f"{_LEFT}: {'it goes on, left alone' if lives else 'it is at rest'}"
        case PlanAction.ROLL:
            return "its service is rolled out,"
        case _:
            assert_never(action)


def _why_started(was: Container) -> str:
    if was.leaving:
        return "it was about to leave the fleet, and is declared again"
    if not was.desired.running:
        return "it was stopped by request; a changed spec starts it again"
    return f"it was {phase_name(was.phase).replace('_', ' ')}, and begins anew"
