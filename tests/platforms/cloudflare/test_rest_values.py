"""What is read, written, joined and told by the REST client, without a wire."""

from __future__ import annotations

from typing import Any

import attrs
import orjson
import pytest

from orchestrator.core.errors import (
    PlatformError,
    QuotaExceeded,
    RateLimited,
    Refused,
    TimedOut,
    Unauthorized,
    Unreachable,
)
from orchestrator.core.table import Table
from orchestrator.platforms.cloudflare.rest import answers
from orchestrator.platforms.cloudflare.rest.errors import Reply, judge, problem_of
from orchestrator.platforms.cloudflare.rest.joins import (
    by_durable_object_id,
    exit_code_of,
    image_of,
    location_of,
)
from orchestrator.platforms.cloudflare.rest.limits import (
    HOLD_MAX_MS,
    hold_ms,
    retry_after_ms,
)
from orchestrator.platforms.cloudflare.rest.reading import Malformed, read
from orchestrator.platforms.cloudflare.rest.requests import (
    ApplicationChange,
    DurableObjectDraft,
    NamespaceByClass,
    NewInstances,
    RollingEvenly,
    RollingInSteps,
    RolloutDraft,
    ScheduledDraft,
    StepDraft,
    change_tree,
    draft_tree,
    rollout_tree,
)
from orchestrator.platforms.cloudflare.rest.types import (
    AuthorizedKey,
    Configuration,
    Constraints,
    DurableObjectApplication,
    EnvironmentVariable,
    Health,
    HealthProblem,
    Instance,
    InstanceStatus,
    Location,
    RolloutStep,
    ScheduledApplication,
    Ssh,
)

DATE = "Fri, 20 Nov 2026 00:00:00 GMT"
LATER = "Fri, 20 Nov 2026 00:00:07 GMT"
DOWN = Instance(
    id="a",
    status=InstanceStatus(state="stopped", updated_at=5_000, exit_code=3),
    started_at=4_500,
    image="web",
    location=Location(name="fra01", region="WEUR"),
)


SECRET = "planted"


def told(status: int, tree: Any, *, withheld: bool = False) -> PlatformError:
    reply = Reply(
        status=status,
        headers={},
        body=tree if isinstance(tree, bytes) else orjson.dumps(tree),
        after_ms=7,
        secret=SECRET,
        withheld=withheld,
    )
    return judge(reply).failure().error


def nested(code: str, **details: Any) -> dict[str, Any]:
    message = orjson.dumps({"error": code, "details": details}).decode()
    return {"success": False, "errors": [{"code": 1000, "message": message}]}


# Errors


@pytest.mark.parametrize(
    ("status", "tree", "expected"),
    [
        (401, {}, Unauthorized(cause="status 401")),
        (403, {}, Unauthorized(cause="status 403")),
        (
            403,
            nested("JOB_CREATE_NOT_ALLOWED"),
            Refused(cause="status 403, JOB_CREATE_NOT_ALLOWED, code 1000"),
        ),
        (
            400,
            nested("VALIDATE_INPUT", name="too long", at=[1], none=None),
            Refused(
                cause="status 400, VALIDATE_INPUT, code 1000, at=[1], name=too long"
            ),
        ),
        (400, nested("SURPASSED_BASE_LIMITS"), QuotaExceeded()),
        (403, nested("LOCATION_SURPASSED_BASE_LIMITS"), QuotaExceeded()),
        (200, nested("SURPASSED_TOTAL_LIMITS"), QuotaExceeded()),
        (200, {"success": False}, Refused(cause="status 200")),
        (404, b"<html>", Refused(cause="status 404")),
        (408, {}, TimedOut(after_ms=7)),
        (429, {}, RateLimited(retry_after_ms=300_000)),
        (500, nested("VALIDATE_INPUT"), None),
        (530, b"", Unreachable(cause="status 530")),
    ],
)
def test_every_status_has_its_error(
    status: int, tree: Any, expected: PlatformError | None
) -> None:
    found = told(status, tree)
    assert found == expected or (expected is None and isinstance(found, Unreachable))


