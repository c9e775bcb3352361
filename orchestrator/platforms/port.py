"""The platform port: where containers run, as the runtime sees it.

An adapter carries out orders and tells what it sees; it decides nothing. Its laws
(``orchestrator.testing``):

* an order is keyed by run: the same one twice does the same as once; a start below
  the highest run seen is refused as ``StaleRun``; an order of a lower epoch than the
  newest granted is refused as ``StaleOperator``;
* ``perform`` answers when the order is *accepted*, within seconds; started, ready and
  ended arrive as events, each at least once, in order per run;
* every run that was accepted ends in exactly one ``ContainerEnded`` (perhaps told
  more than once); a stop of a run that the platform does not have is told as ended,
  too;
* a stop keeps its promise (signal, grace, kill) although the operator is gone;
* ``observe`` is complete, or says that it is not;
* ``probe`` asks and changes nothing: it neither keeps awake nor counts as use;
* an operator that was replaced is told so: its orders and looks are refused as
  ``StaleOperator``, and its stream ends in ``StreamRefused``, where there is a way;
* where it ``rolls``: ``roll`` asked again is the same as asked once, and says *done*
  only where every instance of the service has the image.

Events that an adapter yields carry the platform's own stamp in both ``at`` and
``source_at``; the operator stamps ``at`` anew on arrival.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Protocol, TypeAlias, runtime_checkable

import attrs
from returns.future import FutureResult

from orchestrator.core.errors import PlatformError
from orchestrator.core.events import LifecycleEvent
from orchestrator.core.health import Probe
from orchestrator.core.loads import RollOutcome
from orchestrator.core.moments import Millis, Moment
from orchestrator.core.observations import Observation
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.table import Table

__all__ = (
    "Accepted",
    "Attachment",
    "DestroyOrder",
    "ForgetOrder",
    "LogLine",
    "Order",
    "Platform",
    "PlatformDetail",
    "Question",
    "Reply",
    "RollOrder",
    "RollSight",
    "RollingPlatform",
    "StartOrder",
    "StopOrder",
    "StreamRefused",
)


@attrs.frozen(kw_only=True)
class Attachment:
    """What the platform grants to an operator at boot.

    ``fences``: the platform itself refuses older runs and epochs, so that replacing
    a container that cannot be seen never runs it twice. ``rolls``: image and size are
    those of a whole service, and ``roll`` brings it others.
    """

    epoch: int
    fences: bool
    rolls: bool = False


@attrs.frozen
class Accepted:
    """The platform has taken the order on."""


@attrs.frozen(kw_only=True)
class StartOrder:
    """Start a run: the words and the environment are final, nothing is to be filled.

    ``env`` may hold secrets: it is never written anywhere and never shown.
    """

    name: str
    run: int
    epoch: int
    revision: int
    fingerprint: str
    spec: ContainerSpec
    command: tuple[str, ...]
    env: Mapping[str, str] = attrs.field(repr=False)
    ports: Mapping[str, int]


@attrs.frozen(kw_only=True)
class StopOrder:
    """End a run: signal, wait for the grace, kill."""

    name: str
    run: int
    epoch: int
    signal: str
    grace_ms: Millis


@attrs.frozen(kw_only=True)
class DestroyOrder:
    """Kill a run now."""

    name: str
    run: int
    epoch: int


@attrs.frozen(kw_only=True)
class ForgetOrder:
    """Remove all that is kept of a container that does not run."""

    name: str
    run: int
    epoch: int


Order: TypeAlias = StartOrder | StopOrder | DestroyOrder | ForgetOrder


@attrs.frozen(kw_only=True)
class RollOrder:
    """Bring all instances of a service to the image and the size of *template*.

    ``known`` is what the platform called this rollout when it was last asked, "" where
    nobody knows: one whose answer was lost may be under way already. ``given_up`` is
    the rollout before, where that did not come to its end: this one takes its place.
    ``members`` are the containers that are concerned, of which *percent* may be
    replaced at a time.
    """

    service: str
    revision: int
    epoch: int
    template: ContainerSpec
    known: str = ""
    given_up: str = ""
    members: tuple[str, ...] = ()
    percent: int = 100


@attrs.frozen(kw_only=True)
class RollSight:
    """How far a rollout by the platform is, as the instances themselves show it.

    ``updated`` of ``total`` have the image; ``id`` is the platform's name of it, "" if
    none is under way; ``cause`` says why it failed, or what is in the way of its end.
    ``behind`` are containers that the platform calls rolled out and that are not: their
    next start may mend it.
    """

    outcome: RollOutcome
    updated: int = 0
    total: int = 0
    id: str = ""
    cause: str = ""
    behind: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class Question:
    """Ask a container whether it is well; the probe's words and headers are final.

    ``address`` is where its port was said to listen (``ContainerReady``), "" for a
    command. A header may hold a secret: it is never written anywhere.
    """

    name: str
    run: int
    epoch: int
    probe: Probe = attrs.field(repr=False)
    address: str
    timeout_ms: Millis


@attrs.frozen(kw_only=True)
class Reply:
    """What a container answered: well or not, and what that was told from.

    ``detail`` names a status, an exit code or an error, never what a page or a command
    has said: that could hold a secret.
    """

    passed: bool
    detail: str


@attrs.frozen(kw_only=True)
class LogLine:
    """One line that a container wrote: when, to which stream (``o``, ``e``), what."""

    at: Moment
    stream: str
    text: str


@attrs.frozen(kw_only=True)
class PlatformDetail:
    """What the platform itself says of a container, beside what we make of it.

    ``state`` and ``raw`` are its own words, ``kind`` is the class that we put the last
    end or trouble in; ``facts`` is what else it knows (where it runs, which image).
    """

    name: str
    run: int
    state: str
    kind: str = ""
    raw: str = ""
    facts: Table[str, str] = Table()


class StreamRefused(Exception):
    """The platform will tell this operator nothing more; ``error`` says why."""

    def __init__(self, error: PlatformError) -> None:
        """Carry the error."""
        super().__init__(error.message)
        self.error = error


class Platform(Protocol):
    """Where containers run."""

    def attach(self, after: int) -> FutureResult[Attachment, PlatformError]:
        """Take over: every earlier operator is stale from now on.

        The granted epoch is higher than every other, and than *after*.
        """
        ...

    def ports(
        self, spec: ContainerSpec
    ) -> FutureResult[Mapping[str, int], PlatformError]:
        """Say which number each port of the container has, the same at each start."""
        ...

    def perform(self, order: Order) -> FutureResult[Accepted, PlatformError]:
        """Carry out an order; the answer is that it was accepted."""
        ...

    def observe(self) -> FutureResult[Observation, PlatformError]:
        """Look at every container (``began`` is restamped by the operator)."""
        ...

    def probe(self, question: Question) -> FutureResult[Reply, PlatformError]:
        """Ask one container one question, once, within its timeout.

        An answer is about the container: refused, too late and wrong are answers, and
        not passed. A failure is about the platform: nobody knows. A container of
        another run than the question's is not asked (``StaleRun``).
        """
        ...

    def events(self, after: str) -> AsyncIterator[LifecycleEvent]:
        """Yield what happens after a cursor; ``""`` is the beginning."""
        ...

    async def acknowledge(self, cursor: str) -> None:
        """Take note that all up to *cursor* is durable here; nothing must be kept."""
        ...

    def details(self) -> FutureResult[tuple[PlatformDetail, ...], PlatformError]:
        """Tell of each container what the platform says, in its own words."""
        ...

    def log(self, name: str, *, follow: bool) -> AsyncIterator[LogLine]:
        """Yield what a container wrote; with *follow*, go on until cancelled."""
        ...

    async def detach(self) -> None:
        """Let go of what the adapter holds here; containers go on."""


@runtime_checkable
class RollingPlatform(Platform, Protocol):
    """Where image and size are those of a whole service: it ``rolls``."""

    def roll(self, order: RollOrder) -> FutureResult[RollSight, PlatformError]:
        """Begin to roll a service out unless that was begun, and say how far it is.

        A failure is about the call: nobody knows, and it may be asked again. One that
        was refused, or ended otherwise, is a sight that says so.
        """
        ...
