"""The fixtures of the bench, for what is tried on Cloudflare's own runtime."""

from tests.bench.fixtures import engine

__all__ = ("engine",)
