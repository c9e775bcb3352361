"""The page about scaling by load can be followed, and its program runs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.cli.kit import reached
from tests.docs.generate import DOCS
from tests.docs.test_pages import blocks, environment, ran
from tests.platforms.local_kit import shims

PAGE = DOCS / "how-to" / "autoscale.md"


def test_the_page_can_be_followed(tmp_path: Path) -> None:
    (fleet,) = blocks(PAGE, "toml")
    (tmp_path / "fleet.toml").write_text(fleet)
    env = environment(tmp_path)
    up, load, look = blocks(PAGE, "sh")
    with (tmp_path / "up.log").open("w") as log:
        running = subprocess.Popen(up.split(), cwd=tmp_path, env=env, stdout=log)
    try:
        client = reached(tmp_path / "state")
        client.get("containers", "web-0", "wait")
        said = ran(load, tmp_path, env)
        assert said in blocks(PAGE, "text")
        looked = ran(look, tmp_path, env)
    finally:
        subprocess.run(["orchestrator", "down"], env=env, check=False)
        running.wait(120)
    assert "1-6" in looked
    assert "desired_by:      autoscaler" in looked
    assert shims(tmp_path) == []


def test_the_program_scales_its_service() -> None:
    (program,) = blocks(PAGE, "python")
    done = subprocess.run(
        (sys.executable, "-c", program),
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "web-0 web-1 web-2 web-3 web-4",
        "its load is 412 on the average of 1m, 100 for each",
    ]
