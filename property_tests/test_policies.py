"""Every restart policy obeys its laws, whatever could happen to its container."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.core.fleet_specs import FleetSettings, FleetSpec
from orchestrator.core.policies import RestartPolicy
from orchestrator.core.reduce import fold
from orchestrator.core.state import empty_fleet
from orchestrator.simulation.faults import FaultPlan
from orchestrator.testing import Scenario
from orchestrator.testing import strategies as drawn
from orchestrator.testing.chances import Move, played
from orchestrator.testing.policies import SETTINGS, policy_spec
from orchestrator.testing.tales import Tale


@given(policy=drawn.restart_policies(), moves=drawn.moves())
@settings(max_examples=50)
def test_any_policy_obeys_every_law(policy: RestartPolicy, moves: list[Move]) -> None:
    spec, _ = policy_spec(policy)
    fleet = FleetSpec(name="demo", settings=SETTINGS, containers=(spec,))
    _ = played(Scenario.of(fleet), moves).obeys()


@given(spec=drawn.fleet_specs(), moves=drawn.moves())
def test_any_fleet_keeps_the_invariants_and_prints_what_it_is(
    spec: FleetSpec, moves: list[Move]
) -> None:
    told = played(Scenario.of(spec), moves)
    _ = told.obeys(
        "the same history decides the same",
        "the journal replays to the live fleet",
        "indexes agree with the records",
        "at most one start or stop is given at once",
    )
    namespace: dict[str, Scenario] = {}
    exec(str(told), namespace)  # noqa: S102 - that it runs is the law
    again: Tale = namespace["scenario"].tale
    assert again.events == told.tale.events


@given(data=st.data())
def test_a_history_folds_to_its_fleet(data: st.DataObject) -> None:
    events = data.draw(drawn.histories(max_size=15))
    moments = [event.at for event in events]
    assert moments == sorted(moments)
    assert fold(empty_fleet("demo"), events).at == moments[-1]


@given(plan=drawn.fault_plans(until=60_000))
def test_a_plan_of_faults_ends(plan: FaultPlan) -> None:
    assert plan.until == 60_000


@given(
    fleet=drawn.fleet_specs(custom=True), settings_=drawn.fleet_settings(custom=True)
)
def test_custom_policies_are_drawn_on_request(
    fleet: FleetSpec, settings_: FleetSettings
) -> None:
    refs = [
        spec.restart.custom for spec in (*fleet.containers, settings_.ad_hoc) if spec
    ]
    assert all(ref is None or ref.name in ("steps", "gentle") for ref in refs)
