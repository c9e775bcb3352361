"""A command that is forked runs as one that is started."""

from __future__ import annotations

import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.cli.forked import is_like_ours, run_forked
from tests.cli.kit import file_at, run, run_afresh

FLEET = """\
[fleet]
name = "long"

[platform]
kind = "simulated"

[[containers]]
name = "web"
command = ["run"]
"""


@pytest.mark.parametrize(
    "words",
    [
        ("version",),
        ("validate", "none.toml"),
        ("validate", "fleet.toml"),
        ("list", "--state", "none"),
        ("--help",),
        ("nonsense",),
    ],
    ids=" ".join,
)
def test_it_says_the_same_and_ends_the_same(
    words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file_at(tmp_path, FLEET)
    monkeypatch.chdir(tmp_path)
    assert run(*words) == run_afresh(*words)


def test_it_has_the_environment_that_it_is_given_and_no_other(tmp_path: Path) -> None:
    env = {**os.environ, "HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path)}
    assert run("list", env=env) == run_afresh("list", env=env)
    bare = {"PATH": os.environ["PATH"]}
    if is_like_ours(bare):
        assert run("list", env=bare) == run_afresh("list", env=bare)


def test_what_python_reads_when_it_starts_needs_a_start() -> None:
    assert is_like_ours(None)
    assert is_like_ours({**os.environ, "NO_COLOR": "1"})
    assert not is_like_ours({**os.environ, "PYTHONHASHSEED": "7"})


def test_it_is_ended_where_it_takes_too_long(tmp_path: Path) -> None:
    words = ("up", str(file_at(tmp_path, FLEET)), "--state", str(tmp_path / "s"))
    with pytest.raises(subprocess.TimeoutExpired):
        run_forked(words, None, 1.0)


def test_several_run_at_once() -> None:
    with ThreadPoolExecutor(4) as pool:
        said = set(pool.map(lambda _: run("version"), range(8)))
    assert said == {run_afresh("version")}
