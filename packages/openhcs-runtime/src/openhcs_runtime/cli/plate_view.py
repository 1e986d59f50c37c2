"""A plate in words: what it holds, and what it lacks."""

from collections.abc import Mapping
from typing import Any

from openhcs_runtime.cli.map_view import map_view
from openhcs_runtime.components import Component, well_name, well_position
from openhcs_runtime.exceptions import ImageError, printable
from openhcs_runtime.plates import Plate, PlateProblem, ProblemKind, format_named
from openhcs_runtime.plates.read import read_header
from openhcs_runtime.plates.well_ranges import number_ranges, well_ranges
from zmqruntime.execution.text import plural

__all__ = ["channels_text", "first_image", "plate_document", "plate_lines", "plate_map"]

_GRIDS = ((8, 12), (16, 24), (32, 48))
_SHOWN_PROBLEMS = 15
_MOST_PIXELS = 100_000_000  # of a larger image only the header is read
_TITLES = {
    ProblemKind.GAP: "Missing",
    ProblemKind.STRAY_FILE: "Not part of the plate",
    ProblemKind.DUPLICATE: "Duplicates",
    ProblemKind.METADATA: "Not understood",
    ProblemKind.UNREADABLE: "Can't be read",
    ProblemKind.MIXED: "Different",
    ProblemKind.NOTE: "Note",
}


def plate_map(plate: Plate) -> list[str]:
    """The plate in its own grid, or the smallest of 96, 384 or 1536 wells that fits.

    ``#`` is a well, ``o`` one with gaps.
    """
    places = {well_position(well): "o" if well in plate.missing else "#" for well in plate.wells}
    last_row, last_column = (max(place[axis] for place in places) for axis in (0, 1))
    grids = (*([plate.shape] if plate.shape else []), *_GRIDS, (last_row + 1, last_column + 1))
    rows, columns = next(grid for grid in grids if last_row < grid[0] and last_column < grid[1])
    numbers = [f"{column + 1:>2}" for column in range(columns)]
    head = ["   " + "".join(number[digit] for number in numbers) for digit in (0, 1)]
    return head + [
        f"{well_name(row, 0)[:-2]:>2} " + "".join(places.get((row, column), ".") for column in range(columns))
        for row in range(rows)
    ]


def first_image(plate: Plate) -> dict[str, Any]:
    """Shape and type of the first image, or why it can't be read."""
    first = next((image for images in plate.images.values() for image in images), None)
    if first is None:
        return {"image_shape": None, "dtype": None, "image_error": "no image can be opened"}
    try:
        header = read_header(plate.format, first)
        if header.shape[0] * header.shape[1] <= _MOST_PIXELS:
            plate.read(first)
    except ImageError as error:
        return {"image_shape": None, "dtype": None, "image_error": str(error)}
    return {"image_shape": list(header.shape), "dtype": str(header.dtype), "image_error": None}


def plate_document(plate: Plate, image: Mapping[str, Any]) -> dict[str, Any]:
    """The plate as a JSON document, with what :func:`first_image` found."""
    return {
        "plate_path": str(plate.path),
        "format": plate.format,
        "wells": list(plate.wells),
        "well_ranges": well_ranges(plate.wells),
        "images": sum(map(len, plate.images.values())),
        "sites": list(plate.components[Component.SITE]),
        "channels": [
            {
                "channel": channel,
                "name": plate.channel_names.get(int(channel)),
                "excitation_nm": plate.excitation_nm.get(int(channel)),
                "emission_nm": plate.emission_nm.get(int(channel)),
            }
            for channel in plate.components[Component.CHANNEL]
        ],
        "z": list(plate.components[Component.Z_INDEX]),
        "timepoints": list(plate.components[Component.TIMEPOINT]),
        "pixel_size_um": plate.pixel_size_um,
        "z_step_um": plate.z_step_um,
        "time_step_s": plate.time_step_s,
        "plate_shape": list(plate.shape) if plate.shape else None,
        "has_positions": plate.has_positions,
        "left_out": plate.left_out,
        "plate_map": map_view(plate).document(),
        **image,
        "missing": {well: len(keys) for well, keys in plate.missing.items()},
        "problems": [
            {"kind": problem.kind.value, "well": problem.well or None, "message": problem.message}
            for problem in plate.problems
        ],
    }


