"""What the tests of the toolkit share: a container, and programs that were printed."""

from __future__ import annotations

from typing import Any

import attrs

from orchestrator.core.backoff import Backoff
from orchestrator.core.health import HealthCheck, HealthChecks, TcpProbe
from orchestrator.core.policies import RestartPolicy
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.table import Table
from orchestrator.testing import Scenario

PLAIN = RestartPolicy(backoff=Backoff(jitter=0.0))
WEB = ContainerSpec(name="web", command=("run",), restart=PLAIN)
CHECK = HealthCheck(probe=TcpProbe(port="http"))
CHECKED = attrs.evolve(
    WEB,
    ports=Table.of([("http", 80)]),
    health=HealthChecks(liveness=CHECK, readiness=CHECK),
)


def rerun(scenario: Scenario, **names: Any) -> Scenario:
    """Run the program that a scenario prints, as one who has pasted it would."""
    namespace: dict[str, Any] = dict(names)
    exec(str(scenario), namespace)  # noqa: S102 - that it runs is what is tested
    told = namespace["scenario"]
    assert isinstance(told, Scenario)
    return told
