"""``check_policy``: right policies pass, planted bugs are caught and seen again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import attrs
import pytest

from orchestrator.core import endings
from orchestrator.core.backoff import Backoff
from orchestrator.core.custom import CustomDecision, CustomPolicy, Situation
from orchestrator.core.decide import decide
from orchestrator.core.decisions import (
    Complete,
    CoolDown,
    Decision,
    GiveUp,
    Hold,
    RestartAt,
)
from orchestrator.core.exit_rules import (
    Codes,
    ExitAction,
    ExitKind,
    ExitRule,
    Judgement,
    Kinds,
)
from orchestrator.core.exits import Exited, Outcome, RolledOut, StartFailed
from orchestrator.core.histories import counted
from orchestrator.core.phases import Rule
from orchestrator.core.policies import RestartPolicy, When
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.state import Container, History, LastRun
from orchestrator.core.terms import Terms
from orchestrator.testing import LAWS, LawBroken, check_policy
from orchestrator.testing.processes import LAW, is_child
from tests.testing.kit import rerun

RULES = RestartPolicy(
    backoff=Backoff(jitter=0.0),
    max_restarts=2,
    start_budget=1,
    exit_rules=(
        ExitRule(match=Codes(values=(7,)), action=ExitAction.FAIL),
        ExitRule(
            match=Kinds(values=(ExitKind.OUT_OF_MEMORY,)), action=ExitAction.IGNORE
        ),
        ExitRule(match=Codes(values=(99,)), action=ExitAction.COMPLETE),
    ),
)


def careful(situation: Situation) -> CustomDecision:
    """Restart with the policy's own waits, within its budgets: a right policy."""
    policy = situation.policy
    if situation.outcome == "clean":
        return Complete()
    if len(situation.failures) > policy.crash.allowed_crashes:
        return CoolDown(until=situation.failures[0] + policy.crash.window_ms)
    if situation.start_failures > policy.start_budget:
        return Hold()
    return RestartAt(at=situation.ended_at + situation.wait_ms)


@pytest.mark.parametrize(
    "policy",
    [
        RestartPolicy(),
        RestartPolicy(when=When.ALWAYS, backoff=Backoff(delays_ms=(5_000, 1_000))),
        RULES,
        careful,
        CustomPolicy(name="careful", version=3, decide=careful),
    ],
    ids=["default", "always", "rules", "function", "custom"],
)
def test_a_right_policy_obeys_every_law(policy: Any) -> None:
    check_policy(policy, examples=15)


def without_end(situation: Situation) -> CustomDecision:
    if situation.outcome == "clean":
        return Complete()
    if situation.start_failures > situation.policy.start_budget:
        return Hold()
    return RestartAt(at=situation.ended_at + situation.wait_ms)


def blind_to_starts(situation: Situation) -> CustomDecision:
    if isinstance(situation.exit, StartFailed):
        return RestartAt(at=situation.ended_at + 1_000)
    return careful(situation)


def expects_codes(situation: Situation) -> CustomDecision:
    code: Any = situation.exit.code  # type: ignore[union-attr]
    return Complete() if code == 0 else careful(situation)


def rounds_badly(situation: Situation) -> CustomDecision:
    wait: Any = situation.wait_ms / 1
    return RestartAt(at=situation.ended_at + wait)


asked: Counter[str] = Counter()


def remembers(situation: Situation) -> CustomDecision:
    asked[situation.name] += 1
    return GiveUp() if asked[situation.name] % 2 else careful(situation)


def hashes(situation: Situation) -> CustomDecision:
    wait = 60_000 + hash(situation.name) % 1_000
    answer = careful(situation)
    if isinstance(answer, RestartAt):
        return RestartAt(at=situation.ended_at + wait)
    return answer


WINDOW = "restarts stay within the budget of the window"
DECISION = "a custom policy always answers a decision"
PURE = "a custom policy answers the same in the same situation"


@pytest.mark.parametrize(
    ("policy", "law"),
    [
        (without_end, WINDOW),
        (blind_to_starts, "failed starts stay within their budget"),
        (expects_codes, DECISION),
        (rounds_badly, DECISION),
        (remembers, PURE),
    ],
)
def test_a_bug_in_a_custom_policy_is_caught_and_its_scenario_shows_it_again(
    policy: Callable[[Situation], CustomDecision], law: str
) -> None:
    with pytest.raises(LawBroken) as broken:
        check_policy(policy, examples=150)
    assert broken.value.law == law
    assert f"broken: {law}" in str(broken.value)
    with pytest.raises(LawBroken) as again:
        _ = rerun(broken.value.scenario)
    assert again.value.law == law


