"""``[platform]`` of a fleet file: where the fleet runs, and what that place is told.

A class each. What is secret is named here, never held: the value is looked up among
the operator's secrets when the platform is opened.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, ClassVar, Final, TypeAlias
from urllib.parse import urlsplit

import attrs
from attrs.validators import ge, gt, instance_of, le, matches_re, optional

from orchestrator.core.fields import holds
from orchestrator.core.moments import DURATION_MAX, Millis
from orchestrator.core.names import is_env_key

__all__ = (
    "CHOICES",
    "CloudflareChoice",
    "LocalChoice",
    "PlatformChoice",
    "SchedulingPolicy",
    "SimulatedChoice",
    "is_safe_url",
)

HEADROOM: Final = 5
HEADROOM_MAX: Final = 10_000
ORPHAN_AFTER_MIN: Final[Millis] = 60_000
"""A restart of the operator must not look like its end."""

_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_key = holds(is_env_key, "the key of a secret")


class SchedulingPolicy(StrEnum):
    """Who places containers: Cloudflare's scheduler, or the object of each container.

    Fixed when an application is created. ``default``: image and size belong to the
    application. ``durable_object``: they are chosen at every start.
    """

    DEFAULT = "default"
    DURABLE_OBJECT = "durable_object"


def is_safe_url(text: object) -> bool:
    """Say whether a URL may be sent a token: https, or http on this machine.

    >>> is_safe_url("https://fleet.example.com"), is_safe_url("http://example.com")
    (True, False)

    """
    if not isinstance(text, str):
        return False
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        return False
    if parts.query or parts.fragment or parts.username or not parts.hostname:
        return False
    return parts.scheme == "https" or (
        parts.scheme == "http" and parts.hostname in _LOOPBACK
    )


@attrs.frozen(kw_only=True)
class LocalChoice:
    """Processes of this machine."""

    kind: ClassVar[str] = "local"
    log_max_bytes: int = 1_048_576


@attrs.frozen(kw_only=True)
class SimulatedChoice:
    """Nothing is run."""

    kind: ClassVar[str] = "simulated"
    seed: int = 0


@attrs.frozen(kw_only=True)
class CloudflareChoice:
    """Cloudflare Containers, behind the gateway at ``url``.

    ``token_secret``, ``api_token_secret`` name secrets; ``access_secrets`` is what the
    two of an Access service token begin with. ``headroom``: how many containers more
    than declared each application may run. ``orphan_after_ms``: for how long no
    operator may call before the gateway stops the fleet.
    """

    kind: ClassVar[str] = "cloudflare"
    url: str | None = attrs.field(
        default=None,
        validator=optional(holds(is_safe_url, "an https URL (http on this machine)")),
    )
    token_secret: str = attrs.field(default="GATEWAY_TOKEN", validator=_key)
    access_secrets: str | None = attrs.field(default=None, validator=optional(_key))
    scheduling_policy: SchedulingPolicy = attrs.field(
        default=SchedulingPolicy.DEFAULT, validator=instance_of(SchedulingPolicy)
    )
    worker: str | None = attrs.field(
        default=None, validator=optional(matches_re(r"[a-z0-9][a-z0-9-]{0,53}"))
    )
    headroom: int = attrs.field(
        default=HEADROOM, validator=[instance_of(int), ge(0), le(HEADROOM_MAX)]
    )
    orphan_after_ms: Millis | None = attrs.field(
        default=None,
        validator=optional(
            [instance_of(int), ge(ORPHAN_AFTER_MIN), le(DURATION_MAX)],
        ),
    )
    account_id: str | None = attrs.field(
        default=None, validator=optional(matches_re(r"[0-9a-f]{32}"))
    )
    api_token_secret: str = attrs.field(default="CLOUDFLARE_API_TOKEN", validator=_key)
    timeout_ms: Millis = attrs.field(
        default=15_000, validator=[instance_of(int), gt(0), le(120_000)]
    )


PlatformChoice: TypeAlias = LocalChoice | SimulatedChoice | CloudflareChoice

CHOICES: Final[dict[str, type[Any]]] = {
    choice.kind: choice for choice in (LocalChoice, SimulatedChoice, CloudflareChoice)
}
"""The class of each kind of platform."""
