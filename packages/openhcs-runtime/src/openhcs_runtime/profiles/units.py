"""Units of doses, so that doses of one compound in different units can be compared."""

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple


class DoseKind(StrEnum):
    """What a dose is an amount of; doses of different kinds can't be compared."""

    MOLAR = "molar"
    MASS = "mass per volume"
    PERCENT = "percent"


class DoseUnit(NamedTuple):
    """A unit.

    Attributes:
        kind: what it is a unit of.
        factor: how many mol/L, g/L or percent it is.
    """

    kind: DoseKind
    factor: float


_PREFIXES: Mapping[str, float] = {"f": 1e-15, "p": 1e-12, "n": 1e-9, "u": 1e-6, "m": 1e-3, "": 1.0}
_VOLUMES: Mapping[str, float] = {"l": 1.0, "ml": 1e-3, "ul": 1e-6}
_UNITS: Mapping[str, DoseUnit] = {
    **{f"{prefix}m": DoseUnit(DoseKind.MOLAR, factor) for prefix, factor in _PREFIXES.items()},
    **{f"{prefix}mol/l": DoseUnit(DoseKind.MOLAR, factor) for prefix, factor in _PREFIXES.items()},
    **{
        f"{prefix}g/{volume}": DoseUnit(DoseKind.MASS, factor / litres)
        for prefix, factor in _PREFIXES.items()
        for volume, litres in _VOLUMES.items()
    },
    **dict.fromkeys(("%", "percent"), DoseUnit(DoseKind.PERCENT, 1.0)),
}


def dose_unit(text: str) -> DoseUnit | None:
    """Return the unit that a text such as ``uM``, ``nM`` or ``ug/mL`` names; None for others. Case does not count."""
    plain = text.strip().lower().replace("µ", "u").replace("μ", "u").replace("_per_", "/")
    return _UNITS.get(plain)


def conversion(text: str, target: str) -> float | None:
    """Return what doses in one unit are multiplied by to be in another.

    Args:
        text: unit of the doses.
        target: the other unit.

    Returns:
        The factor; None if the units can't be converted. Equal texts need not be known units.
    """
    if text.strip() == target.strip():
        return 1.0
    one, other = dose_unit(text), dose_unit(target)
    if one is None or other is None or one.kind is not other.kind:
        return None
    return one.factor / other.factor
