"""A batch in doubt stays so until its fate is known, whatever comes between."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from returns.future import FutureResult
from returns.result import Failure, Success

from orchestrator.core.errors import (
    JournalConflict,
    JournalError,
    JournalUnavailable,
    StaleOperator,
    Unreachable,
)
from orchestrator.journal.memory import MemoryJournal
from orchestrator.journal.port import Draft, Head
from orchestrator.runtime import loop as module
from orchestrator.runtime.outcomes import settled
from tests.runtime.kit import FullJournal, fleet, opened, spec

LOST = JournalUnavailable(cause="no answer", in_doubt=True)
LIMITED = JournalUnavailable(cause="HTTP 429")
FINAL = (
    JournalConflict(expected_seq=1, found_seq=2),
    StaleOperator(epoch=1, highest=2),
    JournalUnavailable(cause="not allowed", retryable=False),
)
ANSWERS = (LOST, LIMITED, *FINAL)


class Unheard(FullJournal):
    """A journal whose answers are lost, then refused: what is told is what is done."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[JournalError] = []
        self._doubtful: tuple[Head, tuple[Draft, ...]] | None = None
        self._written: tuple[Head, tuple[Draft, ...]] | None = None

    def append(
        self, expect: Head, drafts: tuple[Draft, ...]
    ) -> FutureResult[Head, JournalError]:
        return FutureResult(self._append(expect, drafts))

    async def _append(
        self, expect: Head, drafts: tuple[Draft, ...]
    ) -> Success[Head] | Failure[JournalError]:
        answer = self.told.pop(0) if self.told else None
        assert self._doubtful in (None, (expect, drafts)), "another batch is tried"
        if answer is None or answer == LOST:
            self._doubtful = None if answer is None else (expect, drafts)
        if answer is not None and answer != LOST:
            return Failure(answer)
        if self._written != (expect, drafts):
            written = await settled(MemoryJournal.append(self, expect, drafts))
            if not isinstance(written, Head):
                return Failure(written)
            self._written = (expect, drafts)
        if answer is not None:
            return Failure(answer)
        head = await settled(self.head())
        return Success(head) if isinstance(head, Head) else Failure(head)


async def lived(answers: list[JournalError]) -> None:
    journal = Unheard()
    async with opened(fleet(spec("a")), journal=journal) as kit:
        await kit.until(lambda: kit.phase("a") == "running")
        journal.told = list(answers)
        answer = await settled(kit.operator.start_container("b"))
        rows = await settled(journal.read(0, 1_000))
        assert isinstance(rows, tuple)
        is_there = any(b'"start_requested"' in row.event for row in rows)
        if isinstance(answer, JournalUnavailable | JournalConflict | StaleOperator):
            in_doubt = isinstance(answer, JournalUnavailable) and answer.in_doubt
            assert in_doubt or not is_there, answer
        else:
            assert not isinstance(answer, Unreachable)
            assert is_there
        if not set(answers) & set(FINAL):
            assert kit.operator.is_alive


@settings(deadline=None)
@given(st.lists(st.sampled_from(ANSWERS), max_size=5))
@example([LOST, LIMITED])
@example([LOST, LIMITED, LOST, LIMITED])
@example([LOST, LIMITED, FINAL[0]])
@example([LOST, FINAL[1]])
@example([LIMITED, LOST, FINAL[2]])
def test_no_answer_contradicts_the_journal(answers: list[JournalError]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "RETRY_S", (0.0, 0.0))
        asyncio.run(lived(answers))
