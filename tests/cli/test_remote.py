"""The command against an operator that listens to HTTP, as from another machine."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest
import trustme

from orchestrator.api.places import HTTP_AT, TOKENS
from orchestrator.cli.remembered import contexts_path
from orchestrator.codec.api_choice import BODY_MAX
from tests.cli.inside import ran
from tests.cli.kit import COMMAND, LIMIT_S, Done, file_at, has_said, reached, run, up

FLEET = """
[fleet]
name = "far"
[platform]
kind = "local"
[api]
listen = "127.0.0.1:0"
{api}
[[containers]]
name = "web"
command = ["sh", "-c", "echo hello; exec sleep 999"]
[ad_hoc]
command = ["sleep", "998"]
"""


@attrs.frozen
class Far:
    """An operator, and the files with which it is reached."""

    state: Path
    url: str
    folder: Path

    def token_file(self, name: str, scope: str) -> Path:
        """Make a token, and keep it as its bearer would."""
        made = run(
            "token", "create", name, "--scope", scope, "--state", str(self.state)
        )
        assert made.code == 0, made.err
        file = self.folder / f"{name}.token"
        file.write_text(made.out)
        file.chmod(0o600)
        return file


def url_of(state: Path) -> str:
    return str(json.loads((state / HTTP_AT).read_bytes())["url"])


@pytest.fixture(scope="module")
def far(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Far]:
    folder = tmp_path_factory.mktemp("far")
    state = folder / "state"
    with up(file_at(folder, FLEET.format(api="")), state):
        reached(state).get("containers", "web", "wait")
        has_said(state, "web", "hello")
        yield Far(state, url_of(state), folder)


@pytest.fixture(scope="module")
def writer(far: Far) -> Path:
    return far.token_file("writer", "write")


@pytest.fixture(scope="module")
def reader(far: Far) -> Path:
    return far.token_file("reader", "read")


@pytest.fixture(autouse=True)
def _own_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep contexts apart from those of whoever runs the tests."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("URL", "TOKEN_FILE", "STATE"):
        monkeypatch.delenv(f"ORCHESTRATOR_{name}", raising=False)


def asked(far: Far, token: Path, *words: str) -> Done:
    return ran(*words, "--url", far.url, "--token-file", token)


def test_every_command_that_reads_works_from_afar(far: Far, reader: Path) -> None:
    for words, expected in (
        (("list",), "web"),
        (("list", "-o", "name"), "web\n"),
        (("list", "--at", "3"), "after row 3"),
        (("status", "web"), "running"),
        (("status", "--platform"), "web"),
        (("explain", "web"), "phase"),
        (("logs", "web"), "hello"),
        (("events", "-o", "json"), '"booted"'),
        (("wait", "web"), "running"),
        (("diff",), "nothing differs"),
        (("services",), "IN THE FILE"),
        (("orphans",), "STOPPING"),
    ):
        done = asked(far, reader, *words)
        assert done.code == 0, (words, done.err)
        assert expected in done.out, (words, done.out)


def test_every_command_that_changes_works_from_afar(far: Far, writer: Path) -> None:
    for words in (
        ("start", "extra"),
        ("wait", "extra"),
        ("restart", "extra", "--why", "from afar"),
        ("wait", "extra"),
        ("stop", "extra"),
        ("wait", "extra", "--for", "stopped"),
        ("reset", "extra"),
        ("remove", "extra"),
        ("reconcile",),
    ):
        done = asked(far, writer, *words)
        assert done.code == 0, (words, done.err)
    assert asked(far, writer, "status", "extra").code == 11


def test_a_fleet_file_is_planned_and_applied_from_afar(
    far: Far, reader: Path, writer: Path, tmp_path: Path
) -> None:
    text = FLEET.format(api="")
    changed = file_at(tmp_path, text.replace("hello", "good day"))
    planned = asked(far, writer, "plan", str(changed))
    assert planned.code == 1, planned.err
    assert "~ restart  web: " in planned.out
    for what in ("apply", "plan"):
        refused = asked(far, reader, what, str(changed))
        assert refused.code == 7, refused.err
        assert "may only read" in refused.err
    assert asked(far, writer, "plan", str(changed)).code == 1
    assert asked(far, writer, "apply", str(changed)).code == 0
    assert asked(far, writer, "plan", str(changed)).code == 0
    assert asked(far, writer, "apply", str(file_at(tmp_path, text))).code == 0


def test_a_fleet_that_is_too_large_to_be_sent_is_told(
    far: Far, writer: Path, tmp_path: Path
) -> None:
    text = FLEET.format(api="")
    large = f'name = "web"\nenv = {{ NOTES = "{"x" * BODY_MAX}" }}'
    file = file_at(tmp_path, text.replace('name = "web"', large))
    for what in ("plan", "apply"):
        done = asked(far, writer, what, str(file))
        assert (done.code, done.out) == (2, "")
        assert f"a body has at most {BODY_MAX} bytes (api.body_max_bytes" in done.err
    near = ran("plan", file, "--state", far.state)
    assert near.code == 1, near.err


def test_a_reader_may_not_change_anything(far: Far, reader: Path) -> None:
    for words in (("stop", "web"), ("start", "x"), ("reconcile",), ("down",)):
        done = asked(far, reader, *words)
        assert done.code == 7, words
        assert done.err == "orchestrator: not allowed: this token may only read\n"


def test_who_has_no_good_token_is_not_let_in(
    far: Far, writer: Path, tmp_path: Path
) -> None:
    done = ran("list", "--url", far.url)
    assert (done.code, done.out) == (7, "")
    assert "no token was given" in done.err
    wrong = tmp_path / "wrong"
    wrong.write_text("orch_wrong\n")
    wrong.chmod(0o600)
    for words in (("list",), ("logs", "web"), ("events",), ("stop", "web")):
        done = asked(far, wrong, *words)
        assert done.code == 7, words
        assert "the token is unknown, or was revoked" in done.err
        assert "orch_" not in done.err


def test_a_revoked_token_is_refused_at_once(far: Far, writer: Path) -> None:
    file = far.token_file("short", "write")
    assert asked(far, file, "list").code == 0
    done = run("token", "revoke", "short", "--state", str(far.state))
    assert (done.code, done.err) == (0, "")
    assert asked(far, file, "list").code == 7


def test_nobody_there_is_told_without_a_token(writer: Path, tmp_path: Path) -> None:
    secret = writer.read_text().strip()
    for url, cause in (
        ("http://127.0.0.1:1", "connection refused"),
        ("http://no-such-host.invalid:1", "the name of its host is not known"),
        ("https://127.0.0.1:1", "connection refused"),
    ):
        words = ("list", "--url", url, "--token-file", writer, "--allow-http")
        done = ran(*words)
        assert done.code == 5, (url, done)
        assert cause in done.err
        assert url in done.err
        assert secret not in done.err + done.out
    done = ran("down", "--url", "http://127.0.0.1:1")
    assert done.code == 5


def test_https_to_plain_http_is_told(far: Far, writer: Path) -> None:
    url = far.url.replace("http:", "https:")
    done = ran("list", "--url", url, "--token-file", writer)
    assert done.code == 5
    assert "does not speak TLS" in done.err or "connection" in done.err


def test_a_token_is_not_sent_to_the_network_unasked(writer: Path) -> None:
    done = ran("list", "--url", "http://10.0.0.1:8400", "--token-file", writer)
    assert done.code == 2
    assert "would show the token to the network" in done.err


@pytest.mark.parametrize(
    "url",
    [
        "10.0.0.1:8400",
        "ftp://x",
        "http://",
        "http://user:pass@x",
        "http://x:99999",
        "http://x?y",
        "http://x\ny",
        "http://x y",
        "http://[::1",
    ],
)
def test_what_is_no_url_is_told(url: str) -> None:
    done = ran("list", "--url", url)
    assert done.code == 2
    assert "--url: expected http://HOST:PORT or https://HOST" in done.err


def test_a_token_file_that_cannot_be_used_is_told(far: Far, tmp_path: Path) -> None:
    file = tmp_path / "token"
    done = asked(far, file, "list")
    assert done.code == 2
    assert "No such file" in done.err
    for text, mode, expected in (
        ("orch_secret\n", 0o644, "expected mode 0600, found 0644"),
        ("", 0o600, "expected a token"),
        ("orch_secret\norch_two\n", 0o600, "expected a token"),
        ("orch_secret: here\n", 0o600, "expected a token"),
        ("orch_sécret\n", 0o600, "expected a token"),
        ("orch_\0\n", 0o600, "expected a token"),
        ("x" * 5_000, 0o600, "expected a token"),
    ):
        file.write_text(text)
        file.chmod(mode)
        done = asked(far, file, "list")
        assert done.code == 2, text
        assert expected in done.err
        assert "orch_" not in done.err


def test_the_options_that_exclude_one_another_are_told(far: Far) -> None:
    for words in (
        ("--state", far.state, "--url", far.url),
        ("--context", "x", "--url", far.url),
        ("--state", far.state, "--ca", "/dev/null"),
        ("--state", far.state, "--allow-http"),
    ):
        assert ran("list", *words).code == 2, words


def test_the_environment_says_what_is_meant(
    far: Far, reader: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORCHESTRATOR_URL", far.url)
    assert ran("list").code == 7
    monkeypatch.setenv("ORCHESTRATOR_TOKEN_FILE", str(reader))
    assert ran("list", "-o", "name").out == "web\n"
    monkeypatch.setenv("ORCHESTRATOR_STATE", "/nowhere")
    assert ran("list", "-o", "name").out == "web\n"
    assert ran("list", "--state", far.state, "-o", "name").out == "web\n"


def test_a_context_is_kept_used_and_forgotten(far: Far, writer: Path) -> None:
    words = ("--url", far.url + "/", "--token-file", writer)
    assert ran("context", "add", "prod", *words).out == f"prod is {far.url}\n"
    assert stat.S_IMODE(contexts_path().stat().st_mode) == 0o600
    assert writer.read_text().strip() not in contexts_path().read_text()
    assert ran("list", "--context", "prod", "-o", "name").out == "web\n"
    assert ran("list").code == 5
    assert ran("context", "use", "prod").code == 0
    assert ran("list", "-o", "name").out == "web\n"
    assert ran("stop", "nobody").code == 11
    listed = ran("context", "list")
    assert "*" in listed.out
    assert far.url in listed.out
    kept = json.loads(ran("context", "list", "-o", "json").out)
    assert kept["current"] == "prod"
    assert kept["contexts"][0]["token_file"] == str(writer)
    assert ran("context", "use", "local").code == 0
    assert ran("list").code == 5
    assert ran("context", "add", "prod", *words, "--use").out.endswith(", in use\n")
    assert ran("context", "remove", "prod").code == 0
    assert ran("list", "--context", "prod").code == 11
    assert ran("context", "use", "prod").code == 11
    assert ran("list").code == 5


def test_a_context_that_cannot_be_is_refused(far: Far, writer: Path) -> None:
    for words in (
        ("local", "--url", far.url),
        ("A B", "--url", far.url),
        ("x", "--url", "nothing"),
        ("x", "--url", far.url, "--token-file", "/nowhere"),
        ("x", "--url", "https://x", "--ca", "/nowhere"),
        ("x", "--url", "http://10.0.0.1", "--token-file", writer),
    ):
        assert ran("context", "add", *words).code == 2, words
    assert not contexts_path().exists()


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"current": 3}', '{"contexts": [{"name": "x"}]}', "\xff"]
)
def test_a_file_of_contexts_that_was_spoilt_is_told(text: str) -> None:
    contexts_path().parent.mkdir(parents=True)
    contexts_path().write_text(text, encoding="latin-1")
    for words in (("list",), ("context", "list"), ("context", "use", "x")):
        done = ran(*words)
        assert done.code == 2, done
        assert str(contexts_path()) in done.err


def test_a_token_is_shown_once_and_listed_without_it(tmp_path: Path) -> None:
    state = ("--state", tmp_path / "state")
    made = ran("token", "create", "ci", "--expires", "30d", *state)
    assert re.fullmatch(r"orch_[\w-]{43}\n", made.out)
    assert made.out.strip() not in made.err
    again = ran("token", "create", "ci", *state)
    assert (again.code, again.out) == (6, "")
    listed = ran("token", "list", *state)
    assert "ci" in listed.out
    assert "29d" in listed.out or "30d" in listed.out
    assert made.out.strip() not in listed.out
    (facts,) = json.loads(ran("token", "list", "-o", "json", *state).out)
    assert facts["scope"] == "read"
    assert facts["is_valid"]
    assert set(facts) == {"name", "scope", "created_at", "expires_at", "is_valid"}
    assert ran("token", "revoke", "nobody", *state).code == 11
    revoked = ran("token", "revoke", "ci", *state)
    assert revoked.code == 0
    assert "no token is left" in revoked.err
    for name, expires in (("A B", "1d"), ("x", "0s"), ("x", "soon")):
        done = ran("token", "create", name, "--expires", expires, *state)
        assert done.code == 2, done
    (tmp_path / "state" / TOKENS).chmod(0o644)
    for command in (("list",), ("create", "x"), ("revoke", "x")):
        done = ran("token", *command, *state)
        assert done.code == 2, command
        assert "expected mode 0600" in done.err


def test_what_follows_ends_when_the_operator_does(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with up(file_at(tmp_path, FLEET.format(api="")), state) as operator:
        reached(state).get("containers", "web", "wait")
        url = url_of(state)
        followers = [
            subprocess.Popen(
                (*COMMAND, *words, "--follow", "--url", url),
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env=os.environ | {"PYTHONUNBUFFERED": "1"},
            )
            for words in (("logs", "web"), ("events",))
        ]
        for follower in followers:
            assert follower.stdout is not None
            assert follower.stdout.readline()
        operator.terminate()
        for follower in followers:
            _, err = follower.communicate(timeout=LIMIT_S)
            assert follower.returncode == 5, err
            assert "no operator is reached at" in err
            assert "Traceback" not in err
        operator.wait(LIMIT_S)


def test_an_address_of_the_network_needs_a_token(tmp_path: Path) -> None:
    state = tmp_path / "state"
    file = file_at(tmp_path, FLEET.format(api=""))
    words = ("up", file, "--state", state, "--listen", "0.0.0.0:0")
    refused = ran(*words)
    assert refused.code == 2
    assert (
        f"orchestrator token create NAME --scope write --state {state}" in refused.err
    )
    assert not (state / "journal.db").exists()
    made = ran("token", "create", "a", "--expires", "1ms", "--state", state)
    assert made.code == 0
    until = time.monotonic() + LIMIT_S
    while ran(*words).code != 2:
        assert time.monotonic() < until


def test_the_network_is_served_with_a_token_and_tls(tmp_path: Path) -> None:
    state = tmp_path / "state"
    ca = trustme.CA()
    pair = ca.issue_cert("localhost", "127.0.0.1")
    pair.private_key_pem.write_to_path(tmp_path / "key.pem")
    pair.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    tls = 'tls_cert = "cert.pem"\ntls_key = "key.pem"\nread_only = true'
    file = file_at(tmp_path, FLEET.format(api=tls))
    made = ran("token", "create", "a", "--scope", "write", "--state", state)
    token = tmp_path / "token"
    token.write_text(made.out)
    token.chmod(0o600)
    with up(file, state, "--listen", "0.0.0.0:0"):
        reached(state).get("containers", "web", "wait")
        has_said(state, "web", "hello")
        url = url_of(state)
        assert url.startswith("https://127.0.0.1:")
        words = ("--url", url, "--token-file", token)
        untrusted = ran("list", *words)
        assert untrusted.code == 5
        assert "its certificate is not trusted" in untrusted.err
        trusted = ("--ca", tmp_path / "ca.pem")
        assert ran("list", *words, *trusted, "-o", "name").out == "web\n"
        assert ran("logs", "web", *words, *trusted).out == "hello\n"
        refused = ran("stop", "web", *words, *trusted)
        assert refused.code == 7
        assert "read-only over HTTP" in refused.err
        assert ran("list", *words, "--ca", "/nowhere").code == 2
        assert ran("list", *words, "--ca", token).code == 2
        name = url.replace("127.0.0.1", "localhost")
        named = ("--url", name, "--token-file", token, *trusted)
        assert ran("context", "add", "x", *named, "--use").code == 0
        assert ran("list", "-o", "name").out == "web\n"
        log = (tmp_path / "up.log").read_text()
    assert "with a token, to read only" in log
    assert made.out.strip() not in log
    assert "Traceback" not in log


@pytest.mark.parametrize(
    ("api", "expected"),
    [
        ('tls_cert = "c.pem"', ":8: api.tls_cert: expected tls_cert and tls_key"),
        ('tls_key = "k.pem"', ":8: api.tls_key: expected tls_cert and tls_key"),
        ('hosts = ["a/b"]', ":8: api.hosts: expected names of hosts"),
        ('tls_cert = "c.pem"\ntls_key = "k.pem"', "c.pem: expected a file in PEM"),
    ],
)
def test_what_is_wrong_with_the_door_starts_nothing(
    tmp_path: Path, api: str, expected: str
) -> None:
    file = file_at(tmp_path, FLEET.format(api=api))
    done = ran("up", file, "--state", tmp_path / "state")
    assert done.code == 2
    assert expected in done.err
    assert not (tmp_path / "state").exists()


def test_a_port_that_is_taken_starts_nothing(far: Far, tmp_path: Path) -> None:
    file = file_at(tmp_path, FLEET.format(api=""))
    place = far.url.removeprefix("http://")
    done = ran("up", file, "--state", tmp_path / "state", "--listen", place)
    assert done.code == 2
    assert "does an operator run already?" in done.err
    assert not (tmp_path / "state").exists()


def test_an_address_that_a_killed_operator_left_does_not_outlive_it(
    tmp_path: Path,
) -> None:
    state = tmp_path / "state"
    state.mkdir(mode=0o755)
    (state / HTTP_AT).write_text('{"url": "http://127.0.0.1:1"}')
    fleet = FLEET.replace('listen = "127.0.0.1:0"\n', "").format(api="")
    with up(file_at(tmp_path, fleet), state):
        reached(state).get("containers", "web", "wait")
        assert not (state / HTTP_AT).exists()
        for name in ("fleet.json", "journal.db", "journal.db-wal"):
            assert stat.S_IMODE((state / name).stat().st_mode) == 0o600
