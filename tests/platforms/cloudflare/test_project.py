"""The project of a gateway: its files, and how they change with the fleet."""

from __future__ import annotations

import json
from typing import Any

import attrs
import pytest

from orchestrator.codec.platform_choices import CloudflareChoice, SchedulingPolicy
from orchestrator.codec.wire import tree_of
from orchestrator.core.fleet_specs import FleetSpec
from orchestrator.core.hosting import INSTANCE_TYPES, InstanceType, Placement
from orchestrator.platforms.cloudflare.project.files import (
    WRANGLER_FILE,
    gateway_sources,
    gateway_version,
    project_of,
)
from orchestrator.platforms.cloudflare.project.jsonc import pretty, read_jsonc
from orchestrator.platforms.cloudflare.project.manifest import (
    MANIFEST_FILE,
    digest_of,
    manifest_file,
    read_manifest,
)
from orchestrator.platforms.cloudflare.project.migrations import living_classes
from orchestrator.platforms.cloudflare.project.plan import Earlier, Plan, plan_of
from orchestrator.platforms.cloudflare.project.wrangler_file import read_wrangler_file
from tests.platforms.cloudflare.test_applications import DIGEST, fleet, replicas, spec

SOURCES = {"gateway.js": b'export const VERSION = "1.0.0";\n', "http.js": b"//\n"}
BY_OBJECT = CloudflareChoice(scheduling_policy=SchedulingPolicy.DURABLE_OBJECT)

KEYS = {
    "default": {
        "name",
        "class_name",
        "image",
        "instance_type",
        "max_instances",
        "constraints",
    },
    "durable_object": {
        "name",
        "class_name",
        "scheduling_policy",
        "images",
        "observability",
    },
}
"""Of those that wrangler takes under each policy, the ones that we write."""


def planned(
    of: FleetSpec,
    choice: CloudflareChoice | None = None,
    earlier: Earlier | None = None,
    *,
    delete_gone: bool = False,
) -> Plan:
    return plan_of(
        of,
        choice or CloudflareChoice(),
        folder="..",
        earlier=earlier,
        delete_gone=delete_gone,
    ).unwrap()


def files_of(plan: Plan) -> dict[str, bytes]:
    return project_of(plan, SOURCES, token_secret="GATEWAY_TOKEN")


def wrangler_of(plan: Plan) -> dict[str, Any]:
    return read_jsonc(files_of(plan)[WRANGLER_FILE].decode()).unwrap()


def after(plan: Plan) -> Earlier:
    """Return what a run leaves to the next one, through its files."""
    written = files_of(plan)
    manifest = read_manifest(manifest_file(plan, written)).unwrap()
    text = written[WRANGLER_FILE].decode()
    migrations, extras = read_wrangler_file(text, plan.account_id).unwrap()
    assert migrations == manifest.migrations
    return Earlier(
        worker=manifest.worker,
        applications=manifest.applications,
        migrations=migrations,
        extras=extras,
    )


def facts_in(index: str) -> dict[str, Any]:
    """Read the applications that a Worker is given."""
    text = index.partition("applications: ")[2].removesuffix(",\n});\n")
    facts: dict[str, Any] = json.loads(text)
    return facts


def test_a_project_has_these_files() -> None:
    assert list(files_of(planned(fleet(spec())))) == [
        "wrangler.jsonc",
        "src/index.js",
        "README.md",
        ".gitignore",
        "src/gateway/gateway.js",
        "src/gateway/http.js",
    ]


