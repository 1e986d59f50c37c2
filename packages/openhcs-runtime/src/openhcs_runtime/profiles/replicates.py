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
from openhcs_runtime.profiles.treatment import Treatment, treatments
from openhcs_runtime.profiles.values import WellProfiles
from zmqruntime.execution.text import plural

_NAMED = 8
_QUANTILE = 0.95
_FEWEST_MEASURES = 3
_MOST = 0.5
"""Share of wells that have a measure, or of measures that a well has, above which these are most."""
_ROUNDING = 1e-12


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
        measures: the measures that were compared: those with a value in most of the wells, and not all equal.
        measures_left_out: the other measures.
        wells_left_out: wells with a compound that lack most of the measures, such as wells without objects.
    """

    groups: tuple[Treatment, ...]
    medians: NDArray[np.float64]
    null: NDArray[np.float64]
    threshold: float
    percent_replicating: float
    measures: tuple[str, ...]
    measures_left_out: tuple[str, ...] = ()
    wells_left_out: tuple[str, ...] = ()

    @property
    def notes(self) -> tuple[str, ...]:
        """What was compared and what was left out, in sentences."""
        left_out = (
            ("measures that most wells lack, or that are equal in all wells", self.measures_left_out),
            ("wells that lack most measures", self.wells_left_out),
        )
        compared = f"Wells are compared over {plural(len(self.measures), 'measure')}: {_listed(self.measures)}."
        return (compared, *(f"Left out are {what}: {_listed(names)}." for what, names in left_out if names))


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

    Two wells are compared over the measures that both have, of those that most wells have. Wells that lack most of
    these are left out.

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
        ValueError: there are no draws.
    """
    if draws < 1:
        raise ValueError(f"draws={draws} compares with nothing: give 1 or more, such as 1000")
    columns = columns or map_columns(profiles)
    columns.need(MapRole.COMPOUND, "a correlation of replicates")
    known = [group for group in treatments(profiles, columns, chosen) if _known(group)]
    if not _replicated(known):
        raise OutputError(_no_replicates(profiles, columns))
    used = np.sort(np.concatenate([group.rows for group in known]))
    measures = _comparable(profiles, used)
    present = np.isfinite(profiles.only(measures).values)
    has_values = present.mean(axis=1) > _MOST
    groups = [Treatment(group.of, rows) for group in known if len(rows := group.rows[has_values[group.rows]])]
    replicated = _replicated(groups)
    if not replicated:
        raise OutputError(f"{profiles.source} has no replicates with values: choose other measures")
    compared = np.full((len(profiles), len(profiles)), np.nan)
    compared[np.ix_(used, used)] = _correlations(
        profiles.only(measures).values[used], choose(Correlation, method, "correlation")
    )
    medians = np.array([_median_pair(compared, group.rows) for group in replicated])
    null = _null(compared, groups, [len(group.rows) for group in replicated], draws, np.random.default_rng(seed))
    if not (np.isfinite(null).any() and np.isfinite(medians).any()):
        raise OutputError(f"all measures of {profiles.source} are equal in a well, so that nothing can be correlated")
    threshold = float(np.nanquantile(null, _QUANTILE))
    return ReplicateCorrelation(
        replicated,
        medians,
        null,
        threshold,
        float(100 * (medians[np.isfinite(medians)] > threshold).mean()),
        measures,
        tuple(name for name in profiles.measures if name not in measures),
        tuple(profiles.wells[row] for row in used.tolist() if not has_values[row]),
    )


def _replicated(groups: Sequence[Treatment]) -> tuple[Treatment, ...]:
    return tuple(group for group in groups if len(group.rows) > 1)


def _no_replicates(profiles: WellProfiles, columns: MapColumns) -> str:
    """Return why there are no replicates."""
    if _replicated([group for group in treatments(profiles, columns) if _known(group)]):
        return (
            f"{profiles.source} has no replicates: only wells that are left out here, such as controls, have the same "
            "compound and dose"
        )
    return f"{profiles.source} has no replicates: no two wells have the same compound and dose"


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{', '.join(names[:_NAMED])}{more}"


def _known(group: Treatment) -> bool:
    return group.of.get(MapRole.COMPOUND) is not None


def _comparable(profiles: WellProfiles, rows: NDArray[np.intp]) -> tuple[str, ...]:
    """Return the measures that have a value in most of the rows that have any, and not all the same."""
    present = np.isfinite(profiles.values[rows])
    values, present = profiles.values[rows[present.any(axis=1)]], present[present.any(axis=1)]
    most = present.mean(axis=0) > _MOST if len(present) else np.zeros(len(profiles.measures), np.bool_)
    lowest, highest = (
        fill(values, where=present, initial=end, axis=0) for fill, end in ((np.min, np.inf), (np.max, -np.inf))
    )
    usable = most & (highest > lowest)
    found = tuple(name for name, use in zip(profiles.measures, usable.tolist(), strict=True) if use)
    if len(found) < _FEWEST_MEASURES:
        raise OutputError(
            f"{profiles.source} has {plural(len(found), 'measure')} with different values in most wells, and a "
            f"correlation needs {_FEWEST_MEASURES}: choose more measures, or wells without missing values"
        )
    return found


def _correlations(values: NDArray[np.float64], method: Correlation) -> NDArray[np.float64]:
    """Return the correlations of all pairs of rows (rows, rows), over the values that both have.

    NaN where fewer than three are left, or those of a row are equal.
    """
    compared = _ranks(values) if method is Correlation.SPEARMAN else values
    present = np.isfinite(compared).astype(np.float64)
    number = np.maximum(present.sum(axis=1, keepdims=True), 1)
    filled = np.nan_to_num(compared, posinf=0.0, neginf=0.0)
    centred = np.where(present > 0, filled - filled.sum(axis=1, keepdims=True) / number, 0.0)
    common = present @ present.T
    sums, squares = centred @ present.T, centred**2 @ present.T
    size = np.maximum(common, 1)
    spread = squares - sums**2 / size
    lengths = np.sqrt(np.maximum(np.where(spread > _ROUNDING * squares, spread, 0.0), 0.0))
    products = lengths * lengths.T
    covered = centred @ centred.T - sums * sums.T / size
    is_known = (products > 0) & (common >= _FEWEST_MEASURES)
    correlations: NDArray[np.float64] = np.divide(covered, products, out=np.full_like(covered, np.nan), where=is_known)
    return np.clip(correlations, -1.0, 1.0)


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the rank of each value in its row (rows, measures); equal values share the mean of theirs."""
    from scipy.stats import rankdata  # noqa: PLC0415  heavy

    ranks: NDArray[np.float64] = rankdata(np.where(np.isfinite(values), values, np.nan), axis=1, nan_policy="omit")
    return ranks


def _median_pair(correlations: NDArray[np.float64], rows: NDArray[np.intp]) -> float:
    """Return the median correlation of all pairs of rows; NaN if none is known."""
    one, other = np.triu_indices(len(rows), 1)
    pairs = correlations[rows[one], rows[other]]
    known = pairs[np.isfinite(pairs)]
    return float(np.median(known)) if len(known) else float("nan")


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
