"""Why a request about a service is refused."""

from __future__ import annotations

from typing import ClassVar

import attrs

__all__ = ("RolloutNotFound", "RolloutRefused", "ServiceNotFound")


@attrs.frozen(kw_only=True)
class ServiceNotFound:
    """No entry of the fleet file with ``replicas`` has that name."""

    code: ClassVar[str] = "service_not_found"
    name: str

    @property
    def message(self) -> str:
        """Say it in a sentence."""
        return (
            f"there is no service {self.name!r}: a service is an entry of the fleet"
            " file with `replicas`"
        )


@attrs.frozen(kw_only=True)
class RolloutNotFound:
    """The service has no rollout, or no revision of that number is kept.

    ``is_undo``: none of those that are kept is one to go back to.
    """

    code: ClassVar[str] = "rollout_not_found"
    service: str
    revision: int | None = None
    is_undo: bool = False

    @property
    def message(self) -> str:
        """Say it in a sentence."""
        if self.revision is None and self.is_undo:
            return (
                f"service {self.service!r} has no earlier revision that was good;"
                f" `rollout history {self.service}` lists what is kept, and `--to N`"
                " names one"
            )
        if self.revision is None:
            return f"service {self.service!r} has no rollout"
        return f"revision {self.revision} of service {self.service!r} is not kept"


@attrs.frozen(kw_only=True)
class RolloutRefused:
    """A rollout is not where that could be asked of it."""

    code: ClassVar[str] = "rollout_refused"
    service: str
    action: str
    status: str

    @property
    def message(self) -> str:
        """Say it in a sentence."""
        return (
            f"the rollout of {self.service!r} is {self.status.replace('_', ' ')}:"
            f" {self.action} is not possible now"
        )
