"""Which applications a fleet needs, and which one runs a container."""

from __future__ import annotations

import attrs
import pytest
from returns.result import Failure

from orchestrator.codec.platform_choices import CloudflareChoice, SchedulingPolicy
from orchestrator.core.fleet_specs import FleetSettings, FleetSpec
from orchestrator.core.hosting import INSTANCE_TYPES, LITE, InstanceType, Placement
from orchestrator.core.rollout_policies import RolloutPolicy, Share
from orchestrator.core.services import Service, replica_of
from orchestrator.core.specs import ContainerSpec, named
from orchestrator.platforms.cloudflare.project.application import (
    Application,
    facts_of,
    read_applications,
)
from orchestrator.platforms.cloudflare.project.applications import (
    application_of,
    application_warnings,
    applications_of,
)
from orchestrator.platforms.cloudflare.project.images import ImageKind, image_kind
from orchestrator.platforms.cloudflare.project.naming import (
    binding_of,
    class_name_of,
    image_name_of,
    worker_name_of,
)

BASIC = INSTANCE_TYPES["basic"]
DIGEST = f"registry.cloudflare.com/{'0' * 32}/app@sha256:{'a' * 64}"
BY_OBJECT = CloudflareChoice(scheduling_policy=SchedulingPolicy.DURABLE_OBJECT)


def spec(name: str = "web", image: str | None = "docker.io/a/web:1") -> ContainerSpec:
    return ContainerSpec(name=name, image=image, command=("run",))


def replicas(count: int, of: ContainerSpec) -> tuple[ContainerSpec, ...]:
    return tuple(
        attrs.evolve(of, name=f"{of.name}-{index}", service=of.name, replica=index)
        for index in range(count)
    )


def fleet(*specs: ContainerSpec, ad_hoc: ContainerSpec | None = None) -> FleetSpec:
    settings = FleetSettings(ad_hoc=ad_hoc)
    return FleetSpec(name="shop", containers=specs, settings=settings)


def wanted(
    of: FleetSpec, choice: CloudflareChoice | None = None
) -> tuple[Application, ...]:
    return applications_of(of, choice or CloudflareChoice()).unwrap()


def refused(of: FleetSpec, choice: CloudflareChoice | None = None) -> str:
    return applications_of(of, choice or CloudflareChoice()).failure().message


def served(
    replicas_: int, of: ContainerSpec, rollout: RolloutPolicy | None = None
) -> FleetSpec:
    service = Service(template=of, replicas=replicas_, rollout=rollout)
    own = tuple(replica_of(service, index) for index in range(replicas_))
    return FleetSpec(name="shop", containers=own, services=(service,))


@pytest.mark.parametrize(
    ("rollout", "most"),
    [
        (RolloutPolicy(), 7),
        (RolloutPolicy(max_surge=Share(2)), 9),
        (RolloutPolicy(max_surge=Share(25, is_percent=True)), 8),
        (RolloutPolicy(strategy="blue_green"), 11),
    ],
)
def test_an_application_has_room_for_what_a_rollout_has_beside(
    rollout: RolloutPolicy, most: int
) -> None:
    (one,) = wanted(served(4, spec(), rollout), CloudflareChoice(headroom=3))
    assert one.max_instances == most


def test_a_service_without_replicas_has_an_application_to_be_scaled_in() -> None:
    web = attrs.evolve(spec(), placement=Placement(spread=("weur", "enam")))
    (one,) = wanted(served(0, web), CloudflareChoice(headroom=0))
    assert (one.name, one.image, one.max_instances) == ("web", web.image, 1)
    assert named_alike(served(0, web)) == named_alike(served(3, web))


def named_alike(of: FleetSpec) -> list[tuple[str, str, str]]:
    return [(one.name, one.class_name, one.binding) for one in wanted(of)]


def test_a_service_has_one_application_for_all_its_replicas() -> None:
    web = attrs.evolve(
        spec(),
        instance_type=BASIC,
        placement=Placement(regions=("WEUR",), jurisdiction="eu"),
    )
    (one,) = wanted(fleet(*replicas(3, web)), CloudflareChoice(headroom=2))
    assert one == Application(
        name="web",
        class_name="WebContainer",
        binding="WEB",
        image="docker.io/a/web:1",
        instance_type=BASIC,
        regions=("WEUR",),
        jurisdiction="eu",
        max_instances=5,
    )


def test_what_is_started_by_request_has_its_own_application() -> None:
    both = wanted(fleet(spec(), ad_hoc=spec("ad-hoc", "docker.io/a/job:1")))
    assert [one.name for one in both] == ["web", "ad-hoc"]
    none = CloudflareChoice(headroom=0)
    (_, ad_hoc) = wanted(fleet(spec(), ad_hoc=spec("ad-hoc")), none)
    assert ad_hoc.max_instances == 1


