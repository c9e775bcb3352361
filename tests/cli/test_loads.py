"""Loads as a user tells them, over processes of this machine."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.kit import Done, file_at, reached, run, up

FLEET = """
[fleet]
name = "shop"
[[containers]]
name = "web"
replicas = 1
command = ["sleep", "999"]
[containers.autoscaling]
metric = "pushed"
target = 100
max = 4
up_after = "0s"
down_after = "0s"
[[containers]]
name = "db"
replicas = 1
command = ["sleep", "999"]
"""


def asked(state: Path, *words: str) -> Done:
    return run(*words, "--state", str(state))


def test_a_service_is_scaled_by_the_load_that_is_told(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with up(file_at(tmp_path, FLEET), state):
        reached(state)
        done = asked(state, "load", "web", "250")
        assert (done.code, done.err) == (0, "")
        assert done.out.splitlines() == [
            "service:  web",
            "replicas: 3",
            "wanted:   3",
            "why:      its load is 250 on the average of 1m, 100 for each",
        ]
        listed = asked(state, "services").out
        assert "MIN-MAX" in listed
        [web] = [line for line in listed.splitlines() if line.startswith("web")]
        assert web.split()[-4:] == ["1-4", "250", "100", "3"]
        [db] = [line for line in listed.splitlines() if line.startswith("db")]
        assert db.split()[-4:] == ["-"] * 4
        told = json.loads(asked(state, "load", "web", "900", "-o", "json").out)
        assert (told["replicas"], told["autoscaling"]["most"]) == (4, 4)
        assert "desired_by:      autoscaler" in asked(state, "explain", "web-3").out
        events = asked(state, "events", "-o", "json").out
        assert '"load_observed"' in events


MISTAKES = (
    (("ghost", "1"), 11, "there is no service 'ghost'"),
    (("db", "1"), 2, "the metric pushed"),
    (("web", "nan"), 2, "a finite number"),
    (("web", "much"), 2, "LOAD"),
    (("web", "1e13"), 2, "load"),
    (("web",), 2, "LOAD"),
)


def test_mistakes_are_told(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with up(file_at(tmp_path, FLEET), state):
        reached(state)
        for words, code, said in MISTAKES:
            wrong = asked(state, "load", *words)
            assert wrong.code == code, wrong
            assert said in wrong.err
            assert "Traceback" not in wrong.err


def test_a_service_without_autoscaling_has_no_more_columns(tmp_path: Path) -> None:
    state = tmp_path / "state"
    bare = FLEET.partition("[containers.autoscaling]")[0]
    with up(file_at(tmp_path, bare), state):
        reached(state)
        assert "MIN-MAX" not in asked(state, "services").out
