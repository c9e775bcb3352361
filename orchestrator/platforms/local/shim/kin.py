"""Processes of this machine: who descends from whom, who listens where.

On Linux all of it is read from ``/proc``. Elsewhere a process group stands for the
family, and a port is ready when somebody accepts on it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys

__all__ = ("birth_of", "family_of", "kill_family", "own_ports")

LINUX = sys.platform == "linux"
LISTENING = "0A"
PROBE_S = 0.2


def _stat(pid: int | str) -> list[str]:
    """Return the fields of ``/proc/PID/stat`` after the name: state, parent, ..."""
    with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
        return file.read().rpartition(")")[2].split()


def birth_of(pid: int) -> str:
    """Return what tells a process from a later one with the same number.

    Nothing where there is no such process: and nothing is like nothing.
    """
    if not LINUX:
        return _birth_by_ps(pid)
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="utf-8") as file:
            return f"{file.read().strip()}/{_stat(pid)[19]}"
    except (OSError, IndexError):
        return ""


def _birth_by_ps(pid: int) -> str:
    """Ask ``ps`` when a process began, where there is no ``/proc``."""
    import subprocess  # noqa: PLC0415 - on Linux it is never needed

    asked = ("/bin/ps", "-o", "lstart=", "-p", str(pid))
    try:
        done = subprocess.run(asked, capture_output=True, check=False)  # noqa: S603
    except OSError:
        return ""
    return done.stdout.decode(errors="replace").strip()


def family_of(ancestor: int) -> list[int]:
    """List the descendants of a process, the nearest first; none but on Linux."""
    if not LINUX:
        return []
    family = [ancestor]
    if os.path.exists(f"/proc/self/task/{os.getpid()}/children"):
        for pid in family:
            family += _children_of(pid)
        return family[1:]
    children = _all_children()
    for pid in family:
        family += children.get(pid, [])
    return family[1:]


def _children_of(pid: int) -> list[int]:
    """Ask the kernel (``CONFIG_PROC_CHILDREN``); its cost is that of the family."""
    found: list[int] = []
    with contextlib.suppress(OSError):
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/children", encoding="ascii") as file:
                found += map(int, file.read().split())
    return found


def _all_children() -> dict[int, list[int]]:
    """Read every process of the machine, where the kernel does not answer."""
    children: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError, IndexError):
                children.setdefault(int(_stat(entry)[1]), []).append(int(entry))
    return children


def kill_family(leader: int, ancestor: int) -> bool:
    """Kill the leader's process group and all descendants; say whether any lived."""
    alive = False
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)
        alive = not LINUX
    for pid in family_of(ancestor):
        alive = True
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return alive


def own_ports(ancestor: int, ports: set[int]) -> set[int]:
    """Return those of the ports on which descendants of *ancestor* listen."""
    if not LINUX:
        return {port for port in ports if _accepts(port)}
    listening = _listeners(ports)
    owned: set[int] = set()
    for pid in family_of(ancestor) if listening else ():
        with contextlib.suppress(OSError):
            for file in os.listdir(f"/proc/{pid}/fd"):
                with contextlib.suppress(OSError):
                    port = listening.get(os.readlink(f"/proc/{pid}/fd/{file}"))
                    owned |= set() if port is None else {port}
    return owned


def _accepts(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(PROBE_S)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _listeners(ports: set[int]) -> dict[str, int]:
    """Map each socket that listens on one of the ports to the port."""
    found: dict[str, int] = {}
    for table in ("tcp", "tcp6"):
        with contextlib.suppress(OSError):
            with open(f"/proc/net/{table}", encoding="ascii") as file:
                lines = file.readlines()[1:]
            for fields in map(str.split, lines):
                port = int(fields[1].rpartition(":")[2], 16)
                if fields[3] == LISTENING and port in ports:
                    found[f"socket:[{fields[9]}]"] = port
    return found
