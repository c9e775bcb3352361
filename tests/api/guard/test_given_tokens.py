"""Tokens that the environment gives in the place of a file."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.api.guard.given_tokens import GivenTokens, exported, given_tokens
from orchestrator.api.guard.tokens import Grant, TokenList, found, made

names = st.from_regex(r"[a-z][a-z0-9]{0,8}", fullmatch=True)


@settings(deadline=None)
@given(
    named=st.dictionaries(
        names, st.tuples(st.sampled_from(Grant), st.none() | st.integers(0, 10**12))
    )
)
def test_what_is_exported_lets_in_whom_the_file_lets_in(
    named: dict[str, tuple[Grant, int | None]],
) -> None:
    pairs = [
        made(name, scope, now=0, expires_at=expires)
        for name, (scope, expires) in named.items()
    ]
    tokens = TokenList(tokens=tuple(token for _, token in pairs))
    text = exported(tokens)
    assert "\n" not in text
    given_back = given_tokens(text).unwrap()
    assert given_back.current() == tokens
    for secret, token in pairs:
        assert secret not in text
        assert found(given_back.tokens, secret) == token
        assert found(given_back.tokens, secret + "x") is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "planted-secret",
        "[]",
        '{"tokens": [{"name": "planted-secret"}]}',
        "[" * 9_999,
    ],
)
def test_what_is_none_is_refused_and_none_of_it_is_repeated(text: str) -> None:
    message = given_tokens(text).failure().message
    assert message.startswith("$ORCHESTRATOR_TOKENS: expected ")
    assert "planted-secret" not in message


def test_an_empty_list_lets_nobody_in() -> None:
    given_back = given_tokens(json.dumps({"tokens": []})).unwrap()
    assert given_back == GivenTokens(TokenList())
    assert given_back.current() == TokenList()
