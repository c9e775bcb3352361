"""Commands to the platform, outcomes to events. No policy lives here.

It neither retries nor waits nor decides: it bounds time and concurrency, keeps the
commands of one container in order, and turns each into exactly one event.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeAlias, assert_never

import attrs
from returns.result import Failure

from orchestrator.core.commands import (
    ContainerCommand,
    DestroyContainer,
    ForgetContainer,
    StartContainer,
    StopContainer,
)
from orchestrator.core.errors import (
    ContainerStartFailed,
    PlatformError,
    StartError,
    TimedOut,
    Unreachable,
)
from orchestrator.core.events import (
    COMMAND_KINDS,
    CommandAccepted,
    CommandFailed,
    Event,
)
from orchestrator.core.fingerprints import fingerprint
from orchestrator.core.moments import Millis
from orchestrator.core.observations import Observation
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.state import Fleet
from orchestrator.platforms.port import (
    Accepted,
    DestroyOrder,
    ForgetOrder,
    Order,
    Platform,
    StartOrder,
    StopOrder,
)
from orchestrator.runtime.environment import EnvVars, Surroundings, fill
from orchestrator.runtime.notifier import Envelope, Notifier
from orchestrator.runtime.outcomes import settled
from orchestrator.runtime.secrets import Secrets
from orchestrator.runtime.telemetry import Telemetry

__all__ = ("Interpreter", "Limits", "Setting", "setting_of")

LOG: Final = logging.getLogger("orchestrator.interpreter")


@attrs.frozen(kw_only=True)
class Limits:
    """What bounds the interpreter, the asking of health checks, and of rollouts."""

    at_once: int = 32
    questions_at_once: int = 128
    command_ms: Millis = 30_000
    observe_ms: Millis = 60_000
    roll_every_ms: Millis = 5_000


@attrs.frozen(kw_only=True)
class Setting:
    """What a command was given in: the spec that was meant, and the fleet's facts."""

    spec: ContainerSpec | None
    fleet: str
    name_key: str
    epoch: int


def setting_of(command: ContainerCommand, fleet: Fleet) -> Setting:
    """Return what a command is given in."""
    spec = None
    if isinstance(command, StartContainer):
        container = fleet.containers.get(command.name)
        spec = None if container is None else container.spec
    return Setting(
        spec=spec,
        fleet=fleet.name,
        name_key=fleet.settings.container_name_env_key,
        epoch=fleet.epoch,
    )


Ordered: TypeAlias = tuple[ContainerCommand, Setting]


