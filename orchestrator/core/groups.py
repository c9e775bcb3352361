"""Groups: containers that are restarted together, as supervisors of Erlang/OTP do.

A member that ends by itself and is not done takes others with it: all of the group
(``one_for_all``), or those that come after it (``rest_for_one``). They are stopped,
and start again when it does. What a group does is said in ``core.companions``.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import attrs
from attrs.validators import ge, instance_of, le

from orchestrator.core.fields import holds
from orchestrator.core.names import is_name

__all__ = ("MEMBERS_MAX", "GroupStrategy", "Membership")

MEMBERS_MAX: Final = 1_000
"""Services of one group."""


class GroupStrategy(StrEnum):
    """Whom a member that ends takes with it."""

    ONE_FOR_ALL = "one_for_all"
    REST_FOR_ONE = "rest_for_one"


@attrs.frozen(kw_only=True)
class Membership:
    """The place of a container in a group; replicas of a service share a position."""

    group: str = attrs.field(
        validator=holds(is_name, "a name of a-z, 0-9, '.', '_' and '-'")
    )
    strategy: GroupStrategy = attrs.field(validator=instance_of(GroupStrategy))
    position: int = attrs.field(validator=[instance_of(int), ge(0), le(MEMBERS_MAX)])

    def takes(self, other: int) -> bool:
        """Say whether the end of this member takes along the one at *other*.

        >>> second = Membership(
        ...     group="g", strategy=GroupStrategy.REST_FOR_ONE, position=1
        ... )
        >>> [second.takes(position) for position in (0, 1, 2)]
        [False, False, True]

        """
        return self.strategy is GroupStrategy.ONE_FOR_ALL or other > self.position
