"""The page about fleets in Python is true: its file is one, its commands work."""

from __future__ import annotations

from pathlib import Path

from orchestrator.cli.tools import parsed_file
from tests.docs.generate import DOCS
from tests.docs.test_pages import blocks, environment, ran

PAGE = DOCS / "how-to" / "write-the-fleet-in-python.md"


def program() -> str:
    return next(block for block in blocks(PAGE, "python") if '"""' in block)


def test_the_page_can_be_followed(tmp_path: Path) -> None:
    (tmp_path / "fleet.py").write_text(program())
    env = environment(tmp_path)
    first, second = (ran(block, tmp_path, env) for block in blocks(PAGE, "sh"))
    assert first.startswith("fleet.py is valid: fleet 'shop', 4 containers\n")
    assert "shop-rehearsal" in first
    assert second == ""
    files = [parsed_file(tmp_path / name) for name in ("fleet.py", "fleet.toml")]
    assert files[0] == files[1] == parsed_file(tmp_path / "again.py")


def test_the_sentence_that_it_shows_is_what_is_said(tmp_path: Path) -> None:
    (shown,) = (
        line for line in PAGE.read_text().splitlines() if "found 'soon'" in line
    )
    path = tmp_path / "fleet.py"
    path.write_text(program().replace('stop_grace="5s"', 'stop_grace="soon"'))
    env = environment(tmp_path)
    told = ran("orchestrator validate fleet.py 2>&1 || test $? = 2", tmp_path, env)
    assert f"orchestrator: {shown}" in told.splitlines()
