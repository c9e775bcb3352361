"""``rollout`` of an entry, and ``[rollout]`` for all of them, as a fleet file says it.

A share is a number of replicas or a text, ``"25%"``. Which keys there are depends on
the strategy: the steps of a canary mean nothing to a blue-green rollout.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, cast

import attrs

from orchestrator.codec.fleet_problems import Problems
from orchestrator.codec.fleet_tables import Tree, spelt_out
from orchestrator.codec.problems import emptiness, listed, shown, suggestion
from orchestrator.core.moments import format_duration
from orchestrator.core.rollout_policies import (
    BUILT_IN,
    CANARY_STEPS_MAX,
    COUNT_MAX,
    CanaryStep,
    RolloutPolicy,
    Share,
)

__all__ = ("SHARES", "STEP_KEYS", "RolloutReader", "keys_of", "share_of")

SHARES: Final = ("max_unavailable", "max_surge", "failure_budget")
"""Fields of a policy that are shares of the replicas."""

STEP_KEYS: Final = tuple(field.name for field in attrs.fields(CanaryStep))

_FIELDS: Final = attrs.fields_dict(RolloutPolicy)
_KEYS: Final = tuple(_FIELDS)
_OWN: Final = "a strategy of the program's own"
_ONLY: Final[Mapping[str, tuple[str, ...]]] = {
    "steps": ("canary",),
    "promote": ("canary", "blue_green"),
    "keep_old_ms": ("blue_green",),
    "version": (_OWN,),
    "params": (_OWN,),
}
"""Keys that mean something to some strategies only."""

_MIN_READY: Final = "min_ready_ms"
_DEADLINES: Final = ("container_deadline_ms", "progress_deadline_ms")
_PERCENT: Final = re.compile(r"([0-9]{1,3})%")
_A_SHARE: Final = f'a number of replicas up to {COUNT_MAX}, or a text up to "100%"'
_WHOLE: Final = 100


def keys_of(strategy: str) -> tuple[str, ...]:
    """Return the fields of a policy that mean something to a strategy.

    >>> "steps" in keys_of("canary"), "steps" in keys_of("rolling")
    (True, False)

    """
    kind = strategy if strategy in BUILT_IN else _OWN
    return tuple(key for key in _KEYS if kind in _ONLY.get(key, (kind,)))


def share_of(given: object) -> Share | None:
    """Read a share; None where it is none.

    >>> share_of(3) == Share(3), share_of("25%") == Share(25, is_percent=True)
    (True, True)
    >>> share_of("25"), share_of("101%"), share_of(True)
    (None, None, None)

    """
    if type(given) is int:
        return Share(given) if 0 <= given <= COUNT_MAX else None
    said = _PERCENT.fullmatch(given) if isinstance(given, str) else None
    if said is None or int(said[1]) > _WHOLE:
        return None
    return Share(int(said[1]), is_percent=True)


@attrs.define(kw_only=True)
class RolloutReader:
    """Reads the rollout policies of one file; what is wrong goes to *problems*.

    ``defaults`` is the ``[rollout]`` table, None: the file has none. ``has_policies``:
    the file says where strategies of the program's own are.
    """

    problems: Problems
    has_policies: bool
    defaults: Tree | None = None

    def take_defaults(self, tree: Tree) -> None:
        """Take what holds for every service; what is wrong in it is told once."""
        if "rollout" not in tree:
            return
        found = self.problems.found
        before = len(found)
        table = self.problems.table(tree, "rollout")
        spelt = self._spelt(table, "rollout", {}, 0)
        _ = self.problems.read(spelt, RolloutPolicy, "rollout", RolloutPolicy())
        self.defaults = spelt if len(found) == before else {}

    def policy(self, given: object, path: str, replicas: int) -> RolloutPolicy | None:
        """Return the policy of a service; None: it has none, nor has the file."""
        if given is None and self.defaults is None:
            return None
        if given is not None and not isinstance(given, dict):
            self.problems.wrong(path, "a table", shown(given))
            return None
        own = cast("Tree", given or {})
        below = _below(self.defaults or {}, own)
        spelt = {**below, **self._spelt(own, path, below, replicas)}
        return self.problems.read(spelt, RolloutPolicy, path, RolloutPolicy())

    def _spelt(self, given: Tree, path: str, below: Tree, replicas: int) -> Tree:
        """Return a table as the core has it, without what is wrong in it.

        *below* is what holds where the table says nothing.
        """
        problems = self.problems
        table = problems.only(spelt_out(given, path, problems.wrong), _KEYS, path)
        strategy = self._strategy(table, path, below)
        table = self._fitting(table, given, strategy, path)
        for key in SHARES:
            if key in table:
                table |= self._share(table.pop(key), key, path)
        if "steps" in table:
            steps = self._steps(table.pop("steps"), f"{path}.steps", replicas)
            table |= {"steps": steps} if steps else {}
        elif strategy == "canary" and "steps" not in below:
            self.problems.wrong(f"{path}.steps", "one step at least", "nothing")
        return self._in_time(table, below, path)

    def _strategy(self, table: Tree, path: str, below: Tree) -> str:
        """Return the strategy that is meant; one that nobody knows is told."""
        strategy = table.get("strategy", below.get("strategy", "rolling"))
        if not isinstance(strategy, str):
            return "rolling"
        if strategy in BUILT_IN or self.has_policies:
            return strategy
        expected = f"one of {', '.join(BUILT_IN)}"
        hint = suggestion(strategy, list(BUILT_IN)) or (
            'policies = "module:object" under [fleet] says where others are'
        )
        self.problems.wrong(f"{path}.strategy", expected, shown(strategy), hint)
        del table["strategy"]
        near = hint.split('"')[1]
        return near if near in BUILT_IN else strategy

    def _fitting(self, table: Tree, given: Tree, strategy: str, path: str) -> Tree:
        """Return the keys that mean something to the strategy; others are told."""
        known = keys_of(strategy)
        for key in sorted(set(table) - set(known)):
            bare = key.removesuffix("_ms")
            said = bare if bare in given else key
            expected = f"no such key with {strategy}"
            hint = f"it is for {' or '.join(_ONLY[key])}"
            where, found = f"{path}.{said}", shown(given[said])
            self.problems.wrong(where, expected, found, hint)
        return {key: table[key] for key in table if key in known}

    def _share(self, given: object, key: str, path: str) -> Tree:
        share = share_of(given)
        if share is None:
            self.problems.wrong(f"{path}.{key}", _A_SHARE, shown(given))
            return {}
        return {key: attrs.asdict(share)}

    def _steps(self, given: object, path: str, replicas: int) -> list[Tree]:
        """Read the steps of a canary, each with more replicas than the one before."""
        rows = listed(given)
        if not rows:
            expected = "an array of one step at least"
            self.problems.wrong(path, expected, emptiness(given))
        if len(rows) > CANARY_STEPS_MAX:
            expected = f"at most {CANARY_STEPS_MAX} steps"
            self.problems.wrong(path, expected, str(len(rows)))
        steps: list[Tree] = []
        before: Share | None = None
        for index, row in enumerate(rows[:CANARY_STEPS_MAX]):
            where = f"{path}[{index}]"
            if not isinstance(row, dict):
                self.problems.wrong(where, "a table", shown(row))
                continue
            step = spelt_out(cast("Tree", row), where, self.problems.wrong)
            step = self.problems.only(step, STEP_KEYS, where)
            share = self._step_share(step.get("share"), where, before, replicas)
            if share is not None:
                steps.append({**step, "share": attrs.asdict(share)})
            before = share or before
        return steps

    def _step_share(
        self, given: object, path: str, before: Share | None, replicas: int
    ) -> Share | None:
        share = share_of(given)
        if share is None or not share.value:
            found = "nothing" if given is None else shown(given)
            expected = _A_SHARE if share is None else "1 at least"
            self.problems.wrong(f"{path}.share", expected, found)
            return None
        if before is not None and not _is_more(before, share, replicas):
            expected = f"more than {before}, the step before"
            self.problems.wrong(f"{path}.share", expected, str(share))
        return share

    def _in_time(self, table: Tree, below: Tree, path: str) -> Tree:
        """Return the table; a deadline that nobody can meet is told."""
        said = {key: field.default for key, field in _FIELDS.items()} | below | table
        ready = said[_MIN_READY]
        late: set[str] = set()
        for key in _DEADLINES:
            limit = said[key]
            if type(ready) is int and type(limit) is int and 0 < limit <= ready:
                bare = key.removesuffix("_ms")
                expected = f"more than min_ready, {format_duration(ready)}"
                hint = "" if key in table or key in below else "that is its default"
                found = format_duration(limit)
                self.problems.wrong(f"{path}.{bare}", expected, found, hint)
                late |= {_MIN_READY, key}
        return {key: table[key] for key in table if key not in late}


def _is_more(before: Share, share: Share, replicas: int) -> bool:
    """Say whether a step goes on; a number beside a percentage may be the same."""
    if before.is_percent is share.is_percent:
        return share.value > before.value
    return share.up(replicas) >= before.up(replicas)


def _below(defaults: Tree, own: Tree) -> Tree:
    """Return what holds below a table: another strategy takes none of its words along.

    >>> _below({"strategy": "canary", "promote": "manual"}, {"strategy": "rolling"})
    {}

    """
    theirs = defaults.get("strategy", "rolling")
    if own.get("strategy", theirs) == theirs:
        return defaults
    return {key: defaults[key] for key in defaults if key not in {*_ONLY, "strategy"}}
