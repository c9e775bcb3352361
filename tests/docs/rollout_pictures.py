"""The pictures of rollouts, drawn by the commands that stand on the pages about them.

``python -m tests.docs.rollout_pictures`` draws them anew. The fleet file is the page's
own; ``new.toml`` is the same with another ``RELEASE``.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

import attrs

from tests.docs.generate import DOCS

__all__ = ("PAGES", "Drawn", "drawn")

PAGES = {
    "roll-out.md": "rollout-revert.svg",
    "roll-out-rolling.md": "rollout-rolling.svg",
    "roll-out-recreate.md": "rollout-recreate.svg",
    "roll-out-canary.md": "rollout-canary.svg",
    "roll-out-blue-green.md": "rollout-blue-green.svg",
}
PICTURES = DOCS / "pictures"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@attrs.frozen(kw_only=True)
class Drawn:
    """What came of the command of a page, and what the page says of it."""

    code: int
    printed: str
    picture: str
    told: str


def drawn(page: str, folder: Path) -> Drawn:
    """Run the command of a page in a folder."""
    blocks = BLOCK.findall((DOCS / "how-to" / page).read_text(encoding="utf-8"))
    fleet = next(body for kind, body in blocks if kind == "toml")
    texts = [body for kind, body in blocks if kind == "text"]
    command = next(body for body in texts if " simulate " in body)
    (folder / "fleet.toml").write_text(fleet)
    (folder / "new.toml").write_text(fleet.replace('RELEASE = "1"', 'RELEASE = "2"'))
    words = shlex.split(command.replace("\\\n", " "))[1:]
    done = subprocess.run(
        (sys.executable, "-m", "orchestrator", *words),
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(DOCS.parent)},
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    return Drawn(
        code=done.returncode,
        printed=done.stdout,
        picture=(folder / PAGES[page]).read_text(encoding="utf-8"),
        told=next(body for body in texts if body.startswith("rollouts\n")),
    )


def main() -> None:
    for page, name in PAGES.items():
        with tempfile.TemporaryDirectory() as folder:
            one = drawn(page, Path(folder))
        (PICTURES / name).write_text(one.picture, encoding="utf-8")
        print(f"{name}: exit code {one.code}")


if __name__ == "__main__":
    main()
