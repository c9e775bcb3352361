"""What contradicts itself is told in a sentence, and nothing else is."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from orchestrator.core.advice import Advice, Weight, policy_advice
from orchestrator.core.backoff import Backoff
from orchestrator.core.exit_rules import (
    Codes,
    ExitAction,
    ExitKind,
    ExitMatch,
    ExitRule,
    Kinds,
    Signals,
)
from orchestrator.core.fleet_specs import FleetSettings
from orchestrator.core.groups import GroupStrategy, Membership
from orchestrator.core.health import (
    CommandProbe,
    HealthCheck,
    HealthChecks,
    TcpProbe,
)
from orchestrator.core.policies import (
    CrashLimit,
    CustomPolicyRef,
    OnLoop,
    OnLost,
    RestartPolicy,
    When,
)
from orchestrator.core.spec_advice import group_advice, notices_within, spec_advice
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.table import Table

SETTINGS = FleetSettings()
TWO = CrashLimit(allowed_crashes=2)
HOLD = CrashLimit(on_loop=OnLoop.HOLD)


def rule(match: ExitMatch, action: ExitAction = ExitAction.FAIL) -> ExitRule:
    return ExitRule(match=match, action=action)


ALL_CODES = Kinds(values=(ExitKind.EXITED,))
NO_ZERO = Codes(values=(0,), negated=True)
ZERO = Codes(values=(0,))

ADVISED: list[tuple[dict[str, Any], str]] = [
    (
        {"crash": CrashLimit(window_ms=6_000), "backoff": Backoff(jitter=0)},
        "a crash loop is never seen: 3 restarts wait 7s, longer than the window of 6s",
    ),
    (
        {"backoff": Backoff(reset_after_ms=30_000)},
        "reset_after 30s is shorter than the longest wait of 1m: one that lives for 30s"
        " each time is restarted as if it had never failed",
    ),
    (
        {"max_restarts": 2, "crash": TWO},
        "a crash loop is never seen: it gives up for good after 3 failures in a row"
        " (max_restarts), and 2 are allowed",
    ),
    (
        {"max_restarts": 2, "start_budget": 4},
        "start_budget 4 is never spent: it gives up for good after 3 failures in a row"
        " (max_restarts)",
    ),
    (
        {"backoff": Backoff(delays_ms=(5,), initial_ms=1, factor=3)},
        "backoff initial_ms and factor have no effect: the delays are listed",
    ),
    (
        {"when": When.NEVER, "crash": TWO},
        "crash has no effect: `never` restarts no failure",
    ),
    (
        {"when": When.NEVER, "max_restarts": 1, "start_budget": 1},
        "max_restarts and start_budget have no effect: `never` restarts no failure",
    ),
    (
        {"when": When.NEVER, "on_lost": OnLost.REPLACE},
        "on_lost `replace` replaces nothing: `never` gives up a container that is lost",
    ),
    (
        {"min_interval_ms": 5},
        "min_interval_ms has no effect: it spaces restarts after clean exits under"
        " `always`, and those of a rule that ignores",
    ),
    (
        {"exit_rules": (rule(ALL_CODES), rule(Codes(values=(3,))))},
        "exit_rules[1] can never match: the rules before it take all of its exits",
    ),
    (
        {"exit_rules": (rule(ZERO, ExitAction.RESTART),)},
        "exit_rules[0] counts exit code 0, a success, as a failure",
    ),
    ({"success_codes": (0,)}, "success_codes names 0, which is a success anyway"),
    (
        {"success_codes": (3,), "exit_rules": (rule(NO_ZERO),)},
        "success_codes names 3 in vain: exit_rules[0] decides about it",
    ),
]


@pytest.mark.parametrize(("fields", "text"), ADVISED)
def test_a_policy_is_warned_about(fields: dict[str, Any], text: str) -> None:
    warnings = [
        each.text
        for each in policy_advice(RestartPolicy(**fields))
        if each.weight is Weight.WARNING
    ]
    assert text in warnings


NOTES: list[tuple[dict[str, Any], str]] = [
    (
        {"when": When.ALWAYS, "max_restarts": 2, "crash": TWO},
        "a crash loop is seen only where runs between end well: it gives up for good",
    ),
    ({"max_restarts": 9, "crash": HOLD}, "max_restarts 9 is reached by slow failures"),
    ({"max_restarts": 9, "crash": HOLD}, "max_restarts 9 is not reached by starts"),
    (
        {"exit_rules": (rule(ZERO, ExitAction.IGNORE),)},
        "exit_rules[0] restarts it after exit code 0, too, a success",
    ),
]


@pytest.mark.parametrize(("fields", "text"), NOTES)
def test_what_matters_less_often_is_a_note(fields: dict[str, Any], text: str) -> None:
    advice = policy_advice(RestartPolicy(**fields))
    assert all(each.weight is Weight.NOTE for each in advice)
    assert any(each.text.startswith(text) for each in advice)


RESTARTS = rule(NO_ZERO, ExitAction.RESTART)

FINE: list[dict[str, Any]] = [
    {"when": When.NEVER, "crash": TWO, "exit_rules": (RESTARTS,)},
    {"max_restarts": 2},
    {"max_restarts": 9},
    {"max_restarts": 9, "crash": attrs.evolve(TWO, on_loop=OnLoop.COOLDOWN)},
    {"when": When.ALWAYS, "min_interval_ms": 5},
    {
        "min_interval_ms": 5,
        "exit_rules": (rule(Signals(values=(15,)), ExitAction.IGNORE),),
    },
    {"backoff": Backoff(delays_ms=(5, 10))},
    {"backoff": Backoff(delays_ms=(900_000, 5), reset_after_ms=900_000)},
    {"success_codes": (5,), "exit_rules": (rule(Codes(values=(3,))),)},
    {"exit_rules": (rule(ZERO, ExitAction.COMPLETE), rule(ALL_CODES))},
    {
        "custom": CustomPolicyRef(name="own", version=1),
        "when": When.NEVER,
        "crash": TWO,
        "min_interval_ms": 5,
    },
]


@pytest.mark.parametrize("fields", FINE)
def test_what_fits_together_is_not_advised_about(fields: dict[str, Any]) -> None:
    assert policy_advice(RestartPolicy(**fields)) == ()


def test_the_least_delay_of_the_fleet_slows_a_crash_loop_down() -> None:
    policy = RestartPolicy(crash=CrashLimit(window_ms=9_000))
    assert policy_advice(policy) == ()
    (advice,) = policy_advice(policy, min_restart_delay_ms=3_000)
    assert advice.text.startswith("a crash loop is never seen: 3 restarts wait 9s600ms")


def checked(**checks: HealthCheck) -> list[Advice]:
    spec = ContainerSpec(
        name="web",
        command=("run",),
        ports=Table.of([("http", 80)]),
        health=HealthChecks(**checks),
    )
    return list(spec_advice(spec, SETTINGS))


def check(**fields: Any) -> HealthCheck:
    return HealthCheck(probe=TcpProbe(port="http"), **fields)


def test_checks_are_held_against_the_start_timeout() -> None:
    (advice,) = checked(startup=check(failure_threshold=7))
    assert advice.text == (
        "its startup check would wait 1m10s, but start_timeout ends the start after 1m"
    )
    assert checked(startup=check(failure_threshold=6)) == []
    (advice,) = checked(readiness=check(initial_delay_ms=60_000))
    assert advice.text == (
        "it can never be ready: its readiness check needs 1m to pass, and start_timeout"
        " ends the start after 1m"
    )
    assert checked(readiness=check(success_threshold=6)) == []


def test_a_check_that_may_take_longer_than_its_period_is_told() -> None:
    (advice,) = checked(liveness=check(timeout_ms=11_000))
    assert advice.text.startswith("its liveness check may take 11s, longer than its")
    assert notices_within(check(timeout_ms=2_000, failure_threshold=2)) == 22_000


def test_a_stop_without_grace_is_told() -> None:
    spec = ContainerSpec(name="web", command=("run",), stop_grace_ms=0)
    (advice,) = spec_advice(spec, SETTINGS)
    assert "kills it together with the stop signal" in advice.text
    assert list(spec_advice(attrs.evolve(spec, stop_signal="KILL"), SETTINGS)) == []


def test_a_command_where_it_may_not_run_is_a_note() -> None:
    asks = HealthChecks(liveness=HealthCheck(probe=CommandProbe(command=("true",))))
    spec = ContainerSpec(name="web", image="x", health=asks)
    assert list(spec_advice(spec, SETTINGS)) == []
    (advice,) = spec_advice(spec, SETTINGS, has_exec=False)
    assert advice.weight is Weight.NOTE


def member(name: str, position: int, when: When = When.ALWAYS) -> ContainerSpec:
    place = Membership(
        group="core", strategy=GroupStrategy.REST_FOR_ONE, position=position
    )
    policy = RestartPolicy(when=when)
    return ContainerSpec(name=name, command=("run",), restart=policy, group=place)


def test_a_group_of_one_takes_nobody() -> None:
    assert [each.text for each in group_advice([member("db", 0)])] == [
        "group core: db is alone in it, and takes nobody"
    ]
    alone = ContainerSpec(name="alone", command=("run",))
    assert list(group_advice([member("db", 0), member("api", 1), alone])) == []


def test_a_member_that_is_never_restarted_keeps_others_down() -> None:
    first = member("db", 0, When.NEVER)
    texts = [
        each.text for each in group_advice([first, member("api", 1), member("web", 2)])
    ]
    assert texts == [
        "group core: db is never restarted, so once it has failed api and web stay down"
        " with it"
    ]
    (one,) = group_advice([first, member("api", 1, When.NEVER)])
    assert one.text.endswith("failed api stays down with it")
    restarts = attrs.evolve(first, restart=RestartPolicy(exit_rules=(RESTARTS,)))
    assert list(group_advice([restarts, member("api", 1)])) == []
