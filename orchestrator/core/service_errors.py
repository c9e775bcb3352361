"""Why a request about a service is refused."""

from __future__ import annotations

from typing import ClassVar

import attrs

__all__ = ("ServiceNotFound",)


@attrs.frozen(kw_only=True)
class ServiceNotFound:
    """No entry of the fleet file with ``replicas`` has that name."""

    code: ClassVar[str] = "service_not_found"
    name: str

    @property
    def message(self) -> str:
        """Say it in a sentence."""
        return (
            f"there is no service {self.name!r}: what the fleet file gives"
            " `replicas` can be scaled"
        )
