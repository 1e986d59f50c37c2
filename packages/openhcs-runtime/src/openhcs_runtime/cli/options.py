"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["Host", "ImagePattern", "Json", "OutputFolder", "PipelineFile", "Port", "Workers"]

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
    int | None, typer.Option(min=1, metavar="N", help="Wells at the same time; one per core without it.")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]
ImagePattern = Annotated[
    str | None,
    typer.Option(metavar="REGEX", help="What the names of TIFF files say; the format is found out without it."),
]
