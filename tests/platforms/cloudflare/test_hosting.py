"""The operator beside its gateway: what it needs, its files, what a check says."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import attrs
import pytest

from orchestrator.codec.fleet_file import FleetFile, read_fleet_file
from orchestrator.codec.platform_choices import CloudflareChoice
from orchestrator.core.hosting import INSTANCE_TYPES
from orchestrator.core.table import Table
from orchestrator.platforms.cloudflare.project.files import (
    WRANGLER_FILE,
    project_of,
)
from orchestrator.platforms.cloudflare.project.findings import Level
from orchestrator.platforms.cloudflare.project.hosting import (
    Asked,
    Hosting,
    hosting_facts,
    hosting_of,
    read_hosting,
    secrets_named,
)
from orchestrator.platforms.cloudflare.project.hosting_checks import check_hosting
from orchestrator.platforms.cloudflare.project.jsonc import read_jsonc
from orchestrator.platforms.cloudflare.project.manifest import (
    manifest_file,
    read_manifest,
)
from orchestrator.platforms.cloudflare.project.plan import Earlier, Plan, plan_of
from orchestrator.platforms.cloudflare.project.prices import cost_of_operator
from orchestrator.platforms.cloudflare.project.wrangler_file import read_wrangler_file
from tests.platforms.cloudflare.test_project import SOURCES

TEXT = """
[fleet]
name = "shop"
hooks = "hooks:on"
env_vars = "own.envs:build"
[platform]
kind = "cloudflare"
url = "https://shop.example.com"
account_id = "00000000000000000000000000000000"
access_secrets = "ACCESS"
[journal]
kind = "durable_object"
[notify]
url = "https://hooks.example.com/${secret.HOOK_PATH}"
secret = "HOOK_KEY"
[[containers]]
name = "web"
image = "docker.io/a/web:1"
env = { A = "${secret.A_SECRET} ${name}", B = "$${secret.NONE}" }
[ad_hoc]
image = "docker.io/a/web:1"
env = { C = "${secret.C_SECRET}" }
"""
BARE = (
    TEXT.replace('hooks = "hooks:on"\n', "")
    .replace('env_vars = "own.envs:build"\n', "")
    .encode()
)


def read(text: bytes | str) -> FleetFile:
    data = text.encode() if isinstance(text, str) else text
    return read_fleet_file(data, file="fleet.toml", folder="/").unwrap()


def hosted(text: bytes | str = TEXT, asked: Asked | None = None) -> Hosting:
    data = text.encode() if isinstance(text, str) else text
    return hosting_of(read(data), data, asked or Asked(), release="1.2").unwrap()


def planned(hosting: Hosting | None, earlier: Earlier | None = None) -> Plan:
    file = read(TEXT)
    assert isinstance(file.platform, CloudflareChoice)
    return plan_of(
        file.spec, file.platform, folder="..", earlier=earlier, hosting=hosting
    ).unwrap()


def files_of(plan: Plan) -> dict[str, bytes]:
    beside = {"fleet.toml": TEXT.encode(), "hooks.py": b"on = None\n"}
    return project_of(plan, SOURCES, token_secret="GATEWAY_TOKEN", beside=beside)


def wrangler_of(plan: Plan) -> dict[str, Any]:
    return read_jsonc(files_of(plan)[WRANGLER_FILE].decode()).unwrap()


def after(plan: Plan) -> Earlier:
    """Return what a run leaves to the next one, through its files."""
    written = files_of(plan)
    manifest = read_manifest(manifest_file(plan, written)).unwrap()
    migrations, extras = read_wrangler_file(
        written[WRANGLER_FILE].decode(), plan.account_id
    ).unwrap()
    return Earlier(
        worker=manifest.worker,
        applications=manifest.applications,
        migrations=migrations,
        extras=extras,
        hosting=manifest.hosting,
    )


# What it needs


def test_it_knows_every_secret_that_the_file_names() -> None:
    file = read(TEXT)
    assert set(secrets_named(file.spec)) == {
        "A_SECRET",
        "C_SECRET",
        "HOOK_PATH",
        "HOOK_KEY",
    }
    hosting = hosted(asked=Asked(more_secrets=("FOR_THE_BUILDER",)))
    assert set(hosting.secrets) == {
        "GATEWAY_TOKEN",
        "ORCHESTRATOR_TOKENS",
        "ACCESS_CLIENT_ID",
        "ACCESS_CLIENT_SECRET",
        "A_SECRET",
        "C_SECRET",
        "HOOK_PATH",
        "HOOK_KEY",
        "FOR_THE_BUILDER",
    }
    assert dict(hosting.optional.items()) == {
        "CLOUDFLARE_API_TOKEN": "CLOUDFLARE_API_TOKEN"
    }
    assert hosting.file == hashlib.sha256(TEXT.encode()).hexdigest()
    assert hosting.host == "shop.example.com"
    assert hosting.modules == ("own/envs.py", "hooks.py")


def test_a_token_under_another_name_is_still_that_of_the_worker() -> None:
    text = TEXT.replace('"cloudflare"', '"cloudflare"\ntoken_secret = "MINE"')
    assert hosted(text).secrets.get("MINE") == "GATEWAY_TOKEN"
    assert hosted(text).secrets.get("ORCHESTRATOR_TOKENS") == "OPERATOR_TOKENS"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            ('url = "https://shop', '# "'),
            "platform.url: expected the address of the gateway",
        ),
        (("//shop.example.com", "//a b"), "platform.url: expected the name of a host"),
        (
            ('kind = "durable_object"', 'kind = "sqlite"'),
            "journal.kind: expected 'durable_object', found 'sqlite'",
        ),
        (
            ("[notify]", '[api]\ntls_cert = "a"\ntls_key = "b"\n[notify]'),
            "api.tls_cert: expected none",
        ),
        (
            ("A_SECRET", "A.SECRET"),
            "secret: expected a key that a secret of a Worker may have",
        ),
    ],
)
def test_why_it_cannot_be_hosted_is_told(change: tuple[str, str], told: str) -> None:
    text = TEXT.replace(*change)
    refused = hosting_of(read(text), text.encode(), Asked(), release="1")
    assert told in refused.failure().message


def test_what_is_asked_for_has_its_bounds() -> None:
    data = TEXT.encode()
    for asked in (Asked(size="huge"), Asked(more_secrets=("ORCHESTRATOR_TOKENS",))):
        assert hosting_of(read(data), data, asked, release="1").failure().problems


# Its project


def test_a_project_that_hosts_it_has_an_application_and_a_class_more() -> None:
    tree = wrangler_of(planned(hosted()))
    assert tree["containers"][-1] == {
        "name": "shop-gateway--operator",
        "class_name": "FleetOperator",
        "image": "./operator/Dockerfile",
        "instance_type": "basic",
        "max_instances": 2,
    }
    assert tree["durable_objects"]["bindings"][-1] == {
        "name": "GATEWAY_OPERATOR",
        "class_name": "FleetOperator",
    }
    assert "FleetOperator" in tree["migrations"][-1]["new_sqlite_classes"]
    assert tree["triggers"] == {"crons": ["* * * * *"]}
    index = files_of(planned(hosted()))["src/index.js"].decode()
    assert "export class FleetOperator extends gateway.OperatorContainer {" in index
    facts = json.loads(index.partition("const operator = ")[2].partition(";\n")[0])
    assert facts == hosting_facts(hosted(), "shop")
    assert "  operator,\n});" in index


def test_its_image_holds_the_fleet_file_its_modules_and_nothing_else() -> None:
    files = files_of(planned(hosted()))
    assert files["operator/fleet.toml"] == TEXT.encode()
    assert files["operator/hooks.py"] == b"on = None\n"
    dockerfile = files["operator/Dockerfile"].decode()
    wheel = "cf_container_orchestrator-1.2-py3-none-any.whl"
    assert f'ARG ORCHESTRATOR="/opt/wheels/{wheel}"' in dockerfile
    assert [line for line in dockerfile.splitlines() if line.startswith("COPY")] == [
        "COPY *.whl /opt/wheels/",
        "COPY fleet.toml /fleet/",
        "COPY own/envs.py /fleet/own/",
        "COPY hooks.py /fleet/",
    ]
    assert (
        'CMD ["up", "/fleet/fleet.toml", "--standby", "--listen", "0.0.0.0:8400",'
        ' "--state", "/home/orchestrator/state"]'
    ) in dockerfile
    assert "ENV ORCHESTRATOR_HOSTS=shop.example.com" in dockerfile
    assert "ENV ORCHESTRATOR_SUPERVISED=1" in dockerfile
    assert "USER orchestrator" in dockerfile
    ignored = files["operator/.dockerignore"].decode().splitlines()
    assert ignored[1:] == ["*", "!fleet.toml", "!own/envs.py", "!hooks.py", "!*.whl"]


OWN = "cf_container_orchestrator-1.2-py3-none-any.whl"
MINE = "cf_container_orchestrator-9-py3-none-any.whl"
OTHERS = ("a-1-py3-none-any.whl", "z-1-py3-none-any.whl")


@pytest.mark.parametrize(
    ("wheels", "argument", "installed"),
    [
        ((), None, (OWN,)),
        ((MINE,), None, (MINE,)),
        (OTHERS, None, (OWN, *OTHERS)),
        ((MINE, *OTHERS), None, (MINE, *OTHERS)),
        ((), "cf-container-orchestrator==7", ("cf-container-orchestrator==7",)),
    ],
)
def test_the_image_installs_the_release_that_wrote_it_and_the_wheels_beside(
    tmp_path: Path,
    wheels: tuple[str, ...],
    argument: str | None,
    installed: tuple[str, ...],
) -> None:
    """The one step of the build, in a shell whose programs only note their words."""
    dockerfile = files_of(planned(hosted()))["operator/Dockerfile"].decode()
    step = dockerfile.partition("RUN ")[2].partition("\n\n")[0]
    folder, programs = tmp_path / "wheels", tmp_path / "bin"
    for each in (folder, programs):
        each.mkdir()
    for name in ("pip", "useradd"):
        (programs / name).write_text(f'#!/bin/sh\necho {name} "$@" >> "$NOTES"\n')
        (programs / name).chmod(0o755)
    for wheel in (OWN, *wheels):
        (folder / wheel).write_bytes(b"")
    release = re.search(r'ARG ORCHESTRATOR="(.+)"', dockerfile)
    assert release is not None
    notes = tmp_path / "notes"
    env = {
        "PATH": f"{programs}:/bin:/usr/bin",
        "NOTES": str(notes),
        "ORCHESTRATOR": (argument or release[1]).replace("/opt/wheels", str(folder)),
    }
    words = ["sh", "-euc", step.replace("/opt/wheels", str(folder))]
    subprocess.run(words, check=True, env=env)
    shown = [f"{folder}/{one}" if one.endswith(".whl") else one for one in installed]
    assert notes.read_text().splitlines() == [
        f"pip install --no-cache-dir --root-user-action=ignore {' '.join(shown)}",
        "useradd --create-home orchestrator",
    ]


def test_the_readme_tells_the_secrets_by_their_names_alone() -> None:
    readme = files_of(planned(hosted()))["README.md"].decode()
    for name in ("OPERATOR_TOKENS", "A_SECRET", "HOOK_KEY", "ACCESS_CLIENT_ID"):
        assert f"wrangler secret put {name}" in readme
    assert "https://shop.example.com/operator/" in readme


def test_a_service_may_be_called_operator() -> None:
    text = BARE.decode().replace('name = "web"', 'name = "operator"')
    file = read(text)
    assert isinstance(file.platform, CloudflareChoice)
    plan = plan_of(file.spec, file.platform, folder="..", hosting=hosted(text)).unwrap()
    tree = wrangler_of(plan)
    for key in ("name", "class_name"):
        names = [entry[key] for entry in tree["containers"]]
        assert len(set(names)) == len(names)
    bindings = [one["name"] for one in tree["durable_objects"]["bindings"]]
    assert len(set(bindings)) == len(bindings)


def test_the_next_run_gives_the_same_bytes() -> None:
    first = planned(hosted())
    again = planned(hosted(), after(first))
    assert after(first).hosting == first.hosting
    assert files_of(again) == files_of(first)


def test_crons_of_the_owner_stand_beside_ours_and_stay() -> None:
    first = planned(hosted(), Earlier(extras=extras('{"crons": ["0 3 * * *"]}')))
    assert wrangler_of(first)["triggers"]["crons"] == ["* * * * *", "0 3 * * *"]
    again = planned(hosted(), after(first))
    assert files_of(again) == files_of(first)
    left = planned(None, attrs.evolve(after(first), hosting=None))
    assert wrangler_of(left)["triggers"] == {"crons": ["0 3 * * *"]}
    none = planned(None, after(planned(hosted())))
    assert "triggers" not in wrangler_of(none)


def extras(triggers: str) -> Table[str, Any]:
    return read_wrangler_file(f'{{"triggers": {triggers}}}', None).unwrap()[1]


def test_one_that_is_hosted_no_more_is_kept_until_it_may_be_deleted() -> None:
    first = planned(hosted())
    retired = attrs.evolve(hosted(), retired=True)
    second = planned(retired, after(first))
    assert wrangler_of(second)["containers"] == wrangler_of(first)["containers"]
    assert '"retired": true' in files_of(second)["src/index.js"].decode()
    file = read(TEXT)
    assert isinstance(file.platform, CloudflareChoice)
    third = plan_of(
        file.spec,
        file.platform,
        folder="..",
        earlier=after(second),
        delete_gone=True,
        hosting=retired,
    ).unwrap()
    assert third.deleted == ("the operator",)
    tree = wrangler_of(third)
    assert tree["migrations"][-1] == {"tag": "v2", "deleted_classes": ["FleetOperator"]}
    assert "FleetOperator" not in files_of(third)["src/index.js"].decode()
    assert not any(name.startswith("operator/") for name in files_of(third))


def test_a_class_that_was_left_over_runs_nothing() -> None:
    """As where the manifest was lost: Cloudflare refuses a Worker that lacks it."""
    left = attrs.evolve(after(planned(hosted())), hosting=None)
    index = files_of(planned(None, left))["src/index.js"].decode()
    assert "export class FleetOperator extends gateway.OperatorContainer {}" in index


# What a check says of it


def test_a_check_compares_what_is_hosted_with_the_file() -> None:
    hosting = hosted()
    facts = hosting_facts(hosting, "shop")
    means = {"file": hosting.file, "release": "1.2"}
    (fine,) = check_hosting(facts, "shop", **means)
    assert fine.level is Level.OK
    assert "basic, 0.38 to 0.81 USD a day more" in fine.found
    for changed, told in (
        ({"file": "0" * 64}, "another version of the fleet file"),
        ({"release": "1.1"}, "release 1.1; this is 1.2"),
        ({"fleet": "other"}, "hosted for the fleet 'other'"),
        ({"retired": True}, "hosted no more"),
    ):
        (found,) = check_hosting({**facts, **changed}, "shop", **means)
        assert found.level is Level.WARNING
        assert told in found.found
    assert list(check_hosting(None, "shop", **means)) == []
    assert list(check_hosting({"fleet": 1}, "shop", **means)) == []
    assert read_hosting(facts) is not None


def test_what_it_costs_is_its_container_its_object_and_the_looks_at_it() -> None:
    """The example of the how-to: a month of ``basic``, 730 hours."""
    month = 730 / 24
    cost = cost_of_operator(INSTANCE_TYPES["basic"])
    assert round(cost.memory * month, 2) == 6.57
    assert round(cost.disk * month, 2) == 0.74
    assert round(cost.objects * month, 2) == 4.20
    assert round(cost.requests * month, 2) == 0.06
    assert round(cost.cpu * month, 2) == 13.14
