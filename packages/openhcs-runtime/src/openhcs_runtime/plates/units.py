"""Conversion of units of length, as instruments and programs spell them, to micrometres; used by all formats."""

import re

_PREFIXES = {
    "": 1e6,
    "d": 1e5,
    "deci": 1e5,
    "c": 1e4,
    "centi": 1e4,
    "m": 1e3,
    "milli": 1e3,
    "u": 1.0,
    "\u00b5": 1.0,
    "\u03bc": 1.0,
    "mc": 1.0,
    "micro": 1.0,
    "n": 1e-3,
    "nano": 1e-3,
    "p": 1e-6,
    "pico": 1e-6,
}
_OTHERS = {
    "micron": 1.0,
    "microns": 1.0,
    "\u212b": 1e-4,
    "\u00c5": 1e-4,
    "angstrom": 1e-4,
    "angstroms": 1e-4,
    "\u00e5ngstr\u00f6m": 1e-4,
    "in": 25400.0,
    "inch": 25400.0,
    "inches": 25400.0,
    '"': 25400.0,
}
_ESCAPE = re.compile(r"\\u([0-9A-Fa-f]{4})")
_DECODED_TWICE = {"\u00c2\u00b5": "\u00b5", "\u00ce\u00bc": "\u03bc"}
"""UTF-8 decoded as Latin-1."""


def micrometres(unit: object) -> float | None:
    r"""Return the length of a unit in micrometres; None for anything not known to be a length, such as pixels.

    Accepts symbols (um, nm, and µm with either Unicode character), names in either spelling (micron, micrometer,
    Micrometres) and the escape ``\u00B5m`` of ImageJ. Symbols are case-sensitive (Mm is not a millimetre), names are
    not.
    """
    if not isinstance(unit, str):
        return None
    text = _ESCAPE.sub(lambda match: chr(int(match[1], 16)), unit.strip())
    for wrong, right in _DECODED_TWICE.items():
        text = text.replace(wrong, right)
    lower = text.lower()
    if lower in _OTHERS or text in _OTHERS:
        return _OTHERS.get(text, _OTHERS.get(lower))
    for ending in ("meters", "metres", "meter", "metre"):
        if lower.endswith(ending):
            prefix = lower.removesuffix(ending)
            return _PREFIXES.get(prefix) if len(prefix) != 1 or prefix in "\u00b5\u03bc" else None
    if text in ("UM", "Um", "uM"):
        return 1.0
    return _PREFIXES.get(text[:-1]) if text.endswith("m") and len(text) <= 3 else None


def micrometre_value(value: object, unit: object) -> float | None:
    """Return a positive length in micrometres, rounded to 6 decimals; None if the number or the unit is not usable."""
    factor = micrometres(unit)
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    if factor is None or not 0 < number * factor < 1e9:
        return None
    return round(number * factor, 6)
