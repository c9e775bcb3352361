"""Hooks: what the owner's code is told, after it is durable.

In order for each container, at most once, with a time limit, never in replay. A hook
that raises or hangs is reported in the log and in the operator's count, by its type
only, and changes nothing else.

``on_start``: a run has a process. ``on_error``: it has ended, and its policy judges
that a failure; its liveness check fails; the platform reports trouble, or has not
carried out a command. ``on_stop``: it has ended otherwise. The end of a run whose
liveness check failed is an ``on_stop``, too: that it failed was told before.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from orchestrator.core.events import (
    CommandFailed,
    ContainerEnded,
    ContainerErrored,
    ContainerStarted,
    Event,
    HealthChanged,
)
from orchestrator.core.exits import Outcome, Unhealthy
from orchestrator.core.explain import ContainerInfo, container_info
from orchestrator.core.health import CheckKind
from orchestrator.core.policies import judged
from orchestrator.core.state import Container
from orchestrator.core.steps import Step
from orchestrator.runtime.limits import call_limited

__all__ = ("Hooks", "hook_of")

LOG: Final = logging.getLogger("orchestrator.hooks")
LIMIT_S: Final = 10.0
WAITING_MAX: Final = 1_000
"""Calls that wait for one container; further ones are dropped and reported."""


def hook_of(event: Event, container: Container) -> str | None:
    """Say which hook an event calls, if any; *container* is the one after it."""
    match event:
        case ContainerStarted():
            return "on_start"
        case HealthChanged(check=CheckKind.LIVENESS, passing=False):
            return "on_error"
        case ContainerEnded() if _is_error(event, container):
            return "on_error"
        case ContainerEnded():
            return "on_stop"
        case ContainerErrored() | CommandFailed():
            return "on_error"
        case _:
            return None


def _is_error(event: ContainerEnded, container: Container) -> bool:
    """Say whether an end is a failure that was not told yet."""
    last = container.last
    verdict = event.exit if last is None or last.run != event.run else last.exit
    if isinstance(verdict, Unhealthy):
        return False
    return judged(container.spec.restart, verdict).outcome is Outcome.FAILURE


class Hooks:
    """The owner's object: any of ``on_start``, ``on_stop``, ``on_error``.

    Each is called with the ``ContainerInfo`` and the event; plain or ``async``.
    """

    def __init__(self, told: object | None, limit_s: float = LIMIT_S) -> None:
        """Call the methods that *told* has."""
        self._told = told
        self._limit_s = limit_s
        self._waiting: dict[str, deque[tuple[str, ContainerInfo, Event]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.failures = 0

    def see(self, step: Step) -> None:
        """Tell of a step that has become durable whoever listens to it."""
        event, fleet = step.event, step.after
        name = getattr(event, "name", None)
        container = None if name is None else fleet.containers.get(name)
        if container is None:
            return
        hook = hook_of(event, container)
        if isinstance(event, HealthChanged) and hook is not None:
            LOG.warning(
                "%s is ended: its liveness check fails (%s)",
                *(name, event.cause),
                extra={"fleet": fleet.name, "container": name, "run": event.run},
            )
        if hook is not None and getattr(self._told, hook, None) is not None:
            self.call(hook, event, container_info(fleet, container, event.at))

    def call(self, hook: str, event: Event, info: ContainerInfo) -> None:
        """Call a hook, after those that wait for the container."""
        waiting = self._waiting.get(info.name)
        if waiting is None:
            self._waiting[info.name] = deque([(hook, info, event)])
            task = asyncio.ensure_future(self._work_off(info.name))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        elif len(waiting) < WAITING_MAX:
            waiting.append((hook, info, event))
        else:
            self._report(hook, info.name, "dropped: too many wait")

    async def _work_off(self, name: str) -> None:
        waiting = self._waiting[name]
        while waiting:
            hook, info, event = waiting.popleft()
            function: Callable[..., Any] = getattr(self._told, hook)
            try:
                await call_limited(function, info, event, limit_s=self._limit_s)
            except Exception as error:  # noqa: BLE001 - it is the owner's code
                self._report(hook, name, type(error).__name__)
        del self._waiting[name]

    def _report(self, hook: str, name: str, cause: str) -> None:
        self.failures += 1
        about = {"container": name}
        LOG.warning("%s failed for %s: %s", hook, name, cause, extra=about)

    async def close(self) -> None:
        """Wait for the calls under way, for as long as one may take; drop the rest."""
        if not self._tasks:
            return
        _, late = await asyncio.wait(self._tasks, timeout=self._limit_s)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        for name, waiting in self._waiting.items():
            for hook, _, _ in waiting:
                self._report(hook, name, "dropped: the operator has ended")
