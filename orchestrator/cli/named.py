"""What a fleet file or an option names in Python: functions, hooks, policies.

Policies are those that restart, and strategies of rollouts, in one register.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any, Final

from orchestrator.cli.failing import Failed, failed
from orchestrator.codec.fleet_file import FleetFile
from orchestrator.core.custom import (
    NO_POLICIES,
    CustomPolicies,
    CustomPolicy,
    is_strategy,
    registered,
)
from orchestrator.core.errors import PolicyNotRegistered
from orchestrator.core.strategies import CustomStrategy

__all__ = ("IN_FILE", "OPTION", "named_object", "policies_named", "policies_of")


OPTION: Final = "--policies"
"""Where a command names custom policies; a fleet file does it in ``IN_FILE``."""

IN_FILE: Final = "fleet.policies"

_KINDS: Final = (CustomPolicy, CustomStrategy)


def named_object(reference: str | None, folder: Path, place: str) -> Any:
    """Import ``module:name``, also from a folder; *place* is where it is named."""
    if reference is None:
        return None
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    module, _, name = reference.partition(":")
    try:
        found: Any = importlib.import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
    except Exception as error:  # noqa: BLE001 - it is the owner's code
        cause = f"{type(error).__name__}: {error}"
        raise Failed(f"{place}: {reference!r} cannot be loaded: {cause}", 2) from None
    return found


def policies_of(file: FleetFile, folder: Path) -> CustomPolicies:
    """Return the custom policies of a fleet file, all that its entries need."""
    policies = policies_named(file.policies, folder, IN_FILE)
    template = file.spec.settings.ad_hoc
    for spec in (*file.spec.containers, *((template,) if template else ())):
        ref = spec.restart.custom
        if ref is not None and (ref.name, ref.version) not in policies:
            raise failed(
                PolicyNotRegistered(
                    name=spec.name, policy=ref.name, version=ref.version
                )
            )
    for service in file.spec.services:
        policy = service.rollout
        if policy is not None and not is_strategy(
            policies, policy.strategy, policy.version
        ):
            raise failed(
                PolicyNotRegistered(
                    name=service.name, policy=policy.strategy, version=policy.version
                )
            )
    return policies


def policies_named(reference: str | None, folder: Path, place: str) -> CustomPolicies:
    """Return the custom policies under a Python name: one, or an iterable of them.

    *place* is where the name stands: ``OPTION``, or ``IN_FILE``.
    """
    found = named_object(reference, folder, place)
    if found is None:
        return NO_POLICIES
    try:
        given = [found] if isinstance(found, _KINDS) else list(found)
        strangers = [each for each in given if not isinstance(each, _KINDS)]
        if not strangers:
            return registered(given)
        cause = f"{strangers[0]!r:.60} is no CustomPolicy, nor a CustomStrategy"
    except Exception as error:  # noqa: BLE001 - it is the owner's code
        cause = f"{type(error).__name__}: {error}"
    raise Failed(f"{place}: {reference!r} holds no policies: {cause}", 2)
