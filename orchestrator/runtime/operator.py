"""The operator: the face of a program that embeds it.

Every operation answers with a ``FutureResult``: chain them, or ``await settled(...)``
for the plain value or error. Requests are answered when they are durable; what follows
from them comes as events. What can be read is in ``runtime.reads``.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final, Unpack

from returns.future import FutureResult
from returns.result import Failure, Result, Success

from orchestrator.codec.wire import frozen_config
from orchestrator.core.errors import ContainerError, ContainerNotFound
from orchestrator.core.explain import (
    ContainerInfo,
    container_info,
)
from orchestrator.core.fleet_specs import FleetSpec
from orchestrator.core.moments import Millis
from orchestrator.core.origins import Prune
from orchestrator.core.policies import RestartPolicy
from orchestrator.core.requests import (
    Apply,
    ClearCrashHistory,
    Reconcile,
    Remove,
    Request,
    Restart,
    Start,
    Stop,
)
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.tickets import Ticket
from orchestrator.runtime import downs, waits
from orchestrator.runtime.boot import boot
from orchestrator.runtime.outcomes import settled
from orchestrator.runtime.preparing import Means
from orchestrator.runtime.reports import (
    ReconcileReport,
    WaitFor,
)
from orchestrator.runtime.rollings import Rollings
from orchestrator.runtime.steps import Asked, Heard

__all__ = ("OpenFailed", "Operator")

STEADY_MS: Final[Millis] = 1_000
"""What dies within it has not come up."""


class OpenFailed(Exception):
    """An operator could not be opened; ``error`` says why, as a value."""

    def __init__(self, error: ContainerError) -> None:
        """Carry the error."""
        super().__init__(error.message)
        self.error = error


class Operator(Rollings):
    """Keeps one fleet in the shape that its owner asked for."""

    # Opening and closing

    @staticmethod
    def start(
        fleet: FleetSpec, **means: Unpack[Means]
    ) -> FutureResult[Operator, ContainerError]:
        """Take over a fleet: recover, boot, make *fleet* the declared one.

        With a ``lease`` nobody else takes it over while the operator works; where
        somebody else has it, the answer is ``LeaseHeld``.
        The operator closes journal and platform when it closes, and also where it
        cannot be opened.
        """
        return boot(fleet, means).map(Operator)

    @staticmethod
    @asynccontextmanager
    async def open(fleet: FleetSpec, **means: Unpack[Means]) -> AsyncIterator[Operator]:
        """Open an operator for a block; ``OpenFailed`` carries why it cannot be."""
        operator = await settled(Operator.start(fleet, **means))
        if not isinstance(operator, Operator):
            raise OpenFailed(operator)
        try:
            yield operator
        finally:
            await operator.close()

    async def close(self) -> None:
        """End in order; the containers go on."""
        await self._engine.close()

    async def ended(self) -> ContainerError | None:
        """Wait until the operator has ended; None where it was closed."""
        await asyncio.wait([self._engine.running])
        return self._loop.fatal

    # Requests. One with a *ticket* is done at most once (``core.tickets``); *heard* is
    # told in which row it stands, or that it was made before.

    def start_container(  # noqa: PLR0913 - each says one thing of the request
        self,
        container: str | ContainerSpec,
        config: Mapping[str, Any] | None = None,
        restart_policy: RestartPolicy | None = None,
        *,
        command: tuple[str, ...] | None = None,
        force: bool = False,
        by: str = "owner",
        why: str = "",
        ticket: Ticket | None = None,
        heard: Heard | None = None,
    ) -> FutureResult[ContainerInfo, ContainerError]:
        """Start a container; an unknown name takes the fleet's ``[ad_hoc]`` template.

        None leaves config, command and policy as they are. *force* starts what is
        crash-looping, has failed or has completed.
        """
        spec = container if isinstance(container, ContainerSpec) else None
        name = container.name if isinstance(container, ContainerSpec) else container
        frozen = None if config is None else frozen_config(dict(config))
        if isinstance(frozen, Failure):
            return FutureResult.from_failure(frozen.failure())
        request = Start(
            name=name,
            spec=spec,
            config=None if frozen is None else frozen.unwrap(),
            command=command,
            restart_policy=restart_policy,
            force=force,
            by=by,
            why=why,
            ticket=ticket,
        )
        return self._of_container(name, request, heard)

    def stop_container(
        self,
        name: str,
        *,
        by: str = "owner",
        why: str = "",
        ticket: Ticket | None = None,
        heard: Heard | None = None,
    ) -> FutureResult[ContainerInfo, ContainerError]:
        """Stop a container; it stays stopped until it is asked for again."""
        request = Stop(name=name, by=by, why=why, ticket=ticket)
        return self._of_container(name, request, heard)

    def restart_container(
        self,
        name: str,
        *,
        by: str = "owner",
        why: str = "",
        ticket: Ticket | None = None,
        heard: Heard | None = None,
    ) -> FutureResult[ContainerInfo, ContainerError]:
        """End the run, and start another; counts no crash."""
        request = Restart(name=name, by=by, why=why, ticket=ticket)
        return self._of_container(name, request, heard)

    def clear_crash_history(
        self,
        name: str,
        *,
        by: str = "owner",
        why: str = "",
        ticket: Ticket | None = None,
        heard: Heard | None = None,
    ) -> FutureResult[ContainerInfo, ContainerError]:
        """Empty the failure history; a held or failed container starts again."""
        request = ClearCrashHistory(name=name, by=by, why=why, ticket=ticket)
        return self._of_container(name, request, heard)

    def remove_container(
        self,
        name: str,
        *,
        by: str = "owner",
        why: str = "",
        ticket: Ticket | None = None,
        heard: Heard | None = None,
    ) -> FutureResult[None, ContainerError]:
        """Forget an ad-hoc container that is at rest."""
        request = Remove(name=name, by=by, why=why, ticket=ticket)
        return self._asked(request, heard).map(lambda _: None)

    def apply(
        self,
        fleet: FleetSpec,
        *,
        expect_revision: int | None = None,
        prune: Prune | None = None,
        keep_scale: bool = False,
        by: str = "owner",
        why: str = "",
        ticket: Ticket | None = None,
        heard: Heard | None = None,
    ) -> FutureResult[int, ContainerError]:
        """Make *fleet* the declared one; the answer is the revision of the fleet.

        *prune* takes the place of the fleet's own setting, this once; *keep_scale*
        keeps as many replicas as were scaled to, unless *fleet* names another number.
        """
        request = Apply(
            spec=fleet,
            expect_revision=expect_revision,
            prune=prune,
            keep_scale=keep_scale,
            by=by,
            why=why,
            ticket=ticket,
        )
        return self._asked(request, heard).map(lambda asked: asked.fleet.revision)

    def _of_container(
        self, name: str, request: Request, heard: Heard | None
    ) -> FutureResult[ContainerInfo, ContainerError]:
        def info(asked: Asked) -> Result[ContainerInfo, ContainerError]:
            container = asked.fleet.containers.get(name)
            if container is None:  # it has gone since the request was made first
                return Failure(ContainerNotFound(name=name))
            return Success(container_info(asked.fleet, container, asked.at))

        return self._asked(request, heard).bind_result(info)

    def _asked(
        self, request: Request, heard: Heard | None
    ) -> FutureResult[Asked, ContainerError]:
        return FutureResult(waits.asked(self._engine, request, heard))

    # Waiting

    def wait(
        self, name: str, for_: WaitFor = "ready", *, limit_ms: Millis | None = None
    ) -> FutureResult[ContainerInfo, ContainerError]:
        """Wait until a container is ready, stopped, completed, failed or settled.

        ``failed``: it has failed or crash-loops. ``settled``: it is ready, or at rest,
        or held; it stays there as far as its policy goes.
        Where that cannot come about any more, the answer is why: ``ContainerFailed``
        or ``CrashLoopDetected``. One that waits for what has failed has failed too.
        """
        return FutureResult(waits.wait(self._engine, name, for_, limit_ms))

    def converge(
        self, *, limit_ms: Millis | None = None, steady_ms: Millis = STEADY_MS
    ) -> FutureResult[tuple[ContainerInfo, ...], ContainerError]:
        """Wait until every container has come to rest or is ready, for *steady_ms*.

        No rollout goes on then, unless it waits for its owner.
        """
        return FutureResult(waits.converge(self._engine, limit_ms, steady_ms))

    def reconcile(
        self,
        *,
        by: str = "owner",
        why: str = "",
        ticket: Ticket | None = None,
        heard: Heard | None = None,
    ) -> FutureResult[ReconcileReport, ContainerError]:
        """Observe now, and close every difference; one outcome a container.

        The answer comes when the look is over and what it calls for is durable.
        """
        request = Reconcile(by=by, why=why, ticket=ticket)
        return FutureResult(waits.reconcile(self._engine, request, heard))

    def down(
        self,
        *,
        by: str = "owner",
        why: str = "",
        ticket: Ticket | None = None,
        heard: Heard | None = None,
    ) -> FutureResult[None, ContainerError]:
        """Stop everything: declared containers leave the fleet, ad-hoc ones stay.

        The answer comes when nothing runs any more. The next ``apply`` of the same
        fleet starts it again.
        """
        told = waits.Asker(by=by, why=why or "down", ticket=ticket, heard=heard)
        return FutureResult(downs.down(self._engine, told))

    def is_down(self, ticket: Ticket | None = None) -> bool:
        """Say whether nothing runs, or is to run since *ticket* was used first."""
        fleet = self.fleet
        used = None if ticket is None else fleet.tickets.used.get(ticket.key)
        return downs.is_down(fleet, None if used is None else used.at)
