"""The door that ``up`` opens: what two variables say in the place of files."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.api.guard.given_tokens import exported
from orchestrator.api.guard.tokens import Grant, TokenList, made
from orchestrator.cli.failing import Failed
from orchestrator.cli.listening import Entrance, entrance_of
from orchestrator.codec.api_choice import ApiChoice, address_of
from tests.cli.kit import run

EVERYWHERE = ApiChoice(listen="0.0.0.0:0")


def opened(state: Path, choice: ApiChoice = EVERYWHERE) -> Entrance:
    entrance = entrance_of(choice, state)
    assert entrance is not None
    entrance.bound.close()
    return entrance


def test_tokens_that_are_given_are_all_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret, token = made("ops", Grant.WRITE, now=0)
    monkeypatch.setenv("ORCHESTRATOR_TOKENS", exported(TokenList(tokens=(token,))))
    done = run("token", "create", "other", "--state", str(tmp_path))
    assert done.code == 0
    entrance = opened(tmp_path)
    assert entrance.guard.access == "tokens"
    assert entrance.guard._valid() == {token.digest}
    assert secret not in repr(entrance)


@pytest.mark.parametrize("text", ["", "rubbish", '{"tokens": []}'])
def test_without_a_token_that_can_be_used_nothing_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv("ORCHESTRATOR_TOKENS", text)
    with pytest.raises(Failed) as refused:
        opened(tmp_path)
    assert refused.value.code == 2
    told = refused.value.message
    assert "ORCHESTRATOR_TOKENS" in told  # and no folder, which would not be looked at
    assert str(tmp_path) not in told


def test_hosts_that_are_given_stand_beside_those_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, token = made("ops", Grant.WRITE, now=0)
    monkeypatch.setenv("ORCHESTRATOR_TOKENS", exported(TokenList(tokens=(token,))))
    monkeypatch.setenv("ORCHESTRATOR_HOSTS", "shop.example.com, ops.example.com:8443")
    choice = ApiChoice(listen=EVERYWHERE.listen, hosts=("own.example.com",))
    names = opened(tmp_path, choice).guard._door.names
    for text, is_known in (
        ("shop.example.com", True),
        ("ops.example.com:8443", True),
        ("own.example.com", True),
        ("evil.example.com", False),
    ):
        address = address_of(text)
        assert address is not None
        assert names.has(address) is is_known
    monkeypatch.setenv("ORCHESTRATOR_HOSTS", "https://shop.example.com")
    with pytest.raises(Failed, match="expected names of hosts between commas"):
        opened(tmp_path)


def test_tokens_are_exported_as_digests(tmp_path: Path) -> None:
    state = ("--state", str(tmp_path))
    none = run("token", "export", *state)
    assert (none.code, "no token was made" in none.err) == (11, True)
    secret = run("token", "create", "ops", "--scope", "write", *state).out.strip()
    done = run("token", "export", *state)
    assert done.code == 0
    assert len(done.out.splitlines()) == 1
    assert '"name":"ops"' in done.out
    assert secret not in done.out


@pytest.mark.parametrize("place", ["foo", "127.0.0.1:99999", "8400", "[::1]"])
def test_what_is_no_place_to_listen_at_is_a_mistake(tmp_path: Path, place: str) -> None:
    file = tmp_path / "fleet.toml"
    file.write_text('[fleet]\nname = "demo"\n')
    done = run("up", str(file), "--state", str(tmp_path / "state"), "--listen", place)
    assert done.code == 2
    assert (
        f"expected HOST:PORT, such as 127.0.0.1:8400 or [::1]:8400, found {place!r}"
        in done.err
    )
    assert not (tmp_path / "state").exists()
