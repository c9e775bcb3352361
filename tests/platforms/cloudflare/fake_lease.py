"""The lease of a faked gateway: what the registry object answers about it."""

from __future__ import annotations

import time
from typing import Any

import attrs

__all__ = ("FakeLease",)


def _now() -> int:
    return time.monotonic_ns() // 1_000_000


@attrs.define
class FakeLease:
    """Whose it is, until when; ``is_known``: the gateway knows leases at all."""

    is_known: bool = True
    epoch: int = 0
    holder: str | None = None
    since: int = 0
    ms: int = 0
    until: int = 0

    def refusal(self, claim: dict[str, Any] | None) -> dict[str, Any] | None:
        """Return the details of why somebody is not let in, if so."""
        held = self.told()
        mine = None if claim is None else claim["holder"]
        return None if held is None or held["holder"] == mine else held

    def grant(self, epoch: int, claim: dict[str, Any] | None) -> dict[str, Any] | None:
        self.epoch, self.since = epoch, _now()
        self.holder = None if claim is None else claim["holder"]
        self.ms = 0 if claim is None else claim["ms"]
        self.renew()
        return self.told()

    def renew(self) -> None:
        self.until = _now() + self.ms

    def release(self) -> None:
        self.holder = None

    def told(self) -> dict[str, Any] | None:
        left = self.until - _now()
        if self.holder is None or left <= 0:
            return None
        return {
            "epoch": self.epoch,
            "holder": self.holder,
            "since": self.since,
            "ms": self.ms,
            "expires_in_ms": left,
        }