def test_objects_that_choose_need_one_application_with_every_image() -> None:
    (one,) = wanted(
        fleet(spec("web", "./web/Dockerfile"), spec("b", DIGEST)), BY_OBJECT
    )
    assert (one.name, one.class_name, one.binding) == (
        "fleet",
        "FleetContainer",
        "FLEET",
    )
    assert sorted(one.images.values()) == ["./web/Dockerfile", DIGEST]
    assert (one.image, one.instance_type, one.max_instances) == (None, None, None)


@pytest.mark.parametrize(
    ("of", "choice", "told"),
    [
        (
            fleet(spec("ad-hoc"), ad_hoc=spec("ad-hoc")),
            None,
            "ad-hoc.name: expected another name, as [ad_hoc] has the application of"
            " this one, found 'ad-hoc'",
        ),
        (
            fleet(spec("web-0", "docker.io/a/b:1"), *replicas(1, spec("api"))),
            BY_OBJECT,
            "web-0.image: expected under durable_object, a Dockerfile or a digest of"
            " the account's own registry",
        ),
        (fleet(spec(image=None)), None, "web.image: expected the path of a Dockerfile"),
        (fleet(spec(image="a b")), None, "found 'a b'"),
        (fleet(spec(image="https://a/b:1")), None, "found 'https://a/b:1'"),
        (
            fleet(
                attrs.evolve(spec(), service="x"),
                attrs.evolve(spec("b", "docker.io/a/b:2"), service="x"),
            ),
            None,
            "x: b: expected what web asks for, as they are one service, found image is"
            " docker.io/a/web:1, asked for is docker.io/a/b:2",
        ),
        (
            fleet(
                attrs.evolve(
                    spec(), placement=Placement(regions=("WNAM",), jurisdiction="eu")
                )
            ),
            None,
            "web.placement.regions: expected regions of jurisdiction 'eu' (EEUR, WEUR),"
            " found WNAM",
        ),
        (
            fleet(*(spec(f"s{n}", f"./{n}/Dockerfile") for n in range(101))),
            BY_OBJECT,
            "containers: expected at most 100 images under durable_object, found 101",
        ),
    ],
)
def test_what_cannot_be_deployed_is_told(
    of: FleetSpec, choice: CloudflareChoice | None, told: str
) -> None:
    assert told in refused(of, choice)


def test_all_problems_are_told_at_once() -> None:
    assert len(refused(fleet(spec("a", "x"), spec("b", "y"))).splitlines()) == 2


@pytest.mark.parametrize("jurisdiction", ["us", "fedramp"])
def test_regions_within_the_jurisdiction_are_fine(jurisdiction: str) -> None:
    place = Placement(regions=("ENAM", "WNAM"), jurisdiction=jurisdiction)
    assert wanted(fleet(attrs.evolve(spec(), placement=place)))


def test_what_can_surprise_is_told_once() -> None:
    place = Placement(regions=("ME", "OC"))
    web = attrs.evolve(spec(image="ghcr.io/a/b:1"), placement=place)
    told = application_warnings(
        wanted(fleet(web, attrs.evolve(web, name="api", service="api")))
    )
    assert [one.partition(": ")[0] for one in told] == [
        "image 'ghcr.io/a/b:1' is a tag",
        "image 'ghcr.io/a/b:1'",
        "web",
        "api",
    ]
    assert "not from ghcr.io" in told[1]
    assert "ME, OC alone has little room" in told[2]
    assert application_warnings(wanted(fleet(spec("a", "./Dockerfile")))) == []
    assert application_warnings(wanted(fleet(spec("a", DIGEST)))) == []


# Choosing


def test_a_container_runs_in_the_application_of_its_service() -> None:
    web = replicas(2, spec())
    there = wanted(fleet(spec("api"), *web))
    assert application_of(web[1], there).unwrap().name == "web"


def test_an_application_that_is_deployed_otherwise_is_refused() -> None:
    there = wanted(fleet(spec("web"), spec("api", "docker.io/a/new:1")))
    new = attrs.evolve(spec("web", "docker.io/a/new:1"), instance_type=BASIC)
    why = application_of(new, there).failure()
    assert why.application == "web"
    assert why.message == (
        "application 'web' of the gateway is not what 'web' asks for: image is"
        " docker.io/a/web:1, asked for is docker.io/a/new:1; size is 0.0625 vcpu, 256"
        " MiB, 2000 MB, asked for is 0.25 vcpu, 1024 MiB, 4000 MB; run `orchestrator"
        " gateway init` again and deploy"
    )


def test_a_service_that_is_not_deployed_takes_no_other_application() -> None:
    """Its containers would be other objects once it is deployed."""
    (replica,) = replicas(1, spec("new"))
    why = application_of(replica, wanted(fleet(spec()))).failure()
    assert why.message.startswith(
        "no application of the gateway runs 'new-0': there is"
    )


def test_what_was_started_by_request_runs_where_it_fits() -> None:
    job = spec("ad-hoc", "docker.io/a/job:1")
    there = wanted(fleet(spec("web"), spec("job", "docker.io/a/job:1"), ad_hoc=job))
    assert application_of(named(job, "x"), there).unwrap().name == "ad-hoc"
    assert application_of(spec("y"), there).unwrap().name == "web"
    why = application_of(spec("z", "docker.io/a/other:1"), there).failure()
    assert "'web' differs: image is docker.io/a/web:1" in why.message
    assert application_of(spec("z"), ()).failure().message.startswith("no application")


