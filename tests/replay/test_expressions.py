"""The language of conditions: what it says, and where a mistake in it is."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import attrs
import pytest
from returns.result import Failure

from orchestrator.codec.wire import tree_of
from orchestrator.core.errors import Problem
from orchestrator.core.events import Event
from orchestrator.core.exits import Exit
from orchestrator.core.lineages import Lineage, Rollout, RolloutStatus
from orchestrator.core.rollout_policies import RolloutPolicy
from orchestrator.core.services import Service
from orchestrator.core.specs import ContainerSpec
from orchestrator.core.state import Fleet
from orchestrator.core.table import Table
from orchestrator.replay.conditions.conditions import (
    Condition,
    counts_phases,
    holds,
    holds_in,
    lasts,
    names_in,
)
from orchestrator.replay.conditions.facts import FACTS, QUESTIONS
from orchestrator.replay.conditions.kinds import Situation
from orchestrator.replay.conditions.parsing import (
    DEPTH_MAX,
    LENGTH_MAX,
    parse_condition,
)
from orchestrator.replay.history import NOTHING, states
from tests.replay.incident import INCIDENT

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "conditions.md"
STEPS = {entry.seq: step for entry, step in states(INCIDENT)}


SIGN = "a name, a number, a text or a sign"
VALUE = "something to ask for, or a value"
LITERAL = "a text, a number, a duration, true or false"
JOIN = '"and", "or" or the end'
ASK = "something to ask for"
WORD = "a word that it can be"
MOMENT = "a moment such as '2026-01-31T12:30:00Z'"
DURATION = "a duration such as 10s"
COMPARE = "compare it with something"
NAME = "the name of a container"
UNORDERED = '"==" or "!=", for a text has no order'


def mean(word: str) -> str:
    return f'did you mean "{word}"?'


def parsed(text: str) -> Condition:
    return parse_condition(text).unwrap()


def problems(text: str) -> tuple[Problem, ...]:
    read = parse_condition(text)
    assert isinstance(read, Failure), text
    found: tuple[Problem, ...] = read.failure().problems
    return found


def held(text: str) -> list[int]:
    """Return the rows after which a condition holds."""
    return [seq for seq, step in STEPS.items() if holds(parsed(text), seq, step)]


ALL = list(STEPS)


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("phase('web-1') == 'crash_looping'", [15, 16]),
        ("phase('web-1') == 'absent'", [1]),
        ('phase("nobody") != "absent"', []),
        ("phase('web-1') in ['backing_off', 'crash_looping']", [6, 10, 15, 16]),
        ("not phase('web-1') in ['running', 'starting']", [1, 2, 6, 10, 15, 16]),
        ("phase('web-1') not in ['running', 'starting']", [1, 2, 6, 10, 15, 16]),
        ("ready('web-1')", [5, 9, 14]),
        ("ready('web-1') == false and seq > 12", [13, 15, 16]),
        ("ready('nobody')", []),
        ("desired('job') == 'stopped'", [12, 13, 14, 15, 16]),
        ("desired('job') == 'running' and seq < 4", [2, 3]),
        ("desired('job') == 'absent'", [1]),
        ("restarts('web-1') >= 2", [11, 12, 13, 14, 15, 16]),
        ("2 <= restarts('web-1')", [11, 12, 13, 14, 15, 16]),
        ("crashes('web-1') == 3", [15, 16]),
        ("failures('web-1') > 2", [15, 16]),
        ("run('web-1') == 3 and run('nobody') == 0", [11, 12, 13, 14, 15, 16]),
        ("revision('web-1') == 1 and revision == 1", ALL[1:]),
        ("rule('web-1') == 'crash_loop_cooldown'", [15, 16]),
        ("rule('web-1') == 'none' and seq < 6", [1, 3, 4, 5]),
        ("last_exit('web-1') == 'exit 7' and seq < 8", [6, 7]),
        ("last_exit('web-1') == 'none' and last_exit('x') == 'none'", ALL[:5]),
        ("exit_kind('web-1') == 'exited' and seq < 8", [6, 7]),
        ("exit_kind('web-1') == 'none'", ALL[:5]),
        ("exit_code('web-1') == 7 and seq < 8", [6, 7]),
        ("exit_code('web-1') == -1 and exit_code('x') == -1", ALL[:5]),
        ("in_phase('web-1') > 50s", [16]),
        ("in_phase('nobody') > 0s", []),
        ("wait('web-1') > 0s", [6, 10, 15, 16]),
        ("wait('web-1') > 1m", [15, 16]),
        ("wait('nobody') > 0s", []),
        ("changed('job')", [2, 3, 12]),
        ("count('starting') == 2", [3, 7, 11]),
        ("count('unknown') > 0 or containers == 0", [1]),
        ("strangers == 1 and seq < 5", [3, 4]),
        ("observed and seq < 5", [3, 4]),
        ("observed == false", [1, 2]),
        ("epoch > 0 and epoch < 2", ALL),
        ("event == 'container_ended'", [6, 10, 15]),
        ("event in ['booted', 'stop_requested']", [1, 12]),
        ("event_name == 'job'", [12]),
        ("event_name == 'none'", [1, 2, 3]),
        ("command('start_container')", [3, 7, 11]),
        ("command('start_container', 'job')", [3]),
        ("command('observe_fleet') or command('stop_container', 'web-1')", [1]),
        ("at >= '1970-01-01T00:04:00Z'", [13, 14, 15, 16]),
        ("at > '1970-01-01T02:04:00+02:00'", [14, 15, 16]),
        ("'1970-01-01T00:04:00Z' == at", [13]),
        ("at in ['1970-01-01T00:00:00Z', '1970-01-01T00:04:00Z']", [1, 13]),
        ("1h30m == 90m and 5 == 5", ALL),
        ("true and (false or not false)", ALL),
        ("false", []),
        ("not (seq > 2) or\n\tseq == 9", [1, 2, 9]),
        ("seq == 1 or seq == 2 and seq == 3", [1]),
    ],
)
def test_a_condition_says_what_its_words_say(text: str, rows: list[int]) -> None:
    assert held(text) == rows


@pytest.mark.parametrize(
    ("text", "column", "expected", "found", "hint"),
    [
        ("", 1, VALUE, "the end", ""),
        ("in", 1, VALUE, "'in'", ""),
        ("seq ==", 7, VALUE, "the end", ""),
        ("seq == 1 2", 10, JOIN, "'2'", ""),
        ("1 < seq < 3", 9, JOIN, "'<'", ""),
        ("true is true", 6, JOIN, "'is'", 'write "=="'),
        ("(true", 6, '")"', "the end", ""),
        ("seq not 1", 9, '"in"', "'1'", ""),
        ("seq in 1", 8, '"["', "'1'", ""),
        ("seq in []", 9, LITERAL, "']'", ""),
        ("seq in [1 2]", 11, '"]"', "'2'", ""),
        ("ready('a' 'b')", 11, '","', "\"'b'\"", ""),
        ("ready(a)", 7, "a text such as 'web-1'", "'a'", ""),
        ("ready('a'", 10, '","', "the end", ""),
        ("seq == 1x", 8, 'a number, or a duration such as "10s"', "'1x'", ""),
        ("1234567890123456789", 1, "a number of at most 18 digits", "a longer one", ""),
        ("seq == 'a", 8, "a text that ends with '", "no end of it", ""),
        ("seq = 1", 5, SIGN, "'='", 'write "=="'),
        ("true && true", 6, SIGN, "'&&'", 'write "and"'),
        ("true || true", 6, SIGN, "'||'", 'write "or"'),
        ("!true", 1, SIGN, "'!'", 'write "not"'),
        ("os.system", 3, SIGN, "'.'", ""),
        ("\0", 1, SIGN, "'\\x00'", ""),
        ("é", 1, SIGN, "'\\xe9'", ""),
        ("ready('\x1b[2J')", 7, "a text without control signs", "'\\x1b[2J'", ""),
    ],
)  # fmt: skip
def test_what_is_no_sentence_of_the_language_is_told_with_its_place(
    text: str, column: int, expected: str, found: str, hint: str
) -> None:
    assert problems(text) == (
        Problem(place=f"column {column}", expected=expected, found=found, hint=hint),
    )


@pytest.mark.parametrize(
    ("text", "column", "expected", "found", "hint"),
    [
        ("fase('a') == 'x'", 1, ASK, "'fase'", mean("phase")),
        ("True", 1, ASK, "'True'", mean("true")),
        ("phase == 'x'", 1, "phase('web-1')", "phase without parentheses", ""),
        ("command", 1, "command('start_container')", "command without parentheses", ""),
        ("seq() > 1", 1, "seq", "seq with parentheses", ""),
        ("ready()", 1, "ready('web-1')", "0 words in its parentheses", ""),
        ("ready('a', 'b')", 1, "ready('web-1')", "2 words in its parentheses", ""),
        ("ready(5)", 7, "the name of a container such as 'web-1'", "'5'", ""),
        ("ready('Web 1')", 7, NAME, "'Web 1'", ""),
        ("count('runing') > 1", 7, WORD, "'runing'", mean("running")),
        ("seq", 1, "a condition", "only a number", COMPARE),
        ("true and at", 10, "a condition", f"only {MOMENT}", COMPARE),
        ("not 5s", 5, "a condition", f"only {DURATION}", COMPARE),
        ("restarts('a') > '5'", 17, "a number", "the text '5'", ""),
        ("wait('a') > 5", 13, DURATION, "a number", ""),
        ("seq == run('a')\t== 1", 17, JOIN, "'=='", ""),
        ("seq == phase('a')", 8, "a number", "a text (phase)", ""),
        ("ready('a') == 1", 15, "a condition", "a number", ""),
        ("phase('a') == (true)", 16, "a text", "a condition", ""),
        ("phase('a') < 'failed'", 12, UNORDERED, "'<'", ""),
        ("phase('a') == 'faild'", 15, WORD, "'faild'", mean("failed")),
        ("'faild' == phase('a')", 1, WORD, "'faild'", mean("failed")),
        ("'x' == desired('a')", 1, "one of running, stopped, absent", "'x'", ""),
        ("desired('a') in ['runing']", 18, WORD, "'runing'", mean("running")),
        ("at > 'soon'", 6, MOMENT, "the text 'soon'", ""),
        ("at > '2026-01-31T12:30'", 6, MOMENT, "the text '2026-01-31T12:30'", ""),
        ("at > '1969-01-01T00Z'", 6, MOMENT, "the text '1969-01-01T00Z'", ""),
        ("at > '0001-01-01T00+23'", 6, MOMENT, "the text '0001-01-01T00+23'", ""),
        ("at > 5", 6, MOMENT, "a number", ""),
    ],
)  # fmt: skip
def test_names_and_kinds_that_do_not_fit_are_told_with_their_place(
    text: str, column: int, expected: str, found: str, hint: str
) -> None:
    assert problems(text) == (
        Problem(place=f"column {column}", expected=expected, found=found, hint=hint),
    )


def test_a_name_that_resembles_nothing_is_answered_with_all_there_are() -> None:
    (problem,) = problems("__import__('os') == 'x'")
    assert problem.found == "'__import__'"
    assert problem.hint.startswith("known are at, changed, command, containers,")


def test_all_mistakes_are_told_at_once() -> None:
    found = problems("fase('a') == 'x' and ready('B') or count('x') > 'y' and 5")
    places = [int(one.place.removeprefix("column ")) for one in found]
    assert places == [1, 28, 42, 49, 57]


def test_a_condition_is_bounded_in_length_and_depth() -> None:
    long = "true or " * (LENGTH_MAX // 8) + "true"
    assert problems(long)[0].expected == f"at most {LENGTH_MAX} characters"
    assert held(long[8:])
    for opening, closing in (("(", ")"), ("not ", "")):
        text = opening * DEPTH_MAX + "true" + closing * DEPTH_MAX
        assert held(text) == ALL
        (problem,) = problems(f"{opening}{text}{closing}")
        assert problem.expected == f"at most {DEPTH_MAX} levels"
        assert problem.place == f"column {len(opening) * DEPTH_MAX + 1}"
    siblings = "(true) and not false and " * 40 + "true"
    assert held(siblings) == ALL


def test_what_was_found_is_shown_shortened_and_in_plain_letters() -> None:
    (problem,) = problems(f"ready('{'é' * 500}')")
    assert problem.found.isascii()
    assert problem.found.endswith("...'")


def test_a_condition_knows_whom_and_what_it_asks() -> None:
    condition = parsed(
        "ready('b') and (phase('a') in ['failed'] or not command('stop_container',"
        " 'c')) and seq > run('b') and count('running') > 0 and true"
    )
    assert names_in(condition) == ("a", "b", "c")
    assert counts_phases(condition)
    assert not counts_phases(parsed("containers > 0"))


@pytest.mark.parametrize(
    ("text", "does"),
    [
        ("restarts('a') > 5", True),
        ("5 <= crashes('a') and (run('a') >= 2 or seq > 100)", True),
        ("not (restarts('a') <= 5) and not (5 > seq)", True),
        ("at >= '2026-01-31T12:30:00Z' or epoch > 1 or revision > 3", True),
        ("true", True),
        ("1 < 2", True),
        ("restarts('a') == 5", False),
        ("restarts('a') < 5", False),
        ("not (restarts('a') > 5)", False),
        ("5 > restarts('a')", False),
        ("restarts('a') > restarts('b')", False),
        ("failures('a') > 1", False),
        ("revision('a') > 1", False),
        ("phase('a') in ['failed']", False),
        ("seq > 5 and phase('a') == 'failed'", False),
        ("ready('a')", False),
        ("count('failed') > 1", False),
    ],
)
def test_what_lasts_is_known_from_the_words(text: str, *, does: bool) -> None:
    assert lasts(parsed(text)) is does


def test_where_only_the_state_is_known_no_event_has_happened() -> None:
    now = Situation(seq=3, fleet=STEPS[3].after)
    for text in ("event == 'booted'", "changed('job')", "command('start_container')"):
        assert not holds_in(parsed(text), now)
    assert holds_in(parsed("event_name == 'none' and count('starting') == 2"), now)


def test_a_fleet_that_is_empty_answers_everything() -> None:
    now = Situation(seq=0, fleet=NOTHING)
    assert holds_in(parsed("containers == 0 and count('running') == 0"), now)


def test_kinds_are_called_as_journals_call_them() -> None:
    kinds = {type(step.event): tree_of(step.event)["type"] for step in STEPS.values()}
    assert set(kinds.values()) <= set(FACTS["event"].words or ())
    assert len(FACTS["event"].words or ()) == len(get_args(Event))
    words = QUESTIONS["exit_kind"].words or ()
    assert len(words) == len(get_args(Exit)) + 1
    assert {"exited", "out_of_memory", "env_vars_failed", "none"} <= set(words)


def test_the_page_tells_of_every_fact_and_its_examples_are_conditions() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for name, fact in {**FACTS, **QUESTIONS}.items():
        assert f"`{name}" in page, name
        assert fact.about in page, fact.about
    (examples,) = re.findall(r"(?s)```text\n(.*?)```", page)
    assert len(examples.splitlines()) > 5
    for line in examples.splitlines():
        assert parsed(line).text == line


def rolled(status: RolloutStatus, *, past: bool) -> Fleet:
    """Return a fleet whose service is at its third revision, or was."""
    web = ContainerSpec(name="web", image="x")
    rollout = Rollout(
        service="web",
        target=3,
        previous=2,
        policy=RolloutPolicy(),
        status=status,
        since=1,
        began_at=1,
        progress_at=1,
        failures=2,
    )
    lineage = Lineage(
        count=3,
        serving=2,
        rollout=None if past else rollout,
        past=(rollout,) if past else (),
    )
    return attrs.evolve(
        NOTHING,
        services=Table.of([("web", Service(template=web, replicas=4))]),
        lineages=Table.of([("web", lineage)]),
    )


@pytest.mark.parametrize(
    ("status", "past"), [(RolloutStatus.PAUSED, False), (RolloutStatus.HELD, True)]
)
def test_a_service_is_asked_for_its_newest_rollout(
    status: RolloutStatus,
    past: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    now = Situation(seq=1, fleet=rolled(status, past=past))
    for text in (
        f"rollout('web') == '{status}'",
        "rollout('api') == 'none'",
        "rollout_failures('web') == 2 and rollout_failures('api') == 0",
        "revision('web') == 2 and revision('api') == 0",
        "replicas('web') == 4 and replicas('api') == 0",
    ):
        assert holds_in(parsed(text), now), text


def test_a_service_that_was_never_rolled_out_is_at_its_first_revision() -> None:
    fleet = attrs.evolve(
        rolled(RolloutStatus.DONE, past=True),
        lineages=Table.of([("web", Lineage(count=1, serving=1))]),
    )
    text = "revision('web') == 1 and rollout('web') == 'none'"
    assert holds_in(parsed(text), Situation(seq=1, fleet=fleet))
    bare = attrs.evolve(fleet, lineages=Table[str, Lineage]())
    assert holds_in(parsed(text), Situation(seq=1, fleet=bare))
