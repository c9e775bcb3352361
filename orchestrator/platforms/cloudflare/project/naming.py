"""What things are called at Cloudflare: classes, bindings, Workers, images.

A name of a service becomes an identifier. It depends on that name alone, never on its
neighbours, so that a service keeps its class, and with it its objects, whatever comes
and goes beside it. Words of letters and digits between single hyphens (``web-api``)
fold to an identifier that no other such name folds to. Every other name may fold to
one of theirs (``web.api``), or begins with a digit, or would take a binding of the
Worker's own: it carries four digits of its digest.
"""

from __future__ import annotations

import hashlib
import re
from typing import Final

__all__ = (
    "account_name_of",
    "binding_of",
    "class_name_of",
    "image_name_of",
    "worker_name_of",
)

_PLAIN: Final = re.compile(r"[a-z][a-z0-9]*(?:-[a-z][a-z0-9]*)*", re.ASCII)
_BREAK: Final = re.compile(r"[^a-z0-9]+", re.ASCII)
_HOST_LABEL: Final = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*", re.ASCII)

_TAKEN: Final = frozenset({"fleet", "registry"})
_TAKEN_STEM: Final = "gateway"
"""Bindings and secrets of the Worker begin with it."""

WORKER_NAME_MAX: Final = 54
IMAGE_STEM_MAX: Final = 48
_GATEWAY: Final = "-gateway"


def class_name_of(name: str) -> str:
    """Return the class of the objects of a service's containers.

    >>> class_name_of("web-api"), class_name_of("web.api"), class_name_of("7up")
    ('WebApiContainer', 'WebApiContainer6189', 'N7upContainer9b11')

    """
    stem = "".join(word.capitalize() for word in _words(name))
    return f"{_lettered(stem)}Container{'' if _is_plain(name) else _digest(name, 2)}"


def binding_of(name: str) -> str:
    """Return the name that the Worker finds these objects by.

    >>> binding_of("web-api"), binding_of("web.api"), binding_of("registry")
    ('WEB_API', 'WEB_API__6189', 'REGISTRY__52DE')

    """
    stem = _lettered("_".join(_words(name)).upper())
    return stem if _is_plain(name) else f"{stem}__{_digest(name, 2).upper()}"


def worker_name_of(fleet: str) -> str:
    """Return what the Worker of a fleet is called, where the file does not say.

    >>> worker_name_of("shop"), worker_name_of("shop.eu")
    ('shop-gateway', 'shop-eu-41d3-gateway')

    """
    room = WORKER_NAME_MAX - len(_GATEWAY)
    if _HOST_LABEL.fullmatch(fleet) and len(fleet) <= room:
        return fleet + _GATEWAY
    stem = "-".join(_words(fleet))[: room - 5].strip("-")
    return f"{stem}-{_digest(fleet, 2)}{_GATEWAY}"


def account_name_of(worker: str, name: str) -> str:
    """Return what an application is called among all those of the account.

    >>> account_name_of("shop-gateway", "web"), account_name_of("s", "web.api")
    ('shop-gateway-web', 's-web-api--6189')

    """
    if _HOST_LABEL.fullmatch(name):
        return f"{worker}-{name}"
    return f"{worker}-{'-'.join(_words(name))}--{_digest(name, 2)}"


def image_name_of(image: str) -> str:
    """Return the name of an image among those that an object may start.

    >>> image_name_of("./web/Dockerfile")
    'web-dockerfile-a4ab8e79'

    """
    path, is_pinned, _ = image.lower().partition("@")
    stem = "-".join(_words(path.rpartition("/")[2] if is_pinned else path))
    return f"{stem[-IMAGE_STEM_MAX:].strip('-') or 'image'}-{_digest(image, 4)}"


def _words(name: str) -> list[str]:
    return [word for word in _BREAK.split(name) if word]


def _is_plain(name: str) -> bool:
    if name in _TAKEN or name.startswith(_TAKEN_STEM):
        return False
    return _PLAIN.fullmatch(name) is not None


def _lettered(stem: str) -> str:
    """Put a letter first: no identifier begins with a digit."""
    return stem if stem[:1].isalpha() else f"N{stem}"


def _digest(text: str, size: int) -> str:
    return hashlib.blake2b(text.encode(), digest_size=size).hexdigest()
