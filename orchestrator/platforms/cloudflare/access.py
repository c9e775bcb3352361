"""Who may ask a gateway: the credentials that a fleet file names, looked up when asked.

What is asked of a gateway before it is anybody's platform is here, too.
"""

from __future__ import annotations

from collections.abc import Mapping

from returns.result import Failure, Result, Success

from orchestrator.codec.platform_choices import CloudflareChoice
from orchestrator.core.errors import PlatformError, Unauthorized
from orchestrator.platforms.cloudflare.http import Credentials, Gateway, Tree

__all__ = ("ask_about", "credentials_of", "gateway_of")


def credentials_of(
    choice: CloudflareChoice, secrets: Mapping[str, str]
) -> Result[Credentials, PlatformError]:
    """Look the token up, and the service token of Access where one is named."""
    names = [choice.token_secret]
    if choice.access_secrets is not None:
        names += (
            f"{choice.access_secrets}_CLIENT_ID",
            f"{choice.access_secrets}_CLIENT_SECRET",
        )
    found = {name: secrets.get(name, "").strip() for name in names}
    missing = [name for name, value in found.items() if not value]
    if missing:
        cause = f"the secret {', '.join(missing)} is not set"
        return Failure(Unauthorized(cause=cause))
    token, *access = found.values()
    both = (access[0], access[1]) if access else None
    return Success(Credentials(token=token, access=both))


def gateway_of(choice: CloudflareChoice, secrets: Mapping[str, str]) -> Gateway:
    """Return what asks the gateway of a fleet file; it connects when it is used."""
    return Gateway(
        choice.url or "", lambda: credentials_of(choice, secrets), choice.timeout_ms
    )


async def ask_about(
    choice: CloudflareChoice, secrets: Mapping[str, str]
) -> Tree | PlatformError:
    """Ask a gateway what it is: versions, capabilities, applications, its clock."""
    gateway = gateway_of(choice, secrets)
    try:
        told = await gateway.get("about")
    finally:
        await gateway.close()
    return told.failure() if isinstance(told, Failure) else told.unwrap()
