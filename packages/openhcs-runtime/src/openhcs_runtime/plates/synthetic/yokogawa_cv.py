"""Synthetic plates as a Yokogawa CV8000 stores them."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from xml.sax.saxutils import escape, quoteattr

import tifffile

from openhcs_runtime.components import ImageKey, well_position
from openhcs_runtime.plates.synthetic.plan import Planes, PlatePlan

__all__ = ["YokogawaCVLayout"]

_NAMESPACE = 'xmlns:bts="http://www.yokogawa.co.jp/BTS/BTSSchema/1.0"'
_START = datetime(2024, 1, 15, 9, 0, 0, tzinfo=UTC)
_INTERVAL_S, _Z_STEP_UM = 600, 2.0
_LASERS = (405, 488, 561, 640)
_FILTERS = ("BP445/45", "BP525/50", "BP600/37", "BP676/29")
_PLATES = ((8, 12), (16, 24), (32, 48))


@dataclass(frozen=True, slots=True)
class YokogawaCVLayout:
    """A measurement with its list of images, its details and its protocol."""

    plan: PlatePlan

    def write_well(self, well: str, planes: Planes) -> None:
        """Write the images of a well."""
        for key, image in planes:
            tifffile.imwrite(self.plan.folder / self._name(key), image, metadata=None, software=False)

    def finish(self) -> None:
        """Write ``MeasurementData.mlf``, ``MeasurementDetail.mrf`` and the ``.mes`` file."""
        plan = self.plan
        records = [self._record(key) for well in plan.wells for key in plan.keys(well)]
        self._write("MeasurementData.mlf", f'<bts:MeasurementData bts:Version="1.0" {_NAMESPACE}>', records)
        rows, columns = self._plate
        channels = [
            f'  <bts:MeasurementChannel bts:Ch="{n}" bts:HorizontalPixelDimension="{plan.pixel_size_um}" '
            f'bts:VerticalPixelDimension="{plan.pixel_size_um}" bts:CameraNumber="1" bts:InputBitDepth="16" '
            f'bts:HorizontalPixels="{plan.size}" bts:VerticalPixels="{plan.size}" '
            f'bts:ShadingCorrectionSource="SC_M01_CH{n:02d}.tif" />'
            for n in range(1, plan.channels + 1)
        ]
        head = (
            f'<bts:MeasurementDetail bts:Version="1.0" bts:Title={quoteattr(plan.name)} '
            f'bts:MeasurementSettingFileName={quoteattr(plan.name + ".mes")} bts:ColumnCount="{columns}" '
            f'bts:RowCount="{rows}" bts:TimePointCount="{plan.timepoints}" bts:FieldCount="{plan.sites}" '
            f'bts:ZCount="{plan.z}" bts:TargetSystem="CV8000" {_NAMESPACE}>'
        )
        self._write("MeasurementDetail.mrf", head, channels)
        self._write(f"{plan.name}.mes", f'<bts:MeasurementSetting bts:Version="1.0" {_NAMESPACE}>', self._protocol())

    @property
    def _plate(self) -> tuple[int, int]:
        wells = [well_position(well) for well in self.plan.wells]
        return next(
            (rows, columns)
            for rows, columns in _PLATES
            if all(row < rows and column < columns for row, column in wells)
        )

    def _write(self, name: str, head: str, lines: list[str]) -> None:
        end = f"</{head[1:].partition(' ')[0]}>"
        text = "\n".join(['<?xml version="1.0" encoding="utf-8"?>', head, *lines, end]) + "\n"
        (self.plan.folder / name).write_text(text, encoding="utf-8-sig", newline="\r\n")

    def _name(self, key: ImageKey) -> str:
        where = f"T{key.timepoint:04d}F{key.site:03d}L01A{key.channel:02d}Z{key.z_index:02d}C{key.channel:02d}"
        return f"{self.plan.name}_{key.well}_{where}.tif"

    def _record(self, key: ImageKey) -> str:
        row, column = well_position(key.well)
        position = self.plan.position(key.site)
        time = _START + timedelta(seconds=_INTERVAL_S * (key.timepoint - 1))
        return (
            f'<bts:MeasurementRecord bts:Type="IMG" bts:Time="{time.isoformat(timespec="milliseconds")}" '
            f'bts:Column="{column + 1}" bts:Row="{row + 1}" bts:TimePoint="{key.timepoint}" '
            f'bts:FieldIndex="{key.site}" bts:ZIndex="{key.z_index}" bts:TimelineIndex="1" '
            f'bts:ActionIndex="{key.channel}" bts:Action="3D" bts:X="{position.x_um:.1f}" '
            f'bts:Y="{-position.y_um:.1f}" bts:Z="{_Z_STEP_UM * (key.z_index - 1):.1f}" bts:Ch="{key.channel}">'
            f"{escape(self._name(key))}</bts:MeasurementRecord>"
        )

    def _protocol(self) -> list[str]:
        lights = [f'    <bts:LightSource bts:Name="{nm}nm" bts:Type="Laser" bts:WaveLength="{nm}" />' for nm in _LASERS]
        channels = []
        for number, name in enumerate(self.plan.channel_names):
            laser, band = _LASERS[number % len(_LASERS)], _FILTERS[number % len(_FILTERS)]
            channels += [
                f'    <bts:Channel bts:Ch="{number + 1}" bts:Target={quoteattr(name)} bts:Acquisition="{band}" '
                'bts:Fluorophore="">',
                f"      <bts:LightSourceName>{laser}nm</bts:LightSourceName>",
                "    </bts:Channel>",
            ]
        return [
            "  <bts:LightSourceList>",
            *lights,
            "  </bts:LightSourceList>",
            "  <bts:ChannelList>",
            *channels,
            "  </bts:ChannelList>",
        ]
