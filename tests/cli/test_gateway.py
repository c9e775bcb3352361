"""The gateway's project, made and checked from the command line."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import pytest

from orchestrator.cli import gateway
from orchestrator.cli.failing import Failed
from orchestrator.cli.main import cli
from orchestrator.codec.fleet_file import read_fleet_file
from orchestrator.codec.platform_choices import CloudflareChoice
from orchestrator.core.errors import PlatformError, Unauthorized, Unreachable
from orchestrator.platforms.cloudflare.project.application import facts_of
from orchestrator.platforms.cloudflare.project.applications import applications_of
from orchestrator.platforms.cloudflare.project.files import (
    gateway_sources,
    gateway_version,
)
from orchestrator.platforms.cloudflare.project.jsonc import read_jsonc
from tests.cli.kit import Done, file_at, run

HEAD = """\
[fleet]
name = "shop"
[platform]
kind = "cloudflare"
url = "https://shop.example.com"
headroom = 4
"""
WEB = '[[containers]]\nname = "web"\nimage = "./web/Dockerfile"\nreplicas = 3\n'
API = '[[containers]]\nname = "api"\nimage = "docker.io/a/api:1"\n'


@pytest.fixture
def fleet(tmp_path: Path) -> Path:
    """Leave a fleet file with a Dockerfile beside."""
    dockerfile = tmp_path / "web" / "Dockerfile"
    dockerfile.parent.mkdir()
    dockerfile.write_text("FROM scratch\n")
    return file_at(tmp_path, HEAD + WEB)


@pytest.fixture
def here(capsys: pytest.CaptureFixture[str]) -> Any:
    """Run a command in this process."""

    def command(*words: str) -> Done:
        try:
            code = cli.main(list(words), "orchestrator", standalone_mode=False)
        except Failed as error:
            error.show()
            code = error.code
        except click.ClickException as error:
            error.show()
            code = 2
        out, err = capsys.readouterr()
        return Done(int(code or 0), out, err)

    return command


def init(here: Any, fleet: Path, *words: str) -> Done:
    done: Done = here(
        "gateway", "init", str(fleet.parent / "gw"), "--fleet", str(fleet), *words
    )
    return done


def wrangler(fleet: Path) -> dict[str, Any]:
    text = (fleet.parent / "gw" / "wrangler.jsonc").read_text()
    return read_jsonc(text).unwrap()


def content(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


# init


def test_a_project_is_written_and_written_again(fleet: Path) -> None:
    folder = fleet.parent / "deep" / "gw"
    words = ("gateway", "init", str(folder), "--fleet", str(fleet))
    done = run(*words)
    assert done.code == 0, done.err
    assert "web           WebContainer   3          7     lite" in done.out
    assert "a headroom of 4" in done.out
    assert (
        "wrangler's own default is 20, and the 21st start would be refused" in done.out
    )
    written = content(folder)
    assert {"wrangler.jsonc", "src/index.js", "README.md", ".gitignore"} <= set(written)
    assert {f"src/gateway/{name}" for name in gateway_sources()} <= set(written)
    assert b'"image": "../../web/Dockerfile"' in written["wrangler.jsonc"]
    again = run(*words)
    assert again.code == 0
    assert "nothing has changed" in again.out
    assert content(folder) == written


def test_a_fleet_that_changes_changes_its_project(here: Any, fleet: Path) -> None:
    assert init(here, fleet).code == 0
    fleet.write_text(HEAD + API)
    done = init(here, fleet)
    assert done.code == 0
    assert "web (retired)   WebContainer   0          7" in done.out
    assert "in the fleet file no more, and kept: web" in done.out
    assert "is a tag" in done.err
    assert [one["tag"] for one in wrangler(fleet)["migrations"]] == ["v1", "v2"]
    done = init(here, fleet, "--delete-gone")
    assert "the next deploy deletes web and destroys their objects" in done.out
    assert wrangler(fleet)["migrations"][-1] == {
        "tag": "v3",
        "deleted_classes": ["WebContainer"],
    }


def test_what_was_changed_by_hand_is_never_lost(here: Any, fleet: Path) -> None:
    init(here, fleet)
    index = fleet.parent / "gw" / "src" / "index.js"
    config = fleet.parent / "gw" / "wrangler.jsonc"
    index.write_text("// mine\n")
    config.write_text(config.read_text().replace('"main"', '"logpush": true, "main"'))
    before = content(fleet.parent / "gw")
    done = init(here, fleet)
    assert done.code == 6
    assert "changed by hand" in done.err
    assert "  src/index.js" in done.err
    assert "  wrangler.jsonc" in done.err
    assert "README" not in done.err
    assert content(fleet.parent / "gw") == before
    done = init(here, fleet, "--force")
    assert done.code == 0
    assert "src/index.js: written; what was there is index.js.before-1" in done.out
    assert (index.parent / "index.js.before-1").read_text() == "// mine\n"
    assert wrangler(fleet)["logpush"] is True
    assert init(here, fleet).code == 0
    assert wrangler(fleet)["logpush"] is True
    index.write_text("// mine again\n")
    init(here, fleet, "--force")
    assert (index.parent / "index.js.before-2").read_text() == "// mine again\n"


def test_a_file_that_is_missing_is_written_again(here: Any, fleet: Path) -> None:
    init(here, fleet)
    (fleet.parent / "gw" / "README.md").unlink()
    assert "README.md: written\n" in init(here, fleet).out


def test_an_interrupted_run_can_be_run_again(here: Any, fleet: Path) -> None:
    """The manifest is written last: without it the files are as they will be."""
    init(here, fleet)
    manifest = fleet.parent / "gw" / "gateway.manifest.json"
    before = manifest.read_bytes()
    fleet.write_text(HEAD + WEB + API)
    init(here, fleet)
    after = content(fleet.parent / "gw")
    manifest.write_bytes(before)
    assert init(here, fleet).code == 0
    assert content(fleet.parent / "gw") == after


def test_what_an_older_release_wrote_is_removed(here: Any, fleet: Path) -> None:
    init(here, fleet)
    folder = fleet.parent / "gw"
    manifest = json.loads((folder / "gateway.manifest.json").read_text())
    for name in ("old.js", "mine.js"):
        (folder / "src" / "gateway" / name).write_text("")
        empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        manifest["files"][f"src/gateway/{name}"] = empty
    manifest["files"]["../fleet.toml"] = "0"
    manifest["files"]["src/gateway/none.js"] = "0"
    (folder / "gateway.manifest.json").write_text(json.dumps(manifest))
    (folder / "src" / "gateway" / "mine.js").write_text("// mine")
    done = init(here, fleet)
    assert "old.js: removed" in done.out
    assert "mine.js: kept, as it was changed" in done.out
    assert not (folder / "src" / "gateway" / "old.js").exists()
    assert fleet.exists()


@pytest.mark.parametrize(
    ("name", "code", "told"),
    [
        ("wrangler.jsonc", 6, "was not written by this command"),
        ("wrangler.toml", 6, "is another project's: move it away"),
        ("wrangler.json", 6, "is another project's: move it away"),
        ("README.md", 6, "not written by this command"),
        ("gateway.manifest.json", 2, "expected JSON, found something else"),
    ],
)
def test_a_folder_of_somebody_else_is_left_alone(
    here: Any, fleet: Path, name: str, code: int, told: str
) -> None:
    folder = fleet.parent / "gw"
    folder.mkdir()
    (folder / name).write_text("mine")
    done = init(here, fleet)
    assert (done.code, told in done.err) == (code, True), done.err
    assert content(folder) == {name: b"mine"}


def test_a_configuration_of_somebody_else_is_taken_over_by_force(
    here: Any, fleet: Path
) -> None:
    folder = fleet.parent / "gw"
    folder.mkdir()
    config = folder / "wrangler.jsonc"
    config.write_text("{ broken")
    done = init(here, fleet, "--force")
    assert done.code == 2
    assert "its migrations must not be lost" in done.err
    config.write_text('{"migrations": [{"tag": "a", "new_sqlite_classes": ["Old"]}]}')
    done = init(here, fleet, "--force")
    assert done.code == 0
    assert "classes that no application is known of are kept: Old" in done.err
    assert [one["tag"] for one in wrangler(fleet)["migrations"]] == ["a", "v2"]


def test_the_project_of_another_fleet_is_left_alone(here: Any, fleet: Path) -> None:
    init(here, fleet)
    fleet.write_text(HEAD.replace("shop", "other") + API)
    done = init(here, fleet)
    assert done.code == 6
    assert "is the gateway of fleet 'shop', not of 'other'" in done.err
    done = init(here, fleet, "--force")
    assert done.code == 0
    assert "the Worker was 'shop-gateway' and is 'other-gateway' now" in done.err


def test_an_image_that_is_not_there_is_told(here: Any, fleet: Path) -> None:
    dockerfile = fleet.parent / "web" / "Dockerfile"
    dockerfile.unlink()
    done = init(here, fleet)
    assert done.code == 2
    assert f"{fleet}: web.image: expected a Dockerfile at {dockerfile}" in done.err
    assert "found no such file" in done.err
    dockerfile.mkdir()
    assert "found a folder" in init(here, fleet).err
    assert not (fleet.parent / "gw").exists()


@pytest.mark.parametrize("words", [("init", "gw"), ("check",)])
def test_a_fleet_file_for_another_platform_is_told(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    text = '[fleet]\nname = "x"\n[[containers]]\nname = "a"\ncommand = ["true"]\n'
    file = file_at(tmp_path, text)
    done = run("gateway", *words, "--fleet", str(file))
    assert done.code == 2
    assert f'{file}: platform.kind: expected "cloudflare", found "local"' in done.err
    assert run("gateway", *words, "--fleet", str(tmp_path / "none")).code == 2
    assert run("gateway", *words).code == 2


def test_problems_of_the_fleet_are_told_with_the_file(here: Any, fleet: Path) -> None:
    fleet.write_text(HEAD + '[[containers]]\nname = "a"\nimage = "x"\n')
    done = init(here, fleet)
    assert done.code == 2
    assert f"{fleet}: a.image: expected the path of a Dockerfile" in done.err


def test_a_folder_that_cannot_be_written_is_told(fleet: Path) -> None:
    for folder in (fleet, fleet / "below"):
        done = run("gateway", "init", str(folder), "--fleet", str(fleet))
        assert done.code == 2
        assert str(fleet) in done.err
        assert "Traceback" not in done.err
    (fleet.parent / "gw" / "README.md").mkdir(parents=True)
    done = run("gateway", "init", str(fleet.parent / "gw"), "--fleet", str(fleet))
    assert (done.code, "README.md: Is a directory" in done.err) == (2, True)


# check


@pytest.fixture
def deployed(
    fleet: Path, monkeypatch: pytest.MonkeyPatch
) -> dict[str, Mapping[str, Any] | PlatformError]:
    """Stand in for a gateway that was deployed for the fleet; its answer may change."""
    file = read_fleet_file(fleet.read_bytes(), file="f", folder="/").unwrap()
    choice = file.platform
    assert isinstance(choice, CloudflareChoice)
    applications = applications_of(file.spec, choice).unwrap()
    told: dict[str, Any] = {
        "api": 1,
        "gateway": gateway_version(gateway_sources()),
        "capabilities": {"container": True, "exec": True, "inspect": True},
        "applications": {one.name: facts_of(one) for one in applications},
    }
    answers: dict[str, Mapping[str, Any] | PlatformError] = {"about": told}

    async def about_of(
        choice: CloudflareChoice, secrets: Mapping[str, str]
    ) -> Mapping[str, Any] | PlatformError:
        assert choice.url == "https://shop.example.com"
        assert secrets["GATEWAY_TOKEN"] == "hush"
        answer = answers["about"]
        if isinstance(answer, PlatformError):
            return answer
        return {**answer, "now": time.time_ns() // 1_000_000}  # as it is when asked

    monkeypatch.setattr(gateway, "about_of", about_of)
    monkeypatch.setenv("GATEWAY_TOKEN", "hush")
    return answers


def check(here: Any, fleet: Path, *words: str) -> Done:
    done: Done = here("gateway", "check", "--fleet", str(fleet), *words)
    return done


def test_a_gateway_that_fits_is_fine(here: Any, fleet: Path, deployed: Any) -> None:
    done = check(here, fleet)
    assert done.code == 0, done.out
    for what in ("url", "token", "cost per day", "clock", "application web"):
        assert what in done.out
    assert "hush" not in done.out + done.err
    assert "problem" not in done.out


def test_findings_can_be_read_by_programs(
    here: Any, fleet: Path, deployed: Any
) -> None:
    findings = json.loads(check(here, fleet, "-o", "json").out)
    assert all(set(one) == {"level", "what", "found", "todo"} for one in findings)
    assert {one["level"] for one in findings} == {"ok"}


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (Unreachable(cause="no route"), 5),
        (Unauthorized(), 7),
        ({"api": 2}, 6),
        ({"api": 1, "applications": {}}, 6),
    ],
)
def test_the_exit_code_says_where_the_problem_lies(
    here: Any, fleet: Path, deployed: Any, answer: Any, code: int
) -> None:
    deployed["about"] = answer
    done = check(here, fleet)
    assert done.code == code
    assert "problem" in done.out


def test_warnings_do_not_fail(here: Any, fleet: Path, deployed: Any) -> None:
    deployed["about"] = {**deployed["about"], "gateway": "0.9.0"}
    done = check(here, fleet)
    assert done.code == 0
    assert "warning" in done.out


def test_a_fleet_that_changed_is_not_what_is_deployed(
    here: Any, fleet: Path, deployed: Any
) -> None:
    fleet.write_text(HEAD + WEB.replace("3", "9") + API)
    done = check(here, fleet)
    assert done.code == 6
    assert "not deployed: its starts are refused" in done.out
    assert "max_instances is 7, declared are 9" in done.out


def test_a_secrets_file_is_looked_into(
    here: Any, fleet: Path, deployed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GATEWAY_TOKEN")
    done = check(here, fleet)
    assert done.code == 2
    assert "the secret GATEWAY_TOKEN is not there" in done.out
    secrets = fleet.parent / "secrets"
    secrets.write_text("GATEWAY_TOKEN=hush\n")
    secrets.chmod(0o600)
    assert check(here, fleet, "--secrets", str(secrets)).code == 0
    secrets.chmod(0o644)
    assert check(here, fleet, "--secrets", str(secrets)).code == 2


def test_a_gateway_that_is_not_there_is_told(fleet: Path) -> None:
    env = {**os.environ, "GATEWAY_TOKEN": "hush"}
    with socket.socket() as closed:  # bound, so that nobody else gets it
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        fleet.write_text(
            HEAD.replace("https://shop.example.com", f"http://127.0.0.1:{port}") + WEB
        )
        done = run("gateway", "check", "--fleet", str(fleet), env=env)
    assert done.code == 5, done.err
    assert "platform unreachable" in done.out
    assert "hush" not in done.out + done.err


def test_a_file_without_an_url_asks_nobody(
    here: Any, fleet: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GATEWAY_TOKEN", raising=False)
    fleet.write_text(HEAD.replace("url =", "# url =") + WEB)
    done = check(here, fleet)
    assert done.code == 2
    assert "platform.url is not given" in done.out
