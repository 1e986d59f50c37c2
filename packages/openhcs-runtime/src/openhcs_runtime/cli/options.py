"""Arguments and options that several commands share, with what each means and what it is when left out."""

import contextlib
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

from openhcs_runtime.cli.declare import Argument, BadParameter, Option
from openhcs_runtime.config import AUTO, LARGEST_SEED, NO_GPUS, is_dask_address, named_gpus
from openhcs_runtime.exceptions import ViewerError
from openhcs_runtime.viewer_target import ViewTarget
from openhcs_runtime.wells import well_name, well_position

_UNITS = {"s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_LONGEST = 366 * 86400.0

__all__ = [
    "Channel",
    "DaskCluster",
    "Diameter",
    "ExecutionId",
    "FollowPlate",
    "Fresh",
    "Gpus",
    "Host",
    "ImagePattern",
    "Json",
    "OutputFolder",
    "Pages",
    "PipelineFile",
    "PlateFormatName",
    "PlatePath",
    "Port",
    "Replace",
    "ResultsFolder",
    "ResultsPath",
    "Seed",
    "Settle",
    "UntilIdle",
    "View",
    "ViewComponents",
    "Wells",
    "WithExcluded",
    "Workers",
    "checked_well",
    "duration_seconds",
    "plate_named",
    "read_components",
    "read_diameter",
    "read_wells",
    "seconds",
    "whole_number",
]


def whole_number(lowest: int, highest: int | None = None) -> Callable[[str], int]:
    """Parse a whole number within a range; the error names the range."""
    wanted = f"a whole number from {lowest}" + (f" to {highest}" if highest is not None else "")

    def read(text: str) -> int:
        given = str(text)  # a default comes as it is
        number = int(given) if given.isascii() and given.isdigit() else lowest - 1
        if number < lowest or (highest is not None and number > highest):
            raise BadParameter(f"{given!r} is not {wanted}")
        return number

    return read


def seconds(lowest: float) -> Callable[[str], float]:
    """Parse a time in seconds, which may have a fraction."""

    def read(text: str) -> float:
        with contextlib.suppress(ValueError):
            if lowest <= (number := float(text)) < math.inf:
                return number
        raise BadParameter(f"{str(text)!r} is not a number of seconds from {lowest:g}")

    return read


def duration_seconds(text: str | None) -> float | None:
    """The seconds of a duration such as 90s, 10m or 2h. Raises BadParameter."""
    if text is None:
        return None
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(s|m|min|h|d)\s*", text)
    seconds = float(match[1]) * _UNITS[match[2]] if match else 0.0
    if 0 < seconds <= _LONGEST:
        return seconds
    raise BadParameter(f"{text!r} is not a duration; give a number with its unit, as in 90s, 10m or 2h")


def _check_duration(text: str | None) -> str | None:
    duration_seconds(text)
    return text


def _check_workers(text: str | None) -> str | None:
    if text is None or text == AUTO or (text.isascii() and text.isdigit() and int(text) > 0):
        return text
    raise BadParameter(f"{text!r} is neither a number from 1 nor 'auto'")


def _check_gpus(text: str | None) -> str | None:
    if text is not None and not text.strip():
        raise BadParameter("it is empty: name GPUs as in 0,1, or give auto or none")
    try:
        named_gpus(text or NO_GPUS)
    except ValueError as error:
        raise BadParameter(str(error)) from error
    return text


def plate_named(text: str) -> str:
    """Return the name of a plate; an empty one, as of a shell variable that is not set, is refused."""
    if not str(text).strip():
        raise BadParameter("it is empty: name the folder of a plate")
    return str(text)


def _path_to(what: str) -> Callable[[str], Path]:
    """Parse a path; an empty one would be the current folder."""

    def read(text: str) -> Path:
        if not str(text).strip():
            raise BadParameter(f"it is empty: name {what}, or leave the option out")
        return Path(text)

    return read


def _check_dask(text: str | None) -> str | None:
    if text is None or is_dask_address(text):
        return text
    raise BadParameter(f"{text!r} is neither 'local' nor an address like tcp://host:8786")


def _check_diameter(text: str | None) -> str | None:
    if text is not None:
        read_diameter(text)
    return text


def read_diameter(text: str) -> tuple[float, bool]:
    """The length that `--diameter` says, and whether it is in pixels. Raises BadParameter."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*(um|\u00b5m|\u03bcm|px)?\s*", text)
    if match is None or not 0 < float(match[1]) < math.inf:
        raise BadParameter(f"{text!r} is not a diameter; give micrometres as in 12, or pixels as in 30px")
    return float(match[1]), match[2] == "px"


def checked_well(text: str | None) -> str | None:
    """The name of a well as runs use it: b6 is B06. Raises BadParameter."""
    try:
        return None if text is None else well_name(*well_position(text))
    except ValueError as error:
        raise BadParameter(str(error)) from error


def read_wells(text: str | None) -> list[str]:
    """The names of `--wells A01,B06`."""
    return [name.strip() for name in (text or "").split(",") if name.strip()]


def _check_view(text: str | None) -> str | None:
    try:
        return None if text is None else str(ViewTarget.parse(text))
    except ViewerError as error:
        raise BadParameter(str(error)) from error


def _check_components(text: str | None) -> str | None:
    if text is not None:
        read_components(text)
    return text


def read_components(text: str | None) -> dict[str, str]:
    """The modes that `--view-components` says, by component. Raises BadParameter."""
    pairs = [pair.strip().partition("=") for pair in (text or "").split(",") if pair.strip()]
    if any(not name or not mode for name, _, mode in pairs):
        raise BadParameter(f"{text!r} is not of the form channel=layer,site=slider")
    return {name.strip(): mode.strip() for name, _, mode in pairs}


ExecutionId = Annotated[str, Argument(metavar="ID", help="Execution id or unique prefix")]


PlatePath = Annotated[
    str,
    Argument(
        parser=plate_named,
        metavar="PLATE",
        help="Folder with the plate's images, its URL, or a CZI, ND2 or LIF file; or a folder of several plates",
    ),
]
ResultsPath = Annotated[
    Path,
    Argument(
        metavar="RESULTS",
        help="Folder of a run; for the newest complete run, the plate or its PLATE_results folder",
    ),
]
Port = Annotated[
    int,
    Option(
        parser=whole_number(1, 64535),
        metavar="P",
        help="Data port of the server, up to 64535; its control port is 1000 higher",
    ),
]
Host = Annotated[
    str | None,
    Option(metavar="H", help="Connect over TCP to this address, e.g. 127.0.0.1 [default: this user's socket file]"),
]
PipelineFile = Annotated[
    Path | None,
    Option(
        parser=_path_to("a pipeline file"),
        metavar="FILE.py",
        help="Pipeline file, or a built-in pipeline: nuclei_count, nuclei_cells_cytoplasm, spots_in_cells or "
        "cell_painting [default: nuclei_count]",
    ),
]
OutputFolder = Annotated[
    Path | None,
    Option(
        parser=_path_to("a folder"),
        metavar="DIR",
        help="Output folder [default: a new folder in PLATE_results next to the plate]",
    ),
]
ResultsFolder = Annotated[
    Path | None,
    Option(
        "--results-dir",
        parser=_path_to("a folder"),
        metavar="DIR",
        help="Folder to create the run's own folder in [default: PLATE_results next to the plate]",
    ),
]
Replace = Annotated[
    bool,
    Option(
        "--replace",
        help="Replace results in the --output folder once the new ones are complete [default: refuse such a folder]",
    ),
]
Fresh = Annotated[
    bool,
    Option("--fresh", help="Process every well [default: take over wells that an earlier run made in the same way]"),
]
Workers = Annotated[
    str | None,
    Option(
        metavar="N|auto",
        callback=_check_workers,
        help="Wells to process at the same time [default: what the pipeline file says, else auto: one per core, or "
        "fewer if memory is short]",
    ),
]
DaskCluster = Annotated[
    str | None,
    Option(
        "--dask",
        metavar="ADDRESS|local",
        callback=_check_dask,
        help="Use the workers of a Dask scheduler, e.g. tcp://host:8786, or of a local Dask cluster [default: "
        "processes on the server's machine]",
    ),
]
Gpus = Annotated[
    str | None,
    Option(
        metavar="N,N|auto|none",
        callback=_check_gpus,
        help="GPUs of the server's machine that steps with gpu= share, by number or UUID [default: what the pipeline "
        "file says, else auto: all]",
    ),
]
Seed = Annotated[
    int | None,
    Option(
        parser=whole_number(0, LARGEST_SEED),
        metavar="N",
        help="Seed of random numbers; the same seed gives the same numbers [default: a new one for each run]",
    ),
]
Channel = Annotated[
    str | None,
    Option(
        metavar="N|NAME",
        help="Channel that shows nuclei, for the built-in count [default: the one whose name says so]",
    ),
]
Diameter = Annotated[
    str | None,
    Option(
        metavar="LENGTH",
        callback=_check_diameter,
        help="Typical diameter of a nucleus, for the built-in count, in micrometres, or in pixels as in 30px "
        "[default: measured in the images]",
    ),
]
WithExcluded = Annotated[
    bool,
    Option(
        "--with-excluded",
        help="Also use the wells that were excluded in the window, which exclusions.json next to the runs lists "
        "[default: leave them out, and say so]",
    ),
]
Json = Annotated[bool, Option("--json", help="Print one JSON document and nothing else")]
View = Annotated[
    str | None,
    Option(
        metavar="VIEWER",
        callback=_check_view,
        help="Show images as they appear in napari, fiji, napari:PORT, or a viewer elsewhere at HOST:PORT "
        "[default: no viewer]",
    ),
]
ViewComponents = Annotated[
    str | None,
    Option(
        metavar="C=MODE,...",
        callback=_check_components,
        help="How a viewer that is started shows well, site, channel, z_index and timepoint: slider or layer in "
        "napari; window, channel, slice or frame in Fiji [default: the viewer's usual layout]",
    ),
]
ImagePattern = Annotated[
    str | None,
    Option(
        metavar="REGEX|auto",
        help="Regular expression for TIFF file names, or auto to propose one [default: detect the format]",
    ),
]
PlateFormatName = Annotated[
    str | None,
    Option(
        "--format",
        metavar="NAME",
        help="Format of the plate, e.g. opera_phenix; 'info --formats' lists them [default: detect it]",
    ),
]
Pages = Annotated[
    str | None,
    Option(
        metavar="z|channel|time|C2Z",
        help="What the pages of TIFF files are that don't say it; C2Z: all planes of channel 1, then of channel 2 "
        "[default: leave such files out]",
    ),
]
FollowPlate = Annotated[
    bool,
    Option(
        "--follow",
        help="Follow a plate that the microscope is still writing: process each well once its images are complete "
        "[default: process what is there now]",
    ),
]
UntilIdle = Annotated[
    str | None,
    Option(
        metavar="TIME",
        callback=_check_duration,
        help="With --follow: the acquisition has ended when nothing has changed for this long, e.g. 90s, 10m, 2h; "
        "longer than the longest pause of the microscope [default: 10m]",
    ),
]
Settle = Annotated[
    str | None,
    Option(
        metavar="TIME",
        callback=_check_duration,
        help="With --follow: a well is complete when its images have not changed for this long [default: 30s]",
    ),
]
Wells = Annotated[str | None, Option(metavar="W,W", help="Only these wells, e.g. A01,B06 [default: all wells]")]
