"""What is given in Python, made plain: the tables, arrays and texts of a fleet file.

Values of the core are spelt out, what no file could hold stays as it is: the reader of
fleet files says what is wrong with it, and where.
"""

# pyright: basic
# What comes in may be anything; mypy holds the rest.
from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from datetime import timedelta
from enum import Enum
from typing import Any, Final, cast

import attrs

from orchestrator.codec.api_choice import ApiChoice
from orchestrator.codec.fleet_forms import exact_duration, form_of, table_of
from orchestrator.codec.fleet_tables import OWNED, Tree
from orchestrator.codec.journal_choice import JournalChoice, LeaseChoice
from orchestrator.codec.platform_choices import CHOICES
from orchestrator.core.autoscaling import Autoscaling
from orchestrator.core.backoff import Backoff
from orchestrator.core.exit_rules import ExitRule
from orchestrator.core.health import HealthCheck, HealthChecks, HttpProbe, TcpProbe
from orchestrator.core.hosting import InstanceType, Placement
from orchestrator.core.notify import Notify
from orchestrator.core.policies import CrashLimit, CustomPolicyRef, RestartPolicy
from orchestrator.core.rollout_policies import CanaryStep, RolloutPolicy, Share
from orchestrator.core.table import Table

__all__ = ("ContainerEntry", "plain")

_DEPTH_MAX: Final = 64
"""Tables within tables; the reader draws its lines far above."""

_COMPLETE: Final = frozenset(
    {RestartPolicy, CrashLimit, Backoff, RolloutPolicy, LeaseChoice}
)
"""Values that are meant as they are, whatever the fleet's own policies say."""

_SPELT_OUT: Final = _COMPLETE | {
    *(ApiChoice, CustomPolicyRef, ExitRule, HealthCheck, HealthChecks, InstanceType),
    *(JournalChoice, Notify, Placement, *CHOICES.values()),
    *(Autoscaling, CanaryStep, Share),
}
"""Values of ours that may be given in place of a table."""

_PROBES: Final = frozenset({HttpProbe, TcpProbe})

_MILLISECOND: Final = timedelta(milliseconds=1)


@attrs.frozen(repr=False)
class ContainerEntry:
    """One entry of a fleet, as ``container`` makes it; ``fleet`` reads it."""

    tree: Tree

    def __repr__(self) -> str:
        """Show its name alone: its environment may hold what nobody should see."""
        return f"container({self.tree['name']!r})"


@attrs.frozen(repr=False)
class _Unfit:
    """Something that is in no file; it is shown by these words."""

    words: str

    def __repr__(self) -> str:
        """Show it."""
        return self.words


def plain(value: Any, *, depth: int = 0, is_owned: bool = False) -> Any:
    """Return what a fleet file would hold in place of a value.

    >>> plain({"stop_grace": timedelta(seconds=90), "command": ("run",)})
    {'stop_grace': '1m30s', 'command': ['run']}

    """
    kind = type(value)
    if kind in _PROBES and not is_owned:
        return table_of(value)  # under its key, which says what it is
    if kind in _SPELT_OUT and not is_owned:
        return form_of(value, whole=kind in _COMPLETE)
    match value:
        case ContainerEntry(tree=tree):
            return tree
        case Enum():
            return value.value
        case str() if kind is not str:
            return str.__str__(value)
        case timedelta() if not is_owned:
            return _duration(value)
        case os.PathLike():
            return _path(cast("os.PathLike[str]", value))
        case Mapping() | Table():
            return _table(cast("Mapping[Any, Any]", value), depth, is_owned=is_owned)
        case list() | tuple():
            if depth > _DEPTH_MAX:
                return _Unfit("an array, too deep within others")
            inner = cast("list[Any]", value)
            return [plain(each, depth=depth + 1, is_owned=is_owned) for each in inner]
        case Iterator():
            return _Unfit(f"a {kind.__name__}")
        case _:
            return value


def _path(given: os.PathLike[str]) -> Any:
    try:
        return plain(os.fspath(given))
    except Exception as error:  # noqa: BLE001 - it is the owner's code
        return _Unfit(f"a path that raises {type(error).__name__}")


def _table(given: Mapping[Any, Any], depth: int, *, is_owned: bool) -> Any:
    if depth > _DEPTH_MAX:
        return _Unfit("a table, too deep within others")
    strange = [key for key, _ in given.items() if not isinstance(key, str)]
    if strange:
        return _Unfit(f"a table with the key {strange[0]!r}, which is no text")
    return {
        str.__str__(key): plain(
            inner, depth=depth + 1, is_owned=is_owned or key in OWNED
        )
        for key, inner in given.items()
    }


def _duration(value: timedelta) -> str:
    """Write a timedelta as a duration; as itself where it is none."""
    millis, rest = divmod(value, _MILLISECOND)
    return str(value) if rest or millis < 0 else exact_duration(millis)
