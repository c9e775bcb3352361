"""What should run: one container, and the fleet.

A ``ContainerSpec`` is complete and self-contained; what a fleet file says once for
many (replicas, defaults) is already spelt out. Its fingerprint names its content, so
that a container found at the platform can be compared with what is asked for
although the journal that started it is gone.
"""

from __future__ import annotations

import hashlib
from enum import StrEnum
from typing import Any, Final

import attrs
from attrs.validators import ge, gt, in_, instance_of, le, optional

from orchestrator.core.fields import (
    LATER,
    Json,
    are_port_names,
    holds,
    is_command,
    is_env_table,
    is_json_table,
    is_port_table,
    pairs,
)
from orchestrator.core.groups import GroupStrategy, Membership
from orchestrator.core.health import CommandProbe, HealthChecks
from orchestrator.core.hosting import LITE, InstanceType, Placement
from orchestrator.core.moments import DURATION_MAX, Millis
from orchestrator.core.names import is_env_key, is_name
from orchestrator.core.notify import Notify
from orchestrator.core.policies import RestartPolicy
from orchestrator.core.table import Table

__all__ = (
    "STOP_SIGNALS",
    "ContainerSpec",
    "FleetSettings",
    "FleetSpec",
    "Origin",
    "Prune",
    "fingerprint",
    "named",
    "salt_of",
)

STOP_SIGNALS: Final = ("TERM", "INT", "QUIT", "HUP", "USR1", "USR2", "KILL")
"""Signals that may ask a container to stop, without the ``SIG``."""


class Origin(StrEnum):
    """Who asked for a container to exist."""

    MIN_REPLICA_SET = "min_replica_set"
    AD_HOC = "ad_hoc"


class Prune(StrEnum):
    """What becomes of a container whose spec has left the fleet file."""

    STOP = "stop"
    KEEP = "keep"
    FORGET = "forget"


_duration = [instance_of(int), ge(0), le(DURATION_MAX)]
_positive = [instance_of(int), gt(0), le(DURATION_MAX)]
_name = holds(is_name, "a name of a-z, 0-9, '.', '_' and '-'")


@attrs.frozen(kw_only=True)
class ContainerSpec:
    """One container: what runs, with which environment, and how it is looked after.

    ``service`` and ``replica`` say which entry of the fleet file it came from;
    a container of its own is replica 0 of the service of its name. ``env`` values
    and words of ``command`` are templates (``core.templates``). ``wait_for`` names the
    ports that must listen before it is ready, None all of them.
    """

    name: str = attrs.field(validator=_name)
    service: str = attrs.field(
        default=attrs.Factory(lambda spec: spec.name, takes_self=True), validator=_name
    )
    replica: int = attrs.field(default=0, validator=[instance_of(int), ge(0)])
    image: str | None = attrs.field(default=None, validator=optional(instance_of(str)))
    command: tuple[str, ...] = attrs.field(
        default=(), validator=holds(is_command, "words with known placeholders")
    )
    working_dir: str | None = attrs.field(
        default=None, validator=optional(instance_of(str))
    )
    ports: Table[str, int] = attrs.field(
        default=Table[str, int](),
        validator=holds(is_port_table, "names with ports 1 to 65535"),
    )
    config: Table[str, Json] = attrs.field(
        default=Table[str, Json](),
        validator=holds(is_json_table, "a table of frozen JSON"),
    )
    env: Table[str, str] = attrs.field(
        default=Table[str, str](),
        validator=holds(is_env_table, "keys with known placeholders"),
    )
    restart: RestartPolicy = attrs.field(
        default=RestartPolicy(), validator=instance_of(RestartPolicy)
    )
    stop_signal: str = attrs.field(default="TERM", validator=in_(STOP_SIGNALS))
    stop_grace_ms: Millis = attrs.field(default=10_000, validator=_duration)
    start_timeout_ms: Millis = attrs.field(default=60_000, validator=_positive)
    sleep_after_ms: Millis | None = attrs.field(
        default=None, validator=optional(_positive)
    )
    keep_alive: bool = attrs.field(default=True, validator=instance_of(bool))
    wait_for: tuple[str, ...] | None = attrs.field(
        default=None,
        validator=optional(holds(are_port_names, "names of ports")),
        metadata=LATER,
    )
    internet: bool = attrs.field(
        default=True, validator=instance_of(bool), metadata=LATER
    )
    instance_type: InstanceType = attrs.field(
        default=LITE, validator=instance_of(InstanceType), metadata=LATER
    )
    placement: Placement = attrs.field(
        default=Placement(), validator=instance_of(Placement), metadata=LATER
    )
    health: HealthChecks = attrs.field(
        default=HealthChecks(), validator=instance_of(HealthChecks), metadata=LATER
    )
    group: Membership | None = attrs.field(
        default=None, validator=optional(instance_of(Membership)), metadata=LATER
    )

    def __attrs_post_init__(self) -> None:
        """Refuse a spec that names nothing to run, or a port that it has not."""
        if not self.command and not self.image:
            msg = "command: expected a command or an image, found neither"
            raise ValueError(msg)
        for port in self.wait_for or ():
            if port not in self.ports:
                msg = f"wait_for: expected names of its ports, found {port!r}"
                raise ValueError(msg)
        for kind, check in self.health.all():
            probe = check.probe
            if not isinstance(probe, CommandProbe) and probe.port not in self.ports:
                msg = f"health.{kind}: expected one of its ports, found {probe.port!r}"
                raise ValueError(msg)

    @property
    def awaited_ports(self) -> tuple[str, ...]:
        """Return the names of the ports that make it ready: all, unless it says."""
        return tuple(self.ports) if self.wait_for is None else self.wait_for


