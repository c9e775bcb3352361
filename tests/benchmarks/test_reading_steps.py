"""Reading a row is as cheap as it was, in steps of the interpreter."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.benchmarks.reading_steps import RECORDED, steps_of_reading
from tests.benchmarks.steps import TOLERANCE


def test_a_row_takes_no_more_steps_to_read_than_was_recorded(tmp_path: Path) -> None:
    recorded = RECORDED.get(sys.version_info[:2])
    if recorded is None:
        pytest.skip("nothing was recorded of this version of Python")
    found = steps_of_reading(tmp_path, 1_000, 20)
    assert found.ratio <= recorded * (1 + TOLERANCE), found


def test_a_longer_journal_takes_no_more_steps_for_a_row(tmp_path: Path) -> None:
    short = steps_of_reading(tmp_path, 400, 20).row
    assert steps_of_reading(tmp_path, 1_600, 20).row <= short * 1.1
