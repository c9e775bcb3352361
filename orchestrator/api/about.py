"""Handlers that tell of the operator itself: alive, ready, its release, its numbers."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from orchestrator.api import answers
from orchestrator.api.bodies import answer, written
from orchestrator.api.counts import Tally
from orchestrator.api.following import Followed
from orchestrator.api.metrics import scraped
from orchestrator.api.openapi import document
from orchestrator.api.queries import Asked
from orchestrator.codec.schema import SCHEMA
from orchestrator.core.state import RULES
from orchestrator.replay.absences import Absence, EndKind, absence_text
from orchestrator.runtime.leadership import Role
from orchestrator.runtime.operator import Operator
from orchestrator.runtime.telemetry import Telemetry

__all__ = ("About",)

API: Final = 1
"""The number in the paths."""


class About:
    """Answers what one operator says of itself."""

    def __init__(
        self,
        operator: Operator,
        version: str,
        telemetry: Telemetry | None,
        tally: Followed[Tally],
    ) -> None:
        """Tell of *operator*; *version* is that of the release.

        *tally* counts its containers.
        """
        self._operator = operator
        self._version = version
        self._telemetry = telemetry
        self._tally = tally
        self._document = written(document())

    async def health(self, _: web.Request, __: Asked) -> web.Response:
        """Say whether the operator is alive."""
        if not self._operator.is_alive:
            return answer(answers.Health(status="ended"), status=503)
        if self._operator.hangs:
            return answer(answers.Health(status="hangs"), status=503)
        return answer(answers.Health(status="ok"))

    async def readiness(self, _: web.Request, __: Asked) -> web.Response:
        """Say whether the operator looks after its fleet, or what is missing."""
        if self._operator.leadership.role is Role.STANDBY:
            return answer(answers.Readiness(status="standby"), status=503)
        missing = tuple(_missing(self._operator))
        if not missing:
            return answer(answers.Readiness(status="ready"))
        told = answers.Readiness(status="not_ready", missing=missing)
        return answer(told, status=503)

    async def leader(self, _: web.Request, __: Asked) -> web.Response:
        """Say who leads, and since when."""
        told = self._operator.leadership
        found = self._operator.absence
        return answer(
            answers.Leader(
                role=told.role,
                epoch=told.epoch,
                leader=told.leader,
                since=told.since,
                lease_ms=told.lease_ms,
                expires_in_ms=told.expires_in_ms,
                lag_rows=told.lag_rows,
                takeovers=told.takeovers,
                absence=None if found is None else _told(found),
            )
        )

    async def version(self, _: web.Request, __: Asked) -> web.Response:
        """Say which release answers."""
        return answer(
            answers.Version(version=self._version, schema=SCHEMA, rules=RULES, api=API)
        )

    async def metrics(self, _: web.Request, __: Asked) -> web.Response:
        """Answer the numbers that Prometheus asks for."""
        tally = await self._tally.now()
        body, media = await scraped(self._operator, tally, self._telemetry)
        return web.Response(body=body, headers={"Content-Type": media})

    async def openapi(self, _: web.Request, __: Asked) -> web.Response:
        """Answer how all of this is called."""
        return web.Response(body=self._document, content_type="application/json")


def _told(absence: Absence) -> answers.Absent:
    return answers.Absent(
        told=absence_text(absence),
        led_until=absence.led_until,
        led_again_at=absence.led_again_at,
        caught_up_at=absence.caught_up_at,
        crashes=absence.count(EndKind.CRASH),
        clean=absence.count(EndKind.CLEAN),
        lost=absence.count(EndKind.LOST),
        stopped=absence.count(EndKind.STOPPED),
        asleep=absence.count(EndKind.ASLEEP),
        going_on=absence.going_on,
        unseen=absence.unseen,
        strangers=len(absence.strangers),
    )


def _missing(operator: Operator) -> list[str]:
    """Return what an operator still needs before it can look after its fleet."""
    error = operator.journal_error
    needed = (
        (operator.is_alive, "a loop that runs"),
        (operator.fleet.observed, "a first complete look at the platform"),
        (error is None, "a journal that can be written"),
    )
    return [what for is_there, what in needed if not is_there]
