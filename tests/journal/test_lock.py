"""Who may write: one at a time, whoever looks meanwhile."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest
from returns.result import Success

from orchestrator.core.errors import JournalLocked
from orchestrator.journal.lock import holder_of, take_lock


class Lookers:
    """Share the lock, as one who looks does, for as many pauses as it is tried."""

    def __init__(self, path: Path, pauses: int) -> None:
        self._file = os.open(path, os.O_RDONLY | os.O_CREAT, 0o600)
        fcntl.flock(self._file, fcntl.LOCK_SH)
        self.pauses = pauses

    def sleep(self, _: float) -> None:
        self.pauses -= 1
        if not self.pauses:
            os.close(self._file)


def test_who_looks_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "journal.lock"
    lookers = Lookers(path, pauses=50)
    monkeypatch.setattr("orchestrator.journal.lock.time.sleep", lookers.sleep)
    taken = take_lock(path)
    assert isinstance(taken, Success)
    assert lookers.pauses == 0
    assert holder_of(path) == f"pid {os.getpid()}"
    taken.unwrap().release()
    assert holder_of(path) is None


def test_who_looks_without_end_is_not_waited_for_without_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "journal.lock"
    lookers = Lookers(path, pauses=10_000)
    monkeypatch.setattr("orchestrator.journal.lock.time.sleep", lookers.sleep)
    assert take_lock(path).failure() == JournalLocked(holder="pid unknown")
    assert 0 < lookers.pauses < 10_000


def test_a_writer_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "journal.lock"
    taken = take_lock(path).unwrap()
    monkeypatch.setattr(
        "orchestrator.journal.lock.time.sleep", lambda _: pytest.fail("it waits")
    )
    refused = take_lock(path).failure()
    assert refused == JournalLocked(holder=f"pid {os.getpid()}")
    taken.release()
    take_lock(path).unwrap().release()
