"""``autoscaling`` of an entry, as a fleet file says it.

``min`` and ``max`` are numbers of replicas, ``target`` is what each of them is to be
measured at, with three digits behind the point at most.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Final, cast

from orchestrator.codec.fleet_problems import Problems
from orchestrator.codec.fleet_rollouts import share_of
from orchestrator.codec.fleet_tables import Tree, spelt_out
from orchestrator.codec.problems import shown, suggestion
from orchestrator.core.autoscaling import Autoscaling, Metric
from orchestrator.core.services import REPLICAS_MAX

__all__ = ("AUTOSCALING_KEYS", "NAMED", "read_autoscaling")

NAMED: Final[Mapping[str, str]] = {
    "target_milli": "target",
    "least": "min",
    "most": "max",
    "tolerance_percent": "tolerance",
}
"""Fields that have another key in the file."""

AUTOSCALING_KEYS: Final = (
    *("metric", "target", "min", "max"),
    *("window_ms", "tolerance", "up_after_ms", "down_after_ms"),
)
TARGET_MAX: Final = 10**9
_MILLI: Final = 1_000
_STAND_IN: Final = Autoscaling(metric=Metric.PUSHED, target_milli=_MILLI, most=1)


def read_autoscaling(given: object, path: str, problems: Problems) -> Autoscaling:
    """Read the table; what comes of one that is wrong, nobody uses."""
    if not isinstance(given, dict):
        problems.wrong(path, "a table", shown(given))
        return _STAND_IN
    table = spelt_out(cast("Tree", given), path, problems.wrong)
    table = problems.only(table, AUTOSCALING_KEYS, path)
    before = len(problems.found)
    spelt: Tree = {
        "metric": _metric(table.pop("metric", None), path, problems),
        "target_milli": _target(table.pop("target", None), path, problems),
        **_bounds(table, path, problems),
    }
    if "tolerance" in table:
        tolerance = _tolerance(table.pop("tolerance"), path, problems)
        spelt["tolerance_percent"] = tolerance
    if len(problems.found) > before:  # the rest is read for what is wrong with it
        spelt = {"metric": "pushed", "target_milli": _MILLI, "most": 1}
    return problems.read({**table, **spelt}, Autoscaling, path)


def _metric(given: object, path: str, problems: Problems) -> object:
    kinds = [str(kind) for kind in Metric]
    if given not in kinds:
        hint = suggestion(given, kinds) if isinstance(given, str) else ""
        expected = f"one of {', '.join(kinds)}"
        problems.wrong(f"{path}.metric", expected, _found(given), hint)
    return given


def _target(given: object, path: str, problems: Problems) -> int:
    """Read what each replica is to be measured at, in thousandths."""
    if type(given) in {int, float} and 0 < cast("float", given) <= TARGET_MAX:
        milli = Decimal(str(given)) * _MILLI
        if milli == int(milli):
            return int(milli)
    expected = f"a number above 0, at most {TARGET_MAX}, in thousandths at the finest"
    problems.wrong(f"{path}.target", expected, _found(given))
    return 1


def _bounds(table: Tree, path: str, problems: Problems) -> Tree:
    """Take ``min`` and ``max`` out of a table, and read them."""
    least = table.pop("min", 1)
    if type(least) is not int or not 0 <= least <= REPLICAS_MAX:
        expected = f"a number from 0 to {REPLICAS_MAX}"
        problems.wrong(f"{path}.min", expected, shown(least))
        least = 1
    lowest = max(1, least)
    most = table.pop("max", None)
    if type(most) is not int or not lowest <= most <= REPLICAS_MAX:
        expected = f"a number from {lowest} to {REPLICAS_MAX}"
        problems.wrong(f"{path}.max", expected, _found(most))
        most = REPLICAS_MAX
    return {"least": least, "most": most}


def _tolerance(given: object, path: str, problems: Problems) -> int:
    share = share_of(given)
    if share is not None and share.is_percent:
        return share.value
    expected = 'a text such as "10%", at most "100%"'
    problems.wrong(f"{path}.tolerance", expected, shown(given))
    return 0


def _found(given: object) -> str:
    return "nothing" if given is None else shown(given)
