"""Golden journals: what rules of this number decided, they decide still."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from orchestrator.core.state import RULES
from orchestrator.journal.reading import RECORDING
from orchestrator.replay.history import fold
from orchestrator.replay.verifying import Segment, Verdict, verify
from tests.replay.golden import GOLDEN, POLICIES, SEEDS, golden_path, rows
from tests.replay.kit import read_of

JOURNALS = sorted(GOLDEN.glob("journal.rules-*.jsonl.gz"))
ROWS_MIN = 300


def rules_of(path: Path) -> int:
    found = re.search(r"rules-(\d+)", path.name)
    assert found is not None
    return int(found[1])


def verified(path: Path) -> Verdict:
    with read_of(path) as read:
        answer = verify(read.entries(), RECORDING, policies=POLICIES)
    verdict = answer.value_or(None)
    assert verdict is not None, answer.failure().message
    return verdict


@pytest.mark.parametrize("path", JOURNALS, ids=lambda path: path.name)
def test_a_golden_journal_is_decided_as_it_was(path: Path) -> None:
    """Where this fails a decision has changed: raise ``RULES`` and write new ones."""
    verdict = verified(path)
    rules, last = rules_of(path), verdict.rows
    assert last > ROWS_MIN
    whole = Segment(first=1, last=last, rules=rules, compared=rules == RULES)
    assert verdict.segments == (whole,)
    assert verdict.compared == (last if rules == RULES else 0)


def test_there_are_golden_journals_of_every_rule_book_up_to_the_present() -> None:
    """A decision that changes leads to ``RULES + 1``, of which there are none yet."""
    assert {rules_of(path) for path in JOURNALS} == set(range(1, RULES + 1))


def test_what_the_present_rules_simulate_is_what_was_kept() -> None:
    """Also what happens is drawn as it was: the file is no accident of its time."""
    seed = SEEDS[0]
    path = golden_path(RULES)
    path = path.with_name(path.name.replace(".jsonl", f".{seed}.jsonl"))
    with read_of(path) as read:
        assert rows(seed) == tuple(read.rows())


def test_a_fold_ends_where_the_replay_that_compares_ends() -> None:
    for path in JOURNALS:
        with read_of(path) as read:
            found = fold(read.entries(), policies=POLICIES)
        assert found == verified(path).fleet
        assert (found.name, found.rules) == ("golden", rules_of(path))
