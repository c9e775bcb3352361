"""Watches the engine: which containers were started, and which order each came of.

The engine's own stream of events tells of every start, also of a container that is gone
a moment later. What it was started with holds the nonce of its order.
"""

from __future__ import annotations

import json
import threading
from contextlib import suppress
from typing import Any, Final, Self
from urllib.parse import quote

import attrs

from orchestrator.testing import StartRun, StartSeen
from tests.bench.docker import SIDECAR_IMAGE, Docker, DockerError, OverSocket
from tests.platforms.cloudflare.real.ha_record import NONCE, moment

__all__ = ("Started", "StartsWatch")

EVENTS: Final = f"/events?filters={quote(json.dumps({'event': ['start']}))}"


@attrs.frozen(kw_only=True)
class Started:
    """A container that the engine has started; its nonce, if it could still be read."""

    id: str
    name: str
    nonce: str | None
    at: int


@attrs.define
class StartsWatch:
    """Reads the engine's events in a thread of its own, for a block."""

    docker: Docker
    own: str
    started: list[Started] = attrs.field(factory=list)
    _connection: OverSocket | None = None
    _thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self._connection = OverSocket(self.docker.socket)
        self._connection.request("GET", EVENTS)
        self._connection.sock.settimeout(None)
        stream = self._connection.getresponse()
        self._thread = threading.Thread(target=self._read, args=(stream,))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        assert self._connection is not None
        assert self._thread is not None
        with suppress(OSError):
            self._connection.sock.shutdown(2)
        self._thread.join(10)
        self._connection.close()

    def _read(self, stream: Any) -> None:
        with suppress(OSError, ValueError):
            for line in stream:
                self._note(json.loads(line)["Actor"])

    def _note(self, actor: dict[str, Any]) -> None:
        at, facts = moment(), actor["Attributes"]
        is_own = facts["name"].startswith(self.own)
        if not is_own or facts["image"] == SIDECAR_IMAGE:
            return
        nonce = None
        with suppress(DockerError, OSError):
            nonce = self.docker.environment(actor["ID"]).get(NONCE)
        self.started.append(
            Started(id=actor["ID"], name=facts["name"], nonce=nonce, at=at)
        )

    def seen(self, orders: dict[str, StartRun]) -> tuple[StartSeen, ...]:
        """Return which run each was; what nobody ordered is a run of its own name.

        What was gone before it could be looked at is left out.
        """
        found = []
        for one in list(self.started):
            if one.nonce is None:
                continue
            order = orders.get(one.nonce)
            found.append(
                StartSeen(
                    container=one.name if order is None else order.container,
                    run=0 if order is None else order.run,
                    identity=one.id[:12],
                    seen_at=one.at,
                )
            )
        return tuple(found)
