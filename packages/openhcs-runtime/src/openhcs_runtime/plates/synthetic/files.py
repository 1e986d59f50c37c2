"""What the writers of formats with one TIFF file per plane share."""

from collections.abc import Callable
from pathlib import Path

import tifffile

from openhcs_runtime.components import ImageKey
from openhcs_runtime.exceptions import PlateError
from openhcs_runtime.plates.synthetic.plan import Planes, PlatePlan

__all__ = ["refuse", "write_files"]


def write_files(
    folder: Path, planes: Planes, path_of: Callable[[ImageKey], str], description: str | None = None
) -> None:
    """Write each plane to a file of its own.

    Args:
        folder: The plate folder.
        planes: The images.
        path_of: Returns the path of an image below the folder, with slashes.
        description: Text to store in each file.
    """
    for key, image in planes:
        path = folder / path_of(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        tifffile.imwrite(path, image, description=description, metadata=None, software=False)


def refuse(plan: PlatePlan, title: str, *, z: bool = False, timepoints: bool = False) -> None:
    """Raise an error if the names of a format have no planes or time points, but the plate has several.

    Raises:
        PlateError: If that is so.
    """
    if z and plan.z > 1:
        raise PlateError(f"z {plan.z} is out of range: names of {title} have no planes; choose 1")
    if timepoints and plan.timepoints > 1:
        raise PlateError(f"timepoints {plan.timepoints} is out of range: names of {title} have no time; choose 1")
