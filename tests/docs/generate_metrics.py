"""The reference of the metrics, written from the one table of them."""

from __future__ import annotations

from textwrap import wrap

from orchestrator.api.measures import OTHER, STATES
from orchestrator.api.metric_names import METRICS
from orchestrator.runtime.telemetry import (
    COMMAND_S,
    COMMIT_S,
    LAG_S,
    LOOK_S,
    NAMES_MAX,
)

__all__ = ("metrics_page",)

BUCKETS = {
    "fleet_command_duration_seconds": COMMAND_S,
    "fleet_event_lag_seconds": LAG_S,
    "fleet_reconcile_duration_seconds": LOOK_S,
    "fleet_log_commit_duration_seconds": COMMIT_S,
}

LABELS = (
    "`name` is the name of a container. Names are bounded: by default"
    f" {NAMES_MAX:,} containers have series of their own, declared ones first, then the"
    " others, each in the order of their names. The rest is told together as"
    f" `{OTHER}`: states and restarts are added up, of waits and failures in a row the"
    " largest is told, exit codes and uptimes are left out. `metrics_max_names` of"
    " `[api]`, or `--metrics-max-names`, says how many.",
    f"`state` is the phase: {', '.join(f'`{state}`' for state in STATES)}.",
    "`cause` of a restart, and `kind` of an exit, is the way in which the run before"
    " ended: `exited`, `signaled`, `out_of_memory`, `start_failed`, `unhealthy`,"
    " `lost`, `stopped` and so on. The sum over all causes, and"
    " `fleet_container_restarts_earlier`, is what `orchestrator list` shows.",
    "`outcome` of an event: `applied` (it is a row of the journal), `duplicate` (it was"
    " known already) or `stale` (it is about an older run, or nobody). A request that"
    " made no row is counted under its own name, as `rejected` or `duplicate`."
    " `outcome` of a command: `accepted`, `cancelled`, or the code of the error.",
)

NOT_THERE = (
    "Sizes of queues inside, and the process itself (memory, processor time): what runs"
    " the operator measures those."
)


def metrics_page() -> str:
    """Return the page of the metrics."""
    lines = [
        "# Metrics",
        "",
        "`GET /metrics` answers in the text format of Prometheus. Names begin with"
        " `fleet_`;",
        "those that say who leads it, with `orchestrator_`. Durations are seconds,"
        " counters",
        "end in `_total` and begin at zero with each operator.",
        "",
        "| metric | kind | labels | |",
        "|---|---|---|---|",
    ]
    for named in METRICS:
        labels = ", ".join(f"`{label}`" for label in named.labels)
        lines.append(f"| `{named.name}` | {named.kind} | {labels} | {named.about} |")
    lines += ["", "## Labels"]
    for paragraph in LABELS:
        lines += ["", *wrap(paragraph, 88)]
    lines += ["", "## Buckets", ""]
    lines += ["| histogram | upper ends, in seconds |", "|---|---|"]
    for name, bounds in BUCKETS.items():
        ends = ", ".join(f"{bound:g}" for bound in bounds)
        lines.append(f"| `{name}` | {ends}, +Inf |")
    lines += ["", "## What is not there", "", *wrap(NOT_THERE, 88)]
    return "\n".join(lines) + "\n"
