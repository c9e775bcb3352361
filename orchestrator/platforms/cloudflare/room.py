"""Room for replicas: how many instances Cloudflare lets an application have at once.

An application of the ``default`` policy has ``max_instances``, as the gateway was
written with: as many as were declared, or may be by autoscaling, and the headroom. A
service that is scaled beyond it gets no instance. So before a replica starts without
room its application is given more, by the REST API.

Where that cannot be done (no token, or the API refuses) it is logged, and the start
goes on: what Cloudflare then says (no capacity) keeps the replica waiting, and is no
crash. Only replicas of services make room: for what is started by request the headroom
stays what its owner said.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final

from orchestrator.core.specs import ContainerSpec
from orchestrator.platforms.cloudflare.http import Tree
from orchestrator.platforms.cloudflare.project.application import (
    DURABLE_OBJECT,
    Application,
)
from orchestrator.platforms.cloudflare.project.naming import account_name_of
from orchestrator.platforms.cloudflare.rest.client import RestClient
from orchestrator.platforms.cloudflare.rest.requests import ApplicationChange
from orchestrator.platforms.cloudflare.rest.types import (
    Application as Standing,
)
from orchestrator.platforms.cloudflare.rest.types import ScheduledApplication

__all__ = ("Room",)

LOG: Final = logging.getLogger("orchestrator.cloudflare")

AGAIN_S: Final = 60.0
"""Before the API is asked again that could not make room."""

LIMIT_S: Final = 10.0
"""How long a start may wait for room to be made."""

LIVE: Final = frozenset({"admitted", "starting", "running", "unreachable"})


class Room:
    """Knows how many replicas live, and makes room for more."""

    def __init__(self, rest: RestClient | None, worker: str, headroom: int) -> None:
        """Ask *rest* for the applications of *worker*; leave *headroom* beyond need."""
        self._rest = rest
        self._worker = worker
        self._headroom = headroom
        self._live: dict[str, str] = {}
        self._needed: Counter[str] = Counter()
        self._known: dict[tuple[str, int], int] = {}
        self._not_before: dict[str, float] = {}
        self._turn = asyncio.Lock()

    def lives(self) -> Mapping[str, str]:
        """Return who lives, and where: what a look is compared with that begins now."""
        return dict(self._live)

    def seen(self, views: Iterable[Tree], before: Mapping[str, str]) -> None:
        """Take down who lives, and where, as the gateway has listed it.

        A long list is read in pages. So who came or left since it was begun, when
        *before* lived, counts as is known here, whether that page shows it or not.
        """
        left = before.keys() - self._live.keys()
        came = self._live.items() - before.items()
        listed = {
            str(view.get("name")): str(view.get("application"))
            for view in views
            if view.get("phase") in LIVE
        }
        self._live = {
            name: at for name, at in listed.items() if name not in left
        } | dict(came)
        self._needed = Counter(self._live.values())

    def left(self, name: str) -> None:
        """Take note that a container has ended."""
        application = self._live.pop(name, None)
        if application is not None:
            self._needed[application] -= 1

    async def make(self, spec: ContainerSpec, application: Application) -> None:
        """Have an application take one container more, before it starts."""
        self._lives(spec.name, application.name)
        most = application.max_instances
        is_bounded = application.scheduling_policy is not DURABLE_OBJECT
        if spec.name == spec.service or not is_bounded or most is None:
            return
        if self._needed[application.name] <= self._known.get(
            (application.name, most), most
        ):
            return
        async with self._turn:
            try:
                async with asyncio.timeout(LIMIT_S):
                    await self._raised(application.name, most)
            except TimeoutError:
                self._in_vain(application.name, f"no answer in {LIMIT_S:g} s")

    def _lives(self, name: str, application: str) -> None:
        """Count who lives while it happens: a start must not count all the others."""
        before = self._live.get(name)
        if before != application:
            if before is not None:
                self._needed[before] -= 1
            self._live[name] = application
            self._needed[application] += 1

    async def _raised(self, name: str, deployed: int) -> None:
        key, is_early = (name, deployed), time.monotonic() < self._later(name)
        if is_early or self._needed[name] <= self._known.get(key, deployed):
            return
        if self._rest is None:
            self._in_vain(name, "there is no token for the API of the account")
            return
        account_name = account_name_of(self._worker, name)
        found: list[tuple[Standing, ...]] = []
        listed = await self._rest.applications(name=account_name)
        _ = listed.map(found.append).alt(lambda no: self._in_vain(name, no.message))
        if not found:
            return
        for one in found[0]:
            if one.name == account_name and isinstance(one, ScheduledApplication):
                await self._change(self._rest, one, key)
                return
        self._in_vain(name, f"the account has no application {account_name!r}")

    async def _change(
        self,
        rest: RestClient,
        standing: ScheduledApplication,
        key: tuple[str, int],
    ) -> None:
        name, most = key[0], standing.max_instances or 0
        needed = self._needed[name]  # with those that came while it was looked up
        if needed <= most:
            self._known[key] = most
            return
        more = needed + self._headroom
        change = ApplicationChange(max_instances=more)
        changed = await rest.change_application(standing.id, change)

        def noted(_: Standing) -> None:
            self._known[key] = more
            LOG.info("%s may have %d instances now, not %d", name, more, most)

        _ = changed.map(noted).alt(lambda no: self._in_vain(name, no.message))

    def _later(self, name: str) -> float:
        return self._not_before.get(name, 0.0)

    def _in_vain(self, name: str, cause: str) -> None:
        """Say once in a while that there is no room, and why none was made."""
        if time.monotonic() >= self._later(name):
            LOG.warning(
                "%s needs more max_instances, and has not got it: %s", name, cause
            )
        self._not_before[name] = time.monotonic() + AGAIN_S
