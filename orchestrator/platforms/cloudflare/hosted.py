"""The operator that a gateway hosts: asked how it is, and told whether to run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal, cast

from returns.result import Failure

from orchestrator.codec.platform_choices import CloudflareChoice
from orchestrator.core.errors import PlatformError, Unreachable
from orchestrator.platforms.cloudflare.access import gateway_of
from orchestrator.platforms.cloudflare.http import Tree

__all__ = ("Wanted", "ask_operator")

Wanted = Literal["running", "stopped"]

TEXTS: Final = ("state", "wanted")
NUMBERS: Final = ("since", "restarts", "now")
NUMBERS_OR_NONE: Final = ("next_start_at",)


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
    if isinstance(told, Failure):
        error: PlatformError = told.failure()
        return error
    tree: Tree = told.unwrap()
    if _is_told(tree):
        return tree
    return Unreachable(cause="what answers there does not say how an operator is")


def _is_told(tree: Tree) -> bool:
    """Say whether an answer is that of a gateway; a newer one may tell more."""
    end = tree.get("last_end")
    return (
        all(isinstance(tree.get(key), str) for key in TEXTS)
        and all(_is_number(tree.get(key)) for key in NUMBERS)
        and all(
            tree.get(key) is None or _is_number(tree.get(key))
            for key in NUMBERS_OR_NONE
        )
        and (end is None or _is_end(end))
    )


def _is_end(end: object) -> bool:
    if not isinstance(end, dict):
        return False
    tree = cast("dict[str, Any]", end)
    return isinstance(tree.get("kind"), str) and _is_number(tree.get("at"))


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
