"""``make-plate``: a plate of simulated nuclei."""

import csv
from collections.abc import Mapping
from pathlib import Path

import openhcs_runtime
from openhcs_runtime.cli.failures import CommandError, ErrorKind, interrupted
from openhcs_runtime.cli.output import Output
from openhcs_runtime.exceptions import PlateError
from openhcs_runtime.plates import PlateFormat
from openhcs_runtime.plates.synthetic.scene import Look
from zmqruntime.execution.text import plural

__all__ = ["make_plate"]


def make_plate(
    folder: Path,
    *,
    wells: int,
    sites: int,
    channels: int,
    z: int,
    size: int,
    seed: int,
    plate_format: str,
    look: Mapping[str, float],
    truth_labels: bool,
    as_json: bool,
) -> int:
    """Make a plate and say what is in it."""
    try:
        made = openhcs_runtime.make_plate(
            folder,
            wells=wells,
            sites=sites,
            channels=channels,
            z=z,
            size=size,
            seed=seed,
            format=PlateFormat(plate_format),
            look=Look(**look),
            truth_labels=truth_labels,
        ).resolve()
    except PlateError as error:
        raise CommandError(ErrorKind.PLATE, str(error)) from error
    except KeyboardInterrupt as error:
        raise interrupted(f"interrupted; {folder} is not whole, remove it") from error
    with (made / "truth.csv").open(encoding="utf-8", newline="") as file:
        nuclei = sum(int(row["nuclei"]) for row in csv.DictReader(file))
    images = wells * sites * channels * z
    output = Output(as_json)
    output.line(f"Made {made}: {plural(wells, 'well')}, {plural(images, 'image')} of {size} x {size} pixels")
    output.line(f"{nuclei} nuclei, counted by well and site in {made / 'truth.csv'}")
    output.line(f"Next: openhcs-runtime run {folder}")
    return output.document(
        {
            "plate_path": str(made),
            "format": plate_format,
            "truth": str(made / "truth.csv"),
            "wells": wells,
            "sites": sites,
            "channels": channels,
            "z": z,
            "size": size,
            "seed": seed,
            "images": images,
            "nuclei": nuclei,
        }
    )
