"""A container as the state machines of others model it: its data, guards and actions.

The rules are those of ours for the events of ``trace``; ``moves`` says which guard and
which action belong to which event. The record is that of ``loop``, so that every fact
of it can be compared with the core.
"""

from __future__ import annotations

from typing import Any, Final

from orchestrator.core.backoff import backoff_wait
from tests.benchmarks.loop import MARGIN, Record

__all__ = ("PHASES", "Tree", "Unit")

Tree = dict[str, Any]

PHASES: Final = (
    "pending",
    "starting",
    "running",
    "stopping",
    "stopped",
    "completed",
    "backing_off",
    "crash_looping",
)


class Unit(Record):
    """One container. Guards are questions, actions are orders; both take an event."""

    def __init__(self, told: Tree, at: int, soon_ms: int, given: list[Any]) -> None:
        super().__init__(told["spec"], told["salt"], at)
        self.soon_ms, self.given = soon_ms, given

    # Guards

    def is_its_run(self, told: Tree) -> bool:
        return bool(told["run"] == self.run)

    def is_of_start(self, told: Tree) -> bool:
        return bool(told["kind"] == "start")

    def is_of_stop(self, told: Tree) -> bool:
        return bool(told["kind"] != "start")

    def is_late(self, told: Tree) -> bool:
        """Say whether a start has taken too long."""
        return bool(told["at"] >= self.since + self.spec["start_timeout_ms"])

    def is_never_ready(self, told: Tree) -> bool:
        late = self.deadline is not None and told["at"] >= self.deadline
        return self.ready_at is None and late

    def is_proven(self, told: Tree) -> bool:
        """Say whether it has been ready so long that its failures are past."""
        ready_at = self.ready_at
        return ready_at is not None and (
            told["at"] >= ready_at + self.backoff.reset_after_ms
        )

    def is_forgiven(self, told: Tree) -> bool:
        return bool(self.failures or self.attempts) and self.is_proven(told)

    def is_over(self, told: Tree) -> bool:
        """Say whether it has waited long enough."""
        return self.until is not None and told["at"] >= self.until

    def is_asked_again(self, told: Tree) -> bool:
        return self.retry_at is not None and told["at"] >= self.retry_at

    def is_insisted(self, told: Tree) -> bool:
        return bool(told["at"] >= (self.deadline or 0))

    def is_wanted(self, told: Tree) -> bool:
        return self.wanted

    def is_unwanted(self, told: Tree) -> bool:
        return not self.wanted

    def exit_of(self, told: Tree) -> Tree:
        stops = self.phase == "stopping" and self.verdict is not None
        found: Tree = self.verdict if stops else told["exit"]  # type: ignore[assignment]
        return found

    def is_as_told(self, told: Tree) -> bool:
        return bool(self.exit_of(told)["type"] == "stopped")

    def is_clean(self, told: Tree) -> bool:
        ended = self.exit_of(told)
        return bool(ended["type"] == "exited" and ended["code"] == 0)

    def is_done(self, told: Tree) -> bool:
        return self.is_clean(told) and self.spec["restart"]["when"] != "always"

    def is_looping(self, told: Tree) -> bool:
        """Say whether it has failed too often, this end counted."""
        policy, at = self.spec["restart"], told["at"]
        past = not self.is_proven(told)
        if self.exit_of(told)["type"] == "start_failed":
            failed = self.start_failures * past + 1
            return bool(failed > policy.get("start_budget", 5))
        after = at - policy["crash"]["window_ms"]
        crashes = sum(each > after for each in self.failures) * past + 1
        return bool(crashes > policy["crash"]["allowed_crashes"])

    def fails_alive(self, told: Tree) -> bool:
        return told["check"] == "liveness" and not told["passing"]

    def fails_alive_again(self, told: Tree) -> bool:
        return (
            self.fails_alive(told) and self.unhealthy > 0 and not self.is_proven(told)
        )

    def is_readiness(self, told: Tree) -> bool:
        return bool(told["check"] != "liveness")

    # Actions

    def begin(self, told: Tree) -> None:
        self.run += 1
        self.started_revision = 1
        self.restarts_total += self.last is not None
        self.since = self.changed_at = told["at"]
        self.accepted, self.retry_at, self.retries = False, None, 0
        self.started_at = self.ready_at = self.deadline = None
        self.listening = self.readiness_passed = False
        self.addresses = {}
        self.given.append(("start", self.name, self.run, 1))

    def run_on(self, told: Tree) -> None:
        begun, at = self.since, told["at"]
        self.since = self.changed_at = self.started_at = at
        self.deadline = begun + self.spec["start_timeout_ms"]

    def listen(self, told: Tree) -> None:
        if not self.listening and self.ready_at is None:
            self.listening, self.changed_at = True, told["at"]
            self.addresses = told.get("addresses", {})
            self._serve(told["at"])

    def _serve(self, at: int) -> None:
        if not self.listening or self.ready_at is not None:
            return
        if self.readiness and not self.readiness_passed:
            return
        self.start_failures = 0
        if self.deadline is not None:
            begun = self.deadline - self.spec["start_timeout_ms"]
            self.startup_ms = max(0, at - begun)
        self.ready_at, self.deadline, self.listening = at, None, False

    def judge(self, told: Tree) -> None:
        """Take what a readiness check says."""
        if not self.readiness:
            return
        self.changed_at = told["at"]
        if told["passing"]:
            self.readiness_passed = True
            self._serve(told["at"])
        else:
            self.listening = self.listening or self.ready_at is not None
            self.readiness_passed, self.ready_at = False, None

    def conclude(self, told: Tree) -> None:
        """Write down how the run ended, and count it."""
        at, ended = told["at"], self.exit_of(told)
        kind, clean = ended["type"], self.is_clean(told)
        if self.is_proven(told):
            self.forget(told)
        self.last = {
            "run": self.run,
            "exit": ended,
            "ended_at": at,
            "started_at": self.started_at,
            "ready_at": self.ready_at,
        }
        failed = not clean and kind != "stopped"
        if kind != "stopped":
            begun = kind == "start_failed"
            self.start_failures = self.start_failures + 1 if begun else 0
        self.unhealthy = self.unhealthy + 1 if kind == "unhealthy" else 0
        self.failed_in_a_row = 0 if clean else self.failed_in_a_row + failed
        self.attempts += failed
        self.crashes_total += failed
        if failed and kind != "start_failed":
            crash = self.spec["restart"]["crash"]
            after = at - crash["window_ms"]
            counted = [*(past for past in self.failures if past > after), at]
            self.failures = counted[-crash["allowed_crashes"] - 1 :]
        self.since = self.changed_at = at

    def rest_between(self, told: Tree) -> None:
        at = told["at"]
        begun = at if self.started_at is None else self.started_at
        least = begun + self.spec["restart"]["min_interval_ms"]
        self.until = max(at + self.soon_ms, least)

    def back_off(self, told: Tree) -> None:
        wait = backoff_wait(self.backoff, self.attempts, self.salt, 1)
        self.until = told["at"] + max(self.soon_ms, wait)

    def cool_down(self, told: Tree) -> None:
        self.back_off(told)
        window_ms = self.spec["restart"]["crash"]["window_ms"]
        begun = self.exit_of(told)["type"] == "start_failed"
        oldest = told["at"] if begun else self.failures[0]
        self.until = max(oldest + window_ms, self.until or 0)

    def leave(self, told: Tree) -> None:
        """Begin another phase."""
        self.since = self.changed_at = told["at"]
        self.until = None

    def forget(self, told: Tree) -> None:
        self.failures = []
        self.attempts = self.start_failures = self.unhealthy = 0
        self.failed_in_a_row = 0
        self.changed_at = told["at"]

    def accept(self, told: Tree) -> None:
        self.accepted, self.retry_at, self.changed_at = True, None, told["at"]

    def ask_later(self, told: Tree) -> None:
        self.retries += 1
        wait = backoff_wait(self.backoff, self.retries, self.salt, 1)
        self.retry_at = told["at"] + max(wait, 1)

    def ask_again(self, told: Tree) -> None:
        self.retry_at, self.changed_at = None, told["at"]
        self.given.append(("start", self.name, self.run, 1))

    def look_later(self, told: Tree) -> None:
        wait = min(15_000, max(2_000, (told["at"] - self.since) // 2))
        self.deadline, self.accepted = told["at"] + wait, False

    def want(self, told: Tree) -> None:
        self.wanted = True

    def let_go(self, told: Tree) -> None:
        self.wanted = False

    def end_as_told(self, told: Tree) -> None:
        self.verdict = {"type": "stopped"}

    def stop(self, told: Tree) -> None:
        self._end(told["at"], {"type": "stopped"})

    def stop_late(self, told: Tree) -> None:
        reason = "started" if self.phase == "starting" else "ready"
        self._end(told["at"], {"type": "start_failed", "reason": reason})

    def stop_sick(self, told: Tree) -> None:
        self._end(told["at"], {"type": "unhealthy", "check": "liveness"})

    def _end(self, at: int, verdict: Tree) -> None:
        grace_ms = self.spec["stop_grace_ms"]
        self.since, self.deadline = at, at + grace_ms + MARGIN
        self.verdict, self.escalation, self.accepted = verdict, "signaled", False
        self.destroys = 0
        signal = self.spec["stop_signal"]
        self.given.append(("stop", self.name, self.run, signal, grace_ms))

    def destroy_sick(self, told: Tree) -> None:
        self.since, self.deadline = told["at"], told["at"] + MARGIN
        self.verdict = {"type": "unhealthy", "check": "liveness"}
        self.escalation, self.destroys, self.accepted = "destroyed", 1, False
        self.given.append(("destroy", self.name, self.run))

    def insist(self, told: Tree) -> None:
        self.changed_at, self.deadline = told["at"], told["at"] + MARGIN
        if self.escalation == "signaled" and not self.accepted:
            self.deadline += self.spec["stop_grace_ms"]
            self.given.append(("stop", self.name, self.run))
        elif self.escalation == "signaled":
            self.escalation = "observed"
            self.given.append(("observe",))
        else:
            self.escalation, self.accepted = "destroyed", False
            self.destroys += 1
            self.given.append(("destroy", self.name, self.run))
