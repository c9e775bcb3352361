"""Running other people's code with a time limit, in threads that nobody waits for.

A function that hangs cannot be ended in Python. It is left alone in a daemon thread,
and at most ``THREADS_MAX`` of them are left: then calls are refused at once, and the
rest of the operator does not notice.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import threading
from collections.abc import Callable
from typing import Any, Final

__all__ = ("call_limited",)

THREADS_MAX: Final = 32
_free = threading.BoundedSemaphore(THREADS_MAX)


async def call_limited(function: Callable[..., Any], *args: Any, limit_s: float) -> Any:
    """Call a function, or a coroutine function; ``TimeoutError`` after *limit_s*.

    What it raises is raised here.
    """
    async with asyncio.timeout(limit_s):
        if inspect.iscoroutinefunction(function):
            return await function(*args)
        return await _in_thread(function, args)


async def _in_thread(function: Callable[..., Any], args: tuple[Any, ...]) -> Any:
    free = _free
    if not free.acquire(blocking=False):
        msg = f"{THREADS_MAX} earlier calls have not returned"
        raise TimeoutError(msg)
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[Any] = loop.create_future()

    def tell(value: Any, error: BaseException | None) -> None:
        if answer.done():
            return
        if error is None:
            answer.set_result(value)
        else:
            answer.set_exception(error)

    def work() -> None:
        value, error = None, None
        try:
            value = function(*args)
        except BaseException as raised:  # noqa: BLE001 - it belongs to the caller
            error = raised
        finally:
            free.release()
        if isinstance(error, StopIteration):  # a future refuses it
            error = RuntimeError("StopIteration")
        with contextlib.suppress(RuntimeError):  # the loop has been closed
            loop.call_soon_threadsafe(tell, value, error)

    threading.Thread(target=work, daemon=True, name="limited").start()
    return await answer
