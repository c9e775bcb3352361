"""Answers that keep harmless whatever they hold, and those that no application gives.

What cannot be read as a request never comes to the application. It is answered here, in
the same shape as every other refusal, and without a byte of what was sent.
"""

from __future__ import annotations

from typing import Final

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from orchestrator.api.bodies import told, written

__all__ = ("Speaking", "dressed", "raw", "shut", "unexpected")

_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""Of every answer that does not say otherwise."""

_FAULT: Final = 500
"""From here on an error is ours."""

_CONTINUE: Final = "100-continue"


def dressed(response: web.StreamResponse) -> None:
    """Give an answer the headers that keep it harmless in a browser."""
    for key, value in _HEADERS.items():
        response.headers.setdefault(key, value)
    response.headers["Server"] = "orchestrator"


def shut(status: int, code: str, message: str) -> web.Response:
    """Write a refusal that is HTTP's own, and close: its body may not be read."""
    response = told(status, code, message)
    response.headers["Cache-Control"] = "no-store"
    dressed(response)
    response.force_close()
    return response


def raw(status: str, code: str, message: str, *more: str) -> bytes:
    """Write a refusal as bytes, for a connection that has no request yet.

    *status* is the number with its words, *more* are further headers.
    """
    body = written({"error": {"code": code, "message": message}})
    headers = {
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        "Cache-Control": "no-store",
        "Connection": "close",
        "Server": "orchestrator",
        **_HEADERS,
    }
    lines = [f"{key}: {value}" for key, value in headers.items()]
    head = "\r\n".join((f"HTTP/1.1 {status}", *lines, *more, "", ""))
    return head.encode("ascii") + body


def unexpected(request: web.BaseRequest) -> web.Response | None:
    """Refuse a request that expects what nobody knows."""
    expected = request.headers.get("Expect", _CONTINUE)
    if expected.lower() == _CONTINUE:
        return None
    return shut(400, "bad_request", f"expected `Expect: {_CONTINUE}`, or none")


class Speaking(RequestHandler):
    """The framework's side of a connection, which refuses in our words."""

    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = _FAULT,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what could not be read, or what failed before it was answered."""
        del message  # it tells what was sent
        self.log_exception("a request was not answered", exc_info=exc)
        if request.writer.output_size > 0:
            msg = "an answer is under way, another cannot begin"
            raise ConnectionError(msg)
        if status < _FAULT:
            return shut(status, "bad_request", "this is no request of HTTP/1.1")
        sorry = "internal error; the operator's log says more"
        return shut(status, "internal_error", sorry)
