"""What the eye would have to check otherwise: sizes, names, doors, words."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

import orchestrator

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "orchestrator"
MODULES = sorted(PACKAGE.rglob("*.py"))
LINES_MAX = 310
FUNCTION_MAX = 60
BANNED = re.compile(r"manager|helper|utils?\b|_data\b|\bbase\b", re.IGNORECASE)


@cache
def trees() -> tuple[tuple[Path, ast.Module], ...]:
    return tuple(
        (path, ast.parse(path.read_text(encoding="utf-8"))) for path in MODULES
    )


def test_a_module_fits_a_head() -> None:
    for path in MODULES:
        lines = len(path.read_text(encoding="utf-8").splitlines())
        assert lines <= LINES_MAX, (path, lines)


def test_a_function_fits_a_screen() -> None:
    for path, tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or 0) - node.lineno
                assert length <= FUNCTION_MAX, (path, node.name, length)


def test_every_module_says_what_it_holds_and_what_it_offers() -> None:
    for path, tree in trees():
        assert ast.get_docstring(tree), path
        names = [
            target.id
            for node in tree.body
            if isinstance(node, ast.Assign)
            for target in node.targets
            if isinstance(target, ast.Name)
        ]
        if path.name != "__init__.py":
            assert "__all__" in names, path


def test_what_is_offered_is_there() -> None:
    for module in pkgutil.walk_packages([str(PACKAGE)], "orchestrator."):
        if module.name.endswith("__main__"):
            continue
        loaded = importlib.import_module(module.name)
        offered = getattr(loaded, "__all__", ())
        assert isinstance(offered, tuple), module.name
        for name in offered:
            assert hasattr(loaded, name), (module.name, name)


def test_no_name_says_nothing() -> None:
    for path, tree in trees():
        assert not BANNED.search(path.stem), path
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                assert not BANNED.search(node.name), (path, node.name)


def test_only_the_runtime_opens_an_outcome() -> None:
    users = [p for p in MODULES if "returns.unsafe" in p.read_text(encoding="utf-8")]
    assert [path.relative_to(PACKAGE) for path in users] == [
        Path("runtime/outcomes.py")
    ]


def test_what_a_docstring_points_at_is_there() -> None:
    """A dotted name in double backquotes that begins with a package of ours."""
    packages = {path.name for path in PACKAGE.iterdir() if path.is_dir()}
    dotted = re.compile(r"``(\w+(?:\.\w+)+)(?:\(\))?``")
    missing = [
        (str(path.relative_to(PACKAGE)), name)
        for path in MODULES
        for name in dotted.findall(path.read_text(encoding="utf-8"))
        if name.partition(".")[0] in packages and not _is_there(name)
    ]
    assert not missing


def _is_there(name: str) -> bool:
    """Say whether there is such a module, or such a name in one."""
    try:
        pkgutil.resolve_name(f"orchestrator.{name}")
    except (ImportError, AttributeError):
        return False
    return True


def test_a_page_has_one_title() -> None:
    for page in (ROOT / "README.md", *(ROOT / "docs").rglob("*.md")):
        text = re.sub(r"(?s)```.*?```", "", page.read_text(encoding="utf-8"))
        titles = [line for line in text.splitlines() if line.startswith("# ")]
        assert len(titles) == 1, page
        for link in re.findall(r"\]\(([^)#:]+)\)", text):
            assert (page.parent / link).exists(), (page, link)


def test_the_top_level_holds_what_it_should() -> None:
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode:  # an unpacked archive has no history, and nothing to hide
        return
    top = {line.partition("/")[0] for line in listed.stdout.splitlines()}
    assert {name for name in top if not name.startswith(".")} == {
        "LICENSE",
        "README.md",
        "docs",
        "orchestrator",
        "property_tests",
        "pyproject.toml",
        "tests",
    }


LAZY = {
    "orchestrator": ("attrs", "cattrs", "aiohttp", "sqlite3", "asyncio", "click"),
    "orchestrator.core.reduce": ("cattrs", "aiohttp", "sqlite3", "asyncio", "orjson"),
    "orchestrator.core.admit": ("cattrs", "aiohttp", "sqlite3", "asyncio"),
    "orchestrator.cli.main": ("aiohttp", "sqlite3", "rich"),
}


@pytest.mark.parametrize("module", LAZY)
def test_what_is_not_needed_is_not_loaded(module: str) -> None:
    program = f"import sys, {module}; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert not set(done.stdout.split()) & set(LAZY[module])


def test_the_face_offers_what_it_names() -> None:
    for name in orchestrator.__all__:
        assert getattr(orchestrator, name) is not None
    assert set(orchestrator.__all__) <= set(dir(orchestrator))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = orchestrator.nothing
