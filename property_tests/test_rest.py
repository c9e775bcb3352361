"""Laws of the REST client: whatever the API says, it is a value, and done once."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any, get_args

import attrs
import orjson
from hypothesis import example, given
from hypothesis import strategies as st
from returns.future import FutureResult
from returns.result import Failure, Result

from orchestrator import settled
from orchestrator.core.errors import PlatformError, RateLimited
from orchestrator.platforms.cloudflare.rest import answers
from orchestrator.platforms.cloudflare.rest.client import RestClient, RestLimits
from orchestrator.platforms.cloudflare.rest.errors import (
    Answer,
    Reply,
    Trouble,
    judge,
)
from orchestrator.platforms.cloudflare.rest.joins import (
    by_durable_object_id,
    exit_code_of,
)
from orchestrator.platforms.cloudflare.rest.limits import HOLD_MAX_MS, hold_ms
from orchestrator.platforms.cloudflare.rest.reading import Malformed, Reader, read
from orchestrator.platforms.cloudflare.rest.requests import (
    DurableObjectDraft,
    NamespaceByClass,
    NamespaceById,
    RolloutDraft,
    ScheduledDraft,
)
from orchestrator.platforms.cloudflare.rest.types import (
    Configuration,
    Creation,
    Instance,
    InstanceStatus,
    RolloutStart,
)
from tests.platforms.cloudflare.fake_rest import (
    IMAGE,
    NEWER,
    TOKEN,
    Drop,
    FakeRest,
    Fault,
    Quota,
    Say,
    Status,
    Truncate,
    served,
)
from tests.runtime.kit import value

ERRORS = get_args(PlatformError)
READERS: tuple[Reader[Any], ...] = (
    answers.application,
    answers.instance,
    answers.version,
    answers.rollout,
    answers.preparation(200),
)
KEYS = (  # noqa: SIM905 - a line each would hide the rest
    "active_rollout_id application_id artifact_digest authorized_keys code command"
    " configuration constraints created_at durable_objects enabled errors event health"
    " id image instance_id instances location logs message name namespace_id"
    " next_page_token observability percentage progress public_key reason regions"
    " result result_info scheduling_policy state status steps success updated_at"
    " version wrangler_ssh environment_variables error details"
).split()
TEXTS = st.text(max_size=12) | st.sampled_from(
    ["default", "durable_object", "2026-11-20T00:00:00Z", "0001-01-01T00:00:00+23:59"]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | TEXTS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(KEYS) | TEXTS, inner, max_size=6)
    ),
    max_leaves=20,
)
ENVELOPES = st.fixed_dictionaries(
    {"success": st.booleans() | JSON},
    optional={
        "result": JSON,
        "errors": st.lists(
            st.fixed_dictionaries(
                {},
                optional={
                    "code": JSON,
                    "message": TEXTS | JSON.map(lambda tree: dumped(tree).decode()),
                },
            ),
            max_size=2,
        )
        | JSON,
        "result_info": JSON,
    },
)


def dumped(tree: Any) -> bytes:
    return orjson.dumps(tree)


BODIES = st.binary(max_size=20) | JSON.map(dumped) | ENVELOPES.map(dumped)
WAITS = (
    st.integers(-1, 10**12).map(str)
    | st.sampled_from(
        ["Fri, 20 Nov 2026 00:00:07 GMT", "Fri, 31 Feb 0000 99:99:99 -9999", "-0", "٣"]
    )
    | st.text(max_size=20)
)
QUOTAS = st.from_regex(r'("[a-z]*"(;[rtwq]=-?[0-9]{0,9})*,? ?)*', fullmatch=True)
HEADERS = st.fixed_dictionaries(
    {},
    optional={
        "retry-after": WAITS,
        "retry-after-ms": WAITS,
        "date": WAITS,
        "ratelimit": QUOTAS | st.text(max_size=20),
        "ratelimit-policy": QUOTAS,
    },
)
FAULTS: st.SearchStrategy[Fault] = st.one_of(
    st.none(),
    st.builds(Drop, st.booleans()),
    st.just(Truncate()),
    st.builds(Say, st.sampled_from([b"", b"null", b'{"success":true}', b"<html>"])),
    st.builds(Status, st.sampled_from([408, 409, 500, 502, 530])),
)
OWN = DurableObjectDraft(name="web", namespace=NamespaceById("f" * 32))
DRAFTS = st.sampled_from(
    [
        OWN,
        ScheduledDraft(
            name="web",
            configuration=Configuration(image=IMAGE),
            max_instances=5,
            namespace=NamespaceByClass(script_name="gateway", class_name="Box"),
        ),
        ScheduledDraft(
            name="web", configuration=Configuration(image=IMAGE), max_instances=5
        ),
    ]
)


# Answers


@given(st.integers(100, 599), HEADERS, BODIES)
def test_every_answer_is_a_value(
    status: int, headers: dict[str, str], body: bytes
) -> None:
    reply = Reply(
        status=status,
        headers=headers,
        body=body,
        after_ms=0,
        secret=TOKEN,
        withheld=False,
    )
    judged: Result[Answer, Trouble] = judge(reply)
    if isinstance(judged, Failure):
        assert isinstance(judged.failure().error, ERRORS)
        assert judged.failure().error.message
    else:
        assert status // 100 == 2
    assert 0 <= hold_ms(status, headers) <= HOLD_MAX_MS


@given(st.integers(200, 599), BODIES)
@example(204, b"x")
def test_every_answer_is_a_value_to_every_operation(status: int, body: bytes) -> None:
    async def asked() -> None:
        fake = FakeRest()
        fake.faults.extend([Status(status, body)] * 99)
        async with served(fake, limits=RestLimits(pages_max=2)) as client:
            operations: tuple[FutureResult[Any, PlatformError], ...] = (
                client.applications(),
                client.application("one"),
                client.create_application(OWN),
                client.delete_application("one"),
                client.instances("one"),
                client.observe_rollout("one"),
                client.wait_for_image(IMAGE, limit_ms=0),
            )
            for operation in operations:
                found = await settled(operation)
                if isinstance(found, ERRORS):
                    assert TOKEN not in found.message
                fake.clock.now += HOLD_MAX_MS

    asyncio.run(asked())


@given(st.sampled_from(READERS), JSON)
def test_every_tree_is_read_or_refused_with_its_place(
    reader: Reader[Any], tree: Any
) -> None:
    outcome = read(tree, reader)
    if isinstance(outcome, Failure):
        malformed: Malformed = outcome.failure()
        assert malformed.place.startswith("$")
        assert malformed.expected != malformed.found


@given(st.text())
def test_a_word_that_nobody_knows_stays_what_it_was(word: str) -> None:
    instance = {"id": "a", "status": {"state": word}, "location": {"region": word}}
    box = read(instance, answers.instance).unwrap()
    assert box.location is not None
    rollout = read(
        {
            "id": "r",
            "status": word,
            "kind": word,
            "strategy": word,
            "steps": [{"id": 1, "status": word}],
        },
        answers.rollout,
    ).unwrap()
    prepared = read({"image": "i", "status": word}, answers.preparation(202)).unwrap()
    application = read(
        {
            "id": "a",
            "name": "web",
            "scheduling_policy": word,
            "configuration": {"instance_type": word},
            "constraints": {"regions": [word], "jurisdiction": word},
            "health": {"summary": word},
        },
        answers.application,
    ).unwrap()
    assert isinstance(application.configuration, Configuration)
    assert application.health is not None
    words = {
        box.status.state,
        box.location.region,
        rollout.status,
        rollout.kind,
        rollout.strategy,
        rollout.steps[0].status,
        prepared.status,
        application.configuration.instance_type,
        application.health.summary,
        getattr(application, "scheduling_policy", word),
    }
    assert words == {word}


# Paging


@given(
    size=st.integers(1, 7),
    count=st.integers(0, 20),
    added=st.lists(st.tuples(st.integers(1, 6), st.booleans()), max_size=4),
    by_offset=st.booleans(),
    faults=st.lists(st.none() | st.just(Drop()) | st.just(Truncate()), max_size=2),
)
@example(size=2, count=4, added=[(1, True)], by_offset=True, faults=[])
def test_every_item_comes_once(
    *,
    size: int,
    count: int,
    added: list[tuple[int, bool]],
    by_offset: bool,
    faults: list[Fault],
) -> None:
    fake = FakeRest(by_offset=by_offset)
    fake.faults.extend(faults)
    one = fake.add_web()
    there = [fake.add_instance(one) for _ in range(count)]

    def add(page: int) -> None:
        for when, front in added:
            if when == page:
                fake.add_instance(one, front=front and by_offset)

    fake.before_page = add

    async def listed() -> tuple[Instance, ...]:
        async with served(fake, limits=RestLimits(instances_per_page=size)) as client:
            return await value(client.instances(one))

    ids = [instance.id for instance in asyncio.run(listed())]
    assert max(Counter(ids).values(), default=1) == 1
    assert [found for found in ids if found in set(there)] == there


# Writes


@given(DRAFTS, st.lists(FAULTS, max_size=12))
def test_an_application_is_made_once_however_often_it_is_asked_for(
    draft: DurableObjectDraft | ScheduledDraft, faults: list[Fault]
) -> None:
    fake = FakeRest()
    fake.faults.extend(faults)

    async def asked() -> None:
        async with served(fake) as client:
            for _ in range(len(faults) + 1):
                made = await settled(client.create_application(draft))
                if isinstance(made, Creation):
                    assert made.application.name == "web"
                    break
            else:
                raise AssertionError

    asyncio.run(asked())
    assert fake.writes == ["create web"]


@given(st.lists(FAULTS, max_size=12))
def test_a_rollout_begins_once_however_often_it_is_asked_for(
    faults: list[Fault],
) -> None:
    fake = FakeRest()
    fake.faults.extend(faults)
    one = fake.add_web()
    draft = RolloutDraft(description="newer", target=Configuration(image=NEWER))

    async def asked() -> None:
        async with served(fake) as client:
            for _ in range(len(faults) + 1):
                begun = await settled(client.create_rollout(one, draft))
                if isinstance(begun, RolloutStart):
                    assert begun.id == "rollout-1"
                    break

    asyncio.run(asked())
    assert fake.writes == [f"rollout {one}"]


@given(FAULTS)
def test_a_write_leaves_once(fault: Fault) -> None:
    fake = FakeRest()
    one = fake.add_web()

    async def asked() -> None:
        async with served(fake) as client:
            await settled(client.applications())
            fake.faults.append(fault)
            await settled(client.delete_application(one))
            fake.faults.append(fault)
            await settled(client.prepare_image(IMAGE))

    asyncio.run(asked())
    assert [seen.method for seen in fake.seen] == ["GET", "DELETE", "POST"]


# Rates


@given(
    amount=st.integers(1, 4),
    window_s=st.integers(1, 60),
    thoughts=st.lists(st.integers(0, 20_000), min_size=1, max_size=15),
)
def test_a_quota_is_never_overdrawn(
    amount: int, window_s: int, thoughts: list[int]
) -> None:
    fake = FakeRest(quota=Quota(amount, window_s * 1000))

    async def asked() -> list[object]:
        async with served(fake) as client:
            found: list[object] = []
            for thought in thoughts:
                fake.clock.now += thought
                before = fake.clock.now
                found.append(await settled(client.applications()))
                assert fake.clock.now - before <= RestLimits().hold_patience_ms
            return found

    answered = asyncio.run(asked())
    limited = [one for one in answered if isinstance(one, RateLimited)]
    assert len(fake.seen) + len(limited) == len(thoughts)
    assert fake.overdrawn == 0


@given(
    wait_s=st.integers(0, 900),
    thoughts=st.lists(st.integers(0, 400_000), max_size=8),
    at_once=st.integers(1, 3),
)
def test_after_too_many_nothing_leaves_until_it_may(
    wait_s: int, thoughts: list[int], at_once: int
) -> None:
    fake = FakeRest()
    fake.faults.append(Status(429, headers=(("Retry-After", str(wait_s)),)))

    async def asked() -> None:
        async with served(fake) as client:
            first = await settled(client.applications())
            assert first == RateLimited(retry_after_ms=wait_s * 1000)
            for thought in thoughts:
                fake.clock.now += thought
                await asyncio.gather(*(_asked(client) for _ in range(at_once)))

    asyncio.run(asked())
    assert all(seen.at_ms >= wait_s * 1000 for seen in fake.seen[1:])


async def _asked(client: RestClient) -> None:
    await settled(client.applications())


# Joins

STATUSES = st.builds(
    InstanceStatus,
    state=st.sampled_from(["running", "stopped", "failed", "new"]),
    updated_at=st.none() | st.integers(0, 9_000),
    exit_code=st.none() | st.integers(0, 255),
)
INSTANCES = st.builds(
    Instance,
    id=st.sampled_from("abc"),
    status=STATUSES,
    started_at=st.none() | st.integers(0, 9_000),
)


@given(INSTANCES, st.integers(0, 9_000))
def test_no_exit_code_is_told_of_a_later_run(instance: Instance, began: int) -> None:
    code = exit_code_of(instance, not_before_ms=began)
    if code is not None:
        assert code == instance.status.exit_code
        assert instance.status.updated_at is not None
        assert instance.status.updated_at >= began
        assert exit_code_of(instance, not_before_ms=0) == code
    running = attrs.evolve(
        instance, status=attrs.evolve(instance.status, state="running")
    )
    assert exit_code_of(running, not_before_ms=0) is None


@given(st.lists(INSTANCES, max_size=6))
def test_every_instance_is_found_by_its_id(instances: list[Instance]) -> None:
    joined = by_durable_object_id(instances)
    assert set(joined) == {instance.id for instance in instances}
    for instance in instances:
        newest = joined[instance.id].status.updated_at or 0
        assert newest >= (instance.status.updated_at or 0)
