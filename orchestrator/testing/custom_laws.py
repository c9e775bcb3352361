"""Laws that are tried by telling a history again: with spies, or with other rules.

A custom policy is a function of the program. That it is pure cannot be seen in one
history; it is asked again, in the same situations, and must answer the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import attrs

from orchestrator.core.custom import (
    NO_POLICIES,
    CustomDecision,
    CustomPolicy,
    Situation,
    ask,
)
from orchestrator.core.events import Event, SpecApplied, StartRequested
from orchestrator.core.exit_rules import matches
from orchestrator.core.exits import exit_text
from orchestrator.core.phases import Rule
from orchestrator.core.policies import CustomPolicyRef, RestartPolicy
from orchestrator.core.reduce import fold, step_of
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.state import empty_fleet
from orchestrator.core.steps import Step
from orchestrator.testing.lives import ends
from orchestrator.testing.tales import Tale

__all__ = (
    "Asked",
    "answers_are_decisions",
    "asked_of",
    "other_rules_change_nothing",
    "replay_is_the_same",
    "same_history_same_decisions",
    "same_situation_same_answer",
)


@attrs.frozen(kw_only=True)
class Asked:
    """One question to a custom policy; ``answer`` is whatever came back."""

    policy: CustomPolicy
    situation: Situation
    answer: object
    raised: Exception | None = None


def asked_of(tale: Tale) -> list[Asked]:
    """Tell a history again and return every question to its custom policies."""
    log: list[Asked] = []
    if not len(tale.policies):
        return log
    register = NO_POLICIES
    for key, policy in tale.policies.items():
        own = _spied(policy, log) if isinstance(policy, CustomPolicy) else policy
        register = register.put(key, own)
    _ = fold(empty_fleet(tale.spec.name), tale.events, register)
    return log


def _spied(policy: CustomPolicy, log: list[Asked]) -> CustomPolicy:
    def decide(situation: Situation) -> CustomDecision:
        try:
            answer = policy.decide(situation)
        except Exception as error:
            log.append(
                Asked(policy=policy, situation=situation, answer=None, raised=error)
            )
            raise
        log.append(Asked(policy=policy, situation=situation, answer=answer))
        return answer

    return CustomPolicy(name=policy.name, version=policy.version, decide=decide)


def answers_are_decisions(tale: Tale) -> Iterator[str]:
    """Demand that a custom policy never raises, and always answers a decision."""
    for one in asked_of(tale):
        if one.raised is not None:
            yield f"{_about(one)} it raises {one.raised!r}"
            continue
        heard = _heard(one)
        if heard.rule is Rule.CUSTOM_POLICY_FAILED:
            yield f"{_about(one)} it answers {one.answer!r}, which is no decision"


def _heard(one: Asked) -> CustomDecision:
    """Return what the core makes of an answer."""

    def repeat(_: Situation) -> Any:
        return one.answer

    name, version = one.policy.name, one.policy.version
    said = CustomPolicy(name=name, version=version, decide=repeat)
    ref = CustomPolicyRef(name=name, version=version)
    return ask(NO_POLICIES.put((name, version), said), ref, one.situation)


def same_situation_same_answer(tale: Tale) -> Iterator[str]:
    """Demand that a custom policy is pure: the same situation, the same answer."""
    log = asked_of(tale)
    for one in (*log, *reversed(log)):
        if one.raised is not None:
            continue
        try:
            again: object = one.policy.decide(one.situation)
        except Exception as error:  # noqa: BLE001 - it is what we look for
            again = error
        if again != one.answer:
            yield f"{_about(one)} it answers {one.answer!r}, and then {again!r}"


def _about(one: Asked) -> str:
    situation = one.situation
    return (
        f"{one.policy.name} version {one.policy.version}, asked about"
        f" {exit_text(situation.exit)} of {situation.name} with"
        f" {len(situation.failures)} failures in the window and"
        f" {situation.attempts} in a row:"
    )


def _retold(tale: Tale, events: tuple[Event, ...]) -> Iterator[Step]:
    fleet = empty_fleet(tale.spec.name)
    for event in events:
        step = step_of(fleet, event, tale.policies)
        fleet = step.after
        yield step


def same_history_same_decisions(tale: Tale) -> Iterator[str]:
    """Demand the same fleets and commands of the same history, told again."""
    for step, again in zip(tale.steps, _retold(tale, tale.events), strict=True):
        if (step.after, step.commands) != (again.after, again.commands):
            yield (
                f"{type(step.event).__name__} at {step.event.at} led to other phases"
                " or commands the second time"
            )
            return


def replay_is_the_same(tale: Tale) -> Iterator[str]:
    """Folding the journal gives the fleet that living through it gave."""
    folded = fold(empty_fleet(tale.spec.name), tale.events, tale.policies)
    if folded != tale.fleet:
        yield "the journal, folded, is another fleet than the live one"


def other_rules_change_nothing(tale: Tale) -> Iterator[str]:
    """Exit rules that match no exit of a history do not matter, nor does their order.

    The history is told again without them: the same phases, the same commands.
    """
    happened = {end.last.exit for end in ends(tale)}

    def only_used(policy: RestartPolicy) -> RestartPolicy:
        used = tuple(
            rule
            for rule in policy.exit_rules
            if any(matches(rule.match, exit_) for exit_ in happened)
        )
        return attrs.evolve(policy, exit_rules=used)

    events = tuple(_with_policies(event, only_used) for event in tale.events)
    if events == tale.events:
        return
    for step, again in zip(tale.steps, _retold(tale, events), strict=True):
        if (_phases(step), step.commands) != (_phases(again), again.commands):
            yield (
                f"{type(step.event).__name__} at {step.event.at} leads to"
                f" {_phases(again)} without the rules that match nothing, and to"
                f" {_phases(step)} with them"
            )
            return


def _phases(step: Step) -> list[object]:
    return [None if after is None else after.phase for _, after in step.pairs()]


def _with_policies(
    event: Event, change: Callable[[RestartPolicy], RestartPolicy]
) -> Event:
    def changed(spec: ContainerSpec) -> ContainerSpec:
        return attrs.evolve(spec, restart=change(spec.restart))

    match event:
        case SpecApplied(declarations=declarations):
            rows = tuple(
                attrs.evolve(row, spec=changed(row.spec)) for row in declarations
            )
            return attrs.evolve(event, declarations=rows)
        case StartRequested(declaration=declaration) if declaration is not None:
            row = attrs.evolve(declaration, spec=changed(declaration.spec))
            return attrs.evolve(event, declaration=row)
        case _:
            return event
