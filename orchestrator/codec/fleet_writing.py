"""A fleet, written as the tree that the reader of fleet files reads.

What was spelt out is folded back: replicas that are one service are one entry, a
restart policy that all containers share stands once. What no file can say is told.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Final

import attrs

from orchestrator.codec.fleet_file import FleetFile
from orchestrator.codec.fleet_forms import form_of, table_of
from orchestrator.codec.fleet_rollouts import keys_of
from orchestrator.codec.fleet_tables import Tree
from orchestrator.codec.platform_choices import LocalChoice
from orchestrator.core.fleet_specs import FleetSpec
from orchestrator.core.rollout_policies import RolloutPolicy
from orchestrator.core.services import Service, replica_of
from orchestrator.core.specs import ContainerSpec

__all__ = ("fleet_tree", "left_unsaid")

_OF_THE_ENTRY: Final = ("name", "service", "replica", "group")
"""Fields of a spec that an entry does not say in its own words."""

_SECTIONS_OF_SETTINGS: Final = ("ad_hoc", "notify")


@attrs.frozen(kw_only=True)
class _Entry:
    """One entry of a file: a spec, and the service that it is one of, None: itself."""

    spec: ContainerSpec
    service: Service | None


def fleet_tree(file: FleetFile, folder: str) -> Tree:
    """Return the tree of a fleet; what lies in *folder* is told relative to it.

    Reading it in that folder gives the fleet again, but for what ``left_unsaid`` tells.
    """
    spec, settings = file.spec, file.spec.settings
    entries = _entries(spec)
    specs = [each.spec for each in entries]
    if settings.ad_hoc is not None:
        specs.append(settings.ad_hoc)
    shared = _shared_policy(specs)
    placing = folder if isinstance(file.platform, LocalChoice) else None
    tree: Tree = {
        "fleet": _head(file),
        "platform": form_of(file.platform),
        "journal": form_of(file.journal),
        "lease": {} if file.lease is None else form_of(file.lease, whole=True),
        "api": _placed_api(form_of(file.api), folder),
        "notify": {} if settings.notify is None else form_of(settings.notify),
        "restart": shared,
        "containers": [_container(each, shared, placing) for each in entries],
        "groups": _groups(entries),
        "ad_hoc": {}
        if settings.ad_hoc is None
        else _body(settings.ad_hoc, shared, placing),
    }
    if tree["platform"] == {"kind": LocalChoice.kind}:
        del tree["platform"]
    return {key: table for key, table in tree.items() if table}


def left_unsaid(spec: FleetSpec) -> tuple[str, ...]:
    """Tell what of a fleet no file can say, a sentence each.

    >>> one = ContainerSpec(name="a-1", service="a", replica=1, image="x")
    >>> left_unsaid(FleetSpec(name="demo", containers=(one,)))
    ("a-1: is written as a container of its own, not as replica 1 of 'a'",)

    """
    told: list[str] = []
    for entry in _entries(spec):
        own = entry.spec
        if entry.service is not None:
            told += _unsaid_of_rollout(entry.service)
        elif own.service != own.name:
            what = f"not as replica {own.replica} of {own.service!r}"
            told.append(f"{own.name}: is written as a container of its own, {what}")
    if spec.settings.ad_hoc is not None and spec.settings.ad_hoc.group is not None:
        told.append("ad_hoc: a template is in no group")
    return tuple(told)


def _unsaid_of_rollout(service: Service) -> Iterator[str]:
    """Tell what a rollout policy says that means nothing to its strategy."""
    policy = service.rollout
    if policy is None:
        return
    known = keys_of(policy.strategy)
    for field in attrs.fields(RolloutPolicy):
        is_said = getattr(policy, field.name) != field.default
        if is_said and field.name not in known:
            key = field.name.removesuffix("_ms")
            said = f"{service.name}: its rollout says {key}"
            yield f"{said}, which means nothing to {policy.strategy}"


def _head(file: FleetFile) -> Tree:
    """Return ``[fleet]``."""
    settings = table_of(file.spec.settings, leaving_out=_SECTIONS_OF_SETTINGS)
    named = {"env_vars": file.env_vars, "hooks": file.hooks, "policies": file.policies}
    said = {key: named[key] for key in named if named[key] is not None}
    return {"name": file.spec.name, **settings, **said}


def _entries(spec: FleetSpec) -> tuple[_Entry, ...]:
    """Fold containers into entries, in the order of their first members.

    A service without replicas has no member: it stands behind the service before it.
    """
    services = _services(spec)
    order = list(services)
    entries: dict[str, _Entry] = {}
    for container in spec.containers:
        service = services.get(container.service)
        if service is None or container.name == container.service:
            entries[container.name] = _Entry(spec=container, service=None)
        elif service.name not in entries:
            before = order[: order.index(service.name)]
            empty = (name for name in before if not services[name].replicas)
            for name in (*empty, service.name):
                entries[name] = _of_service(services[name])
                order.remove(name)
    entries |= {name: _of_service(services[name]) for name in order}
    return tuple(entries.values())


def _of_service(service: Service) -> _Entry:
    return _Entry(spec=service.template, service=service)


def _services(spec: FleetSpec) -> dict[str, Service]:
    """Return the services, also those that only their replicas tell of."""
    told = {each.name: each for each in spec.services}
    members: dict[str, list[ContainerSpec]] = {}
    for container in spec.containers:
        if container.service not in {container.name, *told}:
            members.setdefault(container.service, []).append(container)
    for name, replicas in members.items():
        template = attrs.evolve(replicas[0], name=name, service=name, replica=0)
        service = Service(template=template, replicas=len(replicas))
        spelt = {replica_of(service, index) for index in range(len(replicas))}
        if all(replica in spelt for replica in replicas):
            told[name] = service
    return told


def _shared_policy(specs: list[ContainerSpec]) -> Tree:
    """Return the restart policy of all of them, empty where they differ."""
    policies = [spec.restart for spec in specs]
    alike = len(policies) > 1 and all(each == policies[0] for each in policies)
    return table_of(policies[0]) if alike else {}


def _container(entry: _Entry, shared: Tree, folder: str | None) -> Tree:
    body = _body(entry.spec, shared, folder)
    service = entry.service
    if service is None:
        return {"name": entry.spec.name, **body}
    said = {"rollout": service.rollout, "autoscaling": service.autoscaling}
    policies = {key: form_of(said[key]) for key in said if said[key] is not None}
    counted = {"name": entry.spec.name, "replicas": service.replicas}
    return {**counted, **body, **policies}


def _body(spec: ContainerSpec, shared: Tree, folder: str | None) -> Tree:
    """Return the table of a container, or of a template, without its name."""
    body = table_of(spec, leaving_out=_OF_THE_ENTRY)
    if shared:
        _ = body.pop("restart", None)
    if folder is not None and spec.working_dir is not None:
        body["working_dir"] = _relative(spec.working_dir, folder)
        if body["working_dir"] == ".":
            del body["working_dir"]
    return body


def _relative(path: str, folder: str) -> str:
    """Return a path as it is said in a file of that folder."""
    whole = PurePosixPath(path)
    inside = whole.is_relative_to(folder)
    return str(whole.relative_to(folder)) if inside else path


def _placed_api(api: Tree, folder: str) -> Tree:
    files = {key: api[key] for key in ("tls_cert", "tls_key") if key in api}
    return {**api, **{key: _relative(files[key], folder) for key in files}}


def _groups(entries: tuple[_Entry, ...]) -> Tree:
    """Return the groups with their members, by the names of their entries."""
    places: dict[str, dict[str, int]] = {}
    strategies: dict[str, str] = {}
    for entry in entries:
        group = entry.spec.group
        if group is not None:
            places.setdefault(group.group, {})[entry.spec.name] = group.position
            strategies[group.group] = group.strategy.value
    return {
        name: {
            "strategy": strategies[name],
            "members": sorted(places[name], key=places[name].__getitem__),
        }
        for name in sorted(places)
    }
