"""Short texts for many wells or numbers: ``A-H x 1-12``, ``1-3, 7``."""

from collections.abc import Iterable

from openhcs_runtime.components import well_name, well_position

_FEW = 4


def number_ranges(numbers: Iterable[int]) -> str:
    """Return ``1-3, 7`` for 1, 2, 3, 7."""
    return ", ".join(str(low) if low == high else f"{low}-{high}" for low, high in _runs(sorted(set(numbers))))


def well_ranges(wells: Iterable[str]) -> str:
    """Return wells as blocks in plate order: ``A-H x 1-6+9, J05`` is columns 1 to 6 and 9 of rows A to H, and J05.

    The wells of small blocks are listed.
    """
    columns: dict[int, list[int]] = {}
    for row, column in sorted(map(well_position, set(wells))):
        columns.setdefault(row, []).append(column)
    blocks: list[tuple[int, int, list[tuple[int, int]]]] = []
    for row, present in columns.items():
        runs = _runs(present)
        if blocks and blocks[-1][1] == row - 1 and blocks[-1][2] == runs:
            blocks[-1] = (blocks[-1][0], row, runs)
        else:
            blocks.append((row, row, runs))
    return ", ".join(_block(*block) for block in blocks)


def _block(first: int, last: int, runs: list[tuple[int, int]]) -> str:
    wells = [(row, column) for row in range(first, last + 1) for low, high in runs for column in range(low, high + 1)]
    if len(wells) <= _FEW and first != last:
        return ", ".join(well_name(*well) for well in wells)
    if first == last:
        return ", ".join(
            well_name(first, low) if low == high else f"{well_name(first, low)}-{well_name(first, high)}"
            for low, high in runs
        )
    letters = f"{well_name(first, 0)[:-2]}-{well_name(last, 0)[:-2]}"
    return f"{letters} x " + "+".join(number_ranges(range(low + 1, high + 2)) for low, high in runs)


def _runs(numbers: list[int]) -> list[tuple[int, int]]:
    """Return the first and last number of each run of consecutive numbers in a sorted list."""
    runs: list[tuple[int, int]] = []
    for number in numbers:
        if runs and runs[-1][1] == number - 1:
            runs[-1] = (runs[-1][0], number)
        else:
            runs.append((number, number))
    return runs
