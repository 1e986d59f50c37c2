"""How alike the profiles of replicates are, compared with those of different treatments."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from openhcs_runtime.choices import choose
from openhcs_runtime.exceptions import OutputError
from openhcs_runtime.profiles.columns import MapColumns, MapRole
from openhcs_runtime.profiles.roles import map_columns
from openhcs_runtime.profiles.treatments import Treatment, treatments
from openhcs_runtime.profiles.values import WellProfiles
from zmqruntime.execution.text import plural

_QUANTILE = 0.95
_FEWEST_MEASURES = 3


class Correlation(StrEnum):
    """A coefficient of correlation."""

    PEARSON = "pearson"
    """Of the values."""
    SPEARMAN = "spearman"
    """Of their ranks."""


@dataclass(frozen=True, slots=True, eq=False)
class ReplicateCorrelation:
    """How alike replicates are.

    Attributes:
        groups: the treatments with at least two wells.
        medians: median correlation of all pairs of wells of each (groups,).
        null: median correlations of wells that got different things (draws,), of groups as large as the real ones.
        threshold: the 95th percentile of ``null``.
        percent_replicating: percent of the groups whose median is above it.
        measures: the measures that were compared: those with a value in each of the wells, and not all equal.
    """

    groups: tuple[Treatment, ...]
    medians: NDArray[np.float64]
    null: NDArray[np.float64]
    threshold: float
    percent_replicating: float
    measures: tuple[str, ...]


def replicate_correlation(
    profiles: WellProfiles,
    *,
    method: Correlation | str = Correlation.PEARSON,
    chosen: NDArray[np.bool_] | None = None,
    columns: MapColumns | None = None,
    draws: int = 1000,
    seed: int = 0,
) -> ReplicateCorrelation:
    """Return how alike replicates are, and how alike wells with different compounds are by chance.

    Percent replicating: Way et al., Morphology and gene expression profiling provide complementary information for
    mapping cell state, Cell Systems 13, 2022. Replicates have the same compound, dose and cell line.

    Args:
        profiles: the wells, normalised, with at least three measures.
        method: the coefficient.
        chosen: whether a row counts (rows,), for example without controls; None for all.
        columns: the columns of the plate map by what they say; None for the usual names.
        draws: random groups of wells with different compounds that are compared with.
        seed: seed of these.

    Raises:
        OutputError: there are fewer than three measures, or no replicates, or no two different compounds.
        PlateMapError: the plate map has no column with compounds.
    """
    columns = columns or map_columns(profiles)
    columns.need(MapRole.COMPOUND, "a correlation of replicates")
    groups = [group for group in treatments(profiles, columns, chosen) if _known(group)]
    replicated = tuple(group for group in groups if len(group.rows) > 1)
    if not replicated:
        raise OutputError(f"{profiles.source} has no replicates: no two wells have the same compound and dose")
    used = np.concatenate([group.rows for group in groups])
    measures = _comparable(profiles, used)
    compared = np.full((len(profiles), len(profiles)), np.nan)
    compared[np.ix_(used, used)] = _correlations(
        profiles.only(measures).values[used], choose(Correlation, method, "correlation")
    )
    medians = np.array([_median_pair(compared, group.rows) for group in replicated])
    null = _null(compared, groups, [len(group.rows) for group in replicated], draws, np.random.default_rng(seed))
    threshold = float(np.quantile(null, _QUANTILE))
    return ReplicateCorrelation(
        replicated, medians, null, threshold, float(100 * (medians > threshold).mean()), measures
    )


def _known(group: Treatment) -> bool:
    return group.of.get(MapRole.COMPOUND) is not None


def _comparable(profiles: WellProfiles, rows: NDArray[np.intp]) -> tuple[str, ...]:
    """Return the measures that have a value in each of the rows, and not all the same."""
    values = profiles.values[rows]
    usable = np.isfinite(values).all(axis=0) & (np.ptp(np.nan_to_num(values), axis=0) > 0)
    found = tuple(name for name, use in zip(profiles.measures, usable.tolist(), strict=True) if use)
    if len(found) < _FEWEST_MEASURES:
        raise OutputError(
            f"{profiles.source} has {plural(len(found), 'measure')} with different values in all wells, and a "
            f"correlation needs {_FEWEST_MEASURES}: choose more measures, or wells without missing values"
        )
    return found


def _correlations(values: NDArray[np.float64], method: Correlation) -> NDArray[np.float64]:
    """Return the correlations of all pairs of rows (rows, rows); NaN for a row of equal values."""
    compared = _ranks(values) if method is Correlation.SPEARMAN else values
    centred = compared - compared.mean(axis=1, keepdims=True)
    lengths = np.linalg.norm(centred, axis=1, keepdims=True)
    unit = np.divide(centred, lengths, out=np.full_like(centred, np.nan), where=lengths > 0)
    correlations: NDArray[np.float64] = np.clip(unit @ unit.T, -1.0, 1.0)
    return correlations


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the rank of each value in its row (rows, measures); equal values share the mean of theirs."""
    from scipy.stats import rankdata  # noqa: PLC0415  heavy

    ranks: NDArray[np.float64] = rankdata(values, axis=1)
    return ranks


def _median_pair(correlations: NDArray[np.float64], rows: NDArray[np.intp]) -> float:
    one, other = np.triu_indices(len(rows), 1)
    return float(np.median(correlations[rows[one], rows[other]]))


def _null(
    correlations: NDArray[np.float64],
    groups: Sequence[Treatment],
    sizes: Sequence[int],
    draws: int,
    random: np.random.Generator,
) -> NDArray[np.float64]:
    """Return median correlations of random wells with different compounds (draws,)."""
    by_compound: dict[object, list[int]] = {}
    for group in groups:
        by_compound.setdefault(group.of[MapRole.COMPOUND], []).extend(group.rows.tolist())
    wells = [np.array(rows) for rows in by_compound.values()]
    if len(wells) < 2:
        raise OutputError("there is only one compound, so that nothing can be compared with its replicates")
    found = np.empty(draws)
    for draw in range(draws):
        size = min(int(random.choice(sizes)), len(wells))
        compounds = random.choice(len(wells), size, replace=False)
        found[draw] = _median_pair(correlations, np.array([random.choice(wells[place]) for place in compounds]))
    return found
