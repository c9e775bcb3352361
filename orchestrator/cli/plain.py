"""Texts of a journal as they may stand on a terminal: no control gets through."""

from __future__ import annotations

__all__ = ("cleaned",)


def cleaned(text: str) -> str:
    r"""Return a text in which signs that cannot be printed are written out.

    >>> print(cleaned("a\x1b[31mb"))
    a\x1b[31mb

    """
    if text.isprintable():
        return text
    return "".join(
        letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text
    )
