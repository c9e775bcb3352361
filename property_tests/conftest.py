"""Hypothesis profiles: dev by default, ci where CI is set, nightly by request.

``HYPOTHESIS_PROFILE`` chooses another. No deadline anywhere: machines are noisy, and
a timed assertion is no property.
"""

from __future__ import annotations

import os

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
settings.load_profile(
    os.environ.get("HYPOTHESIS_PROFILE", "ci" if "CI" in os.environ else "dev")
)
