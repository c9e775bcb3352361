"""What the operator says of itself when it is not well."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.runtime.pulse import Pulse
from tests.api.guard.kit import served


async def test_a_loop_that_hangs_is_not_healthy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with served(tmp_path) as door:
        well = await door.call("GET", "/healthz")
        assert (well.status, well.body) == (200, {"status": "ok"})
        monkeypatch.setattr(Pulse, "hangs", True)
        hangs = await door.call("GET", "/healthz")
        assert (hangs.status, hangs.body) == (503, {"status": "hangs"})
