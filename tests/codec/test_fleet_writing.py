"""A fleet is written as people write files: folded, short, and nothing that is lost."""

from __future__ import annotations

from typing import Any

import attrs

from orchestrator.codec.fleet_file import FleetFile, read_fleet_file
from orchestrator.codec.fleet_python import python_text
from orchestrator.codec.fleet_toml import toml_text
from orchestrator.codec.fleet_writing import fleet_tree, left_unsaid
from orchestrator.codec.platform_choices import SimulatedChoice
from orchestrator.core.fleet_specs import FleetSettings, FleetSpec
from orchestrator.core.groups import GroupStrategy, Membership
from orchestrator.core.services import Service, replica_of
from orchestrator.core.specs import ContainerSpec

HEAD = '[fleet]\nname = "demo"\n\n'


def again(text: str) -> str:
    """Read a file and write it."""
    read = read_fleet_file(text.encode(), file="fleet.toml", folder="/srv")
    return toml_text(fleet_tree(read.unwrap(), "/srv")).unwrap()


def tree_of(*containers: ContainerSpec, services: tuple[Service, ...] = ()) -> Any:
    spec = FleetSpec(name="demo", containers=containers, services=services)
    return fleet_tree(FleetFile(spec=spec, platform=SimulatedChoice()), "/srv")


def spec(name: str, **more: Any) -> ContainerSpec:
    return ContainerSpec(name=name, command=("run",), **more)


def test_a_file_is_written_as_one_would_write_it() -> None:
    text = f"""{HEAD}[restart]
when = "always"
exit_rules = [{{codes = [3], action = "fail"}}]

[[containers]]
name = "web"
replicas = 2
command = ["serve", "${{port.http}}"]
working_dir = "sub/folder"
ports = {{http = 8080}}
stop_grace = "1m30s"

[containers.health]
readiness = {{http = {{port = "http", path = "/ready"}}, period = "2s"}}
liveness = {{command = ["check", "--a-long-word", "--another-word"], period = "20s"}}

[[containers]]
name = "db"
command = ["run"]
working_dir = "/opt"

[groups.pair]
strategy = "rest_for_one"
members = ["db", "web"]

[ad_hoc]
command = ["work"]
"""
    assert again(text) == text


def test_what_is_at_its_default_is_left_out() -> None:
    whole = f"""{HEAD}prune = "stop"
[platform]
kind = "local"
[journal]
snapshot_every = 10000
[[containers]]
name = "web"
command = ["run"]
working_dir = "."
stop_grace_ms = 10000
restart = {{ when = "on_failure", crash = {{ window = "600s" }} }}
"""
    short = f'{HEAD}[[containers]]\nname = "web"\ncommand = ["run"]\n'
    assert again(whole) == short


def test_rules_and_rates_are_written_by_their_names() -> None:
    text = f"""{HEAD}[[containers]]
name = "a"
command = ["run"]

[containers.restart]
crash = {{on_loop = "hold"}}
backoff = {{factor = 1.5, delays = ["1s", "1m1s5ms"]}}
exit_rules = [
    {{codes_not_in = [3], action = "fail"}},
    {{signals = ["KILL", 50], action = "ignore"}},
    {{kinds_not_in = ["lost"], action = "complete"}},
]
"""
    assert again(text) == text
    read = read_fleet_file(text.encode(), file="fleet.toml", folder="/srv")
    assert '"backoff": {"factor": 1.5,' in python_text(
        fleet_tree(read.unwrap(), "/srv")
    )


def test_a_long_array_goes_over_more_lines() -> None:
    words = ", ".join(f'"word-{number}"' for number in range(12))
    text = again(f'{HEAD}[[containers]]\nname = "a"\ncommand = [{words}]\n')
    assert '\n    "word-0",\n' in text
    assert max(map(len, text.splitlines())) < 88
    assert again(text) == text


