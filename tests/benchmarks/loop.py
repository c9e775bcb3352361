"""Our rules once more, as a loop by hand over mutable objects: the limit of replay.

This is what a program would be that does nothing but fold the trace of this package as
fast as the language allows: rows as plain dicts, records of slots changed in place,
no checks. It knows the events of the trace alone, and what they do to its containers
(a custom policy, a group or a rollout is not among them). It is compared with the core
before anything is timed: every record must come out the same.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable
from typing import Any, Final

from orchestrator.codec.wire import tree_of
from orchestrator.core.backoff import Backoff, backoff_wait
from orchestrator.core.state import Container, Fleet

__all__ = ("Loop", "Record", "differing", "is_alike")

Tree = dict[str, Any]

MARGIN: Final = 5_000
LIVE: Final = frozenset({"starting", "running", "stopping"})
RESTING: Final = frozenset({"stopped", "completed"})


class Record:
    """One container."""

    __slots__ = (
        "accepted",
        "addresses",
        "attempts",
        "backoff",
        "changed_at",
        "cooldown",
        "crashes_total",
        "deadline",
        "destroys",
        "escalation",
        "failed_in_a_row",
        "failures",
        "last",
        "listening",
        "name",
        "phase",
        "readiness",
        "readiness_passed",
        "ready_at",
        "restarts_total",
        "retries",
        "retry_at",
        "run",
        "salt",
        "since",
        "spec",
        "start_failures",
        "started_at",
        "started_revision",
        "startup_ms",
        "unhealthy",
        "until",
        "verdict",
        "wanted",
    )

    def __init__(self, spec: Tree, salt: int, at: int) -> None:
        policy = spec["restart"]
        backoff = {**policy["backoff"]}
        self.backoff = Backoff(**backoff)
        self.name, self.spec, self.salt = spec["name"], spec, salt
        self.phase, self.since, self.wanted = "pending", at, True
        self.run = self.started_revision = self.crashes_total = 0
        self.restarts_total = self.attempts = self.failed_in_a_row = 0
        self.start_failures = self.unhealthy = self.retries = self.destroys = 0
        self.readiness = "readiness" in spec.get("health", {})
        self.failures: list[int] = []
        self.accepted = self.listening = self.readiness_passed = False
        self.ready_at: int | None = None
        self.started_at: int | None = None
        self.retry_at: int | None = None
        self.deadline: int | None = None
        self.until: int | None = None
        self.startup_ms: int | None = None
        self.verdict: Tree | None = None
        self.last: Tree | None = None
        self.addresses: Tree = {}
        self.escalation = "signaled"
        self.changed_at = at


class Loop:
    """The fleet, and one method for each kind of event."""

    def __init__(self) -> None:
        self.records: dict[str, Record] = {}
        self.waiting: list[tuple[int, str]] = []
        self.starting = 0
        self.unsettled: set[str] = set()
        self.observed = self.observing = False
        self.reconciled_at: int | None = None
        self.slots, self.soon_ms = 8, 100
        self.at = 0
        self.given: list[tuple[Any, ...]] = []

    def moves(self) -> dict[str, Callable[[Tree, int], None]]:
        return {
            "booted": self.booted,
            "spec_applied": self.applied,
            "fleet_observed": self.looked,
            "time_reached": self.timed,
            "container_started": self.started,
            "container_ready": self.ready,
            "container_ended": self.ended,
            "command_accepted": self.accepted,
            "command_failed": self.failed,
            "health_changed": self.checked,
            "start_requested": self.start,
            "stop_requested": self.stop,
            "restart_requested": self.restart,
            "crash_history_cleared": self.cleared,
        }

    def fold(self, events: Iterable[Tree]) -> Loop:
        moves = self.moves()
        for event in events:
            at = event["at"]
            if at < self.at:
                continue
            self.at = at
            self.given.clear()
            moves[event["type"]](event, at)
            if self.waiting and self.observed and self.starting < self.slots:
                self.grant(at)
        return self

    def grant(self, at: int) -> None:
        while self.waiting and self.starting < self.slots:
            since, name = heapq.heappop(self.waiting)
            record = self.records[name]
            if record.phase != "pending" or record.since != since:
                continue
            record.run += 1
            record.started_revision = 1
            record.restarts_total += record.last is not None
            self.enter(record, "starting", at)
            record.accepted, record.retry_at, record.retries = False, None, 0
            record.started_at = record.ready_at = record.deadline = None
            record.listening = record.readiness_passed = False
            record.addresses = {}
            self.given.append(("start", name, record.run, 1))

    def enter(self, record: Record, phase: str, at: int) -> None:
        self.starting += (phase == "starting") - (record.phase == "starting")
        record.phase, record.since, record.changed_at = phase, at, at
        if phase in RESTING:
            self.unsettled.discard(record.name)
        else:
            self.unsettled.add(record.name)
        if phase == "pending":
            heapq.heappush(self.waiting, (at, record.name))

    def booted(self, event: Tree, at: int) -> None:
        del event, at
        self.observed, self.observing = False, False
        self.look(self.at)

    def look(self, at: int) -> None:
        if not self.observing:
            self.observing, self.reconciled_at = True, at
            self.given.append(("observe",))

    def applied(self, event: Tree, at: int) -> None:
        settings = event["settings"]
        self.slots = settings["max_concurrent_starts"]
        self.soon_ms = settings["min_restart_delay_ms"]
        for declaration in event["declarations"]:
            spec = declaration["spec"]
            record = Record(spec, declaration["salt"], at)
            self.records[spec["name"]] = record
            self.unsettled.add(spec["name"])
            heapq.heappush(self.waiting, (at, spec["name"]))

    def looked(self, event: Tree, at: int) -> None:
        del event
        self.observing, self.observed = False, True
        for name in sorted(self.unsettled):
            self.due(self.records[name], at)

    def timed(self, event: Tree, at: int) -> None:
        name = event.get("name")
        if name is None:
            self.look(at)
        else:
            self.due(self.records[name], at)

    def due(self, record: Record, at: int) -> None:
        phase = record.phase
        if phase == "running":
            if record.ready_at is None:
                if record.deadline is not None and at >= record.deadline:
                    self.end(record, at, {"type": "start_failed", "reason": "ready"})
            elif (
                record.failures or record.attempts
            ) and at >= record.ready_at + record.backoff.reset_after_ms:
                self.forget(record)
                record.changed_at = at
        elif phase in {"backing_off", "crash_looping"}:
            if record.until is not None and at >= record.until:
                record.until = None
                self.enter(record, "pending", at)
        elif phase == "starting":
            if at >= record.since + record.spec["start_timeout_ms"]:
                self.end(record, at, {"type": "start_failed", "reason": "started"})
            elif record.retry_at is not None and at >= record.retry_at:
                record.retry_at, record.changed_at = None, at
                self.given.append(("start", record.name, record.run, 1))
        elif phase == "stopping" and at >= (record.deadline or 0):
            self.insist(record, at)

    def insist(self, record: Record, at: int) -> None:
        record.changed_at, record.deadline = at, at + MARGIN
        if record.escalation == "signaled" and not record.accepted:
            record.deadline += record.spec["stop_grace_ms"]
            self.given.append(("stop", record.name, record.run))
        elif record.escalation == "signaled":
            record.escalation = "observed"
            self.look(at)
        else:
            record.escalation, record.accepted = "destroyed", False
            record.destroys += 1
            self.given.append(("destroy", record.name, record.run))

    def live(self, event: Tree) -> Record | None:
        record = self.records[event["name"]]
        alive = record.phase in LIVE and record.run == event["run"]
        return record if alive else None

    def started(self, event: Tree, at: int) -> None:
        record = self.live(event)
        if record is not None and record.phase == "starting":
            self.run_on(record, at)

    def run_on(self, record: Record, at: int) -> None:
        begun = record.since
        self.enter(record, "running", at)
        record.started_at = at
        record.deadline = begun + record.spec["start_timeout_ms"]

    def ready(self, event: Tree, at: int) -> None:
        record = self.live(event)
        if record is None or record.phase == "stopping":
            return
        if record.phase == "starting":
            self.run_on(record, at)
        if not record.listening and record.ready_at is None:
            record.listening, record.changed_at = True, at
            record.addresses = event.get("addresses", {})
            self.make_ready(record, at)

    def make_ready(self, record: Record, at: int) -> None:
        if not record.listening or record.ready_at is not None:
            return
        if record.readiness and not record.readiness_passed:
            return
        record.start_failures = 0
        if record.deadline is not None:
            begun = record.deadline - record.spec["start_timeout_ms"]
            record.startup_ms = max(0, at - begun)
        record.ready_at, record.deadline, record.listening = at, None, False
        self.unsettled.discard(record.name)

    def ended(self, event: Tree, at: int) -> None:
        record = self.live(event)
        if record is not None:
            exit_ = event["exit"]
            stops = record.phase == "stopping"
            self.conclude(record, (record.verdict or exit_) if stops else exit_, at)

    def conclude(self, record: Record, exit_: Tree, at: int) -> None:
        policy = record.spec["restart"]
        record.last = {
            "run": record.run,
            "exit": exit_,
            "ended_at": at,
            "started_at": record.started_at,
            "ready_at": record.ready_at,
        }
        ready_at = record.ready_at
        if ready_at is not None and at - ready_at >= record.backoff.reset_after_ms:
            self.forget(record)
        kind = exit_["type"]
        clean = kind == "exited" and exit_["code"] == 0
        failed = not clean and kind != "stopped"
        at_start = kind == "start_failed"
        if kind != "stopped":
            record.start_failures = record.start_failures + 1 if at_start else 0
        record.unhealthy = record.unhealthy + 1 if kind == "unhealthy" else 0
        record.failed_in_a_row = 0 if clean else record.failed_in_a_row + failed
        record.attempts += failed
        record.crashes_total += failed
        window_ms, allowed = policy["crash"]["window_ms"], 3
        if failed and not at_start:
            allowed = policy["crash"]["allowed_crashes"]
            counted = [past for past in record.failures if past > at - window_ms]
            counted.append(at)
            record.failures = counted[-allowed - 1 :]
        if not record.wanted:
            self.enter(record, "stopped", at)
        elif kind == "stopped":
            self.enter(record, "pending", at)
        elif clean:
            self.after_success(record, at)
        else:
            self.after_failure(record, at, at_start=at_start)

    def after_success(self, record: Record, at: int) -> None:
        policy = record.spec["restart"]
        if policy["when"] != "always":
            self.enter(record, "completed", at)
            return
        began = at if record.started_at is None else record.started_at
        again = max(at + self.soon_ms, began + policy["min_interval_ms"])
        self.wait(record, at, again, "backing_off")

    def after_failure(self, record: Record, at: int, *, at_start: bool) -> None:
        policy = record.spec["restart"]
        wait = backoff_wait(record.backoff, record.attempts, record.salt, 1)
        again = at + max(self.soon_ms, wait)
        window_ms = policy["crash"]["window_ms"]
        if at_start and record.start_failures > policy.get("start_budget", 5):
            self.wait(record, at, max(at + window_ms, again), "crash_looping")
            return
        if not at_start and len(record.failures) > policy["crash"]["allowed_crashes"]:
            until = max(record.failures[0] + window_ms, again)
            self.wait(record, at, until, "crash_looping")
            return
        self.wait(record, at, again, "backing_off")

    def wait(self, record: Record, at: int, until: int, phase: str) -> None:
        if until <= at and phase == "backing_off":
            self.enter(record, "pending", at)
        else:
            record.until = until
            self.enter(record, phase, at)

    def forget(self, record: Record) -> None:
        record.failures = []
        record.attempts = record.start_failures = record.unhealthy = 0
        record.failed_in_a_row = 0

    def accepted(self, event: Tree, at: int) -> None:
        record = self.live(event)
        if record is None:
            return
        if record.phase == "starting" and event["kind"] == "start":
            record.accepted, record.retry_at, record.changed_at = True, None, at
        elif record.phase == "stopping" and event["kind"] != "start":
            record.accepted, record.changed_at = True, at

    def failed(self, event: Tree, at: int) -> None:
        record = self.live(event)
        if record is None:
            return
        if record.phase == "starting" and event["kind"] == "start":
            record.retries += 1
            wait = backoff_wait(record.backoff, record.retries, record.salt, 1)
            record.retry_at, record.changed_at = at + max(wait, 1), at
        elif record.phase == "stopping" and event["kind"] != "start":
            wait = min(15_000, max(2_000, (at - record.since) // 2))
            record.deadline, record.accepted = at + wait, False
            record.changed_at = at

    def checked(self, event: Tree, at: int) -> None:
        record = self.live(event)
        if record is None or record.phase != "running" or not record.readiness:
            return
        if event["check"] == "liveness":
            if not event["passing"]:
                self.unhealthy(record, at)
        elif event["passing"]:
            record.readiness_passed, record.changed_at = True, at
            self.make_ready(record, at)
        else:
            record.listening = record.listening or record.ready_at is not None
            record.readiness_passed, record.ready_at = False, None
            self.unsettled.add(record.name)
            record.changed_at = at

    def unhealthy(self, record: Record, at: int) -> None:
        verdict = {"type": "unhealthy", "check": "liveness"}
        ready_at = record.ready_at
        proven = ready_at is not None and (
            at - ready_at >= record.backoff.reset_after_ms
        )
        if not record.unhealthy or proven:
            self.end(record, at, verdict)
            return
        self.enter(record, "stopping", at)
        record.deadline, record.verdict = at + MARGIN, verdict
        record.escalation, record.destroys, record.accepted = "destroyed", 1, False
        self.given.append(("destroy", record.name, record.run))

    def end(self, record: Record, at: int, verdict: Tree) -> None:
        if record.phase == "stopping":
            if verdict["type"] == "stopped" and record.verdict != verdict:
                record.verdict, record.changed_at = verdict, at
            return
        if record.phase not in LIVE:
            return
        grace_ms = record.spec["stop_grace_ms"]
        self.enter(record, "stopping", at)
        record.deadline, record.verdict = at + grace_ms + MARGIN, verdict
        record.escalation, record.destroys, record.accepted = "signaled", 0, False
        signal = record.spec["stop_signal"]
        self.given.append(("stop", record.name, record.run, signal, grace_ms))

    def start(self, event: Tree, at: int) -> None:
        record = self.records[event["name"]]
        wanted, record.wanted = record.wanted, True
        if not wanted:
            record.changed_at = at
        if record.phase == "stopping" and not wanted:
            self.end(record, at, {"type": "stopped"})
        elif record.phase == "stopped":
            self.enter(record, "pending", at)

    def stop(self, event: Tree, at: int) -> None:
        record = self.records[event["name"]]
        if record.wanted:
            record.changed_at = at
        record.wanted = False
        if record.phase in {"starting", "running"}:
            self.end(record, at, {"type": "stopped"})
        elif record.phase not in {"stopping", "stopped"}:
            record.until = None
            self.enter(record, "stopped", at)

    def restart(self, event: Tree, at: int) -> None:
        record = self.records[event["name"]]
        if not record.wanted:
            record.wanted, record.changed_at = True, at
        if record.phase in LIVE:
            self.end(record, at, {"type": "stopped"})
        elif record.phase == "stopped":
            self.enter(record, "pending", at)

    def cleared(self, event: Tree, at: int) -> None:
        record = self.records[event["name"]]
        self.forget(record)
        if record.phase in {"crash_looping", "failed"} and record.wanted:
            record.until = None
            self.enter(record, "pending", at)


def differing(loop: Loop, fleet: Fleet) -> list[str]:
    """Return the names whose record the loop and the core do not hold alike."""
    return [
        name
        for name, record in loop.records.items()
        if not is_alike(record, fleet.containers[name])
    ]


def is_alike(record: Record, container: Container) -> bool:
    """Say whether the loop and the core hold one container alike."""
    return _of_loop(record) == _of_core(tree_of(container))


def _of_loop(record: Record) -> dict[str, Any]:
    phase = record.phase
    alive = phase in LIVE
    return {
        "phase": phase,
        "since": record.since,
        "run": record.run,
        "wanted": record.wanted,
        "until": record.until if phase in {"backing_off", "crash_looping"} else None,
        "ready_at": record.ready_at if phase in {"running", "stopping"} else None,
        "deadline": record.deadline if phase in {"running", "stopping"} else None,
        "accepted": alive and phase != "running" and record.accepted,
        "readiness_passed": phase == "running" and record.readiness_passed,
        "last": record.last and {k: v for k, v in record.last.items() if v is not None},
        "failures": record.failures,
        "attempts": record.attempts,
        "crashes_total": record.crashes_total,
        "restarts_total": record.restarts_total,
        "startup_ms": record.startup_ms,
        "start_failures": record.start_failures,
        "unhealthy": record.unhealthy,
        "failed_in_a_row": record.failed_in_a_row,
    }


def _of_core(tree: Tree) -> dict[str, Any]:
    phase, history, last = tree["phase"], tree["history"], tree["last"]
    return {
        "phase": phase["type"],
        "since": phase["since"],
        "run": tree["run"],
        "wanted": tree["desired"]["running"],
        "until": phase.get("until"),
        "ready_at": phase.get("ready_at"),
        "deadline": phase.get("deadline"),
        "accepted": phase.get("accepted", False),
        "readiness_passed": phase.get("readiness_passed", False),
        "last": last and {k: v for k, v in last.items() if v is not None},
        **{
            name: history.get(name, 0)
            for name in (
                "failures",
                "attempts",
                "crashes_total",
                "restarts_total",
                "startup_ms",
                "start_failures",
                "unhealthy",
                "failed_in_a_row",
            )
        },
    }
