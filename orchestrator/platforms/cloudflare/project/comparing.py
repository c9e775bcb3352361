"""What is deployed, held against what the fleet file asks for."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.codec.platform_choices import CloudflareChoice
from orchestrator.core.fleet_specs import FleetSpec
from orchestrator.core.specs import ContainerSpec
from orchestrator.platforms.cloudflare.project.application import (
    DURABLE_OBJECT,
    Application,
    differences,
)
from orchestrator.platforms.cloudflare.project.applications import (
    AD_HOC,
    declared_counts,
)
from orchestrator.platforms.cloudflare.project.findings import (
    Finding,
    fine,
    problem,
    warning,
)

__all__ = ("compared",)

AGAIN = "run `orchestrator gateway init DIR --fleet FILE` again, then deploy"


def compared(
    fleet: FleetSpec,
    choice: CloudflareChoice,
    wanted: tuple[Application, ...],
    deployed: tuple[Application, ...],
) -> Iterator[Finding]:
    """Yield a finding for each application that is wanted, or deployed, or both."""
    there = {application.name: application for application in deployed}
    counts = declared_counts(fleet)
    for application in wanted:
        what = f"application {application.name}"
        found = there.pop(application.name, None)
        if found is None:
            yield problem(what, "not deployed: its starts are refused", AGAIN)
        elif found.scheduling_policy is not application.scheduling_policy:
            yield problem(
                what,
                f"deployed under {found.scheduling_policy}, the file says"
                f" {application.scheduling_policy}: its starts are refused",
                "the policy of an application is fixed: make a gateway in another"
                " folder, under another worker",
            )
        else:
            specs = _specs_of(application, fleet)
            yield from _matched(what, specs, found)
            if application.scheduling_policy is not DURABLE_OBJECT:
                declared = counts.get(application.name, 0)
                yield _ceiling(what, declared, choice.headroom, found)
    for name, application in there.items():
        yield _left_over(name, application)


def _specs_of(application: Application, fleet: FleetSpec) -> list[ContainerSpec]:
    """Return the specs that an application runs, one of each service."""
    template = fleet.settings.ad_hoc
    if application.scheduling_policy is DURABLE_OBJECT:
        return [*fleet.containers, *([template] if template else [])]
    if application.name == AD_HOC and template is not None:
        return [template]
    templates = [service.template for service in fleet.services]
    every = (*fleet.containers, *templates)
    return [spec for spec in every if spec.service == application.name][:1]


def _matched(
    what: str, specs: list[ContainerSpec], found: Application
) -> Iterator[Finding]:
    differs = dict.fromkeys(
        difference for spec in specs for difference in differences(spec, found)
    )
    for difference in differs:
        yield problem(what, f"deployed otherwise: {difference}", AGAIN)
    if not differs:
        size = found.instance_type
        told = f"{found.image}, {size.name}" if size else f"{len(found.images)} images"
        yield fine(what, told)


def _ceiling(what: str, declared: int, headroom: int, found: Application) -> Finding:
    most = found.max_instances
    if most is None:
        return warning(
            what,
            "its max_instances is not told",
            f"{AGAIN}: wrangler's own default is 20, and the 21st start is refused",
        )
    if most < declared:
        return problem(
            what,
            f"max_instances is {most}, declared are {declared}: the start of"
            f" {'one' if declared - most == 1 else declared - most} is refused, again"
            " and again",
            AGAIN,
        )
    if most < max(1, declared + headroom):
        return warning(
            what,
            f"max_instances is {most}: {declared} declared and {most - declared} of"
            f" headroom, the file says {headroom}",
            AGAIN,
        )
    return fine(what, f"max_instances {most}, declared {declared}")


def _left_over(name: str, application: Application) -> Finding:
    known = " and kept (retired)" if application.retired else ""
    return warning(
        f"application {name}",
        f"deployed{known}, but in the fleet file no more",
        "once none of its containers runs: `orchestrator gateway init DIR --fleet FILE"
        " --delete-gone`, then deploy; this destroys its objects",
    )
