"""What the time of every container in a history came to, summed up step by step."""

from __future__ import annotations

import attrs

from orchestrator.core.moments import Moment
from orchestrator.core.state import Fleet
from orchestrator.core.steps import Step
from orchestrator.core.table import Table
from orchestrator.core.uptimes import Totals, Uptime, begun

__all__ = ("Tally", "tally_from")


@attrs.define(kw_only=True, eq=False)
class Tally:
    """Takes in every step of a history; ``tally_from`` begins one.

    Moments are those of the record, or of whoever says them (virtual time).
    """

    uptimes: dict[str, Uptime] = attrs.field(factory=dict[str, Uptime])

    def take(self, step: Step, at: Moment | None = None) -> None:
        """Take in one step, which happened *at*; None: as its event says."""
        at = step.after.at if at is None else at
        for command in begun(step):
            self._of(command.name, at).starts += 1
        for name in step.touched:
            self._of(name, at).become(step.after.containers.get(name), at)

    def _of(self, name: str, at: Moment) -> Uptime:
        known = self.uptimes.get(name)
        if known is None:
            known = self.uptimes[name] = Uptime(since=at)
        return known

    def close(self, at: Moment) -> None:
        """Sum up to *at*; more steps may follow."""
        for uptime in self.uptimes.values():
            uptime.pass_to(at)

    def totals(self) -> Table[str, Totals]:
        """Return what it has come to so far, by container."""
        return Table.of((name, one.totals()) for name, one in self.uptimes.items())


def tally_from(fleet: Fleet, at: Moment | None = None) -> Tally:
    """Begin to sum up behind *fleet*, from *at* on (None: its own moment)."""
    since = fleet.at if at is None else at
    uptimes = {
        name: Uptime(since=since, container=container)
        for name, container in fleet.containers.items()
    }
    return Tally(uptimes=uptimes)
