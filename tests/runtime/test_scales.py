"""Services and strangers of a running operator: scaled, adopted, ended."""

from __future__ import annotations

import asyncio
from pathlib import Path

import attrs

from orchestrator import (
    ContainerInfo,
    ContainerNotFound,
    FleetSpec,
    Orphan,
    Prune,
    Service,
    ServiceInfo,
    ServiceNotFound,
    Ticket,
    Unreachable,
)
from orchestrator.core.services import replica_of
from orchestrator.journal.sqlite import SqliteJournal, open_sqlite
from orchestrator.platforms.port import StartOrder
from tests.runtime.kit import (
    HOLD,
    LIMIT_MS,
    Faulty,
    Kit,
    error,
    fleet,
    opened,
    spec,
    value,
)
from tests.runtime.virtual import in_virtual_time

TICKET = Ticket(key="one", digest="d")


def served(replicas: int, **more: object) -> FleetSpec:
    template = attrs.evolve(spec("web", command=("run", "${replica.index}")), **more)  # type: ignore[arg-type]
    service = Service(template=template, replicas=replicas)
    own = tuple(replica_of(service, index) for index in range(replicas))
    return attrs.evolve(fleet(*own), services=(service,))


async def come_up(kit: Kit, *names: str) -> None:
    for name in names:
        await value(kit.operator.wait(name, limit_ms=LIMIT_MS))


def starts(platform: Faulty, name: str) -> list[int]:
    return [
        order.run
        for order in platform.orders
        if isinstance(order, StartOrder) and order.name == name
    ]


async def journal_at(folder: Path) -> SqliteJournal:
    return await value(open_sqlite(folder / "journal.db"))


@in_virtual_time
async def test_a_scale_says_what_the_service_is_then() -> None:
    async with opened(served(1)) as kit:
        info = await value(kit.operator.scale("web", 3, by="ann", why="a sale"))
        assert (info.replicas, info.declared) == (3, 1)
        assert info.members == ("web-0", "web-1", "web-2")
        await come_up(kit, *info.members)
        down = await value(kit.operator.scale("web", 1))
        assert (down.members, set(down.leaving)) == (("web-0",), {"web-1", "web-2"})
        await kit.until(lambda: len(kit.operator.fleet.containers) == 1)
        assert await value(kit.operator.list_services()) == (
            ServiceInfo(
                name="web",
                declared=1,
                replicas=1,
                ready=1,
                resting=0,
                members=("web-0",),
            ),
        )


@in_virtual_time
async def test_services_are_summed_up_each_from_its_own_containers() -> None:
    """A container of a service's own name is none of its replicas."""
    web, api = served(2), Service(template=spec("api"), replicas=1)
    idle = Service(template=spec("idle"), replicas=0)
    declared = attrs.evolve(
        web,
        containers=(*web.containers, replica_of(api, 0), spec("job")),
        services=(*web.services, api, idle),
    )
    async with opened(declared) as kit:
        await come_up(kit, "api-0", "job", "web-0", "web-1")
        scaled = await value(kit.operator.scale("web", 1))
        infos = await value(kit.operator.list_services())
        assert [(each.name, each.members, each.leaving) for each in infos] == [
            ("api", ("api-0",), ()),
            ("idle", (), ()),
            ("web", ("web-0",), ("web-1",)),
        ]
        assert infos[2] == scaled


@in_virtual_time
async def test_a_replica_that_scale_has_made_has_values_of_its_own() -> None:
    async with opened(served(1)) as kit:
        await value(kit.operator.scale("web", 3))
        await come_up(kit, "web-1", "web-2")
        for index in (0, 1, 2):
            order = kit.platform.started(f"web-{index}")
            assert order.command == ("run", f"{index}")
            assert order.env["CONTAINER_NAME"] == f"web-{index}"


@in_virtual_time
async def test_what_was_scaled_is_kept_by_the_next_operator(tmp_path: Path) -> None:
    platform = Faulty()
    async with opened(
        served(2), platform=platform, journal=await journal_at(tmp_path)
    ) as kit:
        await value(kit.operator.scale("web", 3))
        await come_up(kit, "web-0", "web-1", "web-2")
    async with opened(
        served(2), platform=platform, journal=await journal_at(tmp_path)
    ) as kit:
        await come_up(kit, "web-0", "web-1", "web-2")
        assert kit.operator.fleet.services["web"].replicas == 3
    assert [starts(platform, f"web-{index}") for index in range(3)] == [[1], [1], [1]]
    async with opened(
        served(1), platform=platform, journal=await journal_at(tmp_path)
    ) as kit:
        await kit.until(lambda: len(kit.operator.fleet.containers) == 1)
        assert kit.operator.fleet.services["web"].declared == 1


@in_virtual_time
async def test_two_scales_at_once_end_in_one_of_them() -> None:
    async with opened(served(1)) as kit:
        scales = (value(kit.operator.scale("web", each)) for each in (5, 2, 4))
        infos = await asyncio.gather(*scales)
        [now] = await value(kit.operator.list_services())
        assert now.replicas == infos[-1].replicas == len(now.members)
        await come_up(kit, *now.members)
        for name in now.members:
            runs = starts(kit.platform, name)
            assert runs == list(range(1, len(runs) + 1))


