"""What who declares a fleet in Python sees: each key with its type, no other key."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import assert_type

from orchestrator import (
    Backoff,
    ContainerEntry,
    FleetFile,
    HealthChecks,
    RestartPolicy,
    When,
    always_restart_policy,
    container,
    fleet,
)

__all__ = ("declared", "refused")


def declared() -> FleetFile:
    web = container(
        "web",
        image="registry.example/web:1",
        command=("serve", "${port.http}"),
        ports={"http": 8080},
        config={"levels": [1, {"deep": None}]},
        replicas=2,
        stop_grace=timedelta(seconds=5),
        start_timeout="1m",
        restart={
            "when": When.ALWAYS,
            "backoff": {"delays": ["1s", timedelta(seconds=2)]},
            "exit_rules": [{"codes": [3], "action": "fail"}],
        },
        health={"readiness": {"http": {"port": "http"}, "period": "2s"}},
        depends_on={"db": "ready"},
        working_dir=Path("web"),
    )
    others = [
        container("db", command=["db"], restart=RestartPolicy(backoff=Backoff())),
        container("job", command=["job"], restart=always_restart_policy()),
        container("plain", command=["run"], health=HealthChecks()),
    ]
    _ = assert_type(web, ContainerEntry)
    made = fleet(
        "demo",
        containers=[web, *others],
        restart={"crash": {"window": "10m"}},
        groups={"pair": {"strategy": "rest_for_one", "members": ["db", "web"]}},
        ad_hoc={"command": ["work"]},
        platform={"kind": "cloudflare", "url": "https://fleet.example.com"},
        prune="keep",
    )
    return assert_type(made, FleetFile)


def refused() -> None:
    _ = container("web", replicsa=2)  # type: ignore[call-arg]
    _ = container("web", command=3)  # type: ignore[arg-type]
    _ = container("web", stop_grace=5)  # type: ignore[arg-type]
    _ = container("web", restart={"when": "alway"})  # type: ignore[arg-type]
    _ = container("web", restart={"wen": "never"})  # type: ignore[arg-type]
    _ = container("web", instance_type="ligth")  # type: ignore[arg-type]
    _ = fleet("demo", prune="kep")  # type: ignore[arg-type]
    _ = fleet("demo", containers=["web"])  # type: ignore[list-item]
    _ = fleet("demo", groups={"g": {"members": ["a"]}})  # type: ignore[typeddict-item]
