"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

from openhcs_runtime.config import AUTO, is_dask_address

__all__ = ["DaskCluster", "Host", "ImagePattern", "Json", "OutputFolder", "PipelineFile", "Port", "Workers"]


def _check_workers(text: str | None) -> str | None:
    if text is None or text == AUTO or (text.isascii() and text.isdigit() and int(text) > 0):
        return text
    raise typer.BadParameter(f"{text!r} is neither a number from 1 nor 'auto'")


def _check_dask(text: str | None) -> str | None:
    if text is None or is_dask_address(text):
        return text
    raise typer.BadParameter(f"{text!r} is neither 'local' nor an address like tcp://host:8786")


Port = Annotated[
    int, typer.Option(min=1, max=64535, metavar="P", help="Data port of the server; its control port is 1000 higher.")
]
Host = Annotated[
    str | None,
    typer.Option(metavar="H", help="Use TCP and this address, e.g. 127.0.0.1, instead of a socket file of this user."),
]
PipelineFile = Annotated[
    Path | None, typer.Option(metavar="FILE.py", help="Pipeline file; without it nuclei in channel 1 are counted.")
]
OutputFolder = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Where results go; PLATE_results beside the plate without it.")
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
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]
ImagePattern = Annotated[
    str | None,
    typer.Option(metavar="REGEX", help="What the names of TIFF files say; the format is found out without it."),
]
