"""Whether the parts of a condition fit together: names, how many, and their kinds.

A mistake is noted with its column and leaves a part without a kind, which fits with
everything: so one mistake is told once, and others beside it, too.
"""

from __future__ import annotations

from datetime import datetime
from difflib import get_close_matches
from typing import Final

import attrs

from orchestrator.core.errors import Problem
from orchestrator.core.moments import MOMENT_MAX, Moment
from orchestrator.core.names import is_name
from orchestrator.replay.conditions.conditions import (
    Asked,
    Compared,
    Literal,
    OneOf,
    Term,
)
from orchestrator.replay.conditions.facts import FACTS, QUESTIONS
from orchestrator.replay.conditions.kinds import Asks, Fact, Kind
from orchestrator.replay.conditions.tokens import Mark, Token, problem, quoted

__all__ = ("Part", "asked_part", "compared_part", "literal_part", "near", "one_of_part")

NOTHING: Final = Literal(value=False)
"""What stands where a mistake was; nobody ever holds it against a row."""

TRUTHS: Final = ("true", "false")

_EXAMPLES: Final = {
    Asks.CONTAINER: "'web-1'",
    Asks.SERVICE: "'web'",
    Asks.PHASE: "'running'",
    Asks.COMMAND: "'start_container'",
}
_ORDERED: Final = (Kind.NUMBER, Kind.DURATION, Kind.MOMENT)


@attrs.frozen(kw_only=True)
class Part:
    """A part of a condition: what it is, where, of which kind (None: a mistake).

    ``words`` are all that it may come to, None where it may be anything.
    """

    term: Term
    column: int
    kind: Kind | None
    words: tuple[str, ...] | None = None


def near(word: str, known: tuple[str, ...]) -> str:
    """Suggest the known word that a misspelt one may have meant.

    >>> near("fase", ("phase", "ready"))
    'did you mean "phase"?'

    """
    close = get_close_matches(word.lower(), known, n=1)
    return f'did you mean "{close[0]}"?' if close else ""


def _usage(name: str) -> str:
    fact = QUESTIONS[name]
    needed = fact.takes[: len(fact.takes) - fact.may_leave]
    return f"{name}({', '.join(_EXAMPLES[takes] for takes in needed)})"


def asked_part(
    name: Token, about: tuple[Token, ...] | None, mistakes: list[Problem]
) -> Part:
    """Return a fact that is asked for, *about* being what stands in parentheses."""
    fact = (FACTS if about is None else QUESTIONS).get(name.text)
    if fact is None:
        mistakes.append(_unknown(name, is_asked=about is not None))
        return _wrong(name.column)
    words = about or ()
    if not len(fact.takes) - fact.may_leave <= len(words) <= len(fact.takes):
        found = f"{len(words)} words in its parentheses"
        mistakes.append(problem(name.column, _usage(name.text), found))
    for word, takes in zip(words, fact.takes, strict=False):
        mistakes.extend(_not_asked(word, takes, fact))
    named = None if about is None else tuple(str(word.value) for word in about)
    return Part(
        term=Asked(name=name.text, about=named),
        column=name.column,
        kind=fact.kind,
        words=fact.words if fact.kind is Kind.TEXT else None,
    )


def _unknown(name: Token, *, is_asked: bool) -> Problem:
    if name.text in FACTS or name.text in QUESTIONS:
        other = name.text if name.text in FACTS else _usage(name.text)
        found = f"{name.text} {'with' if name.text in FACTS else 'without'} parentheses"
        return problem(name.column, other, found)
    known = tuple(sorted({*FACTS, *QUESTIONS}))
    meant = tuple(QUESTIONS) if is_asked else (*TRUTHS, *known)
    hint = near(name.text, meant) or f"known are {', '.join(known)}"
    return problem(name.column, "something to ask for", quoted(name.text), hint)


def _not_asked(word: Token, takes: Asks, fact: Fact) -> tuple[Problem, ...]:
    """Return why a word is not what a question is about, if it is not."""
    value = word.value
    if word.mark is not Mark.TEXT or not isinstance(value, str):
        expected = f"{takes} such as {_EXAMPLES[takes]}"
        return (problem(word.column, expected, quoted(word.text)),)
    if takes in {Asks.CONTAINER, Asks.SERVICE}:
        if is_name(value):
            return ()
        return (problem(word.column, takes, quoted(value)),)
    return _not_among(word.column, value, fact.words or ())


