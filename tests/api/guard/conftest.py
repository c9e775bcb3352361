"""What holds for every attack: nothing of it is logged that a log should not hold."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def _clean_log(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Hold that no log has a traceback, a token or an error of the event loop."""
    caplog.set_level(logging.DEBUG)
    yield
    records = [*caplog.get_records("setup"), *caplog.get_records("call")]
    for said in map(logging.Formatter().format, records):
        assert "Traceback" not in said, said
        assert "orch_" not in said, said
    loop = [r for r in records if r.name == "asyncio" and r.levelno > logging.INFO]
    assert not loop, loop
