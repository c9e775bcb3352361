"""Where a container runs on Cloudflare, and how large it is there.

The names and sizes are Cloudflare's own (documentation of Containers, ``containers
/platform/limits`` and ``durable-objects/reference/data-location``, November 2026).
Other platforms do not look at them.
"""

from __future__ import annotations

from typing import Any, Final

import attrs
from attrs.validators import deep_iterable, ge, gt, in_, instance_of, le, optional

from orchestrator.core.fields import LATER

__all__ = (
    "INSTANCE_TYPES",
    "JURISDICTIONS",
    "LITE",
    "LOCATION_HINTS",
    "REGIONS",
    "REGIONS_OF",
    "REGION_OF_HINT",
    "InstanceType",
    "Placement",
    "placed",
)

CUSTOM: Final = "custom"

MEMORY_MIB_MAX: Final = 12 * 1024
MEMORY_MIB_OF_A_VCPU: Final = 3 * 1024
DISK_MB_MAX: Final = 20_000


@attrs.frozen(kw_only=True)
class InstanceType:
    """The size of a container: one of Cloudflare's by its name, or one's own.

    ``memory_mib`` in MiB, ``disk_mb`` in MB, ``vcpu`` in virtual processors. An own
    size has 1 to 4 of these, at least 3 GiB for each, at most 12 GiB and 20 GB.
    """

    name: str = attrs.field(default=CUSTOM, validator=instance_of(str))
    vcpu: float = attrs.field(validator=[instance_of(float), gt(0.0), le(4.0)])
    memory_mib: int = attrs.field(
        validator=[instance_of(int), ge(1), le(MEMORY_MIB_MAX)]
    )
    disk_mb: int = attrs.field(validator=[instance_of(int), ge(1), le(DISK_MB_MAX)])

    def __attrs_post_init__(self) -> None:
        """Refuse an own size that Cloudflare does not offer."""
        if self.name != CUSTOM:
            return
        if self.vcpu < 1:
            msg = f"vcpu: expected at least 1 in an own size, found {self.vcpu}"
            raise ValueError(msg)
        least = int(self.vcpu * MEMORY_MIB_OF_A_VCPU)
        if self.memory_mib < least:
            msg = (
                f"memory_mib: expected at least {least} with {self.vcpu} vcpu,"
                f" found {self.memory_mib}"
            )
            raise ValueError(msg)


LITE: Final = InstanceType(name="lite", vcpu=0.0625, memory_mib=256, disk_mb=2_000)

INSTANCE_TYPES: Final[dict[str, InstanceType]] = {
    size.name: size
    for size in (
        LITE,
        InstanceType(name="basic", vcpu=0.25, memory_mib=1_024, disk_mb=4_000),
        InstanceType(name="standard-1", vcpu=0.5, memory_mib=4_096, disk_mb=8_000),
        InstanceType(name="standard-2", vcpu=1.0, memory_mib=6_144, disk_mb=12_000),
        InstanceType(name="standard-3", vcpu=2.0, memory_mib=8_192, disk_mb=16_000),
        InstanceType(name="standard-4", vcpu=4.0, memory_mib=12_288, disk_mb=20_000),
    )
}
"""The sizes that have a name, the smallest first."""

REGIONS: Final = ("ENAM", "WNAM", "EEUR", "WEUR", "APAC", "SAM", "ME", "OC", "AFR")
"""Where an application of the ``default`` scheduling policy may be held."""

JURISDICTIONS: Final = ("eu", "fedramp", "us")
"""Whose law the container and its object stay under."""

LOCATION_HINTS: Final = (
    "wnam",
    "enam",
    "sam",
    "weur",
    "eeur",
    "apac",
    "apac-ne",
    "apac-se",
    "oc",
    "afr",
    "me",
)
"""Where its object is asked to be made; Cloudflare does its best, once."""

REGIONS_OF: Final[dict[str, tuple[str, ...]]] = {
    "eu": ("EEUR", "WEUR"),
    "us": ("ENAM", "WNAM"),
    "fedramp": ("ENAM", "WNAM"),
}
"""The regions that lie within each jurisdiction."""

REGION_OF_HINT: Final[dict[str, str]] = {
    **{region.lower(): region for region in REGIONS},
    "apac-ne": "APAC",
    "apac-se": "APAC",
}
"""The region that each location hint lies in."""


def _each_once(
    _: object, attribute: attrs.Attribute[Any], value: tuple[str, ...]
) -> None:
    if len(set(value)) != len(value):
        msg = f"{attribute.name}: expected each region once, found {value!r}"
        raise ValueError(msg)


@attrs.frozen(kw_only=True)
class Placement:
    """Where a container may be: hard bounds first, a wish last.

    ``spread`` is the wish of a service: its replicas are given one hint each, in turn.
    A hint that stands twice is given to twice as many.
    """

    regions: tuple[str, ...] = attrs.field(
        default=(),
        validator=[deep_iterable(in_(REGIONS), instance_of(tuple)), _each_once],
    )
    jurisdiction: str | None = attrs.field(
        default=None, validator=optional(in_(JURISDICTIONS))
    )
    location_hint: str | None = attrs.field(
        default=None, validator=optional(in_(LOCATION_HINTS))
    )
    spread: tuple[str, ...] = attrs.field(
        default=(),
        validator=deep_iterable(in_(LOCATION_HINTS), instance_of(tuple)),
        metadata=LATER,
    )

    def __attrs_post_init__(self) -> None:
        """Refuse one hint for all beside one for each."""
        if self.spread and self.location_hint is not None:
            hint = self.location_hint
            msg = f"location_hint: expected none beside a spread, found {hint!r}"
            raise ValueError(msg)


def placed(placement: Placement, index: int) -> Placement:
    """Return where the replica with an index may be, of a service placed so.

    >>> placed(Placement(spread=("weur", "enam")), 3).location_hint
    'enam'
    >>> placed(Placement(), 3) == Placement()
    True

    """
    if not placement.spread:
        return placement
    hint = placement.spread[index % len(placement.spread)]
    return attrs.evolve(placement, location_hint=hint, spread=())
