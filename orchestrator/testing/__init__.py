"""For those who test: strategies that draw what the core knows, laws for adapters.

``strategies``: Hypothesis strategies, plural nouns, valid by construction, names and
runs from small pools so that what is drawn is related.

The law suites need no Hypothesis: ``check_platform`` and ``check_takeover`` for
platforms, ``check_journal`` for journals. Every adapter of ours passes them.
"""

from __future__ import annotations

from orchestrator.testing.journals import check_journal
from orchestrator.testing.platforms import check_platform, check_takeover

__all__ = ("check_journal", "check_platform", "check_takeover")
