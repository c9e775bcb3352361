"""Restart policies as a fleet file spells them: exit rules, delays, custom ones.

``exit_rules = [{ codes = [3], action = "fail" }]`` names what a rule matches by its
key; the core has a value of its own for that.
"""

from __future__ import annotations

from typing import Final, cast

from orchestrator.codec.fleet_tables import TellWrong, Tree, merged
from orchestrator.codec.problems import emptiness, listed, shown, suggestion
from orchestrator.core.exit_rules import (
    CODE_MAX,
    RULES_MAX,
    SIGNAL_MAX,
    ExitAction,
    ExitKind,
)

__all__ = ("MATCHES", "SIGNALS", "policy_over", "policy_spelt")

_NAMES: Final = """
HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT
CHLD CONT STOP TSTP TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS
"""

SIGNALS: Final[dict[str, int]] = {
    name: number for number, name in enumerate(_NAMES.split(), 1)
}
"""The signals of Linux by their names, without the ``SIG``."""

MATCHES: Final = (
    "codes",
    "codes_not_in",
    "signals",
    "signals_not_in",
    "kinds",
    "kinds_not_in",
)
"""What a rule may match, exactly one of these."""


def policy_spelt(
    tree: Tree, path: str, wrong: TellWrong, *, has_policies: bool
) -> Tree:
    """Return a restart table with its exit rules as the core has them.

    A custom policy needs that the file says where it is (*has_policies*).
    """
    spelt = dict(tree)
    if tree.get("custom") is not None and not has_policies:
        custom = tree["custom"]
        name = cast("Tree", custom).get("name") if isinstance(custom, dict) else custom
        hint = 'policies = "module:object" under [fleet] says where it is'
        wrong(f"{path}.custom", "a fleet that names its policies", shown(name), hint)
    rules = tree.get("exit_rules")
    if isinstance(rules, list):
        spelt["exit_rules"] = _rules(listed(tree["exit_rules"]), path, wrong)
    return spelt


def policy_over(defaults: Tree, own: Tree) -> Tree:
    """Lay a container's restart table over the fleet's; a custom policy goes whole.

    >>> policy_over({"custom": {"name": "a", "version": 1}}, {"custom": {"name": "b"}})
    {'custom': {'name': 'b'}}

    """
    below = {key: defaults[key] for key in defaults if key not in {"custom"} & {*own}}
    return merged(below, own)


def _rules(given: list[object], path: str, wrong: TellWrong) -> list[Tree]:
    if len(given) > RULES_MAX:
        wrong(f"{path}.exit_rules", f"at most {RULES_MAX} rules", f"{len(given)}")
    rules: list[Tree] = []
    for index, rule in enumerate(given[:RULES_MAX]):
        where = f"{path}.exit_rules[{index}]"
        if isinstance(rule, dict):
            rules += _rule(cast("Tree", rule), where, wrong)
        else:
            wrong(where, "a table", shown(rule))
    return rules


def _rule(given: Tree, where: str, wrong: TellWrong) -> list[Tree]:
    """Return a rule as the core has it; none where anything is wrong with it."""
    known = [*MATCHES, "action"]
    for key in sorted(set(given) - set(known)):
        wrong(f"{where}.{key}", "a known key", shown(key), suggestion(key, known))
    action = given.get("action")
    actions = [str(each) for each in ExitAction]
    is_action = isinstance(action, str) and action in actions
    if not is_action:
        hint = suggestion(action, actions) if isinstance(action, str) else ""
        found = "nothing" if action is None else shown(action)
        wrong(f"{where}.action", f"one of {', '.join(actions)}", found, hint)
    keys = [key for key in MATCHES if key in given]
    if len(keys) != 1:
        wrong(where, f"one of {', '.join(MATCHES)}", " and ".join(keys) or "none")
        return []
    (key,) = keys
    kind = key.removesuffix("_not_in")
    values = _values(given[key], kind, f"{where}.{key}", wrong)
    if not values or not is_action:
        return []
    match = {"type": kind, "values": values, "negated": kind != key}
    return [{"match": match, "action": action}]


def _values(given: object, kind: str, where: str, wrong: TellWrong) -> list[int | str]:
    """Read what a rule lists; empty where anything of it is wrong."""
    entries = listed(given)
    if not entries:
        wrong(where, "an array of one at least", emptiness(given))
    values: list[int | str] = []
    for index, value in enumerate(entries):
        read, expected, hint = _value(value, kind)
        if read is None:
            wrong(f"{where}[{index}]", expected, shown(value), hint)
        else:
            values.append(read)
    return values if len(values) == len(entries) else []


def _value(given: object, kind: str) -> tuple[int | str | None, str, str]:
    """Read one code, signal or kind; None, what was expected, and a hint."""
    text = given if isinstance(given, str) else ""
    if kind == "kinds":
        kinds = [str(each) for each in ExitKind]
        read = text if text in kinds else None
        return read, f"one of {', '.join(kinds)}", suggestion(text, kinds)
    if kind == "signals":
        expected = f"a signal, by its name or from 1 to {SIGNAL_MAX}"
        name = text.removeprefix("SIG")
        if name in SIGNALS:
            return SIGNALS[name], expected, ""
        hint = suggestion(name.upper(), list(SIGNALS))
        return _within(given, 1, SIGNAL_MAX), expected, hint
    return _within(given, 0, CODE_MAX), f"an exit code from 0 to {CODE_MAX}", ""


def _within(given: object, low: int, high: int) -> int | None:
    if not isinstance(given, int) or isinstance(given, bool):
        return None
    return given if low <= given <= high else None
