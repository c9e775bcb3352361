"""What a fleet file says that cannot work, or can hardly be meant.

The types are right when this is asked; here are the relations between them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, TypeAlias

import attrs

from orchestrator.codec.platform_choices import (
    CloudflareChoice,
    LocalChoice,
    PlatformChoice,
    SchedulingPolicy,
)
from orchestrator.codec.problems import suggestion
from orchestrator.core.advice import Weight
from orchestrator.core.fields import Json
from orchestrator.core.fleet_specs import FleetSpec
from orchestrator.core.health import CommandProbe, HttpProbe
from orchestrator.core.spec_advice import (
    dependency_advice,
    group_advice,
    spec_advice,
)
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.table import Table
from orchestrator.core.templates import Placeholder, placeholders

__all__ = ("check_spec", "notes_of", "services_of", "warnings_of")

SERVICES_SHOWN: Final = 3
"""Services that a sentence names."""

Wrongness: TypeAlias = tuple[str, str, str, str]
"""Path, expected, found, hint."""


def check_spec(
    spec: ContainerSpec, platform: PlatformChoice, path: str
) -> Iterator[Wrongness]:
    """Yield what cannot work: placeholders for nothing, nothing to run there."""
    if isinstance(platform, LocalChoice) and not spec.command:
        yield f"{path}.command", "a command, on the local platform", "only an image", ""
    if isinstance(platform, CloudflareChoice):
        yield from _not_on_cloudflare(spec, platform, path)
    yield from _words(spec, spec.command, f"{path}.command")
    for key, text in spec.env.items():
        for placeholder in placeholders(text):
            yield from _unfilled(spec, placeholder, f"{path}.env.{key}")
    for kind, check in spec.health.all():
        where = f"{path}.health.{kind}"
        match check.probe:
            case CommandProbe(command=command):
                yield from _words(spec, command, f"{where}.command")
            case HttpProbe(headers=headers):
                for key, text in headers.items():
                    for placeholder in placeholders(text):
                        header = f"{where}.http.headers.{key}"
                        yield from _unfilled(spec, placeholder, header)
            case _:
                pass


def _words(
    spec: ContainerSpec, command: tuple[str, ...], path: str
) -> Iterator[Wrongness]:
    """Yield what cannot be filled in the words of a command; no secret ever is."""
    for index, word in enumerate(command):
        for placeholder in placeholders(word):
            where = f"{path}[{index}]"
            if placeholder.family == "secret":
                hint = "every user of the machine may read the words of a command"
                yield where, "no secret", f"${{{placeholder.path}}}", hint
            else:
                yield from _unfilled(spec, placeholder, where)


def _not_on_cloudflare(
    spec: ContainerSpec, platform: CloudflareChoice, path: str
) -> Iterator[Wrongness]:
    if not spec.image:
        yield f"{path}.image", "an image, on Cloudflare", "only a command", ""
    if spec.working_dir is not None:
        hint = "the image says in which folder its command runs"
        yield f"{path}.working_dir", "no such key on Cloudflare", "one", hint
    if platform.scheduling_policy is not SchedulingPolicy.DURABLE_OBJECT:
        return
    if spec.placement.regions:
        hint = "a jurisdiction or a location_hint places its object"
        where = f"{path}.placement.regions"
        yield where, "none under durable_object", str(spec.placement.regions), hint


def _unfilled(
    spec: ContainerSpec, placeholder: Placeholder, where: str
) -> Iterator[Wrongness]:
    found = f"${{{placeholder.path}}}"
    if placeholder.family == "port" and placeholder.key not in spec.ports:
        hint = suggestion(placeholder.key, list(spec.ports))
        yield where, "a port of this container", found, hint
    if placeholder.family == "config" and spec.name != "ad-hoc":
        known = dict(_config_paths("", spec.config))
        if placeholder.key not in known:
            hint = suggestion(placeholder.key, list(known))
            yield where, "a key of this container's config", found, hint


def _config_paths(path: str, value: Json) -> Iterator[tuple[str, Json]]:
    if path:
        yield path, value
    if isinstance(value, Table):
        for key, inner in value.items():
            yield from _config_paths(f"{path}.{key}".lstrip("."), inner)


def warnings_of(fleet: FleetSpec, platform: PlatformChoice) -> tuple[str, ...]:
    """Return what can be read but can hardly be meant, a sentence each."""
    return (*_warnings(fleet, platform), *_advised(fleet, platform, Weight.WARNING))


def notes_of(fleet: FleetSpec, platform: PlatformChoice) -> tuple[str, ...]:
    """Return what is good to know, a sentence each."""
    return tuple(_advised(fleet, platform, Weight.NOTE))


def services_of(fleet: FleetSpec) -> tuple[ContainerSpec, ...]:
    """Return one container of each service, and the template of ad-hoc ones.

    Of one that spreads its replicas, its template: it tells where all of them are.
    """
    spread = {
        each.name: each.template
        for each in fleet.services
        if each.template.placement.spread
    }
    first: dict[str, ContainerSpec] = {}
    for spec in fleet.containers:
        _ = first.setdefault(spec.service, spread.get(spec.service, spec))
    template = fleet.settings.ad_hoc
    return (*first.values(), *(() if template is None else (template,)))


def _warnings(fleet: FleetSpec, platform: PlatformChoice) -> Iterator[str]:
    if fleet.settings.ad_hoc is not None and not fleet.settings.allow_ad_hoc_containers:
        yield "[ad_hoc] has no effect: allow_ad_hoc_containers is false"
    if not fleet.containers and fleet.settings.ad_hoc is None:
        yield "the fleet declares no containers and no [ad_hoc] template"
    if not isinstance(platform, CloudflareChoice):
        for spec in services_of(fleet):
            yield from _without_effect(spec)


def _advised(
    fleet: FleetSpec, platform: PlatformChoice, weight: Weight
) -> Iterator[str]:
    """Yield a sentence once, with all the services that it is about."""
    has_exec = not isinstance(platform, CloudflareChoice)
    about: dict[str, list[str]] = {}
    for spec in services_of(fleet):
        for advice in spec_advice(spec, fleet.settings, has_exec=has_exec):
            if advice.weight is weight:
                about.setdefault(advice.text, []).append(spec.service)
    for text, services in about.items():
        more = len(services) - SERVICES_SHOWN
        named = ", ".join(services[:SERVICES_SHOWN])
        yield f"{named}{f' and {more} more' if more > 0 else ''}: {text}"
    for advice in (*group_advice(fleet.containers), *dependency_advice(fleet)):
        if advice.weight is weight:
            yield advice.text


def _without_effect(spec: ContainerSpec) -> Iterator[str]:
    """Name what only Cloudflare looks at."""
    for field in ("sleep_after_ms", "internet", "instance_type", "placement"):
        if getattr(spec, field) != getattr(attrs.fields(ContainerSpec), field).default:
            yield f"{spec.service}: {field} has no effect on this platform"
