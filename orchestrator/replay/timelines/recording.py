"""The items of a timeline, sorted by container: spans, runs, decisions, requests.

A ``Recorder`` takes them in one by one. Of each kind it keeps the newest of each
container, so that memory is bounded by what is asked; the sums are of all of them.
"""

from __future__ import annotations

from collections import deque
from typing import Generic, TypeVar, assert_never

import attrs

from orchestrator.core.moments import Moment
from orchestrator.core.table import Table
from orchestrator.core.uptimes import Totals
from orchestrator.replay.timelines.happenings import (
    Asked,
    Checked,
    Closed,
    Decided,
    Entered,
    Happening,
    Left,
    LookFailed,
    LostSight,
    Opened,
    OrderFailed,
    OwnHappening,
    RunBegun,
    RunEnded,
    RunReady,
    RunUp,
    TookOver,
    What,
)
from orchestrator.replay.timelines.of_services import (
    ImageRolled,
    LoadSeen,
    PlaceSeen,
    RolloutMoved,
)
from orchestrator.replay.timelines.stretches import Course, RunTold, Span, Timeline

__all__ = ("Recorder",)

T = TypeVar("T")


class _Newest(Generic[T]):
    """Keeps the newest *limit* things, and counts those that it let go."""

    def __init__(self, limit: int | None) -> None:
        self.kept: deque[T] = deque(maxlen=limit)
        self.left_out = 0

    def add(self, thing: T) -> None:
        self.left_out += len(self.kept) == self.kept.maxlen
        self.kept.append(thing)


class _Sums:
    """Sums up the spans and runs of one container."""

    def __init__(self) -> None:
        self.phase_ms: dict[str, int] = {}
        self.wanted_ms = 0
        self.ready_ms = 0
        self.starts = 0
        self.restarts = 0
        self.crashes = 0

    def add(self, span: Entered, until: Moment) -> None:
        elapsed = until - span.at
        if elapsed:
            self.phase_ms[span.phase] = self.phase_ms.get(span.phase, 0) + elapsed
        self.wanted_ms += elapsed * span.wanted
        self.ready_ms += elapsed * (span.wanted and span.ready)

    def totals(self) -> Totals:
        return Totals(
            phase_ms=Table.of(self.phase_ms.items()),
            wanted_ms=self.wanted_ms,
            ready_ms=self.ready_ms,
            starts=self.starts,
            restarts=self.restarts,
            crashes=self.crashes,
        )


class _Record:
    """One container's part of a timeline, while it grows."""

    def __init__(self, name: str, limit: int | None) -> None:
        self.name = name
        self.sums = _Sums()
        self.open: Entered | None = None
        self.spans = _Newest[Span](limit)
        self.runs = _Newest[RunTold](limit)
        self.decisions = _Newest[Decided](limit)
        self.requests = _Newest[Asked](limit)
        self.checks = _Newest[Checked](limit)
        self.failures = _Newest[OrderFailed | LostSight](limit)

    def take(self, item: OwnHappening) -> None:
        match item:
            case Asked():
                self.requests.add(item)
            case Checked():
                self.checks.add(item)
            case OrderFailed() | LostSight():
                self.failures.add(item)
            case Decided():
                self.decisions.add(item)
                self._command_again(item)
            case Entered():
                self._leave(item.seq, item.at)
                self.open = item
                self.spans.add(Span(begin=item))
            case Left():
                self._leave(item.seq, item.at)
            case RunBegun() | RunUp() | RunReady() | RunEnded():
                self._follow(item)
            case _:
                assert_never(item)

    def _leave(self, seq: int | None, at: Moment) -> None:
        """End the span that goes on."""
        if self.open is not None:
            self.sums.add(self.open, at)
            self.spans.kept[-1] = Span(begin=self.open, until=at, until_seq=seq)
            self.open = None

    def _command_again(self, item: Decided) -> None:
        if item.what is What.START_AGAIN:
            run = self.runs.kept[-1]
            self.runs.kept[-1] = attrs.evolve(run, commands=run.commands + 1)

    def _follow(self, item: RunBegun | RunUp | RunReady | RunEnded) -> None:
        if isinstance(item, RunBegun):
            self.sums.starts += item.seq is not None and not item.adopted
            self.sums.restarts += item.again
            self.runs.add(
                RunTold(
                    begun=item,
                    commands=int(item.commanded_at is not None),
                    started_at=item.started_at,
                    ready_at=item.ready_at,
                    started_seen=_found(item, item.started_at),
                    ready_seen=_found(item, item.ready_at),
                )
            )
            return
        run = self.runs.kept[-1]
        match item:
            case RunUp(at=at, seen=seen):
                run = attrs.evolve(run, started_at=at, started_seen=seen)
            case RunReady(at=at, ready=ready, seen=seen):
                if ready and run.ready_at is None:
                    run = attrs.evolve(run, ready_at=at, ready_seen=seen)
            case RunEnded():
                self.sums.crashes += item.crashed
                run = attrs.evolve(
                    run,
                    ended_seq=item.seq,
                    ended_at=item.at,
                    fate=item.fate,
                    exit=item.exit,
                    crashed=item.crashed,
                    ended_seen=item.seen,
                )
            case _:
                assert_never(item)
        self.runs.kept[-1] = run

    def course(self, end: Moment) -> Course:
        if self.open is not None:
            self.sums.add(self.open, end)
        left_out = {
            "spans": self.spans.left_out,
            "runs": self.runs.left_out,
            "decisions": self.decisions.left_out,
            "requests": self.requests.left_out,
            "checks": self.checks.left_out,
            "failures": self.failures.left_out,
        }
        return Course(
            name=self.name,
            totals=self.sums.totals(),
            spans=tuple(self.spans.kept),
            runs=tuple(self.runs.kept),
            decisions=tuple(self.decisions.kept),
            requests=tuple(self.requests.kept),
            checks=tuple(self.checks.kept),
            failures=tuple(self.failures.kept),
            left_out=_counted(left_out),
        )


