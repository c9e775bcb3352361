"""Entries with replicas are kept as services, beside the containers they spell out."""

from __future__ import annotations

import pytest
from returns.result import Failure

from orchestrator.codec.fleet_file import read_fleet_file
from orchestrator.core.fleet_specs import FleetSpec
from orchestrator.core.groups import GroupStrategy

HEAD = '[fleet]\nname = "demo"\n'
WEB = '[[containers]]\nname = "web"\ncommand = ["run"]\n'


def spec_of(text: str) -> FleetSpec:
    read = read_fleet_file(text.encode(), file="fleet.toml", folder="/srv")
    return read.unwrap().spec


def refused(text: str) -> str:
    read = read_fleet_file(text.encode(), file="fleet.toml", folder="/srv")
    assert isinstance(read, Failure)
    return str(read.failure().message)


def test_an_entry_with_replicas_is_a_service() -> None:
    spec = spec_of(f"{HEAD}{WEB}replicas = 2\n")
    [service] = spec.services
    assert (service.name, service.replicas, service.declared) == ("web", 2, 2)
    assert service.template.working_dir == "/srv"
    assert [each.name for each in spec.containers] == ["web-0", "web-1"]


def test_a_service_may_have_none_and_a_container_of_its_own_is_none() -> None:
    assert [each.replicas for each in spec_of(f"{HEAD}{WEB}replicas = 0").services] == [
        0
    ]
    assert spec_of(f"{HEAD}{WEB}").services == ()


def test_a_template_has_the_group_of_its_replicas() -> None:
    group = '[groups.pair]\nstrategy = "one_for_all"\nmembers = ["web"]\n'
    [service] = spec_of(f"{HEAD}{WEB}replicas = 1\n{group}").services
    assert service.template.group is not None
    assert service.template.group.strategy is GroupStrategy.ONE_FOR_ALL


@pytest.mark.parametrize(
    ("first", "second"),
    [("replicas = 0", "replicas = 2"), ("", "replicas = 1"), ("replicas = 1", "")],
)
def test_two_entries_of_one_name_are_refused(first: str, second: str) -> None:
    twice = f"{HEAD}{WEB}{first}\n{WEB}{second}\n"
    (told,) = refused(twice).splitlines()
    assert told.endswith("containers[1].name: expected a name of its own, found 'web'")
