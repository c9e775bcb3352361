"""What a replica is made of, where its service has had several revisions.

A revision is a template with a number. What the operator does about a run (its restart
policy, its checks, its grace) is not the revision's but the service's: a change of it
reaches all replicas at once. So do the group and the dependencies, also while replicas
of several revisions run: nobody waits for a service that the fleet has no more.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import attrs

from orchestrator.core.evolving import evolve
from orchestrator.core.fingerprints import is_same_process
from orchestrator.core.lineages import KEPT_MAX, Lineage, Outcome, Revision
from orchestrator.core.moments import Moment
from orchestrator.core.services import Service, replica_of
from orchestrator.core.specs import ContainerSpec

__all__ = (
    "adapted",
    "alike",
    "first_lineage",
    "is_same_process",
    "judge",
    "spec_for",
    "template_of",
    "trimmed",
    "with_handling",
    "with_needs",
    "with_revision",
)

_NEEDS: Final = ("group", "depends_on")
_HANDLING: Final = (
    *_NEEDS,
    "restart",
    "stop_signal",
    "stop_grace_ms",
    "start_timeout_ms",
    "keep_alive",
    "health",
)


def spec_for(template: ContainerSpec, index: int, name: str = "") -> ContainerSpec:
    """Return the spec of a replica; *name* where it has not the plain one."""
    spec = replica_of(Service(template=template, replicas=1), index)
    return spec if name in {"", spec.name} else attrs.evolve(spec, name=name)


def with_needs(spec: ContainerSpec, template: ContainerSpec) -> ContainerSpec:
    """Return a spec with the group and the dependencies of another."""
    return _with(spec, template, _NEEDS)


def with_handling(spec: ContainerSpec, template: ContainerSpec) -> ContainerSpec:
    """Return a spec whose run is handled as that of another."""
    return _with(spec, template, _HANDLING)


def _with(
    spec: ContainerSpec, template: ContainerSpec, fields: tuple[str, ...]
) -> ContainerSpec:
    changed = {
        field: getattr(template, field)
        for field in fields
        if getattr(template, field) != getattr(spec, field)
    }
    return attrs.evolve(spec, **changed) if changed else spec


def template_of(
    service: Service, lineage: Lineage | None, number: int | None = None
) -> ContainerSpec:
    """Return what replicas of a revision are made of; None: what new ones are."""
    if lineage is None:
        return service.template
    wanted = lineage.serving if number is None else number
    kept = (one.template for one in lineage.revisions if one.number == wanted)
    return next(kept, service.template)


def first_lineage(template: ContainerSpec, at: Moment) -> Lineage:
    """Return the lineage of a service that is rolled out for the first time."""
    before = Revision(number=1, template=template, at=at)
    return Lineage(count=1, serving=1, revisions=(before,))


def with_revision(lineage: Lineage, revision: Revision) -> Lineage:
    """Return a lineage with one revision more, or with another one of that number."""
    others = (one for one in lineage.revisions if one.number != revision.number)
    revisions = sorted((*others, revision), key=lambda one: one.number)
    count = max(lineage.count, revision.number)
    return evolve(lineage, count=count, revisions=tuple(revisions))


def adapted(
    lineage: Lineage,
    template: ContainerSpec,
    change: Callable[[ContainerSpec, ContainerSpec], ContainerSpec],
) -> Lineage:
    """Return a lineage whose revisions are changed as a template says."""
    revisions = tuple(
        one
        if (spec := change(one.template, template)) is one.template
        else evolve(one, template=spec)
        for one in lineage.revisions
    )
    return evolve(lineage, revisions=revisions)


def alike(lineage: Lineage, template: ContainerSpec) -> frozenset[int]:
    """Return the revisions whose replicas need no restart to become a template's."""
    return frozenset(
        one.number
        for one in lineage.revisions
        if is_same_process(one.template, template)
    )


def judge(lineage: Lineage, number: int, outcome: Outcome) -> Lineage:
    """Return a lineage in which something is known of a revision."""
    good = number if outcome is Outcome.GOOD else lineage.good
    revisions = tuple(
        evolve(one, outcome=outcome) if one.number == number else one
        for one in lineage.revisions
    )
    return evolve(lineage, revisions=revisions, good=good)


def trimmed(lineage: Lineage) -> Lineage:
    """Return a lineage without what is too old: nobody goes back to it.

    The one that is served and the good one stay, however old.
    """
    needed = {lineage.serving, lineage.good}
    newest = {one.number for one in lineage.revisions[-KEPT_MAX:]}
    revisions = tuple(one for one in lineage.revisions if one.number in needed | newest)
    return evolve(lineage, revisions=revisions, past=lineage.past[-KEPT_MAX:])
