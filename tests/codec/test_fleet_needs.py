"""``depends_on`` in a fleet file: what is read, and each mistake with its place."""

from __future__ import annotations

import pytest

from orchestrator.codec.fleet_file import FleetFile, read_fleet_file
from orchestrator.core.dependencies import Condition

HEAD = '[fleet]\nname = "shop"\n'


def entry(name: str, *lines: str) -> str:
    rows = ("[[containers]]", f'name = "{name}"', 'command = ["x"]', *lines)
    return "\n".join(rows) + "\n"


def read(*parts: str) -> FleetFile:
    text = HEAD + "".join(parts)
    return read_fleet_file(text.encode(), file="f.toml", folder="/").unwrap()


def refused(*parts: str) -> list[str]:
    text = HEAD + "".join(parts)
    answer = read_fleet_file(text.encode(), file="f.toml", folder="/").failure()
    return [problem.message for problem in answer.problems]


def test_all_replicas_depend_on_what_their_entry_says() -> None:
    web = entry(
        "web", "replicas = 2", 'depends_on = { db = "ready", timeout = "started" }'
    )
    file = read(web, entry("db", "replicas = 3"), entry("timeout"))
    needs = {spec.name: dict(spec.depends_on.items()) for spec in file.spec.containers}
    asked = {"db": Condition.READY, "timeout": Condition.STARTED}
    assert needs["web-0"] == needs["web-1"] == asked
    assert needs["db-0"] == {}
    assert file.spec.services[0].template.depends_on


def test_a_name_that_is_none_is_told_with_its_line() -> None:
    assert refused(
        entry("db"), entry("web", 'depends_on = { bd = "ready", dbb = "ready" }')
    ) == [
        "f.toml:9: containers[1].depends_on.bd: expected the name of a container"
        " of this file, found 'bd'",
        "f.toml:9: containers[1].depends_on.dbb: expected the name of a container"
        " of this file, found 'dbb'; did you mean \"db\"?",
    ]


def test_a_condition_that_is_none_is_told_with_a_hint() -> None:
    assert refused(entry("db"), entry("web", 'depends_on.db = "redy"')) == [
        "f.toml:9: containers[1].depends_on.db: expected one of started, ready,"
        " completed, found 'redy'; did you mean \"ready\"?"
    ]


@pytest.mark.parametrize(("given", "found"), [('["db"]', "an array"), ('"db"', "'db'")])
def test_what_is_no_table_is_told(given: str, found: str) -> None:
    assert refused(entry("db"), entry("web", f"depends_on = {given}")) == [
        f"f.toml:9: containers[1].depends_on: expected a table, found {found}"
    ]


def test_a_circle_is_told_with_its_names() -> None:
    assert refused(
        entry("web", 'depends_on = { api = "ready" }'),
        entry("api", 'depends_on = { db = "started" }'),
        entry("db", 'depends_on = { web = "completed" }'),
    ) == [
        "f.toml:6: containers[0].depends_on.api: expected dependencies without a"
        " circle, found web -> api -> db -> web"
    ]


def test_nobody_depends_on_itself() -> None:
    assert refused(entry("web", 'depends_on = { web = "ready" }')) == [
        "f.toml:6: containers[0].depends_on.web: expected dependencies without a"
        " circle, found web -> web"
    ]


def test_started_ones_depend_on_containers_of_the_file_too() -> None:
    template = '[ad_hoc]\ncommand = ["x"]\ndepends_on = {{ {} = "ready" }}\n'
    file = read(template.format("db"), entry("db"))
    assert file.spec.settings.ad_hoc is not None
    assert file.spec.settings.ad_hoc.depends_on.get("db") is Condition.READY
    (told,) = refused(template.format("queue"), entry("db"))
    assert told.startswith("f.toml:5: ad_hoc.depends_on.queue: expected the name")


def test_what_is_waited_for_in_vain_is_warned_of() -> None:
    file = read(
        entry("web", 'depends_on = { job = "completed", none = "started" }'),
        entry("job", 'restart.when = "always"'),
        entry("none", "replicas = 0"),
        entry("api", 'depends_on = { job = "started" }'),
    )
    assert file.warnings == (
        "web waits for job to complete, and job is always restarted: it never starts",
        "web waits for none, which has no replicas: it does not start until there is"
        " one",
    )


def test_one_that_a_rule_completes_is_not_waited_for_in_vain() -> None:
    job = entry(
        "job",
        'restart.when = "always"',
        'restart.exit_rules = [{ codes = [0], action = "complete" }]',
    )
    assert read(entry("web", 'depends_on = { job = "completed" }'), job).warnings == ()
