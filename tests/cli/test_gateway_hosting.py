"""``gateway init --host-operator`` and ``gateway operator``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from orchestrator.cli import gateway as cli_gateway
from orchestrator.cli import gateway_operator
from orchestrator.cli.shown import now_ms
from orchestrator.cli.tools import version_text
from orchestrator.codec.fleet_file import read_fleet_file
from orchestrator.codec.platform_choices import CloudflareChoice
from orchestrator.core.errors import PlatformError, Refused, Unauthorized, Unreachable
from orchestrator.platforms.cloudflare.project.application import facts_of
from orchestrator.platforms.cloudflare.project.applications import applications_of
from orchestrator.platforms.cloudflare.project.files import (
    gateway_sources,
    gateway_version,
)
from orchestrator.platforms.cloudflare.project.hosting import (
    Asked,
    hosting_facts,
    hosting_of,
)
from orchestrator.platforms.cloudflare.project.jsonc import read_jsonc
from orchestrator.platforms.cloudflare.project.own_wheel import own_wheel, wheel_name
from tests.cli.kit import Done, file_at
from tests.cli.test_gateway import content, here, init

__all__ = ("here",)

FLEET = """\
[fleet]
name = "shop"
[platform]
kind = "cloudflare"
url = "https://shop.example.com"
[journal]
kind = "durable_object"
[[containers]]
name = "api"
image = "docker.io/a/api:1"
env = { KEY = "${secret.API_KEY}" }
"""


@pytest.fixture
def fleet(tmp_path: Path) -> Path:
    return file_at(tmp_path, FLEET)


def project(fleet: Path) -> dict[str, bytes]:
    return content(fleet.parent / "gw")


def size_of(fleet: Path) -> str:
    tree = read_jsonc(project(fleet)["wrangler.jsonc"].decode()).unwrap()
    (found,) = [
        one for one in tree["containers"] if one["class_name"] == "FleetOperator"
    ]
    return str(found["instance_type"])


def test_an_operator_is_hosted_and_that_is_remembered(here: Any, fleet: Path) -> None:
    done = init(here, fleet, "--host-operator", "--operator-size", "standard-1")
    assert done.code == 0, done.err
    assert "API_KEY, GATEWAY_TOKEN, OPERATOR_TOKENS" in done.out
    assert "https://shop.example.com/operator/" in done.out
    written = project(fleet)
    assert written["operator/fleet.toml"] == FLEET.encode()
    wheel = wheel_name(version_text())
    assert written[f"operator/{wheel}"] == own_wheel()
    assert wheel.encode() in written["operator/Dockerfile"]
    assert init(here, fleet).out.count("nothing has changed") == 1
    assert size_of(fleet) == "standard-1"
    fleet.write_text(FLEET + "# changed\n")
    done = init(here, fleet)
    assert "operator/fleet.toml: written" in done.out
    assert "src/index.js: written" in done.out  # it tells the digest of the file
    assert size_of(fleet) == "standard-1"


def test_one_that_is_hosted_no_more_is_stopped_then_deleted(
    here: Any, fleet: Path
) -> None:
    assert init(here, fleet, "--host-operator").code == 0
    done = init(here, fleet, "--no-host-operator")
    assert done.code == 0, done.err
    assert "hosted no more" in done.out
    assert b'"retired": true' in project(fleet)["src/index.js"]
    # Its image is built at each deploy still.
    assert f"operator/{wheel_name(version_text())}" in project(fleet)
    assert init(here, fleet).out.count("nothing has changed") == 1
    done = init(here, fleet, "--delete-gone")
    for gone in ("Dockerfile", wheel_name(version_text())):
        assert f"operator/{gone}: removed" in done.out
    assert b"FleetOperator" not in project(fleet)["src/index.js"]
    assert not (fleet.parent / "gw" / "operator" / "fleet.toml").exists()
    assert init(here, fleet, "--host-operator").code == 0


def test_an_address_of_this_machine_is_none_for_a_hosted_operator(
    here: Any, fleet: Path
) -> None:
    assert "means this machine" not in init(here, fleet, "--host-operator").err
    local = FLEET.replace("https://shop.example.com", "http://localhost:8787")
    fleet.write_text(local)
    done = init(here, fleet)
    assert done.code == 0
    assert "warning: platform.url means this machine, localhost:8787" in done.err
    assert "means this machine" not in init(here, fleet, "--no-host-operator").err


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("url =", "# url ="), "platform.url: expected the address of the gateway"),
        (("durable_object", "sqlite"), "journal.kind: expected 'durable_object'"),
        (
            ('name = "shop"', 'name = "shop"\nhooks = "mine:on"'),
            "mine: expected a module in the file",
        ),
    ],
)
def test_why_it_cannot_be_hosted_is_told(
    here: Any, fleet: Path, change: tuple[str, str], told: str
) -> None:
    fleet.write_text(FLEET.replace(*change))
    done = init(here, fleet, "--host-operator")
    assert done.code == 2
    assert f"{fleet}: {told}" in done.err
    assert not (fleet.parent / "gw").exists()


def test_the_python_that_the_file_names_goes_with_it(here: Any, fleet: Path) -> None:
    (fleet.parent / "mine.py").write_text("on = None\n")
    fleet.write_text(FLEET.replace('name = "shop"', 'name = "shop"\nhooks = "mine:on"'))
    assert init(here, fleet, "--host-operator").code == 0
    written = project(fleet)
    assert written["operator/mine.py"] == b"on = None\n"
    assert b"!mine.py\n" in written["operator/.dockerignore"]


def test_a_fleet_in_python_is_not_hosted(here: Any, fleet: Path) -> None:
    declared = fleet.parent / "fleet.py"
    declared.write_text(
        "import orchestrator\n"
        "fleet = orchestrator.fleet('shop', platform={'kind': 'cloudflare', "
        "'url': 'https://shop.example.com'}, containers=[orchestrator.container("
        "'api', image='docker.io/a/api:1')])\n"
    )
    done = here(
        *("gateway", "init", str(fleet.parent / "gw"), "--fleet", str(declared)),
        "--host-operator",
    )
    assert (done.code, "needs its fleet file in TOML" in done.err) == (2, True), done


def test_options_of_an_operator_need_one(here: Any, fleet: Path) -> None:
    done = init(here, fleet, "--operator-size", "lite")
    assert (done.code, "go with --host-operator" in done.err) == (2, True)
    assert init(here, fleet, "--host-operator", "--operator-size", "vast").code == 2


def test_a_check_says_whether_what_is_hosted_is_this_file(
    here: Any, fleet: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = read_fleet_file(FLEET.encode(), file="f", folder="/").unwrap()
    choice = file.platform
    assert isinstance(choice, CloudflareChoice)
    hosting = hosting_of(file, FLEET.encode(), Asked(), release=version_text()).unwrap()
    applications = applications_of(file.spec, choice).unwrap()
    told = {
        "api": 1,
        "gateway": gateway_version(gateway_sources()),
        "capabilities": {"container": True, "exec": True, "inspect": True},
        "applications": {one.name: facts_of(one) for one in applications},
        "operator": hosting_facts(hosting, "shop"),
    }

    async def about_of(*_: object) -> Mapping[str, Any]:
        return {**told, "now": now_ms()}

    monkeypatch.setattr(cli_gateway, "about_of", about_of)
    monkeypatch.setenv("GATEWAY_TOKEN", "hush")
    done = here("gateway", "check", "--fleet", str(fleet))
    assert done.code == 0, done.out
    assert "hosted, release" in done.out
    fleet.write_text(FLEET + "# changed\n")
    done = here("gateway", "check", "--fleet", str(fleet), "-o", "json")
    (found,) = [one for one in json.loads(done.out) if one["what"] == "operator"]
    assert found["level"] == "warning"
    assert "another version of the fleet file" in found["found"]


# How it is


@pytest.fixture
def gateway(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Stand in for a gateway that hosts an operator; its answer may change."""
    answers: dict[str, Any] = {
        "answer": {
            "fleet": "shop",
            "wanted": "running",
            "stopped_by": None,
            "state": "healthy",
            "since": 1_000,
            "starts": 3,
            "restarts": 2,
            "failures": 0,
            "healthy_at": 1_000,
            "next_start_at": None,
            "last_end": {"kind": "exited", "code": 7, "raw": "it\x1b[0m", "at": 500},
            "now": 61_000,
        },
        "wanted": [],
    }

    async def told_of(
        choice: CloudflareChoice,
        fleet: str,
        secrets: Mapping[str, str],
        wanted: str | None,
    ) -> Mapping[str, Any] | PlatformError:
        assert (choice.url, fleet) == ("https://shop.example.com", "shop")
        assert secrets["GATEWAY_TOKEN"] == "hush"
        answers["wanted"].append(wanted)
        answer: Mapping[str, Any] | PlatformError = answers["answer"]
        return answer

    monkeypatch.setattr(gateway_operator, "told_of", told_of)
    monkeypatch.setenv("GATEWAY_TOKEN", "hush")
    return answers


