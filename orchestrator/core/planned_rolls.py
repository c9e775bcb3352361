"""Which replicas the rollouts replace that an apply begins, and by what."""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from orchestrator.core.belonging import belonging_to
from orchestrator.core.generations import is_same_process, spec_for, template_of
from orchestrator.core.lineages import Lineage, Rollout
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.standings import is_member
from orchestrator.core.state import Container, Fleet

__all__ = ("PlannedRoll", "rolled_by")


@attrs.frozen(kw_only=True)
class PlannedRoll:
    """What a replica will be; ``spec`` None: it is new, and is that already."""

    spec: ContainerSpec | None
    why: str


def rolled_by(fleet: Fleet, after: Fleet) -> dict[str, PlannedRoll]:
    """Return what becomes of replicas by rollouts that began between two fleets.

    By their names; who stays as it is, or leaves for another reason, is not among them.
    """
    found: dict[str, PlannedRoll] = {}
    for service in after.rolling:
        lineage = after.lineages[service]
        rollout = _begun(fleet.lineages.get(service), lineage)
        if rollout is not None:
            found |= _of(fleet, after, lineage, rollout)
    return found


def _begun(before: Lineage | None, lineage: Lineage) -> Rollout | None:
    """Return the rollout of a service that has begun since; None: none has."""
    old = None if before is None else before.rollout
    now = lineage.rollout
    is_old = old is not None and now is not None and old.target == now.target
    return None if is_old else now


def _of(
    fleet: Fleet, after: Fleet, lineage: Lineage, rollout: Rollout
) -> Iterator[tuple[str, PlannedRoll]]:
    """Yield what becomes of each replica of a service."""
    service = rollout.service
    template = template_of(after.services[service], lineage, rollout.target)
    by = f"by the strategy {rollout.policy.strategy}"
    known = belonging_to(after, service)
    own = [each for each in known if is_member(each, service)]
    staying = {each.spec.replica for each in own if not each.leaving}
    for now in own:
        name, index = now.name, now.spec.replica
        was = fleet.containers.get(name)
        if now.leaving and index not in staying:
            continue  # it goes with its index
        if was is None and now.generation == rollout.target:
            why = "it is made beside the one that it replaces"
            yield name, PlannedRoll(spec=None, why=why)
        elif was is not None and _changes(was, now, rollout.target):
            spec = spec_for(template, index, name)
            way = f"from revision {was.generation} to {rollout.target}"
            yield name, PlannedRoll(spec=spec, why=f"{way}, {by}")


def _changes(was: Container, now: Container, target: int) -> bool:
    """Say whether a replica is, or will be, another process by the rollout."""
    if was.leaving and now.leaving:
        return False
    return now.generation != target or not is_same_process(was.spec, now.spec)