@attrs.frozen(kw_only=True)
class FleetSettings:
    """What holds for the whole fleet: its floors, limits and habits.

    ``reconcile_interval_ms`` 0 disables the periodic reconcile; ``ad_hoc`` is the
    template of containers that are started by request with a bare name; ``notify`` says
    who is told of trouble.
    """

    reconcile_interval_ms: Millis = attrs.field(default=60_000, validator=_duration)
    allow_ad_hoc_containers: bool = attrs.field(
        default=True, validator=instance_of(bool)
    )
    container_name_env_key: str = attrs.field(
        default="CONTAINER_NAME",
        validator=holds(is_env_key, "the key of an environment variable"),
    )
    min_restart_delay_ms: Millis = attrs.field(default=100, validator=_duration)
    max_concurrent_starts: int = attrs.field(
        default=8, validator=[instance_of(int), ge(1), le(100_000)]
    )
    max_starts_per_minute: int | None = attrs.field(
        default=None, validator=optional([instance_of(int), ge(1), le(10_000)])
    )
    prune: Prune = attrs.field(default=Prune.STOP, validator=instance_of(Prune))
    ad_hoc: ContainerSpec | None = attrs.field(
        default=None, validator=optional(instance_of(ContainerSpec))
    )
    notify: Notify | None = attrs.field(
        default=None, validator=optional(instance_of(Notify)), metadata=LATER
    )


@attrs.frozen(kw_only=True)
class FleetSpec:
    """The fleet as its owner declares it; ``containers`` is the min replica set."""

    name: str = attrs.field(validator=_name)
    settings: FleetSettings = FleetSettings()
    containers: tuple[ContainerSpec, ...] = ()

    def __attrs_post_init__(self) -> None:
        """Refuse two containers of one name, and a group with two strategies."""
        seen: set[str] = set()
        groups: dict[str, GroupStrategy] = {}
        for spec in self.containers:
            if spec.name in seen:
                msg = f"containers: {spec.name!r} is declared more than once"
                raise ValueError(msg)
            seen.add(spec.name)
            group = spec.group
            if group and groups.setdefault(group.group, group.strategy) != (
                group.strategy
            ):
                msg = f"containers: group {group.group!r} has two strategies"
                raise ValueError(msg)


def named(template: ContainerSpec, name: str) -> ContainerSpec:
    """Return the template as the spec of a container of its own.

    >>> named(ContainerSpec(name="any", command=("sleep", "1")), "worker-7").service
    'worker-7'

    """
    return attrs.evolve(template, name=name, service=name, replica=0)


_OF_THE_OPERATOR: Final = frozenset(
    {
        "restart",
        "stop_signal",
        "stop_grace_ms",
        "start_timeout_ms",
        "keep_alive",
        "health",
        "group",
    }
)
"""What the operator does about a run; a change takes effect without a restart."""


def fingerprint(spec: ContainerSpec) -> str:
    """Name what a run was started with, in 16 hexadecimal digits.

    Equal fingerprints: the process need not be restarted to be what the spec says.
    Fields at their default are left out, so that a release that adds a field does
    not make every running container look changed.

    >>> one = ContainerSpec(name="a", image="b")
    >>> fingerprint(one) == fingerprint(attrs.evolve(one, stop_grace_ms=1))
    True
    >>> fingerprint(one) == fingerprint(attrs.evolve(one, image="c"))
    False

    """
    text = _rendered(spec, leaving_out=_OF_THE_OPERATOR)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def salt_of(fleet: str, name: str) -> int:
    """Return the number that spreads a container's waits, recorded once declared.

    >>> salt_of("demo", "web-0")
    4251813529

    """
    digest = hashlib.blake2b(f"{fleet}/{name}".encode(), digest_size=4)
    return int.from_bytes(digest.digest())


def _rendered(value: object, leaving_out: frozenset[str] = frozenset()) -> str:
    """Write a value so that equal values, and only these, are written alike."""
    entries = pairs(value)
    if entries is not None:
        return f"{{{','.join(f'{k!r}:{_rendered(v)}' for k, v in entries)}}}"
    kind: type[Any] = type(value)
    if not attrs.has(kind):
        return repr(value)
    parts = [
        f"{field.name}={_rendered(getattr(value, field.name))}"
        for field in attrs.fields(kind)
        if field.name not in leaving_out and getattr(value, field.name) != field.default
    ]
    return f"{kind.__name__}({','.join(parts)})"
