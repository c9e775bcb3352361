"""Rollouts by Cloudflare itself, of an application of the ``default`` policy.

There image and size belong to the application: the REST API brings it others, and
shows of each instance what it runs. Without a token of that API nothing is rolled out
here: the image comes with the next deploy of the gateway.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

import attrs
from returns.future import FutureResult

from orchestrator.core.errors import (
    PlatformError,
    QuotaExceeded,
    Refused,
    Unauthorized,
)
from orchestrator.core.hosting import INSTANCE_TYPES, InstanceType
from orchestrator.core.loads import RollOutcome
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.table import Table
from orchestrator.platforms.cloudflare.project.application import (
    DURABLE_OBJECT,
    Application,
)
from orchestrator.platforms.cloudflare.project.images import ImageKind, image_kind
from orchestrator.platforms.cloudflare.project.naming import account_name_of
from orchestrator.platforms.cloudflare.rest.bringing import Goal
from orchestrator.platforms.cloudflare.rest.client import RestClient
from orchestrator.platforms.cloudflare.rest.types import Configuration
from orchestrator.platforms.port import RollOrder, RollSight

__all__ = ("Rolls", "Shape", "failed_for_good")

FINAL: Final = (Refused, Unauthorized, QuotaExceeded)
"""Errors that asking again does not mend."""

KEPT_MAX: Final = 8
"""Shapes that are kept of an application, the newest."""


@attrs.frozen
class Shape:
    """What an application gives to its instances."""

    image: str | None
    instance_type: InstanceType | None


@attrs.frozen
class _Known:
    """Which shapes an application may have by now, since it was deployed as it is."""

    deployed: Shape
    shapes: tuple[Shape, ...]


class Rolls:
    """Rolls applications out, and knows what they may run by now."""

    def __init__(
        self,
        rest: RestClient | None,
        fleet: str,
        worker: str,
        fence: Callable[[int], Awaitable[PlatformError | None]],
    ) -> None:
        """Ask *rest* for the applications of *worker*, which runs *fleet*.

        *fence* says whether an operator of an epoch may still change anything.
        """
        self._rest = rest
        self._fleet = fleet
        self._worker = worker
        self._fence = fence
        self._known: Table[str, _Known] = Table()

    @property
    def is_possible(self) -> bool:
        """Say whether there is anybody to ask."""
        return self._rest is not None

    def shapes(self, application: Application) -> tuple[Shape, ...]:
        """Return what an application may give to an instance that starts now."""
        deployed = _shape_of(application)
        known = self._known.get(application.name)
        if known is None or known.deployed != deployed:
            return (deployed,)
        return known.shapes

    def roll(
        self, order: RollOrder, application: Application
    ) -> FutureResult[RollSight, PlatformError]:
        """Begin to roll an application out unless that was begun; say how far it is."""
        template = order.template
        cause = _refusal(template, application)
        if self._rest is None:
            cause = "there is no token for the API of the account"
        if self._rest is None or cause:
            failed = RollSight(outcome=RollOutcome.FAILED, cause=cause)
            return FutureResult.from_value(failed)
        self._note(application, Shape(template.image, template.instance_type))
        goal = Goal(
            application=account_name_of(self._worker, application.name),
            image=None if _is_built(template.image) else template.image,
            size=_named_size(template.instance_type),
            description=f"{order.service}, revision {order.revision}",
            percent=order.percent,
            known=order.known,
            given_up=order.given_up,
        )
        brought = self._rest.bring(goal, lambda: self._fence(order.epoch))
        return brought.map(self._by_our_names)

    def _by_our_names(self, sight: RollSight) -> RollSight:
        """Name containers as the fleet does; others' are none of its business."""
        prefix = f"{self._fleet}/"
        ours = (name for name in sight.behind if name.startswith(prefix))
        names = tuple(name.removeprefix(prefix) for name in ours)
        return attrs.evolve(sight, behind=names)

    async def look_up(self, application: Application) -> None:
        """Learn from the account what an application runs, where that is told."""
        if self._rest is None or application.scheduling_policy is DURABLE_OBJECT:
            return
        name = account_name_of(self._worker, application.name)
        found: list[tuple[Configuration, ...]] = []
        _ = (await self._rest.configurations(name)).map(found.append)
        for told in (one for each in found for one in each):
            if told.image is not None:
                size = INSTANCE_TYPES.get(told.instance_type or "")
                shape = Shape(told.image, size or application.instance_type)
                self._note(application, shape)

    def _note(self, application: Application, shape: Shape) -> None:
        """Take note of one more shape, beside those that were right until now."""
        others = [one for one in self.shapes(application) if one != shape]
        known = _Known(
            deployed=_shape_of(application), shapes=(*others, shape)[-KEPT_MAX:]
        )
        self._known = self._known.put(application.name, known)


def failed_for_good(
    error: PlatformError,
) -> FutureResult[RollSight, PlatformError]:
    """Return an error that asking again does not mend as the end of a rollout."""
    if isinstance(error, FINAL):
        failed = RollSight(outcome=RollOutcome.FAILED, cause=error.message)
        return FutureResult.from_value(failed)
    return FutureResult.from_failure(error)


def _shape_of(application: Application) -> Shape:
    return Shape(application.image, application.instance_type)


def _is_built(image: str | None) -> bool:
    return image is not None and image_kind(image) is ImageKind.DOCKERFILE


def _named_size(size: InstanceType) -> InstanceType | None:
    return size if size.name in INSTANCE_TYPES else None


def _refusal(template: ContainerSpec, application: Application) -> str:
    """Say why the REST API cannot bring a template; "" where it can."""
    deploy = "run `orchestrator gateway init` again and deploy"
    if _is_built(template.image) and template.image != application.image:
        return f"{template.image} is built where the gateway is deployed: {deploy}"
    size = template.instance_type
    if _named_size(size) is None and size != application.instance_type:
        return f"a size of one's own comes with a deploy alone: {deploy}"
    return ""
