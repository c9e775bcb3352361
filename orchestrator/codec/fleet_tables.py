"""Tables of a fleet file before they are read: durations spelt out, defaults below.

``x = "10m"`` means ``x_ms = 600000``, at any depth, but for tables whose keys belong to
the owner.
"""

from __future__ import annotations

from typing import Any, Final, Protocol, TypeAlias, cast

import attrs
from returns.result import Failure

from orchestrator.codec.problems import shown, suggestion
from orchestrator.core.hosting import INSTANCE_TYPES
from orchestrator.core.moments import parse_duration

__all__ = (
    "DURATIONS",
    "LISTS",
    "OWNED",
    "TellWrong",
    "Tree",
    "merged",
    "sized",
    "spelt_out",
)

Tree: TypeAlias = dict[str, Any]


class TellWrong(Protocol):
    """Takes one problem: its path, what was expected, what was found, a hint."""

    def __call__(self, path: str, expected: str, found: str, hint: str = "") -> None:
        """Take it."""
        ...


OWNED: Final = frozenset({"config", "depends_on", "env", "headers", "params", "ports"})

DURATIONS: Final = frozenset(
    {
        "container_deadline_ms",
        "down_after_ms",
        "duration_ms",
        "initial_delay_ms",
        "initial_ms",
        "keep_ms",
        "keep_old_ms",
        "lost_after_ms",
        "max_ms",
        "min_interval_ms",
        "min_ready_ms",
        "min_restart_delay_ms",
        "orphan_after_ms",
        "period_ms",
        "progress_deadline_ms",
        "reconcile_interval_ms",
        "reset_after_ms",
        "sleep_after_ms",
        "soak_ms",
        "start_timeout_ms",
        "stop_grace_ms",
        "timeout_ms",
        "up_after_ms",
        "window_ms",
    }
)
"""A test compares them with the fields of the core."""

LISTS: Final = frozenset({"delays_ms"})
"""Lists of durations; the test has these, too."""

_NUMBERS: Final = frozenset({"autoscaling.max"})
"""Numbers by a key that is a duration in other tables."""


def spelt_out(tree: Tree, path: str, wrong: TellWrong) -> Tree:
    """Return a table with every duration in milliseconds."""
    read: Tree = {}
    for key, value in tree.items():
        where = f"{path}.{key}"
        if key in OWNED:
            read[key] = value
        elif isinstance(value, dict):
            read[key] = spelt_out(cast("Tree", value), where, wrong)
        elif not _is_duration(key, value, where):
            read[key] = value
        elif f"{key}_ms" in tree:
            wrong(where, f"{key} or {key}_ms", "both")
        elif f"{key}_ms" in LISTS and not _is_array(value):
            wrong(where, "an array of durations", shown(value))
        else:
            duration = _in_ms(value, where, wrong)
            if duration is not None:
                read[f"{key}_ms"] = duration
    return read


def _is_array(value: object) -> bool:
    return isinstance(value, list)


def _is_duration(key: str, value: object, where: str) -> bool:
    """Say whether a key is that of a duration, and a value is meant to be one.

    A number or a boolean is meant so, too: it is told what was expected instead.
    """
    if where.endswith(tuple(_NUMBERS)):
        return False
    is_one = f"{key}_ms" in DURATIONS and isinstance(value, str | int | float)
    return is_one or f"{key}_ms" in LISTS


def _in_ms(value: object, where: str, wrong: TellWrong) -> Any:
    """Read a duration, or a list of them; None where one is told to be wrong."""
    if isinstance(value, list):
        places = enumerate(cast("list[object]", value))
        delays = [_in_ms(each, f"{where}[{index}]", wrong) for index, each in places]
        return None if None in delays else delays
    read = parse_duration(value if isinstance(value, str) else "")
    if isinstance(read, Failure):
        expected = read.failure().removeprefix("expected ")
        wrong(where, expected, shown(value))
        return None
    return read.unwrap()


def sized(tree: Tree, path: str, wrong: TellWrong) -> Tree:
    """Return a table with a named ``instance_type`` spelt out."""
    name = tree.get("instance_type")
    if not isinstance(name, str):
        return tree
    rest = {key: value for key, value in tree.items() if key != "instance_type"}
    size = INSTANCE_TYPES.get(name)
    if size is None:
        known = ", ".join(INSTANCE_TYPES)
        expected = f"one of {known}, or a table of vcpu, memory_mib and disk_mb"
        hint = suggestion(name, list(INSTANCE_TYPES))
        wrong(f"{path}.instance_type", expected, shown(name), hint)
        return rest
    return {**rest, "instance_type": attrs.asdict(size)}


def merged(defaults: Tree, own: Tree) -> Tree:
    """Lay a table over its defaults, also within the tables that it holds.

    >>> merged({"when": "never", "crash": {"window_ms": 1}}, {"crash": {"x": 2}})
    {'when': 'never', 'crash': {'window_ms': 1, 'x': 2}}

    """
    both = dict(defaults)
    for key, value in own.items():
        below = both.get(key)
        if isinstance(below, dict) and isinstance(value, dict):
            both[key] = merged(cast("Tree", below), cast("Tree", value))
        else:
            both[key] = value
    return both