def asked(here: Any, fleet: Path, *words: str) -> Done:
    done: Done = here("gateway", "operator", "--fleet", str(fleet), *words)
    return done


def test_how_it_is_is_told(here: Any, fleet: Path, gateway: Any) -> None:
    done = asked(here, fleet)
    assert done.code == 0, done.err
    assert "healthy" in done.out
    assert "exited 7, 1m" in done.out
    assert "\x1b[0m" not in done.out.replace("\x1b[0m\n", "")
    tree = json.loads(asked(here, fleet, "-o", "json").out)
    assert tree == gateway["answer"]
    assert gateway["wanted"] == [None, None]


@pytest.mark.parametrize(
    ("by", "shown"),
    [
        ("owner", "you"),
        ("down", "down"),
        ("project", "project"),
        ("\x1b[1m", "\\x1b[1m"),
    ],
)
def test_who_has_it_stopped_is_told(
    here: Any, fleet: Path, gateway: Any, by: str, shown: str
) -> None:
    facts = {"state": "stopped", "wanted": "stopped", "stopped_by": by}
    gateway["answer"] = {**gateway["answer"], **facts}
    done = asked(here, fleet)
    head, _, row = [line for line in done.out.splitlines() if line.strip()][:3]
    place = head.index("STOPPED BY")
    assert row[place:].startswith(f"{shown} ")
    assert json.loads(asked(here, fleet, "-o", "json").out)["stopped_by"] == by


