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
from orchestrator.platforms.cloudflare.project.hosting import (
    OPERATOR_BINDING,
    OPERATOR_CLASS,
    OPERATOR_INSTANCES,
    Hosting,
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
from orchestrator.platforms.cloudflare.project.operator_image import DOCKERFILE
from orchestrator.platforms.cloudflare.project.plan import REGISTRY_CLASS, Plan

__all__ = ("COMPATIBILITY_DATE", "read_wrangler_file", "wrangler_file")

COMPATIBILITY_DATE: Final = "2026-10-01"
"""From this date on an object that watches its container stays in memory."""

EVERY_MINUTE: Final = "* * * * *"
"""The clock that sees to the alarm of a hosted operator."""

TRIGGERS: Final = "triggers"
CRONS: Final = "crons"

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
    if plan.hosting is not None:
        containers.append(_hosted(plan.hosting, plan.worker))
    parts.append(f'"containers": {_array(containers)}')
    migrations = ",\n".join(indent(pretty(_tree(m)), "  ") for m in plan.migrations)
    why = "// Applied once each, in this order: never change one, only append."
    parts.append(f'{why}\n"migrations": [\n{migrations}\n]')
    extras = [_part(key, value) for key, value in _added(plan).items()]
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
    if plan.hosting is not None:
        bindings.append({"name": OPERATOR_BINDING, "class_name": OPERATOR_CLASS})
    yield "durable_objects", {"bindings": bindings}, "One object for each container."
    if plan.hosting is not None:
        crons = [EVERY_MINUTE, *_crons(tree_of(plan.extras))]
        why = "Each minute it is seen to that the operator is looked after."
        yield TRIGGERS, {CRONS: crons}, why


def _added(plan: Plan) -> dict[str, Any]:
    """Return what was added by hand; crons stand beside our own, where we have one."""
    tree = cast("dict[str, Any]", tree_of(plan.extras))
    if plan.hosting is not None:
        _ = tree.pop(TRIGGERS, None)
    return tree


def _crons(tree: dict[str, Any]) -> list[Any]:
    """Return the crons of a configuration that are not ours."""
    triggers = tree.get(TRIGGERS)
    crons = triggers.get(CRONS) if isinstance(triggers, dict) else None
    listed: list[Any] = crons if isinstance(crons, list) else []
    return [cron for cron in listed if cron != EVERY_MINUTE]


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


def _hosted(hosting: Hosting, worker: str) -> str:
    """Write the application of the operator; no service folds to its name."""
    why = "One runs; while a deploy replaces it, there is room for the next."
    if hosting.retired:
        why = "Hosted no more; kept so that it can be stopped."
    tree = {
        "name": f"{worker}--operator",
        "class_name": OPERATOR_CLASS,
        "image": DOCKERFILE,
        "instance_type": hosting.instance_type.name,
        "max_instances": OPERATOR_INSTANCES,
    }
    return f"// The operator: {why}\n{pretty(tree)}"


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
    kept = {key: tree[key] for key in tree if key not in own}
    if tree.get(TRIGGERS) == {CRONS: [EVERY_MINUTE]}:
        del kept[TRIGGERS]
    elif isinstance(kept.get(TRIGGERS), dict):
        kept[TRIGGERS] = {**kept[TRIGGERS], CRONS: _crons(tree)}
    extras = frozen_config(kept)
    if isinstance(extras, Failure):
        return Failure(extras.failure())
    return Success((migrations.unwrap(), extras.unwrap()))
