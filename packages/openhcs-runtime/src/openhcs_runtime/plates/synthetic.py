"""Makes plates with known truth, of fluorescent nuclei, in any format.

The image model is the usual one of a wide-field camera: objects on a dim background, times uneven light, blurred by a
Gaussian point spread function, then photon (Poisson) and read-out (Gaussian) noise, digitised with 16 bits.
"""

import csv
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice, product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from openhcs_runtime.choices import choose
from openhcs_runtime.components import ImageKey, well_name
from openhcs_runtime.exceptions import PlateError
from openhcs_runtime.plates.base import PlateFormat
from openhcs_runtime.plates.layouts import PlatePlan, layout_for

PIXEL_SIZE_UM = 0.65
_GRIDS = ((8, 12), (16, 24), (32, 48))
_OFFSET, _READ_NOISE, _PSF_SIGMA, _DEFOCUS_SIGMA = 100.0, 4.0, 1.3, 1.6
_MEAN_RADIUS = 10.0
_NUCLEI_PER_PIXEL = 45 / 512**2
_MIN_VISIBLE = 0.25
"""A nucleus cut by the edge is in the frame when at least this part of it is; less of it is not drawn at all."""

Image = NDArray[np.float32]


def make_plate(
    folder: str | os.PathLike[str],
    *,
    wells: int = 6,
    sites: int = 2,
    channels: int = 2,
    z: int = 1,
    size: int = 512,
    seed: int = 0,
    timepoints: int = 1,
    format: PlateFormat | str = PlateFormat.IMAGEXPRESS,
) -> Path:
    """Write a plate of `wells` wells, A01, A02 ... along the rows of the smallest of a 96, 384 and 1536 grid that fits.

    Each image is `size` x `size` uint16: channel 1 shows nuclei, the others cytoplasm. With `z` > 1 planes blur with
    their distance from the middle one. `truth.csv` (well, site, nuclei; with several time points also timepoint) tells
    how many nuclei are in each frame. The same arguments give the same pixels; as TIFF, the same bytes.

    Returns the folder. Raises PlateError when the arguments make no plate or the folder is not empty.
    """
    target = Path(folder).expanduser()
    _check(wells=wells, sites=sites, channels=channels, z=z, size=size, timepoints=timepoints)
    if seed < 0:
        raise PlateError(f"seed {seed} is negative: give a number from 0")
    try:
        plate_format = choose(PlateFormat, format, "format of plates")
    except ValueError as error:
        raise PlateError(str(error)) from None
    try:
        if target.exists() and not target.is_dir():
            raise PlateError(f"{target} is a file: name a new folder")
        if target.exists() and any(target.iterdir()):
            raise PlateError(f"{target} exists and is not empty: name a new folder")
        target.mkdir(parents=True, exist_ok=True)
        positions = list(_positions(wells))
        layout = layout_for(
            plate_format,
            PlatePlan(
                folder=target,
                name=target.resolve().name,
                wells=tuple(well_name(*position) for position in positions),
                sites=sites,
                channels=channels,
                z=z,
                timepoints=timepoints,
                size=size,
                pixel_size_um=PIXEL_SIZE_UM,
            ),
        )
        truth: list[tuple[str, int, int, int]] = []
        for row, column in positions:
            well = well_name(row, column)
            planes = _well_planes([seed, row, column], well, truth, layout.plan)
            layout.write_well(well, planes)
        layout.finish()
        truth.sort(key=lambda entry: entry[2])
        _write_truth(target / "truth.csv", truth, with_timepoint=timepoints > 1)
    except OSError as error:
        raise PlateError(
            f"the plate can't be written to {target}: {error.strerror or error} (choose another folder, or make room)"
        ) from error
    return target


@dataclass(frozen=True, slots=True)
class _Nucleus:
    """An ellipse (pixels) with a wavy edge: radius times 1 + waviness * cos(waves * angle + phase)."""

    y: float
    x: float
    major: float
    minor: float
    angle: float
    brightness: float
    waviness: float
    waves: int
    phase: float

    def extent(self, direction: float) -> float:
        """Distance from the centre to the edge in a direction (radians)."""
        turned = direction - self.angle
        ellipse = self.major * self.minor / math.hypot(self.minor * math.cos(turned), self.major * math.sin(turned))
        return ellipse * (1 + self.waviness * math.cos(self.waves * turned + self.phase))


