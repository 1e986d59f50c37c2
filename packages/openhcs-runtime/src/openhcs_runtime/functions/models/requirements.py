"""Checks that the library and the weights of a model are there, without importing the library."""

import importlib.util
from collections.abc import Iterator, Sequence
from pathlib import Path

__all__ = ["missing_library", "missing_weights"]


def missing_library(module: str, name: str, extra: str) -> Iterator[str]:
    """Yield a line if a library is not installed.

    Args:
        module: what is imported.
        name: name of the library.
        extra: the extra of this package that installs it.
    """
    if importlib.util.find_spec(module) is None:
        yield f"{name} is not installed: pip install 'openhcs-runtime[{extra}]'"


def missing_weights(weights: str, found: Path | None, looked_in: Sequence[Path], fetch: str) -> Iterator[str]:
    """Yield a line if weights were not found; they are never downloaded by a run.

    Args:
        weights: what was asked for.
        found: where the weights are; None if they were not found.
        looked_in: the files or folders that were looked for.
        fetch: the command that fetches the weights.
    """
    if found is None:
        places = " and ".join(map(str, looked_in))
        yield f"weights {weights!r} were not found (looked for {places}), and a run does not download any: {fetch}"
