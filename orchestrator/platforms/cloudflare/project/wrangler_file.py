"""``wrangler.jsonc``: the Worker's configuration, with comments that say why.

Nothing of the fleet file stands in a comment but names, which cannot end one.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from textwrap import indent
from typing import Any, Final, cast

from returns.result import Failure, Result, Success

from orchestrator.codec.wire import frozen_config, tree_of
from orchestrator.core.errors import InvalidSpec, Problem
from orchestrator.core.fields import Json
from orchestrator.core.hosting import INSTANCE_TYPES, InstanceType
from orchestrator.core.table import Table
from orchestrator.platforms.cloudflare.project.application import (
    DURABLE_OBJECT,
    Application,
)
from orchestrator.platforms.cloudflare.project.images import (
    ImageKind,
    image_kind,
    moved_path,
)
from orchestrator.platforms.cloudflare.project.jsonc import pretty, read_jsonc
from orchestrator.platforms.cloudflare.project.migrations import (
    Migration,
    read_migrations,
)
from orchestrator.platforms.cloudflare.project.naming import account_name_of
from orchestrator.platforms.cloudflare.project.plan import REGISTRY_CLASS, Plan

__all__ = ("COMPATIBILITY_DATE", "read_wrangler_file", "wrangler_file")

COMPATIBILITY_DATE: Final = "2026-10-01"
"""From this date on an object that watches its container stays in memory."""

_OWN: Final = frozenset(
    {
        "$schema",
        "name",
        "main",
        "compatibility_date",
        "observability",
        "durable_objects",
        "containers",
        "migrations",
    }
)


def wrangler_file(plan: Plan) -> str:
    """Write the configuration of a plan."""
    parts = [_part(key, value, why) for key, value, why in _settings(plan)]
    containers = [_entry(one, plan) for one in plan.applications]
    parts.append(f'"containers": {_array(containers)}')
    migrations = ",\n".join(indent(pretty(_tree(m)), "  ") for m in plan.migrations)
    why = "// Applied once each, in this order: never change one, only append."
    parts.append(f'{why}\n"migrations": [\n{migrations}\n]')
    extras = [_part(key, tree_of(value)) for key, value in plan.extras.items()]
    if extras:
        extras[0] = f"// Added by hand, and kept.\n{extras[0]}"
    head = (
        f"// The gateway of the fleet {plan.fleet!r}, written by `orchestrator gateway"
        " init`.\n// Change the fleet file and run that again rather than editing this."
    )
    body = ",\n".join(indent(part, "  ") for part in (*parts, *extras))
    return f"{head}\n{{\n{body}\n}}\n"


def _settings(plan: Plan) -> Iterator[tuple[str, Any, str]]:
    yield "$schema", "node_modules/wrangler/config-schema.json", ""
    yield "name", plan.worker, ""
    if plan.account_id is not None:
        yield "account_id", plan.account_id, ""
    yield "main", "src/index.js", ""
    why = "From this date on an object that watches its container stays in memory."
    yield "compatibility_date", COMPATIBILITY_DATE, why
    yield "observability", {"enabled": True}, "What containers write is in the logs."
    bindings = [{"name": "REGISTRY", "class_name": REGISTRY_CLASS}]
    bindings += [
        {"name": one.binding, "class_name": one.class_name} for one in plan.applications
    ]
    yield "durable_objects", {"bindings": bindings}, "One object for each container."


def _part(key: str, value: Any, why: str = "") -> str:
    comment = f"// {why}\n" if why else ""
    return f"{comment}{json.dumps(key)}: {pretty(value)}"


def _array(items: Iterable[str]) -> str:
    inner = ",\n".join(indent(item, "  ") for item in items)
    return f"[\n{inner}\n]" if inner else "[]"


def _tree(migration: Migration) -> dict[str, Any]:
    tree = cast("dict[str, Any]", tree_of(migration))
    return {"tag": tree.pop("tag"), **tree}


def _entry(application: Application, plan: Plan) -> str:
    named = {"name": account_name_of(plan.worker, application.name)}
    if application.scheduling_policy is DURABLE_OBJECT:
        why = "Image and size are chosen at each start; the account's limits hold."
        tree = named | _of_objects(application, plan.folder)
    else:
        why = _sum(application, plan)
        tree = named | _of_scheduler(application, plan.folder)
    if application.retired:
        why = "In the fleet file no more; kept so that its containers can be stopped."
    return f"// {application.name!r}: {why}\n{pretty(tree)}"


def _sum(application: Application, plan: Plan) -> str:
    declared = plan.declared.get(application.name) or 0
    rest = (application.max_instances or 0) - declared
    return f"{declared} declared and {rest} more may run; a start beyond is refused."


def _of_scheduler(application: Application, folder: str) -> dict[str, Any]:
    """Write an application that Cloudflare's scheduler places."""
    tree: dict[str, Any] = {"class_name": application.class_name}
    if application.image is not None:
        tree["image"] = _image(application.image, folder)
    if application.instance_type is not None:
        tree["instance_type"] = _size(application.instance_type)
    tree["max_instances"] = application.max_instances
    constraints: dict[str, Any] = {}
    if application.regions:
        constraints["regions"] = list(application.regions)
    if application.jurisdiction is not None:
        constraints["jurisdiction"] = application.jurisdiction
    return tree | ({"constraints": constraints} if constraints else {})


def _of_objects(application: Application, folder: str) -> dict[str, Any]:
    """Write an application whose objects choose; it takes nothing else."""
    images = {
        name: {
            "dockerfile" if image_kind(image) is ImageKind.DOCKERFILE else "image": (
                _image(image, folder)
            )
        }
        for name, image in application.images.items()
    }
    return {
        "class_name": application.class_name,
        "scheduling_policy": str(DURABLE_OBJECT),
        **({"images": images} if images else {}),
        "observability": {"logs": {"enabled": True}},
    }


def _image(image: str, folder: str) -> str:
    if image_kind(image) is ImageKind.DOCKERFILE:
        return moved_path(image, folder)
    return image


def _size(size: InstanceType) -> str | dict[str, Any]:
    if size == INSTANCE_TYPES.get(size.name):
        return size.name
    tree = cast("dict[str, Any]", tree_of(size))
    return {key: value for key, value in tree.items() if key != "name"}


def read_wrangler_file(
    text: str, account_id: str | None
) -> Result[tuple[tuple[Migration, ...], Table[str, Json]], InvalidSpec]:
    """Read the migrations of a configuration, and the settings that are not ours."""
    read = read_jsonc(text)
    if isinstance(read, Failure):
        problem = Problem(place="", expected="JSON with comments", found=read.failure())
        return Failure(InvalidSpec(problems=(problem,)))
    tree = read.unwrap()
    migrations = read_migrations(tree.get("migrations", []))
    if isinstance(migrations, Failure):
        return Failure(migrations.failure())
    own = _OWN if account_id is None else _OWN | {"account_id"}
    extras = frozen_config({key: tree[key] for key in tree if key not in own})
    if isinstance(extras, Failure):
        return Failure(extras.failure())
    return Success((migrations.unwrap(), extras.unwrap()))
