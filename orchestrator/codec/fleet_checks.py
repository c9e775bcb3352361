"""What a fleet file says that cannot work, or can hardly be meant.

The types are right when this is asked; here are the relations between them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

from orchestrator.codec.problems import suggestion
from orchestrator.core.moments import format_duration
from orchestrator.core.policies import When, base_wait
from orchestrator.core.specs import ContainerSpec, FleetSpec, Json
from orchestrator.core.table import Table
from orchestrator.core.templates import Placeholder, placeholders

__all__ = ("check_spec", "warnings_of")

Wrongness: TypeAlias = tuple[str, str, str, str]
"""Path, expected, found, hint."""


def check_spec(spec: ContainerSpec, kind: str, path: str) -> Iterator[Wrongness]:
    """Yield what cannot work: placeholders for nothing, a missing command."""
    if kind == "local" and not spec.command:
        yield f"{path}.command", "a command, on the local platform", "only an image", ""
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


def warnings_of(fleet: FleetSpec) -> tuple[str, ...]:
    """Return what can be read but can hardly be meant, a sentence each."""
    return tuple(_warnings(fleet))


def _warnings(fleet: FleetSpec) -> Iterator[str]:
    if fleet.settings.ad_hoc is not None and not fleet.settings.allow_ad_hoc_containers:
        yield "[ad_hoc] has no effect: allow_ad_hoc_containers is false"
    if not fleet.containers and fleet.settings.ad_hoc is None:
        yield "the fleet declares no containers and no [ad_hoc] template"
    told: set[str] = set()
    for spec in fleet.containers:
        if spec.service not in told:
            told.add(spec.service)
            yield from _spec_warnings(spec)


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
    if spec.sleep_after_ms is not None:
        yield f"{spec.service}: sleep_after_ms has no effect on this platform"
