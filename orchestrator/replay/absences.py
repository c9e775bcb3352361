"""What an operator finds that comes back: what became of the runs while nobody led.

Nobody led from the last row of the epoch before until ``booted``. The rows from there
up to the end of the first complete look tell the rest: ends that the platform's stream
has kept, and what the look itself shows, in any order and more than once. Nothing
starts before that look is over, so a run that is new by then was begun by nobody here.

```
... rows of epoch 4 | booted (epoch 5) | ended, seen, ended ... | the look is over
                    |<--- what is taken in --------------------------------->|
     led_until         led_again_at                                caught_up_at
```
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import Final

import attrs

from orchestrator.core.events import (
    Booted,
    ContainerEnded,
    ContainerObserved,
    FleetObserved,
)
from orchestrator.core.exits import Exit, Lost, Outcome, Slept, exit_text
from orchestrator.core.moments import Millis, Moment, format_duration
from orchestrator.core.observations import SeenAbsent, SeenEnded, SeenRunning
from orchestrator.core.phases import Stopping, Unknown, live_run
from orchestrator.core.policies import judged
from orchestrator.core.state import Container, Fleet
from orchestrator.core.steps import Step
from orchestrator.core.table import Table

__all__ = ("Absence", "CatchUp", "EndKind", "absence_of", "absence_text")


class EndKind(StrEnum):
    """What an end counts as that nobody saw."""

    CRASH = "crashes"
    CLEAN = "clean"
    LOST = "lost"
    STOPPED = "stopped"
    ASLEEP = "asleep"


_KINDS: Final = {
    Outcome.CLEAN: EndKind.CLEAN,
    Outcome.FAILURE: EndKind.CRASH,
    Outcome.NEITHER: EndKind.STOPPED,
}


@attrs.frozen(kw_only=True)
class Absence:
    """What was found, by the moments of the rows (milliseconds since the epoch).

    ``ended`` is how the runs ended that were there before, by container, also those
    that were put to sleep; ``kinds`` counts them by what their policies make of it.
    ``going_on`` runs are still there, ``unseen`` ones may be: the platform could not
    say. ``strangers`` are runs that no row of this journal began, by name.
    """

    epoch: int
    led_until: Moment
    led_again_at: Moment
    caught_up_at: Moment
    ended: Table[str, Exit]
    kinds: Table[EndKind, int]
    going_on: int
    unseen: int
    strangers: Table[str, int]

    @property
    def absent_ms(self) -> Millis:
        """Return for how long nobody led, at most: a leader writes no row at rest."""
        return self.led_again_at - self.led_until

    @property
    def is_empty(self) -> bool:
        """Say whether nothing ran before, and nothing was found."""
        return not (self.ended or self.going_on or self.unseen or self.strangers)

    def count(self, kind: EndKind) -> int:
        """Return how many ends are of a kind."""
        return self.kinds.get(kind) or 0

    def facts(self) -> dict[str, int]:
        """Return the counts by their names, for a log and for programs."""
        return {
            "absent_ms": self.absent_ms,
            "catch_up_ms": self.caught_up_at - self.led_again_at,
            **{kind.value: self.count(kind) for kind in EndKind},
            "going_on": self.going_on,
            "unseen": self.unseen,
            "strangers": len(self.strangers),
        }


@attrs.define(kw_only=True, eq=False)
class CatchUp:
    """Takes in the steps from ``booted`` on, up to the end of the first complete look.

    *before* is the fleet at the end of the epoch before. What each step costs follows
    what it tells; the sum goes over every container, once.
    """

    before: Fleet
    booted: Booted | None = None
    _ends: dict[str, Exit] = attrs.field(factory=dict[str, Exit])
    _seen: dict[str, int] = attrs.field(factory=dict[str, int])

    def take(self, step: Step) -> bool:
        """Take in a step; say whether it ends the first complete look."""
        match step.event:
            case Booted() as booted:
                self.booted = booted
            case ContainerEnded(name=name, run=run, exit=exit_):
                self._end(name, run, exit_)
            case ContainerObserved(name=name, run=run, sight=SeenEnded(exit=exit_)):
                self._end(name, run, exit_)
            case ContainerObserved(name=name, run=run, sight=SeenAbsent()):
                self._end(name, run, Lost())
            case ContainerObserved(name=name, run=run, sight=SeenRunning()):
                self._seen[name] = max(run, self._seen.get(name, run))
            case FleetObserved(complete=True):
                return self.booted is not None
            case _:
                pass
        return False

    def _end(self, name: str, run: int, exit_: Exit) -> None:
        """Keep how a run ended that was there; whoever knows more is believed."""
        container = self.before.containers.get(name)
        if container is None or live_run(container.phase) != run:
            return
        if isinstance(container.phase, Stopping):
            exit_ = container.phase.verdict  # we were ending it
        known = self._ends.get(name, exit_)
        self._ends[name] = min(known, exit_, key=_how_little)

    def absence(self, after: Fleet) -> Absence | None:
        """Sum up, *after* the look; None where nobody has ever led, or none has yet."""
        if self.booted is None or not self.before.epoch:
            return None
        ended, kinds = dict[str, Exit](), Counter[EndKind]()
        going_on = unseen = 0
        for name, container in self.before.containers.items():
            run = live_run(container.phase)
            if run is None:
                continue
            exit_ = self._ends.get(name) or _gone(after.containers.get(name), run)
            if exit_ is not None:
                ended[name] = exit_
                kinds[_kind(container, exit_)] += 1
            elif isinstance(after.containers[name].phase, Unknown):
                unseen += 1
            else:
                going_on += 1
        return Absence(
            epoch=self.booted.epoch,
            led_until=self.before.at,
            led_again_at=self.booted.at,
            caught_up_at=after.at,
            ended=Table.of(ended.items()),
            kinds=Table.of(kinds.items()),
            going_on=going_on,
            unseen=unseen,
            strangers=Table.of(self._strangers(after)),
        )

    def _strangers(self, after: Fleet) -> Iterator[tuple[str, int]]:
        """Yield runs that nobody here began: beside the fleet, and in its place."""
        known = self.before.strangers
        for name, run in after.strangers.items():
            if known.get(name) != run:
                yield name, run
        for name, run in self._seen.items():
            container = self.before.containers.get(name)
            begun = 0 if container is None else container.run
            if run > begun and known.get(name) != run:
                yield name, run


def _gone(container: Container | None, run: int) -> Exit | None:
    """Return how a run ended of which no end was told; None where it is still there."""
    if container is not None and live_run(container.phase) == run:
        return None
    last = None if container is None else container.last
    return last.exit if last is not None and last.run == run else Lost()


def _kind(container: Container, exit_: Exit) -> EndKind:
    """Say what an end counts as, by the policy that the container had."""
    match exit_:
        case Lost():
            return EndKind.LOST
        case Slept():
            return EndKind.ASLEEP
        case _:
            return _KINDS[judged(container.spec.restart, exit_).outcome]


def _how_little(exit_: Exit) -> tuple[bool, str]:
    """Order ends by how little they say: that a run is lost says least."""
    return isinstance(exit_, Lost), exit_text(exit_)


def absence_of(before: Fleet, steps: Iterable[Step]) -> Absence | None:
    """Return what the steps behind the last row of an epoch tell of the absence.

    None where nobody led before, or where no look has come to its end yet.
    """
    catch_up = CatchUp(before=before)
    for step in steps:
        if catch_up.take(step):
            return catch_up.absence(step.after)
    return None


def absence_text(absence: Absence) -> str:
    """Tell on one line what was found; "" where there is nothing to tell.

    >>> kinds = Table.of([(EndKind.CRASH, 1), (EndKind.ASLEEP, 1)])
    >>> ended = Table.of([("a", Lost()), ("b", Slept())])
    >>> absence_text(
    ...     Absence(
    ...         epoch=2, led_until=0, led_again_at=723_000, caught_up_at=723_400,
    ...         ended=ended, kinds=kinds, going_on=14, unseen=0, strangers=Table(),
    ...     )
    ... )
    'nobody led for 12m3s: 1 run ended (1 crash), 1 sleeps, 14 go on'

    """
    if absence.is_empty:
        return ""
    parts = ", ".join(_parts(absence))
    return f"nobody led for {format_duration(absence.absent_ms)}: {parts}"


def _parts(absence: Absence) -> Iterator[str]:
    asleep = absence.count(EndKind.ASLEEP)
    if over := len(absence.ended) - asleep:
        runs = "1 run ended" if over == 1 else f"{over} runs ended"
        yield f"{runs}{_detail(absence)}"
    for number, one, many in (
        (asleep, "sleeps", "sleep"),
        (
            len(absence.strangers),
            "was started by nobody here",
            "were started by nobody here",
        ),
        (absence.unseen, "cannot be seen", "cannot be seen"),
        (absence.going_on, "goes on", "go on"),
    ):
        if number:
            yield f"{number} {one if number == 1 else many}"


def _detail(absence: Absence) -> str:
    """Say how those ended that did not end cleanly."""
    crashes = absence.count(EndKind.CRASH)
    told = [
        f"{number} {word}"
        for number, word in (
            (crashes, "crash" if crashes == 1 else "crashes"),
            (absence.count(EndKind.LOST), "lost"),
            (absence.count(EndKind.STOPPED), "stopped"),
        )
        if number
    ]
    return f" ({', '.join(told)})" if told else ""