def test_a_policy_that_depends_on_the_hash_seed_is_caught() -> None:
    with pytest.raises(LawBroken, match="with PYTHONHASHSEED=") as broken:
        check_policy(hashes, examples=20)
    assert broken.value.law == LAW


def test_a_policy_that_no_other_process_can_import_is_tried_in_this_one() -> None:
    def local(situation: Situation) -> CustomDecision:
        return Complete() if hash(situation.name) else GiveUp()

    check_policy(local, examples=5)
    assert not is_child()


Decide = Callable[[Container, LastRun, Terms], Decision]


def hasty(container: Container, last: LastRun, terms: Terms) -> Decision:
    answer = decide(container, last, terms)
    if isinstance(answer, RestartAt) and answer.rule is Rule.FAILURE_BACKOFF:
        return attrs.evolve(answer, at=last.ended_at + 100)
    return answer


def restless(container: Container, last: LastRun, terms: Terms) -> Decision:
    answer = decide(container, last, terms)
    if isinstance(answer, Complete):
        return RestartAt(at=last.ended_at + 1_000, rule=Rule.ALWAYS_AFTER_CLEAN_EXIT)
    return answer


def heedless(container: Container, last: LastRun, terms: Terms) -> Decision:
    answer = decide(container, last, terms)
    if isinstance(answer, CoolDown | Hold | GiveUp) and not isinstance(
        last.exit, Exited
    ):
        return RestartAt(at=last.ended_at + 60_000, rule=Rule.CUSTOM_POLICY)
    return answer


def ruleless(container: Container, last: LastRun, terms: Terms) -> Decision:
    restart = attrs.evolve(container.spec.restart, exit_rules=())
    spec = attrs.evolve(container.spec, restart=restart)
    return decide(attrs.evolve(container, spec=spec), last, terms)


def unforgiving(container: Container, last: LastRun, terms: Terms) -> Decision:
    if isinstance(last.exit, RolledOut):
        return GiveUp(rule=Rule.NEVER_RESTART)
    return decide(container, last, terms)


DECIDES = [
    (hasty, {"waits follow the backoff, within its jitter"}),
    (restless, {"when is obeyed"}),
    (
        heedless,
        {
            WINDOW,
            "max_restarts is the last word",
            "failed starts stay within their budget",
            "waits follow the backoff, within its jitter",
        },
    ),
    (ruleless, {"exit rules are the last word"}),
    (unforgiving, {"ends that are nobody's failure are restarted"}),
]


def plant(wrong: Decide, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the core decide wrongly at each end of a run."""

    def decided(
        container: Container,
        last: LastRun,
        judgement: Judgement,
        *,
        history: History,
        terms: Terms,
    ) -> Decision:
        del judgement
        return wrong(attrs.evolve(container, history=history), last, terms)

    monkeypatch.setattr(endings, "decided", decided)


@pytest.mark.parametrize(("wrong", "laws"), DECIDES)
def test_a_bug_in_the_core_is_caught_and_its_scenario_shows_it_again(
    wrong: Decide, laws: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(wrong, monkeypatch)
    with pytest.raises(LawBroken) as broken:
        check_policy(RULES, examples=150)
    assert broken.value.law in laws
    with pytest.raises(LawBroken) as again:
        _ = rerun(broken.value.scenario)
    assert again.value.law == broken.value.law
    monkeypatch.undo()
    assert rerun(broken.value.scenario).tale.steps


def test_a_success_that_is_counted_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    def counts_all(
        history: History, policy: RestartPolicy, last: LastRun, counts_as: Outcome
    ) -> History:
        after = counted(history, policy, last, counts_as)
        if last.exit == Exited(code=0):
            return attrs.evolve(after, crashes_total=after.crashes_total + 1)
        return after

    monkeypatch.setattr(endings, "counted", counts_all)
    with pytest.raises(LawBroken, match="exit 0 of web counts as a failure"):
        check_policy(RestartPolicy(), examples=100)


def test_the_laws_can_be_chosen_and_the_container_given() -> None:
    check_policy(without_end, laws=["when is obeyed"], examples=5)
    spec = ContainerSpec(
        name="job",
        command=("run",),
        restart=RestartPolicy(crash=attrs.evolve(RULES.crash, allowed_crashes=900)),
    )
    check_policy(without_end, spec=spec, laws=[WINDOW], examples=20)
    with pytest.raises(ValueError, match="there is no law 'gravity'"):
        check_policy(RestartPolicy(), laws=["gravity"])
    assert set(LAWS) > {WINDOW, DECISION, PURE}