def _check(**numbers: int) -> None:
    limits = {"wells": 1536, "sites": 999, "channels": 99, "z": 999, "size": 16384, "timepoints": 9999}
    lowest = {"size": 32}
    for name, number in numbers.items():
        low, high = lowest.get(name, 1), limits[name]
        if not low <= number <= high:
            raise PlateError(f"{name} {number} makes no plate: give a number from {low} to {high}")


def _positions(wells: int) -> Iterator[tuple[int, int]]:
    rows, columns = next(grid for grid in _GRIDS if grid[0] * grid[1] >= wells)
    return islice(product(range(rows), range(columns)), wells)


def _place_nuclei(rng: np.random.Generator, size: int) -> list[_Nucleus]:
    """Nuclei at random, about a third of them touching another one, none lying on another one."""
    wanted = max(1, int(rng.poisson(_NUCLEI_PER_PIXEL * size**2 * rng.uniform(0.6, 1.4))))
    placed: list[_Nucleus] = []
    visible: list[_Nucleus] = []
    for _ in range(40 * wanted):
        if len(visible) == wanted:
            break
        parent = placed[rng.integers(len(placed))] if placed and rng.random() < 0.33 else None
        nucleus = _random_nucleus(rng, size, parent)
        if not all(_apart(nucleus, other, 0.93 if other is parent else 1.12) for other in placed):
            continue
        placed.append(nucleus)
        if _visible_part(nucleus, size) >= _MIN_VISIBLE:
            visible.append(nucleus)
    return visible


def _random_nucleus(rng: np.random.Generator, size: int, parent: _Nucleus | None) -> _Nucleus:
    radius = _MEAN_RADIUS * float(np.clip(rng.lognormal(0.0, 0.17), 0.65, 1.5))
    elongation = float(rng.uniform(1.0, 1.5)) ** 0.5
    y, x = rng.uniform(-_MEAN_RADIUS, size + _MEAN_RADIUS, 2)
    nucleus = _Nucleus(
        y=float(y),
        x=float(x),
        major=radius * elongation,
        minor=radius / elongation,
        angle=float(rng.uniform(0, math.pi)),
        brightness=float(np.clip(1600 * rng.lognormal(0.0, 0.3), 700, 5000)),
        waviness=float(rng.uniform(0, 0.06)),
        waves=int(rng.integers(2, 5)),
        phase=float(rng.uniform(0, 2 * math.pi)),
    )
    if parent is None:
        return nucleus
    direction = float(rng.uniform(0, 2 * math.pi))
    distance = (parent.extent(direction) + nucleus.extent(direction + math.pi)) * float(rng.uniform(0.94, 1.03))
    return replace(nucleus, y=parent.y + distance * math.sin(direction), x=parent.x + distance * math.cos(direction))


def _apart(one: _Nucleus, other: _Nucleus, factor: float) -> bool:
    dy, dx = one.y - other.y, one.x - other.x
    distance = math.hypot(dy, dx)
    if distance > 4 * _MEAN_RADIUS:
        return True
    direction = math.atan2(dy, dx)
    return distance >= factor * (other.extent(direction) + one.extent(direction + math.pi))


def _window(nucleus: _Nucleus, size: int, scale: float) -> tuple[slice, slice]:
    reach = nucleus.major * scale * 1.1 + 3
    return (
        slice(max(0, int(nucleus.y - reach)), max(0, min(size, int(nucleus.y + reach) + 1))),
        slice(max(0, int(nucleus.x - reach)), max(0, min(size, int(nucleus.x + reach) + 1))),
    )


def _coverage(nucleus: _Nucleus, window: tuple[slice, slice], scale: float = 1.0, softness: float = 1.0) -> Image:
    """How much of each pixel of the window the nucleus covers, 0 to 1, with an edge `softness` pixels wide."""
    y = np.arange(window[0].start, window[0].stop, dtype=np.float32)[:, np.newaxis] - np.float32(nucleus.y)
    x = np.arange(window[1].start, window[1].stop, dtype=np.float32)[np.newaxis, :] - np.float32(nucleus.x)
    cosine, sine = np.float32(math.cos(nucleus.angle)), np.float32(math.sin(nucleus.angle))
    along, across = x * cosine + y * sine, y * cosine - x * sine
    wave = 1 + nucleus.waviness * np.cos(nucleus.waves * np.arctan2(across, along) + nucleus.phase)
    radius = np.hypot(along / nucleus.major, across / nucleus.minor) / (wave * scale)
    coverage: Image = np.clip((1 - radius) * (nucleus.minor * scale / softness) + 0.5, 0, 1).astype(np.float32)
    return coverage


