"""What becomes of a hosted operator: laws of its states, whatever happens to it.

The Worker's own module is asked, in a process of node that answers a line with a line.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import attrs
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from orchestrator.platforms.cloudflare.project.files import gateway_sources
from tests.bench.machine import node

Tree = dict[str, Any]

ASK: Final = """
import { createInterface } from "node:readline";
import * as states from "./operator_states.js";
const { FRESH, nextLook, step } = states;
const { START_LIMIT_MS, MISSES_MAX, BACKOFF_MS, STEADY_MS } = states;
const constants = { START_LIMIT_MS, MISSES_MAX, BACKOFF_MS, STEADY_MS };
console.log(JSON.stringify({ fresh: FRESH, constants }));
for await (const line of createInterface({ input: process.stdin })) {
  const { record, event } = JSON.parse(line);
  const after = step(record, event);
  console.log(JSON.stringify({ ...after, next: nextLook(after.record, event.at) }));
}
"""

ALIVE: Final = {"starting", "healthy", "unhealthy", "stopping"}
ROUNDS_MAX: Final = 40


@attrs.frozen
class Machine:
    """The states, asked one event at a time."""

    process: subprocess.Popen[str]
    fresh: Tree
    constants: Tree

    def step(self, record: Tree, event: Tree) -> Tree:
        """Return what follows: the record, what is done, when to look again."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps({"record": record, "event": event}) + "\n")
        self.process.stdin.flush()
        answer: Tree = json.loads(self.process.stdout.readline())
        return answer


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    folder: Path = tmp_path_factory.mktemp("states")
    (folder / "package.json").write_text('{"type": "module"}')
    source = gateway_sources()["operator_states.js"]
    (folder / "operator_states.js").write_bytes(source)
    (folder / "ask.js").write_text(ASK)
    with subprocess.Popen(
        [str(node("pinned")), str(folder / "ask.js")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        yield Machine(process, told["fresh"], told["constants"])
        assert process.stdin is not None
        process.stdin.close()


happenings = st.one_of(
    st.fixed_dictionaries(
        {"type": st.just("wanted"), "wanted": st.sampled_from(["running", "stopped"])}
    ),
    st.fixed_dictionaries({"type": st.just("looked"), "running": st.booleans()}),
    st.fixed_dictionaries({"type": st.just("answered"), "well": st.booleans()}),
    st.fixed_dictionaries(
        {
            "type": st.just("ended"),
            "end": st.fixed_dictionaries(
                {
                    "kind": st.sampled_from(["exited", "lost", "no_capacity"]),
                    "raw": st.just(""),
                },
                optional={"code": st.sampled_from([0, 0, 1, 137, 143])},
            ),
        }
    ),
    st.just({"type": "outdated"}),
)
pauses = st.sampled_from([0, 1, 999, 1_000, 10_000, 200_000, 300_000, 700_000])
stories = st.lists(st.tuples(pauses, happenings), max_size=25)


def told(machine: Machine, story: list[tuple[int, Tree]]) -> Iterator[tuple[Tree, ...]]:
    """Tell a story; yield each record with the event and what followed."""
    record, at = machine.fresh, 1_000
    for pause, happening in story:
        at += pause
        event = {**happening, "at": at}
        after = machine.step(record, event)
        yield record, event, after
        record = after["record"]


@given(story=stories)
def test_it_is_started_only_where_it_is_wanted_and_not_there(
    machine: Machine, story: list[tuple[int, Tree]]
) -> None:
    for before, event, after in told(machine, story):
        record = after["record"]
        if "start" in after["does"]:
            assert record["wanted"] == "running"
            assert before["state"] in {"stopped", "waiting"}
            assert event.get("running") is not True
            assert record["state"] == "starting"
        assert len(after["does"]) <= 1
        started = record["starts"] - before["starts"]
        assert started == ("start" in after["does"])
        assert record["restarts"] - before["restarts"] in {0, started}


@given(story=stories)
def test_whoever_is_not_wanted_leaves_or_is_gone(
    machine: Machine, story: list[tuple[int, Tree]]
) -> None:
    for _, _, after in told(machine, story):
        record = after["record"]
        if record["wanted"] == "stopped":
            assert "start" not in after["does"]
            assert record["state"] != "waiting"
        # Somebody looks again, unless there is nothing to wait for.
        is_idle = record["state"] == "stopped" and record["wanted"] == "stopped"
        assert (after["next"] is None) == is_idle


@given(story=stories)
def test_one_that_ended_in_good_order_by_itself_stays_away_until_it_is_asked_for(
    machine: Machine, story: list[tuple[int, Tree]]
) -> None:
    """An operator ends with 0 only because its fleet was brought down."""
    for before, event, after in told(machine, story):
        code = event.get("end", {}).get("code")
        kind = event.get("end", {}).get("kind")
        by_itself = before["state"] in {"starting", "healthy"}
        record = after["record"]
        if by_itself and (kind, code) == ("exited", 0):
            assert (record["wanted"], record["state"]) == ("stopped", "stopped")
            look = {"type": "looked", "running": False, "at": event["at"] + 10**9}
            later = machine.step(record, look)
            assert (later["does"], later["next"]) == ([], None)
            start = {"type": "wanted", "wanted": "running", "at": event["at"]}
            assert machine.step(record, start)["does"] == ["start"]
        elif by_itself and event["type"] == "ended":
            assert record["state"] == (
                "waiting" if before["wanted"] == "running" else "stopped"
            )


DOWN: Final[Tree] = {"kind": "exited", "code": 0, "raw": ""}


@given(story=stories)
@example(
    story=[
        (0, {"type": "looked", "running": False}),
        (0, {"type": "answered", "well": True}),
        (0, {"type": "ended", "end": DOWN}),
        (1_000, {"type": "looked", "running": False}),
        (0, {"type": "wanted", "wanted": "running"}),
        (0, {"type": "ended", "end": {**DOWN, "code": 143}}),
    ]
)
def test_an_end_with_code_0_that_nobody_asked_for_keeps_it_down(
    machine: Machine, story: list[tuple[int, Tree]]
) -> None:
    for before, event, after in told(machine, story):
        record = after["record"]
        assert (record["wanted"] == "stopped") == (record["stopped_by"] is not None)
        if event["type"] == "wanted":
            continue
        end = event.get("end", {})
        was_down = (
            (end.get("kind"), end.get("code")) == ("exited", 0)
            and before["wanted"] == "running"
            and before["state"] in {"starting", "healthy"}
        )
        # Nothing else that happens to it changes what is wanted of it.
        expected = "stopped" if was_down else before["wanted"]
        assert record["wanted"] == expected
        assert (record["stopped_by"] == "down") is (
            was_down or before["stopped_by"] == "down"
        )


@given(story=stories)
def test_the_waits_double_up_to_five_minutes_and_begin_anew_after_health(
    machine: Machine, story: list[tuple[int, Tree]]
) -> None:
    first, most = machine.constants["BACKOFF_MS"]
    assert (first, most) == (1_000, 300_000)
    failures = 0
    for before, event, after in told(machine, story):
        record, at = after["record"], event["at"]
        healthy_at = before["healthy_at"]
        steady = machine.constants["STEADY_MS"]
        if healthy_at is not None and at - healthy_at >= steady:
            failures = 0
        if before["state"] in {"stopped", "waiting"} and event["type"] == "wanted":
            failures = 0 if event["wanted"] == "running" else failures
        if event["type"] != "ended" or before["state"] not in ALIVE:
            continue
        if record["state"] == "stopped" or before["state"] == "stopping":
            failures = 0
            continue
        failures += 1
        assert record["due"] - at == min(most, first * 2 ** min(30, failures - 1))
        assert record["last_end"]["at"] == at
        if before["state"] == "unhealthy":
            assert record["last_end"]["kind"] == "unhealthy"


@given(story=stories)
def test_it_counts_as_unhealthy_only_after_three_misses_or_a_start_that_takes_too_long(
    machine: Machine, story: list[tuple[int, Tree]]
) -> None:
    misses = 0
    for before, event, after in told(machine, story):
        record = after["record"]
        if event["type"] == "answered" and before["state"] == "healthy":
            misses = 0 if event["well"] else misses + 1
        if before["state"] != "healthy" and record["state"] == "healthy":
            assert event == {"type": "answered", "well": True, "at": event["at"]}
            misses = 0
        if before["state"] != "unhealthy" and record["state"] == "unhealthy":
            assert after["does"] == ["destroy"]
            limit = machine.constants["START_LIMIT_MS"]
            took = event["at"] - before["since"]
            assert misses == machine.constants["MISSES_MAX"] or (
                before["state"] == "starting" and took >= limit
            )


@given(story=stories, runs=st.booleans())
def test_once_nothing_fails_any_more_it_becomes_healthy(
    machine: Machine, story: list[tuple[int, Tree]], *, runs: bool
) -> None:
    """Break, then heal: whatever was, a world that works leads to health."""
    record, at = machine.fresh, 1_000
    for _, event, after in told(machine, story):
        record, at = after["record"], event["at"]

    def act(event: Tree) -> int:
        nonlocal record, runs
        after = machine.step(record, {**event, "at": at})
        record = after["record"]
        for does in after["does"]:
            runs = does == "start"
        return at if after["next"] is None else max(at, int(after["next"]))

    at = act({"type": "wanted", "wanted": "running"})
    for _ in range(ROUNDS_MAX):
        if not runs and record["state"] in ALIVE:
            end = {"kind": "lost", "raw": ""}
            at = act({"type": "ended", "end": end})
        at = act({"type": "looked", "running": runs})
        if runs and record["state"] in {"starting", "healthy"}:
            at = act({"type": "answered", "well": True})
        if record["state"] == "healthy":
            return
    raise AssertionError(record)


def test_the_object_sends_the_events_that_the_states_know() -> None:
    states, sent = (
        set(re.findall(pattern, gateway_sources()[name].decode()))
        for name, pattern in (
            ("operator_states.js", r'case "(\w+)":\n      return \w+\(record, event'),
            ("operator.js", r'type: "(\w+)"'),
        )
    )
    assert states | {"outdated"} == sent
