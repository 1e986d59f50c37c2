"""Whether the images of a field of view are still those that a run has read."""

from pathlib import Path

from openhcs_gui_services.services.images.opened import OpenPlate
from openhcs_gui_services.services.images.source import ImagePlace
from openhcs_runtime.exceptions import ImageError, storable
from openhcs_runtime.outputs.wells import WellRecord, new_digest, read_part
from openhcs_runtime.plates import ImageRef, read_image
from openhcs_runtime.stores.path import is_url

__all__ = ["CHANGED", "are_images_changed"]

CHANGED = "The images have changed since this run: run the plate again to find their objects."


def are_images_changed(run: Path, plate: OpenPlate, place: ImagePlace) -> bool:
    """Return whether an image of a field of view differs from what a run has read there; for a thread.

    The encoded bytes are compared by the digest that the record of the well has of them. Images that the run has not
    read, and those of plates behind a URL, which would be fetched a second time, are not compared.

    Args:
        run: folder of the run.
        plate: the plate.
        place: the field of view.

    Raises:
        DamagedResultError: the record of the well is damaged.
    """
    part = read_part(run, place.well)
    if part is None:
        return False
    known = _digests(part)
    return any(
        _digest(plate.plate.format, image) not in ("", known[key])
        for image in plate.plate.images.get(place.well, ())
        if _is_at(image, place) and (key := (storable(image.path), image.index)) in known and not is_url(image.path)
    )


def _digests(part: WellRecord) -> dict[tuple[str, tuple[int, ...]], str]:
    return {(one.path, one.index): one.digest for one in part.read}


def _digest(plate_format: str, image: ImageRef) -> str:
    """Return the digest of an image as runs compute it; empty if it can't be read, which the view says itself."""
    digest = new_digest()
    try:
        read_image(plate_format, image, digest.update)
    except ImageError:
        return ""
    return digest.hexdigest()


def _is_at(image: ImageRef, place: ImagePlace) -> bool:
    key = image.key
    return (key.site, key.z_index, key.timepoint) == (place.site, place.z_index, place.timepoint)
