"""A loop that hangs is told from one that idles."""

from __future__ import annotations

from orchestrator.runtime.pulse import TURN_MAX_S, Pulse


def test_only_a_turn_that_does_not_end_hangs() -> None:
    now = [0.0]
    pulse = Pulse(lambda: now[0])

    def after(seconds: float) -> bool:
        now[0] += seconds
        return pulse.hangs

    assert not after(10 * TURN_MAX_S)  # nothing to do is no reason to worry
    with pulse:
        assert not after(TURN_MAX_S)
        assert after(1)
    assert not after(0)
