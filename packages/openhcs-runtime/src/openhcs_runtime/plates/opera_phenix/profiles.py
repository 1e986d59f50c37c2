"""The text of flat-field profiles in Harmony's files: ``{Background: {Character: NonFlat, Profile: {...}}, ...}``.

It is JSON, or the same without quotes. A profile of the type ``Polynomial`` has ``Coefficients`` (the constant, then
the factors of x and y, ...), ``Dims``, ``Origin`` and ``Scale``, each x before y; the character ``Null`` or ``Flat``
means that there is nothing to correct. The files are the index, or those in ``FFC_Profile`` next to ``Images``.
"""

from collections.abc import Mapping
from typing import TypeAlias, Union

from openhcs_runtime.plates.flat_field import FlatField, Polynomial
from openhcs_runtime.plates.xml import children, elements, number, text_of, whole_number
from openhcs_runtime.stores.path import AnyPath

__all__ = ["parse_profile", "parse_profiles", "read_profiles"]

_Value: TypeAlias = Union[str, "list[_Value]", "dict[str, _Value]"]

_DEEPEST = 12
_MOST_DEGREES = 20


def read_profiles(path: AnyPath) -> dict[int, FlatField]:
    """Return the flat-field profile of each channel in a file.

    Raises:
        ValueError: If the file is not XML, or a profile can't be understood.
        OSError: If it can't be read.
    """
    texts: dict[int, str] = {}
    for element in elements(path, "Entry", "Image"):
        fields = children(element)
        if text := text_of(fields.get("FlatfieldProfile")):
            texts[whole_number(element.get("ChannelID", ""))] = text
        elif texts and "URL" in fields:
            break  # in an index, the images follow the profiles, and there may be a million
    return parse_profiles(texts)


def parse_profiles(texts: Mapping[int, str]) -> dict[int, FlatField]:
    """Return the profiles in the texts of channels.

    Raises:
        ValueError: If one can't be understood; the message has its channel.
    """
    found = {}
    for channel, text in sorted(texts.items()):
        try:
            found[channel] = parse_profile(text)
        except ValueError as error:
            raise ValueError(f"the flat-field profile of channel {channel}: {error}") from None
    return found


def parse_profile(text: str) -> FlatField:
    """Return the profiles in a text.

    Raises:
        ValueError: If it can't be understood.
    """
    said = _Reader(text).read()
    if not isinstance(said, dict):
        raise ValueError("it is not of the form {Foreground: {...}, Background: {...}}")
    return FlatField(_polynomial(said, "Foreground"), _polynomial(said, "Background"))


def _polynomial(said: Mapping[str, _Value], name: str) -> Polynomial | None:
    part = said.get(name)
    profile = part.get("Profile") if isinstance(part, dict) else None
    if not isinstance(part, dict) or not isinstance(profile, dict) or part.get("Character") in ("Null", "Flat"):
        return None
    kind = profile.get("Type")
    if kind == "Identity":
        return None
    rows = profile.get("Coefficients")
    if kind != "Polynomial" or not isinstance(rows, list) or not 0 < len(rows) <= _MOST_DEGREES:
        raise ValueError(f"{name} is not a polynomial")
    coefficients = tuple(tuple(_numbers(row)) for row in rows)
    if any(len(row) != degree + 1 for degree, row in enumerate(coefficients)):
        raise ValueError(f"the coefficients of {name} are not complete")
    (width, height), origin, scale = (_pair(profile, key) for key in ("Dims", "Origin", "Scale"))
    if width < 1 or height < 1:
        raise ValueError(f"the dimensions of {name} are not positive")
    return Polynomial(coefficients, (int(width), int(height)), origin, scale)


def _pair(profile: Mapping[str, _Value], name: str) -> tuple[float, float]:
    values = _numbers(profile.get(name))
    if len(values) != 2:
        raise ValueError(f"{name} has not two numbers")
    return values[0], values[1]


def _numbers(values: "_Value | None") -> list[float]:
    if not isinstance(values, list):
        raise ValueError("a list of numbers is missing")
    return [number(value if isinstance(value, str) else "") for value in values]


class _Reader:
    """Reads JSON, with or without quotes."""

    def __init__(self, text: str) -> None:
        self._text = text.strip()
        self._at = 0

    def read(self) -> _Value:
        """Return the value, which is the whole text."""
        value = self._value(0)
        if self._next():
            raise ValueError(f"it goes on at character {self._at + 1}")
        return value

    def _value(self, depth: int) -> _Value:
        if depth > _DEEPEST:
            raise ValueError("it is nested too deeply")
        match self._next():
            case "{":
                return self._object(depth)
            case "[":
                return self._list(depth)
            case _:
                return self._word(",}]")

    def _object(self, depth: int) -> dict[str, _Value]:
        self._at += 1
        values: dict[str, _Value] = {}
        last = ""
        while self._goes_on("}", first=not values):
            key = self._word(":,}]")
            before = values.get(last)
            if self._next() == ":":
                self._at += 1
                last, values[key] = key, self._value(depth + 1)
            elif isinstance(before, str):
                values[last] = f"{before}, {key}"  # names of channels have no quotes around their commas
            else:
                raise ValueError(f"a colon is missing at character {self._at + 1}")
        return values

    def _list(self, depth: int) -> list[_Value]:
        self._at += 1
        values: list[_Value] = []
        while self._goes_on("]", first=not values):
            values.append(self._value(depth + 1))
        return values

    def _goes_on(self, end: str, *, first: bool) -> bool:
        """Return whether another part follows, and step over the comma before it or over the end."""
        found = self._next()
        if found == end:
            self._at += 1
            return False
        if not first:
            if found != ",":
                raise ValueError(f"a comma is missing at character {self._at + 1}")
            self._at += 1
        elif not found:
            raise ValueError("it is not complete")
        return True

    def _next(self) -> str:
        while self._at < len(self._text) and self._text[self._at].isspace():
            self._at += 1
        return self._text[self._at : self._at + 1]

    def _word(self, ends: str) -> str:
        if self._next() == '"':
            end = self._text.find('"', self._at + 1)
            if end < 0:
                raise ValueError(f"the quote at character {self._at + 1} does not end")
            word, self._at = self._text[self._at + 1 : end], end + 1
            return word
        start = self._at
        while self._at < len(self._text) and self._text[self._at] not in ends:
            self._at += 1
        return self._text[start : self._at].strip()
