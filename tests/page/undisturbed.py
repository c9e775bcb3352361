"""A browser that hears of no change of this machine's network.

Where Docker begins a container, an address comes or goes. A browser that hears of that
breaks off what it asks for just then (``ERR_NETWORK_CHANGED``), also over loopback. It
hears of it by a socket of netlink; here it is given none, where the kernel can refuse.
Other tests have Docker begin containers while those of the page run.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import platform
import shlex
import struct
import sys
from pathlib import Path

SOCKET = {"x86_64": 41, "aarch64": 198}
"""The number of the system call that makes a socket."""

AF_NETLINK = 16
NO_NEW_PRIVS, SET_SECCOMP, FILTER = 38, 22, 2
LOAD, IF_EQUAL, RETURN = 0x20, 0x15, 0x06
ALLOW, ERRNO = 0x7FFF0000, 0x00050000
CALL_AT, FIRST_ARGUMENT_AT = 0, 16


def undisturbed(program: str, folder: Path) -> Path:
    """Write a program into a folder that is another one, undisturbed."""
    path = folder / Path(program).name
    words = shlex.join([sys.executable, __file__, program])
    path.write_text(f'#!/bin/sh\nexec {words} "$@"\n', encoding="utf-8")
    path.chmod(0o755)
    return path


def deny_netlink(call: int) -> None:
    """Have this process, and what it becomes, be refused sockets of netlink."""
    steps = (
        (LOAD, 0, 0, CALL_AT),
        (IF_EQUAL, 0, 3, call),
        (LOAD, 0, 0, FIRST_ARGUMENT_AT),
        (IF_EQUAL, 0, 1, AF_NETLINK),
        (RETURN, 0, 0, ERRNO | errno.EAFNOSUPPORT),
        (RETURN, 0, 0, ALLOW),
    )
    text = ctypes.create_string_buffer(
        b"".join(struct.pack("HBBI", *step) for step in steps)
    )
    program = struct.pack("HP", len(steps), ctypes.addressof(text))
    libc = ctypes.CDLL(None, use_errno=True)
    for told in (
        (NO_NEW_PRIVS, 1, 0, 0, 0),
        (SET_SECCOMP, FILTER, program, 0, 0),
    ):
        if libc.prctl(*told) != 0:
            raise OSError(ctypes.get_errno(), "prctl")


if __name__ == "__main__":
    with contextlib.suppress(KeyError, OSError, AttributeError):
        deny_netlink(SOCKET[platform.machine()])
    os.execv(sys.argv[1], sys.argv[1:])  # noqa: S606 - it is to become that program