@in_virtual_time
async def test_a_service_that_crash_loops_can_be_scaled() -> None:
    platform = Faulty()
    dead = attrs.evolve(spec("dead", HOLD), name="dead")
    service = Service(template=dead, replicas=1)
    declared = attrs.evolve(fleet(replica_of(service, 0)), services=(service,))
    platform._world.characters.update(
        {f"dead-{i}": platform._world.characters["dead"] for i in range(3)}
    )
    async with opened(declared, platform=platform) as kit:
        await kit.container("dead-0", "crash_looping")
        await value(kit.operator.scale("dead", 3))
        for name in ("dead-1", "dead-2"):
            await kit.container(name, "crash_looping")
        [info] = await value(kit.operator.list_services())
        assert (info.ready, info.failed) == (0, ("dead-0", "dead-1", "dead-2"))
        await value(kit.operator.scale("dead", 0))
        await kit.until(lambda: len(kit.operator.fleet.containers) == 0)


@in_virtual_time
async def test_a_repeated_scale_is_done_once() -> None:
    async with opened(served(1)) as kit:
        await value(kit.operator.scale("web", 3, ticket=TICKET))
        await value(kit.operator.scale("web", 2))
        again = await value(kit.operator.scale("web", 3, ticket=TICKET))
        assert again.replicas == 2
        await value(kit.operator.apply(fleet()))
        gone = await error(kit.operator.scale("web", 3, ticket=TICKET))
        assert gone == ServiceNotFound(name="web")


async def orphaned(kit: Kit) -> None:
    """Have the fleet forget web-1, which runs on."""
    await come_up(kit, "web-0", "web-1")
    await value(kit.operator.apply(served(1), prune=Prune.FORGET))
    assert "web-1" not in kit.operator.fleet.containers


@in_virtual_time
async def test_an_orphan_is_adopted_and_its_run_goes_on() -> None:
    async with opened(served(2)) as kit:
        await orphaned(kit)
        assert await value(kit.operator.list_orphans()) == (
            Orphan(name="web-1", run=1),
        )
        info = await value(kit.operator.adopt("web-1", by="ann"))
        assert isinstance(info, ContainerInfo)
        assert (info.phase, info.run, info.min_replica_set) == ("running", 1, True)
        assert starts(kit.platform, "web-1") == [1]
        assert await value(kit.operator.list_orphans()) == ()
        assert kit.operator.fleet.services["web"].replicas == 2


@in_virtual_time
async def test_an_orphan_of_another_spec_is_replaced() -> None:
    async with opened(served(2)) as kit:
        await orphaned(kit)
        info = await value(kit.operator.adopt("web-1", service=""))
        assert info.phase == "stopping"
        await come_up(kit, "web-1")
        assert starts(kit.platform, "web-1") == [1, 2]


@in_virtual_time
async def test_an_orphan_is_ended_and_forgotten() -> None:
    async with opened(served(2)) as kit:
        await orphaned(kit)
        ending = Orphan(name="web-1", run=1, stopping=True)
        assert await value(kit.operator.stop_orphan("web-1", ticket=TICKET)) == ending
        await kit.until(lambda: len(kit.operator.fleet.strangers) == 0)
        await kit.until(lambda: len(kit.operator.fleet.forgetting) == 0)
        gone = await error(kit.operator.stop_orphan("web-1", ticket=TICKET))
        assert gone == ContainerNotFound(name="web-1")
        assert await value(kit.platform.details()) != ()
        assert "web-1" not in {
            each.name for each in await value(kit.platform.details())
        }


@in_virtual_time
async def test_an_adoption_is_durable_before_a_look_succeeds() -> None:
    async with opened(served(2)) as kit:
        await orphaned(kit)
        kit.platform.look_error = Unreachable(cause="cut off")
        asking = asyncio.ensure_future(value(kit.operator.adopt("web-1")))
        await kit.container("web-1", "unknown")
        await kit.until(lambda: not kit.operator.fleet.observing)
        assert not asking.done()
        kit.platform.look_error = None
        await value(kit.operator.reconcile())
        assert (await asking).phase == "running"
        missing = await error(kit.operator.adopt("web-1", ticket=TICKET))
        assert "belongs to the fleet" in str(getattr(missing, "message", ""))


@in_virtual_time
async def test_an_adoption_ends_with_its_operator() -> None:
    async with opened(served(2)) as kit:
        await orphaned(kit)
        kit.platform.look_error = Unreachable(cause="cut off")
        asking = asyncio.ensure_future(value(kit.operator.adopt("web-1")))
        await kit.container("web-1", "unknown")
    assert (await asking).phase == "unknown"


@in_virtual_time
async def test_what_was_adopted_and_removed_is_not_found_again() -> None:
    async with opened(served(2)) as kit:
        await orphaned(kit)
        await value(kit.operator.adopt("web-1", ticket=TICKET))
        await value(kit.operator.apply(served(1)))
        await kit.until(lambda: "web-1" not in kit.operator.fleet.containers)
        gone = await error(kit.operator.adopt("web-1", ticket=TICKET))
        assert gone == ContainerNotFound(name="web-1")
