"""Which letters may be kept of who asks, and what for.

They are shown in terminals, logs and tables ever after: a letter that moves a cursor,
begins a line or turns the direction of what follows has no place in them.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ("BY_MAX", "LETTER", "PLAIN", "WHY_MAX", "is_plain")

BY_MAX: Final = 256
WHY_MAX: Final = 4_096
"""Characters that are kept with a request for ever."""

LETTER: Final = (
    r"[^\u0000-\u001f\u007f-\u009f\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f"
    r"\ud800-\udfff\ufeff\ufff9-\ufffb]"
)
"""A letter that only shows itself, as a regular expression of Python and of ECMA."""

PLAIN: Final = "letters that can be printed, on one line"
"""What is expected where other letters were found."""


def is_plain(text: object) -> bool:
    r"""Say whether a text shows nothing but its letters.

    >>> is_plain("caf\u00e9: too slow"), is_plain("a\nb"), is_plain("\x1b[2J")
    (True, False, False)

    """
    return isinstance(text, str) and re.fullmatch(f"{LETTER}*", text) is not None
