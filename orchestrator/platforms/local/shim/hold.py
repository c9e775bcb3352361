"""Holding one run from its start to its end: the loop of the shim."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import time
from typing import Any

from orchestrator.platforms.local.shim.child import start_child
from orchestrator.platforms.local.shim.kin import (
    birth_of,
    kill_family,
    own_ports,
)
from orchestrator.platforms.local.shim.log import Log
from orchestrator.platforms.local.shim.marks import (
    CONTROL,
    READY,
    RETRY_S,
    STARTED,
    End,
    write_mark,
)

__all__ = ("Hold",)

PIECE = 65_536
READY_POLL_S = (0.02, 0.5)
SWEEP_S = 10.0
GRACE_OF_A_SIGNAL_MS = 10_000
HINT_TRIES = 50


class Hold:
    """One run: its process, its streams, its end."""

    def __init__(self, folder: str, order: dict[str, Any]) -> None:
        """Open what must be open before the run may begin."""
        self.folder = folder
        self.argv: list[str] = order["argv"]
        self.env: dict[str, str] = order["env"]
        self.cwd: str = order["cwd"]
        self.ports: dict[str, int] = order["ports"]
        self.wait_for: list[str] = order["wait_for"]
        self.hints: str = order["hints"]
        self.label: str = order["label"]
        self.log = Log(order["log"], order["log_max_bytes"])
        self.end = End(folder)
        self.pid = 0
        self.status: int | None = None
        self.kill_at: float | None = None
        self.ready = False
        self.look_at = 0.0
        self.pause = READY_POLL_S[0]
        self.asked = b""
        self.selector = selectors.DefaultSelector()
        control = os.open(f"{folder}/{CONTROL}", os.O_RDWR | os.O_NONBLOCK)
        self.selector.register(control, selectors.EVENT_READ, "control")

    def run(self) -> None:
        """Hold the run from its start to its end."""
        self._listen_to_signals()
        child = start_child(self.argv, self.env, self.cwd)
        self.env = {}  # its secrets are the container's now
        if isinstance(child, str):
            self._ended({"start_failed": child})
            return
        self.pid = child.pid
        for file, stream in ((child.out, "o"), (child.err, "e")):
            os.set_blocking(file, False)
            self.selector.register(file, selectors.EVENT_READ, stream)
        self._tell(STARTED, {"pid": self.pid, "birth": birth_of(self.pid)})
        while self.status is None:
            self._step()
        self._sweep()
        self._drain()
        code = os.waitstatus_to_exitcode(self.status)
        self._ended({"code": code} if code >= 0 else {"signal": -code})

    def _listen_to_signals(self) -> None:
        read, write = os.pipe()
        os.set_blocking(read, False)
        os.set_blocking(write, False)
        signal.set_wakeup_fd(write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, lambda *_: self._stop_as_asked_by_a_signal())
        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGPIPE):
            signal.signal(number, signal.SIG_IGN)
        self.selector.register(read, selectors.EVENT_READ, "signals")

    def _stop_as_asked_by_a_signal(self) -> None:
        if self.pid:
            self._stop(signal.SIGTERM, GRACE_OF_A_SIGNAL_MS)

    def _step(self) -> None:
        """Wait for the next thing to happen, and see to it."""
        for key, _ in self.selector.select(self._patience()):
            self._see_to(key.fd, str(key.data))
        self._reap()
        moment = time.monotonic()
        if self.kill_at is not None and moment >= self.kill_at:
            kill_family(self.pid, os.getpid())
            self.kill_at = moment + 1
        if not self.ready and self.status is None and moment >= self.look_at:
            self._look()

    def _patience(self) -> float | None:
        moments = [self.kill_at, None if self.ready else self.look_at]
        known = [moment for moment in moments if moment is not None]
        return max(0.0, min(known) - time.monotonic()) if known else None

    def _see_to(self, file: int, kind: str) -> None:
        try:
            piece = os.read(file, PIECE)
        except BlockingIOError:
            return
        if kind == "control":
            *lines, self.asked = (self.asked + piece).split(b"\n")
            for line in lines:
                self._asked_to(line)
        elif kind in {"o", "e"}:
            self.log.feed(kind, piece)
            if not piece:
                self.selector.unregister(file)
                os.close(file)

    def _asked_to(self, line: bytes) -> None:
        with contextlib.suppress(ValueError, KeyError, TypeError):
            order = json.loads(line)
            number = signal.Signals[f"SIG{order['signal']}"]
            self._stop(number, int(order["grace_ms"]))

    def _stop(self, number: int, grace_ms: int) -> None:
        """Signal the container and promise the kill; an earlier promise holds."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)
        kill_at = time.monotonic() + grace_ms / 1_000
        if self.kill_at is None or kill_at < self.kill_at:
            self.kill_at = kill_at

    def _reap(self) -> bool:
        """Take note of the processes that have ended; say whether others live on."""
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return True
                if pid == self.pid:
                    self.status = status
        return False

    def _sweep(self) -> None:
        """End whatever the container has left behind, and reap it."""
        until = time.monotonic() + SWEEP_S
        kill_family(self.pid, os.getpid())
        while self._reap() and time.monotonic() < until:
            kill_family(self.pid, os.getpid())
            time.sleep(0.002)

    def _drain(self) -> None:
        """Write down what the streams still hold."""
        for key in list(self.selector.get_map().values()):
            stream = str(key.data)
            if stream in {"o", "e"}:
                with contextlib.suppress(BlockingIOError):
                    while piece := os.read(key.fd, PIECE):
                        self.log.feed(stream, piece)
                self.log.feed(stream, b"")

    def _look(self) -> None:
        """See whether every awaited port is listened on by a process of this run."""
        wanted = {self.ports[name] for name in self.wait_for}
        if wanted and wanted - own_ports(os.getpid(), wanted):
            self.look_at = time.monotonic() + self.pause
            self.pause = min(self.pause * 1.5, READY_POLL_S[1])
            return
        self.ready = True
        addresses = {name: f"127.0.0.1:{port}" for name, port in self.ports.items()}
        self._tell(READY, {"addresses": addresses})

    def _tell(self, name: str, facts: dict[str, object]) -> None:
        """Leave a record; on a full disk, as soon as there is room."""
        while self.status is None:
            try:
                write_mark(self.folder, name, facts)
            except OSError:
                self._reap()
                time.sleep(RETRY_S)
            else:
                break
        self._hint()

    def _ended(self, facts: dict[str, object]) -> None:
        self.end.write(facts)
        self._hint()

    def _hint(self) -> None:
        """Tell a listening operator where to look; it also looks by itself."""
        for _ in range(HINT_TRIES):
            try:
                file = os.open(self.hints, os.O_WRONLY | os.O_NONBLOCK)
            except OSError:  # nobody listens
                return
            try:
                os.write(file, f"{self.label}\n".encode())
            except BlockingIOError:
                time.sleep(0.02)
            except OSError:
                return
            else:
                return
            finally:
                os.close(file)
