"""The fixtures of the bench, for its own tests."""

from tests.bench.fixtures import engine

__all__ = ("engine",)
