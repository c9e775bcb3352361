"""What Prometheus is told, held against a history that is known to the last number."""

from __future__ import annotations

import asyncio
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import attrs
import pytest
from aiohttp.test_utils import TestClient, TestServer
from prometheus_client.parser import text_string_to_metric_families

from orchestrator.api.app import make_app
from orchestrator.api.counts import Tally
from orchestrator.api.measures import OTHER
from orchestrator.api.metric_names import METRICS
from orchestrator.api.metrics import scraped
from orchestrator.core.backoff import Backoff
from orchestrator.core.commands import StartContainer
from orchestrator.core.errors import ContainerNotFound, Unreachable
from orchestrator.core.events import (
    Booted,
    CommandAccepted,
    CommandKind,
    ContainerEnded,
    ContainerReady,
    ContainerStarted,
    Declaration,
    Event,
    FleetObserved,
    SpecApplied,
)
from orchestrator.core.exits import Exit, Exited, OutOfMemory
from orchestrator.core.fleet_specs import FleetSettings
from orchestrator.core.names import is_name
from orchestrator.core.policies import CrashLimit, OnLoop, RestartPolicy
from orchestrator.core.reduce import step_of
from orchestrator.core.requests import Stop
from orchestrator.core.state import Fleet, empty_fleet
from orchestrator.runtime.leadership import Leadership, Role
from orchestrator.runtime.operator import Operator
from orchestrator.runtime.steps import Ask, Asked, Batch, Happened
from orchestrator.runtime.telemetry import Telemetry, Timings
from tests.runtime.kit import FAST, HOLD, LIMIT_MS, fleet, opened, spec, value

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]

SLOW = RestartPolicy(backoff=Backoff(initial_ms=4_000, max_ms=4_000, jitter=0))
HELD = RestartPolicy(crash=CrashLimit(allowed_crashes=0, on_loop=OnLoop.HOLD))


def samples(text: bytes) -> Samples:
    found: Samples = {}
    for family in text_string_to_metric_families(text.decode()):
        for sample in family.samples:
            key = (sample.name, tuple(sorted(sample.labels.items())))
            assert key not in found
            found[key] = sample.value
    return found


@attrs.define
class Script:
    """An operator whose history is written by hand."""

    fleet: Fleet = attrs.field(factory=lambda: empty_fleet("demo"))
    telemetry: Telemetry = attrs.field(factory=Telemetry)
    seq: int = 0

    def happen(self, *events: Event) -> None:
        for event in events:
            batch = Batch(fleet=self.fleet, seq=self.seq)
            batch.take(Happened(event=event), event.at)
            self.telemetry.committed(batch)
            for step in batch.steps:
                self.telemetry.restarted(self.seq, step, step.touched)
            self.fleet = batch.fleet
            self.seq += len(batch.steps)

    def shown(self, at: int) -> Samples:
        played = Played(fleet=self.fleet, feed=SimpleNamespace(at=at), seq=self.seq)
        tally = Tally.of(self.fleet.containers.values())
        body, media = asyncio.run(
            scraped(cast("Operator", played), tally, self.telemetry)
        )
        assert media.startswith("text/plain; version=0.0.4")
        return samples(body)


@attrs.define(eq=False)
class Played:
    """What an exposition reads of an operator."""

    fleet: Fleet
    feed: Any
    seq: int
    leadership: Leadership = Leadership(role=Role.LEADER, epoch=0)
    journal_error: None = None
    violations: int = 0
    hook_failures: int = 2


def declared(*names: str, restart: RestartPolicy = SLOW) -> SpecApplied:
    return SpecApplied(
        at=0,
        fleet="demo",
        settings=FleetSettings(),
        declarations=tuple(
            Declaration(spec=spec(name, restart), salt=0) for name in names
        ),
    )


def begun(script: Script, name: str, run: int, at: int) -> None:
    script.happen(
        CommandAccepted(at=at, name=name, run=run, kind=CommandKind.START),
        ContainerStarted(at=at, name=name, run=run, source_at=at - 40),
        ContainerReady(at=at + 500, name=name, run=run),
    )


