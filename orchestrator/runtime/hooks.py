"""Hooks: what the owner's code is told, after it is durable.

In order for each container, at most once, with a time limit, never in replay. A hook
that raises or hangs is reported in the log and in the operator's count, by its type
only, and changes nothing else.
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
)
from orchestrator.core.exits import Outcome, outcome
from orchestrator.core.explain import ContainerInfo
from orchestrator.runtime.limits import call_limited

__all__ = ("Hooks", "hook_of")

LOG: Final = logging.getLogger("orchestrator.hooks")
LIMIT_S: Final = 10.0
WAITING_MAX: Final = 1_000
"""Calls that wait for one container; further ones are dropped and reported."""


def hook_of(event: Event) -> str | None:
    """Say which hook an event calls, if any."""
    match event:
        case ContainerStarted():
            return "on_start"
        case ContainerEnded(exit=exit_) if outcome(exit_) is Outcome.FAILURE:
            return "on_error"
        case ContainerEnded():
            return "on_stop"
        case ContainerErrored() | CommandFailed():
            return "on_error"
        case _:
            return None


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

    def wants(self, event: Event) -> bool:
        """Say whether anybody listens to an event."""
        hook = hook_of(event)
        return hook is not None and getattr(self._told, hook, None) is not None

    def call(self, event: Event, info: ContainerInfo) -> None:
        """Call the hook of an event, after those that wait for the container."""
        hook = hook_of(event)
        if hook is None:
            return
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
        LOG.warning("%s failed for %s: %s", hook, name, cause)

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
