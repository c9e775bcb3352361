"""The program on the page about scaling is run as it stands there."""

from __future__ import annotations

import subprocess
import sys

from tests.docs.generate import DOCS
from tests.docs.test_pages import blocks


def test_the_program_scales_its_service() -> None:
    (program,) = blocks(DOCS / "how-to" / "scale-a-service.md", "python")
    done = subprocess.run(
        (sys.executable, "-c", program),
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "3 web-0 web-1 web-2\n"
