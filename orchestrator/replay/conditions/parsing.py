"""From text to a condition: words, a tree, and every mistake with its column.

```
condition   := conjunction ("or" conjunction)*
conjunction := negation ("and" negation)*
negation    := "not" negation | comparison
comparison  := operand [sign operand | ["not"] "in" "[" literal ("," literal)* "]"]
operand     := literal | fact | fact "(" text ("," text)* ")" | "(" condition ")"
```

Nothing of the text is ever run. What does not follow the grammar ends the parsing;
names and kinds that do not fit are collected, so that all of them are told at once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from returns.result import Failure, Result, Success

from orchestrator.core.errors import InvalidSpec, Problem
from orchestrator.replay.conditions.checks import (
    Part,
    asked_part,
    compared_part,
    literal_part,
    one_of_part,
)
from orchestrator.replay.conditions.conditions import (
    SIGNS,
    Condition,
    Every,
    Not,
    Some,
    Term,
)
from orchestrator.replay.conditions.kinds import Kind
from orchestrator.replay.conditions.tokens import (
    HINTS,
    Mark,
    Mistake,
    Token,
    problem,
    quoted,
    tokens_of,
)

__all__ = ("DEPTH_MAX", "LENGTH_MAX", "parse_condition")

LENGTH_MAX: Final = 2_000
"""Characters of a condition: what a person writes is far shorter."""

DEPTH_MAX: Final = 20
"""How deep a condition may be nested: recursion needs a bound."""

_KEYWORDS: Final = ("and", "or", "not", "in")


def parse_condition(text: str) -> Result[Condition, InvalidSpec]:
    """Read a condition; a failure names each mistake, ``place`` being its column.

    >>> parse_condition("restarts('web-1') > 5").unwrap().text
    "restarts('web-1') > 5"
    >>> mistakes = parse_condition("fase('web-1') == 'failed'").failure().problems
    >>> [(one.place, one.found, one.hint) for one in mistakes]
    [('column 1', "'fase'", 'did you mean "phase"?')]

    """
    if len(text) > LENGTH_MAX:
        found = f"{len(text)} characters"
        long = problem(LENGTH_MAX + 1, f"at most {LENGTH_MAX} characters", found)
        return Failure(InvalidSpec(problems=(long,)))
    try:
        parser = _Parser(tokens_of(text))
        term = parser.whole()
    except Mistake as mistake:
        return Failure(InvalidSpec(problems=(mistake.problem,)))
    if parser.mistakes:
        return Failure(InvalidSpec(problems=tuple(parser.mistakes)))
    return Success(Condition(text=text, term=term))


class _Parser:
    """Goes through the words once, from left to right."""

    def __init__(self, tokens: tuple[Token, ...]) -> None:
        self.mistakes: list[Problem] = []
        self._tokens = tokens
        self._place = 0
        self._depth = 0

    def whole(self) -> Term:
        """Read the whole text as one condition."""
        part = self._condition()
        if self._now.mark is not Mark.END:
            raise self._mistake('"and", "or" or the end')
        return self._truth(part)

    @property
    def _now(self) -> Token:
        return self._tokens[self._place]

    def _is_at(self, text: str) -> bool:
        """Say whether the next word is this sign or keyword."""
        return self._now.mark in {Mark.SIGN, Mark.NAME} and self._now.text == text

    def _taken(self, text: str) -> bool:
        """Go over a sign or keyword, if it is the next word."""
        is_there = self._is_at(text)
        self._place += is_there
        return is_there

    def _expect(self, text: str) -> None:
        if not self._taken(text):
            raise self._mistake(f'"{text}"')

    def _next(self) -> Token:
        token = self._now
        self._place += 1
        return token

    def _mistake(self, expected: str) -> Mistake:
        token = self._now
        found = "the end" if token.mark is Mark.END else quoted(token.text)
        hint = HINTS.get(token.text, "")
        return Mistake(problem(token.column, expected, found, hint))

    def _truth(self, part: Part) -> Term:
        """Return a part that has to be a condition of its own."""
        if part.kind not in {None, Kind.TRUTH}:
            hint = "compare it with something"
            found = f"only {part.kind}"
            self.mistakes.append(problem(part.column, Kind.TRUTH, found, hint))
        return part.term

    def _condition(self) -> Part:
        return self._joined("or", self._conjunction, Some)

    def _conjunction(self) -> Part:
        return self._joined("and", self._negation, Every)

    def _joined(
        self,
        word: str,
        read: Callable[[], Part],
        join: Callable[[tuple[Term, ...]], Term],
    ) -> Part:
        first = read()
        if not self._is_at(word):
            return first
        terms = [self._truth(first)]
        while self._taken(word):
            terms.append(self._truth(read()))
        return Part(term=join(tuple(terms)), column=first.column, kind=Kind.TRUTH)

    def _negation(self) -> Part:
        column = self._now.column
        if not self._is_at("not"):
            return self._comparison()
        self._go_deeper()
        self._place += 1
        term = Not(self._truth(self._negation()))
        self._depth -= 1
        return Part(term=term, column=column, kind=Kind.TRUTH)

    def _go_deeper(self) -> None:
        self._depth += 1
        if self._depth > DEPTH_MAX:
            raise self._mistake(f"at most {DEPTH_MAX} levels")

    def _comparison(self) -> Part:
        left = self._operand()
        if self._now.mark is Mark.SIGN and self._now.text in SIGNS:
            sign = self._next()
            return compared_part(left, sign, self._operand(), self.mistakes)
        is_negated = self._taken("not")
        if is_negated or self._is_at("in"):
            self._expect("in")
            part = one_of_part(left, self._list(), self.mistakes)
            if is_negated:
                return Part(term=Not(part.term), column=part.column, kind=part.kind)
            return part
        return left

    def _list(self) -> tuple[Part, ...]:
        self._expect("[")
        found = [self._literal()]
        while self._taken(","):
            found.append(self._literal())
        self._expect("]")
        return tuple(found)

    def _literal(self) -> Part:
        part = literal_part(self._now)
        if part is None:
            raise self._mistake("a text, a number, a duration, true or false")
        self._place += 1
        return part

    def _operand(self) -> Part:
        token = self._now
        if literal_part(token) is not None:
            return self._literal()
        if self._is_at("("):
            self._go_deeper()
            self._place += 1
            part = self._condition()
            self._expect(")")
            self._depth -= 1
            return part
        if token.mark is not Mark.NAME or token.text in _KEYWORDS:
            raise self._mistake("something to ask for, or a value")
        self._place += 1
        return asked_part(token, self._parentheses(), self.mistakes)

    def _parentheses(self) -> tuple[Token, ...] | None:
        """Return the words in parentheses, None where there are none."""
        if not self._taken("("):
            return None
        found: list[Token] = []
        while not self._is_at(")"):
            if found:
                self._expect(",")
            if literal_part(self._now) is None:
                raise self._mistake("a text such as 'web-1'")
            found.append(self._next())
        self._expect(")")
        return tuple(found)
