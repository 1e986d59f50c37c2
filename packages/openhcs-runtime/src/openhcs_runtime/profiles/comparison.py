"""What wells are compared with where nothing is asked for: negative controls, or all wells if too few are left."""

from collections.abc import Mapping
from dataclasses import dataclass

from openhcs_runtime.profiles.columns import MapColumns
from openhcs_runtime.profiles.roles import ControlKind, ControlWells, control_wells, has_usual_value
from openhcs_runtime.profiles.values import WellProfiles
from openhcs_runtime.profiles.words import Normalisation, Reference
from zmqruntime.execution.text import plural

FEWEST_CONTROLS = 3
"""Negative controls of a plate whose spread says something; with two, a spread is half of a single difference."""
_BY_SPREAD = (Normalisation.Z_SCORE, Normalisation.ROBUST_Z_SCORE)
_NAMES = {Reference.CONTROLS: "the negative controls", Reference.PLATE: "all wells of the plate"}


@dataclass(frozen=True, slots=True)
class Comparison:
    """What wells are compared with, and why.

    Attributes:
        to: what they are compared with.
        reason: why it is not what is usual, such as "only 2 negative controls are left"; empty if it is.
    """

    to: Reference
    reason: str = ""

    @property
    def name(self) -> str:
        """What wells are compared with, in words."""
        return _NAMES[self.to]

    @property
    def sentence(self) -> str:
        """The comparison and its reason in a line."""
        return f"Compared with {self.name}" + (f": {self.reason}" if self.reason else "")


def usual_comparison(
    profiles: WellProfiles,
    controls: Mapping[ControlKind, ControlWells],
    method: Normalisation = Normalisation.ROBUST_Z_SCORE,
    columns: MapColumns | None = None,
) -> Comparison:
    """Return what wells are compared with where nothing is asked for.

    Args:
        profiles: the wells that count.
        controls: the control wells by kind, as ``find_controls`` returns them.
        method: how values are related; those that need no spread need no number of controls.
        columns: the columns of the plate map by what they say; None for the usual names.

    Raises:
        PlateMapError: there is no plate map, or several words in it may be those of negative controls.
    """
    if method is Normalisation.B_SCORE:
        return Comparison(Reference.PLATE)
    if method not in _BY_SPREAD:
        return Comparison(Reference.CONTROLS)
    negative = controls.get(ControlKind.NEGATIVE)
    if negative is None:
        if not profiles.plate_map or has_usual_value(profiles, ControlKind.NEGATIVE, columns):
            control_wells(profiles, ControlKind.NEGATIVE, columns=columns)  # says why they are not known
        return Comparison(Reference.PLATE, "no negative controls are known")
    counts = {plate: int(negative.chosen[rows].sum()) for plate, rows in profiles.plate_rows().items()}
    plate, fewest = min(counts.items(), key=lambda item: item[1])
    if fewest >= FEWEST_CONTROLS:
        return Comparison(Reference.CONTROLS)
    where = f" of plate {plate}" if len(counts) > 1 else ""
    verb = "is" if fewest == 1 else "are"
    return Comparison(Reference.PLATE, f"only {plural(fewest, 'negative control')}{where} {verb} left")