def _visible_part(nucleus: _Nucleus, size: int) -> float:
    reach = nucleus.major * 1.1
    if reach <= nucleus.y < size - reach and reach <= nucleus.x < size - reach:
        return 1.0
    window = _window(nucleus, size, 1.0)
    if window[0].start >= window[0].stop or window[1].start >= window[1].stop:
        return 0.0
    return float(_coverage(nucleus, window).sum()) / (math.pi * nucleus.major * nucleus.minor)


def _well_planes(
    seed: list[int], well: str, truth: list[tuple[str, int, int, int]], plan: PlatePlan
) -> Iterator[tuple[ImageKey, NDArray[np.uint16]]]:
    """The images of a well, site by site; how many nuclei each frame has is added to `truth`."""
    for site, timepoint in product(range(1, plan.sites + 1), range(1, plan.timepoints + 1)):
        rng = np.random.default_rng([*seed, site, timepoint])
        nuclei = _place_nuclei(rng, plan.size)
        truth.append((well, site, timepoint, len(nuclei)))
        for channel, plane, image in _frame_planes(rng, nuclei, channels=plan.channels, z=plan.z, size=plan.size):
            yield ImageKey(well, site, channel, plane, timepoint), image


def _frame_planes(
    rng: np.random.Generator, nuclei: list[_Nucleus], *, channels: int, z: int, size: int
) -> Iterator[tuple[int, int, NDArray[np.uint16]]]:
    """Channel, plane and image of everything that one frame shows."""
    light = _uneven_light(rng, size)
    for channel in range(1, channels + 1):
        stain = _nuclear_stain(rng, nuclei, size) if channel == 1 else _cytoplasm_stain(rng, nuclei, size, channel)
        for plane in range(1, z + 1):
            defocus = _DEFOCUS_SIGMA * abs(plane - (z + 1) / 2)
            photons = ndimage.gaussian_filter(stain, math.hypot(_PSF_SIGMA, defocus), mode="nearest") * light
            counts = rng.poisson(photons) + rng.normal(_OFFSET, _READ_NOISE, photons.shape)
            yield channel, plane, np.clip(counts.round(), 0, 65535).astype(np.uint16)


def _uneven_light(rng: np.random.Generator, size: int) -> Image:
    """Vignetting with an off-centre maximum, 1 at the brightest place and about 0.65 in the darkest corner."""
    y, x = rng.uniform(0.4, 0.6, 2)
    axis = np.linspace(0, 1, size, dtype=np.float32)
    light: Image = np.float32(1) - np.float32(0.6) * ((axis[:, np.newaxis] - y) ** 2 + (axis - x) ** 2)
    return light.astype(np.float32)


def _texture(rng: np.random.Generator, size: int, sigma: float, strength: float) -> Image:
    noise = ndimage.gaussian_filter(rng.standard_normal((size, size), dtype=np.float32), sigma, mode="wrap")
    texture: Image = 1 + strength * noise / noise.std()
    return np.clip(texture, 0.3, 1.7)


def _nuclear_stain(rng: np.random.Generator, nuclei: list[_Nucleus], size: int) -> Image:
    stain = np.zeros((size, size), dtype=np.float32)
    for nucleus in nuclei:
        window = _window(nucleus, size, 1.0)
        np.maximum(stain[window], nucleus.brightness * _coverage(nucleus, window), out=stain[window])
    return stain * _texture(rng, size, 2.0, 0.12) + np.float32(rng.uniform(120, 220))


def _cytoplasm_stain(rng: np.random.Generator, nuclei: list[_Nucleus], size: int, channel: int) -> Image:
    """Cell bodies around the nuclei, dimmer where the nucleus is."""
    reach = 1.9 + 0.2 * (channel % 3)
    stain = np.zeros((size, size), dtype=np.float32)
    for nucleus in nuclei:
        window = _window(nucleus, size, reach)
        body = _coverage(nucleus, window, reach, softness=8.0) - 0.6 * _coverage(nucleus, window)
        np.maximum(stain[window], 0.5 * nucleus.brightness * body, out=stain[window])
    return stain * _texture(rng, size, 1.5, 0.2) + np.float32(rng.uniform(150, 260))


def _write_truth(path: Path, truth: list[tuple[str, int, int, int]], *, with_timepoint: bool) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("well", "site", "timepoint", "nuclei") if with_timepoint else ("well", "site", "nuclei"))
        for well, site, timepoint, nuclei in truth:
            writer.writerow((well, site, timepoint, nuclei) if with_timepoint else (well, site, nuclei))