@pytest.mark.parametrize(
    ("status", "tree", "message"),
    [
        (200, b"", "at $ expected JSON, found nothing"),
        (200, b"<html>", "at $ expected JSON, found 6 bytes that are none"),
        (200, b"[]", "at $ expected a table, found an array"),
        (200, {}, "at $.success expected true or false, found nothing"),
        (200, {"success": 1}, "at $.success expected true or false, found a number"),
        (
            200,
            {"success": True, "result_info": {"next_page_token": 7}},
            "at $.result_info.next_page_token expected a text, found a number",
        ),
        (302, {}, "at status expected 2xx, found 302"),
    ],
)
def test_what_is_no_envelope_is_told_with_its_place(
    status: int, tree: Any, message: str
) -> None:
    expected = Unreachable(cause=f"the answer is not understood: {message}")
    assert told(status, tree) == expected


def test_no_content_is_an_answer() -> None:
    reply = Reply(
        status=204, headers={}, body=b"", after_ms=0, secret=SECRET, withheld=False
    )
    assert judge(reply).unwrap().result is None


def test_a_secret_is_in_no_cause() -> None:
    tree = nested("VALIDATE_INPUT", sent=SECRET)
    expected = "status 400, VALIDATE_INPUT, code 1000, sent=[hidden]"
    assert told(400, tree) == Refused(cause=expected)
    withheld = Refused(cause="status 400, VALIDATE_INPUT, code 1000")
    assert told(400, tree, withheld=True) == withheld


def test_a_cause_is_not_longer_than_one_reads() -> None:
    found = told(400, {"errors": [{"code": 1000, "message": "x" * 9_999}]})
    assert isinstance(found, Refused)
    assert len(found.cause) == 503


def test_details_nested_too_deep_are_left_out() -> None:
    deep = "[" * 300 + "]" * 300
    message = f'{{"error": "CODE", "details": {{"deep": {deep}}}}}'
    problem = problem_of({"errors": [{"message": message}]})
    assert problem.details == Table.of([("deep", "...")])


# Rates


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"retry-after": "7"}, 7_000),
        ({"retry-after": "0.5"}, 500),
        ({"retry-after-ms": "7", "retry-after": "9"}, 7),
        ({"retry-after": LATER, "date": DATE}, 7_000),
        ({"retry-after": DATE, "date": LATER}, 0),
        ({"retry-after": LATER}, None),
        ({"retry-after": "soon", "date": DATE}, None),
        ({"retry-after": "-1"}, None),
        ({}, None),
    ],
)
def test_when_to_come_back(headers: dict[str, str], expected: int | None) -> None:
    assert retry_after_ms(headers) == expected


@pytest.mark.parametrize(
    ("status", "headers", "expected"),
    [
        (200, {"ratelimit": '"default";r=1;t=30'}, 0),
        (200, {"ratelimit": '"default"; r=0; t=30'}, 30_000),
        (200, {"ratelimit": '"a";r=0;t=3, "b";r=0;t=5, "c";r=9;t=9'}, 5_000),
        (200, {"ratelimit": '"b";r=0', "ratelimit-policy": '"b";q=9;w=60'}, 60_000),
        (200, {"ratelimit": '"b";r=0', "ratelimit-policy": '"c";q=9;w=60'}, 300_000),
        (200, {"ratelimit": 'r=0, ;;, "b", "c";r=x'}, 0),
        (429, {"retry-after": "9", "ratelimit": '"b";r=0;t=5'}, 9_000),
        (429, {"retry-after": "99999999"}, HOLD_MAX_MS),
        (503, {"retry-after": "9"}, 0),
    ],
)
def test_for_how_long_nothing_may_leave(
    status: int, headers: dict[str, str], expected: int
) -> None:
    assert hold_ms(status, headers) == expected


# Reading

FULL: dict[str, Any] = {
    "id": "app",
    "name": "web",
    "scheduling_policy": "default",
    "version": 3,
    "configuration": {
        "image": "web",
        "command": ["run"],
        "environment_variables": [{"name": "KEY", "value": "planted"}],
        "authorized_keys": [{"public_key": "ssh-ed25519 AAAA"}],
        "wrangler_ssh": {"enabled": True, "port": 22},
    },
    "constraints": {"regions": ["WEUR", "MARS"], "jurisdiction": "eu"},
    "durable_objects": {"namespace_id": "ns"},
    "observability": {"logs": {"enabled": True}},
    "health": {
        "instances": {"active": 1, "assigned": 2, "by_region": {}, "queued": 4},
        "summary": "splendid",
        "errors": [
            {"instance_id": "a", "event": {"name": "VMFailed", "type": "Error"}},
            {"instance_id": "b", "event": "VMFailed"},
            {"instance_id": "c"},
        ],
    },
    "something_new": [1],
}


