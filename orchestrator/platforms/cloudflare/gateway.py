"""The Cloudflare platform: the adapter of the port over the gateway Worker.

The gateway holds runs, ends and epochs; here requests are gathered, answers read, and
the feed of events followed from its cursor, through every fault of the network.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Mapping
from typing import Final

import attrs
from returns.future import FutureResult
from returns.result import Failure, Result, Success

from orchestrator.codec.platform_choices import CloudflareChoice
from orchestrator.core.autoscaling import Metric
from orchestrator.core.errors import (
    LeaseHeld,
    PlatformError,
    Refused,
    StaleOperator,
)
from orchestrator.core.events import ContainerEnded, LifecycleEvent
from orchestrator.core.exits import Lost
from orchestrator.core.moments import Millis
from orchestrator.core.observations import Observation, SeenEnded, Sighting
from orchestrator.core.specs import ContainerSpec
from orchestrator.platforms.cloudflare.access import (
    ask_about,
    credentials_of,
    gateway_of,
)
from orchestrator.platforms.cloudflare.answers import (
    details_read,
    event_page,
    observation_of,
)
from orchestrator.platforms.cloudflare.deployed import API, Deployed
from orchestrator.platforms.cloudflare.dispatch import Dispatch
from orchestrator.platforms.cloudflare.http import Answer
from orchestrator.platforms.cloudflare.inquiry import Inquiry
from orchestrator.platforms.cloudflare.leases import Leases, refused
from orchestrator.platforms.cloudflare.lister import Lister, held_s
from orchestrator.platforms.cloudflare.loads import LoadReader
from orchestrator.platforms.cloudflare.orders import body_of, path_of
from orchestrator.platforms.cloudflare.pages import Listing
from orchestrator.platforms.cloudflare.places import Places
from orchestrator.platforms.cloudflare.project.application import DURABLE_OBJECT
from orchestrator.platforms.cloudflare.project.naming import worker_name_of
from orchestrator.platforms.cloudflare.rolls import Rolls, failed_for_good
from orchestrator.platforms.cloudflare.room import Room
from orchestrator.platforms.cloudflare.witness import Witness, metrics_of, rest_of
from orchestrator.platforms.leases import Claim, LeaseInfo
from orchestrator.platforms.measuring import MeasuredService
from orchestrator.platforms.port import (
    Accepted,
    Attachment,
    LogLine,
    Order,
    PlatformDetail,
    Question,
    Reply,
    RollOrder,
    RollSight,
    StartOrder,
    StreamRefused,
)

__all__ = ("API", "CloudflarePlatform", "ask_about", "credentials_of")

LOG: Final = logging.getLogger("orchestrator.cloudflare")

POLL_MS: Final[Millis] = 20_000
"""How long a request for news waits for some; the gateway allows 25 s."""

AGAIN_S: Final = (0.2, 5.0)
"""Before the feed is asked again after a fault: at first, and at most."""


class CloudflarePlatform:
    """Containers on Cloudflare, behind a gateway."""

    def __init__(
        self, choice: CloudflareChoice, fleet: str, secrets: Mapping[str, str]
    ) -> None:
        """Look after *fleet*; tokens are looked up in *secrets* at each request."""
        self._choice = choice
        self._fleet = fleet
        self._gateway = gateway_of(choice, secrets)
        self._dispatch = Dispatch(self._gateway, f"fleets/{fleet}/batch")
        self._inquiry = Inquiry(gateway_of(choice, secrets), fleet)
        rest = rest_of(choice, secrets)
        self._witness = Witness(self._gateway, fleet, rest)
        self._places = Places(self._witness)
        worker = choice.worker or worker_name_of(fleet)
        self._rolls = Rolls(rest, fleet, worker, self._stale)
        self._deployed = Deployed(self._gateway, self._rolls)
        self._room = Room(rest, worker, choice.headroom)
        self._lister = self._lister_of("containers")
        loads = self._lister_of("loads")
        self._loads = LoadReader(loads, fleet, metrics_of(choice, secrets))
        self._leases = Leases(gateway_of(choice, secrets), fleet)
        self._epoch: int | None = None

    def _lister_of(self, kind: str) -> Lister:
        return Lister(self._gateway, self._fleet, kind, lambda: self._deployed.page)

    def attach(self, after: int) -> FutureResult[Attachment, PlatformError]:
        """Take over: every earlier operator is stale from now on."""
        return FutureResult(self._attach(after)).alt(refused)

    def attach_as(
        self, after: int, claim: Claim
    ) -> FutureResult[Attachment, PlatformError | LeaseHeld]:
        """Take over and have the lease, or say who has it."""
        return FutureResult(self._attach(after, claim))

    def renew(self, epoch: int) -> FutureResult[LeaseInfo, PlatformError]:
        """Have the lease for its whole length again."""
        return FutureResult(self._leases.renew(epoch))

    def release(self, epoch: int) -> FutureResult[None, PlatformError]:
        """Let go of the lease at once."""
        return FutureResult(self._leases.release(epoch))

    def lease(self) -> FutureResult[LeaseInfo | None, PlatformError]:
        """Say whose lease is in force; None: nobody's."""
        return FutureResult(self._leases.now())

    async def _attach(
        self, after: int, claim: Claim | None = None
    ) -> Result[Attachment, PlatformError | LeaseHeld]:
        if self._choice.url is None:
            cause = "the fleet file says no platform.url: deploy the gateway first"
            return Failure(Refused(cause=cause))
        learnt = await self._deployed.learn()
        if isinstance(learnt, Failure):
            return Failure(learnt.failure())
        orphan = self._choice.orphan_after_ms
        granted = await self._leases.attach(after, orphan, claim)
        return granted.map(self._attached)

    def _attached(self, epoch: int) -> Attachment:
        self._epoch = epoch
        is_default = self._choice.scheduling_policy is not DURABLE_OBJECT
        rolls = is_default and self._rolls.is_possible
        return Attachment(epoch=epoch, fences=True, rolls=rolls)

    def ports(
        self, spec: ContainerSpec
    ) -> FutureResult[Mapping[str, int], PlatformError]:
        """Give each port the number that the spec says: the network is its own."""
        return FutureResult.from_value(dict(spec.ports.items()))

    def perform(self, order: Order) -> FutureResult[Accepted, PlatformError]:
        """Carry out an order; the answer is that it was accepted."""
        return FutureResult(self._perform(order))

    async def _perform(self, order: Order) -> Result[Accepted, PlatformError]:
        body = await self._body(order)
        if isinstance(body, Failure):
            return Failure(body.failure())
        named = {"op": path_of(order), "name": order.name, **body.unwrap()}
        answered = await self._dispatch.send(named)
        return answered.map(lambda _: Accepted())

    async def _body(self, order: Order) -> Answer:
        if not isinstance(order, StartOrder):
            return Success(body_of(order))
        found = await self._deployed.of(order.spec)
        if isinstance(found, Failure):
            return Failure(found.failure())
        application = found.unwrap()
        await self._room.make(order.spec, application)
        chosen = application.scheduling_policy is DURABLE_OBJECT
        return Success(body_of(order, application.name, chosen=chosen))

    def roll(self, order: RollOrder) -> FutureResult[RollSight, PlatformError]:
        """Have Cloudflare roll a service out, once, and say how far that is."""
        found = FutureResult(self._deployed.service(order.service))
        rolled = found.bind(lambda one: self._rolls.roll(order, one))
        return rolled.lash(failed_for_good)

    async def _stale(self, epoch: int) -> PlatformError | None:
        """Say whether a newer operator has taken over: REST itself does not know."""
        path = f"fleets/{self._fleet}/events"
        told = await self._gateway.get(path, limit=1, after="", epoch=epoch)
        return told.failure() if isinstance(told, Failure) else None

    def observe(self) -> FutureResult[Observation, PlatformError]:
        """Look at every container; who lives is asked by the gateway."""
        return FutureResult(self._observe())

    async def _observe(self) -> Result[Observation, PlatformError]:
        before = self._room.lives()
        listed = await self._lister.listed(self._epoch)
        if isinstance(listed, Failure):
            return Failure(listed.failure())
        listing: Listing = listed.unwrap()
        sightings: list[Sighting] = []
        for page in listing.pages:  # others have their turn in between
            seen = observation_of(self._fleet, {"containers": [*page.items]})
            if isinstance(seen, Failure):
                return seen
            found = seen.unwrap().sightings
            sightings += await asyncio.gather(*map(self._completed, found))
        views = listing.items
        self._room.seen(views, before)
        await asyncio.sleep(0)
        observation = Observation(
            began=0, complete=listing.complete, sightings=tuple(sightings)
        )
        return Success(await self._places.put_in(observation, views))

    async def _completed(self, sighting: Sighting) -> Sighting:
        if sighting.sight != SeenEnded(exit=Lost()):
            return sighting
        exit_ = await self._witness.exit_of(sighting.name, sighting.run)
        return attrs.evolve(sighting, sight=SeenEnded(exit=exit_))

    def probe(self, question: Question) -> FutureResult[Reply, PlatformError]:
        """Ask one container one question, once, within its timeout."""
        return FutureResult(self._inquiry.ask(question))

    def loads(
        self, metric: Metric, services: tuple[MeasuredService, ...]
    ) -> FutureResult[Mapping[str, float], PlatformError]:
        """Measure services: their traffic, or their processors' time."""
        return FutureResult(self._loads.read(metric, services, self._epoch))

    async def events(self, after: str) -> AsyncIterator[LifecycleEvent]:
        """Follow the feed from a cursor, through every fault but being replaced."""
        pause = AGAIN_S[0]
        while True:
            path = f"fleets/{self._fleet}/events"
            told = await self._gateway.get(
                path, wait_ms=POLL_MS, after=after, epoch=self._epoch
            )
            page = told.bind(lambda tree: event_page(self._fleet, tree))
            if isinstance(page, Failure):
                error = page.failure()
                if isinstance(error, StaleOperator):
                    raise StreamRefused(error)
                LOG.warning("the feed broke off: %s", error.message)
                await asyncio.sleep(max(pause, held_s(error)))
                pause = min(pause * 2, AGAIN_S[1])
                continue
            pause = AGAIN_S[0]
            found = page.unwrap()
            if found.lost:
                LOG.warning("the gateway's feed begins anew: looks will close the gap")
            for event in await asyncio.gather(*map(self._witnessed, found.events)):
                if isinstance(event, ContainerEnded):
                    self._room.left(event.name)
                yield event
            after = found.cursor
            if not found.events:  # something on the way may not let it wait
                await asyncio.sleep(AGAIN_S[0])

    async def _witnessed(self, event: LifecycleEvent) -> LifecycleEvent:
        """Ask the REST API how a run ended that the gateway lost."""
        if isinstance(event, ContainerEnded) and isinstance(event.exit, Lost):
            exit_ = await self._witness.exit_of(event.name, event.run)
            return attrs.evolve(event, exit=exit_)
        return event

    async def acknowledge(self, cursor: str) -> None:
        """Let the gateway forget what is written down here."""
        if cursor:
            path = f"fleets/{self._fleet}/events/ack"
            _ = await self._gateway.post(path, {"cursor": cursor, "epoch": self._epoch})

    def details(self) -> FutureResult[tuple[PlatformDetail, ...], PlatformError]:
        """Tell of each container what the platform says, in its own words."""
        return FutureResult(self._details())

    async def _details(self) -> Result[tuple[PlatformDetail, ...], PlatformError]:
        listed = await self._lister.listed(self._epoch)
        if isinstance(listed, Failure):
            return Failure(listed.failure())
        details = details_read({"containers": listed.unwrap().items})
        if isinstance(details, Failure):
            return details
        return Success(await self._witness.completed(details.unwrap()))

    async def log(self, name: str, *, follow: bool) -> AsyncIterator[LogLine]:
        """Say where the logs are: Cloudflare keeps them, and offers no way to read."""
        del name, follow
        now = time.time_ns() // 1_000_000
        text = "logs of containers are in Workers Logs, on the dashboard"
        yield LogLine(at=now, stream="e", text=text)

    async def detach(self) -> None:
        """Let go of the connections; containers go on."""
        await self._dispatch.close()
        await self._inquiry.close()
        await self._leases.close()
        await self._witness.close()
        await self._loads.close()
        await self._gateway.close()
