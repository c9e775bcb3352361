"""Any fleet gives a project that can be deployed, and deployed again."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import attrs
from hypothesis import assume, example, given
from hypothesis import strategies as st
from returns.result import Failure

from orchestrator.codec.platform_choices import CloudflareChoice, SchedulingPolicy
from orchestrator.core.fleet_specs import FleetSettings, FleetSpec
from orchestrator.core.hosting import INSTANCE_TYPES, InstanceType, Placement
from orchestrator.core.names import is_name
from orchestrator.core.services import Service, replica_of
from orchestrator.core.specs import ContainerSpec, named
from orchestrator.platforms.cloudflare.project.application import Application
from orchestrator.platforms.cloudflare.project.applications import (
    application_of,
    applications_of,
)
from orchestrator.platforms.cloudflare.project.files import project_of
from orchestrator.platforms.cloudflare.project.jsonc import pretty, read_jsonc
from orchestrator.platforms.cloudflare.project.manifest import (
    manifest_file,
    read_manifest,
)
from orchestrator.platforms.cloudflare.project.migrations import living_classes
from orchestrator.platforms.cloudflare.project.plan import Earlier, Plan, plan_of
from orchestrator.platforms.cloudflare.project.wrangler_file import read_wrangler_file

ALPHABET = "ab0-._"
NASTY = ("fleet", "registry", "gateway", "gateway-token", "7", "ad-hoc", "a.b", "a-b")
NAMES = st.one_of(
    st.sampled_from(NASTY),
    st.text(ALPHABET, min_size=1, max_size=6).filter(is_name),
)
DIGEST = f"registry.cloudflare.com/{'0' * 32}/app@sha256:{'a' * 64}"
IMAGES = st.sampled_from(("./Dockerfile", "../x/Dockerfile", DIGEST))
OWN = InstanceType(vcpu=1.5, memory_mib=5_000, disk_mb=1_000)
PLACES = st.sampled_from(
    (
        Placement(),
        Placement(regions=("WEUR",), jurisdiction="eu"),
        Placement(regions=("ENAM", "APAC")),
    )
)
SPREAD = Placement(spread=("weur", "enam"))
POLICIES = st.sampled_from(SchedulingPolicy)


@st.composite
def services(draw: st.DrawFn, name: str) -> tuple[ContainerSpec, ...]:
    """Draw the containers of a service, alike."""
    spec = ContainerSpec(
        name=name,
        image=draw(IMAGES),
        instance_type=draw(st.sampled_from((*INSTANCE_TYPES.values(), OWN))),
        placement=draw(PLACES),
    )
    count = draw(st.none() | st.integers(1, 3))
    if count is None:
        return (spec,)
    return tuple(
        attrs.evolve(spec, name=f"{name}-{index}", service=name, replica=index)
        for index in range(count)
    )


@st.composite
def fleets(draw: st.DrawFn) -> FleetSpec:
    """Draw a fleet as a file may declare it."""
    found: dict[str, ContainerSpec] = {}
    for name in draw(st.lists(NAMES, max_size=6, unique=True)):
        for spec in draw(services(name)):
            found.setdefault(spec.name, spec)
    template = draw(st.none() | services("ad-hoc").map(lambda specs: specs[0]))
    ad_hoc = None if template is None else named(template, "ad-hoc")
    return FleetSpec(
        name="shop",
        containers=tuple(found.values()),
        settings=FleetSettings(ad_hoc=ad_hoc),
    )


def planned(fleet: FleetSpec, policy: SchedulingPolicy, earlier: Earlier) -> Plan:
    choice = CloudflareChoice(scheduling_policy=policy)
    plan = plan_of(fleet, choice, folder="..", earlier=earlier)
    assume(not isinstance(plan, Failure))
    return plan.unwrap()


def files_of(plan: Plan) -> dict[str, bytes]:
    return project_of(plan, {"gateway.js": b""}, token_secret="GATEWAY_TOKEN")


def after(plan: Plan) -> Earlier:
    written = files_of(plan)
    manifest = read_manifest(manifest_file(plan, written)).unwrap()
    text = written["wrangler.jsonc"].decode()
    migrations, extras = read_wrangler_file(text, None).unwrap()
    return Earlier(
        worker=manifest.worker,
        applications=manifest.applications,
        migrations=migrations,
        extras=extras,
    )


def are_identifiers_of_their_own(names: Iterable[str]) -> bool:
    listed = list(names)
    unique = len(set(listed)) == len(listed)
    return unique and all(name.isidentifier() and name.isascii() for name in listed)


@given(fleets(), POLICIES)
@example(FleetSpec(name="shop"), SchedulingPolicy.DEFAULT)
def test_every_container_has_an_application_that_is_deployed(
    fleet: FleetSpec, policy: SchedulingPolicy
) -> None:
    plan = planned(fleet, policy, Earlier())
    tree = read_jsonc(files_of(plan)["wrangler.jsonc"].decode()).unwrap()
    bindings = tree["durable_objects"]["bindings"]
    assert are_identifiers_of_their_own(one["name"] for one in bindings)
    assert are_identifiers_of_their_own(one["class_name"] for one in bindings)
    taken = {"GATEWAY_TOKEN", "GATEWAY_TOKEN_NEXT"}
    assert not taken & {one["name"] for one in bindings}
    entries = {one["class_name"]: one for one in tree["containers"]}
    assert len({one["name"] for one in entries.values()}) == len(entries)
    index = files_of(plan)["src/index.js"].decode()
    for spec in fleet.containers:
        application = application_of(spec, plan.applications).unwrap()
        holds(spec, application, entries[application.class_name])
        assert f"export class {application.class_name} extends " in index
    for one in bindings:
        assert one["class_name"] in living_classes(plan.migrations)


def holds(spec: ContainerSpec, application: Application, entry: dict[str, Any]) -> None:
    """Hold what is deployed to what the container asks for."""
    if application.scheduling_policy is SchedulingPolicy.DURABLE_OBJECT:
        assert spec.image in tuple(application.images.values())
        assert not {"image", "instance_type", "max_instances"} & set(entry)
        return
    assert (application.name, application.image) == (spec.service, spec.image)
    assert application.instance_type == spec.instance_type
    size = entry["instance_type"]
    assert INSTANCE_TYPES.get(size if isinstance(size, str) else "") in {
        None,
        spec.instance_type,
    }
    assert entry["max_instances"] > spec.replica


@given(fleets(), POLICIES)
def test_the_same_fleet_gives_the_same_bytes(
    fleet: FleetSpec, policy: SchedulingPolicy
) -> None:
    first = planned(fleet, policy, Earlier())
    again = planned(fleet, policy, after(first))
    assert files_of(first) == files_of(again)


@given(st.lists(st.tuples(fleets(), POLICIES), min_size=2, max_size=4))
def test_migrations_are_only_appended(
    steps: list[tuple[FleetSpec, SchedulingPolicy]],
) -> None:
    earlier = Earlier()
    classes: dict[str, str] = {}
    for fleet, policy in steps:
        plan = planned(fleet, policy, earlier)
        assert plan.migrations[: len(earlier.migrations)] == earlier.migrations
        tags = [migration["tag"] for migration in plan.migrations]
        assert len(set(tags)) == len(tags)
        for application in plan.applications:
            name = application.name
            known = classes.setdefault(name, application.class_name)
            assert known == application.class_name
        assert set(living_classes(earlier.migrations)) <= set(
            living_classes(plan.migrations)
        )
        earlier = after(plan)


@given(fleets(), fleets())
def test_what_fits_one_fleet_is_refused_where_another_is_deployed(
    fleet: FleetSpec, other: FleetSpec
) -> None:
    """An application is chosen only where it is what the spec asks for."""
    deployed = applications_of(other, CloudflareChoice()).value_or(())
    for spec in fleet.containers:
        chosen = application_of(spec, deployed)
        if isinstance(chosen, Failure):
            assert chosen.failure().message
            continue
        found = chosen.unwrap()
        assert found.image == spec.image
        assert found.jurisdiction == spec.placement.jurisdiction
        names = {one.name for one in deployed}
        assert found.name == spec.service or spec.service not in names


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(st.dictionaries(st.text(), JSON))
def test_json_is_written_as_it_can_be_read(tree: dict[str, Any]) -> None:
    assert json.loads(pretty(tree)) == tree
    assert read_jsonc(f"/* {{ */ {pretty(tree)} // }}").unwrap() == tree


@given(st.text())
def test_text_of_anything_is_read_or_told(text: str) -> None:
    read_jsonc(text)
    read_wrangler_file(text, None)
    read_manifest(text.encode())


def with_services(
    fleet: FleetSpec, number: int, placement: Placement = SPREAD
) -> FleetSpec:
    """Add a service that is spread over two places, of so many replicas."""
    template = ContainerSpec(name="spread", image=DIGEST, placement=placement)
    service = Service(template=template, replicas=number)
    replicas = tuple(replica_of(service, index) for index in range(number))
    return attrs.evolve(
        fleet, containers=(*fleet.containers, *replicas), services=(service,)
    )


def shape(one: ContainerSpec | Application) -> tuple[object, ...]:
    """Return what is one for all containers of an application."""
    place = one.placement if isinstance(one, ContainerSpec) else one
    regions = tuple(sorted(place.regions))
    return one.image, one.instance_type, regions, place.jurisdiction


@given(fleets(), st.integers(0, 5))
def test_placement_groups_are_minimal(fleet: FleetSpec, number: int) -> None:
    """One application a service and a shape, and none beyond; one under the other."""
    whole = with_services(fleet, number)
    made = applications_of(whole, CloudflareChoice()).value_or(())
    assume(made)
    groups: dict[str, set[tuple[object, ...]]] = {"spread": {shape(made_of(whole))}}
    for spec in whole.containers:
        groups.setdefault(spec.service, set()).add(shape(spec))
    if whole.settings.ad_hoc is not None:
        groups["ad-hoc"] = {shape(whole.settings.ad_hoc)}
    assert {one.name: {shape(one)} for one in made} == groups
    assert len(made) == sum(map(len, groups.values()))
    choice = CloudflareChoice(scheduling_policy=SchedulingPolicy.DURABLE_OBJECT)
    assert len(applications_of(whole, choice).value_or((made[0],))) == 1


def made_of(fleet: FleetSpec) -> ContainerSpec:
    return fleet.services[0].template


@given(fleets(), st.integers(0, 5), st.integers(0, 5))
def test_a_scale_or_another_spread_needs_no_other_application(
    fleet: FleetSpec, before: int, after: int
) -> None:
    """The names and classes stay, and so do the objects and what runs in them."""
    first = applications_of(with_services(fleet, before), CloudflareChoice())
    assume(not isinstance(first, Failure))
    moved = with_services(fleet, after, Placement(location_hint="sam"))
    again = applications_of(moved, CloudflareChoice())
    assert named_alike(first.unwrap()) == named_alike(again.unwrap())


def named_alike(made: tuple[Application, ...]) -> set[tuple[object, ...]]:
    return {(one.name, one.class_name, one.binding, *shape(one)) for one in made}