class Interpreter:
    """Carries out commands, and hands their outcomes on."""

    def __init__(
        self,
        platform: Platform,
        secrets: Secrets,
        env_vars: EnvVars | None,
        submit: Callable[[Event], None],
        limits: Limits,
        telemetry: Telemetry | None = None,
    ) -> None:
        """Talk to *platform*; every outcome goes to *submit*."""
        self._telemetry = telemetry or Telemetry()
        self._platform = platform
        self._secrets = secrets
        self._env_vars = env_vars
        self._submit = submit
        self._limits = limits
        self._waiting: dict[str, deque[Ordered]] = {}
        self._ready: deque[str] = deque()
        self._workers = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_closed = False
        self._notifier = Notifier(secrets, submit)

    def carry_out(self, command: ContainerCommand, setting: Setting) -> None:
        """Carry out a command, after those that wait for the same container.

        Once closed it takes none: it is outstanding, and given again after boot.
        """
        if self._is_closed:
            return
        waiting = self._waiting.get(command.name)
        if waiting is not None:
            waiting.append((command, setting))
            return
        self._waiting[command.name] = deque([(command, setting)])
        self._ready.append(command.name)
        if self._workers < self._limits.at_once:
            self._workers += 1
            self._begin(self._work())

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def look(self, tell: Callable[[Observation | PlatformError], None]) -> None:
        """Observe the platform, and tell what was seen or why nothing was."""
        if not self._is_closed:
            self._begin(self._look(tell))

    def notify(self, envelope: Envelope | None) -> None:
        """Send a notice of trouble, if there is somebody to tell."""
        if envelope is not None:
            self._notifier.send(envelope)

    def stop(self) -> None:
        """Take nothing more, and give up what waits, notices too."""
        self._take_no_more()
        self._notifier.stop()

    def _take_no_more(self) -> None:
        self._is_closed = True
        for name in self._ready:
            del self._waiting[name]
        self._ready.clear()
        for waiting in self._waiting.values():
            waiting.clear()

    async def close(self, grace_s: float) -> None:
        """Let what is under way finish, within limits; give up what waits."""
        self._take_no_more()
        await self._notifier.close()
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=grace_s)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _look(self, tell: Callable[[Observation | PlatformError], None]) -> None:
        try:
            async with asyncio.timeout(self._limits.observe_ms / 1_000):
                with self._telemetry.looking():
                    seen = await settled(self._platform.observe())
            tell(seen)
        except TimeoutError:
            tell(TimedOut(after_ms=self._limits.observe_ms))
        except Exception as error:
            LOG.exception("the platform adapter failed to observe")
            tell(Unreachable(cause=type(error).__name__))

    async def _work(self) -> None:
        """Carry out what is ready, one container after the other, until nothing is.

        There are as many workers as there may be commands at once, and none longer
        than it is needed: a hundred thousand commands that wait are no tasks.
        """
        try:
            while self._ready:
                await self._work_off(self._ready.popleft())
        finally:
            self._workers -= 1

    async def _work_off(self, name: str) -> None:
        waiting = self._waiting[name]
        try:
            while waiting:
                command, setting = waiting.popleft()
                with self._telemetry.carrying_out(command, setting.fleet) as told:
                    error = await self._bounded(command, setting)
                    told(error)
                self._submit(_event(command, error))
        finally:
            del self._waiting[name]

    async def _bounded(
        self, command: ContainerCommand, setting: Setting
    ) -> PlatformError | StartError | None:
        try:
            async with asyncio.timeout(self._limits.command_ms / 1_000):
                return await self._perform(command, setting)
        except TimeoutError:
            return TimedOut(after_ms=self._limits.command_ms)
        except Exception as error:  # noqa: BLE001 - a bug must not lose the outcome
            # A traceback could show an environment, so only the type is told.
            about = {"container": command.name, "run": command.run}
            cause = type(error).__name__
            LOG.error("the platform adapter failed: %s", cause, extra=about)  # noqa: TRY400
            return Unreachable(cause=cause)

    async def _perform(
        self, command: ContainerCommand, setting: Setting
    ) -> PlatformError | StartError | None:
        order: Order | PlatformError | StartError
        name, run, epoch = command.name, command.run, setting.epoch
        match command:
            case StartContainer():
                order = await self._start_order(command, setting)
            case StopContainer(signal=signal, grace_ms=grace_ms):
                order = StopOrder(
                    name=name, run=run, epoch=epoch, signal=signal, grace_ms=grace_ms
                )
            case DestroyContainer():
                order = DestroyOrder(name=name, run=run, epoch=epoch)
            case ForgetContainer():
                order = ForgetOrder(name=name, run=run, epoch=epoch)
            case _:
                assert_never(command)
        if not isinstance(order, Order):
            return order
        answer = await settled(self._platform.perform(order))
        return None if isinstance(answer, Accepted) else answer

    async def _start_order(
        self, command: StartContainer, setting: Setting
    ) -> StartOrder | PlatformError | StartError:
        spec = setting.spec
        if spec is None:  # the container has left the fleet meanwhile
            return ContainerStartFailed(name=command.name, cause="it has been removed")
        ports = await settled(self._platform.ports(spec))
        if isinstance(ports, PlatformError):
            return ports
        around = Surroundings(
            fleet=setting.fleet,
            name_key=setting.name_key,
            ports=ports,
            secrets=self._secrets,
            env_vars=self._env_vars,
        )
        filled = await fill(spec, around)
        if isinstance(filled, Failure):
            missing: StartError | PlatformError = filled.failure()
            return missing
        ready = filled.unwrap()
        return StartOrder(
            name=command.name,
            run=command.run,
            epoch=setting.epoch,
            revision=command.revision,
            fingerprint=fingerprint(spec),
            spec=spec,
            command=ready.command,
            env=ready.env,
            ports=ports,
        )


def _event(
    command: ContainerCommand, error: PlatformError | StartError | None
) -> Event:
    """Return the one event that a command ends in; the loop stamps it."""
    kind = COMMAND_KINDS[type(command)]
    name, run = command.name, command.run
    if error is None:
        return CommandAccepted(at=0, name=name, run=run, kind=kind)
    return CommandFailed(at=0, name=name, run=run, kind=kind, error=error)
