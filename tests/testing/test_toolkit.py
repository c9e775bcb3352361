"""The toolkit as a whole: what it offers, what it loads, what its page says."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator import testing
from orchestrator.runtime.clock import Clock
from orchestrator.testing import LAWS, VirtualClock, strategies
from orchestrator.testing.laws import HISTORY_LAWS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/reference/testing.md").read_text(encoding="utf-8")


def test_every_name_is_there_and_on_the_page() -> None:
    for name in testing.__all__:
        assert getattr(testing, name) is not None
        assert f"`{name}" in PAGE, name
    for name in strategies.__all__:
        assert f"`{name}`" in PAGE, name
    for law in HISTORY_LAWS:
        assert f"`{law}`" in PAGE, law
    assert set(HISTORY_LAWS) < set(LAWS)
    assert set(testing.__all__) <= set(dir(testing))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = testing.nothing


@pytest.mark.parametrize(
    "program",
    [
        "import orchestrator.testing",
        "import orchestrator.testing.plugin",
        "from orchestrator.testing import Scenario, crashes, phase, VirtualClock",
    ],
)
def test_hypothesis_is_loaded_only_for_what_needs_it(program: str) -> None:
    done = subprocess.run(
        (sys.executable, "-c", f"{program}; import sys; print(*sys.modules)"),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = set(done.stdout.split())
    assert "hypothesis" not in loaded
    if "Scenario" not in program:
        assert not loaded & {"attrs", "attr", "orchestrator.testing.scenarios"}


def test_a_process_that_answers_another_tests_nothing_itself() -> None:
    program = "from orchestrator.testing import check_policy; check_policy(int)"
    done = subprocess.run(
        (sys.executable, "-c", program),
        cwd=ROOT,
        env={**os.environ, "ORCHESTRATOR_TESTING_CHILD": "1"},
        check=False,
    )
    assert done.returncode == 0


def test_virtual_time_moves_only_when_it_is_told_to() -> None:
    clock = VirtualClock(5)
    assert (clock.now(), clock.advance("1m"), clock.now()) == (5, 60_005, 60_005)
    assert clock.move_to(60_005) == 60_005
    with pytest.raises(ValueError, match="time never runs backwards"):
        _ = clock.move_to(0)
    with pytest.raises(ValueError, match="'soon': expected a duration"):
        _ = clock.advance("soon")
    assert repr(clock) == "VirtualClock(60005)"


def test_virtual_time_fits_the_clock_of_the_operator() -> None:
    virtual = VirtualClock(1_000)
    clock = Clock(wall=virtual.now, steady=virtual.now)
    _ = virtual.advance("3s")
    assert clock.now() == 4_000
