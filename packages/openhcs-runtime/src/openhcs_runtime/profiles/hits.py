"""Wells, or replicates together, whose normalised value is beyond a threshold."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from openhcs_runtime.choices import choose
from openhcs_runtime.plate_map import MapValue
from openhcs_runtime.profiles.columns import MapColumns, MapRole
from openhcs_runtime.profiles.roles import map_columns
from openhcs_runtime.profiles.treatment import Treatment, treatments
from openhcs_runtime.profiles.values import WellProfiles

HIT_THRESHOLD = 3.0


class HitDirection(StrEnum):
    """On which side of the threshold a value is."""

    UP = "up"
    DOWN = "down"


class HitSide(StrEnum):
    """Which sides are looked at."""

    BOTH = "both"
    UP = "up"
    DOWN = "down"


@dataclass(frozen=True, slots=True)
class Hit:
    """Equal wells whose value is beyond the threshold.

    Attributes:
        measure: the measure.
        value: the median of the wells.
        direction: on which side it is.
        wells: the wells that have a value.
        plates: plate of each well.
        agreeing: how many of the wells are beyond the threshold themselves, on the same side.
        of: compound, dose, unit of the dose and cell line, as far as the plate map has them.
    """

    measure: str
    value: float
    direction: HitDirection
    wells: tuple[str, ...]
    plates: tuple[str, ...]
    agreeing: int
    of: Mapping[MapRole, MapValue | None]


def find_hits(
    profiles: WellProfiles,
    measure: str,
    *,
    threshold: float = HIT_THRESHOLD,
    side: HitSide | str = HitSide.BOTH,
    controls: NDArray[np.bool_] | None = None,
    columns: MapColumns | None = None,
) -> list[Hit]:
    """Return the hits of a measure, the strongest first.

    Wells with the same compound, dose and cell line are replicates: they count together, by their median. The usual
    threshold is 3, for z scores and their kin: Birmingham et al., Statistical methods for analysis of high-throughput
    RNA interference screens, Nature Methods 6, 2009.

    Args:
        profiles: the wells, normalised.
        measure: a measure of them, such as ``nuclei_count_robust_z``.
        threshold: how far from 0 a hit is at least; above 0.
        side: whether values above, below or on both sides count.
        controls: whether a row is a control (rows,), which is not a hit; None if there are none.
        columns: the columns of the plate map by what they say; None for the usual names.

    Raises:
        OutputError: there is no such measure.
        PlateMapError: a column of the plate map can't be told from another.
        ValueError: the threshold is not above 0.
    """
    side = choose(HitSide, side, "side")
    if not threshold > 0:
        raise ValueError(f"a threshold of {threshold} chooses every well: give one above 0")
    values = profiles.column(measure)
    counted = np.isfinite(values) if controls is None else np.isfinite(values) & ~controls
    groups = treatments(profiles, columns or map_columns(profiles), counted)
    found = [_hit(profiles, measure, values, group, threshold) for group in groups]
    hits = [hit for hit in found if abs(hit.value) >= threshold and side in (HitSide.BOTH, hit.direction.value)]
    return sorted(hits, key=lambda hit: -abs(hit.value))


def _hit(profiles: WellProfiles, measure: str, values: NDArray[np.float64], group: Treatment, threshold: float) -> Hit:
    of_group = values[group.rows]
    value = float(np.median(of_group))
    sign = -1.0 if value < 0 else 1.0
    rows = group.rows.tolist()
    return Hit(
        measure=measure,
        value=value,
        direction=HitDirection.DOWN if sign < 0 else HitDirection.UP,
        wells=tuple(profiles.wells[row] for row in rows),
        plates=tuple(profiles.plates[row] for row in rows),
        agreeing=int((sign * of_group >= threshold).sum()),
        of=group.of,
    )
