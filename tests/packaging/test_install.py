"""The README's first command on a copy of the project, and what it installs."""

from __future__ import annotations

import os
import shutil
import subprocess
import zipfile
from email.parser import Parser
from pathlib import Path

from tests.docs.test_pages import blocks

ROOT = Path(__file__).parents[2]
LEFT_OUT = shutil.ignore_patterns(".*", "__pycache__", "*.egg-info", "build", "dist")


def test_the_first_command_of_the_readme_installs_and_runs_the_demo(
    tmp_path: Path,
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(ROOT, copy, ignore=LEFT_OUT)
    command = blocks(ROOT / "README.md", "sh")[0]
    done = subprocess.run(
        ["sh", "-e", "-c", command],
        cwd=copy,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
        env={key: v for key, v in os.environ.items() if key != "PYTHONPATH"},
    )
    assert done.returncode == 0, done.stderr
    assert "doomed   crash_looping" in done.stdout
    wheels = tmp_path / "wheels"
    made = subprocess.run(
        [
            *(str(copy / ".venv/bin/pip"), "wheel", "--quiet", "--no-deps"),
            *("--wheel-dir", str(wheels), str(copy)),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stderr
    (wheel,) = wheels.iterdir()
    holds_what_it_should(wheel)


def holds_what_it_should(wheel: Path) -> None:
    """Every module, the typing mark, the shipped fleet, the licence: nothing else."""
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        metadata = Parser().parsestr(
            archive.read(
                next(name for name in names if name.endswith("/METADATA"))
            ).decode()
        )
    info = "cf_container_orchestrator-0.1.0.dist-info"
    package = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "orchestrator").rglob("*")
        if path.is_file() and path.suffix != ".pyc" and "/." not in str(path)
    }
    assert {"orchestrator/py.typed", "orchestrator/cli/quickstart.toml"} <= package
    own = {"METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE"}
    assert names == package | {f"{info}/{name}" for name in own}
    assert metadata["Name"] == "cf-container-orchestrator"
    assert metadata["License-Expression"] == "MIT"
    assert metadata["Requires-Python"] == ">=3.11"
    classifiers = metadata.get_all("Classifier") or []
    assert "Typing :: Typed" in classifiers
    assert "Programming Language :: Python :: 3.14" in classifiers
