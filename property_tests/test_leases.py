"""Laws of leases: whatever befalls operators that share a fleet, it is led by one."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from returns.future import FutureResult
from returns.pipeline import is_successful

from orchestrator import Claim, LeaseHeld
from orchestrator.journal.port import START, Row, broken
from orchestrator.journal.reading import RECORDING, entry_of
from orchestrator.replay.history import Entry
from orchestrator.replay.verifying import verify
from property_tests.leases import LEASE_MS, Ground, Peer, Witness
from tests.runtime.virtual import run_virtually

SLOW_S = 2.0
"""The most that a line delays what is on its way."""

HEALED_S = LEASE_MS / 1_000 + 1.0
"""Within which one leads, once all faults have ended."""

FAULTS = (
    "halt",
    "go on",
    "cut",
    "mend",
    "lose",
    "find",
    "slow",
    "fast",
    "die",
    "restart",
    "leave",
    "expire",
    "ask",
    "ask",
)

steps = st.lists(
    st.tuples(
        st.sampled_from(FAULTS),
        st.integers(0, 2),
        st.sampled_from((0.0, 0.05, 0.3, 1.0, 2.9, 3.2)),
    ),
    min_size=1,
    max_size=14,
)


async def befall(ground: Ground, peer: Peer, what: str) -> None:
    line = peer.line
    match what:
        case "halt":
            line.halt()
        case "go on":
            line.go_on()
        case "cut" | "mend":
            line.is_cut = what == "cut"
        case "lose" | "find":
            line.loses_answers = what == "lose"
        case "slow" | "fast":
            line.slow_s = SLOW_S if what == "slow" else 0.0
        case "die" | "restart":
            peer.die()
            if what == "restart":
                peer.start()
        case "leave":
            line.go_on()
            await peer.leave()
            peer.start()
        case "expire":
            ground.platform.expire_lease()
        case _:
            ground.ask(peer)


def heal(ground: Ground) -> None:
    """End every fault; whoever has died comes back."""
    for peer in ground.peers:
        line = peer.line
        line.is_cut = line.loses_answers = False
        line.slow_s = 0.0
        line.go_on()
        if peer.is_dead:
            peer.start()


async def hold(
    steps: list[tuple[str, int, float]], count: int, kind: type[Witness] = Witness
) -> None:
    ground = Ground.of(count, kind)
    await asyncio.sleep(HEALED_S)
    ground.peers.sort(key=lambda peer: not peer.leads)  # whoever came first is number 0
    for what, index, then_s in steps:
        await befall(ground, ground.peers[index % count], what)
        await asyncio.sleep(then_s)
    heal(ground)
    await asyncio.sleep(SLOW_S + HEALED_S)
    leaders = ground.leaders
    assert len(leaders) == 1, [peer.name for peer in leaders]
    ground.ask(leaders[0])
    await asyncio.sleep(HEALED_S)
    assert ground.asked[-1] in ground.acknowledged
    assert ground.leaders == leaders
    await ground.close()
    await laws(ground)


async def laws(ground: Ground) -> None:
    epochs = [order.epoch for order in ground.platform.effective]
    assert epochs == sorted(epochs), epochs
    rows = await ground.all_rows()
    assert broken(START, rows) is None
    entries = [entry_of(row) for row in rows]
    assert all(isinstance(entry, Entry) for entry in entries)
    known: Any = entries
    assert is_successful(verify(known, RECORDING))
    told = wishes(rows)
    for wish in ground.asked:
        assert told[wish] <= 1, wish
    for wish in ground.acknowledged:
        assert told[wish] == 1, wish
    booted = [row for row in rows if b'"booted"' in row.event]
    assert len(booted) <= ground.platform.epoch


def wishes(rows: tuple[Row, ...]) -> Counter[str]:
    found: Counter[str] = Counter()
    for row in rows:
        entry = entry_of(row)
        why = getattr(getattr(entry, "event", None), "why", None)
        if why is not None:
            found[why] += 1
    return found


@given(steps=steps, count=st.sampled_from((2, 3)))
@settings(max_examples=40)
def test_whatever_befalls_operators_one_leads_and_nothing_is_done_twice(
    steps: list[tuple[str, int, float]], count: int
) -> None:
    run_virtually(hold(steps, count))


HISTORIES = {
    "a leader is paused for longer than its lease, and asked": [
        ("ask", 0, 0.3),
        ("halt", 0, 0.05),
        ("ask", 0, 3.2),
        ("ask", 1, 1.0),
        ("go on", 0, 1.0),
    ],
    "answers are lost, and found again": [
        ("lose", 0, 0.05),
        ("ask", 0, 0.3),
        ("find", 0, 1.0),
    ],
    "answers are lost for ever": [("lose", 0, 0.0), ("ask", 0, 3.2), ("die", 0, 1.0)],
    "each dies after the other": [
        ("die", 0, 3.2),
        ("restart", 0, 0.3),
        ("die", 1, 3.2),
        ("ask", 0, 0.3),
    ],
    "the lease runs out by itself under a leader that lives": [
        ("expire", 0, 0.05),
        ("ask", 0, 1.0),
        ("ask", 1, 1.0),
    ],
    "the leader is cut off, and mended at the last moment": [
        ("cut", 0, 2.9),
        ("mend", 0, 0.3),
        ("ask", 0, 0.3),
    ],
}


@pytest.mark.parametrize("count", [2, 3])
@pytest.mark.parametrize("name", HISTORIES)
def test_what_once_went_wrong_or_might(name: str, count: int) -> None:
    run_virtually(hold(HISTORIES[name], count))


class Unfenced(Witness):
    """A platform that only believes in leases: it looks at no epoch."""

    def shown(self, epoch: int) -> None:
        _ = super().shown(epoch)


class Possessive(Witness):
    """A platform that gives a lease to nobody who asks for it, once it is given."""

    def attach_as(self, after: int, claim: Claim) -> Any:
        if self.epoch:
            held = LeaseHeld(holder="one/1", since=0, expires_in_ms=LEASE_MS)
            return FutureResult.from_failure(held)
        return super().attach_as(after, claim)


LATE = [
    ("slow", 0, 0.0),
    ("ask", 0, 2.9),  # its row arrives after two seconds, its order after four
    ("expire", 0, 0.3),
    ("ask", 1, 3.2),
]


@pytest.mark.parametrize("kind", [Unfenced, Possessive])
def test_a_platform_that_does_not_fence_or_does_not_grant_is_found(
    kind: type[Witness],
) -> None:
    run_virtually(hold(LATE, 2))
    with pytest.raises(AssertionError):
        run_virtually(hold(LATE, 2, kind))
