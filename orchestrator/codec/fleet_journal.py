"""``[journal]`` and ``[lease]`` of a fleet file, read: what they need of each other.

A journal in a Durable Object is behind the gateway of the fleet, so there must be one;
and only where operators share a journal can one of them hold a lease on it.
"""

from __future__ import annotations

from orchestrator.codec.fleet_problems import Problems
from orchestrator.codec.fleet_tables import Tree, spelt_out
from orchestrator.codec.journal_choice import JournalChoice, JournalKind, LeaseChoice
from orchestrator.codec.platform_choices import CloudflareChoice, PlatformChoice

__all__ = ("read_journal", "read_lease")


def read_journal(
    table: Tree, platform: PlatformChoice, problems: Problems
) -> JournalChoice:
    """Read ``[journal]``; one behind a gateway needs the platform that has one."""
    tree = spelt_out(table, "journal", problems.wrong)
    journal = problems.read(tree, JournalChoice, "journal")
    is_far = journal.kind is JournalKind.DURABLE_OBJECT
    if is_far and not isinstance(platform, CloudflareChoice):
        problems.wrong(
            "journal.kind",
            f"{JournalKind.SQLITE.value!r}, on the platform {platform.kind!r}",
            repr(journal.kind.value),
            'a gateway keeps it: platform.kind = "cloudflare"',
        )
    return journal


def read_lease(
    tree: Tree, journal: JournalChoice, problems: Problems
) -> LeaseChoice | None:
    """Read ``[lease]``, None where the file has none; it needs a shared journal."""
    if "lease" not in tree:
        return None
    table = spelt_out(problems.table(tree, "lease"), "lease", problems.wrong)
    lease = problems.read(table, LeaseChoice, "lease")
    if journal.kind is not JournalKind.DURABLE_OBJECT:
        problems.wrong(
            "lease",
            "no such table beside a journal of one operator",
            "one",
            'journal.kind = "durable_object" has it shared',
        )
    return lease
