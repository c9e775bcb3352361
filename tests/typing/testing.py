"""What who tests with the toolkit sees: a machine, a scenario, a checked policy."""

# mypy: disable-error-code="mutable-override"
# That check is an extra of ours; `strict` does not have it.

from __future__ import annotations

from typing import assert_type

from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule

from orchestrator.core.custom import CustomPolicy, Situation
from orchestrator.core.decisions import Complete, RestartAt
from orchestrator.core.policies import RestartPolicy
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.state import Container
from orchestrator.testing import (
    FleetMachine,
    Scenario,
    check_policy,
    comes_up,
    crashes,
    phase,
)

__all__ = ("TestMine", "checked", "told")


def patient(situation: Situation) -> RestartAt | Complete:
    if situation.outcome == "clean":
        return Complete()
    return RestartAt(at=situation.ended_at + 60_000)


class MyMachine(FleetMachine):
    policy = CustomPolicy(name="patient", version=1, decide=patient)
    policies = ()

    @rule(code=st.integers(1, 3))
    def it_crashes_hard(self, code: int) -> None:
        if self.scenario.tale.ledger.waits_for("web") is not None:
            self.perform(comes_up("web"), crashes("web", code), after="1s")

    @invariant()
    def it_is_the_one_that_we_declared(self) -> None:
        assert assert_type(self.container(), Container).name == "web"


class OtherMachine(FleetMachine):
    policy = RestartPolicy(max_restarts=3)
    spec = ContainerSpec(name="web", command=("run",))


TestMine = MyMachine.TestCase


def told() -> Scenario:
    web = ContainerSpec(name="web", command=("run",))
    return assert_type(
        Scenario.of(web).when(comes_up("web"), after="3s").then(phase("web", "ready")),
        Scenario,
    )


def checked() -> None:
    check_policy(RestartPolicy())
    check_policy(patient, examples=50, laws=("when is obeyed",))
    check_policy(CustomPolicy(name="patient", version=1, decide=patient))
