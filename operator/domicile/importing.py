"""Importing a part of a package without the rest, where the rest costs seconds of each start and is never used."""

import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from importlib.machinery import PathFinder
from types import ModuleType
from typing import Final

_ONE_AT_A_TIME: Final = threading.RLock()
"""What is imported meanwhile in another thread must not find the package half there."""


@contextmanager
def as_if_missing(package: str) -> Generator[None]:
    """Meanwhile the package is not to be had, for who does without it where it is not installed. One already imported stays."""
    with _ONE_AT_A_TIME:
        if package in sys.modules:
            yield
            return
        sys.modules[package] = None  # pyright: ignore[reportArgumentType] - documented: ModuleNotFoundError for who imports it
        try:
            yield
        finally:
            del sys.modules[package]


@contextmanager
def without_its_init(package: str) -> Generator[None]:
    """Meanwhile submodules of the package are imported without running its `__init__`. Whoever imports the package later gets it
    whole. One already imported stays."""
    with _ONE_AT_A_TIME:
        found = PathFinder.find_spec(package) if package not in sys.modules else None
        if found is None:
            yield
            return
        bare = ModuleType(package)
        bare.__path__ = list(found.submodule_search_locations or ())
        bare.__spec__ = found
        sys.modules[package] = bare
        try:
            yield
        finally:
            del sys.modules[package]
