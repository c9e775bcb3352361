"""The fixtures of the bench, for what is compared on it."""

from tests.bench.fixtures import engine

__all__ = ("engine",)
