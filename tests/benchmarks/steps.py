"""How many steps the interpreter takes for an event, and how many calls of functions.

A *step* is one instruction of Python's own machine (an "opcode"). Time on a busy
machine says little; the steps of one version of Python are the same wherever they are
counted.
So what the core costs beside the mutable loop, in steps, can be held by a test.

``python -m tests.benchmarks.steps`` prints them, and where they are spent.
"""

from __future__ import annotations

import gc
import sys
from collections import Counter
from collections.abc import Callable
from types import CodeType, FrameType
from typing import Any, Final

import attrs
import orjson

from orchestrator.codec.wire import encode_event
from orchestrator.core.reduce import fold, reduce
from orchestrator.core.state import Fleet, empty_fleet
from tests.benchmarks.loop import Loop
from tests.benchmarks.trace import steps

__all__ = ("RECORDED", "TOLERANCE", "Counted", "counted", "counts", "shares")

EVENTS: Final = 1_000
CONTAINERS: Final = 50
TOLERANCE: Final = 0.03
"""How much dearer than it was recorded the core may be, in parts of that."""

RECORDED: Final = {(3, 11): {"fold": 3.577, "reduce": 4.847}}
"""Steps for each of the mutable loop's, by the version of Python.

Whoever makes the core dearer on purpose, or cheaper, writes the new figures here: the
test prints them, and ``python -m tests.benchmarks.steps`` does.
"""


@attrs.frozen(kw_only=True)
class Counted:
    """What some work took: steps and calls, in all and by the code that took them."""

    steps: int
    calls: int
    by_code: Counter[CodeType] = attrs.field(factory=Counter)


def counted(work: Callable[[], object]) -> Counted:
    """Do some work and count its steps; who traced the program before does so again."""
    found, calls = Counter[CodeType](), Counter[CodeType]()

    def enter(frame: FrameType, _kind: str, _value: Any) -> Any:
        code = frame.f_code
        frame.f_trace_lines, frame.f_trace_opcodes = False, True
        calls[code] += 1

        def within(_frame: FrameType, kind: str, _value: Any) -> Any:
            if kind == "opcode":
                found[code] += 1
            return within

        return within

    before, collects = sys.gettrace(), gc.isenabled()
    gc.disable()  # whoever is told of a collection would take steps, too
    sys.settrace(enter)
    try:
        work()
    finally:
        sys.settrace(before)
        if collects:
            gc.enable()
    return Counted(steps=found.total(), calls=calls.total(), by_code=found)


def counts(
    events: int = EVENTS, containers: int = CONTAINERS
) -> tuple[int, dict[str, Counted]]:
    """Return how many events there were, and what each way of folding them took.

    What comes once a journal (booted, declared) is left out.
    """
    trace = [step.event for step in steps(events + 2, containers)]
    trees = [orjson.loads(encode_event(event)) for event in trace]
    start, loop = fold(empty_fleet("fleet"), trace[:2]), Loop().fold(trees[:2])
    life = trace[2:]

    def reduced() -> Fleet:
        fleet = start
        for event in life:
            fleet = reduce(fleet, event).fleet
        return fleet

    return len(life), {
        "fold": counted(lambda: fold(start, life)),
        "reduce": counted(reduced),
        "mutable loop": counted(lambda: loop.fold(trees[2:])),
    }


def shares(found: dict[str, Counted]) -> dict[str, float]:
    """Return how many steps the core takes for each of the loop's."""
    limit = found["mutable loop"].steps
    return {way: round(found[way].steps / limit, 3) for way in ("fold", "reduce")}


def main() -> None:
    """Print what an event takes, the shares, and where most steps are spent."""
    events, found = counts(10_000, 1_000)
    print("| of an event | steps | calls |\n|---|---|---|")
    for way, each in found.items():
        print(f"| {way} | {each.steps / events:.1f} | {each.calls / events:.2f} |")
    print(f"\nfor each step of the loop, to be recorded: {shares(counts()[1])}")
    for way in ("fold", "reduce"):
        print(f"\n{way}, most of it:")
        for code, taken in found[way].by_code.most_common(25):
            place = f"{code.co_filename.rpartition('/')[2]} {code.co_qualname}"
            print(f"  {taken / events:7.1f}  {place}")


if __name__ == "__main__":
    main()
