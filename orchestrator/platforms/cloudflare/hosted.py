"""The operator that a gateway hosts: asked how it is, and told whether to run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from returns.result import Failure

from orchestrator.codec.platform_choices import CloudflareChoice
from orchestrator.core.errors import PlatformError
from orchestrator.platforms.cloudflare.access import gateway_of
from orchestrator.platforms.cloudflare.http import Tree

__all__ = ("Wanted", "ask_operator")

Wanted = Literal["running", "stopped"]


async def ask_operator(
    choice: CloudflareChoice,
    fleet: str,
    secrets: Mapping[str, str],
    wanted: Wanted | None = None,
) -> Tree | PlatformError:
    """Ask how the operator of a fleet is, after it was told what is *wanted* of it.

    Moments are milliseconds since 1970, by Cloudflare's clock, which is ``now``. A
    gateway that hosts none refuses.
    """
    gateway = gateway_of(choice, secrets)
    path = f"fleets/{fleet}/operator"
    try:
        if wanted is None:
            told = await gateway.get(path)
        else:
            told = await gateway.post(path, {"wanted": wanted})
    finally:
        await gateway.close()
    return told.failure() if isinstance(told, Failure) else told.unwrap()
