"""The one table of the metrics: names with their units, kinds, labels, meaning.

The exposition, the reference page and the checks of alert rules and dashboards are
made from it.
"""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

import attrs

__all__ = ("METRICS", "MetricKind", "Named")

MetricKind: TypeAlias = Literal["gauge", "counter", "histogram"]


@attrs.frozen
class Named:
    """A metric: its name with its unit, its kind, its labels, what it says."""

    name: str
    kind: MetricKind
    labels: tuple[str, ...]
    about: str


METRICS: Final = (
    Named(
        "fleet_container_state",
        "gauge",
        ("name", "state"),
        "1 for the phase that a container is in, 0 for every other.",
    ),
    Named(
        "fleet_container_ready",
        "gauge",
        ("name",),
        "1 where a container runs and is ready.",
    ),
    Named(
        "fleet_container_restarts_total",
        "counter",
        ("name", "cause"),
        "Restarts, by the way in which the run before ended.",
    ),
    Named(
        "fleet_container_restarts_earlier",
        "gauge",
        ("name",),
        "Restarts before this operator, which has not seen how they came.",
    ),
    Named(
        "fleet_container_last_exit_code",
        "gauge",
        ("name",),
        "Exit code of the newest run that ended by itself.",
    ),
    Named(
        "fleet_container_last_exit_info",
        "gauge",
        ("name", "kind"),
        "1, with the way in which the newest run ended.",
    ),
    Named(
        "fleet_container_backoff_seconds",
        "gauge",
        ("name",),
        "The wait before the next start that the policy has decided on; 0 where"
        " there is none, +Inf where it holds.",
    ),
    Named(
        "fleet_container_consecutive_failures",
        "gauge",
        ("name",),
        "Failures without a clean exit between.",
    ),
    Named(
        "fleet_container_uptime_seconds",
        "gauge",
        ("name",),
        "How long the run has been up; 0 where none is.",
    ),
    Named("fleet_containers", "gauge", ("state",), "Containers in each phase."),
    Named(
        "fleet_desired_containers",
        "gauge",
        (),
        "Containers that their owner wants to run.",
    ),
    Named(
        "fleet_healthy_containers", "gauge", (), "Containers that run and are ready."
    ),
    Named(
        "fleet_strangers",
        "gauge",
        (),
        "Containers that the platform runs and the fleet does not know.",
    ),
    Named(
        "fleet_misplaced",
        "gauge",
        (),
        "Containers that run elsewhere than their spec asks for, as far as the platform"
        " says where they are.",
    ),
    Named(
        "fleet_observation_age_seconds",
        "gauge",
        (),
        "Time since the newest complete look at all containers of the platform;"
        " +Inf before the first. One look sees them all, so it has no `name`.",
    ),
    Named(
        "fleet_reconcile_interval_seconds",
        "gauge",
        (),
        "How often the platform is looked at; 0: only when something asks for it.",
    ),
    Named(
        "fleet_rollouts",
        "gauge",
        ("status",),
        "Services whose newest rollout has that status.",
    ),
    Named(
        "fleet_rollout_progress_ratio",
        "gauge",
        ("service",),
        "How much of a service is new and counted, while a rollout is under way; 1"
        " where the newest one is done.",
    ),
    Named(
        "fleet_rollout_failures",
        "gauge",
        ("service",),
        "Failures of new replicas that count against the budget of a rollout under"
        " way.",
    ),
    Named(
        "fleet_service_replicas",
        "gauge",
        ("service",),
        "Replicas that are asked for of a service that scales by itself.",
    ),
    Named(
        "fleet_service_wanted",
        "gauge",
        ("service",),
        "Replicas that its load asks for, within its bounds; another number than"
        " fleet_service_replicas while a cool-down lasts.",
    ),
    Named(
        "fleet_service_load_ratio",
        "gauge",
        ("service",),
        "What a replica bears on the average, over its target; none where nothing was"
        " measured.",
    ),
    Named(
        "fleet_notices_open",
        "gauge",
        (),
        "Notices that are not delivered yet.",
    ),
    Named(
        "fleet_notices_lost_total",
        "counter",
        (),
        "Notices that were given up, since the journal began.",
    ),
    Named("fleet_epoch", "gauge", (), "Number that the platform gave this operator."),
    Named("fleet_revision", "gauge", (), "Number of the declared fleet."),
    Named(
        "fleet_commands_total",
        "counter",
        ("kind", "outcome"),
        "Commands to the platform: accepted, cancelled, or the code of the error.",
    ),
    Named(
        "fleet_commands_inflight", "gauge", ("kind",), "Commands without an answer yet."
    ),
    Named(
        "fleet_command_duration_seconds",
        "histogram",
        ("kind",),
        "How long the platform took to answer a command.",
    ),
    Named(
        "fleet_events_total",
        "counter",
        ("type", "outcome"),
        "Events: applied, duplicate, stale; requests: rejected, duplicate.",
    ),
    Named(
        "fleet_event_lag_seconds",
        "histogram",
        (),
        "From the source's stamp of an event to its arrival.",
    ),
    Named(
        "fleet_reconcile_duration_seconds",
        "histogram",
        (),
        "How long a look at the platform took.",
    ),
    Named(
        "fleet_log_commit_duration_seconds",
        "histogram",
        (),
        "How long the journal took to make a batch durable.",
    ),
    Named("fleet_log_sequence", "gauge", (), "Number of the journal's newest row."),
    Named("fleet_log_bytes", "gauge", (), "Size of the journal's files."),
    Named("fleet_log_rows", "gauge", (), "Rows that the journal holds."),
    Named(
        "fleet_log_compactions_total",
        "counter",
        (),
        "Times that the operator has cut the journal short.",
    ),
    Named(
        "fleet_log_compaction_failures_total",
        "counter",
        (),
        "Times that it was to be cut short, and could not.",
    ),
    Named(
        "fleet_log_compaction_age_seconds",
        "gauge",
        (),
        "Time since this operator has cut the journal short; +Inf before the first.",
    ),
    Named(
        "fleet_log_unavailable", "gauge", (), "1 while the journal cannot be written."
    ),
    Named(
        "fleet_replay_divergence_total",
        "counter",
        (),
        "Rows of the past that said something else when they were folded again.",
    ),
    Named(
        "fleet_invariant_violations_total",
        "counter",
        (),
        "Invariants of the core that did not hold: a bug, if not 0.",
    ),
    Named("fleet_hook_failures_total", "counter", (), "Calls of hooks that failed."),
    Named(
        "orchestrator_is_leader",
        "gauge",
        (),
        "1 where this operator leads the fleet, 0 where it stands by.",
    ),
    Named(
        "orchestrator_lease_epoch",
        "gauge",
        (),
        "Epoch of whoever leads, as far as this operator knows.",
    ),
    Named(
        "orchestrator_lease_expires_seconds",
        "gauge",
        (),
        "How long the lease of whoever leads runs yet, unless it is renewed; without a"
        " value where nobody has one.",
    ),
    Named(
        "orchestrator_takeovers_total",
        "counter",
        (),
        "Times that this process has come to lead.",
    ),
    Named(
        "orchestrator_standby_lag_rows",
        "gauge",
        (),
        "Rows of the journal that a standby knows of and has not read; 0 of a leader.",
    ),
    Named("fleet_live_readers", "gauge", (), "Readers of live events."),
    Named(
        "fleet_build_info",
        "gauge",
        ("version", "schema", "rules"),
        "1, with the release, the schema of its events, the rules of its decisions.",
    ),
)
"""Every metric, in the order of the exposition."""
