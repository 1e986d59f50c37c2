"""Lengths that are given in pixels or in micrometres."""

from openhcs_runtime.functions.features.arguments import length_problems, refuse


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
        ValueError: Both are given, the length is not a positive number, or the pixel size is not known.
    """
    refuse(length_problems(name, pixels, micrometres))
    if micrometres is None:
        return default_px if pixels is None else pixels
    if pixel_size_um is None:
        raise ValueError(f"the pixel size of the plate is not known: give {name}_px in place of {name}_um")
    return micrometres / pixel_size_um
