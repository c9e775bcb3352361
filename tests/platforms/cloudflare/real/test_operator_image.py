"""The image of a hosted operator: built by Docker of what ``gateway init`` has written.

What wrangler would do of it, but for the registries: the base image is made here, and
its pip has what an index would give it (see tests/bench/python_image.py).
"""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import zipfile
from pathlib import Path
from typing import Any, Final

import attrs
import pytest

from orchestrator.api.guard.given_tokens import exported
from orchestrator.api.guard.tokens import Grant, TokenList, made
from orchestrator.cli.tools import version_text
from orchestrator.platforms.cloudflare.project.hosting import TOKENS_VARIABLE
from orchestrator.platforms.cloudflare.project.own_wheel import wheel_name
from tests.bench.building import docker
from tests.bench.engine import Engine
from tests.cli.kit import COMMAND, file_at
from tests.platforms.cloudflare.real.operator_kit import base_of, built

IMAGE: Final = "bench-operator-image:1"
LIMIT_S: Final = 120.0
MIB: Final = 2**20
GROWS_AT_MOST: Final = 60 * MIB
"""Beyond its base: the project and what it needs, which is some 40 MiB."""

FLEET: Final = """\
[fleet]
name = "shop"
hooks = "own.hooks:on"
[platform]
kind = "cloudflare"
url = "https://shop.example.com"
[journal]
kind = "durable_object"
[[containers]]
name = "api"
image = "docker.io/a/api:1"
env = { KEY = "${secret.API_KEY}" }
"""
HOOKS: Final = "import extra\n\n\nasync def on(event):\n    return extra.KNOWN\n"
PLANTED: Final = "planted-and-to-be-kept-out"

LOOK: Final = """\
import hashlib, json, os, pwd, sys
from importlib.metadata import version
sys.path.insert(0, "/fleet")
from own import hooks
import extra, orchestrator
top = os.path.dirname(os.path.dirname(orchestrator.__file__))
names = sorted(
    os.path.relpath(os.path.join(place, name), top)
    for place, _, names in os.walk(os.path.join(top, "orchestrator"))
    for name in names if not name.endswith(".pyc")
)
digest = hashlib.sha256()
for name in names:
    with open(os.path.join(top, name), "rb") as file:
        digest.update(name.encode() + b" " + file.read())
digest = digest.hexdigest()
files = {}
for top in ("/fleet", "/opt/wheels", "/home"):
    for place, _, names in os.walk(top):
        for name in names:
            path = os.path.join(place, name)
            files[path] = os.access(path, os.R_OK)
print(json.dumps({
    "user": pwd.getpwuid(os.getuid()).pw_name,
    "home": os.path.expanduser("~"),
    "writes": [top for top in ("/fleet", "/fleet/own", "/opt", "/home/orchestrator")
               if os.access(top, os.W_OK)],
    "files": files,
    "release": version("cf-container-orchestrator"),
    "extra": extra.KNOWN,
    "package": digest,
}))
"""


@attrs.frozen(kw_only=True)
class Image:
    """What was built, and what Docker says of it."""

    folder: Path
    said: str
    about: dict[str, Any]

    @property
    def config(self) -> dict[str, Any]:
        """How a container of it is started."""
        found: dict[str, Any] = self.about["Config"]
        return found


def init(folder: Path, *words: str) -> None:
    """Write the project, as somebody does who has just made a token."""
    fleet = file_at(folder, FLEET)
    (folder / "own").mkdir(exist_ok=True)
    (folder / "own" / "hooks.py").write_text(HOOKS)
    command = ("gateway", "init", str(folder / "gateway"), "--fleet", str(fleet))
    done = subprocess.run(
        (*COMMAND, *command, *words),
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT_S,
        umask=0o077,
    )
    assert done.returncode == 0, done.stderr


