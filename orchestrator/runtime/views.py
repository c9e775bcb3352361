"""A fleet seen from one moment: now, or any moment of its past.

What is asked of a container is asked of a view; how old something is and how long
something takes yet are counted from the moment of the view.
"""

from __future__ import annotations

import attrs
from returns.result import Failure, Result, Success

from orchestrator.core.circumstances import circumstances
from orchestrator.core.errors import ContainerError, ContainerNotFound
from orchestrator.core.explain import (
    ContainerInfo,
    Explanation,
    container_info,
    explain,
)
from orchestrator.core.moments import Moment
from orchestrator.core.state import Container, Fleet

__all__ = ("View",)


@attrs.frozen(kw_only=True)
class View:
    """The fleet after row ``seq``, as it is seen from the moment ``at``."""

    seq: int
    at: Moment
    fleet: Fleet

    def info(self, name: str) -> Result[ContainerInfo, ContainerError]:
        """Return one container as it was believed to be."""
        return self._found(name).map(
            lambda found: container_info(self.fleet, found, self.at)
        )

    def infos(self) -> tuple[ContainerInfo, ...]:
        """Return all containers, in the order of their names."""
        containers = self.fleet.containers.values()
        return tuple(container_info(self.fleet, each, self.at) for each in containers)

    def explain(self, name: str) -> Result[Explanation, ContainerError]:
        """Say why a container was where it was, and what was to come next."""
        return self._found(name).map(self._explained)

    def _explained(self, found: Container) -> Explanation:
        told = explain(found, fences=self.fleet.fences, now=self.at)
        more = circumstances(self.fleet, found)
        return attrs.evolve(told, why=told.why + more) if more else told

    def _found(self, name: str) -> Result[Container, ContainerError]:
        container = self.fleet.containers.get(name)
        if container is None:
            return Failure(ContainerNotFound(name=name))
        return Success(container)
