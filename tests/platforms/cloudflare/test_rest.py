"""The client of the REST API, against a faked API on a real socket."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest

from orchestrator import settled
from orchestrator.core.errors import (
    QuotaExceeded,
    RateLimited,
    Refused,
    TimedOut,
    Unauthorized,
    Unreachable,
)
from orchestrator.core.table import Table
from orchestrator.platforms.cloudflare.rest.client import RestClient, RestLimits
from orchestrator.platforms.cloudflare.rest.enums import InstanceState
from orchestrator.platforms.cloudflare.rest.flows import runs_everywhere
from orchestrator.platforms.cloudflare.rest.requests import (
    ApplicationChange,
    DurableObjectDraft,
    NamespaceByClass,
    NamespaceById,
    RollingEvenly,
    RolloutDraft,
    ScheduledDraft,
)
from orchestrator.platforms.cloudflare.rest.types import (
    Configuration,
    Creation,
    DurableObjectApplication,
    EnvironmentVariable,
    ImagePreparation,
    RolloutSight,
    RolloutStart,
    ScheduledApplication,
)
from tests.platforms.cloudflare.fake_rest import (
    ACCOUNT,
    IMAGE,
    NEWER,
    START_MS,
    TOKEN,
    Drop,
    FakeRest,
    Quota,
    Say,
    Slow,
    Status,
    Truncate,
    error,
    result,
    served,
)
from tests.runtime.kit import value

NAMESPACE = "f" * 32
SCHEDULED = ScheduledDraft(
    name="web",
    configuration=Configuration(image=IMAGE),
    max_instances=5,
    namespace=NamespaceById(NAMESPACE),
)
OWN = DurableObjectDraft(name="web", namespace=NamespaceById(NAMESPACE))
TO_NEWER = RolloutDraft(
    description="newer",
    target=Configuration(image=NEWER),
    plan=RollingEvenly(step_percentage=50),
)
SHORT = RestLimits(request_timeout_ms=50)


# Applications


@pytest.mark.parametrize("draft", [SCHEDULED, OWN])
async def test_an_application_is_made_read_and_deleted(
    draft: ScheduledDraft | DurableObjectDraft,
) -> None:
    async with served(FakeRest()) as client:
        made = await value(client.create_application(draft))
        assert not made.existed
        assert made.application.namespace_id == NAMESPACE
        kind = ScheduledApplication if draft is SCHEDULED else DurableObjectApplication
        assert isinstance(made.application, kind)
        assert made.application.created_at == START_MS
        assert await value(client.applications()) == (made.application,)
        assert await value(client.applications(name="other")) == ()
        one = made.application.id
        assert await value(client.application(one)) == made.application
        assert await value(client.delete_application(one)) is True
        assert await value(client.delete_application(one)) is False
        assert await value(client.application(one)) is None


async def test_what_can_change_changes() -> None:
    fake = FakeRest()
    one = fake.add_web()
    async with served(fake) as client:
        change = ApplicationChange(max_instances=9, logs_enabled=True)
        changed = await value(client.change_application(one, change))
    assert isinstance(changed, ScheduledApplication)
    assert (changed.max_instances, changed.logs_enabled) == (9, True)


async def test_a_second_creation_finds_the_first() -> None:
    fake = FakeRest()
    async with served(fake) as client:
        first = await value(client.create_application(SCHEDULED))
        second = await value(client.create_application(SCHEDULED))
    assert second == Creation(application=first.application, existed=True)
    assert fake.writes == ["create web"]


async def test_two_creations_at_once_make_one() -> None:
    fake = FakeRest()
    async with served(fake) as client:
        await asyncio.gather(
            *(settled(client.create_application(SCHEDULED)) for _ in range(3))
        )
    assert [seen.method for seen in fake.seen].count("POST") == 1


@pytest.mark.parametrize(
    "fault", [Drop(after=True), Truncate(), Say(b"null"), Slow(30)]
)
async def test_an_application_whose_answer_was_lost_is_found(fault: Any) -> None:
    fake = FakeRest()
    fake.faults.extend([None, fault])
    limits = RestLimits(request_timeout_ms=3_000 if fault == Slow(30) else 60_000)
    async with served(fake, limits=limits) as client:
        made = await value(client.create_application(OWN))
    assert made.existed
    assert fake.writes == ["create web"]


async def test_a_creation_that_never_arrived_is_not_sent_again() -> None:
    fake = FakeRest()
    fake.faults.extend([None, Drop()])
    async with served(fake) as client:
        assert isinstance(await settled(client.create_application(OWN)), Unreachable)
    posts = [seen for seen in fake.seen if seen.method == "POST"]
    assert (len(posts), fake.writes) == (1, [])


async def test_one_that_the_list_does_not_show_yet_is_found_by_the_refusal() -> None:
    fake = FakeRest()
    fake.add_web(durable_objects={"namespace_id": NAMESPACE})
    fake.listed_late = 2
    async with served(fake) as client:
        made = await value(client.create_application(SCHEDULED))
    assert made.existed


@pytest.mark.parametrize(
    "taken",
    [
        {"durable_objects": {"namespace_id": "other"}},
        {},
        {"scheduling_policy": "durable_object", "durable_objects": {}},
    ],
)
async def test_another_application_in_the_place_is_refused(taken: Any) -> None:
    fake = FakeRest()
    fake.add_web(**taken)
    async with served(fake) as client:
        assert isinstance(await settled(client.create_application(SCHEDULED)), Refused)
    assert fake.writes == []


async def test_the_namespace_decides_before_the_name() -> None:
    fake = FakeRest()
    fake.add_web(durable_objects={"namespace_id": "other"})
    mine = fake.add_web(name="old", durable_objects={"namespace_id": NAMESPACE})
    async with served(fake) as client:
        made = await value(client.create_application(SCHEDULED))
    assert made.application.id == mine


async def test_a_namespace_by_class_is_found_by_the_name() -> None:
    fake = FakeRest()
    fake.add_web(durable_objects={"namespace_id": NAMESPACE})
    by_class = NamespaceByClass(script_name="gateway", class_name="Box")
    draft = ScheduledDraft(
        name="web",
        configuration=Configuration(image=IMAGE),
        max_instances=5,
        namespace=by_class,
    )
    async with served(fake) as client:
        assert (await value(client.create_application(draft))).existed


async def test_a_limit_of_the_account_is_a_quota() -> None:
    draft = ScheduledDraft(
        name="web", configuration=Configuration(image=IMAGE), max_instances=1001
    )
    async with served(FakeRest()) as client:
        assert await settled(client.create_application(draft)) == QuotaExceeded()


# Instances


async def test_instances_come_with_all_that_is_known_of_them() -> None:
    fake = FakeRest()
    one = fake.add_web()
    box = fake.add_instance(one)
    status = {"state": "stopped", "updated_at": fake.stamp(1_500), "exit_code": 137}
    gone = fake.add_instance(one, active=False, status=status, location=None)
    async with served(fake) as client:
        both = await value(client.instances(one))
        assert [instance.id for instance in both] == [box, gone]
        assert both[0].status.state == InstanceState.RUNNING
        assert both[0].location is not None
        assert both[0].location.region == "WEUR"
        assert both[1].status.exit_code == 137
        assert both[1].status.updated_at == START_MS + 1_500
        assert await value(client.instances(one, state="active")) == both[:1]
        assert await value(client.instances(one, name_prefix="web-3")) == both[1:]
        assert await value(client.instance(one, gone)) == both[1]
        assert await value(client.instance(one, "f" * 64)) is None


async def test_a_page_that_never_ends_is_left() -> None:
    fake = FakeRest()
    page = result([], {"next_page_token": "again"})
    fake.faults.extend([Status(200, page)] * 9)
    one = fake.add_web()
    async with served(fake) as client:
        found = await settled(client.instances(one))
    assert found == Unreachable(
        cause="the answer is not understood: at $.result_info.next_page_token"
        " expected a new token, found an old one"
    )


async def test_there_is_a_last_page_that_is_asked_for() -> None:
    fake = FakeRest()
    one = fake.add_web()
    for _ in range(9):
        fake.add_instance(one)
    async with served(
        fake, limits=RestLimits(pages_max=3, instances_per_page=2)
    ) as client:
        assert isinstance(await settled(client.instances(one)), Unreachable)
    assert len(fake.seen) == 3


# Rollouts


async def test_a_rollout_is_watched_until_every_instance_has_the_image() -> None:
    fake = FakeRest()
    one = fake.add_web()
    for _ in range(2):
        fake.add_instance(one)
    fake.add_instance(one, active=False)
    seen: list[RolloutSight] = []
    async with served(fake) as client:
        begun = await value(client.create_rollout(one, TO_NEWER))
        assert begun.rollout is not None
        assert begun.rollout.target_version == 2
        for _ in range(3):
            seen.append(await value(client.observe_rollout(one)))
            fake.clock.now += fake.step_ms
        assert len(await value(client.versions(one))) == 1
    assert [sight.application.active_rollout_id for sight in seen] == [
        begun.id,
        begun.id,
        None,
    ]
    assert seen[0].images == Table.of([(IMAGE, 2)])
    assert [version.percentage for version in seen[1].versions] == [50, 50]
    assert [runs_everywhere(sight, NEWER) for sight in seen] == [False, False, True]


async def test_a_rollout_whose_answer_was_lost_is_seen() -> None:
    fake = FakeRest()
    one = fake.add_web()
    fake.faults.extend([None, Drop(after=True)])
    async with served(fake) as client:
        begun = await value(client.create_rollout(one, TO_NEWER))
        assert begun == RolloutStart(id="rollout-1", rollout=None)
        assert isinstance(await settled(client.create_rollout(one, TO_NEWER)), Refused)
        assert fake.writes == [f"rollout {one}"]
        again = await value(client.create_rollout(one, TO_NEWER, replaces=True))
        assert again.id == "rollout-2"


async def test_a_sight_is_whole_or_it_is_none() -> None:
    one = FakeRest().add_web()
    for lost in range(3):
        fake = FakeRest()
        fake.add_web()
        fake.faults.extend([None] * lost + [Status(400)])
        async with served(fake) as client:
            found = await settled(client.observe_rollout(one))
        assert found == Refused(cause="status 400")


async def test_durable_objects_and_nothing_have_no_rollouts() -> None:
    async with served(FakeRest()) as client:
        made = await value(client.create_application(OWN))
        for one in (made.application.id, "none"):
            found = await settled(client.create_rollout(one, TO_NEWER))
            assert isinstance(found, Refused)


# Images


async def test_an_image_is_asked_for_until_it_is_ready() -> None:
    fake = FakeRest(preparing={IMAGE: ["pending", "pending", "ready"]})
    fake.faults.extend([None, Status(503)])
    async with served(fake) as client:
        ready = await value(client.wait_for_image(IMAGE))
    assert ready == ImagePreparation(image=IMAGE, status="ready", done=True)
    assert fake.clock.slept == [2.0, 2.0, 2.0]


async def test_an_image_that_will_never_be_ready_says_why() -> None:
    fake = FakeRest(preparing={IMAGE: ["error"]})
    async with served(fake) as client:
        failed = await value(client.wait_for_image(IMAGE))
    assert failed.reason == "not in the registry"


async def test_nobody_waits_for_an_image_for_ever() -> None:
    fake = FakeRest(preparing={IMAGE: ["pending"]})
    async with served(fake) as client:
        assert not (await value(client.prepare_image(IMAGE))).done
        late = await settled(client.wait_for_image(IMAGE))
    assert late == TimedOut(after_ms=15 * 60_000)
    assert fake.clock.now == 15 * 60_000


async def test_a_refused_image_is_not_asked_for_again() -> None:
    fake = FakeRest()
    fake.faults.append(Status(403, error(1000, "not enabled for this account")))
    async with served(fake) as client:
        found = await settled(client.wait_for_image(IMAGE))
    assert isinstance(found, Unauthorized)
    assert len(fake.seen) == 1


# Trouble


@pytest.mark.parametrize("fault", [Drop(), Truncate(), Status(502), Status(409)])
async def test_a_read_whose_answer_was_lost_is_asked_again(fault: Any) -> None:
    fake = FakeRest()
    fake.faults.extend([fault, fault])
    one = fake.add_web()
    async with served(fake) as client:
        assert (await value(client.application(one))) is not None
    assert len(fake.seen) == 3
    assert fake.clock.slept == [0.5, 1.0]


async def test_a_read_is_not_asked_again_for_ever() -> None:
    fake = FakeRest()
    fake.faults.extend([Drop()] * 9)
    async with served(fake) as client:
        assert isinstance(await settled(client.applications()), Unreachable)
    assert len(fake.seen) == 3


async def test_a_deletion_whose_answer_was_lost_left_once() -> None:
    fake = FakeRest()
    one = fake.add_web()
    async with served(fake) as client:
        await value(client.applications())
        fake.faults.append(Drop())
        assert isinstance(await settled(client.delete_application(one)), Unreachable)
    assert [seen.method for seen in fake.seen] == ["GET", "DELETE"]


async def test_the_server_may_ask_for_a_longer_pause() -> None:
    fake = FakeRest()
    fake.faults.append(Status(503, headers=(("Retry-After", "3"),)))
    async with served(fake) as client:
        await value(client.applications())
        fake.faults.append(Status(503, headers=(("Retry-After", "60"),)))
        assert isinstance(await settled(client.applications()), Unreachable)
    assert fake.clock.slept == [3.0]


async def test_no_answer_in_time_is_said_so() -> None:
    fake = FakeRest()
    fake.faults.append(Slow(30))
    async with served(fake, limits=SHORT) as client:
        assert await settled(client.applications()) == TimedOut(after_ms=50)


async def test_nobody_at_the_address_is_unreachable() -> None:
    client = RestClient(
        ACCOUNT, TOKEN, base_url="http://127.0.0.1:1", limits=RestLimits(retries_max=0)
    )
    async with client:
        assert isinstance(await settled(client.applications()), Unreachable)
    assert await settled(client.applications()) == Unreachable(
        cause="the client is closed"
    )


async def test_a_wrong_token_is_not_authorized_and_not_told() -> None:
    async with served(FakeRest(), token=TOKEN[:-1]) as client:
        found = await settled(client.applications())
    assert found == Unauthorized(cause="status 401, code 10000, Authentication error")
    assert "planted" not in repr(found) + repr(client)


async def test_an_answer_that_repeats_secrets_does_not_tell_them() -> None:
    fake = FakeRest()
    fake.faults.append(Status(400, error(1000, f"you sent {TOKEN}")))
    secret = EnvironmentVariable(name="KEY", value="planted-value")
    target = Configuration(image=NEWER, environment=(secret,))
    draft = RolloutDraft(description="newer", target=target)
    async with served(fake) as client:
        found = await settled(client.applications())
        assert found == Refused(cause="status 400, code 1000, you sent [hidden]")
        one = fake.add_web()
        said = Status(400, error(1000, "KEY=planted-value is wrong"))
        fake.faults.extend([None, said])
        withheld = await settled(client.create_rollout(one, draft))
        assert withheld == Refused(cause="status 400, code 1000")
    assert "planted" not in repr(draft)


async def test_an_answer_that_is_too_long_is_left() -> None:
    fake = FakeRest()
    fake.add_web()
    async with served(fake, limits=RestLimits(answer_max_bytes=9)) as client:
        assert isinstance(await settled(client.applications()), Unreachable)


async def test_a_redirect_is_not_followed() -> None:
    fake = FakeRest()
    fake.faults.append(Status(302, headers=(("Location", "/elsewhere"),)))
    async with served(fake) as client:
        assert isinstance(await settled(client.applications()), Unreachable)
    assert len(fake.seen) == 1


async def test_what_is_no_id_leads_nowhere() -> None:
    fake = FakeRest()
    change = ApplicationChange()
    async with served(fake) as client:
        for wrong in ("", "..", "a/b", "a?b", "x" * 129):
            assert isinstance(await settled(client.application(wrong)), Refused)
            assert isinstance(await settled(client.delete_application(wrong)), Refused)
            assert isinstance(await settled(client.instances(wrong)), Refused)
            assert isinstance(await settled(client.versions(wrong)), Refused)
            assert isinstance(await settled(client.observe_rollout(wrong)), Refused)
            changed = await settled(client.change_application(wrong, change))
            assert isinstance(changed, Refused)
    assert fake.seen == []


async def test_what_cannot_be_written_down_is_refused() -> None:
    async with served(FakeRest()) as client:
        assert isinstance(await settled(client.prepare_image("\ud800")), Refused)
        assert isinstance(await settled(client.applications(name="\ud800")), Refused)


def test_a_token_that_no_header_carries_is_not_taken_and_not_told() -> None:
    with pytest.raises(ValueError, match="no header can carry") as refusal:
        RestClient(ACCOUNT, "planted\ntoken")
    assert "planted" not in str(refusal.value)
    with pytest.raises(ValueError, match="is no account id"):
        RestClient("../zones", TOKEN)


async def test_a_session_that_was_given_is_left_open() -> None:
    async with aiohttp.ClientSession() as session:
        async with RestClient(ACCOUNT, TOKEN, session=session):
            pass
        assert not session.closed


# Rates


async def test_nothing_leaves_while_nothing_is_left() -> None:
    fake = FakeRest(quota=Quota(2, 9_000))
    async with served(fake) as client:
        for _ in range(5):
            await value(client.applications())
    assert [seen.at_ms for seen in fake.seen] == [0, 0, 9_000, 9_000, 18_000]


async def test_a_long_wait_is_answered_at_once() -> None:
    fake = FakeRest(quota=Quota(1, 60_000))
    async with served(fake) as client:
        await value(client.applications())
        limited = await settled(client.applications())
        assert limited == RateLimited(retry_after_ms=60_000)
        fake.clock.now += 59_000
        await value(client.applications())
    assert [seen.at_ms for seen in fake.seen] == [0, 60_000]


@pytest.mark.parametrize("says", [True, False])
async def test_after_too_many_the_account_is_left_alone(*, says: bool) -> None:
    fake = FakeRest(quota=Quota(0, 60_000, says_retry_after=says))
    async with served(fake) as client:
        for _ in range(3):
            limited = await settled(client.applications())
            assert limited == RateLimited(retry_after_ms=300_000)
        fake.quota = None
        fake.clock.now += 300_000
        await value(client.applications())
    assert len(fake.seen) == 2
