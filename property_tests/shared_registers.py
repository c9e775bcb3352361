"""Histories of a true register that several processes use at once, drawn step by step.

Each process has at most one call under way. A call takes effect at some step behind it,
then it returns; at any of them the connection may be cut, and what was cut before it
took effect may do so much later. Ends and beginnings often share a moment.
"""

from __future__ import annotations

import hashlib

import attrs
from hypothesis import strategies as st

from orchestrator.journal.port import Head
from orchestrator.testing.histories import (
    Accepted,
    Answer,
    AppendRows,
    Call,
    Conflict,
    Granted,
    GrantEpoch,
    HeadIs,
    Operation,
    ReadHead,
    Register,
    StaleEpoch,
    StartRun,
    answer_of,
)
from orchestrator.testing.verdicts import StartSeen

__all__ = ("BUSY", "Recorded", "Told", "recordings")

NAMES = ("web-0", "web-1")
RUNS = 3

TAKES_OVER = ((0, 9, 0), (0, 9, 1), (0, 9, 1))
"""The steps of the first process until it has an epoch."""

APPENDS = ((0, 6, 1), (0, 9, 0), (0, 9, 1))
STARTS = ((0, 4, 1), (0, 9, 0), (0, 9, 1))
BUSY = (*APPENDS, *APPENDS, *APPENDS, *STARTS)
"""What the first process does then, where something has to have happened.

Of three appends only the last may be made again: two are certainly told once.
"""


@attrs.frozen(kw_only=True)
class Told:
    """What is left in the end: the history, the journal, what was started."""

    operations: tuple[Operation, ...]
    journal: tuple[Head, ...]
    started: tuple[StartSeen, ...]
    register: Register


@attrs.define(kw_only=True)
class Asked:
    """A call that is under way, or that nobody waits for any more."""

    process: str
    call: Call
    called_at: int
    answer: Answer | None = None


@attrs.define
class Process:
    """What one process believes: where the journal ends, and its own epoch."""

    name: str
    head: Head = Register().head
    epoch: int = 0
    last: AppendRows | None = None
    asked: Asked | None = None


@attrs.define
class Recorded:
    """The register, who uses it, and what was recorded; moved on by numbers."""

    processes: list[Process]
    register: Register = attrs.field(factory=Register)
    now: int = 0
    made: int = 0
    operations: list[Operation] = attrs.field(factory=list)
    journal: list[Head] = attrs.field(factory=list)
    started: list[StartSeen] = attrs.field(factory=list)
    adrift: list[Asked] = attrs.field(factory=list)

    def step(self, who: int, what: int, later: int) -> None:
        """Let one process, or a call that is adrift, go on by one step."""
        self.now += later
        if what == 0 and self.adrift:
            self.take_effect(self.adrift.pop(who % len(self.adrift)))
            return
        process = self.processes[who % len(self.processes)]
        if process.asked is None:
            call = self.next_call(process, what)
            process.asked = Asked(process=process.name, call=call, called_at=self.now)
        elif what == 1:
            self.cut(process)
        elif process.asked.answer is None:
            self.take_effect(process.asked)
        else:
            self.give_back(process)

    def next_call(self, process: Process, what: int) -> Call:
        if process.epoch == 0 or what == 2:
            return GrantEpoch()
        if what == 3:
            return ReadHead()
        if what == 4:
            name, run = NAMES[self.made % len(NAMES)], self.now % RUNS + 1
            return StartRun(epoch=process.epoch, container=name, run=run)
        if what == 5 and process.last is not None:
            return process.last
        rows: list[bytes] = []
        for _ in range(1 + what % 2):
            self.made += 1
            before = rows[-1] if rows else process.head.digest
            rows.append(hashlib.sha256(before + self.made.to_bytes(4)).digest())
        process.last = AppendRows(
            epoch=process.epoch, expect=process.head, digests=tuple(rows)
        )
        return process.last

    def take_effect(self, asked: Asked) -> None:
        done = answer_of(self.register, asked.call)
        assert done is not None  # nobody makes an epoch up
        before, (self.register, asked.answer) = self.register, done
        call = asked.call
        if isinstance(call, AppendRows) and before.head != self.register.head:
            places = enumerate(call.digests, call.expect.seq + 1)
            self.journal += [Head(seq=seq, digest=each) for seq, each in places]
        if isinstance(call, StartRun) and isinstance(asked.answer, Accepted):
            key = (call.container, call.run)
            if key not in {(seen.container, seen.run) for seen in self.started}:
                self.started.append(
                    StartSeen(
                        container=call.container,
                        run=call.run,
                        identity=f"{len(self.started)}",
                        seen_at=self.now,
                    )
                )

    def cut(self, process: Process) -> None:
        """Break the connection; what has not taken effect may still do so."""
        asked, process.asked = process.asked, None
        assert asked is not None
        if asked.answer is None:
            self.adrift.append(asked)
        self.operations.append(
            Operation(process=asked.process, call=asked.call, called_at=asked.called_at)
        )

    def give_back(self, process: Process) -> None:
        asked, process.asked = process.asked, None
        assert asked is not None
        match asked.answer:
            case HeadIs(head) | Conflict(head):
                process.head = head
            case Granted(epoch):
                process.epoch = epoch
            case StaleEpoch():
                process.epoch = 0
            case _:
                pass
        self.operations.append(
            Operation(
                process=asked.process,
                call=asked.call,
                called_at=asked.called_at,
                returned_at=self.now,
                answer=asked.answer,
            )
        )

    def told(self) -> Told:
        """End it: what is under way is unknown; then somebody reads the head."""
        for process in self.processes:
            if process.asked is not None:
                self.cut(process)
        self.now += 1
        self.operations.append(
            Operation(
                process="auditor",
                call=ReadHead(),
                called_at=self.now,
                returned_at=self.now + 1,
                answer=HeadIs(self.register.head),
            )
        )
        return Told(
            operations=tuple(self.operations),
            journal=tuple(self.journal),
            started=tuple(self.started),
            register=self.register,
        )


@st.composite
def recordings(
    draw: st.DrawFn,
    *,
    least: int = 0,
    most: int = 60,
    opening: tuple[tuple[int, int, int], ...] = (),
) -> Told:
    """Draw what two to four processes were answered by one true register.

    They go so many steps in all, behind those of the *opening*; with some dozens of
    them, something happens.
    """
    count = draw(st.integers(2, 4))
    recorded = Recorded([Process(f"p{number}") for number in range(count)])
    steps = draw(
        st.lists(
            st.tuples(st.integers(0, 3), st.integers(0, 9), st.integers(0, 1)),
            min_size=least,
            max_size=most,
        )
    )
    for who, what, later in (*TAKES_OVER, *opening, *steps):
        recorded.step(who, what, later)
    return recorded.told()
