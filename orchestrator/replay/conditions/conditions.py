"""Conditions about a history, such as ``phase('web-1') == 'crash_looping'``.

A small language of its own: it can look, and nothing else. A condition is a tree of
values, made by ``replay.conditions.parsing``, which has checked every name and kind;
holding it against a row always gives an answer. docs/reference/conditions.md has the
whole of it.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from typing import Any, Final, TypeAlias, assert_never

import attrs

from orchestrator.core.steps import Step
from orchestrator.replay.conditions.facts import FACTS, QUESTIONS
from orchestrator.replay.conditions.kinds import Asks, Fact, Situation, Value

__all__ = (
    "SIGNS",
    "Asked",
    "Compared",
    "Condition",
    "Every",
    "Literal",
    "Not",
    "OneOf",
    "Some",
    "Term",
    "as_test",
    "asks_of_rows",
    "counts_phases",
    "fact_of",
    "holds",
    "holds_in",
    "lasts",
    "names_in",
)

SIGNS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
"""How two values are compared."""

_UP: Final = (">", ">=")
_DOWN: Final = ("<", "<=")


@attrs.frozen
class Literal:
    """A value that stands in the condition itself."""

    value: Value


@attrs.frozen(kw_only=True)
class Asked:
    """A fact; ``about`` is what stands between its parentheses, None without them."""

    name: str
    about: tuple[str, ...] | None


@attrs.frozen(kw_only=True)
class Compared:
    """Two values side by side; ``sign`` is one of ``SIGNS``."""

    sign: str
    left: Term
    right: Term


@attrs.frozen(kw_only=True)
class OneOf:
    """A value that is among others."""

    term: Term
    values: tuple[Value, ...]


@attrs.frozen
class Not:
    """The contrary."""

    term: Term


@attrs.frozen
class Every:
    """All of them hold."""

    terms: tuple[Term, ...]


@attrs.frozen
class Some:
    """At least one of them holds."""

    terms: tuple[Term, ...]


Term: TypeAlias = Literal | Asked | Compared | OneOf | Not | Every | Some


@attrs.frozen(kw_only=True)
class Condition:
    """A condition that was parsed: its text, and its tree."""

    text: str
    term: Term


def fact_of(asked: Asked) -> Fact:
    """Return what the table says of a fact."""
    return FACTS[asked.name] if asked.about is None else QUESTIONS[asked.name]


def holds(condition: Condition, seq: int, step: Step) -> bool:
    """Say whether a condition holds after row *seq*, which was *step*."""
    return holds_in(condition, Situation(seq=seq, fleet=step.after, step=step))


def holds_in(condition: Condition, situation: Situation) -> bool:
    """Say whether a condition holds in a situation."""
    return as_test(condition)(situation)


def as_test(condition: Condition) -> Callable[[Situation], bool]:
    """Return a condition as a function, for those who ask for every row."""
    read = _reader(condition.term)
    return lambda now: bool(read(now))


def _reader(term: Term) -> Callable[[Situation], Value]:
    """Return what gives the value of a term; the tree is walked once, not each time."""
    match term:
        case Literal(value=value):
            return lambda _: value
        case Asked(about=about):
            ask, words = fact_of(term).read, about or ()
            return lambda now: ask(now, words)
        case Compared(sign=sign, left=left, right=right):
            compare, one, other = SIGNS[sign], _reader(left), _reader(right)
            return lambda now: compare(one(now), other(now))
        case OneOf(term=inner, values=values):
            read = _reader(inner)
            return lambda now: read(now) in values
        case Not(term=inner):
            contrary = _reader(inner)
            return lambda now: not contrary(now)
        case Every(terms=terms):
            needed = tuple(map(_reader, terms))
            return lambda now: all(part(now) for part in needed)
        case Some(terms=terms):
            enough = tuple(map(_reader, terms))
            return lambda now: any(part(now) for part in enough)
        case _:
            assert_never(term)


def names_in(condition: Condition) -> tuple[str, ...]:
    """Return the names of the containers that a condition asks about, in order."""
    found = {
        word
        for asked in _asked(condition.term)
        for word, takes in zip(asked.about or (), fact_of(asked).takes, strict=False)
        if takes is Asks.CONTAINER
    }
    return tuple(sorted(found))


def counts_phases(condition: Condition) -> bool:
    """Say whether a condition needs to know how many containers are in a phase."""
    return any(asked.name == "count" for asked in _asked(condition.term))


def asks_of_rows(condition: Condition) -> bool:
    """Say whether a condition asks what a row was, or what it did."""
    return any(fact_of(asked).of_row for asked in _asked(condition.term))


def _asked(term: Term) -> Iterator[Asked]:
    match term:
        case Literal():
            return
        case Asked():
            yield term
        case Compared(left=left, right=right):
            yield from _asked(left)
            yield from _asked(right)
        case OneOf(term=inner) | Not(term=inner):
            yield from _asked(inner)
        case Every(terms=terms) | Some(terms=terms):
            for inner in terms:
                yield from _asked(inner)
        case _:
            assert_never(term)


def lasts(condition: Condition) -> bool:
    """Say whether a condition, once it holds, holds ever after.

    That is so where it asks only whether something that never falls has reached a
    number, and as long as the containers that it names are the same ones.
    """
    return _lasts(condition.term, up=True)


def _lasts(term: Term, *, up: bool) -> bool:
    """Say whether a term never turns false (*up*), or never turns true."""
    match term:
        case Literal():
            return True
        case Compared(sign=sign, left=Asked() as asked, right=Literal()):
            return fact_of(asked).grows and sign in (_UP if up else _DOWN)
        case Compared(sign=sign, left=Literal(), right=Asked() as asked):
            return fact_of(asked).grows and sign in (_DOWN if up else _UP)
        case Compared(left=left, right=right):
            return isinstance(left, Literal) and isinstance(right, Literal)
        case Not(term=inner):
            return _lasts(inner, up=not up)
        case Every(terms=terms) | Some(terms=terms):
            return all(_lasts(inner, up=up) for inner in terms)
        case Asked() | OneOf():
            return False
        case _:
            assert_never(term)
