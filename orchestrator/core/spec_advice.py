"""What contradicts itself beyond one policy: health checks, groups, dependencies.

As ``core.advice``, which says what a warning and what a note is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from orchestrator.core.advice import Advice, Weight, policy_advice
from orchestrator.core.dependencies import Condition
from orchestrator.core.exit_rules import ExitAction
from orchestrator.core.fleet_specs import FleetSettings, FleetSpec
from orchestrator.core.groups import Membership
from orchestrator.core.health import CommandProbe, HealthCheck
from orchestrator.core.hosting import REGION_OF_HINT, REGIONS_OF, Placement
from orchestrator.core.moments import Millis, format_duration
from orchestrator.core.policies import When
from orchestrator.core.specs import ContainerSpec

__all__ = ("dependency_advice", "group_advice", "notices_within", "spec_advice")


def notices_within(check: HealthCheck) -> Millis:
    """Return how long it takes at most until one that hangs has failed a check.

    It may have answered just before it began to hang, so the first failure is asked
    for one period later.

    >>> from orchestrator.core.health import TcpProbe
    >>> notices_within(HealthCheck(probe=TcpProbe(port="db")))
    31000

    """
    return check.failure_threshold * check.period_ms + check.timeout_ms


def spec_advice(
    spec: ContainerSpec, settings: FleetSettings, *, has_exec: bool = True
) -> Iterator[Advice]:
    """Yield what contradicts itself in a spec: its policy, its stop, its checks.

    ``has_exec``: the platform is sure to run commands within a container.
    """
    delay = settings.min_restart_delay_ms
    yield from policy_advice(spec.restart, min_restart_delay_ms=delay)
    if spec.stop_grace_ms == 0 and spec.stop_signal != "KILL":
        yield Advice("stop_grace_ms 0 kills it together with the stop signal")
    yield from _start(spec)
    yield from _place(spec.placement)
    for kind, check in spec.health.all():
        if check.timeout_ms > check.period_ms:
            yield Advice(
                f"its {kind} check may take {format_duration(check.timeout_ms)}, longer"
                f" than its period of {format_duration(check.period_ms)}: one that"
                " hangs is asked less often than the period says"
            )
        if isinstance(check.probe, CommandProbe) and not has_exec:
            yield Advice(
                f"its {kind} check runs a command: where the platform's runtime cannot"
                " do that, nobody knows how it is, and the check counts for nothing",
                Weight.NOTE,
            )


def _start(spec: ContainerSpec) -> Iterator[Advice]:
    limit, startup, ready = (
        spec.start_timeout_ms,
        spec.health.startup,
        spec.health.readiness,
    )
    if startup is not None:
        patience = _until(startup, startup.failure_threshold)
        if patience > limit:
            yield Advice(
                f"its startup check would wait {format_duration(patience)}, but"
                f" start_timeout ends the start after {format_duration(limit)}"
            )
    if ready is not None:
        earliest = _until(ready, ready.success_threshold - 1)
        if earliest >= limit:
            yield Advice(
                f"it can never be ready: its readiness check needs"
                f" {format_duration(earliest)} to pass, and start_timeout ends the"
                f" start after {format_duration(limit)}"
            )


def _until(check: HealthCheck, periods: int) -> Millis:
    return check.initial_delay_ms + check.period_ms * periods


def _place(placement: Placement) -> Iterator[Advice]:
    """Yield the hints that lie outside of what bounds a container."""
    hints = dict.fromkeys((placement.location_hint or "", *placement.spread))
    for hint in filter(None, hints):
        law, region = placement.jurisdiction, REGION_OF_HINT[hint]
        if law is not None and region not in REGIONS_OF[law]:
            yield Advice(f"location hint {hint} lies outside of jurisdiction {law}")
        elif placement.regions and region not in placement.regions:
            within = ", ".join(placement.regions)
            yield Advice(f"location hint {hint} lies outside of its regions, {within}")


def group_advice(specs: Iterable[ContainerSpec]) -> Iterator[Advice]:
    """Yield what contradicts itself in the groups of a fleet."""
    groups: dict[str, list[tuple[Membership, ContainerSpec]]] = {}
    for spec in specs:
        if spec.group is not None:
            groups.setdefault(spec.group.group, []).append((spec.group, spec))
    for name, members in sorted(groups.items()):
        if len(members) == 1:
            (_, spec) = members[0]
            yield Advice(f"group {name}: {spec.name} is alone in it, and takes nobody")
        told: set[str] = set()
        for membership, spec in members:
            others = sorted(
                {
                    other.service
                    for place, other in members
                    if other.name != spec.name and membership.takes(place.position)
                }
            )
            if others and spec.service not in told and _is_given_up(spec):
                told.add(spec.service)
                yield Advice(
                    f"group {name}: {spec.service} is never restarted, so once it has"
                    f" failed {' and '.join(others)} {_stay(others)} down with it"
                )


def _is_given_up(spec: ContainerSpec) -> bool:
    policy = spec.restart
    restarts = any(rule.action is ExitAction.RESTART for rule in policy.exit_rules)
    return policy.when is When.NEVER and policy.custom is None and not restarts


def dependency_advice(fleet: FleetSpec) -> Iterator[Advice]:
    """Yield what a fleet's dependencies wait for in vain; a sentence a pair."""
    templates = [service.template for service in fleet.services]
    first = {spec.service: spec for spec in (*templates, *reversed(fleet.containers))}
    empty = {each.name for each in fleet.services if not each.replicas}
    for service, spec in sorted(first.items()):
        for other, condition in spec.depends_on.items():
            needed = first.get(other)
            if other in empty:
                yield Advice(
                    f"{service} waits for {other}, which has no replicas: it does not"
                    " start until there is one"
                )
            elif condition is Condition.COMPLETED and needed and _never_ends(needed):
                yield Advice(
                    f"{service} waits for {other} to complete, and {other} is always"
                    " restarted: it never starts"
                )


def _never_ends(spec: ContainerSpec) -> bool:
    policy = spec.restart
    ends = any(rule.action is ExitAction.COMPLETE for rule in policy.exit_rules)
    return policy.when is When.ALWAYS and policy.custom is None and not ends


def _stay(names: list[str]) -> str:
    return "stays" if len(names) == 1 else "stay"
