"""``check_policy``: the laws that every restart policy obeys, tried on drawn histories.

Hypothesis draws what a platform and an owner could do to one container with the
policy, each history is held to every law of ``laws``, and one that breaks a law is
shrunk. What is raised says which law, tells the history, and prints it as a scenario.

The examples are the same each time: a law that holds today holds tomorrow, unless the
policy has changed. More ``examples`` look further.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, TypeAlias

import attrs
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Flaky

from orchestrator.core.custom import CustomDecision, CustomPolicy, Situation
from orchestrator.core.fleet_specs import FleetSettings, FleetSpec
from orchestrator.core.health import HealthCheck as Check
from orchestrator.core.health import HealthChecks, TcpProbe
from orchestrator.core.policies import CustomPolicyRef, RestartPolicy
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.table import Table
from orchestrator.testing.chances import Move, played
from orchestrator.testing.laws import LAWS
from orchestrator.testing.processes import decides_alike, is_child
from orchestrator.testing.scenarios import LawBroken, Scenario
from orchestrator.testing.strategies.histories import moves

__all__ = ("AnyPolicy", "check_policy", "policy_spec")

AnyPolicy: TypeAlias = (
    RestartPolicy | CustomPolicy | Callable[[Situation], CustomDecision]
)
"""What ``check_policy`` takes: a policy, one's own, or just its function."""

SETTINGS: Final = FleetSettings(reconcile_interval_ms=0)
"""Looks are drawn; the periodic one would only lengthen the histories."""


def check_policy(
    policy: AnyPolicy,
    *,
    policies: Iterable[CustomPolicy] = (),
    spec: ContainerSpec | None = None,
    examples: int = 200,
    laws: Iterable[str] | None = None,
) -> None:
    """Hold a restart policy to its laws; ``LawBroken``, an ``AssertionError``, if not.

    *policies* are the custom ones that a ``RestartPolicy`` names. *spec* is the
    container that has it: its checks, its ``keep_alive``, and for a custom policy the
    limits (``spec.restart``) that it is held to; one with a liveness check where none
    is given. *laws* are the names of those to try, all of ``LAWS`` unless said.
    """
    if is_child():
        return
    names = tuple(LAWS if laws is None else laws)
    unknown = [name for name in names if name not in LAWS]
    if unknown:
        raise ValueError(f"there is no law {unknown[0]!r}, but {', '.join(LAWS)}")
    container, register = policy_spec(policy, policies, spec)
    begun = tuple(
        Scenario.of(
            FleetSpec(name="demo", settings=SETTINGS, containers=(one,)),
            policies=register,
        )
        for one in _variants(container)
    )
    found: list[LawBroken] = []
    told: list[Scenario] = []

    def holds(which: int, drawn: list[Move]) -> None:
        scenario = played(begun[which], drawn)
        told.append(scenario)
        try:
            _ = scenario.obeys(*names)
        except LawBroken as broken:
            found.append(broken)
            raise

    _try(holds, len(begun), examples, found)
    if laws is None and register:
        decides_alike(told)


def _try(
    holds: Callable[[int, list[Move]], None],
    variants: int,
    examples: int,
    found: list[LawBroken],
) -> None:
    """Draw examples until one fails; raise the smallest that did."""
    attempt = settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=True,
        report_multiple_bugs=False,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )(given(st.integers(0, variants - 1), moves())(holds))
    try:
        attempt()
    except LawBroken as broken:
        smallest = broken
    except Flaky:  # an impure policy: what failed once need not fail again
        smallest = min(found, key=lambda broken: len(broken.scenario.tale.steps))
    else:
        return
    raise LawBroken(smallest.law, smallest.about, smallest.scenario) from None


def policy_spec(
    policy: AnyPolicy,
    policies: Iterable[CustomPolicy] = (),
    spec: ContainerSpec | None = None,
) -> tuple[ContainerSpec, tuple[CustomPolicy, ...]]:
    """Return a container that has the policy, and the custom ones that this needs."""
    given_spec = _DEFAULT if spec is None else spec
    register = tuple(policies)
    if isinstance(policy, RestartPolicy):
        return attrs.evolve(given_spec, restart=policy), register
    if not isinstance(policy, CustomPolicy):
        policy = CustomPolicy(name="policy", version=1, decide=policy)
    ref = given_spec.restart.custom
    if ref is None or (ref.name, ref.version) != (policy.name, policy.version):
        ref = CustomPolicyRef(name=policy.name, version=policy.version)
    restart = attrs.evolve(given_spec.restart, custom=ref)
    others = tuple(one for one in register if one is not policy)
    return attrs.evolve(given_spec, restart=restart), (policy, *others)


_DEFAULT: Final = ContainerSpec(
    name="web",
    command=("run",),
    ports=Table.of([("http", 8080)]),
    health=HealthChecks(liveness=Check(probe=TcpProbe(port="http"))),
)


def _variants(spec: ContainerSpec) -> tuple[ContainerSpec, ...]:
    """Return the container as it is, and without jitter, where waits can be compared.

    The plainer one is first: examples shrink to it.
    """
    backoff = spec.restart.backoff
    if not backoff.jitter:
        return (spec,)
    plain = attrs.evolve(spec.restart, backoff=attrs.evolve(backoff, jitter=0.0))
    return attrs.evolve(spec, restart=plain), spec
