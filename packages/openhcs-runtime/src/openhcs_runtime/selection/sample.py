"""A sample of wells that is spread over the plate, and is the same for the same seed."""

import hashlib
from collections import Counter
from collections.abc import Sequence

from openhcs_runtime.wells import well_position


def sample_wells(wells: Sequence[str], number: int, seed: int = 0) -> tuple[str, ...]:
    """Choose wells that are spread over rows and columns.

    Wells are added one by one. The next one is the one whose row and column have been used least so far; of several
    such wells the one farthest from all that are chosen, and of several as far away the one that the seed puts first
    (by the BLAKE2b digest of seed and name). So a sample of 8 from a 96-well plate has a well in each row, and no two
    in one column.

    Args:
        wells: the wells to choose from.
        number: how many to choose, at most as many as there are.
        seed: another seed gives another sample.

    Returns:
        The chosen wells, in the order of ``wells``.

    Raises:
        ValueError: there are not as many wells, or ``number`` is not positive.
    """
    if not 0 < number <= len(wells):
        raise ValueError(f"a sample of {number} can't be taken from {len(wells)} wells")
    places = {well: well_position(well) for well in wells}
    order = {well: hashlib.blake2b(f"{seed} {well}".encode(), digest_size=8).digest() for well in wells}
    left = sorted(wells, key=lambda well: order[well])
    distances = dict.fromkeys(wells, 0)
    rows: Counter[int] = Counter()
    columns: Counter[int] = Counter()
    chosen: set[str] = set()
    while len(chosen) < number:
        best = min(left, key=lambda well: (rows[places[well][0]] + columns[places[well][1]], -distances[well]))
        left.remove(best)
        chosen.add(best)
        row, column = places[best]
        rows[row] += 1
        columns[column] += 1
        for well in left:
            far = (places[well][0] - row) ** 2 + (places[well][1] - column) ** 2
            distances[well] = far if len(chosen) == 1 else min(distances[well], far)
    return tuple(well for well in wells if well in chosen)
