"""Health checks: what a container is asked, how often, and how many answers decide.

The three checks of Kubernetes, with its defaults:

* ``startup``: until it has passed, the others are not asked. Failing ends the run as
  a failed start.
* ``readiness``: while it fails the container is not ready. It is not restarted.
* ``liveness``: failing ends the run as ``Unhealthy``, and its policy decides.

They begin when the platform says that the awaited ports listen. An answer that nobody
could get (the platform was not reached) is *unknown*, and counts for nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Final, TypeAlias

import attrs
from attrs.validators import ge, gt, instance_of, le, optional

from orchestrator.core.fields import (
    are_numbers,
    holds,
    is_command,
    is_header_table,
    is_url_path,
)
from orchestrator.core.moments import DURATION_MAX, Millis
from orchestrator.core.names import is_port_name
from orchestrator.core.table import Table

__all__ = (
    "OK_STATUSES",
    "STATUS_RANGE",
    "CheckKind",
    "CommandProbe",
    "HealthCheck",
    "HealthChecks",
    "HttpProbe",
    "Probe",
    "TcpProbe",
)

OK_STATUSES: Final = (200, 399)
"""What passes where a check names no statuses: as in Kubernetes, both included."""

THRESHOLD_MAX: Final = 1_000


class CheckKind(StrEnum):
    """Which of a container's checks."""

    STARTUP = "startup"
    READINESS = "readiness"
    LIVENESS = "liveness"


_port = holds(is_port_name, "the name of a port")


STATUS_RANGE: Final = (100, 599)
"""Every status that HTTP knows (RFC 9110, section 15)."""


@attrs.frozen(kw_only=True)
class HttpProbe:
    """GET *path*; passed by one of *statuses*, by 200 to 399 where it names none.

    Values of *headers* are templates (``core.templates``), filled when it is asked.
    """

    port: str = attrs.field(validator=_port)
    path: str = attrs.field(
        default="/", validator=holds(is_url_path, "a path that begins with '/'")
    )
    headers: Table[str, str] = attrs.field(
        default=Table[str, str](),
        validator=holds(is_header_table, "header names with known placeholders"),
    )
    statuses: tuple[int, ...] = attrs.field(
        default=(),
        validator=holds(are_numbers(*STATUS_RANGE), "statuses from 100 to 599"),
    )

    def passes(self, status: int) -> bool:
        """Say whether an answer of that status passes.

        >>> HttpProbe(port="http").passes(302), HttpProbe(port="http").passes(503)
        (True, False)

        """
        low, high = OK_STATUSES
        return status in self.statuses if self.statuses else low <= status <= high


@attrs.frozen(kw_only=True)
class TcpProbe:
    """Open a connection; passed if it opens."""

    port: str = attrs.field(validator=_port)


@attrs.frozen(kw_only=True)
class CommandProbe:
    """Run a command within the container; passed if it exits with 0."""

    command: tuple[str, ...] = attrs.field(
        validator=[
            attrs.validators.min_len(1),
            holds(is_command, "words with known placeholders"),
        ]
    )


Probe: TypeAlias = HttpProbe | TcpProbe | CommandProbe
"""One question to a container."""

_duration = [instance_of(int), ge(0), le(DURATION_MAX)]
_positive = [instance_of(int), gt(0), le(DURATION_MAX)]
_threshold = [instance_of(int), ge(1), le(THRESHOLD_MAX)]


@attrs.frozen(kw_only=True)
class HealthCheck:
    """A question, asked every ``period_ms``; thresholds count answers in a row."""

    probe: Probe = attrs.field(validator=instance_of(Probe))
    initial_delay_ms: Millis = attrs.field(default=0, validator=_duration)
    period_ms: Millis = attrs.field(default=10_000, validator=_positive)
    timeout_ms: Millis = attrs.field(default=1_000, validator=_positive)
    success_threshold: int = attrs.field(default=1, validator=_threshold)
    failure_threshold: int = attrs.field(default=3, validator=_threshold)


_check = optional(instance_of(HealthCheck))


@attrs.frozen(kw_only=True)
class HealthChecks:
    """The checks of one container, each or none."""

    startup: HealthCheck | None = attrs.field(default=None, validator=_check)
    readiness: HealthCheck | None = attrs.field(default=None, validator=_check)
    liveness: HealthCheck | None = attrs.field(default=None, validator=_check)

    def __attrs_post_init__(self) -> None:
        """Refuse a row of successes where one answer says all, as Kubernetes does."""
        for kind in (CheckKind.STARTUP, CheckKind.LIVENESS):
            check = self.get(kind)
            if check is not None and check.success_threshold != 1:
                msg = f"{kind}.success_threshold: expected 1 for this check"
                raise ValueError(msg)

    def get(self, kind: CheckKind) -> HealthCheck | None:
        """Return the check of a kind."""
        match kind:
            case CheckKind.STARTUP:
                return self.startup
            case CheckKind.READINESS:
                return self.readiness
            case _:
                return self.liveness

    def all(self) -> Iterator[tuple[CheckKind, HealthCheck]]:
        """Yield the checks that there are."""
        for kind in CheckKind:
            check = self.get(kind)
            if check is not None:
                yield kind, check
