"""How many replicas a service has by what it is measured at.

```
LoadObserved ─▶ samples of the window ─▶ average ─▶ wanted ─▶ scaled, or not yet
```

| the average load, over what the replicas there are shall bear | wanted |
|---|---|
| within the tolerance | as many as there are |
| more, or less | as many as bear it, rounded up |

Wanted are never fewer than ``least`` nor more than ``most``. Nothing changes before the
cool-down is over that began when the number last changed, whoever changed it: so what
an owner scales to stands that long. A service that is not measured stays as it is.

Only a load that comes decides. A cool-down that ends while the load stays wakes nobody:
the next load does it, and whoever measures tells one several times in each window.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Final, TypeAlias, TypeVar

import attrs
from returns.result import Failure, Result, Success

from orchestrator.core.autoscaling import Autoscaling, Metric
from orchestrator.core.commands import Command
from orchestrator.core.drafts import FleetDraft
from orchestrator.core.errors import RequestError, ServiceNotFound
from orchestrator.core.events import SpecApplied
from orchestrator.core.evolving import evolve
from orchestrator.core.load_windows import LOAD_MAX_MILLI, average, with_sample
from orchestrator.core.loads import LoadObserved, Loads
from orchestrator.core.moments import Moment, format_duration
from orchestrator.core.requests import Scale
from orchestrator.core.scaling import scale, scaled
from orchestrator.core.service_events import AdoptRequested, ScaleRequested
from orchestrator.core.services import Service
from orchestrator.core.start_specs import invalid
from orchestrator.core.state import Fleet
from orchestrator.core.within_bounds import clamped

__all__ = (
    "AUTOSCALER",
    "Assessment",
    "Verdict",
    "assess",
    "measured",
    "minding",
    "observe_load",
    "thousandths",
)

AUTOSCALER: Final = "autoscaler"
"""By whom a service is scaled that scales by itself."""


class Verdict(StrEnum):
    """What a load comes to.

    ``unmeasured``: none is known of the window; ``enough``: as many as are wanted are
    there; ``waiting``: another number is wanted, and a cool-down is not over.
    """

    UNMEASURED = "unmeasured"
    ENOUGH = "enough"
    MORE = "more"
    FEWER = "fewer"
    WAITING = "waiting"


@attrs.frozen(kw_only=True)
class Assessment:
    """How a service stands: its average load, how many are wanted, and what of it.

    ``load_milli`` is the average over the window in thousandths, None where nothing was
    measured. One that is waiting does so ``until`` then; ``why`` says it in words.
    """

    verdict: Verdict
    wanted: int
    load_milli: int | None = None
    until: Moment | None = None
    why: str = ""


def assess(policy: Autoscaling, replicas: int, loads: Loads, at: Moment) -> Assessment:
    """Say how many replicas a service should have, and whether it may have them yet.

    >>> policy = Autoscaling(metric=Metric.PUSHED, target_milli=100_000, most=9)
    >>> loads = Loads(samples=((0, 412_000),))
    >>> found = assess(policy, 3, loads, at=0)
    >>> found.wanted, found.why
    (5, 'its load is 412 on the average of 1m, 100 for each: 3 to 5 replicas')

    """
    mean = average(loads.samples, policy.window_ms, at)
    if mean is None:
        why = f"nothing was measured for {format_duration(policy.window_ms)}"
        return Assessment(verdict=Verdict.UNMEASURED, wanted=replicas, why=why)
    borne = policy.target_milli * mean.slots  # by one replica
    off = abs(mean.total_milli - borne * replicas) * 100
    is_near = off <= policy.tolerance_percent * borne * replicas
    needed = replicas if is_near else -(-mean.total_milli // borne)
    wanted = clamped(policy, needed)
    why = (
        f"its load is {thousandths(mean.load_milli)} on the average of"
        f" {format_duration(policy.window_ms)},"
        f" {thousandths(policy.target_milli)} for each"
    )
    verdict, until = _verdict(policy, wanted - replicas, loads.scaled_at, at)
    change = "" if wanted == replicas else f": {replicas} to {wanted} replicas"
    return Assessment(
        verdict=verdict,
        wanted=wanted,
        load_milli=mean.load_milli,
        until=until,
        why=why + change,
    )


def _verdict(
    policy: Autoscaling, change: int, scaled_at: Moment | None, at: Moment
) -> tuple[Verdict, Moment | None]:
    """Say whether a change may be made now, or until when it has to wait."""
    if change == 0:
        return Verdict.ENOUGH, None
    wait = policy.up_after_ms if change > 0 else policy.down_after_ms
    if scaled_at is not None and at < scaled_at + wait:
        return Verdict.WAITING, scaled_at + wait
    return (Verdict.MORE if change > 0 else Verdict.FEWER), None


def thousandths(milli: int) -> str:
    """Write a number of thousandths as people do.

    >>> thousandths(412_000), thousandths(1_250), thousandths(7)
    ('412', '1.25', '0.007')

    """
    whole, rest = divmod(milli, 1_000)
    return f"{whole}.{rest:03}".rstrip("0").rstrip(".")


# Told


def measured(fleet: Fleet, event: LoadObserved) -> Result[LoadObserved, RequestError]:
    """Say whether somebody may tell a service's load, or why not.

    What measures by itself (the gateway, Cloudflare) does not ask.
    """
    service = fleet.services.get(event.service)
    if service is None:
        return Failure(ServiceNotFound(name=event.service))
    policy = service.autoscaling
    if policy is None or policy.metric is not Metric.PUSHED:
        found = "none" if policy is None else f"the metric {policy.metric.value}"
        expected = "a service whose autoscaling has the metric pushed"
        return Failure(invalid(f"{event.service}.autoscaling", expected, found))
    if not 0 <= event.load_milli <= LOAD_MAX_MILLI:
        expected = f"a number from 0 to {LOAD_MAX_MILLI // 1_000}"
        return Failure(invalid("load", expected, thousandths(event.load_milli)))
    return Success(event)


# Taken in


def observe_load(draft: FleetDraft, event: LoadObserved) -> tuple[Command, ...]:
    """Take a load in, and scale the service if that is due."""
    service = draft.services.get(event.service)
    if service is None or service.autoscaling is None:
        draft.ignored += 1
        return ()
    policy, at = service.autoscaling, event.at
    loads = draft.loads.get(service.name) or Loads()
    samples = with_sample(loads.samples, policy.window_ms, at, event.load_milli)
    if samples != loads.samples:
        loads = evolve(loads, samples=samples)
        draft.loads = draft.loads.put(service.name, loads)
    found = assess(policy, service.replicas, loads, at)
    if found.verdict not in {Verdict.MORE, Verdict.FEWER}:
        return ()
    wish = Scale(
        service=service.name, replicas=found.wanted, by=AUTOSCALER, why=found.why
    )
    answer = scaled(draft, wish, at)
    if isinstance(answer, Failure):  # no name is left for one of them
        return ()
    commands = scale(draft, answer.unwrap())
    draft.loads = draft.loads.put(service.name, evolve(loads, scaled_at=at))
    return commands


E = TypeVar("E", SpecApplied, ScaleRequested, AdoptRequested)
Move: TypeAlias = Callable[[FleetDraft, E], tuple[Command, ...]]


def minding(move: Move[E]) -> Move[E]:
    """Note beside a move when services that scale by themselves changed in number.

    What was measured of one that does so no more, or by another metric, is dropped.
    """

    def minded(draft: FleetDraft, event: E) -> tuple[Command, ...]:
        before = dict(draft.services.items())
        commands = move(draft, event)
        for name, loads in tuple(draft.loads.items()):
            left = _left(before.get(name), draft.services.get(name), loads)
            if left is None:
                draft.loads = draft.loads.drop(name)
            elif left is not loads:
                draft.loads = draft.loads.put(name, left)
        for name, service in draft.services.items():
            was = before.get(name)
            is_same = was is not None and was.replicas == service.replicas
            if service.autoscaling is not None and not is_same:
                loads = draft.loads.get(name) or Loads()
                loads = evolve(loads, scaled_at=event.at)
                draft.loads = draft.loads.put(name, loads)
        return commands

    return minded


def _left(was: Service | None, now: Service | None, loads: Loads) -> Loads | None:
    """Return what is left of a service's loads; None where it has none any more."""
    if now is None or now.autoscaling is None:
        return None
    before = None if was is None else was.autoscaling
    is_same = before is not None and before.metric is now.autoscaling.metric
    return loads if is_same else evolve(loads, samples=())