def test_the_configuration_says_what_wrangler_needs() -> None:
    place = Placement(regions=("WEUR", "EEUR"), jurisdiction="eu")
    own = InstanceType(vcpu=1.5, memory_mib=6_000, disk_mb=5_000)
    web = attrs.evolve(spec("web", "./web/Dockerfile"), placement=place)
    api = attrs.evolve(spec("api"), instance_type=own)
    choice = CloudflareChoice(headroom=4, account_id="0" * 32, worker="own")
    tree = wrangler_of(planned(fleet(*replicas(3, web), api), choice))
    assert tree == {
        "$schema": "node_modules/wrangler/config-schema.json",
        "name": "own",
        "account_id": "0" * 32,
        "main": "src/index.js",
        "compatibility_date": "2026-10-01",
        "observability": {"enabled": True},
        "durable_objects": {
            "bindings": [
                {"name": "REGISTRY", "class_name": "FleetRegistry"},
                {"name": "WEB", "class_name": "WebContainer"},
                {"name": "API", "class_name": "ApiContainer"},
            ]
        },
        "containers": [
            {
                "name": "own-web",
                "class_name": "WebContainer",
                "image": "../web/Dockerfile",
                "instance_type": "lite",
                "max_instances": 7,
                "constraints": {"regions": ["WEUR", "EEUR"], "jurisdiction": "eu"},
            },
            {
                "name": "own-api",
                "class_name": "ApiContainer",
                "image": "docker.io/a/web:1",
                "instance_type": {"vcpu": 1.5, "memory_mib": 6000, "disk_mb": 5000},
                "max_instances": 5,
            },
        ],
        "migrations": [
            {
                "tag": "v1",
                "new_sqlite_classes": ["FleetRegistry", "WebContainer", "ApiContainer"],
            }
        ],
    }


def test_the_configuration_says_why() -> None:
    text = files_of(planned(fleet(*replicas(3, spec()))))[WRANGLER_FILE].decode()
    assert "// 'web': 3 declared and 5 more may run; a start beyond is refused." in text
    assert "// Applied once each, in this order: never change one, only append." in text


def test_objects_that_choose_are_told_their_images_and_nothing_else() -> None:
    tree = wrangler_of(
        planned(fleet(spec("a", "./Dockerfile"), spec("b", DIGEST)), BY_OBJECT)
    )
    (entry,) = tree["containers"]
    assert set(entry) == KEYS["durable_object"]
    assert list(entry["images"].values()) == [
        {"image": DIGEST},
        {"dockerfile": "../Dockerfile"},
    ]
    assert all(1 <= len(name) <= 128 for name in entry["images"])
    (empty,) = wrangler_of(planned(fleet(), BY_OBJECT))["containers"]
    assert "images" not in empty  # a map that is empty is refused


@pytest.mark.parametrize("choice", [CloudflareChoice(), BY_OBJECT])
def test_no_entry_has_a_key_that_its_policy_refuses(choice: CloudflareChoice) -> None:
    place = Placement(jurisdiction="us")
    web = attrs.evolve(spec("web", DIGEST), placement=place)
    for entry in wrangler_of(planned(fleet(web, spec("b", "./Dockerfile")), choice))[
        "containers"
    ]:
        assert set(entry) <= KEYS[entry.get("scheduling_policy", "default")]


def test_the_worker_exports_a_class_for_each_application() -> None:
    nasty = ["web", "web.api", "7up", "fleet", "registry", "constructor"]
    plan = planned(fleet(*map(spec, nasty)))
    index = files_of(plan)["src/index.js"].decode()
    classes = [entry["class_name"] for entry in wrangler_of(plan)["containers"]]
    for one in classes:
        assert f"export class {one} extends gateway.FleetContainer {{}}\n" in index
    assert 'export { FleetRegistry } from "./gateway/gateway.js";' in index
    facts = facts_in(index)
    assert list(facts) == nasty
    assert facts["web"] == {
        "scheduling_policy": "default",
        "binding": "WEB",
        "image": "docker.io/a/web:1",
        "instance_type": tree_of(INSTANCE_TYPES["lite"]),
        "regions": [],
        "jurisdiction": None,
        "max_instances": 6,
    }


def test_an_image_cannot_break_out_of_its_text() -> None:
    nasty = './"\u2028*/ ${x} </script>\\/Dockerfile'
    plan = planned(fleet(spec("web", nasty)))
    assert facts_in(files_of(plan)["src/index.js"].decode())["web"]["image"] == nasty
    (entry,) = wrangler_of(plan)["containers"]
    assert entry["image"].startswith("../")
    assert all(line.isascii() for line in files_of(plan)["src/index.js"].decode())


