"""The client of Cloudflare's public REST API for containers.

Every operation answers a value or a ``PlatformError``; none raises. What the API does
not promise is read with tolerance, what it does promise is checked. There is no way
to start or to stop an instance here: that is the gateway's, inside the account.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from types import TracebackType
from typing import Any, Final, Self, TypeVar

import aiohttp
from returns.future import FutureResult
from returns.result import Result

from orchestrator.core.errors import PlatformError
from orchestrator.core.moments import Millis
from orchestrator.platforms.cloudflare.rest import bringing, calls, flows
from orchestrator.platforms.cloudflare.rest.bringing import Goal, MayBegin
from orchestrator.platforms.cloudflare.rest.errors import Trouble
from orchestrator.platforms.cloudflare.rest.http import (
    RestHttp,
    RestLimits,
    RestTiming,
)
from orchestrator.platforms.cloudflare.rest.requests import (
    ApplicationChange,
    ApplicationDraft,
    RolloutDraft,
)
from orchestrator.platforms.cloudflare.rest.types import (
    Application,
    Configuration,
    Creation,
    ImagePreparation,
    Instance,
    RolloutSight,
    RolloutStart,
    Version,
)
from orchestrator.platforms.port import RollSight

__all__ = ("BASE_URL", "RestClient", "RestLimits")

T = TypeVar("T")

BASE_URL: Final = "https://api.cloudflare.com/client/v4"
DEFAULT_LIMITS: Final = RestLimits()
IMAGE_LIMIT_MS: Final[Millis] = 15 * 60_000
IMAGE_EVERY_MS: Final[Millis] = 2_000


def _monotonic_ms() -> Millis:
    return time.monotonic_ns() // 1_000_000


class RestClient:
    """Containers of one account, as the public API shows and changes them."""

    def __init__(
        self,
        account_id: str,
        token: str,
        *,
        base_url: str = BASE_URL,
        session: aiohttp.ClientSession | None = None,
        limits: RestLimits = DEFAULT_LIMITS,
        now_ms: Callable[[], Millis] = _monotonic_ms,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Ask with *token*; a *session* that is given stays the caller's to close."""
        if not calls.is_id(account_id):
            raise ValueError(f"{account_id!r} is no account id")
        self._account_id = account_id
        self._http = RestHttp(
            f"{base_url.rstrip('/')}/accounts/{account_id}/containers",
            token.strip(),
            session=session,
            limits=limits,
            timing=RestTiming(now_ms=now_ms, sleep=sleep),
        )
        self._writes = asyncio.Lock()

    def __repr__(self) -> str:
        """Name the account, and nothing that is secret."""
        return f"RestClient(account_id={self._account_id!r})"

    async def __aenter__(self) -> Self:
        """Return the client; it opens its session with the first request."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the client."""
        await self.close()

    async def close(self) -> None:
        """Let go of the connections; what is asked later is ``Unreachable``."""
        await self._http.close()

    def applications(
        self, *, name: str | None = None, image: str | None = None
    ) -> FutureResult[tuple[Application, ...], PlatformError]:
        """List all applications, or those of a name or an image."""
        return _told(calls.list_applications(self._http, name=name, image=image))

    def application(
        self, application_id: str
    ) -> FutureResult[Application | None, PlatformError]:
        """Read an application; None if there is none of that id."""
        return _told(calls.get_application(self._http, application_id))

    def create_application(
        self, draft: ApplicationDraft
    ) -> FutureResult[Creation, PlatformError]:
        """Make an application, or find the one that already stands for the draft.

        Asked again after a lost answer it finds the first one: there are never two.
        """
        return _told(self._in_turn(lambda: flows.create_once(self._http, draft)))

    def change_application(
        self, application_id: str, change: ApplicationChange
    ) -> FutureResult[Application, PlatformError]:
        """Change what can change without a rollout; twice is the same as once."""
        return _told(calls.change_application(self._http, application_id, change))

    def delete_application(
        self, application_id: str
    ) -> FutureResult[bool, PlatformError]:
        """Have an application and its instances deleted; False if there was none."""
        return _told(calls.delete_application(self._http, application_id))

    def instances(
        self,
        application_id: str,
        *,
        state: str | None = None,
        name_prefix: str | None = None,
    ) -> FutureResult[tuple[Instance, ...], PlatformError]:
        """List instances: all, the ``active``, the ``not-active``, or by a prefix."""
        return _told(
            calls.list_instances(
                self._http, application_id, state=state, name_prefix=name_prefix
            )
        )

    def instance(
        self, application_id: str, instance_id: str
    ) -> FutureResult[Instance | None, PlatformError]:
        """Read an instance; None if there is none of that id."""
        return _told(calls.get_instance(self._http, application_id, instance_id))

    def versions(
        self, application_id: str
    ) -> FutureResult[tuple[Version, ...], PlatformError]:
        """List the versions of an application of the scheduler."""
        return _told(calls.list_versions(self._http, application_id))

    def create_rollout(
        self, application_id: str, draft: RolloutDraft, *, replaces: bool = False
    ) -> FutureResult[RolloutStart, PlatformError]:
        """Begin a rollout; while another is under way only if it *replaces* that."""
        return _told(
            self._in_turn(
                lambda: flows.start_rollout_once(
                    self._http, application_id, draft, replaces=replaces
                )
            )
        )

    def observe_rollout(
        self, application_id: str
    ) -> FutureResult[RolloutSight, PlatformError]:
        """See how far a rollout is: application, versions, images of instances."""
        return _told(flows.observe_rollout(self._http, application_id))

    def bring(
        self, goal: Goal, may_begin: MayBegin
    ) -> FutureResult[RollSight, PlatformError]:
        """Bring an image to an application: begun once, and said how far it is."""
        return _told(self._in_turn(lambda: bringing.bring(self._http, goal, may_begin)))

    def configurations(
        self, name: str
    ) -> FutureResult[tuple[Configuration, ...], PlatformError]:
        """Return what instances of the application of a name may be made of now."""
        return _told(bringing.configurations(self._http, name))

    def prepare_image(
        self, image: str
    ) -> FutureResult[ImagePreparation, PlatformError]:
        """Ask once for an image to be brought to where instances start."""
        return _told(calls.prepare_image(self._http, image))

    def wait_for_image(
        self,
        image: str,
        *,
        limit_ms: Millis = IMAGE_LIMIT_MS,
        every_ms: Millis = IMAGE_EVERY_MS,
    ) -> FutureResult[ImagePreparation, PlatformError]:
        """Ask for an image until it is ready, or is known never to be."""
        return _told(
            flows.wait_for_image(
                self._http, image, limit_ms=limit_ms, every_ms=every_ms
            )
        )

    async def _in_turn(
        self, work: Callable[[], Coroutine[Any, Any, Result[T, Trouble]]]
    ) -> Result[T, Trouble]:
        """Do one such write after another: two at once would both find nothing."""
        async with self._writes:
            return await work()


def _told(
    work: Coroutine[Any, Any, Result[T, Trouble]],
) -> FutureResult[T, PlatformError]:
    return FutureResult(work).alt(lambda trouble: trouble.error)
