"""``info``: what a plate holds, and what it lacks."""

from openhcs_runtime.cli.interrupts import uninterrupted
from openhcs_runtime.cli.options import ImagePattern, Json, Pages, PlateFormatName, PlatePath

__all__ = ["info"]


def info(
    plate: PlatePath,
    pattern: ImagePattern = None,
    plate_format: PlateFormatName = None,
    pages: Pages = None,
    as_json: Json = False,
) -> int:
    """Show what a plate holds: wells, sites, channels, pixel size, missing images and stray files.

    \b
      openhcs-runtime info demo
      openhcs-runtime info /data/plate7 --json
      openhcs-runtime info /data/images --pattern '(?P<well>[A-P]\\d\\d)_f(?P<site>\\d+)_(?P<channel>DAPI|GFP)'

    The format is detected; an unknown one with --format lists those that are installed. With --pattern, any folder of
    TIFF files can be read: the groups of a pattern are well, or row and col, and site, channel, z_index and timepoint
    if the plate has several. --pattern auto proposes one from the file names, and shows the plate that it gives.
    """
    with uninterrupted():
        from openhcs_runtime.cli.failures import PlateErrorKind
        from openhcs_runtime.cli.plate_view import first_image, plate_document, plate_lines
        from openhcs_runtime.exceptions import PlateError
        from openhcs_runtime.plates import open_plate
        from zmqruntime.execution.cli.failures import CommandError
        from zmqruntime.execution.cli.output import Output
    try:
        opened = open_plate(plate, pattern=pattern, format=plate_format, pages=pages)
    except PlateError as error:
        raise CommandError(PlateErrorKind.PLATE, str(error)) from error
    output, image = Output(as_json), first_image(opened)
    for line in plate_lines(opened, image):
        output.line(line)
    return output.document(plate_document(opened, image))