def test_an_application_is_read_in_full() -> None:
    expected = ScheduledApplication(
        id="app",
        name="web",
        version=3,
        configuration=Configuration(
            image="web",
            command=("run",),
            environment=(EnvironmentVariable(name="KEY", value="planted"),),
            authorized_keys=(AuthorizedKey(public_key="ssh-ed25519 AAAA"),),
            ssh=Ssh(enabled=True, port=22),
        ),
        constraints=Constraints(regions=("WEUR", "MARS"), jurisdiction="eu"),
        namespace_id="ns",
        logs_enabled=True,
        health=Health(
            counts=Table.of([("active", 1), ("assigned", 2), ("queued", 4)]),
            summary="splendid",
            problems=(
                HealthProblem(instance_id="a", name="VMFailed", type="Error"),
                HealthProblem(instance_id="b", name="VMFailed"),
                HealthProblem(instance_id="c"),
            ),
        ),
    )
    assert read(FULL, answers.application).unwrap() == expected
    assert "planted" not in repr(expected)


def test_the_policy_says_which_kind_an_application_is() -> None:
    own = read(FULL | {"scheduling_policy": "durable_object"}, answers.application)
    assert isinstance(own.unwrap(), DurableObjectApplication)
    moon = read(FULL | {"scheduling_policy": "moon"}, answers.application).unwrap()
    assert isinstance(moon, ScheduledApplication)
    assert moon.scheduling_policy == "moon"


@pytest.mark.parametrize(
    ("change", "place", "expected", "found"),
    [
        ({"id": None}, "$.id", "a text", "nothing"),
        ({"version": "3"}, "$.version", "a whole number", "a text"),
        ({"version": True}, "$.version", "a whole number", "true or false"),
        ({"created_at": "soon"}, "$.created_at", "a time", "a text"),
        ({"health": []}, "$.health", "a table", "an array"),
        (
            {"constraints": {"regions": ["WEUR", 1.5]}},
            "$.constraints.regions[1]",
            "a text",
            "a number",
        ),
        (
            {"constraints": {"regions": {}}},
            "$.constraints.regions",
            "an array",
            "a table",
        ),
        (
            {"configuration": {"wrangler_ssh": {"enabled": "yes"}}},
            "$.configuration.wrangler_ssh.enabled",
            "true or false",
            "a text",
        ),
    ],
)
def test_what_is_of_the_wrong_type_is_told_with_its_place(
    change: dict[str, Any], place: str, expected: str, found: str
) -> None:
    malformed = read(FULL | change, answers.application).failure()
    assert malformed == Malformed(place=place, expected=expected, found=found)


def test_a_rollout_is_read_with_its_steps() -> None:
    tree = {
        "id": "r",
        "status": "progressing",
        "percentage": 12.5,
        "steps": [{"id": 1, "status": "reverting", "reason": "unhealthy"}],
        "progress": {"total_steps": 4},
    }
    rollout = read(tree, answers.rollout).unwrap()
    step = RolloutStep(id=1, status="reverting", reason="unhealthy")
    assert (rollout.steps, rollout.percentage) == ((step,), 12.5)
    assert read(tree | {"percentage": "all"}, answers.rollout).failure().place == (
        "$.percentage"
    )


@pytest.mark.parametrize(
    ("status", "word", "done"),
    [
        (200, "ready", True),
        (202, "pending", False),
        (200, "pending", False),
        (202, "error", True),
        (200, "cancelled", True),
        (202, "queued", False),
    ],
)
def test_an_image_is_done_when_word_or_status_say_so(
    status: int, word: str, *, done: bool
) -> None:
    tree = {"image": "web", "status": word}
    assert read(tree, answers.preparation(status)).unwrap().done is done


# Writing


def test_only_what_was_said_is_written() -> None:
    by_class = NamespaceByClass(script_name="gateway", class_name="Box")
    own = DurableObjectDraft(name="web", namespace=by_class)
    assert draft_tree(own) == {
        "name": "web",
        "scheduling_policy": "durable_object",
        "durable_objects": {"script_name": "gateway", "class_name": "Box"},
    }
    key = AuthorizedKey(public_key="ssh", name="me")
    change = ApplicationChange(
        constraints=Constraints(regions=("WEUR",)),
        configuration=Configuration(authorized_keys=(key,), ssh=Ssh(enabled=True)),
    )
    assert change_tree(change) == {
        "constraints": {"regions": ("WEUR",)},
        "configuration": {
            "authorized_keys": [{"public_key": "ssh", "name": "me"}],
            "wrangler_ssh": {"enabled": True},
        },
    }
    assert change_tree(ApplicationChange()) == {}