def test_a_gateway_that_does_not_tell_who_has_it_stopped_is_understood(
    here: Any, fleet: Path, gateway: Any
) -> None:
    """One of an earlier release; and where it runs nobody has it stopped."""
    assert "STOPPED BY" in asked(here, fleet).out
    del gateway["answer"]["stopped_by"]
    done = asked(here, fleet)
    assert (done.code, "None" in done.out) == (0, False)


@pytest.mark.parametrize(
    ("word", "wanted"), [("--start", "running"), ("--stop", "stopped")]
)
def test_it_is_started_and_stopped(
    here: Any, fleet: Path, gateway: Any, word: str, wanted: str
) -> None:
    asked(here, fleet, word)
    assert gateway["wanted"] == [wanted]
    done = asked(here, fleet, "--start", "--stop")
    assert (done.code, "does not go with" in done.err) == (2, True)
    assert gateway["wanted"] == [wanted]


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        ({"state": "waiting"}, 4),
        ({"state": "unhealthy"}, 4),
        ({"state": "stopped", "wanted": "stopped"}, 0),
        ({"state": "starting"}, 0),
    ],
)
def test_the_exit_code_says_whether_it_is_as_it_should_be(
    here: Any, fleet: Path, gateway: Any, facts: dict[str, Any], code: int
) -> None:
    gateway["answer"] = {**gateway["answer"], **facts}
    assert asked(here, fleet).code == code


@pytest.mark.parametrize(
    ("error", "code"),
    [(Unreachable(cause="no route"), 5), (Unauthorized(), 7), (Refused(cause="x"), 6)],
)
def test_a_gateway_that_cannot_be_asked_is_told(
    here: Any, fleet: Path, gateway: Any, error: PlatformError, code: int
) -> None:
    gateway["answer"] = error
    done = asked(here, fleet)
    assert done.code == code
    # Of an address that is wrong it is told which one it is.
    assert ("https://shop.example.com: " in done.err) is isinstance(error, Unreachable)


def test_a_fleet_without_a_gateway_has_none(here: Any, fleet: Path) -> None:
    fleet.write_text(FLEET.replace("url =", "# url ="))
    done = asked(here, fleet)
    assert (done.code, "expected the url of a gateway" in done.err) == (2, True)
