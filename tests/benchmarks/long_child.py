"""A small process of the long run: it lives, gets ready, prints, and dies by script.

Run alone, without the rest of this package: ``python -I -S long_child.py KIND SEED
[PORT]``. What it does is drawn from the seed, its name and the number of its run: the
same run of the same container does the same again. It imports next to nothing, for
thousands of them are started.
"""

from __future__ import annotations

import _socket
import os
import select
import signal
import sys
import time
import zlib

__all__ = ()

MARK = "ORCHESTRATOR_RUN"
"""Set by the local platform: whose run this is."""

LIVES_S = {
    "steady": (300, 900),
    "sick": (60, 180),
    "late": (30, 120),
    "crashing": (10, 90),
    "mixed": (10, 90),
    "job": (20, 120),
    "doomed": (0, 1),
    "stubborn": (20, 120),
    "family": (20, 120),
    "chatty": (60, 240),
}
"""How long each kind lives, at least and at most."""

CODES = (1, 2, 3, 64, 78, 137, 255)
SIGNALS = (signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT, signal.SIGTERM)
SICK_AFTER_S = 30


class Script:
    """What one run does, drawn from a text."""

    def __init__(self, text: str) -> None:
        """Begin to draw."""
        self.text = text
        self.drawn = 0

    def draw(self, count: int) -> int:
        """Draw a number from 0 up to *count*, which is not among them."""
        self.drawn += 1
        return zlib.crc32(f"{self.text}/{self.drawn}".encode()) % count


class Door:
    """A port that answers whoever asks; nothing where there is no port."""

    def __init__(self, port: int | None) -> None:
        """Listen on the port."""
        self.socket: _socket.socket | None = None
        if port is not None:
            self.socket = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)
            self.socket.setsockopt(_socket.SOL_SOCKET, _socket.SO_REUSEADDR, 1)
            self.socket.bind(("127.0.0.1", port))
            self.socket.listen(16)

    def answer(self, patience_s: float, *, well: bool) -> None:
        """Wait for somebody to ask, for so long, and answer."""
        if self.socket is None:
            time.sleep(patience_s)
            return
        if not select.select([self.socket], [], [], patience_s)[0]:
            return
        status = b"200 OK" if well else b"503 Service Unavailable"
        file, _ = self.socket._accept()  # type: ignore[attr-defined]
        caller = _socket.socket(fileno=file)
        try:
            caller.recv(4_096)
            caller.send(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\n\r\n")
        except OSError:
            pass  # it hung up
        finally:
            caller.close()


def live(kind: str, script: Script, port: int | None) -> None:
    """Live as long as the script says."""
    least, most = LIVES_S[kind]
    end = time.monotonic() + least + script.draw(1_000 * (most - least)) / 1_000
    begun = time.monotonic()
    print(f"{kind} begins", flush=True)
    if kind == "late":
        time.sleep(script.draw(3_000) / 1_000)
    door = Door(port)
    lines = 0
    while (now := time.monotonic()) < end:
        if kind == "chatty":
            lines += 1
            print(f"line {lines} of {kind}: {'x' * 80}", flush=True)
        pace = 0.05 if kind == "chatty" else min(5.0, end - now)
        door.answer(pace, well=kind != "sick" or now < begun + SICK_AFTER_S)


def leave_behind() -> None:
    """Leave a child, and one that has gone its own way, to whoever cleans up."""
    for leaves in (False, True):
        if os.fork() == 0:
            if leaves:
                os.setsid()
                if os.fork():
                    os._exit(0)
            time.sleep(3_600)
            os._exit(0)


def die(kind: str, script: Script) -> None:
    """End as the script says: with a code, or by a signal."""
    print(f"{kind} ends", file=sys.stderr, flush=True)
    drawn = script.draw(10)
    if kind in {"job", "mixed"} and drawn < 3:
        sys.exit(0)
    if drawn < 8 or kind == "stubborn":
        sys.exit(CODES[script.draw(len(CODES))])
    os.kill(os.getpid(), SIGNALS[script.draw(len(SIGNALS))])


def main() -> None:
    """Live and die."""
    kind, seed, *port = sys.argv[1:]
    script = Script(f"{seed}/{'/'.join(os.environ.get(MARK, '').split('/')[1:])}")
    if kind == "stubborn" or script.draw(10) == 0:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if kind == "family":
        leave_behind()
    live(kind, script, int(port[0]) if port else None)
    die(kind, script)


if __name__ == "__main__":
    main()
