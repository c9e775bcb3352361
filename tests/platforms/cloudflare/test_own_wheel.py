"""The wheel that a hosted operator is installed of."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import subprocess
import sys
import zipfile
from email.parser import Parser
from importlib.metadata import version
from pathlib import Path

from orchestrator.platforms.cloudflare.project.own_wheel import own_wheel, wheel_name

ROOT = Path(__file__).parents[3]
RELEASE = version("cf-container-orchestrator")
INFO = f"cf_container_orchestrator-{RELEASE}.dist-info"


def contents(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def test_it_holds_the_package_as_it_is_here_and_what_an_installer_asks_for() -> None:
    held = contents(own_wheel())
    package = {
        str(path.relative_to(ROOT)): path.read_bytes()
        for path in (ROOT / "orchestrator").rglob("*")
        if path.is_file() and path.suffix != ".pyc" and "/." not in str(path)
    }
    noted = {name: data for name, data in held.items() if name not in package}
    assert {name: held.get(name) for name in package} == package
    needed = {f"{INFO}/{name}" for name in ("METADATA", "WHEEL", "entry_points.txt")}
    assert (
        needed
        < set(noted)
        <= {
            *needed,
            f"{INFO}/RECORD",
            f"{INFO}/licenses/LICENSE",
        }
    )
    metadata = Parser().parsestr(noted[f"{INFO}/METADATA"].decode())
    assert (metadata["Name"], metadata["Version"]) == (
        "cf-container-orchestrator",
        RELEASE,
    )
    assert (
        b"orchestrator = orchestrator.cli.main:main"
        in (noted[f"{INFO}/entry_points.txt"])
    )


def test_its_record_is_of_every_file() -> None:
    held = contents(own_wheel())
    record = f"{INFO}/RECORD"
    rows = list(csv.reader(io.StringIO(held.pop(record).decode())))
    assert rows.pop() == [record, "", ""]
    for name, digest, size in rows:
        data = held.pop(name)
        expected = base64.urlsafe_b64encode(hashlib.sha256(data).digest())
        assert digest == f"sha256={expected.decode().rstrip('=')}"
        assert int(size) == len(data)
    assert held == {}


def test_the_same_files_give_the_same_bytes() -> None:
    assert own_wheel() == own_wheel()


def test_an_installer_takes_it(tmp_path: Path) -> None:
    wheel = tmp_path / wheel_name(RELEASE)
    wheel.write_bytes(own_wheel())
    target = tmp_path / "installed"
    words = ("install", "--quiet", "--no-deps", "--no-index", "--target", str(target))
    done = subprocess.run(
        (sys.executable, "-m", "pip", *words, str(wheel)),
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    # What an installer compiles is its own.
    assert (target / "orchestrator" / "cli" / "main.py").is_file()
    assert (target / "bin" / "orchestrator").is_file()
    assert f"{RELEASE}" in (target / INFO / "METADATA").read_text()
