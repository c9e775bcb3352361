"""What can be asked of services and of strangers: how many, whose, and gone.

A scale is answered when it is durable; who wants to know when the replicas are up
waits for them. An adoption is answered when a look has shown what becomes of the run.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable
from typing import Final

import attrs
from returns.future import FutureResult
from returns.result import Failure, Result, Success

from orchestrator.codec.problems import invalid
from orchestrator.core.errors import (
    ContainerError,
    ContainerNotFound,
    ServiceNotFound,
)
from orchestrator.core.explain import ContainerInfo, container_info
from orchestrator.core.loads import LoadObserved
from orchestrator.core.moments import Moment
from orchestrator.core.phases import (
    Asleep,
    Completed,
    CrashLooping,
    Failed,
    Stopped,
)
from orchestrator.core.requests import Adopt, Scale, StopOrphan
from orchestrator.core.rollout_info import newest_rollout
from orchestrator.core.scaling import is_ready, members
from orchestrator.core.service_loads import ServiceLoad, service_load
from orchestrator.core.services import Service
from orchestrator.core.state import Container, Fleet
from orchestrator.core.tickets import Ticket
from orchestrator.replay.places import Place
from orchestrator.runtime import waits
from orchestrator.runtime.measurer import milli_of
from orchestrator.runtime.reads import Reads
from orchestrator.runtime.steps import Asked, Heard
from orchestrator.runtime.views import View

__all__ = ("Orphan", "Scales", "ServiceInfo", "services_of")

_RESTING: Final = Completed | Stopped | Asleep
_TROUBLED: Final = Failed | CrashLooping

LOOK_S: Final = 30.0
"""How long an adoption waits for the look that shows its run; it is durable before."""


@attrs.frozen(kw_only=True)
class ServiceInfo:
    """A service as its owner sees it.

    ``declared`` is the number in the fleet file, ``replicas`` what is asked for now;
    ``members`` are those that make it up, ``leaving`` those on their way out.
    ``resting`` counts members that are done, stopped or asleep; ``failed`` names those
    that have failed or crash-loop. ``revision`` is the one that new replicas are made
    of; ``rollout`` says where the newest rollout is, "" where there was none.
    ``autoscaling`` says why it has so many, where it scales by itself.
    """

    name: str
    declared: int
    replicas: int
    ready: int
    resting: int
    members: tuple[str, ...]
    leaving: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    revision: int = 1
    rollout: str = ""
    autoscaling: ServiceLoad | None = None


@attrs.frozen(kw_only=True)
class Orphan:
    """A container that the platform has and the fleet does not know.

    ``stopping``: its end was asked for; it is forgotten when it has ended.
    """

    name: str
    run: int
    stopping: bool = False


class Scales(Reads):
    """Services and strangers of an operator; ``Operator`` adds all the rest."""

    def list_services(
        self, *, at: Place | None = None
    ) -> FutureResult[tuple[ServiceInfo, ...], ContainerError]:
        """Return the services, in the order of their names, now or at a place."""
        return self.view(at).map(services_of)

    def list_orphans(self) -> FutureResult[tuple[Orphan, ...], ContainerError]:
        """Return what the newest look showed and the fleet does not know."""
        names = tuple(self.fleet.strangers)
        orphans = (_orphan(self.fleet, name) for name in names)
        found = tuple(each for each in orphans if each is not None)
        return FutureResult.from_value(found)

    def scale(
        self,
        service: str,
        replicas: int,
        *,
        by: str = "owner",
        why: str = "",
        ticket: Ticket | None = None,
        heard: Heard | None = None,
    ) -> FutureResult[ServiceInfo, ContainerError]:
        """Have a service run so many replicas; the fleet file stays as it is.

        More begin with the lowest free index. Of fewer, those that are not ready go
        first, then those of the highest index.
        """
        request = Scale(
            service=service, replicas=replicas, by=by, why=why, ticket=ticket
        )

        def info(asked: Asked) -> Result[ServiceInfo, ContainerError]:
            known = asked.fleet.services.get(service)
            if known is None:  # it has gone since the request was made first
                return Failure(ServiceNotFound(name=service))
            return Success(self._info(asked.fleet, known, asked.at))

        done = FutureResult(waits.asked(self._engine, request, heard))
        return done.bind_result(info)

    def observe_load(
        self, service: str, load: float, *, heard: Heard | None = None
    ) -> FutureResult[ServiceInfo, ContainerError]:
        """Tell what a service bears, a sum over its replicas, and scale it by that.

        Only one whose autoscaling has the metric ``pushed`` can be told so.
        """
        milli = milli_of(load)
        if milli is None:
            return FutureResult.from_failure(
                invalid("load", "a number that is not negative", repr(load))
            )
        event = LoadObserved(at=0, service=service, load_milli=milli)

        def info(asked: Asked) -> ServiceInfo:
            known = asked.fleet.services[service]
            return self._info(asked.fleet, known, asked.at)

        return FutureResult(waits.asked(self._engine, event, heard)).map(info)

    def _info(self, fleet: Fleet, service: Service, now: Moment) -> ServiceInfo:
        """Sum up a service by its own replicas: nobody looks at the whole fleet."""
        replicas = self._loop.members.of(fleet, service.name)
        return _summed(fleet, service, replicas, now)

    def adopt(
        self,
        name: str,
        *,
        service: str | None = None,
        by: str = "owner",
        why: str = "",
        ticket: Ticket | None = None,
        heard: Heard | None = None,
    ) -> FutureResult[ContainerInfo, ContainerError]:
        """Make an orphan a container of the fleet; its run goes on, if it can.

        It becomes a replica of *service*, or an ad-hoc container where that is "".
        None: the service that its name speaks of, if there is one.
        """
        request = Adopt(name=name, service=service, by=by, why=why, ticket=ticket)

        async def adopted() -> Result[ContainerInfo, ContainerError]:
            asked = await waits.asked(self._engine, request, heard)
            if isinstance(asked, Failure):
                return asked
            await self._seen(name)
            container = self.fleet.containers.get(name)
            if container is None:
                return Failure(ContainerNotFound(name=name))
            return Success(container_info(self.fleet, container, self.now))

        return FutureResult(adopted())

    async def _seen(self, name: str) -> None:
        """Wait until a look has shown an adopted run, or the end has come."""

        def is_so() -> bool:
            container = self.fleet.containers.get(name)
            is_claimed = container is not None and container.is_claimed
            return not is_claimed or self._engine.running.done()

        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LOOK_S), self._loop.turned:
                _ = await self._loop.turned.wait_for(is_so)

    def stop_orphan(
        self,
        name: str,
        *,
        by: str = "owner",
        why: str = "",
        ticket: Ticket | None = None,
        heard: Heard | None = None,
    ) -> FutureResult[Orphan, ContainerError]:
        """End an orphan, and have the platform forget it once it has ended."""
        request = StopOrphan(name=name, by=by, why=why, ticket=ticket)

        def orphan(asked: Asked) -> Result[Orphan, ContainerError]:
            found = _orphan(asked.fleet, name)
            if found is None:  # it has gone since the request was made first
                return Failure(ContainerNotFound(name=name))
            return Success(found)

        done = FutureResult(waits.asked(self._engine, request, heard))
        return done.bind_result(orphan)


def services_of(view: View) -> tuple[ServiceInfo, ...]:
    """Return the services of a view; this goes through its whole fleet."""
    fleet = view.fleet
    replicas = _by_service(fleet)
    return tuple(
        _summed(fleet, service, replicas.get(service.name, ()), view.at)
        for service in fleet.services.values()
    )


def _by_service(fleet: Fleet) -> dict[str, list[Container]]:
    """Return the containers of each service, in the order of their names."""
    found: dict[str, list[Container]] = {}
    for container in fleet.containers.values():
        found.setdefault(container.spec.service, []).append(container)
    return found


def _summed(
    fleet: Fleet, service: Service, among: Iterable[Container], now: Moment
) -> ServiceInfo:
    """Sum up a service, whose replicas are among some containers."""
    among = tuple(among)
    present = members(among, service.name)
    lineage = fleet.lineages.get(service.name)
    rollout = None if lineage is None else newest_rollout(lineage)
    return ServiceInfo(
        name=service.name,
        declared=service.declared,
        replicas=service.replicas,
        ready=sum(map(is_ready, present)),
        resting=sum(isinstance(each.phase, _RESTING) for each in present),
        members=tuple(container.name for container in present),
        leaving=tuple(
            each.name
            for each in among
            if each.leaving and each.spec.service == service.name != each.name
        ),
        failed=tuple(
            each.name for each in present if isinstance(each.phase, _TROUBLED)
        ),
        revision=1 if lineage is None else lineage.serving,
        rollout="" if rollout is None else rollout.status.value,
        autoscaling=service_load(fleet, service, now),
    )


def _orphan(fleet: Fleet, name: str) -> Orphan | None:
    run = fleet.strangers.get(name)
    if run is None:
        return None
    return Orphan(name=name, run=run, stopping=fleet.evicting.get(name) == run)
