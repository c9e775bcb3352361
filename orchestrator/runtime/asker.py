"""One question of a health check, from the spec to what the answer counts as.

Texts are filled in at the moment of asking, so that a changed secret takes effect with
the next question; what was filled in is nowhere afterwards. What the container answers
counts for or against it. Everything else is *unknown*: the platform was not reached,
did not answer in time, knows another run; a secret is missing; an adapter has a bug.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Final

import attrs
from returns.result import Failure, Result

from orchestrator.core.errors import PlatformError, Refused, SecretMissing, StartError
from orchestrator.core.health import CheckKind, CommandProbe, HealthCheck
from orchestrator.core.moments import Millis
from orchestrator.core.phases import Running, live_run
from orchestrator.core.state import Container, Fleet
from orchestrator.core.tallies import Answer
from orchestrator.platforms.port import Platform, Question, Reply
from orchestrator.runtime.environment import Surroundings, fill_probe, names_port
from orchestrator.runtime.outcomes import settled

__all__ = ("Asker", "Heard")

LOG: Final = logging.getLogger("orchestrator.health")

PATIENCE_MS: Final[Millis] = 5_000
"""Beyond a question's own timeout, for the platform to say what came of it."""

CAUSE_MAX: Final = 200
"""Characters of a cause, as it stands in the journal."""


@attrs.frozen(kw_only=True)
class Heard:
    """What a question came to, and from what that was told; nothing secret.

    ``in_vain``: no answer will ever come before the owner has mended something.
    """

    answer: Answer
    detail: str
    in_vain: bool = False


class Asker:
    """Asks a platform the questions of health checks."""

    def __init__(self, platform: Platform, secrets: Mapping[str, str]) -> None:
        """Ask *platform*; texts may name *secrets*."""
        self._platform = platform
        self._secrets = secrets

    async def ask(
        self, fleet: Fleet, container: Container, kind: CheckKind, check: HealthCheck
    ) -> Heard:
        """Ask the live run of a container once; only a cancellation is raised."""
        limit_s = (check.timeout_ms + PATIENCE_MS) / 1_000
        try:
            async with asyncio.timeout(limit_s):
                found = await self._asked(fleet, container, check)
        except TimeoutError:
            return Heard(answer=Answer.UNKNOWN, detail="the platform did not answer")
        except Exception as error:  # noqa: BLE001 - a bug must not end the asking
            # A traceback could show a header, so only the type is told.
            LOG.error(  # noqa: TRY400
                "%s: its %s check could not be asked: %s",
                *(container.name, kind, type(error).__name__),
                extra={"container": container.name, "run": container.run},
            )
            return Heard(answer=Answer.UNKNOWN, detail=type(error).__name__)
        return _heard(found)

    async def _asked(
        self, fleet: Fleet, container: Container, check: HealthCheck
    ) -> Reply | PlatformError | StartError:
        question = await self._question(fleet, container, check)
        if isinstance(question, Failure):
            missing: PlatformError | StartError = question.failure()
            return missing
        return await settled(self._platform.probe(question.unwrap()))

    async def _question(
        self, fleet: Fleet, container: Container, check: HealthCheck
    ) -> Result[Question, PlatformError | StartError]:
        spec, probe = container.spec, check.probe
        ports: Mapping[str, int] = {}
        if names_port(probe):
            given = await settled(self._platform.ports(spec))
            if isinstance(given, PlatformError):
                return Failure(given)
            ports = given
        around = Surroundings(
            fleet=fleet.name,
            name_key=fleet.settings.container_name_env_key,
            ports=ports,
            secrets=self._secrets,
        )
        port = "" if isinstance(probe, CommandProbe) else probe.port
        phase = container.phase
        known = phase.addresses.get(port) if isinstance(phase, Running) else None
        run = live_run(phase) or container.run
        return fill_probe(probe, spec, around).map(
            lambda filled: Question(
                name=container.name,
                run=run,
                epoch=fleet.epoch,
                probe=filled,
                address=known or "",
                timeout_ms=check.timeout_ms,
            )
        )


def _heard(found: Reply | PlatformError | StartError) -> Heard:
    match found:
        case Reply(passed=passed, detail=detail):
            answer = Answer.PASSED if passed else Answer.FAILED
            return Heard(answer=answer, detail=detail[:CAUSE_MAX])
        case _:
            return Heard(
                answer=Answer.UNKNOWN,
                detail=found.message[:CAUSE_MAX],
                in_vain=isinstance(found, Refused | SecretMissing),
            )
