"""How everything comes down: who goes when, how long that may take, when it is so.

Declared containers leave in the order of their dependencies (``core.departures``). No
file declares the ad-hoc ones, so they are stopped one by one: in rounds, dependents
before those that they depend on.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import attrs
from returns.result import Failure, Result, Success

from orchestrator.core.errors import ContainerError, ContainerNotFound
from orchestrator.core.fleet_specs import FleetSpec
from orchestrator.core.moments import Millis, Moment
from orchestrator.core.needs import chain_length
from orchestrator.core.origins import Origin, Prune
from orchestrator.core.requests import Apply, Stop
from orchestrator.core.state import Container, Fleet
from orchestrator.core.tickets import Ticket
from orchestrator.runtime.footing import Footing
from orchestrator.runtime.laggards import Laggards
from orchestrator.runtime.outcomes import settled
from orchestrator.runtime.reports import is_at_rest
from orchestrator.runtime.steps import Asked
from orchestrator.runtime.waits import Asker, asked, not_yet, until

__all__ = ("down", "is_down")

DOWN_MARGIN_MS: Final[Millis] = 30_000
"""Beyond the longest grace, for everything to come down."""


async def down(engine: Footing, asker: Asker) -> Result[None, ContainerError]:
    """Stop everything, and wait until nothing runs any more.

    Asked for again with the same ticket it goes on where it was interrupted, and
    leaves alone what somebody has started since. Those who depend on others go first.
    """
    fleet = engine.loop.fleet
    link_ms = _link_ms(fleet)
    limit_ms = chain_length(fleet) * link_ms
    if asker.ticket is None or asker.ticket.key not in fleet.tickets.used:
        dependents = (c for c in fleet.containers.values() if c.spec.depends_on)
        failed = await _stop_ad_hoc(engine, asker, dependents, link_ms)
        if failed is not None:
            return Failure(failed)
    settings = attrs.evolve(fleet.settings, prune=Prune.STOP)
    empty = FleetSpec(name=fleet.name, settings=settings)
    by, why = asker.by, asker.why
    request = Apply(spec=empty, by=by, why=why, ticket=asker.ticket)
    applied = await asked(engine, request, asker.heard)
    if isinstance(applied, Failure):
        return applied
    since = _first_asked(applied.unwrap(), asker.ticket)
    now = engine.loop.fleet.containers.values()
    older = (each for each in now if not _is_newer(each, since))
    failed = await _stop_ad_hoc(engine, asker, older, link_ms)
    if failed is not None:
        return Failure(failed)

    def has_come(_: Fleet, each: Container) -> bool:
        return is_at_rest(each) or _is_newer(each, since)

    left = Laggards(lambda fleet: fleet.containers, has_come)

    def is_so() -> bool:
        now = engine.loop.fleet
        return not (now.forgetting or left.are_left(now))

    if await until(engine, is_so, limit_ms):
        return Success(None)
    return not_yet(engine, limit_ms)


def _link_ms(fleet: Fleet) -> Millis:
    """Return how long one link of the chain may take to come down."""
    graces = [container.spec.stop_grace_ms for container in fleet.containers.values()]
    return max(graces, default=0) + DOWN_MARGIN_MS


async def _stop_ad_hoc(
    engine: Footing, asker: Asker, containers: Iterable[Container], link_ms: Millis
) -> ContainerError | None:
    """End those that no file declares, in rounds; say what stood in the way.

    Each is asked once. The rest goes at once in a circle, and where a round has not
    ended in the time of a link.
    """
    left = {each.name for each in containers if each.origin is Origin.AD_HOC}
    in_time = True
    while alive := _alive(engine.loop.fleet, left):
        free = _undepended(alive) if in_time else alive
        for each in free:
            stop = Stop(name=each.name, by=asker.by, why=asker.why)
            stopped = await settled(engine.loop.ask(stop))
            if not isinstance(stopped, Asked | ContainerNotFound):
                return stopped
        names = {each.name for each in free}
        left -= names
        is_last = not _alive(engine.loop.fleet, left)
        in_time = is_last or await _have_ended(engine, names, link_ms)
    return None


def _alive(fleet: Fleet, names: Iterable[str]) -> list[Container]:
    """Return those of some names that are there and not at rest, in order."""
    found = (fleet.containers.get(name) for name in sorted(names))
    return [each for each in found if each is not None and not is_at_rest(each)]


def _undepended(alive: list[Container]) -> list[Container]:
    """Return those on whose service nobody of them depends; all, in a circle."""
    needed = {service for each in alive for service in each.spec.depends_on}
    return [each for each in alive if each.spec.service not in needed] or alive


async def _have_ended(engine: Footing, names: set[str], limit_ms: Millis) -> bool:
    left = Laggards(lambda _: sorted(names), lambda _, each: is_at_rest(each))
    return await until(engine, lambda: not left.are_left(engine.loop.fleet), limit_ms)


def is_down(fleet: Fleet, since: Moment | None = None) -> bool:
    """Say whether nothing of a fleet runs, or was wanted to run after a moment."""
    return all(
        is_at_rest(each) and not _is_newer(each, since)
        for each in fleet.containers.values()
    )


def _first_asked(answer: Asked, ticket: Ticket | None) -> Moment | None:
    """Return when a repeated request was made first; None where this is the first."""
    if ticket is None or not answer.replayed:
        return None
    return answer.fleet.tickets.used[ticket.key].at


def _is_newer(container: Container, since: Moment | None) -> bool:
    """Say whether somebody has wanted a container to run since a moment."""
    desired = container.desired
    return since is not None and desired.running and desired.at > since
