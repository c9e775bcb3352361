"""Orders as the gateway takes them: pure, one body each, gathered into batches."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, assert_never

import orjson

from orchestrator.core.hosting import INSTANCE_TYPES, InstanceType
from orchestrator.core.specs import ContainerSpec
from orchestrator.platforms.cloudflare.http import Tree
from orchestrator.platforms.cloudflare.project.images import ImageKind, image_kind
from orchestrator.platforms.cloudflare.project.naming import image_name_of
from orchestrator.platforms.port import (
    DestroyOrder,
    ForgetOrder,
    Order,
    StartOrder,
    StopOrder,
)

__all__ = ("ORDERS_MAX", "batches", "body_of", "path_of", "signal_number")

ORDERS_MAX: Final = 100
"""Orders of one request, as the gateway bounds them."""

BYTES_MAX: Final = 900_000
"""Bytes of one request; the gateway refuses more than 1 MiB."""


def signal_number(name: str) -> int:
    """Return the number of a signal on Linux, where containers run.

    >>> signal_number("TERM"), signal_number("USR1")
    (15, 10)

    """
    return _LINUX[name]


_LINUX: Final = {
    "HUP": 1,
    "INT": 2,
    "QUIT": 3,
    "KILL": 9,
    "USR1": 10,
    "USR2": 12,
    "TERM": 15,
}


def path_of(order: Order) -> str:
    """Return the operation of an order, as it stands in a path."""
    match order:
        case StartOrder():
            return "start"
        case StopOrder():
            return "stop"
        case DestroyOrder():
            return "destroy"
        case ForgetOrder():
            return "forget"
        case _:
            assert_never(order)


def body_of(order: Order, application: str = "", *, chosen: bool = False) -> Tree:
    """Return the body of an order, without its name.

    *application* is where a start is to run; *chosen*: image and size are chosen at
    the start, not by the application.
    """
    keyed: Tree = {"run": order.run, "epoch": order.epoch}
    match order:
        case StartOrder():
            return keyed | _start(order, application, chosen=chosen)
        case StopOrder(signal=name, grace_ms=grace_ms):
            return keyed | {"signal": signal_number(name), "grace_ms": grace_ms}
        case DestroyOrder() | ForgetOrder():
            return keyed
        case _:
            assert_never(order)


def _start(order: StartOrder, application: str, *, chosen: bool) -> Tree:
    spec = order.spec
    body: Tree = {
        "revision": order.revision,
        "fingerprint": order.fingerprint,
        "application": application,
        "entrypoint": list(order.command),
        "env": dict(order.env),
        "ports": dict(order.ports),
        "wait_for": [order.ports[name] for name in spec.awaited_ports],
        "start_timeout_ms": spec.start_timeout_ms,
        "stop": {
            "signal": signal_number(spec.stop_signal),
            "grace_ms": spec.stop_grace_ms,
        },
        "internet": spec.internet,
        "keep_alive": spec.keep_alive,
        "sleep_after_ms": spec.sleep_after_ms,
        "location_hint": spec.placement.location_hint,
        "jurisdiction": spec.placement.jurisdiction,
    }
    return body | _choice(spec) if chosen else body


def _choice(spec: ContainerSpec) -> Tree:
    image = spec.image
    if image is not None and image_kind(image) is ImageKind.DOCKERFILE:
        image = image_name_of(image)  # the Worker knows what was built of it
    return {"image": image, "instance": _instance(spec.instance_type)}


def _instance(size: InstanceType) -> str | dict[str, Any]:
    """Return a size as the runtime takes it: by its name, or measured."""
    if size.name in INSTANCE_TYPES:
        return size.name
    return {
        "vcpu": size.vcpu,
        "memoryMib": size.memory_mib,
        "diskMb": size.disk_mb,
    }


def batches(bodies: Iterable[Tree]) -> list[list[Tree]]:
    """Gather bodies into requests that the gateway takes, in their order.

    >>> [len(batch) for batch in batches([{}] * 250)]
    [100, 100, 50]

    """
    gathered: list[list[Tree]] = []
    room = 0
    for body in bodies:
        size = len(orjson.dumps(body)) + 1
        if not gathered or size > room or len(gathered[-1]) == ORDERS_MAX:
            gathered.append([])
            room = BYTES_MAX
        gathered[-1].append(body)
        room -= size
    return gathered
