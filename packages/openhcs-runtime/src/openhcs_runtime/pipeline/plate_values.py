"""Values that steps over the plate make, and how later functions of wells get them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from openhcs_runtime.components import Component, ImageKey
from openhcs_runtime.exceptions import StepError
from openhcs_runtime.pipeline.decorators import PlateOutput

Content: TypeAlias = "bool | int | float | str | NDArray[np.generic] | list[Content] | dict[str | int, Content] | None"
"""What a value consists of."""

_ARRAY_KINDS = "biuf"


@dataclass(frozen=True, slots=True)
class PlateValue:
    """A value that a step over the plate has made.

    Attributes:
        output: Its name, and what it has entries for.
        content: The value.
        maker: Name of the function that made it, for error messages.
    """

    output: PlateOutput
    content: Content
    maker: str = ""

    def for_images(self, keys: Sequence[ImageKey]) -> Content:
        """Return what a function gets whose stack has these images; see ``plate_output``.

        Raises:
            StepError: If there is no entry for one of them.
        """
        per = self.output.per
        if per is None:
            return self.content
        entries = [self._entry(key.value(per)) for key in keys]
        if per is Component.WELL:
            return entries[0]
        arrays = [entry for entry in entries if isinstance(entry, np.ndarray)]
        if len(arrays) == len(entries) and len({(array.shape, array.dtype) for array in arrays}) == 1:
            return np.stack(arrays)
        return entries

    def _entry(self, value: str | int) -> Content:
        assert isinstance(self.content, dict)
        if value not in self.content:
            known = ", ".join(map(str, self.content)) or "none"
            raise StepError(f"{self.maker} made no {self.output.name} for {self.output.per} {value} (only for {known})")
        return self.content[value]


def checked_value(made: object, output: PlateOutput, maker: str) -> PlateValue:
    """Check what a function of a step over the plate has returned.

    Raises:
        StepError: If it can't be stored, or is not a dict by the values of ``output.per``.
    """
    content = _content(made, output.name, maker)
    if output.per is not None:
        wanted = str if output.per is Component.WELL else int
        if not isinstance(content, dict) or not all(type(key) is wanted for key in content):
            raise StepError(
                f"{maker} must return a dict with an entry for each {output.per}, as declared with plate_output, not "
                f"{_described(made)}"
            )
    return PlateValue(output, content, maker)


def _content(value: object, where: str, maker: str) -> Content:
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.ndarray):
        if value.dtype.kind not in _ARRAY_KINDS or isinstance(value, np.ma.MaskedArray):
            raise StepError(f"{maker} returned {where} as {_described(value)}: use numbers or booleans")
        return np.array(value)
    if isinstance(value, Mapping):
        return {_key(key, where, maker): _content(entry, f"{where}[{key!r}]", maker) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_content(entry, f"{where}[{place}]", maker) for place, entry in enumerate(value)]
    raise StepError(
        f"{maker} returned {where} as {_described(value)}: use arrays, numbers, strings, and lists and dicts of these"
    )


def _key(key: object, where: str, maker: str) -> str | int:
    if isinstance(key, np.integer):
        return int(key)
    if isinstance(key, str):
        return str(key)
    if isinstance(key, int) and not isinstance(key, bool):
        return key
    raise StepError(f"{maker} returned {where} with the key {key!r}: use strings or whole numbers")


def _described(value: object) -> str:
    if isinstance(value, np.ndarray):
        return f"an array of {value.dtype}"
    return f"a value of type {type(value).__name__}"
