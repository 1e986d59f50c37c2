"""``info``: what a plate holds, and what it lacks; the plates in a folder; the formats that are installed."""

import os
from typing import TYPE_CHECKING, Annotated

from openhcs_runtime.cli.declare import Argument, BadParameter, Option
from openhcs_runtime.cli.interrupts import uninterrupted
from openhcs_runtime.cli.options import ImagePattern, Json, Pages, PlateFormatName, plate_named

if TYPE_CHECKING:
    from openhcs_runtime.plates import FoundPlate
    from zmqruntime.execution.cli.output import Output

__all__ = ["info"]


def info(
    plate: Annotated[
        str | None,
        Argument(
            parser=plate_named,
            metavar="PLATE",
            help="Folder with the plate's images, its URL, or a CZI, ND2 or LIF file; or a folder of several plates",
        ),
    ] = None,
    pattern: ImagePattern = None,
    plate_format: PlateFormatName = None,
    pages: Pages = None,
    formats: Annotated[
        bool, Option("--formats", help="List the formats that are installed, with the packages they come from")
    ] = False,
    as_json: Json = False,
) -> int:
    """Show what a plate holds: wells, sites, channels, pixel size, missing images and stray files.

    \b
      openhcs-runtime info demo
      openhcs-runtime info /data/plate7 --json
      openhcs-runtime info /data/screen
      openhcs-runtime info /data/images --pattern '(?P<well>[A-P]\\d\\d)_f(?P<site>\\d+)_(?P<channel>DAPI|GFP)'
      openhcs-runtime info --formats

    If a folder has several plates, on the level below it or on the next one, they are listed with one line each. The
    format of a plate is detected; --formats lists those that are installed. With --pattern, any folder of TIFF files
    can be read: the groups of a pattern are well, or row and col, and site, channel, z_index and timepoint if the plate
    has several. --pattern auto proposes one from the file names, and shows the plate that it gives.
    """
    with uninterrupted():
        from openhcs_runtime.cli.failures import PlateErrorKind
        from openhcs_runtime.cli.listing import ListingLine
        from openhcs_runtime.cli.plate_list import formats_document, formats_lines
        from openhcs_runtime.cli.plate_view import first_image, plate_document, plate_lines
        from openhcs_runtime.exceptions import PlateError
        from openhcs_runtime.plates import open_plate
        from zmqruntime.execution.cli.failures import CommandError
        from zmqruntime.execution.cli.output import Output
    output = Output(as_json)
    if formats:
        if any((plate, pattern, plate_format, pages)):
            raise BadParameter("--formats lists what is installed; leave out PLATE and the other options")
        for text in formats_lines():
            output.line(text)
        return output.document(formats_document())
    if plate is None:
        raise BadParameter("name the folder of a plate, or add --formats to list the formats that are installed")
    try:
        with ListingLine(quiet=as_json) as line:
            opened = open_plate(plate, pattern=pattern, format=plate_format, pages=pages, tell=line.tell)
    except PlateError as error:
        if pattern is None and plate_format is None and len(found := _plates_in(plate)) > 1:
            return _show_several(plate, found, pages, output)
        raise CommandError(PlateErrorKind.PLATE, str(error)) from error
    image = first_image(opened)
    for text in plate_lines(opened, image):
        output.line(text)
    return output.document(plate_document(opened, image))


def _plates_in(path: str) -> "tuple[FoundPlate, ...]":
    """The plates in a folder; none if it can't be looked through, which the first error says already."""
    from openhcs_runtime.exceptions import PlateError
    from openhcs_runtime.plates import find_plates

    try:
        return find_plates(path)
    except PlateError:
        return ()


def _show_several(path: str, found: "tuple[FoundPlate, ...]", pages: str | None, output: "Output") -> int:
    from openhcs_runtime.cli.plate_list import list_plates, plates_document, plates_error, plates_lines
    from openhcs_runtime.stores.path import as_path

    above, listed = as_path(os.path.expanduser(path)).resolve(), list_plates(found, pages)
    for line in plates_lines(above, listed):
        output.line(line)
    return output.document(plates_document(above, listed), plates_error(listed))
