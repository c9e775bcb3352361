"""What a fleet costs at list prices."""

from __future__ import annotations

from pathlib import Path

import attrs
import pytest

from orchestrator.core.fleet_specs import FleetSettings
from orchestrator.core.health import HealthCheck, HealthChecks, TcpProbe
from orchestrator.core.hosting import INSTANCE_TYPES
from orchestrator.core.table import Table
from orchestrator.platforms.cloudflare.project.prices import cost_of_fleet, cost_per_day
from tests.platforms.cloudflare.test_applications import fleet, replicas, spec

HOURS_A_MONTH = 730


@pytest.mark.parametrize(
    ("size", "dollars"), [("lite", 2), ("standard-1", 28), ("standard-4", 83)]
)
def test_a_month_of_memory_and_disk_is_what_the_rule_of_thumb_says(
    size: str, dollars: float
) -> None:
    one = attrs.evolve(spec(), instance_type=INSTANCE_TYPES[size])
    cost = cost_per_day([one], 0)
    month = (cost.memory + cost.disk) / 24 * HOURS_A_MONTH
    assert month == pytest.approx(dollars, rel=0.15)


@pytest.mark.parametrize("size", INSTANCE_TYPES)
def test_the_page_says_what_each_size_costs_in_a_month(size: str) -> None:
    cost = cost_per_day([attrs.evolve(spec(), instance_type=INSTANCE_TYPES[size])], 0)
    month = HOURS_A_MONTH / 24
    parts = (cost.memory, cost.disk, cost.memory + cost.disk, cost.cpu)
    cells = " | ".join(f"{part * month:.2f}" for part in parts)
    page = (Path(__file__).parents[3] / "docs/how-to/regions-and-sizes.md").read_text()
    assert f"| `{size}` | {cells} |" in page


def test_each_part_is_its_price() -> None:
    two = replicas(2, attrs.evolve(spec(), instance_type=INSTANCE_TYPES["basic"]))
    cost = cost_of_fleet(fleet(*two))
    assert cost.containers == 2
    assert cost.memory == pytest.approx(2 * 1 * 0.0000025 * 86_400)
    assert cost.disk == pytest.approx(2 * 4 * 0.00000007 * 86_400)
    assert cost.cpu == pytest.approx(2 * 0.25 * 0.000020 * 86_400)
    # an object in memory all month is 331,776 GB-s, and 4.15 USD; the registry is one
    assert cost.objects == pytest.approx(3 * 331_776 / 30 * 12.5 / 1_000_000)
    assert cost.requests == pytest.approx(
        (4_320 + 1_440) * 0.30e-6 + (4_320 + 1_440 + 2 * 288) * 0.15e-6
    )
    assert cost.busy - cost.idle == pytest.approx(cost.cpu)


def test_nothing_costs_what_the_registry_costs() -> None:
    cost = cost_of_fleet(fleet())
    assert cost.memory == cost.disk == cost.cpu == 0
    assert cost.idle == pytest.approx(0.138 + 0.0026, abs=0.001)


def test_a_fleet_that_is_never_reconciled_makes_fewer_requests() -> None:
    quiet = attrs.evolve(fleet(), settings=FleetSettings(reconcile_interval_ms=0))
    assert cost_of_fleet(quiet).requests < cost_of_fleet(fleet()).requests


def test_health_checks_cost_their_requests() -> None:
    ports = Table.of([("http", 80)])
    given = replicas(2, attrs.evolve(spec(), ports=ports))

    def requests(**checks: HealthCheck) -> float:
        two = [attrs.evolve(one, health=HealthChecks(**checks)) for one in given]
        return cost_of_fleet(fleet(*two)).requests

    check = HealthCheck(probe=TcpProbe(port="http"))
    hasty = attrs.evolve(check, period_ms=1_000)
    none, one = requests(), requests(liveness=check)
    assert one - none == pytest.approx(2 * 8_640 * 0.6e-6)
    assert requests(liveness=check, readiness=hasty) - none == pytest.approx(
        2 * (8_640 + 86_400) * 0.6e-6
    )
    # It is asked until it has passed, which is soon.
    assert requests(startup=check) == none