def test_policies_stand_with_each_where_they_differ() -> None:
    text = f"""{HEAD}[[containers]]
name = "a"
command = ["run"]
restart = {{when = "never"}}

[[containers]]
name = "b"
command = ["run"]
"""
    assert again(text) == text


def test_replicas_are_one_entry_also_where_nobody_says_so() -> None:
    template = spec("web")
    service = Service(template=template, replicas=3)
    replicas = [replica_of(service, index) for index in range(3)]
    folded = [
        {"name": "web", "replicas": 3, "command": ["run"]},
        {"name": "a", "command": ["run"]},
    ]
    assert tree_of(*replicas, spec("a"), services=(service,))["containers"] == folded
    assert tree_of(*reversed(replicas), spec("a"))["containers"] == folded


def test_a_service_without_replicas_keeps_its_place() -> None:
    first, empty, last = (
        Service(template=spec(name), replicas=count)
        for name, count in (("first", 1), ("empty", 0), ("last", 1))
    )
    containers = (replica_of(first, 0), spec("alone"), replica_of(last, 0))
    tree = tree_of(*containers, services=(first, empty, last))
    names = [entry["name"] for entry in tree["containers"]]
    assert names == ["first", "alone", "empty", "last"]
    other = tree_of(*containers, services=(last, empty, first))
    names = [entry["name"] for entry in other["containers"]]
    assert names == ["empty", "first", "alone", "last"]
    only = tree_of(services=(empty,))
    assert only["containers"] == [{"name": "empty", "replicas": 0, "command": ["run"]}]


def test_what_no_file_can_say_is_told() -> None:
    service = Service(template=spec("web"), replicas=3)
    odd = attrs.evolve(replica_of(service, 1), stop_grace_ms=1)
    gap = (replica_of(service, 0), replica_of(service, 2))
    group = Membership(group="g", strategy=GroupStrategy.ONE_FOR_ALL, position=0)
    template = spec("any", group=group)
    fleet = FleetSpec(
        name="demo", containers=gap, settings=FleetSettings(ad_hoc=template)
    )
    assert left_unsaid(fleet) == (
        "web-0: is written as a container of its own, not as replica 0 of 'web'",
        "web-2: is written as a container of its own, not as replica 2 of 'web'",
        "ad_hoc: a template is in no group",
    )
    assert [each["name"] for each in tree_of(*gap, odd)["containers"]] == [
        "web-0",
        "web-2",
        "web-1",
    ]
    assert left_unsaid(FleetSpec(name="demo", containers=(spec("a"),))) == ()


def test_toml_has_no_word_for_nothing() -> None:
    tree = {"fleet": {"name": "x"}, "containers": [{"config": {"a": [1, None]}}]}
    (problem,) = toml_text(tree).failure().problems
    assert problem.message == (
        "containers[0].config.a[1]: expected a value that TOML can hold, found null;"
        " --to python can hold it"
    )
    assert '{"a": [1, None]}' in python_text(
        {
            "fleet": {"name": "x"},
            "containers": [{"name": "a", "config": {"a": [1, None]}}],
        }
    )


def test_python_breaks_what_is_wider_than_a_line() -> None:
    def written(word: str) -> str:
        return python_text({"fleet": {"name": "x", "hooks": word}})

    assert len(written("a" * 40).splitlines()) == 3
    assert len(written("a" * 47).splitlines()) == 3
    assert len(written("a" * 48).splitlines()) == 6
    assert len(written("\u4e2d" * 23).splitlines()) == 3
    assert len(written("\u4e2d" * 24).splitlines()) == 6


def test_python_spares_backslashes() -> None:
    words = {
        "it's": '"it\'s"',
        'say "x"': "'say \"x\"'",
        "\"'": '"\\"\'"',
        "\0": '"\\x00"',
    }
    for word, spelt in words.items():
        assert f"hooks={spelt})" in python_text({"fleet": {"name": "x", "hooks": word}})
