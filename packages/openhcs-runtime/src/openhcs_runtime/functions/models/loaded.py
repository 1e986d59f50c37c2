"""The one place from which the ready steps take the decorator that keeps a model loaded."""

import functools
from collections.abc import Callable
from typing import Literal, ParamSpec, TypeVar

_P = ParamSpec("_P")
_T = TypeVar("_T")
_MOST_MODELS = 2


def model(*, device: Literal["cpu", "gpu"] = "cpu") -> Callable[[Callable[_P, _T]], Callable[_P, _T]]:
    """Keep the models that a loader has loaded last in this process."""

    def declare(loader: Callable[_P, _T]) -> Callable[_P, _T]:
        cached: Callable[_P, _T] = functools.lru_cache(_MOST_MODELS)(loader)  # type: ignore[assignment]
        return cached

    return declare
