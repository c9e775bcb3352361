"""What the REST API saw that the gateway could not: exit codes, places, images.

It is asked only about what is in question, never waited for long, and nothing depends
on it: without an account id and an API token it knows nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Iterable, Mapping
from typing import Final, TypeVar

import attrs
from returns.future import FutureResult
from returns.result import Failure

from orchestrator.codec.platform_choices import CloudflareChoice
from orchestrator.core.errors import PlatformError
from orchestrator.core.exits import Exit, Exited, Lost
from orchestrator.core.table import Table
from orchestrator.platforms.cloudflare.http import Gateway, Tree
from orchestrator.platforms.cloudflare.rest.client import RestClient
from orchestrator.platforms.cloudflare.rest.joins import (
    by_durable_object_id,
    exit_code_of,
    image_of,
    location_of,
)
from orchestrator.platforms.cloudflare.rest.metrics import Metrics
from orchestrator.platforms.cloudflare.rest.types import Application, Instance
from orchestrator.platforms.port import PlatformDetail

__all__ = ("Witness", "metrics_of", "rest_of")

T = TypeVar("T")

LOG: Final = logging.getLogger("orchestrator.cloudflare")

LIMIT_S: Final = 3.0
"""How long an end, or a detail, may wait for what the gateway did not see."""

CODE_MAX: Final = 255


def rest_of(choice: CloudflareChoice, secrets: Mapping[str, str]) -> RestClient | None:
    """Return a client of the REST API, where the fleet file and secrets name one."""
    token = secrets.get(choice.api_token_secret, "").strip()
    if choice.account_id is None or not token:
        return None
    try:
        return RestClient(choice.account_id, token)
    except ValueError:
        LOG.warning("%s holds no token: it is not used", choice.api_token_secret)
        return None


def metrics_of(choice: CloudflareChoice, secrets: Mapping[str, str]) -> Metrics | None:
    """Return a reader of metrics, where the fleet file and secrets name an account."""
    token = secrets.get(choice.api_token_secret, "").strip()
    if choice.account_id is None or not token:
        return None
    try:
        return Metrics(choice.account_id, token)
    except ValueError:  # that it is none was said already, by ``rest_of``
        return None


class Witness:
    """Looks up at the REST API what the gateway could not see."""

    def __init__(self, gateway: Gateway, fleet: str, rest: RestClient | None) -> None:
        """Ask *rest* about the containers that *gateway* runs for *fleet*."""
        self._gateway = gateway
        self._fleet = fleet
        self._rest = rest
        self._applications: tuple[Application, ...] = ()

    async def exit_of(self, name: str, run: int) -> Exit:
        """Return how a run ended that was lost: its code where the API knows it."""
        if self._rest is None:
            return Lost()
        try:
            async with asyncio.timeout(LIMIT_S):
                code = await self._code(self._rest, name, run)
        except TimeoutError:
            return Lost()
        known = code is not None and 0 <= code <= CODE_MAX
        return Exited(code=code) if known and code is not None else Lost()

    async def _code(self, rest: RestClient, name: str, run: int) -> int | None:
        path = f"fleets/{self._fleet}/containers/{name}"
        told = await self._gateway.get(path)
        view: Tree = {} if isinstance(told, Failure) else told.unwrap()
        begun_at, id_ = view.get("begun_at"), view.get("id")
        if view.get("run") != run or type(begun_at) is not int or not id_:
            return None
        instance = await self._instance(rest, str(view.get("application")), str(id_))
        return exit_code_of(instance, not_before_ms=begun_at)

    async def _instance(
        self, rest: RestClient, application: str, id_: str
    ) -> Instance | None:
        for one in await self._candidates(rest, application):
            instance: Instance | None = await _known(rest.instance(one.id, id_), None)
            if instance is not None:
                return instance
        self._applications = ()  # it may belong to one that came since
        return None

    async def _candidates(
        self, rest: RestClient, application: str
    ) -> list[Application]:
        """Return the account's applications, those of the same name first."""
        if not self._applications:
            nothing: tuple[Application, ...] = ()
            self._applications = await _known(rest.applications(), nothing)
        ending = f"-{application}"
        return sorted(self._applications, key=lambda one: not one.name.endswith(ending))

    async def completed(
        self, details: tuple[PlatformDetail, ...]
    ) -> tuple[PlatformDetail, ...]:
        """Add where each container really runs, and from which image."""
        if self._rest is None:
            return details
        instances = await self.instances()
        return tuple(_with(detail, instances) for detail in details)

    async def instances(self, wanted: Iterable[str] = ()) -> Mapping[str, Instance]:
        """Return the instances of the fleet by the ids of their objects.

        Where one is missing that is *wanted*, applications are listed anew next time:
        it may belong to one that came since.
        """
        found: list[Instance] = []
        if self._rest is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LIMIT_S):
                    await self._collect(self._rest, found)
        instances = by_durable_object_id(found)
        if any(id_ not in instances for id_ in wanted):
            self._applications = ()
        return instances

    async def _collect(self, rest: RestClient, found: list[Instance]) -> None:
        """Add every instance of the fleet, application by application."""
        nothing: tuple[Instance, ...] = ()
        prefix = f"{self._fleet}/"
        for one in await self._candidates(rest, ""):
            found += await _known(rest.instances(one.id, name_prefix=prefix), nothing)

    async def close(self) -> None:
        """Let go of the connections."""
        if self._rest is not None:
            await self._rest.close()


def _with(detail: PlatformDetail, instances: Mapping[str, Instance]) -> PlatformDetail:
    instance = instances.get(str(detail.facts.get("id")))
    if instance is None:
        return detail
    facts = {
        "location": location_of(instance),
        "image": image_of(instance),
        "instance_state": instance.status.state,
    }
    known = [(key, str(value)) for key, value in facts.items() if value is not None]
    return attrs.evolve(detail, facts=Table.of([*detail.facts.items(), *known]))


async def _known(answer: FutureResult[T, PlatformError], otherwise: T) -> T:
    """Return what was answered; what could not be answered is not known."""
    found: list[T] = []
    _ = (await answer).map(found.append)
    return found[0] if found else otherwise
