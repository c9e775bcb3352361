"""The browser that the tests of the page look through, and getting it where it is not.

It is Debian's Chromium, as a person would have it: none that a test tool brings.
"""

from __future__ import annotations

import functools
import os
import shutil

from tests.bench.machine import (
    CACHE,
    NotReadyError,
    locked,
    must_run,
    nothing_started,
)

__all__ = ("program", "why_no_browser")

_NAMES = ("chromium", "chromium-browser")


def program() -> str | None:
    """Find the browser of this machine."""
    return next(filter(None, map(shutil.which, _NAMES)), None)


@functools.cache
def why_no_browser() -> str | None:
    """Have a browser installed where there is none, or say why it cannot be."""
    if program() is not None:
        return None
    if os.geteuid() != 0:
        return "there is no Chromium, and only root may install it"
    if shutil.which("apt-get") is None:
        return "there is no Chromium, and no apt-get to install it with"
    apt = ("apt-get", "-q", "-o", "DPkg::Lock::Timeout=120")
    try:
        CACHE.mkdir(exist_ok=True)
        with locked(CACHE / "lock"), nothing_started():
            must_run([*apt, "update"])
            must_run([*apt, "install", "-y", "--no-install-recommends", "chromium"])
    except NotReadyError as reason:
        return str(reason)
    return None if program() else "Chromium was installed, but is not found"
