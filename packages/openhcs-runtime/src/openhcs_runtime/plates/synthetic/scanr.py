"""Synthetic plates as an Olympus ScanR stores them."""

from dataclasses import dataclass
from xml.sax.saxutils import escape

import tifffile

from openhcs_runtime.components import ImageKey, well_position
from openhcs_runtime.plates.synthetic.plan import Planes, PlatePlan

__all__ = ["ScanRLayout"]

_INTERVAL_S, _Z_STEP_UM = 600, 2.0
_PLATES = ((8, 12), (16, 24), (32, 48))


@dataclass(frozen=True, slots=True)
class ScanRLayout:
    """A measurement with a folder ``data``, its descriptor and its log."""

    plan: PlatePlan

    def write_well(self, well: str, planes: Planes) -> None:
        """Write the images of a well."""
        folder = self.plan.folder / "data"
        folder.mkdir(exist_ok=True)
        for key, image in planes:
            software = "National Instruments IMAQ"
            tifffile.imwrite(folder / self._name(key), image, metadata=None, software=software)

    def finish(self) -> None:
        """Write ``experiment_descriptor.xml`` and ``AcquisitionLog.dat``."""
        plan, (rows, columns) = self.plan, self._plate
        channels = "".join(
            f"<Cluster><Name>channel</Name>{_text('name', name)}{_number('idle', 0)}</Cluster>\n"
            for name in plan.channel_names
        )
        text = (
            '<?xml version="1.0" encoding="ISO-8859-1"?>\n<LVData>\n<Cluster><Name>experiment</Name>\n'
            f"{_text('plate name', plan.name)}{_number('conversion factor um/pixel', plan.pixel_size_um)}"
            f"{_number('# slices', plan.z)}{_number('slices distance', _Z_STEP_UM)}"
            f"{_number('timeloop delay [ms]', _INTERVAL_S * 1000 if plan.timepoints > 1 else 0)}"
            f"<Cluster><Name>format typedef</Name>{_number('Rows', rows)}{_number('Columns', columns)}</Cluster>\n"
            f"{channels}</Cluster>\n</LVData>\n"
        )
        path = plan.folder / "experiment_descriptor.xml"
        path.write_text(text, encoding="iso-8859-1", errors="xmlcharrefreplace", newline="\r\n")
        lines = [self._line(key) for well in plan.wells for key in plan.keys(well) if key.channel == 1]
        (plan.folder / "AcquisitionLog.dat").write_text("".join(lines), encoding="utf-8", newline="\r\n")

    @property
    def _plate(self) -> tuple[int, int]:
        wells = [well_position(well) for well in self.plan.wells]
        return next(size for size in _PLATES if all(row < size[0] and column < size[1] for row, column in wells))

    def _number(self, well: str) -> int:
        row, column = well_position(well)
        return row * self._plate[1] + column + 1

    def _name(self, key: ImageKey) -> str:
        label = f"{key.well[:-2]}{int(key.well[-2:])}"
        where = f"W{self._number(key.well):05d}--P{key.site:05d}--Z{key.z_index - 1:05d}--T{key.timepoint - 1:05d}"
        return f"{label}--{where}--{self.plan.channel_names[key.channel - 1]}.tif"

    def _line(self, key: ImageKey) -> str:
        position = self.plan.position(key.site)
        return (
            f"W={self._number(key.well)}\tP={key.site}\tT={key.timepoint - 1}\tZ={key.z_index - 1}\t"
            f"X={position.x_um:.3f}\tY={-position.y_um:.3f}\tZ={_Z_STEP_UM * (key.z_index - 1):.3f}\t"
            f"t={_INTERVAL_S * (key.timepoint - 1)}\n"
        )


def _text(name: str, value: str) -> str:
    return f"<String><Name>{escape(name)}</Name><Val>{escape(value)}</Val></String>\n"


def _number(name: str, value: float) -> str:
    return f"<DBL><Name>{escape(name)}</Name><Val>{value}</Val></DBL>\n"
