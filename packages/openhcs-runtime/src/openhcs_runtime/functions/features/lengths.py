"""Lengths that are given in pixels or in micrometres."""


def in_pixels(
    name: str, pixels: float | None, micrometres: float | None, pixel_size_um: float | None, default_px: float
) -> float:
    """Return a length in pixels.

    Args:
        name: Name of the argument without its unit, for messages.
        pixels: The length in pixels, if it is given so.
        micrometres: The length in micrometres, if it is given so.
        pixel_size_um: Edge length of a pixel in micrometres; None if unknown.
        default_px: The length if neither is given.

    Raises:
        ValueError: Both are given, the length is not positive, or the pixel size is not known.
    """
    if pixels is not None and micrometres is not None:
        raise ValueError(f"give {name}_px or {name}_um, not both")
    for unit, value in (("px", pixels), ("um", micrometres)):
        if value is not None and not value > 0:
            raise ValueError(f"{name}_{unit} must be above 0, not {value}")
    if micrometres is None:
        return default_px if pixels is None else pixels
    if pixel_size_um is None:
        raise ValueError(f"the pixel size of the plate is not known: give {name}_px in place of {name}_um")
    return micrometres / pixel_size_um
