"""Hypothesis profiles: dev by default, ci where CI is set, nightly by request.

``HYPOTHESIS_PROFILE`` chooses another: ``nightly`` takes as long as it takes. No
deadline anywhere: machines are noisy, and a timed assertion is no property.
"""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]

settings.register_profile(
    "dev", max_examples=50, deadline=None, suppress_health_check=SLOW
)
settings.register_profile(
    "ci",
    max_examples=100,
    deadline=None,
    derandomize=True,
    print_blob=True,
    suppress_health_check=SLOW,
)
settings.register_profile(
    "nightly",
    max_examples=20_000,
    deadline=None,
    stateful_step_count=200,
    suppress_health_check=SLOW,
)
PROFILE = os.environ.get("HYPOTHESIS_PROFILE", "ci" if "CI" in os.environ else "dev")
settings.load_profile(PROFILE)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let a test of the nightly profile run for hours."""
    if PROFILE == "nightly":
        for item in items:
            item.add_marker(pytest.mark.timeout(0))
