"""What an embedding program's type checkers see; checked by mypy and pyright."""

from __future__ import annotations

from typing import assert_type

from returns.future import FutureResult

from orchestrator import (
    ContainerError,
    ContainerInfo,
    ContainerNotFound,
    CrashLoopDetected,
    EventRecord,
    Operator,
    ReconcileReport,
    RolloutInfo,
    settled,
)

__all__ = ("chained", "matched", "plain")


def plain(operator: Operator) -> None:
    _ = assert_type(
        operator.start_container("web"), FutureResult[ContainerInfo, ContainerError]
    )
    _ = assert_type(operator.reconcile(), FutureResult[ReconcileReport, ContainerError])
    _ = assert_type(
        operator.rollout("web", "undo", to=3), FutureResult[RolloutInfo, ContainerError]
    )
    _ = assert_type(
        operator.events(after=3), FutureResult[tuple[EventRecord, ...], ContainerError]
    )


async def matched(operator: Operator) -> str:
    match await settled(operator.start_container("worker-7", config={"queue": "eu"})):
        case ContainerInfo(name=name, phase=phase):
            return f"{name} {phase}"
        case CrashLoopDetected(crash_count=count):
            return str(count + 1)
        case ContainerNotFound(name=name):
            return name
        case error:
            return error.message


async def chained(operator: Operator) -> ContainerInfo | ContainerError:
    ended = operator.stop_container("web").bind(
        lambda info: operator.wait(info.name, "stopped")
    )
    return await settled(ended)
