"""Where an export comes from, if it is not the journal itself but a redacted one."""

from __future__ import annotations

from typing import Any

import attrs

__all__ = ("Redacted", "read_redacted")


@attrs.frozen(kw_only=True)
class Redacted:
    """The header's word on a redacted export.

    ``of`` is the digest of the original's last row, in hexadecimal digits: who has the
    original knows it again. ``kept`` names what was not replaced
    (``replay.redacted.pseudonyms.Kept``).
    """

    of: str
    kept: tuple[str, ...] = ()

    def tree(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        return {"of": self.of, "kept": list(self.kept)}


def read_redacted(tree: Any) -> Redacted | None:
    """Read what a header says; None where it says nothing that is understood.

    >>> read_redacted({"of": "ab", "kept": ["names"]})
    Redacted(of='ab', kept=('names',))
    >>> read_redacted({"of": 7})

    """
    match tree:
        case {"of": str(of), "kept": list(kept)} if len(tree) == 2:  # noqa: PLR2004
            words: list[Any] = kept
            if all(isinstance(word, str) for word in words):
                return Redacted(of=of, kept=tuple(words))
    return None
