"""Hypothesis strategies for all that the core knows: plural nouns, one import place.

What is drawn is valid by construction. Names, runs, moments and exit codes come from
small pools, so that events meet the containers they are about and rules the exits.
``events`` draws any event, also those that no platform would tell; ``histories`` and
``scenarios`` only what one could.
"""

from __future__ import annotations

from orchestrator.testing.strategies.ends import (
    command_errors,
    exits,
    obstacles,
    platform_errors,
    platform_exits,
    start_errors,
)
from orchestrator.testing.strategies.files import (
    FILE_FOLDER,
    fleet_files,
    platform_choices,
)
from orchestrator.testing.strategies.happenings import (
    events,
)
from orchestrator.testing.strategies.histories import (
    fault_plans,
    histories,
    moves,
    rolled_histories,
    scenarios,
)
from orchestrator.testing.strategies.policies import (
    backoffs,
    crash_limits,
    custom_policy_refs,
    exit_matches,
    exit_rules,
    restart_policies,
)
from orchestrator.testing.strategies.pools import (
    addresses,
    configs,
    moments,
    names,
    runs,
    tables,
    texts,
    tickets,
)
from orchestrator.testing.strategies.records import (
    containers,
    phases,
    sights,
)
from orchestrator.testing.strategies.rollouts import (
    autoscalings,
    canary_steps,
    measurements,
    rollout_policies,
    rollout_requests,
    shares,
)
from orchestrator.testing.strategies.specs import (
    container_specs,
    dependencies,
    fleet_settings,
    fleet_specs,
    health_checks,
    instance_types,
    memberships,
    notifies,
    placements,
    probes,
    services,
)

__all__ = (
    "FILE_FOLDER",
    "addresses",
    "autoscalings",
    "backoffs",
    "canary_steps",
    "command_errors",
    "configs",
    "container_specs",
    "containers",
    "crash_limits",
    "custom_policy_refs",
    "dependencies",
    "events",
    "exit_matches",
    "exit_rules",
    "exits",
    "fault_plans",
    "fleet_files",
    "fleet_settings",
    "fleet_specs",
    "health_checks",
    "histories",
    "instance_types",
    "measurements",
    "memberships",
    "moments",
    "moves",
    "names",
    "notifies",
    "obstacles",
    "phases",
    "placements",
    "platform_choices",
    "platform_errors",
    "platform_exits",
    "probes",
    "restart_policies",
    "rolled_histories",
    "rollout_policies",
    "rollout_requests",
    "runs",
    "scenarios",
    "services",
    "shares",
    "sights",
    "start_errors",
    "tables",
    "texts",
    "tickets",
)
