"""The routes about rollouts that change nothing; ``api.asking_routes`` has the rest."""

from __future__ import annotations

from typing import Final

from orchestrator.api import parameters
from orchestrator.api.reading_routes import JOURNAL
from orchestrator.api.route import Route
from orchestrator.core import errors
from orchestrator.core.rollout_info import RolloutInfo
from orchestrator.runtime.rollings import RolloutHistory

__all__ = ("ROLLOUTS",)

_SERVICE: Final = "/v1/services/{name}/rollout"

ROLLOUTS: Final = (
    Route(
        method="GET",
        path="/v1/rollouts",
        handler="rollouts",
        summary="The newest rollout of each service that had one.",
        query=(parameters.AT,),
        answer=tuple[RolloutInfo, ...],
        errors=JOURNAL,
    ),
    Route(
        method="GET",
        path=_SERVICE,
        handler="rollout",
        summary="The newest rollout of a service: where it is, and why.",
        query=(parameters.AT,),
        answer=RolloutInfo,
        errors=(*JOURNAL, errors.ServiceNotFound, errors.RolloutNotFound),
    ),
    Route(
        method="GET",
        path=f"{_SERVICE}/history",
        handler="rollout_history",
        summary="The revisions of a service, and its rollouts.",
        about="What looks secret is not shown.",
        answer=RolloutHistory,
        errors=(errors.ServiceNotFound, errors.RolloutNotFound),
    ),
)
