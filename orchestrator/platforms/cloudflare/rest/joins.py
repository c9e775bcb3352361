"""What the platform's own records add to what the gateway saw of a container.

An instance has the id of its Durable Object, so no table of ids is needed. The records
lag and may tell of an earlier run: what is not surely of this run is not told, and an
exit code that is not known is never 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from orchestrator.core.moments import Millis, Moment
from orchestrator.platforms.cloudflare.rest.enums import InstanceState
from orchestrator.platforms.cloudflare.rest.types import Instance

__all__ = (
    "by_durable_object_id",
    "exit_code_of",
    "image_of",
    "location_of",
    "place_of",
)

ALIVE: Final = frozenset(
    {InstanceState.PROVISIONING, InstanceState.RUNNING, InstanceState.STOPPING}
)
"""States in which no run has ended: an exit code beside them is an older one."""

ROUNDING_MS: Final[Millis] = 999
"""How much earlier a time looks that was cut to whole seconds."""


def by_durable_object_id(instances: Iterable[Instance]) -> Mapping[str, Instance]:
    """Find instances by the id of their Durable Object; of two the newer one counts."""
    newest: dict[str, Instance] = {}
    for instance in instances:
        known = newest.get(instance.id)
        if known is None or _stamp(known) <= _stamp(instance):
            newest[instance.id] = instance
    return newest


def exit_code_of(instance: Instance | None, *, not_before_ms: Moment) -> int | None:
    """Return the exit code of a run that began at *not_before_ms*; None if unknown.

    Known is only the code of an instance at rest whose record is not older than the
    run, and whose container, where that is said, was not started before it.
    """
    if instance is None or instance.status.state in ALIVE:
        return None
    status, started_at = instance.status, instance.started_at
    if status.updated_at is None or status.updated_at < not_before_ms:
        return None
    if started_at is not None and started_at + ROUNDING_MS < not_before_ms:
        return None
    return status.exit_code


def location_of(instance: Instance | None) -> str | None:
    """Return the name of the place, or the region where only that is known."""
    if instance is None or instance.location is None:
        return None
    return instance.location.name or instance.location.region


def place_of(instance: Instance | None, *, not_before_ms: Moment) -> str:
    """Return the region and the name of where a run is that began at *not_before_ms*.

    Such as ``WEUR/fra01``; one of both where only that is known, "" where nothing is,
    or where the record may tell of an earlier run.
    """
    if instance is None or instance.location is None:
        return ""
    if instance.status.state not in ALIVE:
        return ""
    since = instance.started_at or instance.status.updated_at
    if since is None or since + ROUNDING_MS < not_before_ms:
        return ""
    place = instance.location
    return "/".join(filter(None, (place.region, place.name)))


def image_of(instance: Instance | None) -> str | None:
    """Return the image that the instance really runs."""
    return None if instance is None else instance.image


def _stamp(instance: Instance) -> Moment:
    return instance.status.updated_at or 0
