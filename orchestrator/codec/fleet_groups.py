"""Groups of a fleet file: ``[groups.NAME]`` names its members, in their order.

What is said once for the group is spelt out as the membership of each container.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, cast

from orchestrator.codec.fleet_problems import Problems
from orchestrator.codec.fleet_tables import Tree
from orchestrator.codec.problems import emptiness, listed, shown, suggestion
from orchestrator.core.groups import MEMBERS_MAX, GroupStrategy, Membership
from orchestrator.core.names import is_name

__all__ = ("GROUP_KEYS", "memberships")

GROUP_KEYS: Final = ("strategy", "members")


def memberships(
    groups: Tree, services: list[str], problems: Problems
) -> dict[str, Membership]:
    """Return the membership of each service that is a member of a group."""
    found: dict[str, Membership] = {}
    for name, given in groups.items():
        path = f"groups.{name}"
        if not is_name(name):
            problems.wrong(path, "a name of a-z, 0-9, '.', '_' and '-'", shown(name))
        elif not isinstance(given, dict):
            problems.wrong(path, "a table", shown(given))
        else:
            group = problems.only(cast("Tree", given), GROUP_KEYS, path)
            strategy = _strategy(group.get("strategy"), path, problems)
            members = _members(group.get("members"), path, services, problems)
            for position, member in members:
                where = f"{path}.members[{position}]"
                if member in found:
                    other = found[member].group
                    hint = f"group {other!r} names it, too" if other != name else ""
                    problems.wrong(where, "a member once", shown(member), hint)
                else:
                    found[member] = Membership(
                        group=name, strategy=strategy, position=position
                    )
    return found


def _strategy(given: object, path: str, problems: Problems) -> GroupStrategy:
    known = [str(each) for each in GroupStrategy]
    if isinstance(given, str) and given in known:
        return GroupStrategy(given)
    found = "nothing" if given is None else shown(given)
    hint = suggestion(given, known) if isinstance(given, str) else ""
    problems.wrong(f"{path}.strategy", f"one of {', '.join(known)}", found, hint)
    return GroupStrategy.ONE_FOR_ALL


def _members(
    given: object, path: str, services: list[str], problems: Problems
) -> Iterator[tuple[int, str]]:
    """Yield the members that there are, with their positions."""
    where = f"{path}.members"
    members = listed(given)
    if not members:
        expected = "an array of names of containers"
        problems.wrong(where, expected, emptiness(given))
    if len(members) > MEMBERS_MAX:
        problems.wrong(where, f"at most {MEMBERS_MAX} members", f"{len(members)}")
    for position, member in enumerate(members[:MEMBERS_MAX]):
        if isinstance(member, str) and member in services:
            yield position, member
            continue
        hint = suggestion(member, services) if isinstance(member, str) else ""
        expected = "the name of a container of this file"
        problems.wrong(f"{where}[{position}]", expected, shown(member), hint)
