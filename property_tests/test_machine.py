"""Fleets as state machines: with checks, with groups, with a policy of one's own."""

# mypy: disable-error-code="mutable-override"
# That check is an extra of ours; `strict` does not have it.

from __future__ import annotations

import attrs

from orchestrator.core.custom import CustomDecision, CustomPolicy, Situation
from orchestrator.core.decisions import Complete, CoolDown, Hold, RestartAt
from orchestrator.core.fleet_specs import FleetSettings, FleetSpec
from orchestrator.core.groups import GroupStrategy, Membership
from orchestrator.core.health import HealthCheck, HealthChecks, TcpProbe
from orchestrator.core.policies import RestartPolicy, When
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.table import Table
from orchestrator.testing import FleetMachine

CHECK = HealthCheck(probe=TcpProbe(port="http"))
WEB = ContainerSpec(name="web", command=("run",), ports=Table.of([("http", 80)]))


def careful(situation: Situation) -> CustomDecision:
    policy = situation.policy
    if situation.outcome == "clean":
        return Complete()
    if len(situation.failures) > policy.crash.allowed_crashes:
        return CoolDown(until=situation.failures[0] + policy.crash.window_ms)
    if situation.start_failures > policy.start_budget:
        return Hold()
    return RestartAt(at=situation.ended_at + situation.wait_ms)


class Checked(FleetMachine):
    spec = attrs.evolve(
        WEB,
        restart=RestartPolicy(when=When.ALWAYS, max_restarts=4),
        health=HealthChecks(startup=CHECK, readiness=CHECK, liveness=CHECK),
    )


class Custom(FleetMachine):
    policy = CustomPolicy(name="careful", version=1, decide=careful)


def member(name: str, position: int) -> ContainerSpec:
    place = Membership(
        group="pair", strategy=GroupStrategy.REST_FOR_ONE, position=position
    )
    return attrs.evolve(WEB, name=name, service=name, group=place)


class Grouped(FleetMachine):
    fleet = FleetSpec(
        name="demo",
        settings=FleetSettings(reconcile_interval_ms=0, max_concurrent_starts=2),
        containers=(member("db", 0), member("api", 1), attrs.evolve(WEB, name="job")),
    )


TestChecked = Checked.TestCase
TestCustom = Custom.TestCase
TestGrouped = Grouped.TestCase
