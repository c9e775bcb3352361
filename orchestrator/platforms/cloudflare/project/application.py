"""One container application of a gateway: what it runs, and what it is told to be.

A Worker carries its applications as data (``facts_of``), and tells them when it is
asked (``read_applications``): what is deployed can be compared with a fleet file.
"""

from __future__ import annotations

from typing import Any, Final, cast

import attrs
from returns.result import Failure, Result, Success

from orchestrator.codec.platform_choices import SchedulingPolicy
from orchestrator.codec.wire import read_tree, tree_of
from orchestrator.core.errors import InvalidSpec, Problem
from orchestrator.core.hosting import InstanceType
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.table import Table
from orchestrator.platforms.cloudflare.project.images import (
    ImageKind,
    image_kind,
    image_refusal,
)
from orchestrator.platforms.cloudflare.project.naming import binding_of, class_name_of

__all__ = (
    "DURABLE_OBJECT",
    "Application",
    "differences",
    "facts_of",
    "read_applications",
)

DURABLE_OBJECT: Final = SchedulingPolicy.DURABLE_OBJECT
"""Image and size are chosen at each start, and nothing else is told."""


def _class_name(application: Application) -> str:
    if application.scheduling_policy is DURABLE_OBJECT:
        return "FleetContainer"
    return class_name_of(application.name)


def _binding(application: Application) -> str:
    if application.scheduling_policy is DURABLE_OBJECT:
        return "FLEET"
    return binding_of(application.name)


@attrs.frozen(kw_only=True)
class Application:
    """One container application: a class of objects, each with a container.

    Under ``durable_object`` it has named ``images`` and nothing else of its own. One
    that is ``retired`` is in no fleet file any more: it starts nothing new.
    """

    name: str
    scheduling_policy: SchedulingPolicy = SchedulingPolicy.DEFAULT
    class_name: str = attrs.field(default=attrs.Factory(_class_name, takes_self=True))
    binding: str = attrs.field(default=attrs.Factory(_binding, takes_self=True))
    image: str | None = None
    images: Table[str, str] = Table[str, str]()
    instance_type: InstanceType | None = None
    regions: tuple[str, ...] = ()
    jurisdiction: str | None = None
    max_instances: int | None = None
    retired: bool = False


def differences(spec: ContainerSpec, application: Application) -> tuple[str, ...]:
    """Say in what an application is not what a spec asks for, a phrase each."""
    if application.scheduling_policy is DURABLE_OBJECT:
        if _can_be_started(spec.image, application):
            return ()
        return (f"image {spec.image!r} is not among its images",)
    place = spec.placement
    asked: tuple[tuple[str, object, object], ...] = (
        ("image", spec.image, application.image),
        ("size", _size(spec.instance_type), _size(application.instance_type)),
        ("regions", _listed(place.regions), _listed(application.regions)),
        (
            "jurisdiction",
            place.jurisdiction or "any",
            application.jurisdiction or "any",
        ),
    )
    return tuple(
        f"{what} is {found}, asked for is {wanted}"
        for what, wanted, found in asked
        if wanted != found
    )


def _can_be_started(image: str | None, application: Application) -> bool:
    """Tell whether an object may start an image: any digest, and what it has built."""
    if image is None:
        return False
    if image in application.images.values():
        return True
    is_digest = image_kind(image) is ImageKind.DIGEST
    return is_digest and image_refusal(image, DURABLE_OBJECT) is None


def _size(size: InstanceType | None) -> str:
    if size is None:
        return "none"
    return f"{size.vcpu:g} vcpu, {size.memory_mib} MiB, {size.disk_mb} MB"


def _listed(regions: tuple[str, ...]) -> str:
    return " ".join(sorted(regions)) or "any"


# What the Worker carries, and tells when it is asked

_FACTS: Final = tuple(
    field.name
    for field in attrs.fields(Application)
    if field.name not in {"name", "class_name"}
)


def facts_of(application: Application) -> dict[str, Any]:
    """Return what the Worker is told of an application, as JSON."""
    tree: dict[str, Any] = tree_of(application)
    facts = {key: tree[key] for key in _FACTS}
    if application.scheduling_policy is not DURABLE_OBJECT:
        del facts["images"]
    if not application.retired:
        del facts["retired"]
    return facts


def read_applications(told: object) -> Result[tuple[Application, ...], InvalidSpec]:
    """Read what a gateway tells of its applications; facts that are new are passed."""
    if not isinstance(told, dict):
        return Failure(_unreadable("applications", "a table", "something else"))
    read: list[Application] = []
    for name, facts in cast("dict[str, Any]", told).items():
        place = f"applications.{name}"
        if not isinstance(facts, dict):
            return Failure(_unreadable(place, "a table", "something else"))
        tree = {key: value for key, value in facts.items() if key in _FACTS}
        one = read_tree({"name": name, **tree}, Application)
        if isinstance(one, Failure):
            first = one.failure().problems[0]
            inner = place + first.place.removeprefix("$")
            return Failure(_unreadable(inner, first.expected, first.found))
        read.append(one.unwrap())
    return Success(tuple(read))


def _unreadable(place: str, expected: str, found: str) -> InvalidSpec:
    problem = Problem(place=place, expected=expected, found=found)
    return InvalidSpec(problems=(problem,))
