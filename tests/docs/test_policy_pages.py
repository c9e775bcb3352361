"""The pages about restart policies and health checks can be followed as they stand."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

from tests.docs.generate import DOCS
from tests.docs.test_pages import blocks, environment, ran


def followed(name: str, folder: Path) -> list[str]:
    """Write the first fleet file of a page, and run its commands."""
    page = DOCS / "how-to" / name
    (folder / "fleet.toml").write_text(blocks(page, "toml")[0])
    env = environment(folder)
    return [ran(block, folder, env) for block in blocks(page, "sh")]


def test_the_page_of_restart_policies_can_be_followed(tmp_path: Path) -> None:
    everything, one = followed("restart-policies.md", tmp_path)
    assert "web: one container" in everything
    assert "given up for good after 6 failures in a row" in everything
    assert "signal TERM: counts as nothing, and restarted" in one
    assert "web" not in one
    drawn = ET.fromstring((tmp_path / "import.svg").read_bytes())  # noqa: S314 - ours
    assert drawn.tag.endswith("svg")


def test_the_page_of_health_checks_can_be_followed(tmp_path: Path) -> None:
    (told,) = followed("health-checks.md", tmp_path)
    assert "a hung process is noticed within 3 x 10s + 2s = 32s" in told
    assert "warning" not in told


def test_the_custom_policy_of_the_page_decides_as_it_says(tmp_path: Path) -> None:
    page = DOCS / "how-to" / "restart-policies.md"
    (program,) = blocks(page, "python")
    lines = [
        line[4:] for line in program.splitlines() if line.startswith((">>> ", "... "))
    ]
    (tmp_path / "own_policies.py").write_text("\n".join(lines))
    fleet = next(each for each in blocks(page, "toml") if "own_policies" in each)
    (tmp_path / "fleet.toml").write_text(fleet)
    told = ran(
        "orchestrator policy explain fleet.toml", tmp_path, environment(tmp_path)
    )
    assert "failed after 6 times within 5h" in told
