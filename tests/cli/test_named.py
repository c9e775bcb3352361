"""Strategies of a program's own are named as its restart policies are."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from orchestrator.cli.failing import Failed
from orchestrator.cli.named import IN_FILE, policies_named, policies_of
from orchestrator.codec.fleet_file import FleetFile, read_fleet_file

STRATEGIES = """\
from orchestrator import CustomPolicy, CustomStrategy, Finish, GiveUp

def step(view):
    return Finish()

def decide(situation):
    return GiveUp()

BATCHES = CustomStrategy(name="batches", version=2, step=step)
BOTH = [BATCHES, CustomPolicy(name="gentle", version=1, decide=decide)]
STRANGE = [BATCHES, 3]
"""


def fleet_of(folder: Path, strategy: str, version: int) -> FleetFile:
    text = f"""
[fleet]
name = "demo"
policies = "own_strategies:BATCHES"
[[containers]]
name = "web"
command = ["run"]
replicas = 2
rollout = {{ strategy = "{strategy}", version = {version} }}
"""
    read = read_fleet_file(text.encode(), file="fleet.toml", folder=str(folder))
    return read.unwrap()


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    _ = (tmp_path / "own_strategies.py").write_text(STRATEGIES, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "own_strategies", raising=False)
    return tmp_path


def test_one_strategy_or_several_with_policies_are_a_register(folder: Path) -> None:
    one = policies_named("own_strategies:BATCHES", folder, IN_FILE)
    both = policies_named("own_strategies:BOTH", folder, IN_FILE)
    assert list(one) == [("batches", 2)]
    assert list(both) == [("batches", 2), ("gentle", 1)]
    with pytest.raises(Failed, match="3 is no CustomPolicy, nor a CustomStrategy"):
        _ = policies_named("own_strategies:STRANGE", folder, IN_FILE)


def test_a_strategy_that_nobody_registered_is_told_before_anything_runs(
    folder: Path,
) -> None:
    assert ("batches", 2) in policies_of(fleet_of(folder, "batches", 2), folder)
    with pytest.raises(Failed, match="'batches' version 1"):
        _ = policies_of(fleet_of(folder, "batches", 1), folder)
    with pytest.raises(Failed, match="'rollin'"):
        _ = policies_of(fleet_of(folder, "rollin", 1), folder)