def _not_among(column: int, value: str, words: tuple[str, ...]) -> tuple[Problem, ...]:
    if value in words:
        return ()
    hint = near(value, words)
    expected = "a word that it can be" if hint else f"one of {', '.join(words)}"
    return (problem(column, expected, quoted(value), hint),)


def literal_part(token: Token) -> Part | None:
    """Return a value that is written out, None where a token is none."""
    kinds = {
        Mark.NUMBER: Kind.NUMBER,
        Mark.DURATION: Kind.DURATION,
        Mark.TEXT: Kind.TEXT,
    }
    if token.mark is Mark.NAME and token.text in TRUTHS:
        truth = Literal(value=token.text == "true")
        return Part(term=truth, column=token.column, kind=Kind.TRUTH)
    kind = kinds.get(token.mark)
    if kind is None:
        return None
    return Part(term=Literal(value=token.value), column=token.column, kind=kind)


def compared_part(
    left: Part, sign: Token, right: Part, mistakes: list[Problem]
) -> Part:
    """Return two parts side by side."""
    left = _as_moment(left, right.kind, mistakes)
    right = _as_moment(right, left.kind, mistakes)
    mistakes.extend(_mismatch(left, right))
    is_ordering = sign.text not in {"==", "!="}
    if is_ordering and left.kind is not None and left.kind not in _ORDERED:
        expected = f'"==" or "!=", for {left.kind} has no order'
        mistakes.append(problem(sign.column, expected, quoted(sign.text)))
    term = Compared(sign=sign.text, left=left.term, right=right.term)
    return Part(term=term, column=left.column, kind=Kind.TRUTH)


def one_of_part(part: Part, among: tuple[Part, ...], mistakes: list[Problem]) -> Part:
    """Return a part that is to be one of some values that are written out."""
    among = tuple(_as_moment(one, part.kind, mistakes) for one in among)
    for one in among:
        mistakes.extend(_mismatch(part, one))
    values = tuple(one.term.value for one in among if isinstance(one.term, Literal))
    term = OneOf(term=part.term, values=values)
    return Part(term=term, column=part.column, kind=Kind.TRUTH)


def _wrong(column: int) -> Part:
    return Part(term=NOTHING, column=column, kind=None)


def _mismatch(left: Part, right: Part) -> tuple[Problem, ...]:
    """Return why two parts cannot be the same, if they cannot."""
    if left.kind is None or right.kind is None:
        return ()
    if left.kind is not right.kind:
        return (problem(right.column, left.kind, _described(right)),)
    for known, other in ((left, right), (right, left)):
        if known.words is not None and isinstance(other.term, Literal):
            return _not_among(other.column, str(other.term.value), known.words)
    return ()


def _described(part: Part) -> str:
    match part.term:
        case Literal(value=str() as text):
            return f"the text {quoted(text)}"
        case Asked(name=name):
            return f"{part.kind} ({name})"
        case _:
            return str(part.kind)


def _as_moment(part: Part, other: Kind | None, mistakes: list[Problem]) -> Part:
    """Read a text that stands beside a moment as one."""
    if other is not Kind.MOMENT or not isinstance(part.term, Literal):
        return part
    value = part.term.value
    if not isinstance(value, str):
        return part
    moment = _moment(value)
    if moment is None:
        mistakes.append(problem(part.column, Kind.MOMENT, f"the text {quoted(value)}"))
        return _wrong(part.column)
    return Part(term=Literal(value=moment), column=part.column, kind=Kind.MOMENT)


def _moment(text: str) -> Moment | None:
    """Read a moment: ISO 8601 with its zone, for the machine's own is nobody's."""
    try:
        read = datetime.fromisoformat(text)
        if read.tzinfo is None:
            return None
        moment = round(read.timestamp() * 1_000)
    except (ValueError, OverflowError):
        return None
    return moment if 0 <= moment <= MOMENT_MAX else None
