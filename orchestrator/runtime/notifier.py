"""Notices on their way: each command to send one ends in exactly one event.

No policy lives here: whether and when a notice is sent again is decided in the core.
The secret that signs, and those that the address names, are looked up as a notice is
sent, and are nowhere afterwards. Nothing here ever shows the address.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
import time
from collections.abc import Callable, Mapping
from typing import Final

import attrs
from returns.result import Failure

from orchestrator.codec.letters import letter_of
from orchestrator.core.commands import SendNotice
from orchestrator.core.events import Event
from orchestrator.core.notices import (
    Notice,
    NoticeDelivered,
    NoticeFailed,
    delivery_of,
)
from orchestrator.core.notify import Notify, is_notice_url
from orchestrator.core.state import Fleet
from orchestrator.core.templates import placeholders, render
from orchestrator.runtime.posting import post

__all__ = ("Envelope", "Notifier", "envelope_of", "signature")

LOG: Final = logging.getLogger("orchestrator.notices")

AT_ONCE: Final = 4
"""Notices that are on their way at once; the others wait for them."""

CLOSE_S: Final = 2.0
"""For those under way when the operator closes; they are sent again after boot."""


@attrs.frozen(kw_only=True)
class Envelope:
    """A notice, and how it is sent."""

    fleet: str
    notice: Notice
    notify: Notify
    attempt: int


def envelope_of(command: SendNotice, fleet: Fleet) -> Envelope | None:
    """Return what a command sends; None where there is nobody to tell any more."""
    notice = fleet.notices.open.get(str(command.number))
    notify = fleet.settings.notify
    if notice is None or notify is None:
        return None
    return Envelope(
        fleet=fleet.name, notice=notice, notify=notify, attempt=command.attempt
    )


def signature(secret: str, body: bytes, at_s: int) -> str:
    """Sign what is sent at a second: HMAC-SHA256 of ``SECOND.BODY``.

    >>> signature("key", b"{}", 5)[:24]
    't=5,v1=9be615aec64f0d044'

    """
    signed = f"{at_s}.".encode() + body
    digest = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
    return f"t={at_s},v1={digest}"


def _about(envelope: Envelope) -> dict[str, str | int]:
    """Return what a line of the log is about."""
    notice = envelope.notice
    return {"fleet": envelope.fleet, "container": notice.name, "run": notice.run}


class Notifier:
    """Sends notices, and hands on what came of each."""

    def __init__(
        self, secrets: Mapping[str, str], submit: Callable[[Event], None]
    ) -> None:
        """Look *secrets* up at each attempt; every outcome goes to *submit*."""
        self._secrets = secrets
        self._submit = submit
        self._at_once = asyncio.Semaphore(AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_closed = self._is_stopped = False

    def send(self, envelope: Envelope) -> None:
        """Send a notice; once closed none is: it is outstanding until the next boot."""
        if self._is_closed:
            return
        task = asyncio.ensure_future(self._sent(envelope))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def stop(self) -> None:
        """Begin to send none any more, not even those that wait for others."""
        self._is_closed = self._is_stopped = True

    async def close(self) -> None:
        """Let those under way finish, within a limit; give up the others."""
        self._is_closed = True
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=CLOSE_S)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _sent(self, envelope: Envelope) -> None:
        number = envelope.notice.number
        async with self._at_once:
            if self._is_stopped:
                return
            try:
                cause = await self._posted(envelope)
            except Exception as error:  # noqa: BLE001 - a bug must not lose the outcome
                # A traceback could show the address, so only the type is told.
                cause = f"it could not be sent: {type(error).__name__}"
        if cause is None:
            self._submit(NoticeDelivered(at=0, number=number))
            return
        LOG.warning(
            "%s: its notice %r was not delivered, attempt %d of %d: %s",
            *(envelope.notice.name, envelope.notice.kind.value, envelope.attempt),
            *(envelope.notify.attempts, cause),
            extra=_about(envelope),
        )
        self._submit(NoticeFailed(at=0, number=number, cause=cause))

    async def _posted(self, envelope: Envelope) -> str | None:
        notify, notice = envelope.notify, envelope.notice
        known: dict[str, str] = {}
        for place in placeholders(notify.url):
            if place.key in self._secrets:
                known[place.path] = self._secrets[place.key]
        url = render(notify.url, known)
        if isinstance(url, Failure):
            return f"its address names a secret that is missing: {url.failure()}"
        if not is_notice_url(url.unwrap()):
            return "its address is none, with the secrets filled in"
        body = letter_of(envelope.fleet, notice)
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "orchestrator",
            "Orchestrator-Delivery": delivery_of(envelope.fleet, notice),
            "Orchestrator-Event": notice.kind.value,
            "Orchestrator-Attempt": str(envelope.attempt),
        }
        if notify.secret is not None:
            if notify.secret not in self._secrets:
                return f"the secret that signs it is missing: {notify.secret}"
            secret = self._secrets[notify.secret]
            headers["Orchestrator-Signature"] = signature(
                secret, body, int(time.time())
            )
        return await post(url.unwrap(), headers, body, timeout_ms=notify.timeout_ms)
