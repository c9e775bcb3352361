"""What a check of the gateway finds, and what it says to do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs
import pytest

from orchestrator.codec.platform_choices import CloudflareChoice, SchedulingPolicy
from orchestrator.core.errors import (
    PlatformError,
    Refused,
    TimedOut,
    Unauthorized,
    Unreachable,
)
from orchestrator.core.fleet_specs import FleetSpec
from orchestrator.core.health import (
    CommandProbe,
    HealthCheck,
    HealthChecks,
    HttpProbe,
)
from orchestrator.core.hosting import INSTANCE_TYPES
from orchestrator.core.table import Table
from orchestrator.platforms.cloudflare.project.application import facts_of
from orchestrator.platforms.cloudflare.project.applications import applications_of
from orchestrator.platforms.cloudflare.project.checks import (
    Asked,
    ask,
    check_answer,
    check_file,
)
from orchestrator.platforms.cloudflare.project.findings import Cause, Finding, Level
from tests.platforms.cloudflare.test_applications import fleet, replicas, spec

CHOICE = CloudflareChoice(url="https://shop.example.com", headroom=2)
BY_OBJECT = attrs.evolve(CHOICE, scheduling_policy=SchedulingPolicy.DURABLE_OBJECT)
SECRETS = {"GATEWAY_TOKEN": "t"}
SHOP = fleet(*replicas(3, spec("web")), spec("api"), ad_hoc=spec("ad-hoc"))
AT = 1_000_000


def about(
    of: FleetSpec = SHOP, choice: CloudflareChoice = CHOICE, **more: Any
) -> dict[str, Any]:
    """Return what a gateway tells that was deployed for a fleet."""
    applications = applications_of(of, choice).unwrap()
    return {
        "api": 1,
        "gateway": "1.0.0",
        "now": AT,
        "capabilities": {"container": True, "exec": True, "inspect": True},
        "applications": {one.name: facts_of(one) for one in applications},
        "limits": {"orders": 100},
        **more,
    }


@attrs.frozen
class Fake:
    """A gateway that answers this."""

    answer: Mapping[str, Any] | PlatformError

    async def about(self) -> Mapping[str, Any] | PlatformError:
        return self.answer


def found(
    answer: Mapping[str, Any] | PlatformError,
    of: FleetSpec = SHOP,
    choice: CloudflareChoice = CHOICE,
    at: int = AT,
) -> list[Finding]:
    asked = Asked(answer=answer, asked_at=at - 20, answered_at=at + 20)
    return check_answer(of, choice, asked, version="1.0.0")


def bad(findings: list[Finding]) -> list[Finding]:
    return [one for one in findings if one.level is not Level.OK]


def changed(name: str, **facts: Any) -> dict[str, Any]:
    """Return what a gateway tells of which one application differs."""
    applications = about()["applications"]
    applications[name] = {**applications[name], **facts}
    return about(applications=applications)


# The file


def test_a_file_that_is_sound_gives_its_sums() -> None:
    findings = check_file(SHOP, CHOICE, SECRETS)
    assert [one.what for one in findings if one.level is Level.OK] == [
        "url",
        "token",
        "account limits",
        "cost per day",
    ]
    assert [one.level for one in bad(findings)] == [Level.WARNING]  # images by tag
    cost = findings[-1].found
    for part in ("USD idle to", "4 containers", "5 USD a month", "not taken off"):
        assert part in cost


def test_what_the_file_lacks_is_told_at_once() -> None:
    findings = bad(check_file(fleet(spec("web", "x")), CloudflareChoice(), {}))
    assert [one.what for one in findings] == ["url", "token", "fleet file"]
    assert {one.cause for one in findings} == {Cause.FILE}
    assert {one.level for one in findings} == {Level.PROBLEM}
    assert all(one.todo for one in findings)


def test_a_secret_is_never_shown() -> None:
    findings = check_file(SHOP, CHOICE, {"GATEWAY_TOKEN": "hush-hush"})
    assert "hush-hush" not in repr(findings)


@pytest.mark.parametrize(
    ("size", "count", "told"),
    [
        ("standard-4", 376, "1,504 vcpu of 1,500 vcpu"),
        ("standard-1", 1_537, "6,148 GiB of 6,144 GiB of memory"),
        ("lite", 15_001, "30,002 GB of 30,000 GB of disk"),
    ],
)
def test_more_than_an_account_may_run_is_told(size: str, count: int, told: str) -> None:
    one = attrs.evolve(spec("web", "./Dockerfile"), instance_type=INSTANCE_TYPES[size])
    (finding,) = bad(check_file(fleet(*replicas(count, one)), CHOICE, SECRETS))
    assert (finding.level, finding.what) == (Level.WARNING, "account limits")
    assert told in finding.found


def test_headroom_beyond_the_account_is_told() -> None:
    one = attrs.evolve(
        spec("web", "./Dockerfile"), instance_type=INSTANCE_TYPES["standard-4"]
    )
    choice = attrs.evolve(CHOICE, headroom=1_000)
    (finding,) = bad(check_file(fleet(one), choice, SECRETS))
    assert finding.found.startswith(
        "with all of the headroom the fleet takes 12,012 GiB"
    )


# The answer


def test_a_gateway_that_fits_gives_nothing_to_do() -> None:
    assert bad(found(about())) == []


async def test_a_gateway_is_asked_and_the_time_is_noted() -> None:
    moments = iter([10, 30])
    asked = await ask(Fake(about()), lambda: next(moments))
    assert (asked.asked_at, asked.answered_at) == (10, 30)
    assert asked.answer == about()


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (Unauthorized(), Cause.RIGHTS),
        (Unreachable(cause="no route"), Cause.REACH),
        (TimedOut(after_ms=1_000), Cause.REACH),
        (Refused(cause="not configured"), Cause.REACH),
    ],
)
def test_a_gateway_that_does_not_answer_is_told(
    error: PlatformError, cause: Cause
) -> None:
    (finding,) = found(error)
    assert (finding.level, finding.cause) == (Level.PROBLEM, cause)
    assert finding.found == error.message
    assert finding.todo


def test_another_interface_ends_the_check() -> None:
    (newer,) = bad(found(about(api=2)))
    assert newer.todo == "upgrade this one"
    for older in (0, None, "1"):
        (finding,) = bad(found(about(api=older)))
        assert "gateway init" in finding.todo


def test_an_older_gateway_is_told() -> None:
    (finding,) = bad(found(about(gateway="0.9.0")))
    assert finding.level is Level.WARNING
    assert finding.found == "gateway 0.9.0; this release writes 1.0.0"


@pytest.mark.parametrize(
    ("now", "level", "told"),
    [
        (AT + 2_020, Level.OK, "agree"),
        (AT - 2_020, Level.OK, "agree"),
        (AT + 2_021, Level.WARNING, "behind Cloudflare"),
        (AT - 2_021, Level.WARNING, "ahead of Cloudflare"),
        (AT + 60_021, Level.PROBLEM, "1m behind"),
        (AT - 60_021, Level.PROBLEM, "1m ahead of"),
        (None, Level.WARNING, "does not tell the time"),
        (True, Level.WARNING, "does not tell the time"),
    ],
)
def test_clocks_are_compared(now: object, level: Level, told: str) -> None:
    (finding,) = [one for one in found(about(now=now)) if one.what == "clock"]
    assert finding.level is level
    assert told in finding.found


def test_what_the_runtime_lacks_is_told() -> None:
    (finding,) = bad(found(about(capabilities={})))
    assert "no inspect" in finding.found
    (finding,) = bad(found(about(capabilities={"container": False})))
    assert finding.level is Level.PROBLEM
    (finding,) = bad(found(about(capabilities=None)))
    assert finding.what == "capabilities"


@pytest.mark.parametrize("applications", [None, [], {"web": {"regions": 1}}])
def test_applications_that_cannot_be_read_are_told(applications: object) -> None:
    (finding,) = bad(found(about(applications=applications)))
    assert finding.what == "applications"


# Both


def test_an_application_that_is_missing_is_told() -> None:
    applications = about()["applications"]
    del applications["api"]
    (finding,) = bad(found(about(applications=applications)))
    assert finding.what == "application api"
    assert finding.found == "not deployed: its starts are refused"


def test_an_application_that_differs_is_told() -> None:
    (finding,) = bad(found(changed("web", image="docker.io/a/old:1")))
    assert finding.level is Level.PROBLEM
    assert finding.found == (
        "deployed otherwise: image is docker.io/a/old:1, asked for is docker.io/a/web:1"
    )
    assert len(bad(found(changed("web", regions=["ME"], jurisdiction="eu")))) == 2
    (finding,) = bad(found(changed("ad-hoc", image="docker.io/a/old:1")))
    assert finding.what == "application ad-hoc"


def test_another_policy_is_told() -> None:
    (finding,) = bad(found(changed("web", scheduling_policy="durable_object")))
    assert "deployed under durable_object, the file says default" in finding.found


@pytest.mark.parametrize(
    ("most", "level", "told"),
    [
        (2, Level.PROBLEM, "max_instances is 2, declared are 3: the start of one is"),
        (1, Level.PROBLEM, "max_instances is 1, declared are 3: the start of 2 is"),
        (4, Level.WARNING, "3 declared and 1 of headroom, the file says 2"),
        (None, Level.WARNING, "its max_instances is not told"),
    ],
)
def test_a_ceiling_that_is_too_low_is_told(
    most: int | None, level: Level, told: str
) -> None:
    (finding,) = bad(found(changed("web", max_instances=most)))
    assert finding.level is level
    assert told in finding.found


def test_a_ceiling_that_is_higher_is_fine() -> None:
    assert bad(found(changed("web", max_instances=99))) == []


def test_what_is_left_over_is_told() -> None:
    (finding,) = bad(found(about(), of=fleet(*replicas(3, spec("web")), spec("api"))))
    assert finding.what == "application ad-hoc"
    assert "--delete-gone" in finding.todo
    retired = changed("ad-hoc", retired=True)
    (finding,) = bad(found(retired, of=fleet(*replicas(3, spec("web")), spec("api"))))
    assert "kept (retired)" in finding.found


def test_objects_that_choose_must_have_the_images() -> None:
    of = fleet(spec("web", "./Dockerfile"))
    told = about(of, BY_OBJECT)
    (name,) = told["applications"]["fleet"]["images"]
    (finding,) = bad(found(told, of, BY_OBJECT))
    assert finding.found == "./Dockerfile is not among the images of the objects"
    told["capabilities"]["images"] = [name]
    assert bad(found(told, of, BY_OBJECT)) == []
    (finding,) = bad(found(told, fleet(spec("web", "./new/Dockerfile")), BY_OBJECT))[:1]
    assert "./new/Dockerfile" in finding.found


def test_commands_that_the_runtime_cannot_run_are_told() -> None:
    command = HealthCheck(probe=CommandProbe(command=("check",)))
    page = HealthCheck(probe=HttpProbe(port="http"))
    ports = Table.of([("http", 80)])
    both = HealthChecks(startup=page, liveness=command)
    web = attrs.evolve(spec("web"), ports=ports, health=both)
    api = attrs.evolve(spec("api"), ports=ports, health=HealthChecks(liveness=page))
    shop = fleet(*replicas(2, web), api, ad_hoc=spec("ad-hoc"))
    assert bad(found(about(shop), shop)) == []
    without = {"container": True, "inspect": True, "exec": False}
    for capabilities in (without, {}, None):
        told = bad(found(about(shop, capabilities=capabilities), shop))
        (warned,) = [one for one in told if one.what == "health"]
        assert warned.level is Level.WARNING
        assert warned.found.startswith("web: ")
        assert "unknown" in warned.found