def extra_wheel() -> bytes:
    """Return a distribution that a module of the fleet imports."""
    info = "extra-1.0.dist-info"
    output = io.BytesIO()
    with zipfile.ZipFile(output, "w") as archive:
        archive.writestr("extra.py", "KNOWN = 'known'\n")
        archive.writestr(
            f"{info}/METADATA", "Metadata-Version: 2.1\nName: extra\nVersion: 1.0\n"
        )
        archive.writestr(
            f"{info}/WHEEL",
            "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        archive.writestr(f"{info}/RECORD", "")
    return output.getvalue()


def package_of(folder: Path) -> str:
    """Return the digest of the package in the wheel of a folder."""
    digest = hashlib.sha256()
    with zipfile.ZipFile(folder / wheel_name(version_text())) as archive:
        for name in sorted(archive.namelist()):
            if name.startswith("orchestrator/"):
                digest.update(name.encode() + b" " + archive.read(name))
    return digest.hexdigest()


@pytest.fixture(scope="module")
def image(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Image:
    """Build the image of a fleet with hooks; secrets lie about in its folder."""
    folder = tmp_path_factory.mktemp("shop")
    init(folder, "--host-operator")
    operator = folder / "gateway" / "operator"
    for name in (".env", "secrets", "own/.dev.vars", "own/other.py"):
        (operator / name).write_text(PLANTED)
    (operator / "extra-1.0-py3-none-any.whl").write_bytes(extra_wheel())
    said = built(engine, IMAGE, operator)
    (about,) = json.loads(docker(engine, "image", "inspect", IMAGE))
    return Image(folder=operator, said=said, about=about)


def test_it_is_started_as_the_operator_that_the_gateway_expects(image: Image) -> None:
    config = image.config
    assert config["User"] == "orchestrator"
    assert config["Entrypoint"] == ["orchestrator"]
    assert config["Cmd"][:2] == ["up", "/fleet/fleet.toml"]
    assert set(config["ExposedPorts"]) == {"8400/tcp"}
    env = dict(each.split("=", 1) for each in config["Env"])
    assert env.pop("PATH")
    assert env == {
        "HOME": "/home/orchestrator",
        "PYTHONUNBUFFERED": "1",
        "ORCHESTRATOR_HOSTS": "shop.example.com",
        "ORCHESTRATOR_SUPERVISED": "1",
    }


def test_it_holds_this_very_release_the_fleet_and_what_that_needs(
    engine: Engine, image: Image
) -> None:
    """Whatever the modes of the files that it was built of: see ``umask`` in init."""
    words = ("run", "--rm", "--entrypoint", "python3", IMAGE, "-c", LOOK)
    told = json.loads(docker(engine, *words))
    files = told.pop("files")
    # That the wheel is of the files that are here is seen in test_own_wheel.
    assert told.pop("package") == package_of(image.folder)
    assert told == {
        "user": "orchestrator",
        "home": "/home/orchestrator",
        "writes": ["/home/orchestrator"],
        "release": version_text(),
        "extra": "known",
    }
    readable = {
        "/fleet/fleet.toml",
        "/fleet/own/hooks.py",
    }
    wheels = {
        f"/opt/wheels/{wheel_name(version_text())}",
        "/opt/wheels/extra-1.0-py3-none-any.whl",
    }
    found = {path for path in files if not path.startswith("/home/orchestrator/.")}
    assert found - {"/home/.keep"} == readable | wheels
    assert all(files[path] for path in readable)


def test_it_holds_no_secret_and_no_more_than_it_must(
    engine: Engine, image: Image
) -> None:
    search = (
        "grep",
        "-rl",
        PLANTED,
        "/fleet",
        "/opt",
        "/home",
        "/root",
        "/etc",
    )
    words = ("run", "--rm", "--user", "root", "--entrypoint", "sh", IMAGE)
    found = docker(engine, *words, "-c", f"{' '.join(search)} || echo none")
    assert found.split() == ["none"]
    (base,) = json.loads(docker(engine, "image", "inspect", base_of(image.folder)))
    grown = image.about["Size"] - base["Size"]
    assert 0 < grown < GROWS_AT_MOST, grown / MIB
    history = docker(engine, "history", "--no-trunc", IMAGE)
    assert PLANTED not in history + image.said + json.dumps(image.about)


def test_a_changed_fleet_is_built_without_installing_anew(
    engine: Engine, image: Image
) -> None:
    operator = image.folder
    file = operator.parents[1] / "fleet.toml"
    file.write_text(FLEET + "# changed\n")
    (operator / "fleet.toml").write_bytes(file.read_bytes())
    said = built(engine, f"{IMAGE}-changed", operator)
    assert "pip install" in said
    assert "Installing collected packages" not in said
    words = ("run", "--rm", "--entrypoint", "cat", f"{IMAGE}-changed")
    assert docker(engine, *words, "/fleet/fleet.toml").endswith("# changed\n")


def test_without_its_secrets_it_says_so_and_ends(engine: Engine, image: Image) -> None:
    """As where a Worker lacks one; the gateway would not even start it then."""
    name = f"without-{image.about['Id'][-12:]}"
    _, kept = made("tests", Grant.WRITE, now=0)
    tokens = f"{TOKENS_VARIABLE}={exported(TokenList(tokens=(kept,)))}"
    docker(engine, "run", "--detach", "--name", name, "--env", tokens, IMAGE)
    code = docker(engine, "wait", name).strip()
    said = docker(engine, "logs", name)
    docker(engine, "rm", name)
    assert code == "7", said
    assert "GATEWAY_TOKEN is not set" in said
    assert "Traceback" not in said
