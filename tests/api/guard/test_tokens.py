"""Tokens, and the file that they are kept in."""

from __future__ import annotations

import json
import os
import stat
import threading
from pathlib import Path

import pytest
from returns.result import Failure, Success

from orchestrator.api.guard.token_file import TokenFile, change_tokens, read_tokens
from orchestrator.api.guard.tokens import Grant, Token, TokenList, found, made
from orchestrator.api.places import TOKENS
from tests.api.guard.kit import keep, revoke, token_in


def problem(state: Path) -> str:
    read = read_tokens(state)
    assert isinstance(read, Failure)
    return str(read.failure().message)


def test_a_token_is_256_bits_of_chance_and_kept_as_a_digest() -> None:
    secrets = {made("a", Grant.READ, now=0)[0] for _ in range(100)}
    assert len(secrets) == 100
    secret, token = made("a", Grant.WRITE, now=5, expires_at=9)
    assert secret.startswith("orch_")
    assert len(secret) == len("orch_") + 43
    assert secret not in repr(token)
    assert token.digest not in repr(token)
    assert (token.scope, token.created_at, token.expires_at) == (Grant.WRITE, 5, 9)


def test_a_token_is_valid_until_it_expires() -> None:
    _, token = made("a", Grant.READ, now=5, expires_at=9)
    assert [token.is_valid(now) for now in (8, 9, 10)] == [True, False, False]
    _, endless = made("a", Grant.READ, now=5)
    assert endless.is_valid(10**15)


def test_each_secret_finds_its_own_token() -> None:
    pairs = [made(f"t{number}", Grant.READ, now=0) for number in range(5)]
    tokens = TokenList(tokens=tuple(token for _, token in pairs))
    assert [found(tokens, secret) for secret, _ in pairs] == list(tokens.tokens)
    assert found(tokens, "\udcff") is None
    assert found(TokenList(), pairs[0][0]) is None


def test_two_tokens_of_one_name_cannot_be() -> None:
    _, one = made("a", Grant.READ, now=0)
    with pytest.raises(ValueError, match="different names"):
        TokenList(tokens=(one,)).plus(one)
    with pytest.raises(ValueError, match="64 hexadecimal digits"):
        Token(name="a", scope=Grant.READ, digest="x" * 64, created_at=0)


def test_the_file_is_for_its_owner_and_holds_no_token(tmp_path: Path) -> None:
    state = tmp_path / "deep" / "state"
    secret = token_in(state, "ci", Grant.READ)
    file = state / TOKENS
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(state.stat().st_mode) == 0o700
    assert secret not in file.read_text()
    assert [path.name for path in state.iterdir()] == [TOKENS]
    (kept,) = json.loads(file.read_bytes())["tokens"]
    assert set(kept) == {"name", "scope", "digest", "created_at", "expires_at"}


def test_no_file_and_an_empty_list_are_two_things(tmp_path: Path) -> None:
    assert read_tokens(tmp_path) == Success(None)
    token_in(tmp_path, "a", Grant.READ)
    revoke(tmp_path, "a")
    assert read_tokens(tmp_path) == Success(TokenList())


def test_a_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    token_in(tmp_path, "a", Grant.READ)
    for mode in (0o640, 0o604, 0o620, 0o601):
        (tmp_path / TOKENS).chmod(mode)
        assert "expected mode 0600" in problem(tmp_path)
        assert f"{mode:04o}" in problem(tmp_path)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    for kind in ("folder", "pipe"):
        state = tmp_path / kind
        state.mkdir()
        if kind == "pipe":
            os.mkfifo(state / TOKENS, 0o600)
        else:
            (state / TOKENS).mkdir()
        assert "expected a file" in problem(state), kind
    state = tmp_path / "link"
    token_in(tmp_path / "elsewhere", "a", Grant.READ)
    state.mkdir()
    (state / TOKENS).symlink_to(tmp_path / "elsewhere" / TOKENS)
    assert "expected a file of this user" in problem(state)


def test_an_error_of_the_file_does_not_show_what_is_in_it(tmp_path: Path) -> None:
    token_in(tmp_path, "a", Grant.READ)
    file = tmp_path / TOKENS
    digest = json.loads(file.read_bytes())["tokens"][0]["digest"]
    file.write_text(file.read_text().replace('"read"', '"all"'))
    assert digest not in problem(tmp_path)
    assert "$.tokens[0].scope" in problem(tmp_path)
    file.write_text("orch_oops: pasted here by mistake")
    assert "oops" not in problem(tmp_path)


def test_who_changes_tokens_at_once_does_it_one_after_the_other(
    tmp_path: Path,
) -> None:
    threads = [
        threading.Thread(target=token_in, args=(tmp_path, f"t{n}", Grant.READ))
        for n in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    tokens = read_tokens(tmp_path).unwrap()
    assert tokens is not None
    assert len(tokens.tokens) == 20


def test_a_change_that_fails_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    token_in(tmp_path, "a", Grant.READ)
    before = (tmp_path / TOKENS).read_bytes()
    (tmp_path / TOKENS).chmod(0o644)
    changed = change_tokens(tmp_path, lambda tokens: Success(tokens.minus("a")))
    assert isinstance(changed, Failure)
    assert (tmp_path / TOKENS).read_bytes() == before


def test_a_file_is_read_again_when_it_has_changed(tmp_path: Path) -> None:
    tokens = TokenFile(tmp_path)
    assert tokens.current() is None
    _, one = made("one", Grant.READ, now=0)
    keep(tmp_path, one)
    assert tokens.current() == TokenList(tokens=(one,))
    assert tokens.current() is tokens.current()
    revoke(tmp_path, "one")
    assert tokens.current() == TokenList()
    (tmp_path / TOKENS).unlink()
    assert tokens.current() == TokenList()
    assert TokenFile(tmp_path).current() is None