def test_the_readme_has_the_three_commands_in_order() -> None:
    plan = planned(fleet(spec()))
    text = project_of(plan, SOURCES, token_secret="MY_TOKEN")["README.md"].decode()
    commands = ("wrangler secret put GATEWAY_TOKEN", "wrangler deploy", "gateway check")
    assert sorted(commands, key=text.index) == list(commands)
    assert "`MY_TOKEN`" in text


def test_the_gateway_that_is_shipped_is_copied_as_it_is() -> None:
    sources = gateway_sources()
    assert "gateway.js" in sources
    assert gateway_version(sources) is not None
    assert gateway_version({}) is None


# The next run


def test_the_same_fleet_gives_the_same_bytes() -> None:
    of = fleet(*replicas(2, spec()), spec("b", "./Dockerfile"))
    first = planned(of)
    again = planned(of, earlier=after(first))
    assert files_of(again) == files_of(first) == files_of(planned(of))
    assert again.added == ()


def test_a_new_service_appends_a_migration() -> None:
    first = planned(fleet(spec("web")))
    second = planned(fleet(spec("api"), spec("web")), earlier=after(first))
    third = planned(fleet(*map(spec, ("web", "api", "c"))), earlier=after(second))
    assert wrangler_of(third)["migrations"] == [
        {"tag": "v1", "new_sqlite_classes": ["FleetRegistry", "WebContainer"]},
        {"tag": "v2", "new_sqlite_classes": ["ApiContainer"]},
        {"tag": "v3", "new_sqlite_classes": ["CContainer"]},
    ]
    assert third.added == ("c",)


def test_a_service_that_is_gone_is_kept_until_it_is_to_be_deleted() -> None:
    first = planned(fleet(spec("web"), spec("api")))
    second = planned(fleet(spec("web")), earlier=after(first))
    assert second.retired == ("api",)
    tree = wrangler_of(second)
    assert tree["migrations"] == wrangler_of(first)["migrations"]
    assert [entry["class_name"] for entry in tree["containers"]] == [
        "WebContainer",
        "ApiContainer",
    ]
    index = files_of(second)["src/index.js"].decode()
    assert "class ApiContainer " in index
    assert facts_in(index)["api"]["retired"] is True
    third = planned(fleet(spec("web")), earlier=after(second), delete_gone=True)
    assert third.deleted == ("api",)
    tree = wrangler_of(third)
    assert tree["migrations"][-1] == {"tag": "v2", "deleted_classes": ["ApiContainer"]}
    assert len(tree["containers"]) == 1
    assert "ApiContainer" not in files_of(third)["src/index.js"].decode()
    back = planned(fleet(spec("web"), spec("api")), earlier=after(third))
    assert wrangler_of(back)["migrations"][-1] == {
        "tag": "v3",
        "new_sqlite_classes": ["ApiContainer"],
    }


def test_a_service_that_comes_back_is_the_one_that_it_was() -> None:
    first = planned(fleet(spec("web"), spec("api")))
    second = planned(fleet(spec("web")), earlier=after(first))
    third = planned(fleet(spec("web"), spec("api")), earlier=after(second))
    assert files_of(third) == files_of(first)


def test_a_rename_is_never_guessed() -> None:
    second = planned(fleet(spec("new")), earlier=after(planned(fleet(spec("old")))))
    assert (second.added, second.retired) == (("new",), ("old",))
    assert all("renamed_classes" not in one for one in second.migrations)


def test_the_other_policy_is_another_application() -> None:
    first = planned(fleet(spec("web", DIGEST)))
    second = planned(fleet(spec("web", DIGEST)), BY_OBJECT, after(first))
    assert (second.added, second.retired) == (("fleet",), ("web",))
    clash = plan_of(
        fleet(spec("web", DIGEST)),
        BY_OBJECT,
        folder="..",
        earlier=after(planned(fleet(spec("fleet")))),
    )
    assert clash.failure().message.startswith(
        "application 'fleet': expected scheduling_policy default, which is fixed"
    )


