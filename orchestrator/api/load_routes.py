"""The route by which somebody tells what a service bears.

It takes no idempotency key: a load that is told twice counts once.
"""

from __future__ import annotations

from typing import Final

from orchestrator.api.bodies import LoadBody
from orchestrator.api.headers import SEQ_HEADER
from orchestrator.api.route import Route
from orchestrator.core import errors
from orchestrator.runtime.scales import ServiceInfo

__all__ = ("LOADS",)

LOADS: Final = (
    Route(
        method="POST",
        path="/v1/services/{name}/load",
        handler="load",
        summary="Tell what a service bears; one that scales by `pushed` scales by it.",
        about=(
            "The load is a sum over all replicas. Tell it several times in each"
            " window: one that is told again in the same twelfth of it, and is not"
            " higher, changes nothing."
        ),
        scope="write",
        body=LoadBody,
        tells=(SEQ_HEADER,),
        answer=ServiceInfo,
        errors=(
            errors.InvalidSpec,
            errors.JournalConflict,
            errors.JournalCorrupt,
            errors.JournalUnavailable,
            errors.OperatorClosed,
            errors.StaleOperator,
            errors.ServiceNotFound,
        ),
    ),
)