def _gaps(plate: Plate) -> str:
    """Return how much is missing; what it is follows further below."""
    if plate.missing:
        return f"{plural(len(plate.missing), 'well')} with images missing"
    return "see below" if any(problem.kind is ProblemKind.GAP for problem in plate.problems) else "none"


def plate_lines(plate: Plate, image: Mapping[str, Any]) -> list[str]:
    """The plate for people: its facts, its map, and what is odd about it."""
    wells = map_view(plate)
    number = sum(map(len, plate.images.values()))
    size = f"{plate.pixel_size_um:g} um" if plate.pixel_size_um else "unknown"
    stacks = len(plate.components[Component.Z_INDEX]) > 1
    step = {"Z step": f"{plate.z_step_um:g} um" if plate.z_step_um else "unknown"} if stacks else {}
    timed = len(plate.components[Component.TIMEPOINT]) > 1
    time = {"Time step": f"{plate.time_step_s:g} s" if plate.time_step_s else "unknown"} if timed else {}
    layout = {"Layout": f"{plate.shape[0]} x {plate.shape[1]} wells (rows x columns)"} if plate.shape else {}
    waves = {"Wavelengths": text} if (text := _wavelengths(plate)) else {}
    left_out = {"Left out": plural(plate.left_out, "file")} if plate.left_out else {}
    shape = image["image_shape"]
    pixels = f" of {shape[0]} x {shape[1]} pixels (Y x X), {image['dtype']}" if shape else f"; {image['image_error']}"
    facts = {
        "Plate": printable(str(plate.path)),
        "Format": format_named(plate.format).title,
        "Wells": f"{len(plate.wells):,}: {well_ranges(plate.wells)}",
        **layout,
        "Sites": _numbers(plate, Component.SITE),
        "Positions": "known" if plate.has_positions else "unknown",
        "Channels": channels_text(plate),
        **waves,
        "Planes (z)": _numbers(plate, Component.Z_INDEX),
        "Time points": _numbers(plate, Component.TIMEPOINT),
        "Images": f"{number:,}{pixels}",
        "Pixel size": size,
        **step,
        **time,
        **left_out,
        "Gaps": _gaps(plate),
        "Plate map": wells.text,
    }
    lines = [f"{name:<12} {text}" for name, text in facts.items()] + ["", *plate_map(plate)]
    if wells.problems:
        lines += ["", "Plate map:", *(f"  {printable(problem)}" for problem in wells.problems)]
    for kind, title in _TITLES.items():
        lines += _problem_lines(title, [problem for problem in plate.problems if problem.kind is kind])
    return lines


def channels_text(plate: Plate) -> str:
    """``1 DAPI, 2 GFP``, or only numbers if the channels have no names."""
    return ", ".join(_channel(plate, int(channel)) for channel in plate.components[Component.CHANNEL])


def _wavelengths(plate: Plate) -> str:
    """``1 excitation 405 nm, emission 450 nm``, for the channels of which one is known."""
    texts = []
    for channel in map(int, plate.components[Component.CHANNEL]):
        excitation, emission = plate.excitation_nm.get(channel), plate.emission_nm.get(channel)
        parts = [f"excitation {excitation:g} nm"] if excitation else []
        parts += [f"emission {emission:g} nm"] if emission else []
        if parts:
            texts.append(f"{channel} {', '.join(parts)}")
    return "; ".join(texts)


def _numbers(plate: Plate, component: Component) -> str:
    values = [int(value) for value in plate.components[component]]
    return f"{len(values):,}: {number_ranges(values)}"


def _channel(plate: Plate, channel: int) -> str:
    name = plate.channel_names.get(channel)
    return f"{channel} {name}" if name else str(channel)


def _problem_lines(title: str, problems: list[PlateProblem]) -> list[str]:
    if not problems:
        return []
    lines = ["", f"{title}:", *(f"  {problem.message}" for problem in problems[:_SHOWN_PROBLEMS])]
    if len(problems) > _SHOWN_PROBLEMS:
        lines.append(f"  and {len(problems) - _SHOWN_PROBLEMS:,} more; --json lists them all")
    return lines
