"""A history as a journal file: evidence that can be kept, sent, imported, replayed.

The file is what ``orchestrator journal export`` writes, and what ``import`` reads.
``failed_history`` finds the history that an error of a test is about.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, cast

from orchestrator.journal.jsonl import export_rows
from orchestrator.journal.port import START, Head, Row, chained
from orchestrator.runtime.outcomes import opened
from orchestrator.runtime.steps import draft_of
from orchestrator.testing.scenarios import HistoryFailed, Scenario
from orchestrator.testing.tales import Tale

__all__ = ("attach", "failed_history", "journal_rows", "save_history")

_MARK: Final = "orchestrator_scenario"


def journal_rows(tale: Tale) -> tuple[Row, ...]:
    """Return a history as the rows of a journal, chained from its beginning."""
    return chained(START, map(draft_of, tale.steps))


def save_history(scenario: Scenario, path: Path) -> Path:
    """Write the journal of a scenario to a file, JSON Lines; return its path.

    ``OSError`` where it cannot be written. A ``.gz`` at its end packs it.
    """
    done = opened(export_rows(path, journal_rows(scenario.tale)))
    if not isinstance(done, Head):
        raise OSError(done.message)
    return path


def attach(error: BaseException, scenario: Scenario) -> None:
    """Let an error that knows nothing of histories carry one."""
    vars(error)[_MARK] = scenario


def failed_history(error: BaseException) -> Scenario | None:
    """Return the history that an error, or one that led to it, is about.

    >>> failed_history(ValueError("no history")) is None
    True

    """
    for one in _related(error, set()):
        if isinstance(one, HistoryFailed):
            return one.scenario
        found = vars(one).get(_MARK)
        if isinstance(found, Scenario):
            return found
    return None


def _related(error: BaseException, seen: set[int]) -> Iterator[BaseException]:
    if id(error) in seen:
        return
    seen.add(id(error))
    yield error
    inner: list[BaseException | None] = [error.__cause__, error.__context__]
    if isinstance(error, BaseExceptionGroup):
        inner += cast("tuple[Any, ...]", error.exceptions)
    for one in inner:
        if one is not None:
            yield from _related(one, seen)
