"""What a fleet in Python imports is read anew with it, unless it is in use."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.cli import modules
from orchestrator.cli.failing import Failed
from orchestrator.cli.named import named_object
from orchestrator.cli.python_files import fleet_declared

FLEET = """
import orchestrator
from w9_names import NAME
from w9_kit.names import OTHER
from w9_kit import hooks
fleet = orchestrator.fleet(NAME + OTHER, hooks="w9_kit.hooks:Hooks")
"""


@pytest.fixture(autouse=True)
def _forget_all(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.setattr(modules, "_staying", set[str]())
    yield
    for name in [each for each in sys.modules if each.startswith("w9_")]:
        del sys.modules[name]


def fleet_at(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "w9_kit").mkdir()
    (folder / "w9_kit/__init__.py").write_text("")
    (folder / "w9_kit/hooks.py").write_text("class Hooks: ...\n")
    say(folder, "a", "b")
    path = folder / "fleet.py"
    path.write_text(FLEET)
    return path


def say(folder: Path, name: str, other: str) -> None:
    (folder / "w9_names.py").write_text(f"NAME = {name!r}\n")
    (folder / "w9_kit/names.py").write_text(f"OTHER = {other!r}\n")


def test_what_has_changed_is_read_also_in_a_package_of_what_is_in_use(
    tmp_path: Path,
) -> None:
    path = fleet_at(tmp_path)
    assert fleet_declared(path).spec.name == "ab"
    hooks = named_object("w9_kit.hooks:Hooks", tmp_path, "fleet.hooks")
    package, names = sys.modules["w9_kit"], sys.modules["w9_names"]
    say(tmp_path, "c", "d")
    assert fleet_declared(path).spec.name == "cd"
    assert sys.modules["w9_kit"] is package
    assert sys.modules["w9_kit.hooks"].Hooks is hooks
    assert sys.modules["w9_names"] is not names


def test_a_run_that_fails_leaves_what_there_was(tmp_path: Path) -> None:
    path = fleet_at(tmp_path)
    fleet_declared(path)
    before = {name: sys.modules[name] for name in ("w9_names", "w9_kit.names")}
    say(tmp_path, "c", "d")
    for text in ("1 / 0\n", f"{FLEET}1 / 0\n"):
        path.write_text(text)
        with pytest.raises(Failed, match="ZeroDivisionError"):
            fleet_declared(path)
        assert {name: sys.modules[name] for name in before} == before
        assert sys.modules["w9_kit"].names is before["w9_kit.names"]
    path.write_text(FLEET)
    assert fleet_declared(path).spec.name == "cd"


def test_what_others_have_imported_or_installed_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = fleet_at(tmp_path / "project")
    installed = tmp_path / "project/lib"
    installed.mkdir()
    monkeypatch.setattr(modules, "_LIBRARIES", (installed,))
    sys.path[:0] = [str(installed), str(tmp_path), str(tmp_path / "project")]
    (installed / "w9_library.py").write_text("")
    (tmp_path / "w9_above.py").write_text("")
    (tmp_path / "project/w9_own.py").write_text("")
    import w9_own as own  # type: ignore[import-not-found]

    lines = "import json, w9_library, w9_above, w9_own, orchestrator.cli.modules\n"
    path.write_text(lines + FLEET)
    fleet_declared(path)
    kept = {name: sys.modules[name] for name in ("w9_library", "w9_above", "json")}
    fleet_declared(path)
    assert {name: sys.modules[name] for name in kept} == kept
    assert sys.modules["w9_own"] is own
    assert sys.modules["orchestrator.cli.modules"] is modules
