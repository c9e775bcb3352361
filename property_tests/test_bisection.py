"""Bisection finds what a plain scan finds, whatever happened and whatever is asked.

Histories are drawn from seeds, with faults and an owner who removes and declares anew;
conditions are drawn from the whole language. Any text at all is parsed or refused with
a place in it, and what was parsed can be held against every row.
"""

from __future__ import annotations

from functools import lru_cache

import attrs
from hypothesis import example, given
from hypothesis import strategies as st
from returns.result import Failure

from orchestrator.core.events import Event
from orchestrator.core.exits import Exit
from orchestrator.core.phases import PHASE_NAMES, Rule
from orchestrator.core.requests import Apply
from orchestrator.core.state import Fleet
from orchestrator.core.steps import Step
from orchestrator.replay.bisection import Found, Known, bisect, bisect_between
from orchestrator.replay.conditions.conditions import Condition, holds, lasts
from orchestrator.replay.conditions.facts import FACTS, QUESTIONS
from orchestrator.replay.conditions.kinds import Asks, Fact, Kind
from orchestrator.replay.conditions.parsing import LENGTH_MAX, parse_condition
from orchestrator.replay.history import NOTHING, Entry, states
from orchestrator.simulation.profiles import PROFILES, draw_of
from orchestrator.simulation.runs import start_run
from property_tests.trials import NAMES, POLICIES, draw_trial

MINUTE = 60_000
SEEDS = 24
"""Histories are kept: conditions are what is drawn afresh each time."""

History = tuple[tuple[Entry, Step], ...]


@lru_cache(maxsize=SEEDS)
def history(seed: int) -> History:
    """Return ten minutes of faults, and what an owner asked for in them.

    The first container leaves the fleet and comes back, again and again.
    """
    trial = draw_trial(seed, "all")
    plan = draw_of(PROFILES["all"], seed, 10 * MINUTE)
    run = start_run(
        seed, plan, trial.characters, on_step=lambda _: None, policies=POLICIES
    )
    while run.ask(Apply(spec=trial.fleet)) is not None:
        run.run_until(run.now + 1_000)
    gone = attrs.evolve(trial.fleet, containers=trial.fleet.containers[1:])
    turns = [(MINUTE * n, Apply(spec=(trial.fleet, gone)[n % 2])) for n in range(1, 9)]
    for at, request in sorted((*trial.requests, *turns), key=lambda one: one[0]):
        run.run_until(at)
        _ = run.ask(request)
    run.run_until(10 * MINUTE)
    events: tuple[Event, ...] = tuple(run.journal)
    entries = (
        Entry(seq=seq, event=event, commands=(), changes=b"{}")
        for seq, event in enumerate(events, 1)
    )
    return tuple(states(entries, policies=POLICIES))


names = st.sampled_from((*NAMES[:4], "ad-hoc"))
WORDS = {
    Asks.CONTAINER: names,
    Asks.SERVICE: st.sampled_from(("web", "job")),
    Asks.PHASE: st.sampled_from(tuple(PHASE_NAMES.values())),
    Asks.COMMAND: st.sampled_from(QUESTIONS["command"].words or ()),
}
SIGNS = st.sampled_from(("==", "!=", "<", "<=", ">", ">="))
GROWING = tuple(name for name, fact in QUESTIONS.items() if fact.grows)


def quote(text: str) -> str:
    return f"'{text}'"


@st.composite
def questions(draw: st.DrawFn, name: str) -> str:
    fact = QUESTIONS[name]
    left_out = draw(st.integers(0, fact.may_leave))
    takes = fact.takes[: len(fact.takes) - left_out]
    words = [quote(draw(WORDS[each])) for each in takes]
    return f"{name}({', '.join(words)})"


def literals(fact: Fact) -> st.SearchStrategy[str]:
    match fact.kind:
        case Kind.NUMBER:
            return st.integers(-1, 12).map(str)
        case Kind.DURATION:
            return st.sampled_from(("0s", "500ms", "5s", "1m30s"))
        case Kind.MOMENT:
            minutes = st.integers(0, 12)
            return minutes.map(lambda minute: f"'1970-01-01T00:{minute:02}:00Z'")
        case Kind.TEXT:
            words = fact.words or ("none", "exit 1", "lost", "a", "ad-hoc")
            return st.sampled_from(words).map(quote)
        case Kind.TRUTH:
            return st.sampled_from(("true", "false"))


@st.composite
def comparisons(draw: st.DrawFn) -> str:
    name = draw(st.sampled_from((*FACTS, *QUESTIONS)))
    is_asked = name in QUESTIONS and (name not in FACTS or draw(st.booleans()))
    fact = QUESTIONS[name] if is_asked else FACTS[name]
    asked = draw(questions(name)) if is_asked else name
    if fact.kind is Kind.TRUTH and draw(st.booleans()):
        return asked
    if draw(st.integers(0, 3)) == 0:
        values = draw(st.lists(literals(fact), min_size=1, max_size=3))
        word = draw(st.sampled_from(("in", "not in")))
        return f"{asked} {word} [{', '.join(values)}]"
    ordered = fact.kind not in {Kind.TEXT, Kind.TRUTH}
    sign = draw(SIGNS if ordered else st.sampled_from(("==", "!=")))
    sides = [asked, draw(literals(fact))]
    return f" {sign} ".join(sides if draw(st.booleans()) else sides[::-1])


