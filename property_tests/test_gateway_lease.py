"""The gateway's lease, and the snapshots that it keeps: laws of the Worker's modules.

They are asked in a process of node, which answers a story with what it saw.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import attrs
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from orchestrator.journal.snapshots import kept
from orchestrator.platforms.cloudflare.project.files import gateway_sources
from tests.bench.machine import node

Step = tuple[int, str]

ASK: Final = """
import { createInterface } from "node:readline";
import { Lease } from "./lease.js";
import { kept } from "./snapshots.js";

function told(ms, story) {
  const facts = {};
  let writes = 0;
  const ledger = {
    fact: (key) => facts[key] && JSON.parse(facts[key]),
    setFact: (key, value) => {
      writes += 1;
      facts[key] = JSON.stringify(value);
    },
  };
  let lease = new Lease(ledger);
  let now = 1_000_000;
  let epoch = 0;
  const does = {
    grant: () => lease.grant((epoch += 1), { holder: `holder-${epoch}`, ms }, now),
    renew: () => lease.renew(now),
    hear: () => lease.heard(now),
    release: () => lease.release(),
    restart: () => (lease = new Lease(ledger)),
    look: () => {},
  };
  return story.map(([pause, act]) => {
    now += pause;
    const before = lease.inForce(now);
    does[act]();
    return { before, after: lease.inForce(now), writes };
  });
}

for await (const line of createInterface({ input: process.stdin })) {
  const { ms, story, seqs } = JSON.parse(line);
  console.log(JSON.stringify(seqs ? kept(seqs) : told(ms, story)));
}
"""


@attrs.frozen
class Worker:
    """The modules, asked one line at a time."""

    process: subprocess.Popen[str]

    def ask(self, **question: Any) -> Any:
        """Return the answer to a question."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(question) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    folder: Path = tmp_path_factory.mktemp("worker")
    (folder / "package.json").write_text('{"type": "module"}')
    for name, data in gateway_sources().items():
        (folder / name).write_bytes(data)
    (folder / "ask.js").write_text(ASK)
    with subprocess.Popen(
        [str(node("pinned")), str(folder / "ask.js")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield Worker(process)
        assert process.stdin is not None
        process.stdin.close()


acts = st.sampled_from(["grant", "renew", "hear", "hear", "release", "restart", "look"])


@st.composite
def stories(draw: st.DrawFn) -> tuple[int, list[Step]]:
    """Draw how long a lease is, and what is done after which pauses.

    What goes wrong does so about a quarter of the time, or about all of it.
    """
    ms = draw(st.sampled_from([1_000, 1_001, 15_000, 600_000]))
    pauses = st.one_of(
        st.builds(
            lambda quarters, more: max(0, quarters * ms // 4 + more),
            st.integers(0, 5),
            st.integers(-2, 2),
        ),
        st.integers(0, 2 * ms),
    )
    return ms, draw(st.lists(st.tuples(pauses, acts), max_size=30))


@attrs.define
class Belief:
    """What a holder believes in, and how much later it may be given away."""

    ms: int
    renewed_at: int | None = None
    restarted: bool = False

    def bounds(self, now: int) -> tuple[bool, bool]:
        """Say whether the lease has to be in force, and whether it may be."""
        if self.renewed_at is None:
            return (False, False)
        late = -(-self.ms // 4) if self.restarted else 0
        until = self.renewed_at + self.ms
        return (now < until, now < until + late)

    def take(self, act: str, now: int, *, in_force: bool) -> None:
        """Learn what was done to a lease that was *in_force*, or was not."""
        match act:
            case "hear" if in_force:
                self.renewed_at, self.restarted = now, False
            case "grant":
                self.renewed_at, self.restarted = now, False
            case "renew" if self.renewed_at is not None:
                self.renewed_at, self.restarted = now, False
            case "release":
                self.renewed_at = None
            case "restart":
                self.restarted = True
            case _:
                pass


@given(stories())
@example((1_000, [(0, "grant"), (249, "renew"), (0, "restart"), (999, "look")]))
@example((1_000, [(0, "grant"), (499, "renew"), (0, "restart"), (999, "look")]))
@example((1_000, [(0, "grant"), (999, "hear"), (1_000, "hear"), (0, "renew")]))
@example((1_000, [(0, "grant"), (999, "restart"), (250, "restart"), (1, "grant")]))
def test_a_lease_is_given_away_late_rather_than_early(
    worker: Worker, told: tuple[int, list[Step]]
) -> None:
    ms, story = told
    now, belief = 1_000_000, Belief(ms)
    for (pause, act), seen in zip(story, worker.ask(ms=ms, story=story), strict=True):
        now += pause
        assert_believed(seen["before"], belief, now)
        belief.take(act, now, in_force=seen["before"] is not None)
        if act == "hear":
            assert (seen["before"] is None) == (seen["after"] is None)
        assert_believed(seen["after"], belief, now)


def assert_believed(lease: dict[str, Any] | None, belief: Belief, now: int) -> None:
    has_to, may = belief.bounds(now)
    assert has_to <= (lease is not None) <= may, (belief, now, lease)
    if lease is not None:
        assert 0 < lease["expires_in_ms"] <= belief.ms + -(-belief.ms // 4)


@given(stories())
def test_a_renewal_is_written_at_most_once_in_each_quarter(
    worker: Worker, told: tuple[int, list[Step]]
) -> None:
    ms, story = told
    writes = elapsed = others = 0
    for (pause, act), seen in zip(story, worker.ask(ms=ms, story=story), strict=True):
        elapsed += pause
        others += act in {"grant", "release"}
        writes = seen["writes"]
    assert writes <= others + elapsed // -(-ms // 4)


@given(st.sets(st.integers(1, 60), max_size=40) | st.sets(st.integers(1, 10_000)))
@example({1, 2, 7, 8, 9})
def test_the_same_snapshots_are_kept_as_by_other_journals(
    worker: Worker, seqs: set[int]
) -> None:
    assert worker.ask(seqs=sorted(seqs)) == [*kept(seqs)]
