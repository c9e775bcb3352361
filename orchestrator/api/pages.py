"""The page: its files, held in memory, and the headers that keep it harmless.

The files stand beside this module, in ``page``, in a checkout and in a wheel alike.
What is served is a name of that table or nothing: no path is ever made from a request.

The policy lets the page load what is here and talk to whoever served it: no inline
script or style, no other host, no frame around it, no markup made from text.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from importlib.resources import files
from types import MappingProxyType
from typing import Final

import attrs
from aiohttp import web

__all__ = ("CONTENT_SECURITY_POLICY", "INDEX", "PageFile", "add_page", "page_files")

INDEX: Final = "index.html"

CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';"
    " img-src 'self' data:; font-src 'self'; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)

_HEADERS: Final = MappingProxyType(
    {
        # Asked for again each time, answered by 304: an upgrade is never half seen.
        "Cache-Control": "no-cache",
        "Content-Security-Policy": CONTENT_SECURITY_POLICY,
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
    }
)

_TYPES: Final = MappingProxyType(
    {
        ".css": "text/css; charset=utf-8",
        ".html": "text/html; charset=utf-8",
        ".js": "text/javascript; charset=utf-8",
        ".svg": "image/svg+xml; charset=utf-8",
    }
)


@attrs.frozen(kw_only=True)
class PageFile:
    """One file of the page, as it is sent."""

    body: bytes
    content_type: str
    etag: str


def page_files() -> Mapping[str, PageFile]:
    """Read every file of the page; a kind that is not known is left out."""
    found = {}
    folder = files("orchestrator.api").joinpath("page")
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        suffix = entry.name[entry.name.rfind(".") :]
        if suffix in _TYPES:
            body = entry.read_bytes()
            found[entry.name] = PageFile(
                body=body,
                content_type=_TYPES[suffix],
                etag=sha256(body).hexdigest()[:32],
            )
    return MappingProxyType(found)


def add_page(app: web.Application) -> None:
    """Serve the page at ``/`` and its files below ``/page/``."""
    table = page_files()

    async def page_index(request: web.Request) -> web.StreamResponse:
        return _answer(request, table[INDEX])

    async def page_file(request: web.Request) -> web.StreamResponse:
        file = table.get(request.match_info["file"])
        if file is None:
            raise web.HTTPNotFound
        return _answer(request, file)

    app.router.add_get("/", page_index)
    app.router.add_get("/page/{file}", page_file)


def _answer(request: web.Request, file: PageFile) -> web.Response:
    """Send a file, or say that the one which the browser has is the same."""
    headers = {**_HEADERS, "ETag": f'"{file.etag}"'}
    known = request.if_none_match or ()
    if any(tag.value in {file.etag, "*"} for tag in known):
        return web.Response(status=web.HTTPNotModified.status_code, headers=headers)
    headers["Content-Type"] = file.content_type
    return web.Response(body=file.body, headers=headers)
