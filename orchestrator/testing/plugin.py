"""A plugin of pytest: it keeps the history of a failed test as a journal file.

Where a test fails over a history (of ``Scenario``, ``check_policy`` or
``FleetMachine``), its events are written as ``orchestrator journal import`` reads
them, and the report of the test says where. Nothing is written, and nothing of the
toolkit is loaded, while nothing of it fails.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Final

import pytest

__all__ = ("pytest_addoption", "pytest_runtest_makereport")

OPTION: Final = "--orchestrator-journals"
CACHED: Final = "orchestrator-journals"
NAME_MAX: Final = 100
NEEDED: Final = "orchestrator.testing.scenarios"
"""Without this module there is no history that a test could fail over."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that says where journals are kept."""
    parser.getgroup("orchestrator").addoption(
        OPTION,
        metavar="DIR",
        default=None,
        help="where the history of a failed test is kept (default: in pytest's cache)",
    )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add where its history is to the report of a test that has failed."""
    report = yield
    if report.failed and call.excinfo is not None and NEEDED in sys.modules:
        told = _kept(item, call.excinfo.value)
        if told is not None:
            report.sections.append(("orchestrator", told))
    return report


def _kept(item: pytest.Item, error: BaseException) -> str | None:
    """Keep the history that an error is about; say where, or why not."""
    from orchestrator.testing.evidence import (  # noqa: PLC0415 - only where it fails
        failed_history,
        save_history,
    )

    scenario = failed_history(error)
    if scenario is None:
        return None
    folder = _folder(item.config)
    if folder is None:
        return f"its history is not kept: pytest has no cache; give {OPTION} DIR"
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", item.nodeid)[-NAME_MAX:].strip("-.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path = save_history(scenario, folder / f"{name}.jsonl")
    except OSError as failure:
        return f"its history is not kept: {failure}"
    return f"its history is kept: {path}\nread it with: orchestrator journal import"


def _folder(config: pytest.Config) -> Path | None:
    given: str | None = config.getoption(OPTION)
    if given is not None:
        return config.invocation_params.dir / given
    cache = getattr(config, "cache", None)  # none under -p no:cacheprovider
    return None if cache is None else cache.mkdir(CACHED)
