"""Which applications a fleet needs at Cloudflare, and which of them runs a container.

Under the ``default`` scheduling policy an application has one image, one size and one
place: there is one for each service, and ``ad-hoc`` for what is started by request
after the template of the fleet file. Under ``durable_object`` these are chosen at each
start, and there is one application, ``fleet``.

A container is an object of its application's class. The same name in another class
would be another object, which may run at the same time: where the application of a
service does not fit, no other is taken.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import ClassVar, Final

import attrs
from returns.result import Failure, Result, Success

from orchestrator.codec.platform_choices import CloudflareChoice, SchedulingPolicy
from orchestrator.core.errors import InvalidSpec, Problem
from orchestrator.core.fleet_specs import FleetSpec
from orchestrator.core.rollout_policies import RolloutPolicy
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.table import Table
from orchestrator.platforms.cloudflare.project.application import (
    DURABLE_OBJECT,
    Application,
    differences,
)
from orchestrator.platforms.cloudflare.project.images import (
    image_refusal,
    image_warnings,
)
from orchestrator.platforms.cloudflare.project.naming import image_name_of
from orchestrator.platforms.cloudflare.project.placing import (
    placement_problems,
    placement_warnings,
)

__all__ = (
    "AD_HOC",
    "Application",
    "NoApplication",
    "application_of",
    "application_warnings",
    "applications_of",
    "declared_counts",
)

AD_HOC: Final = "ad-hoc"
FLEET: Final = "fleet"
IMAGES_MAX: Final = 100
BLUE_GREEN: Final = "blue_green"


@attrs.frozen(kw_only=True)
class NoApplication:
    """No application of the gateway runs a container as its spec asks.

    ``application`` is the one that should, where it is there but differs.
    """

    code: ClassVar[str] = "no_application"
    name: str
    application: str | None = None
    differs: tuple[str, ...] = ()

    @property
    def message(self) -> str:
        """Say it in a sentence."""
        todo = "run `orchestrator gateway init` again and deploy"
        if self.application is None:
            return (
                f"no application of the gateway runs {self.name!r}:"
                f" {'; '.join(self.differs) or 'there is none of its service'}; {todo}"
            )
        return (
            f"application {self.application!r} of the gateway is not what"
            f" {self.name!r} asks for: {'; '.join(self.differs)}; {todo}"
        )


def applications_of(
    fleet: FleetSpec, choice: CloudflareChoice
) -> Result[tuple[Application, ...], InvalidSpec]:
    """Return the applications that a fleet needs, or every reason why it cannot."""
    services = list(_services(fleet))
    problems = list(_problems(services, fleet, choice.scheduling_policy))
    if problems:
        return Failure(InvalidSpec(problems=tuple(problems)))
    if choice.scheduling_policy is DURABLE_OBJECT:
        images = Table.of(
            (image_name_of(spec.image), spec.image)
            for _, specs in services
            for spec in specs
            if spec.image is not None
        )
        one = Application(name=FLEET, scheduling_policy=DURABLE_OBJECT, images=images)
        return Success((one,))
    counts = _most(fleet)
    return Success(
        tuple(
            _application(name, specs[0], counts.get(name, 0) + choice.headroom)
            for name, specs in services
        )
    )


def _services(fleet: FleetSpec) -> Iterator[tuple[str, list[ContainerSpec]]]:
    """Yield each service with its containers, the template of ``[ad_hoc]`` last.

    One without replicas has its template: it may be scaled, or scale itself.
    """
    found: dict[str, list[ContainerSpec]] = {}
    for spec in fleet.containers:
        found.setdefault(spec.service, []).append(spec)
    for service in fleet.services:
        _ = found.setdefault(service.name, [service.template])
    yield from found.items()
    if fleet.settings.ad_hoc is not None:
        yield AD_HOC, [fleet.settings.ad_hoc]


def declared_counts(fleet: FleetSpec) -> dict[str, int]:
    """Count the declared containers of each service."""
    counts: dict[str, int] = {}
    for spec in fleet.containers:
        counts[spec.service] = counts.get(spec.service, 0) + 1
    return counts


def _most(fleet: FleetSpec) -> dict[str, int]:
    """Count how many containers of each service there may be without a request.

    As many as it may scale itself to, and those that a rollout has beside them.
    """
    counts = declared_counts(fleet)
    for service in fleet.services:
        if service.autoscaling is not None:
            declared = counts.get(service.name, 0)
            counts[service.name] = max(declared, service.autoscaling.most)
        if service.rollout is not None:
            counts[service.name] = _beside(service.rollout, counts.get(service.name, 0))
    return counts


def _beside(policy: RolloutPolicy, replicas: int) -> int:
    """Return how many there may be while a service is rolled out."""
    is_doubled = policy.strategy == BLUE_GREEN
    return replicas + (replicas if is_doubled else policy.surge(replicas))


def _application(name: str, spec: ContainerSpec, most: int) -> Application:
    return Application(
        name=name,
        image=spec.image,
        instance_type=spec.instance_type,
        regions=spec.placement.regions,
        jurisdiction=spec.placement.jurisdiction,
        max_instances=max(1, most),
    )


def _problems(
    services: list[tuple[str, list[ContainerSpec]]],
    fleet: FleetSpec,
    policy: SchedulingPolicy,
) -> Iterator[Problem]:
    for name, specs in services:
        for image in dict.fromkeys(spec.image for spec in specs):
            refusal = image_refusal(image, policy)
            if refusal is not None:
                yield Problem(
                    place=f"{name}.image",
                    expected=refusal.expected,
                    found="no image" if image is None else repr(image),
                    hint=refusal.hint,
                )
        bounds = (attrs.evolve(each.placement, location_hint=None) for each in specs)
        for bound in dict.fromkeys(bounds):
            yield from placement_problems(name, bound)
    if policy is DURABLE_OBJECT:
        images = {spec.image for _, specs in services for spec in specs}
        if len(images) > IMAGES_MAX:
            expected = f"at most {IMAGES_MAX} images under durable_object"
            yield Problem(place="containers", expected=expected, found=str(len(images)))
        return
    yield from _clashes(services, fleet)


def _clashes(
    services: list[tuple[str, list[ContainerSpec]]], fleet: FleetSpec
) -> Iterator[Problem]:
    """Yield what only the ``default`` policy cannot do: one application, one shape."""
    classes: dict[str, str] = {}
    if fleet.settings.ad_hoc is not None and AD_HOC in declared_counts(fleet):
        yield Problem(
            place=f"{AD_HOC}.name",
            expected="another name, as [ad_hoc] has the application of this one",
            found=repr(AD_HOC),
        )
        services = services[:-1]
    for name, specs in services:
        first = _application(name, specs[0], 1)
        for spec in specs[1:]:
            differs = differences(spec, first)
            if differs:
                yield Problem(
                    place=f"{name}: {spec.name}",
                    expected=f"what {specs[0].name} asks for, as they are one service",
                    found="; ".join(differs),
                )
                break
        other = classes.setdefault(first.class_name, name)
        if other != name:
            yield Problem(
                place=f"{name}.name",
                expected=f"another name: its class would be that of {other!r}",
                found=repr(first.class_name),
            )


def application_warnings(applications: Iterable[Application]) -> list[str]:
    """Say what about applications is allowed but can surprise."""
    warnings: list[str] = []
    for application in applications:
        if application.image is not None:
            warnings += image_warnings(application.image)
        warnings += placement_warnings(application.name, application.regions)
    return list(dict.fromkeys(warnings))


def application_of(
    spec: ContainerSpec, applications: Iterable[Application]
) -> Result[Application, NoApplication]:
    """Choose the application that runs a container, of those that are deployed.

    That of its service, where it is what the spec asks for. A container of its own
    that no application is named after was started by request: it may run in any that
    fits, first of all in ``ad-hoc``.
    """
    current = [one for one in applications if not one.retired]
    for application in current:
        if application.scheduling_policy is DURABLE_OBJECT or (
            application.name == spec.service
        ):
            differs = differences(spec, application)
            if not differs:
                return Success(application)
            why = NoApplication(
                name=spec.name, application=application.name, differs=differs
            )
            return Failure(why)
    if spec.service != spec.name:
        return Failure(NoApplication(name=spec.name))
    fitting = [one for one in current if not differences(spec, one)]
    for application in sorted(fitting, key=lambda one: one.name != AD_HOC):
        return Success(application)
    told = tuple(
        f"{one.name!r} differs: {', '.join(differences(spec, one))}" for one in current
    )
    return Failure(NoApplication(name=spec.name, differs=told[:3]))
