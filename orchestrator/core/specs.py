"""What should run: one container, complete and self-contained.

What a fleet file says once for many (replicas, defaults) is spelt out already, and kept
beside it as a *service* (``core.services``), so that it can be scaled.
"""

from __future__ import annotations

from typing import Final

import attrs
from attrs.validators import ge, gt, in_, instance_of, le, optional

from orchestrator.core.dependencies import (
    Condition,
    is_dependency_table,
)
from orchestrator.core.fields import (
    LATER,
    Json,
    are_port_names,
    holds,
    is_command,
    is_env_table,
    is_json_table,
    is_port_table,
)
from orchestrator.core.groups import Membership
from orchestrator.core.health import CommandProbe, HealthChecks
from orchestrator.core.hosting import LITE, InstanceType, Placement
from orchestrator.core.moments import DURATION_MAX, Millis
from orchestrator.core.names import is_name
from orchestrator.core.policies import RestartPolicy
from orchestrator.core.table import Table

__all__ = ("STOP_SIGNALS", "ContainerSpec", "named")

STOP_SIGNALS: Final = ("TERM", "INT", "QUIT", "HUP", "USR1", "USR2", "KILL")
"""Signals that may ask a container to stop, without the ``SIG``."""


_duration = [instance_of(int), ge(0), le(DURATION_MAX)]
_positive = [instance_of(int), gt(0), le(DURATION_MAX)]
_index = [instance_of(int), ge(0), le(2**63 - 1)]  # what a journal can hold
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
    replica: int = attrs.field(default=0, validator=_index)
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
    depends_on: Table[str, Condition] = attrs.field(
        default=Table[str, Condition](),
        validator=holds(is_dependency_table, "services with started, ready, completed"),
        metadata=LATER,
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


def named(template: ContainerSpec, name: str) -> ContainerSpec:
    """Return the template as the spec of a container of its own.

    >>> named(ContainerSpec(name="any", command=("sleep", "1")), "worker-7").service
    'worker-7'

    """
    return attrs.evolve(template, name=name, service=name, replica=0)
