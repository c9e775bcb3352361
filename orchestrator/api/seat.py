"""Who answers behind a door: an operator, and after it perhaps another one.

A standby that comes to lead, and a leader that another one has replaced, are different
operators; the door stays open meanwhile, and who asks is answered by whoever sits here.
"""

from __future__ import annotations

from orchestrator.core.errors import NotLeader
from orchestrator.runtime.leadership import Role
from orchestrator.runtime.operator import Operator

__all__ = ("Seat",)


class Seat:
    """Holds the operator that answers now."""

    def __init__(self, operator: Operator) -> None:
        """Begin with *operator*."""
        self.operator = operator

    def give_to(self, operator: Operator) -> None:
        """Have *operator* answer from now on."""
        self.operator = operator

    @property
    def refusal(self) -> NotLeader | None:
        """Return why what only a leader does is refused; None where it is the leader.

        A fleet whose operator claims no lease has no other one.
        """
        told = self.operator.leadership
        if told.role is Role.LEADER:
            return None
        return NotLeader(leader=told.leader, since=told.since)
