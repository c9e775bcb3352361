"""Health checks as a fleet file spells them: ``http``, ``tcp`` or ``command``.

The key says which question is asked; the core has a value of its own for each.
"""

from __future__ import annotations

from typing import Final, cast

import attrs

from orchestrator.codec.fleet_problems import Problems
from orchestrator.codec.fleet_tables import Tree
from orchestrator.codec.problems import emptiness, listed, shown, suggestion
from orchestrator.core.health import CheckKind, HealthCheck

__all__ = ("PROBES", "health_spelt")

PROBES: Final = ("http", "tcp", "command")
"""What a check may ask, exactly one of these."""

_KEYS: Final = (
    *PROBES,
    *(field.name for field in attrs.fields(HealthCheck) if field.name != "probe"),
)


def health_spelt(tree: Tree, path: str, problems: Problems) -> Tree:
    """Return the table of a container with its health checks as the core has them."""
    given = tree.get("health")
    if not isinstance(given, dict):
        return tree
    where = f"{path}.health"
    kinds = tuple(str(kind) for kind in CheckKind)
    checks: Tree = {}
    for kind, check in problems.only(cast("Tree", given), kinds, where).items():
        if isinstance(check, dict):
            checks |= _check(cast("Tree", check), f"{where}.{kind}", tree, problems)
        else:
            checks[kind] = check
    return {**tree, "health": checks}


def _check(given: Tree, where: str, container: Tree, problems: Problems) -> Tree:
    """Return a check under its kind; nothing where it cannot be read at all."""
    check = problems.only(given, _KEYS, where)
    keys = [key for key in PROBES if key in check]
    if len(keys) != 1:
        found = " and ".join(keys) or "none"
        problems.wrong(where, f"one of {', '.join(PROBES)}", found)
        return {}
    (key,) = keys
    kind = where.rpartition(".")[2]
    once = kind != CheckKind.READINESS
    if once and check.get("success_threshold", 1) != 1:
        found = shown(check.pop("success_threshold"))
        problems.wrong(f"{where}.success_threshold", f"1 for {kind}", found)
    probe = _probe(key, check.pop(key), where, container, problems)
    return {} if probe is None else {kind: {**check, "probe": probe}}


def _probe(
    key: str, given: object, where: str, container: Tree, problems: Problems
) -> Tree | None:
    if key == "command":
        problems.renamed[f"{where}.probe.command"] = f"{where}.command"
        words = listed(given)
        if words:
            return {"type": "command_probe", "command": words}
        expected = "an array of one word at least"
        problems.wrong(f"{where}.command", expected, emptiness(given))
        return None
    inner = f"{where}.{key}"
    problems.renamed[f"{where}.probe"] = inner
    if not isinstance(given, dict):
        problems.wrong(inner, "a table", shown(given))
        return None
    probe = cast("Tree", given)
    problems.not_given(probe, ("type",), inner)
    port, ports = probe.get("port"), container.get("ports", {})
    if isinstance(port, str) and isinstance(ports, dict) and port not in ports:
        known = list(cast("Tree", ports))
        expected = "a port of this container"
        problems.wrong(f"{inner}.port", expected, shown(port), suggestion(port, known))
        return None
    return {**probe, "type": f"{key}_probe"}
