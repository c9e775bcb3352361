"""What a fleet file says that cannot work, or can hardly be meant.

The types are right when this is asked; here are the relations between them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

import attrs

from orchestrator.codec.platform_choices import (
    CloudflareChoice,
    LocalChoice,
    PlatformChoice,
    SchedulingPolicy,
)
from orchestrator.codec.problems import suggestion
from orchestrator.core.backoff import base_wait
from orchestrator.core.fields import Json
from orchestrator.core.moments import format_duration
from orchestrator.core.policies import When
from orchestrator.core.specs import ContainerSpec, FleetSpec
from orchestrator.core.table import Table
from orchestrator.core.templates import Placeholder, placeholders

__all__ = ("check_spec", "warnings_of")

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
    for index, word in enumerate(spec.command):
        for placeholder in placeholders(word):
            where = f"{path}.command[{index}]"
            if placeholder.family == "secret":
                hint = "every user of the machine may read the words of a command"
                yield where, "no secret", f"${{{placeholder.path}}}", hint
            else:
                yield from _unfilled(spec, placeholder, where)
    for key, text in spec.env.items():
        for placeholder in placeholders(text):
            yield from _unfilled(spec, placeholder, f"{path}.env.{key}")


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
    return tuple(_warnings(fleet, platform))


def _warnings(fleet: FleetSpec, platform: PlatformChoice) -> Iterator[str]:
    if fleet.settings.ad_hoc is not None and not fleet.settings.allow_ad_hoc_containers:
        yield "[ad_hoc] has no effect: allow_ad_hoc_containers is false"
    if not fleet.containers and fleet.settings.ad_hoc is None:
        yield "the fleet declares no containers and no [ad_hoc] template"
    told: set[str] = set()
    for spec in fleet.containers:
        if spec.service not in told:
            told.add(spec.service)
            yield from _spec_warnings(spec)
            if not isinstance(platform, CloudflareChoice):
                yield from _without_effect(spec)


def _spec_warnings(spec: ContainerSpec) -> Iterator[str]:
    policy = spec.restart
    if policy.when is not When.NEVER:
        crash = policy.crash
        crashes = range(1, crash.allowed_crashes + 1)
        waits = sum(base_wait(policy.backoff, attempt) for attempt in crashes)
        if waits >= crash.window_ms:
            yield (
                f"{spec.service}: a crash loop is never seen: {crash.allowed_crashes}"
                f" restarts wait {format_duration(waits)}, longer than the window of"
                f" {format_duration(crash.window_ms)}"
            )
    if spec.stop_grace_ms == 0 and spec.stop_signal != "KILL":
        yield f"{spec.service}: stop_grace_ms 0 kills it together with the stop signal"


def _without_effect(spec: ContainerSpec) -> Iterator[str]:
    """Name what only Cloudflare looks at."""
    for field in ("sleep_after_ms", "internet", "instance_type", "placement"):
        if getattr(spec, field) != getattr(attrs.fields(ContainerSpec), field).default:
            yield f"{spec.service}: {field} has no effect on this platform"
