"""What the gateway's project is to hold: the applications, and how they came about.

An application whose service has left the fleet file is kept, *retired*: its class has
objects, perhaps with containers that run, and Cloudflare refuses a Worker that lacks a
class that has objects. It goes only where that is asked for. A service under another
name is another service: no rename is guessed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import attrs
from returns.result import Failure, Result, Success

from orchestrator.codec.platform_choices import CloudflareChoice
from orchestrator.core.errors import InvalidSpec, Problem
from orchestrator.core.fields import Json
from orchestrator.core.fleet_specs import FleetSpec
from orchestrator.core.table import Table
from orchestrator.platforms.cloudflare.project.application import Application
from orchestrator.platforms.cloudflare.project.applications import (
    applications_of,
    declared_counts,
)
from orchestrator.platforms.cloudflare.project.hosting import (
    OPERATOR_CLASS,
    Hosting,
)
from orchestrator.platforms.cloudflare.project.migrations import (
    Migration,
    living_classes,
    with_deleted,
    with_new,
)
from orchestrator.platforms.cloudflare.project.naming import worker_name_of

__all__ = ("REGISTRY_CLASS", "Earlier", "Plan", "plan_of")

REGISTRY_CLASS: Final = "FleetRegistry"
"""The class of the one object that knows all containers of a fleet."""


@attrs.frozen(kw_only=True)
class Earlier:
    """What an earlier run has left; ``extras`` are settings that the owner added."""

    worker: str | None = None
    applications: tuple[Application, ...] = ()
    migrations: tuple[Migration, ...] = ()
    extras: Table[str, Json] = Table[str, Json]()
    hosting: Hosting | None = None


@attrs.frozen(kw_only=True)
class Plan:
    """Everything that the files of a project say.

    ``folder`` is where the fleet file is, seen from the project. ``bare_classes`` have
    objects but no application that anybody remembers. ``hosting`` is the operator that
    runs beside the gateway.
    """

    fleet: str
    worker: str
    account_id: str | None
    headroom: int
    folder: str
    applications: tuple[Application, ...]
    declared: Table[str, int]
    migrations: tuple[Migration, ...]
    bare_classes: tuple[str, ...] = ()
    extras: Table[str, Json] = Table[str, Json]()
    added: tuple[str, ...] = ()
    retired: tuple[str, ...] = ()
    deleted: tuple[str, ...] = ()
    worker_was: str | None = None
    hosting: Hosting | None = None


def plan_of(
    fleet: FleetSpec,
    choice: CloudflareChoice,
    *,
    folder: str,
    earlier: Earlier | None = None,
    delete_gone: bool = False,
    hosting: Hosting | None = None,
) -> Result[Plan, InvalidSpec]:
    """Plan a project for a fleet, after what an earlier run has left.

    *hosting* is the operator that it hosts; a retired one goes with what is gone.
    """
    before = earlier or Earlier()
    wanted = applications_of(fleet, choice)
    if isinstance(wanted, Failure):
        return Failure(wanted.failure())
    current = wanted.unwrap()
    problems = tuple(_in_the_way(current, before.applications))
    if problems:
        return Failure(InvalidSpec(problems=problems))
    names = {application.name for application in current}
    gone = tuple(
        attrs.evolve(application, retired=True)
        for application in before.applications
        if application.name not in names
    )
    kept = current if delete_gone else (*current, *gone)
    deleted = tuple(one.name for one in gone) if delete_gone else ()
    if delete_gone and hosting is not None and hosting.retired:
        hosting, deleted = None, (*deleted, "the operator")
    own = (REGISTRY_CLASS,) if hosting is None else (REGISTRY_CLASS, OPERATOR_CLASS)
    classes = (*own, *(application.class_name for application in kept))
    living = living_classes(before.migrations)
    migrations = with_new(
        before.migrations, tuple(one for one in classes if one not in living)
    )
    bare = tuple(one for one in living if one not in classes)
    if delete_gone:
        migrations, bare = with_deleted(migrations, bare), ()
    known = {application.name for application in before.applications}
    worker = choice.worker or worker_name_of(fleet.name)
    return Success(
        Plan(
            fleet=fleet.name,
            worker=worker,
            account_id=choice.account_id,
            headroom=choice.headroom,
            folder=folder,
            applications=kept,
            declared=Table.of(declared_counts(fleet).items()),
            migrations=migrations,
            bare_classes=bare,
            extras=before.extras,
            added=tuple(one.name for one in current if one.name not in known),
            retired=() if delete_gone else tuple(one.name for one in gone),
            deleted=deleted,
            worker_was=None if before.worker == worker else before.worker,
            hosting=hosting,
        )
    )


def _in_the_way(
    current: tuple[Application, ...], before: tuple[Application, ...]
) -> Iterator[Problem]:
    """Yield applications whose name stands for another scheduling policy already."""
    policies = {one.name: one.scheduling_policy for one in before}
    for application in current:
        was = policies.get(application.name, application.scheduling_policy)
        if was is not application.scheduling_policy:
            yield Problem(
                place=f"application {application.name!r}",
                expected=f"scheduling_policy {was}, which is fixed once it is deployed",
                found=str(application.scheduling_policy),
                hint="make the gateway anew in another folder, under another worker",
            )
