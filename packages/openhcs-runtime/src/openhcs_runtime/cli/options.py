"""Options that several commands share."""

import contextlib
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from openhcs_runtime.config import AUTO, LARGEST_SEED, is_dask_address
from openhcs_runtime.exceptions import ViewerError
from openhcs_runtime.viewer_target import ViewTarget

__all__ = [
    "Channel",
    "DaskCluster",
    "Diameter",
    "Fresh",
    "Host",
    "ImagePattern",
    "Json",
    "OutputFolder",
    "PipelineFile",
    "Port",
    "Replace",
    "ResultsFolder",
    "View",
    "ViewComponents",
    "Workers",
    "read_components",
    "read_diameter",
    "seconds",
    "whole_number",
]


def whole_number(lowest: int, highest: int | None = None) -> Callable[[str], int]:
    """Reads a whole number of a range; what is none is said with the range."""
    wanted = f"a whole number from {lowest}" + (f" to {highest}" if highest is not None else "")

    def read(text: str) -> int:
        given = str(text)  # a default comes as it is
        number = int(given) if given.isascii() and given.isdigit() else lowest - 1
        if number < lowest or (highest is not None and number > highest):
            raise typer.BadParameter(f"{given!r} is not {wanted}")
        return number

    return read


def seconds(lowest: float) -> Callable[[str], float]:
    """Reads a time in seconds, fractions included."""

    def read(text: str) -> float:
        with contextlib.suppress(ValueError):
            if lowest <= (number := float(text)) < math.inf:
                return number
        raise typer.BadParameter(f"{str(text)!r} is not a number of seconds from {lowest:g}")

    return read


def _check_workers(text: str | None) -> str | None:
    if text is None or text == AUTO or (text.isascii() and text.isdigit() and int(text) > 0):
        return text
    raise typer.BadParameter(f"{text!r} is neither a number from 1 nor 'auto'")


def _check_dask(text: str | None) -> str | None:
    if text is None or is_dask_address(text):
        return text
    raise typer.BadParameter(f"{text!r} is neither 'local' nor an address like tcp://host:8786")


def _check_diameter(text: str | None) -> str | None:
    if text is not None:
        read_diameter(text)
    return text


def read_diameter(text: str) -> tuple[float, bool]:
    """What `--diameter` says, and whether it is in pixels. Raises typer.BadParameter."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*(um|\u00b5m|\u03bcm|px)?\s*", text)
    if match is None or not 0 < float(match[1]) < math.inf:
        raise typer.BadParameter(f"{text!r} is not a diameter: give micrometres as in 12, or pixels as in 30px")
    return float(match[1]), match[2] == "px"


def _check_view(text: str | None) -> str | None:
    try:
        return None if text is None else str(ViewTarget.parse(text))
    except ViewerError as error:
        raise typer.BadParameter(str(error)) from error


def _check_components(text: str | None) -> str | None:
    if text is not None:
        read_components(text)
    return text


def read_components(text: str | None) -> dict[str, str]:
    """What `--view-components` says, by component. Raises typer.BadParameter."""
    pairs = [pair.strip().partition("=") for pair in (text or "").split(",") if pair.strip()]
    if any(not name or not mode for name, _, mode in pairs):
        raise typer.BadParameter(f"{text!r} is not of the form channel=layer,site=slider")
    return {name.strip(): mode.strip() for name, _, mode in pairs}


Port = Annotated[
    int,
    typer.Option(
        parser=whole_number(1, 64535),
        metavar="P",
        help="Data port of the server, up to 64535; its control port is 1000 higher.",
    ),
]
Host = Annotated[
    str | None,
    typer.Option(metavar="H", help="Use TCP and this address, e.g. 127.0.0.1, instead of a socket file of this user."),
]
PipelineFile = Annotated[
    Path | None, typer.Option(metavar="FILE.py", help="Pipeline file [default: nuclei are counted].")
]
OutputFolder = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="Folder for the results [default: a new one in PLATE_results next to the plate]."),
]
ResultsFolder = Annotated[
    Path | None,
    typer.Option(
        "--results-dir",
        metavar="DIR",
        help="Folder in which the run gets one of its own [default: PLATE_results next to the plate].",
    ),
]
Replace = Annotated[
    bool,
    typer.Option("--replace", help="With --output: replace the results in it when the new ones are complete."),
]
Fresh = Annotated[
    bool, typer.Option("--fresh", help="Work on all wells, also on those that an earlier run made the same way.")
]
Workers = Annotated[
    str | None,
    typer.Option(
        metavar="N|auto",
        callback=_check_workers,
        help="Wells at the same time; auto is one per core, or fewer where memory is short.",
    ),
]
DaskCluster = Annotated[
    str | None,
    typer.Option(
        "--dask",
        metavar="ADDRESS|local",
        callback=_check_dask,
        help="Use the workers of a Dask scheduler, e.g. tcp://host:8786, or of a Dask cluster on this machine.",
    ),
]
Seed = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        min=0,
        max=LARGEST_SEED,
        help="What random numbers are made from: the same again for the same N. [default: a fresh one for each run]",
    ),
]
Channel = Annotated[
    str | None,
    typer.Option(
        metavar="N|NAME",
        help="The channel that shows nuclei, for the built-in count [default: the one whose name says so].",
    ),
]
Diameter = Annotated[
    str | None,
    typer.Option(
        metavar="LENGTH",
        callback=_check_diameter,
        help="Usual diameter of a nucleus, for the built-in count: micrometres, or pixels as in 30px "
        "[default: found in the pictures].",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]
View = Annotated[
    str | None,
    typer.Option(
        metavar="VIEWER",
        callback=_check_view,
        help="Show images as they appear: napari, fiji, napari:PORT, or HOST:PORT of a viewer elsewhere.",
    ),
]
ViewComponents = Annotated[
    str | None,
    typer.Option(
        metavar="C=MODE,...",
        callback=_check_components,
        help="What well, site, channel, z_index, timepoint become in a viewer that is started: slider or layer in "
        "napari; window, channel, slice or frame in Fiji.",
    ),
]
ImagePattern = Annotated[
    str | None,
    typer.Option(metavar="REGEX", help="What the names of TIFF files say; the format is found out without it."),
]
