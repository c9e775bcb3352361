"""The file of tokens in a state folder: mode 0600, written whole, read when it changes.

While there is no file, no token was ever made. A list that is empty is another thing:
every token was revoked, and nobody comes in.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import logging
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, TypeAlias

from returns.result import Failure, Result, Success

from orchestrator.api.guard.tokens import TokenList
from orchestrator.api.places import TOKENS
from orchestrator.codec.problems import invalid
from orchestrator.codec.wire import read_tree, tree_of
from orchestrator.core.errors import InvalidSpec

__all__ = ("TokenFile", "change_tokens", "parsed_tokens", "read_tokens")

LOG: Final = logging.getLogger("orchestrator.api")

BYTES_MAX: Final = 1_048_576
OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO

_Stamp: TypeAlias = tuple[int, ...] | None


def read_tokens(state: Path) -> Result[TokenList | None, InvalidSpec]:
    """Read the tokens of a state folder; None where none was ever made."""
    path = state / TOKENS
    try:
        # Not blocking: a pipe of that name must not stop the operator.
        number = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return Success(None)
    except OSError as error:
        return _wrong(path, "a file of this user", error.strerror or "")
    try:
        about = os.fstat(number)
        if not stat.S_ISREG(about.st_mode):
            return _wrong(path, "a file", "something else")
        if about.st_uid not in {0, os.geteuid()}:
            return _wrong(path, "a file of this user", f"one of user {about.st_uid}")
        if about.st_mode & OTHERS:
            mode = f"{stat.S_IMODE(about.st_mode):04o}"
            return _wrong(path, "mode 0600, for its owner alone", mode)
        with os.fdopen(number, "rb", closefd=False) as file:
            read = parsed_tokens(str(path), file.read(BYTES_MAX + 1))
            return read.map(_as_known)
    finally:
        os.close(number)


def _as_known(tokens: TokenList) -> TokenList | None:
    return tokens


def parsed_tokens(place: str, data: bytes) -> Result[TokenList, InvalidSpec]:
    """Read a list of tokens, as it is kept; what is wrong is told with its place."""
    if len(data) > BYTES_MAX:
        return _wrong(place, f"at most {BYTES_MAX} bytes", "more")
    try:
        tree: Any = json.loads(data)
    except (ValueError, RecursionError):
        return _wrong(place, "JSON, as `orchestrator token` writes it", "rubbish")
    read = read_tree(tree, TokenList)
    if isinstance(read, Failure):  # the values are not told: they may be anything
        places = ", ".join(problem.place for problem in read.failure().problems)
        return _wrong(place, "what `orchestrator token` writes", f"wrong at {places}")
    return Success(read.unwrap())


def _wrong(place: object, expected: str, found: str) -> Result[Any, InvalidSpec]:
    return Failure(invalid(str(place), expected, found))


def change_tokens(
    state: Path, change: Callable[[TokenList], Result[TokenList, InvalidSpec]]
) -> Result[TokenList, InvalidSpec]:
    """Replace the list of tokens; two who do so at once do it one after the other."""
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _alone(state):
        read = read_tokens(state)
        if isinstance(read, Failure):
            return Failure(read.failure())
        changed = change(read.unwrap() or TokenList())
        if not isinstance(changed, Failure):
            _write(state / TOKENS, changed.unwrap())
        return changed


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(number, fcntl.LOCK_EX)
        yield
    finally:
        os.close(number)


def _write(path: Path, tokens: TokenList) -> None:
    partial = path.with_name(f".{path.name}")
    partial.unlink(missing_ok=True)
    number = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(number, "w", encoding="utf-8") as file:
        json.dump(tree_of(tokens), file, indent=2)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


class TokenFile:
    """The tokens of a running operator, read again when their file has changed.

    A file that cannot be used lets nobody in, and so does one that has gone: only a
    new start without it may open the door again.
    """

    def __init__(self, state: Path) -> None:
        """Look into the folder *state*."""
        self._state = state
        self._path = os.fspath(state / TOKENS)  # every request asks for its stamp
        self._stamp: _Stamp = None
        self._tokens: TokenList | None = None

    def current(self) -> TokenList | None:
        """Return the tokens; None where none was ever made."""
        stamp = self._stamp_now()
        if stamp != self._stamp:
            self._stamp = stamp
            read = read_tokens(self._state)
            if isinstance(read, Failure):
                LOG.error("nobody is let in: %s", read.failure().message)
                self._tokens = TokenList()
            else:
                gone = None if self._tokens is None else TokenList()
                self._tokens = read.unwrap() or gone
        return self._tokens

    def _stamp_now(self) -> _Stamp:
        try:
            about = os.lstat(self._path)
        except OSError:
            return None
        return (
            about.st_mtime_ns,
            about.st_ctime_ns,
            about.st_ino,
            about.st_size,
            about.st_mode,
            about.st_uid,
        )