def test_another_worker_is_noticed() -> None:
    first = planned(fleet(spec()))
    second = planned(fleet(spec()), CloudflareChoice(worker="own"), after(first))
    assert (second.worker_was, second.worker) == ("shop-gateway", "own")


# What somebody else wrote

FOREIGN = """
{
  // by hand
  "name": "mine", "routes": [{"pattern": "f.example.com", "custom_domain": true},],
  "migrations": [
    {"tag": "first", "new_classes": ["A", "B"], "new_sqlite_classes": ["C"]},
    {"tag": "v2", "renamed_classes": [{"from": "A", "to": "D"}, {"from": 1}, 2]},
    {"tag": "v4", "deleted_classes": ["B"]}, /* the last */
  ],
}
"""


def test_migrations_and_settings_of_others_are_kept() -> None:
    migrations, extras = read_wrangler_file(FOREIGN, None).unwrap()
    assert living_classes(migrations) == ("C", "D")
    earlier = Earlier(migrations=migrations, extras=extras)
    plan = planned(fleet(spec()), earlier=earlier)
    tree = wrangler_of(plan)
    assert tree["routes"] == [{"pattern": "f.example.com", "custom_domain": True}]
    assert tree["migrations"][:3] == read_jsonc(FOREIGN).unwrap()["migrations"]
    assert tree["migrations"][3]["tag"] == "v5"  # v4 is taken
    assert plan.bare_classes == ("C", "D")
    assert "export class D extends" in files_of(plan)["src/index.js"].decode()
    gone = planned(fleet(spec()), earlier=earlier, delete_gone=True)
    assert wrangler_of(gone)["migrations"][-1]["deleted_classes"] == ["C", "D"]


def test_an_account_of_the_owner_is_kept_where_the_fleet_file_has_none() -> None:
    text = '{"account_id": "x"}'
    assert tree_of(read_wrangler_file(text, None).unwrap()[1]) == {"account_id": "x"}
    assert tree_of(read_wrangler_file(text, "y").unwrap()[1]) == {}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"migrations": 3}',
        '{"migrations": [3]}',
        '{"migrations": [{}]}',
        '{"x": ' + "[" * 100_000,
        '{"x": ' + "[" * 100 + "]" * 100 + "}",
    ],
)
def test_a_configuration_that_is_none_is_told(text: str) -> None:
    assert read_wrangler_file(text, None).failure().problems


def test_a_class_that_is_no_identifier_is_not_written() -> None:
    text = '{"migrations": [{"tag": "v1", "new_classes": ["A{} evil();//"]}]}'
    migrations, _ = read_wrangler_file(text, None).unwrap()
    plan = planned(fleet(spec()), earlier=Earlier(migrations=migrations))
    assert "evil" not in files_of(plan)["src/index.js"].decode()


def test_json_with_comments_is_read_and_written() -> None:
    tree = {
        "url": "https://a//b",
        "text": '/* " */',
        "many": [{"n": n} for n in range(40)],
    }
    assert read_jsonc(f"// {{\n{pretty(tree)} /* , */").unwrap() == tree
    assert max(map(len, pretty(tree).splitlines())) < 80
    assert pretty({}) == "{}"


# The manifest


def test_a_manifest_can_be_read_back() -> None:
    plan = planned(fleet(spec(), spec("b", "./Dockerfile")))
    written = files_of(plan)
    manifest = read_manifest(manifest_file(plan, written)).unwrap()
    assert MANIFEST_FILE not in written
    assert manifest.applications == plan.applications
    assert manifest.files.get("README.md") == digest_of(written["README.md"])


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"\xff", "$: expected JSON"),
        (b"[]", "$: expected a manifest of format 1, found None"),
        (b'{"format": 2}', "$: expected a manifest of format 1, found 2"),
        (b'{"format": 1, "fleet": 3}', "$.fleet: expected a text, found 3"),
        (b"[" * 100_000, "$: expected JSON"),
    ],
)
def test_a_manifest_that_is_none_is_told(data: bytes, told: str) -> None:
    assert told in read_manifest(data).failure().message


def test_a_fleet_of_nothing_has_no_applications() -> None:
    assert wrangler_of(planned(fleet()))["containers"] == []
