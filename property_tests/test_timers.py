"""Timers wake for what a plain table of moments would, in the same order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.core.moments import Moment
from orchestrator.runtime.timers import Timers

NAMES = st.sampled_from(["", "a", "b", "c", "d", "e"])
MOMENTS = (
    st.none() | st.integers(0, 300_000) | st.sampled_from([32_767, 32_768, 65_536])
)
PUTS = st.lists(st.tuples(NAMES, MOMENTS), max_size=8)
STEPS = st.lists(
    st.tuples(st.just("put"), PUTS)
    | st.tuples(st.just("due"), st.tuples(st.integers(0, 300_000), st.integers(1, 4)))
    | st.tuples(st.just("next"), st.none()),
    max_size=40,
)


@given(STEPS, st.sampled_from([0, 4_096]))
def test_timers_are_a_table_of_moments_in_order(
    steps: list[tuple[str, object]], spare: int
) -> None:
    timers = Timers(spare)  # 0: throw away what was overtaken, often
    plain: dict[str, Moment] = {}
    for step in steps:
        match step:
            case "put", list(moments):
                timers.put(moments)
                for name, at in moments:
                    if at is None:
                        plain.pop(name, None)
                    else:
                        plain[name] = at
            case "due", (int(now), int(limit)):
                ready = sorted((at, name) for name, at in plain.items() if at <= now)
                expected = [name for _, name in ready[:limit]]
                found = timers.due(now, limit)
                assert [name or "" for name in found] == expected
                for name in expected:
                    del plain[name]
            case _:
                pass
        assert timers.next_at() == min(plain.values(), default=None)