def test_every_number_of_a_written_history_is_shown() -> None:
    script = Script()
    script.happen(
        declared("a", "b"),
        Booted(at=10, epoch=7, rules=3),
        FleetObserved(at=1_000, complete=True),
    )
    begun(script, "a", 1, 2_000)
    begun(script, "b", 1, 3_000)
    script.happen(
        ContainerEnded(at=10_000, name="a", run=1, exit=Exited(code=7)),
        ContainerEnded(at=10_000, name="a", run=1, exit=Exited(code=7)),
    )
    shown = script.shown(at=12_000)

    def of(metric: str, /, **labels: str) -> float:
        return shown[metric, tuple(sorted(labels.items()))]

    assert of("fleet_container_state", name="a", state="backing_off") == 1
    assert of("fleet_container_state", name="a", state="running") == 0
    assert of("fleet_container_state", name="b", state="running") == 1
    assert of("fleet_container_ready", name="b") == 1
    assert of("fleet_container_backoff_seconds", name="a") == 4
    assert of("fleet_container_backoff_seconds", name="b") == 0
    assert of("fleet_container_last_exit_code", name="a") == 7
    assert of("fleet_container_last_exit_info", name="a", kind="exited") == 1
    assert of("fleet_container_consecutive_failures", name="a") == 1
    assert of("fleet_container_uptime_seconds", name="b") == 9
    assert of("fleet_container_uptime_seconds", name="a") == 0
    assert of("fleet_container_restarts_earlier", name="a") == 0
    assert of("fleet_containers", state="running") == 1
    assert of("fleet_desired_containers") == 2
    assert of("fleet_healthy_containers") == 1
    assert of("fleet_observation_age_seconds") == 11
    assert of("fleet_reconcile_interval_seconds") == 60
    assert of("fleet_epoch") == 7
    assert of("fleet_log_sequence") == script.seq
    assert of("fleet_hook_failures_total") == 2
    assert of("fleet_events_total", type="container_ready", outcome="applied") == 2
    assert of("fleet_events_total", type="container_ended", outcome="applied") == 1
    assert of("fleet_events_total", type="container_ended", outcome="duplicate") == 1
    assert of("fleet_event_lag_seconds_count") == 2
    assert of("fleet_event_lag_seconds_sum") == pytest.approx(0.08)
    assert of("fleet_event_lag_seconds_bucket", le="0.01") == 0
    assert of("fleet_event_lag_seconds_bucket", le="0.05") == 2


def test_a_restart_is_counted_by_the_way_in_which_the_run_before_ended() -> None:
    script = Script()
    script.happen(
        declared("a", restart=RestartPolicy(backoff=FAST)),
        Booted(at=10, epoch=1, rules=3),
        FleetObserved(at=20, complete=True),
    )
    ends: tuple[Exit, ...] = (Exited(code=1), OutOfMemory(), Exited(code=2))
    for run, ended in enumerate(ends, 1):
        at = run * 100_000
        begun(script, "a", run, at)
        script.happen(ContainerEnded(at=at + 50_000, name="a", run=run, exit=ended))
        from orchestrator.core.events import TimeReached

        script.happen(TimeReached(at=at + 60_000, name="a"))
        script.happen(TimeReached(at=at + 60_001))
    key = "fleet_container_restarts_total"
    counted = {k[1]: v for k, v in script.shown(at=500_000).items() if k[0] == key}
    assert counted == {
        (("cause", "exited"), ("name", "a")): 2,
        (("cause", "out_of_memory"), ("name", "a")): 1,
    }
    script.telemetry = Telemetry()  # another operator of the same fleet
    counted = {k[1]: v for k, v in script.shown(at=500_000).items() if k[0] == key}
    assert counted == {}  # it begins at zero: nothing seems to restart again
    shown = script.shown(at=500_000)
    assert shown["fleet_container_restarts_earlier", (("name", "a"),)] == 3


