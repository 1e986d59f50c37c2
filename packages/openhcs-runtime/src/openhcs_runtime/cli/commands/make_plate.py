"""``make-plate``: a plate of simulated nuclei."""

import csv
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from openhcs_runtime.cli.declare import Argument, Option
from openhcs_runtime.cli.interrupts import uninterrupted
from openhcs_runtime.cli.options import Json, whole_number
from openhcs_runtime.made_format import MadeFormat

if TYPE_CHECKING:
    from zmqruntime.execution.cli.output import Output

__all__ = ["make_plate"]


def make_plate(
    folder: Annotated[Path, Argument(metavar="DIR", help="New folder for the plate")],
    wells: Annotated[
        int, Option(parser=whole_number(1, 1536), metavar="N", help="Wells, up to 1536, along the rows from A01")
    ] = 6,
    sites: Annotated[int, Option(parser=whole_number(1), metavar="N", help="Image positions per well")] = 2,
    channels: Annotated[
        int, Option(parser=whole_number(1), metavar="N", help="Channels; the first one shows nuclei")
    ] = 2,
    z: Annotated[int, Option("--z", parser=whole_number(1), metavar="N", help="Planes per position")] = 1,
    size: Annotated[
        int, Option(parser=whole_number(32), metavar="N", help="Width and height of an image in pixels, from 32")
    ] = 512,
    seed: Annotated[
        int, Option(parser=whole_number(0), metavar="N", help="Seed; the same seed gives the same plate")
    ] = 0,
    plate_format: Annotated[MadeFormat, Option("--format", help="Format of the plate")] = MadeFormat.IMAGEXPRESS,
    diameter: Annotated[float, Option(metavar="X", help="Mean diameter of a nucleus in pixels, 6 to 400")] = 20.0,
    density: Annotated[float, Option(metavar="X", help="Area covered by nuclei, relative to the usual, 0 to 10")] = 1.0,
    clumping: Annotated[float, Option(metavar="X", help="Fraction of nuclei that touch another one, 0 to 0.95")] = 0.33,
    haze: Annotated[float, Option(metavar="X", help="Out-of-focus light, relative to a nucleus, 0 to 2")] = 0.0,
    saturation: Annotated[
        float, Option(metavar="X", help="Fraction of nuclear pixels above full scale, 0 to 0.9")
    ] = 0.0,
    dividing: Annotated[float, Option(metavar="X", help="Fraction of nuclei that are dividing, 0 to 1")] = 0.0,
    dead: Annotated[
        float, Option(metavar="X", help="Fraction of nuclei that are dead, small and very bright, 0 to 1")
    ] = 0.0,
    dim: Annotated[float, Option(metavar="X", help="Fraction of nuclei that are dim, 0 to 1")] = 0.0,
    texture: Annotated[float, Option(metavar="X", help="Strength of the texture in nuclei, 0 to 0.5")] = 0.12,
    debris: Annotated[float, Option(metavar="X", help="Specks per nucleus, 0 to 20")] = 0.0,
    noise: Annotated[float, Option(metavar="X", help="Strength of the noise, 0 to 20")] = 1.0,
    truth_labels: Annotated[
        bool, Option("--truth-labels", help="Also write the true label images to truth_labels.npz")
    ] = False,
    as_json: Json = False,
) -> int:
    """Make a plate of simulated nuclei, with the true counts in truth.csv.

    \b
      openhcs-runtime make-plate demo
      openhcs-runtime make-plate big --wells 96 --sites 4 --size 1024 --seed 7
      openhcs-runtime make-plate hard --diameter 80 --clumping 0.7 --haze 0.5 --dead 0.05 --truth-labels
    """
    with uninterrupted():
        import openhcs_runtime
        from openhcs_runtime.cli.failures import PlateErrorKind
        from openhcs_runtime.exceptions import PlateError
        from openhcs_runtime.plates.synthetic.scene import Look
        from zmqruntime.execution.cli.failures import CommandError, interrupted
        from zmqruntime.execution.cli.output import Output
    try:
        made = openhcs_runtime.make_plate(
            folder,
            wells=wells,
            sites=sites,
            channels=channels,
            z=z,
            size=size,
            seed=seed,
            format=plate_format,
            look=Look(
                diameter_px=diameter,
                density=density,
                clumping=clumping,
                haze=haze,
                saturation=saturation,
                dividing=dividing,
                dead=dead,
                dim=dim,
                texture=texture,
                debris=debris,
                noise=noise,
            ),
            truth_labels=truth_labels,
        ).resolve()
    except PlateError as error:
        raise CommandError(PlateErrorKind.PLATE, str(error)) from error
    except KeyboardInterrupt as error:
        raise interrupted(f"interrupted; {folder} is incomplete, remove it") from error
    counts = {"wells": wells, "sites": sites, "channels": channels, "z": z, "size": size, "seed": seed}
    return _tell(made, folder, plate_format, counts, Output(as_json))


def _tell(made: Path, folder: Path, plate_format: MadeFormat, counts: dict[str, int], output: "Output") -> int:
    """Say what was made, and what to do with it."""
    from zmqruntime.execution.text import plural

    truth = made / "truth.csv"
    with truth.open(encoding="utf-8", newline="") as file:
        nuclei = sum(int(row["nuclei"]) for row in csv.DictReader(file))
    images, size = counts["wells"] * counts["sites"] * counts["channels"] * counts["z"], counts["size"]
    output.line(f"Made {made}: {plural(counts['wells'], 'well')}, {plural(images, 'image')} of {size} x {size} pixels")
    output.line(f"{nuclei} nuclei, counted by well and site in {truth}")
    output.line(f"Next: openhcs-runtime run {shlex.quote(str(folder))}")
    document = {"plate_path": str(made), "format": plate_format.value, "truth": str(truth)}
    return output.document({**document, **counts, "images": images, "nuclei": nuclei})
