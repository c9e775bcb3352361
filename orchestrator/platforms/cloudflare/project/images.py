"""What an image of a fleet file is at Cloudflare, and what each policy makes of it.

| ``image`` | ``default`` | ``durable_object`` |
|---|---|---|
| ``./Dockerfile``, a path | built and pushed at each deploy | the same |
| ``name@sha256:...``, a digest | run as it is | where the account's registry holds it |
| ``name:tag`` | run as it was when it was deployed | refused |
"""

from __future__ import annotations

import posixpath
import re
from enum import StrEnum
from typing import Final

import attrs

from orchestrator.codec.platform_choices import SchedulingPolicy

__all__ = (
    "ImageKind",
    "Refusal",
    "image_kind",
    "image_refusal",
    "image_warnings",
    "moved_path",
    "what_becomes",
)

REGISTRY: Final = "registry.cloudflare.com"

_PART: Final = r"[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*"
_MANAGED: Final = re.compile(
    rf"{re.escape(REGISTRY)}(?:/{_PART}){{2,}}@sha256:[0-9a-f]{{64}}", re.ASCII
)
_REFERENCE: Final = re.compile(r"[\x21-\x7e]{1,4096}")
_TAGGED: Final = re.compile(r".+:[A-Za-z0-9_][A-Za-z0-9._-]{0,127}", re.ASCII)
_PINNED: Final = re.compile(r".+@sha256:[0-9a-f]{64}", re.ASCII)
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")


class ImageKind(StrEnum):
    """What an image is named by."""

    DOCKERFILE = "dockerfile"
    DIGEST = "digest"
    TAG = "tag"


@attrs.frozen(kw_only=True)
class Refusal:
    """Why a policy cannot run an image: what it expects, and what may help."""

    expected: str
    hint: str = ""


def image_kind(image: str) -> ImageKind | None:
    """Tell what an image is named by; None where it can be no image.

    >>> image_kind("./Dockerfile"), image_kind("docker.io/library/httpd:2.4")
    (<ImageKind.DOCKERFILE: 'dockerfile'>, <ImageKind.TAG: 'tag'>)
    >>> image_kind("httpd:2.4") is None  # wrangler wants the registry, or a path
    True

    """
    if _is_path(image):
        return None if _CONTROL.search(image) else ImageKind.DOCKERFILE
    if not _REFERENCE.fullmatch(image) or "://" in image:
        return None
    path, _, last = image.rpartition("/")
    if not path:
        return None
    if _PINNED.fullmatch(last):
        return ImageKind.DIGEST
    if "@" not in last and _TAGGED.fullmatch(last):
        return ImageKind.TAG
    return None


def _is_path(image: str) -> bool:
    """Tell a path from a reference, as there is no disk to look at here."""
    if image.startswith(("./", "../", "/")):
        return True
    last = image.rpartition("/")[2].lower()
    is_dockerfile = last.startswith("dockerfile") or last.endswith(".dockerfile")
    return is_dockerfile and ":" not in last and "@" not in last


def image_refusal(image: str | None, policy: SchedulingPolicy) -> Refusal | None:
    """Say why a policy cannot run an image, None where it can."""
    kind = None if image is None else image_kind(image)
    if image is None or kind is None:
        return Refusal(
            expected="the path of a Dockerfile (./Dockerfile), or a reference with its"
            " registry and a tag or a digest (docker.io/library/httpd:2.4)"
        )
    if policy is SchedulingPolicy.DEFAULT or kind is ImageKind.DOCKERFILE:
        return None
    if _MANAGED.fullmatch(image):
        return None
    return Refusal(
        expected="under durable_object, a Dockerfile or a digest of the account's own"
        f" registry ({REGISTRY}/ACCOUNT/NAME@sha256:...)",
        hint="`npx wrangler containers push NAME:TAG` puts an image there",
    )


def image_warnings(image: str) -> list[str]:
    """Say what about an image is allowed but can surprise."""
    kind = image_kind(image)
    if kind is None or kind is ImageKind.DOCKERFILE:
        return []
    warnings: list[str] = []
    if kind is ImageKind.TAG:
        warnings.append(
            f"image {image!r} is a tag: pushing the same tag again changes nothing that"
            " is deployed; pin its digest (name@sha256:...)"
        )
    host, has_path, _ = image.partition("/")
    if has_path and "." in host.partition(":")[0] and not _is_known(host):
        warnings.append(
            f"image {image!r}: Cloudflare pulls from {REGISTRY}, Docker Hub"
            " (docker.io), Amazon ECR and Google Artifact Registry, not from"
            f" {host}; `docker pull` it, and `npx wrangler containers push` it"
        )
    return warnings


def _is_known(host: str) -> bool:
    return host in {REGISTRY, "docker.io"} or host.endswith(
        (".amazonaws.com", "-docker.pkg.dev")
    )


def moved_path(image: str, folder: str) -> str:
    """Write a path of the fleet file from the project's folder.

    *folder* is where the fleet file is, seen from there.

    >>> moved_path("./web/Dockerfile", ".."), moved_path("Dockerfile", ".")
    ('../web/Dockerfile', './Dockerfile')

    """
    path = posixpath.normpath(posixpath.join(folder, image))
    return path if path.startswith(("/", "../")) else f"./{path}"


def what_becomes(image: str) -> str:
    """Say what a deploy makes of an image, in some words."""
    match image_kind(image):
        case ImageKind.DOCKERFILE:
            return "built and pushed by wrangler at each deploy"
        case ImageKind.DIGEST:
            return "run as it is"
        case ImageKind.TAG:
            return "run as the tag was when it was deployed"
        case None:
            return "no image"