def test_a_stale_run_is_told_from_a_repeated_event() -> None:
    script = Script()
    script.happen(declared("a"), Booted(at=10, epoch=1, rules=3))
    script.happen(FleetObserved(at=20, complete=True))
    begun(script, "a", 1, 1_000)
    script.happen(
        ContainerStarted(at=3_000, name="a", run=1),
        ContainerStarted(at=3_000, name="nobody", run=1),
    )
    events = script.telemetry.events
    assert events["container_started", "duplicate"] == 1
    assert events["container_started", "stale"] == 1


async def test_requests_that_were_refused_or_made_before_are_counted() -> None:
    script = Script()
    batch = Batch(fleet=script.fleet)
    ask = Ask(request=Stop(name="a"), answer=cast("Any", None))
    again = Asked(fleet=script.fleet, at=0, seq=0, replayed=True)
    batch.answers += [(ask, ContainerNotFound(name="a")), (ask, again)]
    script.telemetry.committed(batch)
    assert script.telemetry.events == {
        ("stop", "rejected"): 1,
        ("stop", "duplicate"): 1,
    }


def test_a_held_crash_loop_waits_for_ever() -> None:
    script = Script()
    script.happen(
        declared("a", restart=HELD),
        Booted(at=10, epoch=1, rules=3),
        FleetObserved(at=20, complete=True),
    )
    begun(script, "a", 1, 1_000)
    script.happen(ContainerEnded(at=9_000, name="a", run=1, exit=Exited(code=1)))
    shown = script.shown(at=9_000)
    assert shown["fleet_container_backoff_seconds", (("name", "a"),)] == math.inf
    state = (("name", "a"), ("state", "crash_looping"))
    assert shown["fleet_container_state", state] == 1


def test_what_was_never_looked_at_is_infinitely_old() -> None:
    assert Script().shown(at=5)["fleet_observation_age_seconds", ()] == math.inf


def test_names_beyond_the_bound_are_told_together() -> None:
    script = Script(telemetry=Telemetry(names_max=2))
    script.happen(declared(*(f"c{n}" for n in range(5))))
    shown = script.shown(at=9)
    names = {
        dict(labels)["name"]
        for (_, labels) in shown
        if any("name" in x for x in labels)
    }
    assert names == {"c0", "c1", OTHER}
    pending = (("name", OTHER), ("state", "pending"))
    assert shown["fleet_container_state", pending] == 3
    assert shown["fleet_container_restarts_earlier", (("name", OTHER),)] == 0
    assert not is_name(OTHER)


def test_a_container_that_is_gone_leaves_no_count() -> None:
    telemetry = Telemetry()
    telemetry.restarts["a"] = cast("Any", {"exited": 3})
    script = Script(telemetry=telemetry)
    script.happen(declared("a"), declared())
    assert script.fleet.containers.get("a") is None
    assert not telemetry.restarts


def test_a_duration_is_counted_in_every_bucket_that_holds_it() -> None:
    script = Script()
    ticks = iter((0.0, 0.05, 1.0, 3.0))
    script.telemetry.clock = lambda: next(ticks)
    command = StartContainer(name="a", run=1, revision=1)
    with script.telemetry.carrying_out(command, "demo") as told:
        assert script.telemetry.in_flight["start"] == 1
        told(None)
    with script.telemetry.carrying_out(command, "demo") as told:
        told(Unreachable(cause="no route"))
    shown = script.shown(at=0)
    name = "fleet_command_duration_seconds"
    assert shown[f"{name}_bucket", (("kind", "start"), ("le", "0.05"))] == 1
    assert shown[f"{name}_bucket", (("kind", "start"), ("le", "+Inf"))] == 2
    assert shown[f"{name}_sum", (("kind", "start"),)] == pytest.approx(2.05)
    outcomes = {k[1]: v for k, v in shown.items() if k[0] == "fleet_commands_total"}
    assert outcomes == {
        (("kind", "start"), ("outcome", "accepted")): 1,
        (("kind", "start"), ("outcome", "unreachable")): 1,
    }
    assert shown["fleet_commands_inflight", (("kind", "start"),)] == 0


