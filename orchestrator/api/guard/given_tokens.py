"""Tokens that the environment gives, for an operator whose disk does not outlast it.

What is given are digests, in the form of the file of tokens: who reads the environment
learns no token. They are as they were when the operator began.
"""

from __future__ import annotations

import json
from typing import Final

import attrs
from returns.result import Result

from orchestrator.api.guard.token_file import parsed_tokens
from orchestrator.api.guard.tokens import TokenList
from orchestrator.codec.wire import tree_of
from orchestrator.core.errors import InvalidSpec

__all__ = ("VARIABLE", "GivenTokens", "exported", "given_tokens")

VARIABLE: Final = "ORCHESTRATOR_TOKENS"


@attrs.frozen
class GivenTokens:
    """The tokens of an operator that was given them."""

    tokens: TokenList

    def current(self) -> TokenList | None:
        """Return them: always the same ones."""
        return self.tokens


def given_tokens(text: str) -> Result[GivenTokens, InvalidSpec]:
    """Read what the variable holds; an error tells its place, and none of it."""
    return parsed_tokens(f"${VARIABLE}", text.encode()).map(GivenTokens)


def exported(tokens: TokenList) -> str:
    """Write tokens as the variable holds them: names, scopes, digests, in one line.

    >>> from orchestrator.api.guard.tokens import Grant, made
    >>> _, token = made("ci", Grant.READ, now=0)
    >>> given_tokens(exported(TokenList(tokens=(token,)))).unwrap().tokens.tokens == (
    ...     token,
    ... )
    True

    """
    return json.dumps(tree_of(tokens), separators=(",", ":"))