@st.composite
def rising(draw: st.DrawFn) -> str:
    """Draw a comparison that lasts: something that grows has reached a number."""
    name = draw(st.sampled_from((*GROWING, *GROWING, "seq", "at", "revision", "epoch")))
    is_asked = name in GROWING
    asked = draw(questions(name)) if is_asked else name
    fact = QUESTIONS[name] if is_asked else FACTS[name]
    number = draw(literals(fact))
    return draw(
        st.sampled_from(
            (
                f"{asked} > {number}",
                f"{asked} >= {number}",
                f"{number} < {asked}",
                f"not ({asked} <= {number})",
            )
        )
    )


def joined(leaves: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            inner.map(lambda text: f"({text})"),
            inner.map(lambda text: f"not ({text})"),
            st.tuples(inner, st.sampled_from((" and ", " or ")), inner).map("".join),
        ),
        max_leaves=4,
    )


conditions = st.one_of(
    joined(comparisons()),
    joined(rising()),
    st.lists(rising(), min_size=1, max_size=3).map(" and ".join),
)


def parsed(text: str) -> Condition:
    return parse_condition(text).unwrap()


def naive(told: History, condition: Condition) -> int | None:
    return next(
        (entry.seq for entry, step in told if holds(condition, entry.seq, step)), None
    )


def known(told: History, rows: list[int]) -> Known:
    fleets: dict[int, Fleet] = {entry.seq: step.after for entry, step in told}
    seqs = sorted({0, *(1 + row % len(told) for row in rows)})
    return Known(
        seqs=tuple(seqs),
        fleet_at=lambda seq: fleets.get(seq, NOTHING),
        entries_after=lambda seq: (entry for entry, _ in told[seq:]),
    )


@given(st.integers(0, SEEDS - 1), conditions)
@example(0, "not (at < '1970-01-01T00:05:00Z') and count('running') > 0")
def test_a_scan_finds_the_first_row_after_which_it_holds(seed: int, text: str) -> None:
    told, condition = history(seed), parsed(text)
    answer = bisect((entry for entry, _ in told), condition, policies=POLICIES).unwrap()
    seq = naive(told, condition)
    assert answer.search.rows == (seq or len(told))
    if isinstance(answer, Found):
        assert answer.entry.seq == seq
        assert holds(condition, answer.entry.seq, answer.step)
    else:
        assert seq is None
        assert (answer.seq, answer.fleet) == (len(told), told[-1][1].after)


rows = st.lists(st.integers(0, 10_000), max_size=12)


@given(st.integers(0, SEEDS - 1), conditions, rows)
def test_states_that_are_known_change_no_answer(
    seed: int, text: str, places: list[int]
) -> None:
    told, condition = history(seed), parsed(text)
    answer = bisect_between(known(told, places), condition, policies=POLICIES).unwrap()
    found = answer.entry.seq if isinstance(answer, Found) else None
    assert found == naive(told, condition)
    if isinstance(answer, Found):
        assert answer.step == told[answer.entry.seq - 1][1]
    else:
        assert (answer.seq, answer.fleet) == (len(told), told[-1][1].after)
    assert answer.search.rows <= len(told)


@given(st.integers(0, SEEDS - 1), conditions)
def test_what_lasts_never_turns_false_while_its_containers_stay(
    seed: int, text: str
) -> None:
    condition = parsed(text)
    if not lasts(condition):
        return
    held = False
    for entry, step in history(seed):
        if step.after.run_floor:
            return
        holds_now = holds(condition, entry.seq, step)
        assert holds_now or not held
        held = holds_now


PIECES = (
    *FACTS,
    *QUESTIONS,
    *Rule,
    *("(", ")", "[", "]", ",", "'", '"', "==", "!=", "<", ">=", "=", "&&", "!", "-"),
    *("and", "or", "not", "in", "true", "false", "5", "10s", "1.5h", "'web-1'", "\0"),
    *("__import__", "'running'", "'2026-01-31T12:30:00Z'", " ", "\n", "é", "\ud800"),
    Exit.__doc__ or "exit",
)
texts = st.one_of(
    st.text(max_size=60),
    st.lists(st.sampled_from(PIECES), max_size=30).map(" ".join),
    st.lists(st.sampled_from(PIECES), max_size=30).map("".join),
    st.text(min_size=LENGTH_MAX, max_size=LENGTH_MAX + 5),
)


@given(texts)
@example("(" * LENGTH_MAX)
@example("not " * (LENGTH_MAX // 4))
@example("true" + " and true" * 200)
@example("__import__('os').system('true')")
@example("phase('a\0b') == 'running'")
def test_any_text_is_a_condition_or_is_told_where_it_is_none(text: str) -> None:
    read = parse_condition(text)
    if isinstance(read, Failure):
        for problem in read.failure().problems:
            column = int(problem.place.removeprefix("column "))
            assert 1 <= column <= len(text) + 1
            assert problem.message.isascii()
            assert problem.message.isprintable()
    else:
        for entry, step in history(1)[:20]:
            assert holds(read.unwrap(), entry.seq, step) in {True, False}