def test_nothing_new_runs_in_a_retired_application() -> None:
    there = tuple(attrs.evolve(one, retired=True) for one in wanted(fleet(spec())))
    assert isinstance(application_of(spec(), there), Failure)


def test_sizes_are_compared_by_what_they_are() -> None:
    own = InstanceType(vcpu=1.0, memory_mib=6_144, disk_mb=12_000)
    web = attrs.evolve(spec(), instance_type=own)
    there = wanted(fleet(attrs.evolve(web, instance_type=INSTANCE_TYPES["standard-2"])))
    assert application_of(web, there).unwrap().name == "web"
    assert isinstance(
        application_of(attrs.evolve(web, instance_type=LITE), there), Failure
    )


def test_objects_that_choose_start_what_they_have_built_and_any_digest() -> None:
    there = wanted(fleet(spec("web", "./Dockerfile")), BY_OBJECT)
    assert application_of(spec("web", "./Dockerfile"), there).unwrap().name == "fleet"
    assert application_of(spec("x", DIGEST), there).unwrap().name == "fleet"
    why = application_of(spec("x", "./new/Dockerfile"), there).failure()
    assert "image './new/Dockerfile' is not among its images" in why.message
    assert isinstance(application_of(spec("x", None), there), Failure)


# Told and read


@pytest.mark.parametrize("choice", [CloudflareChoice(), BY_OBJECT])
def test_what_a_worker_is_told_can_be_read_back(choice: CloudflareChoice) -> None:
    there = wanted(fleet(spec("web", "./Dockerfile"), spec("b", DIGEST)), choice)
    kept = tuple(attrs.evolve(one, retired=True) for one in there)
    for applications in (there, kept):
        told = {one.name: {**facts_of(one), "later": 1} for one in applications}
        assert read_applications(told).unwrap() == applications


@pytest.mark.parametrize(
    ("told", "message"),
    [
        (None, "applications: expected a table, found something else"),
        ({"web": 3}, "applications.web: expected a table, found something else"),
        (
            {"web": {"regions": 3}},
            "applications.web.regions: expected an array, found 3",
        ),
        ({"web": {"max_instances": "7"}}, "applications.web.max_instances: expected"),
    ],
)
def test_an_answer_that_is_none_is_told(told: object, message: str) -> None:
    assert read_applications(told).failure().message.startswith(message)


# Names


def test_names_become_identifiers_that_do_not_meet() -> None:
    names = ["a", "0", "7up", "web", "web-api", "web.api", "web_api", "web--api"]
    names += ["gateway", "gateway-token", "web-0", "web0", "ad-hoc", "constructor"]
    names += ["fleet", "registry"]
    for make in (class_name_of, binding_of):
        made = [make(name) for name in names]
        assert len(set(made)) == len(made)
        assert all(one.isidentifier() for one in made)
    assert not {"REGISTRY", "FLEET"} & set(map(binding_of, names))
    assert not {"GATEWAY_TOKEN", "GATEWAY"} & set(map(binding_of, names))


def test_workers_are_called_as_cloudflare_allows() -> None:
    assert worker_name_of("a" * 46) == f"{'a' * 46}-gateway"
    long = worker_name_of("a" * 63)
    assert len(long) <= 54
    assert worker_name_of("shop.eu") != worker_name_of("shop-eu")
    assert CloudflareChoice(worker=long).worker == long


def test_images_have_names_of_their_own() -> None:
    assert image_name_of("./Dockerfile") != image_name_of("Dockerfile")
    assert image_name_of(DIGEST).startswith("app-")
    assert image_name_of("./x") != image_name_of("./X")


@pytest.mark.parametrize(
    ("image", "kind"),
    [
        ("./Dockerfile", ImageKind.DOCKERFILE),
        ("/srv/app/Dockerfile.prod", ImageKind.DOCKERFILE),
        ("web/Dockerfile", ImageKind.DOCKERFILE),
        ("prod.Dockerfile", ImageKind.DOCKERFILE),
        ("../my app/Dockerfile", ImageKind.DOCKERFILE),
        ("./a\nb", None),
        ("docker.io/dockerfile/web:1", ImageKind.TAG),
        ("docker.io/a/dockerfile:1", ImageKind.TAG),
        ("localhost:5000/a:1", ImageKind.TAG),
        (DIGEST, ImageKind.DIGEST),
        ("docker.io/a/b:1@sha256:" + "0" * 64, ImageKind.DIGEST),
        ("docker.io/a/b@sha256:0", None),
        ("docker.io/a/b", None),
        ("docker.io/a/b:", None),
        ("httpd:2.4", None),
        ("", None),
        ("docker.io/a/b:1 ", None),
        ("docker.io/a/" + "b" * 5_000 + ":1", None),
    ],
)
def test_an_image_is_known_by_its_name(image: str, kind: ImageKind | None) -> None:
    assert image_kind(image) is kind