def test_each_plan_of_a_rollout_is_written_its_own_way() -> None:
    variable = EnvironmentVariable(name="KEY", value="planted")
    target = Configuration(environment=(variable,))
    evenly = RolloutDraft(description="d", target=target)
    assert rollout_tree(evenly) == {
        "description": "d",
        "kind": "full_auto",
        "strategy": "rolling",
        "step_percentage": 100,
        "target_configuration": {
            "environment_variables": [{"name": "KEY", "value": "planted"}]
        },
    }
    step = StepDraft(percentage=10, description="first")
    stepwise = attrs.evolve(evenly, plan=RollingInSteps(steps=(step,)))
    assert rollout_tree(stepwise)["steps"] == [
        {"step_size": {"percentage": 10}, "description": "first"}
    ]
    fresh = rollout_tree(attrs.evolve(evenly, plan=NewInstances(percentage=0)))
    assert (fresh["strategy"], fresh["percentage"]) == ("new_instances", 0)
    assert "step_percentage" not in fresh


def test_what_the_api_would_refuse_cannot_be_asked() -> None:
    web = Configuration(image="web", logs_enabled=True)
    for wrong in (
        lambda: ScheduledDraft(
            name="web", configuration=Configuration(), max_instances=1
        ),
        lambda: ScheduledDraft(
            name="web", configuration=web, max_instances=1, logs_enabled=True
        ),
        lambda: ScheduledDraft(name="web", configuration=web, max_instances=-1),
        lambda: ApplicationChange(rollout_active_grace_period_s=604_801),
        lambda: RollingEvenly(step_percentage=33),
        lambda: RollingInSteps(steps=()),
        lambda: StepDraft(percentage=5, description=""),
        lambda: NewInstances(percentage=101),
        lambda: RolloutDraft(
            description="", target=web, plan=NewInstances(), kind="full_manual"
        ),
    ):
        with pytest.raises(ValueError, match=r".+"):
            wrong()


# Joining


def test_the_newer_record_of_an_instance_counts() -> None:
    older = attrs.evolve(DOWN, status=InstanceStatus(state="running", updated_at=1))
    never = attrs.evolve(DOWN, id="b", status=InstanceStatus(state="unknown"))
    joined = by_durable_object_id([older, DOWN, never, older])
    assert joined == {"a": DOWN, "b": never}


@pytest.mark.parametrize(
    ("instance", "not_before_ms", "expected"),
    [
        (DOWN, 4_000, 3),
        (DOWN, 5_000, 3),
        (DOWN, 5_001, None),
        (attrs.evolve(DOWN, started_at=3_000), 4_000, None),
        (attrs.evolve(DOWN, started_at=3_001), 4_000, 3),
        (attrs.evolve(DOWN, started_at=None), 4_000, 3),
        (
            attrs.evolve(DOWN, status=attrs.evolve(DOWN.status, state="running")),
            0,
            None,
        ),
        (attrs.evolve(DOWN, status=attrs.evolve(DOWN.status, state="new")), 4_000, 3),
        (
            attrs.evolve(DOWN, status=attrs.evolve(DOWN.status, updated_at=None)),
            0,
            None,
        ),
        (
            attrs.evolve(DOWN, status=attrs.evolve(DOWN.status, exit_code=None)),
            0,
            None,
        ),
        (None, 0, None),
    ],
)
def test_an_exit_code_is_told_only_of_the_run_it_is_of(
    instance: Instance | None, not_before_ms: int, expected: int | None
) -> None:
    assert exit_code_of(instance, not_before_ms=not_before_ms) == expected


def test_the_place_and_the_image_are_told_where_they_are_known() -> None:
    assert (location_of(DOWN), image_of(DOWN)) == ("fra01", "web")
    region = attrs.evolve(DOWN, location=Location(region="WEUR"))
    assert location_of(region) == "WEUR"
    assert location_of(attrs.evolve(DOWN, location=None)) is None
    assert (location_of(None), image_of(None)) == (None, None)
