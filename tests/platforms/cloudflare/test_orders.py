"""Orders as the gateway takes them."""

from __future__ import annotations

from typing import Any

import attrs
import orjson
import pytest

from orchestrator.core.hosting import InstanceType, Placement
from orchestrator.core.specs import STOP_SIGNALS, ContainerSpec
from orchestrator.core.table import Table
from orchestrator.platforms.cloudflare.orders import (
    BYTES_MAX,
    ORDERS_MAX,
    batches,
    body_of,
    path_of,
    signal_number,
)
from orchestrator.platforms.cloudflare.project.naming import image_name_of
from orchestrator.platforms.port import DestroyOrder, ForgetOrder, Order, StopOrder
from orchestrator.testing.platforms import start_order

SPEC = ContainerSpec(
    name="web-0",
    service="web",
    image="example.com/web@sha256:1",
    command=("serve", "--fast"),
    ports=Table.of([("http", 8080), ("admin", 9000)]),
    wait_for=("http",),
    stop_signal="INT",
    stop_grace_ms=5_000,
    start_timeout_ms=90_000,
    sleep_after_ms=60_000,
    internet=False,
    placement=Placement(jurisdiction="eu", location_hint="weur"),
)
START = attrs.evolve(start_order(SPEC, 3, 7, SPEC.ports.items()), env={"KEY": "v"})
STOP = StopOrder(name="web-0", run=3, epoch=7, signal="TERM", grace_ms=2_000)
DESTROY = DestroyOrder(name="web-0", run=3, epoch=7)
FORGET = ForgetOrder(name="web-0", run=3, epoch=7)


def test_a_start_says_all_that_the_gateway_needs() -> None:
    assert body_of(START, "web") == {
        "run": 3,
        "epoch": 7,
        "revision": 1,
        "fingerprint": START.fingerprint,
        "application": "web",
        "entrypoint": ["serve", "--fast"],
        "env": {"KEY": "v"},
        "ports": {"http": 8080, "admin": 9000},
        "wait_for": [8080],
        "start_timeout_ms": 90_000,
        "stop": {"signal": 2, "grace_ms": 5_000},
        "internet": False,
        "keep_alive": True,
        "sleep_after_ms": 60_000,
        "location_hint": "weur",
        "jurisdiction": "eu",
    }


def test_a_start_waits_for_all_ports_unless_it_says() -> None:
    order = attrs.evolve(START, spec=attrs.evolve(SPEC, wait_for=None))
    assert sorted(body_of(order, "web")["wait_for"]) == [8080, 9000]


def test_image_and_size_are_said_where_they_are_chosen() -> None:
    body = body_of(START, "fleet", chosen=True)
    assert (body["image"], body["instance"]) == (SPEC.image, "lite")
    own = InstanceType(vcpu=1.0, memory_mib=4_096, disk_mb=5_000)
    order = attrs.evolve(START, spec=attrs.evolve(SPEC, instance_type=own))
    assert body_of(order, "fleet", chosen=True)["instance"] == {
        "vcpu": 1.0,
        "memoryMib": 4_096,
        "diskMb": 5_000,
    }


def test_an_image_that_is_built_is_named_as_the_gateway_knows_it() -> None:
    order = attrs.evolve(START, spec=attrs.evolve(SPEC, image="./Dockerfile"))
    image = body_of(order, "fleet", chosen=True)["image"]
    assert image == image_name_of("./Dockerfile")
    assert image != "./Dockerfile"


@pytest.mark.parametrize(
    ("order", "path", "more"),
    [
        (STOP, "stop", {"signal": 15, "grace_ms": 2_000}),
        (DESTROY, "destroy", {}),
        (FORGET, "forget", {}),
    ],
)
def test_the_other_orders_say_little(
    order: Order, path: str, more: dict[str, int]
) -> None:
    assert path_of(order) == path
    assert body_of(order) == {"run": 3, "epoch": 7, **more}


def test_a_start_goes_to_its_own_path() -> None:
    assert path_of(START) == "start"


def test_every_signal_that_a_spec_may_name_has_its_number_on_linux() -> None:
    numbers = {name: signal_number(name) for name in STOP_SIGNALS}
    assert numbers == {
        "TERM": 15,
        "INT": 2,
        "QUIT": 3,
        "HUP": 1,
        "USR1": 10,
        "USR2": 12,
        "KILL": 9,
    }


def test_no_orders_are_no_request() -> None:
    assert batches([]) == []


def test_a_request_holds_so_many_orders() -> None:
    bodies = [{"n": n} for n in range(2 * ORDERS_MAX + 1)]
    gathered = batches(bodies)
    assert [len(batch) for batch in gathered] == [ORDERS_MAX, ORDERS_MAX, 1]
    assert [body for batch in gathered for body in batch] == bodies


def test_a_request_holds_so_many_bytes() -> None:
    bodies = [{"n": n, "x": "x" * 400_000} for n in range(5)]
    gathered = batches(bodies)
    assert [len(batch) for batch in gathered] == [2, 2, 1]
    assert all(len(orjson.dumps(batch)) < BYTES_MAX for batch in gathered)


def test_an_order_too_large_for_any_request_goes_alone() -> None:
    bodies: list[dict[str, Any]] = [{"n": n} for n in range(4)]
    bodies[1]["x"] = "x" * BYTES_MAX
    assert [len(batch) for batch in batches(bodies)] == [1, 1, 2]
