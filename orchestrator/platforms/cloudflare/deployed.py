"""Which applications a gateway has, and which of them runs a container.

The gateway tells what was deployed. Image and size of an application of the ``default``
policy may have changed since, by a rollout (``rolls``): what was rolled out counts
then. While a rollout is under way both are right, for either may be started.
"""

from __future__ import annotations

import time
from typing import Final, cast

import attrs
from returns.result import Failure, Result, Success

from orchestrator.core.errors import PlatformError, Refused
from orchestrator.core.specs import ContainerSpec
from orchestrator.platforms.cloudflare.http import Gateway, Tree
from orchestrator.platforms.cloudflare.project.application import (
    DURABLE_OBJECT,
    Application,
    differences,
    read_applications,
)
from orchestrator.platforms.cloudflare.project.applications import application_of
from orchestrator.platforms.cloudflare.rolls import Rolls

__all__ = ("API", "Deployed")

API: Final = 1
"""The version of the gateway's interface that this release speaks."""

TOLD_AGAIN_S: Final = 5.0
"""Applications are not asked for more often, when none is found for a container."""


class Deployed:
    """The applications of a gateway, as they were last told."""

    def __init__(self, gateway: Gateway, rolls: Rolls) -> None:
        """Ask *gateway*; *rolls* knows what has been rolled out since."""
        self._gateway = gateway
        self._rolls = rolls
        self._applications: tuple[Application, ...] = ()
        self._page: int | None = None
        self._told_at = 0.0

    async def learn(self) -> Result[Tree, PlatformError]:
        """Learn what the gateway is, and which applications are deployed."""
        self._told_at = time.monotonic()
        told = await self._gateway.get("about")
        return told.bind(self._learnt)

    def _learnt(self, tree: Tree) -> Result[Tree, PlatformError]:
        if tree.get("api") != API:
            cause = (
                f"the gateway speaks version {tree.get('api')!r} of the interface, this"
                f" release {API}: write and deploy it again"
            )
            return Failure(Refused(cause=cause))
        read = read_applications(tree.get("applications"))
        if isinstance(read, Failure):
            return Failure(Refused(cause=f"the gateway: {read.failure().message}"))
        self._applications = read.unwrap()
        self._page = _page_of(tree.get("limits"))
        return Success(tree)

    @property
    def page(self) -> int | None:
        """Return how many a page of its lists may have; None: it knows no pages."""
        return self._page

    async def of(self, spec: ContainerSpec) -> Result[Application, PlatformError]:
        """Return the application that runs a container."""
        found = application_of(spec, self._current(spec))
        stale = time.monotonic() - self._told_at > TOLD_AGAIN_S
        if isinstance(found, Failure) and stale:  # it may have been deployed since
            learnt = await self.learn()
            if isinstance(learnt, Failure):
                return Failure(learnt.failure())
            for one in self._applications:
                if one.name == spec.service:
                    await self._rolls.look_up(one)
            found = application_of(spec, self._current(spec))
        return found.alt(lambda missing: Refused(cause=missing.message))

    async def service(self, name: str) -> Result[Application, PlatformError]:
        """Return the application of a service, as it was deployed last."""
        learnt = await self.learn()
        if isinstance(learnt, Failure):
            return Failure(learnt.failure())
        for one in self._applications:
            is_meant = one.name == name and not one.retired
            if is_meant and one.scheduling_policy is not DURABLE_OBJECT:
                return Success(one)
        cause = f"the gateway has no application of {name!r}: init and deploy it again"
        return Failure(Refused(cause=cause))

    def _current(self, spec: ContainerSpec) -> list[Application]:
        """Return each application in the shape that fits, of those it may have."""
        return [self._in_shape(one, spec) for one in self._applications]

    def _in_shape(self, application: Application, spec: ContainerSpec) -> Application:
        shaped = [
            application
            if (shape.image, shape.instance_type)
            == (application.image, application.instance_type)
            else attrs.evolve(
                application, image=shape.image, instance_type=shape.instance_type
            )
            for shape in self._rolls.shapes(application)
        ]
        if len(shaped) == 1:  # as always, but while a rollout is under way
            return shaped[0]
        fitting = [one for one in shaped if not differences(spec, one)]
        return (fitting or shaped)[-1]


def _page_of(limits: object) -> int | None:
    """Read how long a page may be; gateways before 1.4.0 say nothing of it."""
    found = cast("Tree", limits).get("page") if isinstance(limits, dict) else None
    return found if type(found) is int and found > 0 else None