def _found(begun: RunBegun, at: Moment | None) -> bool | None:
    """Say that a look found a run up or ready; None where it is not, or was before."""
    return True if begun.seq is not None and at is not None else None


def _counted(left_out: dict[str, int]) -> Table[str, int]:
    return Table.of((kind, count) for kind, count in left_out.items() if count)


class Recorder:
    """Takes the items of a timeline in, from ``Opened`` to ``Closed``."""

    def __init__(self, limit: int | None) -> None:
        """Keep of each kind of each container the newest *limit*; None: all."""
        self._limit = limit
        self._records: dict[str, _Record] = {}
        self._opened = Opened(seq=0, at=0)
        self._closed = Closed(seq=0, at=0)
        self._boots = _Newest[TookOver](limit)
        self._requests = _Newest[Asked](limit)
        self._looks = _Newest[LookFailed](limit)
        self._rollouts = _Newest[RolloutMoved](limit)

    def take(self, item: Happening) -> None:
        """Take in one item."""
        match item:
            case Opened():
                self._opened = item
            case Closed():
                self._closed = item
            case TookOver():
                self._boots.add(item)
            case LookFailed():
                self._looks.add(item)
            case RolloutMoved():
                self._rollouts.add(item)
            case ImageRolled() | LoadSeen() | PlaceSeen():
                pass  # told in words, as they come
            case Asked(name=""):
                self._requests.add(item)
            case _:
                self._record(item.name).take(item)

    def _record(self, name: str) -> _Record:
        known = self._records.get(name)
        if known is None:
            known = self._records[name] = _Record(name, self._limit)
        return known

    def timeline(self) -> Timeline:
        """Return the timeline, once it is closed."""
        left_out = {
            "boots": self._boots.left_out,
            "requests": self._requests.left_out,
            "failed_looks": self._looks.left_out,
            "rollouts": self._rollouts.left_out,
        }
        end = self._closed.at
        return Timeline(
            begin=self._opened.at,
            end=end,
            after_seq=self._opened.seq,
            seq=self._closed.seq,
            courses=tuple(
                self._records[name].course(end) for name in sorted(self._records)
            ),
            boots=tuple(self._boots.kept),
            requests=tuple(self._requests.kept),
            failed_looks=tuple(self._looks.kept),
            rollouts=tuple(self._rollouts.kept),
            left_out=_counted(left_out),
            differing=self._closed.differing,
            first_differing=self._closed.first_differing,
        )
