"""What an answer to "what if" takes for granted: values with their sentences.

Nobody knows what would have been. Each thing that was supposed, and was not recorded,
is counted by container, and told with the answer.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, TypeAlias

import attrs

from orchestrator.core.table import Table

__all__ = ("ALWAYS", "Assumption", "Notes", "Supposed")


class Supposed(StrEnum):
    """What is taken for granted."""

    REPEATED = "repeated"
    REPEATED_ALIVE = "repeated_alive"
    NEVER_RECORDED = "never_recorded"
    OTHER_SPEC = "other_spec"
    OUR_END = "our_end"
    ALIVE = "alive"
    CUT_SHORT = "cut_short"
    CUT_SHORT_ALWAYS = "cut_short_always"
    UNASKED_CHECK = "unasked_check"
    TYPICAL_STOP = "typical_stop"
    OWN_LOOK = "own_look"
    NOT_DECLARED = "not_declared"
    DECIDED_OTHERWISE = "decided_otherwise"
    NO_EFFECT = "no_effect"


_WORDS: Final[dict[Supposed, str]] = {
    Supposed.REPEATED: "{runs} beyond the {recorded} recorded{of_spec}: ended as"
    " run {run} did",
    Supposed.REPEATED_ALIVE: "{runs} beyond the {recorded} recorded{of_spec}: begun as"
    " run {run} did, and alive until ended",
    Supposed.NEVER_RECORDED: "{runs}, although none was recorded: begun as fast as is"
    " typical here, and alive until ended",
    Supposed.OTHER_SPEC: "{runs} of a spec that was never started in the record: as its"
    " runs of other specs went, in their order",
    Supposed.OUR_END: "{runs} that we ended in the record: alive until ended",
    Supposed.ALIVE: "{runs} without a recorded end: alive until ended",
    Supposed.CUT_SHORT: "{runs} ended before being ready: gone on as run {run} did",
    Supposed.CUT_SHORT_ALWAYS: "{runs} ended before being ready, as all recorded"
    "{of_spec}: gone on as is typical here",
    Supposed.UNASKED_CHECK: "{runs} with a health check that was never asked: passed",
    Supposed.TYPICAL_STOP: "{stops} of runs that were not stopped in the record: as"
    " fast as is typical here",
    Supposed.OWN_LOOK: "{looks} at the platform that nobody took: nothing new is seen",
    Supposed.NOT_DECLARED: "never declared in the record: left out",
    Supposed.DECIDED_OTHERWISE: "{rows} that other rules had decided otherwise: as"
    " recorded is what today's rules make of them",
    Supposed.NO_EFFECT: "{events} inserted: nothing came of it",
}

_ALWAYS = """
A container goes as recorded, row by row, until the first step in which it would have
gone otherwise. From there on its n-th run of a spec goes as its n-th recorded run of
that spec, whatever the moment: how its start was answered, when it was ready, how long
it lived, how it ended.

A spec is the same while what it starts is: image, command, environment, ports and such.
Its restart policy, its checks and its grace may be others.

The owner's requests and the restarts of the operator come at their recorded moments.
While no operator was there nothing is told, and no timer goes off.

Both sides are decided by the rule book of this release.
"""

ALWAYS: Final = tuple(" ".join(part.split()) for part in _ALWAYS.split("\n\n"))
"""What is taken for granted in every answer."""


@attrs.frozen(kw_only=True)
class Assumption:
    """Something taken for granted of container *name* ("": of the fleet), so often.

    ``recorded`` is how many runs the record has, ``run`` the recorded one that serves
    as the model, where there is one. ``is_of_spec``: only those of one of its specs
    count, and there are others.
    """

    kind: Supposed
    name: str
    count: int = 1
    recorded: int = 0
    run: int = 0
    is_of_spec: bool = False

    @property
    def text(self) -> str:
        """Say it in a sentence.

        >>> kind = Supposed.REPEATED
        >>> Assumption(kind=kind, name="web-1", count=3, recorded=5, run=5).text
        'web-1: 3 runs beyond the 5 recorded: ended as run 5 did'

        """
        nouns = {f"{noun}s": _counted(self.count, noun) for noun in _NOUNS}
        words = _WORDS[self.kind].format(
            recorded=self.recorded,
            run=self.run,
            of_spec=" of its spec" if self.is_of_spec else "",
            **nouns,
        )
        return f"{self.name}: {words}" if self.name else words


_NOUNS: Final = ("run", "stop", "look", "event", "row")


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'s' if count != 1 else ''}"


_Key: TypeAlias = tuple[str, Supposed, int, bool]
"""Of whom, what, as which recorded run, and whether of one spec only."""


@attrs.define(kw_only=True, eq=False)
class Notes:
    """Counts what is taken for granted, while the hypothesis is played."""

    _counts: dict[_Key, Assumption] = attrs.field(factory=dict[_Key, Assumption])

    def take(
        self,
        kind: Supposed,
        name: str,
        *,
        recorded: int = 0,
        run: int = 0,
        is_of_spec: bool = False,
    ) -> None:
        """Count one more."""
        key = (name, kind, run, is_of_spec)
        known = self._counts.get(key)
        if known is None:
            self._counts[key] = Assumption(
                kind=kind, name=name, recorded=recorded, run=run, is_of_spec=is_of_spec
            )
        else:
            self._counts[key] = attrs.evolve(known, count=known.count + 1)

    def all(self) -> tuple[Assumption, ...]:
        """Return them by name and kind."""
        return tuple(Table.of(self._counts.items()).values())