def test_a_command_that_is_given_up_is_counted_as_cancelled() -> None:
    telemetry = Telemetry()
    command = StartContainer(name="a", run=1, revision=1)
    with pytest.raises(KeyboardInterrupt), telemetry.carrying_out(command, "demo"):
        raise KeyboardInterrupt
    assert telemetry.commands == {("start", "cancelled"): 1}


def test_the_size_of_the_journal_is_that_of_its_files(tmp_path: Path) -> None:
    file = tmp_path / "journal.db"
    assert Telemetry().journal_bytes() is None
    telemetry = Telemetry(journal_file=file)
    assert telemetry.journal_bytes() == 0
    file.write_bytes(b"12345")
    (tmp_path / "journal.db-wal").write_bytes(b"123")
    assert Script(telemetry=telemetry).shown(at=0)["fleet_log_bytes", ()] == 8


def test_a_bound_belongs_to_its_bucket() -> None:
    timings = Timings((1.0, 2.0))
    for seconds in (0.0, 1.0, 1.1, 2.0, 2.1):
        timings.add(seconds)
    assert timings.counts == [2, 2, 1]


def test_names_have_units_and_kinds_that_prometheus_expects() -> None:
    names = [named.name for named in METRICS]
    assert len(set(names)) == len(names)
    for named in METRICS:
        assert named.name.startswith(("fleet_", "orchestrator_"))
        assert named.name.endswith("_total") == (named.kind == "counter")
        if named.kind == "histogram":
            assert named.name.endswith("_seconds")
        assert named.about.endswith(".")


async def test_a_live_operator_shows_every_metric_and_true_counts() -> None:
    telemetry = Telemetry()
    declared_fleet = fleet(spec("web"), spec("dead", HOLD), reconcile_interval_ms=0)
    async with opened(declared_fleet, telemetry=telemetry) as kit:
        await value(kit.operator.wait("web", limit_ms=LIMIT_MS))
        await kit.container("dead", "crash_looping")
        tally = Tally.of(kit.operator.fleet.containers.values())
        body, _ = await scraped(kit.operator, tally)
        text = body.decode()
        for named in METRICS:
            assert f"# HELP {named.name} " in text
            assert f"# TYPE {named.name} {named.kind}\n" in text
        shown = samples(body)
        applied = sum(
            number
            for (name, labels), number in shown.items()
            if name == "fleet_events_total" and ("outcome", "applied") in labels
        )
        assert applied == kit.operator.seq == shown["fleet_log_sequence", ()]
        accepted = (("kind", "start"), ("outcome", "accepted"))
        assert shown["fleet_commands_total", accepted] == 2
        assert shown["fleet_command_duration_seconds_count", (("kind", "start"),)] == 2
        assert shown["fleet_reconcile_duration_seconds_count", ()] >= 1
        assert shown["fleet_log_commit_duration_seconds_count", ()] >= 1
        assert shown["fleet_invariant_violations_total", ()] == 0
        dead = (("name", "dead"), ("state", "crash_looping"))
        assert shown["fleet_container_state", dead] == 1


def test_what_a_row_of_the_past_says_is_compared_with_what_is_made_of_it() -> None:
    from orchestrator.runtime.feed import diverges
    from tests.api.live.kit import steps
    from tests.runtime.travel_kit import history

    row = history(2, 40)[39]
    step = steps(2)[39]
    assert not diverges(row, step)
    assert diverges(attrs.evolve(row, changes=b'{"web":{"run":77}}'), step)
    assert not diverges(attrs.evolve(row, changes=bytes(32)), step)
    assert step_of(step.before, step.event).event == step.event


async def test_the_application_answers_prometheus() -> None:
    async with opened(fleet(spec("web"))) as kit:
        app = make_app(kit.operator, version="9.9")
        async with TestClient(TestServer(app)) as client:
            answer = await client.get("/metrics")
            assert answer.status == 200
            media = answer.headers["Content-Type"]
            assert media.startswith("text/plain; version=0.0.4")
            shown = samples(await answer.read())
        assert shown["fleet_epoch", ()] == kit.operator.fleet.epoch
