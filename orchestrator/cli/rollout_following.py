"""Rollouts that are followed to their end: each change on a line, then an exit code."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any, Final

import attrs
import click

from orchestrator.cli.client import Client
from orchestrator.cli.failing import Failed
from orchestrator.cli.plain import cleaned
from orchestrator.cli.rollout_words import hint_of, line_of, progress_of
from orchestrator.cli.shown import clock_time, now_ms
from orchestrator.core.moments import Millis, format_duration

__all__ = (
    "BACK",
    "AppliedRollouts",
    "Showing",
    "followed",
    "known_rollouts",
    "told_back",
    "untried",
)

Info = dict[str, Any]

ENDED: Final = frozenset({"done", "reverted", "held", "superseded"})

LOOK_S: Final = 0.2
LOOKS: Final = 4
"""A look may take so much less time than there is between two, at most."""

TIMED_OUT: Final = 3
BACK: Final = 9
"""The rollout did not come to its end: it was reverted, held, aborted, superseded."""

UNREACHABLE: Final = 5


def known_rollouts(client: Client) -> dict[str, Info]:
    """Return the newest rollout of each service, by its name."""
    try:
        return {str(info["service"]): info for info in client.get("rollouts")}
    except Failed as error:
        if error.code == UNREACHABLE:
            raise
        return {}  # an operator of a release that knows none


@attrs.define(kw_only=True)
class Showing:
    """Shows what is new of some rollouts; *err*: on the error stream."""

    err: bool
    shown: dict[str, tuple[Any, ...]] = attrs.field(factory=dict[str, tuple[Any, ...]])

    def show(self, infos: Iterable[Info]) -> None:
        """Write a line for each rollout that is not where it was shown."""
        for info in infos:
            where = tuple(info[key] for key in _TOLD)
            known = self.shown.get(info["service"])
            if known == where:
                continue
            self.shown[info["service"]] = where
            line = line_of(info)
            if info["status"] not in ENDED:
                line = f"{line}; {progress_of(info)}"
            self._say(line)
            is_news = known is None or known[0] != info["status"]
            hint = hint_of(info) if is_news else None
            if hint is not None:
                self._say(f"{info['service']}: {hint}")

    def _say(self, text: str) -> None:
        click.echo(cleaned(f"{clock_time(now_ms())}  {text}"), err=self.err)


_TOLD: Final = (
    "status",
    "revision",
    "began_at",
    "step",
    "goal",
    "counted",
    "moved",
    "failures",
    "reason",
)
"""What makes a rollout news."""


@attrs.define(kw_only=True)
class AppliedRollouts:
    """The rollouts that an apply led to: ``found``, the newest by service.

    They are those of *services* that go on, and those that were not there *before*.
    """

    client: Client
    services: frozenset[str]
    before: dict[str, Info]
    showing: Showing
    found: dict[str, Info] = attrs.field(factory=dict[str, Info])

    def look(self) -> bool:
        """Show what is new of them; say whether any goes on."""
        if not self.services:
            return False
        for service, info in known_rollouts(self.client).items():
            known = self.before.get(service)
            is_old = known is not None and _which(known) == _which(info)
            goes_on = info["status"] not in ENDED
            is_meant = goes_on or not is_old or service in self.found
            if is_meant and service in self.services:
                self.found[service] = info
        self.showing.show(self.found.values())
        return any(info["status"] not in ENDED for info in self.found.values())

    def judged(self, *, is_news: bool) -> str | None:
        """Tell those that did not come to their end; return how the first ended.

        Where the apply has changed nothing (*is_news* is false), those belong to them
        that have failed before with what is declared: nobody tries it again.
        """
        if not is_news:
            for service, info in untried(self.before, self.services).items():
                self.found.setdefault(service, info)
        back = [info for info in self.found.values() if info["status"] in _BACK]
        for info in back:
            click.echo(cleaned(told_back(info)), err=True)
        return str(back[0]["status"]) if back else None

    def tell_late(self) -> None:
        """Tell which of them go on when the time is up."""
        for info in self.found.values():
            if info["status"] not in ENDED:
                click.echo(cleaned(f"  {line_of(info)}"), err=True)


_BACK: Final = ENDED - {"done"}


def untried(rollouts: dict[str, Info], services: frozenset[str]) -> dict[str, Info]:
    """Return those of *services* that have failed with what is declared now.

    An apply of the same file does not try them again.
    """
    return {
        service: info
        for service, info in rollouts.items()
        if service in services
        and info["status"] in {"reverted", "held"}
        and info.get("declared", False)
    }


def told_back(info: Info) -> str:
    """Say where a rollout is that did not come to its end, and what its owner can do.

    >>> told_back({"service": "web", "status": "held", "revision": 3, "reason": "",
    ...            "until": None, "back_to": None})  # doctest: +ELLIPSIS
    'web: the rollout to revision 3 is held; `orchestrator rollout start web` ...'

    """
    hint = hint_of(info)
    return line_of(info) if hint is None else f"{line_of(info)}; {hint}"


def _which(info: Info) -> tuple[Any, ...]:
    """Tell rollouts of a service from one another."""
    return info["revision"], info["began_at"]


def _newest(client: Client, service: str) -> Info:
    try:
        info: Info = client.get("services", service, "rollout")
    except Failed as error:
        if error.code != UNREACHABLE:
            raise
        told = "the rollout goes on when its operator runs again"
        raise Failed(f"{error.message}\n{told}", UNREACHABLE) from None
    return info


def followed(
    client: Client, service: str, limit_ms: Millis, *, good: frozenset[str], err: bool
) -> tuple[Info, int]:
    """Follow the newest rollout of a service; return how it ended, and the exit code.

    It is 0 where it ends in one of the statuses *good*.
    """
    end = time.monotonic() + limit_ms / 1_000
    showing = Showing(err=err)
    while True:
        began = time.monotonic()
        info = _newest(client, service)
        showing.show([info])
        if info["status"] in ENDED:
            return info, 0 if info["status"] in good else BACK
        now = time.monotonic()
        if now > end:
            late = f"not over after {format_duration(limit_ms)}; it goes on"
            click.echo(cleaned(late), err=True)
            return info, TIMED_OUT
        time.sleep(max(LOOK_S, (now - began) * LOOKS))
