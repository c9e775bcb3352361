"""Golden journals: what rules of this number decided, they decide still."""

from __future__ import annotations

import re

import pytest

from orchestrator.codec.wire import decode_commands, digest_changes
from orchestrator.core.state import RULES, empty_fleet
from orchestrator.journal.jsonl import import_rows
from orchestrator.replay.history import Entry
from orchestrator.replay.verify import verify
from orchestrator.runtime.recovery import decoded
from tests.journal.opened import opened
from tests.replay.golden import GOLDEN, POLICIES

JOURNALS = sorted(GOLDEN.glob("journal.rules-*.jsonl.gz"))


@pytest.mark.parametrize("path", JOURNALS, ids=lambda path: path.name)
def test_a_golden_journal_is_decided_as_it_was(path: object) -> None:
    """Where this fails a decision has changed: raise ``RULES`` and write new ones."""
    imported = opened(import_rows(path))  # type: ignore[arg-type]
    assert imported.cut_at_line is None
    events = decoded(imported.rows).unwrap()
    entries = [
        Entry(
            seq=row.seq,
            event=event,
            commands=decode_commands(row.commands).unwrap(),
            changes=row.changes,
        )
        for row, event in zip(imported.rows, events, strict=True)
    ]
    answer = verify(
        empty_fleet("simulated"), entries, digest_changes, policies=POLICIES
    )
    verdict = answer.value_or(None)
    assert verdict is not None, answer.failure().message
    found = re.search(r"rules-(\d+)", str(path))
    assert found is not None
    if int(found[1]) == RULES:
        assert verdict.compared == verdict.rows > 300


def test_there_are_golden_journals_of_the_present_rules() -> None:
    assert any(f"rules-{RULES}." in path.name for path in JOURNALS)
