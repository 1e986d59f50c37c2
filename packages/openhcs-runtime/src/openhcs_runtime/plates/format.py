"""The interface that a plate format implements, built in or from another package.

A format says whether a folder looks like one of its plates, and lists the images in it. Packages offer formats by an
entry point in the group ``openhcs_runtime.plate_formats``, whose name is the format's::

    [project.entry-points."openhcs_runtime.plate_formats"]
    my_scope = "my_package.plates:MyScope"
"""

import abc
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import ClassVar

from openhcs_runtime.components import ImageKey
from openhcs_runtime.plates.base import ImageRef, PlateProblem, StagePosition
from openhcs_runtime.plates.flat_field import FlatField
from openhcs_runtime.plates.folder import Folder
from openhcs_runtime.plates.image_files import ImageFiles
from openhcs_runtime.plates.tiff.image_files import TIFF_FILES

__all__ = ["Fit", "Listing", "Metadata", "PlateFormat"]


class Fit(IntEnum):
    """How well a folder fits a format."""

    NONE = 0
    NAMES = 1
    """It has file names that the format uses, but that other formats may use as well."""
    CERTAIN = 2
    """It has files or names that no other format has."""


@dataclass(frozen=True, slots=True)
class Metadata:
    """Metadata from the plate's own description; any part may be unknown.

    Attributes:
        source: What to call the description in messages, such as the name of its file.
        planned: The images that each well should have.
        channel_names: Names of the channels that have one.
        excitation_nm: Excitation wavelengths of channels, in nanometres.
        emission_nm: Emission wavelengths of channels, in nanometres.
        positions: Stage position of each (well, site).
        pixel_size_um: Edge length of a pixel in micrometres.
        z_step_um: Distance between planes in micrometres.
        time_step_s: Time between time points in seconds.
        shape: Numbers of rows and columns of the plate.
        lost: Images that are listed but can't be opened.
        flat_fields: Flat-field profiles of channels, as measured by the microscope.
    """

    source: str = ""
    planned: Mapping[str, tuple[ImageKey, ...]] = field(default_factory=dict)
    channel_names: Mapping[int, str] = field(default_factory=dict)
    excitation_nm: Mapping[int, float] = field(default_factory=dict)
    emission_nm: Mapping[int, float] = field(default_factory=dict)
    positions: Mapping[tuple[str, int], StagePosition] = field(default_factory=dict)
    pixel_size_um: float | None = None
    z_step_um: float | None = None
    time_step_s: float | None = None
    shape: tuple[int, int] | None = None
    lost: tuple[ImageKey, ...] = ()
    flat_fields: Mapping[int, FlatField] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Listing:
    """What a format has found in a folder.

    Attributes:
        images: One reference per image file, or per plane where the format itself knows the planes of a file. If two
            have the same key, the first path is kept and the other is reported.
        problems: Files that are left out, and metadata that can't be understood.
        metadata: Metadata from the plate's description.
    """

    images: Iterable[ImageRef]
    problems: Sequence[PlateProblem] = ()
    metadata: Metadata = field(default_factory=Metadata)


class PlateFormat(abc.ABC):
    r"""A format of plates. It has no state: one instance is used for all plates and in all worker processes.

    A format whose images are TIFF files with one plane each, or with described planes, needs two methods. It does not
    sort its images, look for gaps, or read pixels::

        class MyScope(PlateFormat):
            name, title = "my_scope", "My microscope"
            _NAME = re.compile(r"(?P<row>[A-P])-(?P<column>\d+)_field(?P<site>\d+)_(?P<channel>\d+)\.tif")

            def fits(self, folder: Folder) -> Fit:
                return Fit.CERTAIN if any(map(self._NAME.fullmatch, folder.images)) else Fit.NONE

            def find(self, folder: Folder) -> Listing:
                images, problems = [], []
                for entry in tiff_files(folder.path):
                    if match := self._NAME.fullmatch(entry.name):
                        well = well_name("ABCDEFGHIJKLMNOP".index(match["row"]), int(match["column"]) - 1)
                        key = ImageKey(well, site=int(match["site"]), channel=int(match["channel"]))
                        images.append(image_of(entry, key))
                    else:
                        problems.append(stray(f"{entry.name} is not an image of the plate"))
                return Listing(images, problems, Metadata(channel_names={1: "DAPI"}))

    Attributes:
        name: The format in ``--format``, JSON and provenance: lower case, with underscores. It must be the name of the
            entry point.
        title: The format as called in messages.
        signs: What the names of its images have, and a regular expression that finds it in a name; used to name the
            nearest format and what is missing if a folder fits none.
        files: How images are read; TIFF files by default.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    signs: ClassVar[Mapping[str, str]] = {}
    files: ClassVar[ImageFiles] = TIFF_FILES

    @abc.abstractmethod
    def fits(self, folder: Folder) -> Fit:
        """Return how well a folder fits. It is called for every folder that is opened: look at names, not at contents.

        Raises:
            OSError: If the folder can't be listed.
        """

    @abc.abstractmethod
    def find(self, folder: Folder) -> Listing:
        """List the images in a folder that fits, without reading pixels.

        Components are numbered from 1; z_index 0 stands for a projection.

        Raises:
            PlateError: If there are none, or the folder contradicts itself; the error names the file and the remedy.
            OSError: If a file or folder can't be read.
        """
