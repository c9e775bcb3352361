"""The laws of ``Platform.probe``: who is asked, and what an answer may be.

Of what runs and is ready:

* each of its ports accepts a connection;
* what the spec names as its health checks passes (their words have nothing to fill);
* a question in HTTP has an answer, whatever the container speaks: one that does not
  know HTTP has not passed, and that is no failure of the platform;
* a question about another run is ``StaleRun``, and nobody is asked;
* asking changes nothing.

What has ended, or never was, does not pass: it fails, or nobody can tell.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import attrs

from orchestrator.core.errors import StaleRun
from orchestrator.core.health import CommandProbe, HttpProbe, Probe, TcpProbe
from orchestrator.core.moments import Millis
from orchestrator.core.specs import ContainerSpec
from orchestrator.platforms.port import Platform, Question, Reply
from orchestrator.runtime.outcomes import settled

__all__ = ("Asker",)

TIMEOUT_MS: Final[Millis] = 5_000
"""For one answer; a container that does not know HTTP may use all of it."""


@attrs.frozen(kw_only=True)
class Asker:
    """Asks one run of one container, at the *addresses* it was said to listen at."""

    platform: Platform
    spec: ContainerSpec
    run: int
    epoch: int
    addresses: Mapping[str, str]

    def question(self, probe: Probe) -> Question:
        """Return the question that a probe puts to the run."""
        port = "" if isinstance(probe, CommandProbe) else probe.port
        return Question(
            name=self.spec.name,
            run=self.run,
            epoch=self.epoch,
            probe=probe,
            address=self.addresses.get(port, ""),
            timeout_ms=TIMEOUT_MS,
        )

    async def holds_what_runs(self) -> None:
        """Hold the platform to the laws about a run that is ready."""
        probes: list[Probe] = [TcpProbe(port=port) for port in self.spec.ports]
        probes += [check.probe for _, check in self.spec.health.all()]
        for probe in probes:
            reply = await self._reply(probe)
            passed = isinstance(reply, Reply) and reply.passed
            _holds("what is ready passes", passed, reply)
        for port in self.spec.ports:
            reply = await self._reply(HttpProbe(port=port))
            is_answer = isinstance(reply, Reply)
            _holds("a question in HTTP has an answer", is_answer, reply)
        await self._refuses_another_run()

    async def _refuses_another_run(self) -> None:
        asked = self.question(self._any())
        earlier = attrs.evolve(asked, run=self.run - 1)
        found = await settled(self.platform.probe(earlier))
        stale = StaleRun(name=self.spec.name, run=self.run - 1, highest=self.run)
        _holds("an earlier run is not asked", found == stale, found)
        later = attrs.evolve(asked, run=self.run + 1)
        found = await settled(self.platform.probe(later))
        _holds("nor is one that never was", isinstance(found, StaleRun), found)

    async def holds_what_is_gone(self) -> None:
        """Hold the platform to the law about a run that has ended or never was."""
        asked = self.question(self._any())
        for question in (asked, attrs.evolve(asked, name="nobody-knows")):
            found = await settled(self.platform.probe(question))
            passed = isinstance(found, Reply) and found.passed
            _holds("what is gone does not pass", not passed, found)

    async def _reply(self, probe: Probe) -> object:
        return await settled(self.platform.probe(self.question(probe)))

    def _any(self) -> Probe:
        """Return some probe that the container can be asked with."""
        port = next(iter(self.spec.ports), None)
        return CommandProbe(command=("true",)) if port is None else TcpProbe(port=port)


def _holds(law: str, is_so: bool, found: object) -> None:  # noqa: FBT001 - it reads so
    if not is_so:
        raise AssertionError(f"{law}: found {found}")
