"""Synthetic images of a scene, as recorded by the camera of a wide-field microscope.

Objects on a dim background are multiplied by uneven illumination and blurred by a Gaussian point spread function; then
photon (Poisson) and read-out (Gaussian) noise is added and the image is digitized with 16 bits.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from openhcs_runtime.plates.synthetic.scene import (
    Image,
    Look,
    Nucleus,
    Thing,
    coverage,
    fates,
    place_nuclei,
    specks,
    window_of,
)

_OFFSET, _READ_NOISE, _PSF_SIGMA, _DEFOCUS_SIGMA = 100.0, 4.0, 1.3, 1.6
_BRIGHTNESS = 1600.0
_LARGEST = 65535


@dataclass(frozen=True, slots=True)
class Frame:
    """The contents of a field of view, before any image is taken.

    Attributes:
        size: Edge length in pixels.
        look: How nuclei look.
        things: The nuclei to count.
        debris: Specks.
        extra: Random numbers for the features that the default look does not have.
    """

    size: int
    look: Look
    things: list[Thing]
    debris: list[Nucleus]
    extra: np.random.Generator

    @property
    def nuclei(self) -> list[Nucleus]:
        """Return every shape of every nucleus."""
        return [shape for thing in self.things for shape in thing]

    def labels(self) -> NDArray[np.int32]:
        """Return the true label image (Y, X), from 1: each pixel has the nucleus that covers at least half of it."""
        labels = np.zeros((self.size, self.size), np.int32)
        most = np.zeros((self.size, self.size), np.float32)
        for number, thing in enumerate(self.things, start=1):
            for shape in thing:
                window = window_of(shape, self.size, 1.0)
                covered = coverage(shape, window)
                wins = (covered >= 0.5) & (covered > most[window])
                labels[window][wins] = number
                most[window][wins] = covered[wins]
        return labels


def compose(rng: np.random.Generator, size: int, look: Look) -> Frame:
    """Return a frame of ``size`` x ``size`` pixels; the default look draws random numbers for its nuclei only."""
    nuclei = place_nuclei(rng, size, look)
    extra = rng.spawn(1)[0]
    debris = specks(extra, len(nuclei), size, look)
    return Frame(size, look, fates(extra, nuclei, size, look), debris, extra)


def planes(
    rng: np.random.Generator, frame: Frame, *, channels: int, z: int
) -> Iterator[tuple[int, int, NDArray[np.uint16]]]:
    """Yield channel, plane and image (uint16, (Y, X)) for all images of a frame."""
    look, size = frame.look, frame.size
    light = _uneven_light(rng, size)
    for channel in range(1, channels + 1):
        stain = _nuclear_stain(rng, frame) if channel == 1 else _cytoplasm_stain(rng, frame, channel)
        for plane in range(1, z + 1):
            defocus = _DEFOCUS_SIGMA * abs(plane - (z + 1) / 2)
            blur = math.hypot(_PSF_SIGMA * look.blur * math.sqrt(look.scale), defocus)
            photons = ndimage.gaussian_filter(stain, blur, mode="nearest") * light
            shot = rng.poisson(photons)
            signal = shot if look.noise == 1 else photons + (shot - photons) * look.noise
            counts = signal + rng.normal(_OFFSET, _READ_NOISE * look.noise, photons.shape)
            largest = _full_scale(photons, frame) if look.saturation and channel == 1 else _LARGEST
            yield channel, plane, np.clip(counts.round(), 0, largest).astype(np.uint16)


def _full_scale(photons: Image, frame: Frame) -> int:
    """Return the value at which the requested share of the nuclei's pixels saturates."""
    inside = frame.labels() > 0
    if not inside.any():
        return _LARGEST
    return int(_OFFSET + np.quantile(photons[inside], 1 - frame.look.saturation))


def _uneven_light(rng: np.random.Generator, size: int) -> Image:
    """Return vignetting with an off-centre maximum, 1 at the brightest point and about 0.65 in the darkest corner."""
    y, x = rng.uniform(0.4, 0.6, 2)
    axis = np.linspace(0, 1, size, dtype=np.float32)
    light: Image = np.float32(1) - np.float32(0.6) * ((axis[:, np.newaxis] - y) ** 2 + (axis - x) ** 2)
    return light.astype(np.float32)


def _texture(rng: np.random.Generator, size: int, sigma: float, strength: float) -> Image:
    noise = ndimage.gaussian_filter(rng.standard_normal((size, size), dtype=np.float32), sigma, mode="wrap")
    texture: Image = 1 + strength * noise / noise.std()
    return np.clip(texture, 0.3, 1.7)


def _nuclear_stain(rng: np.random.Generator, frame: Frame) -> Image:
    look, size = frame.look, frame.size
    stain = np.zeros((size, size), dtype=np.float32)
    for nucleus in frame.nuclei:
        window = window_of(nucleus, size, 1.0)
        body = nucleus.brightness * coverage(nucleus, window)
        if look.texture > Look().texture:
            body *= _nucleoli(frame.extra, nucleus, window)
        if look.foci:
            body *= _foci(frame.extra, nucleus, window, look.foci)
        np.maximum(stain[window], body, out=stain[window])
    for speck in frame.debris:
        window = window_of(speck, size, 1.0)
        np.maximum(stain[window], speck.brightness * coverage(speck, window), out=stain[window])
    stain = stain * _texture(rng, size, 2.0 * look.scale, look.texture) + np.float32(rng.uniform(120, 220))
    return stain + _haze(stain, frame) if look.haze else stain


def _nucleoli(rng: np.random.Generator, nucleus: Nucleus, window: tuple[slice, slice]) -> Image:
    """Return a factor of 1, lower inside nucleoli."""
    light = np.ones(tuple(part.stop - part.start for part in window), np.float32)
    for _ in range(int(rng.poisson(2))):
        direction, distance = rng.uniform(0, 2 * math.pi), rng.uniform(0, 0.55) * nucleus.minor
        size, depth = nucleus.minor * rng.uniform(0.15, 0.3), rng.uniform(0.3, 0.6)
        y, x = nucleus.y + distance * math.sin(direction), nucleus.x + distance * math.cos(direction)
        hole = Nucleus(float(y), float(x), float(size), float(size), 0.0, 0.0, 0.0, 2, 0.0)
        light *= 1 - np.float32(depth) * coverage(hole, window, softness=size)
    return light


def _foci(rng: np.random.Generator, nucleus: Nucleus, window: tuple[slice, slice], strength: float) -> Image:
    """Return a factor of 1, higher where chromatin is dense, as in mouse cells."""
    light = np.ones(tuple(part.stop - part.start for part in window), np.float32)
    for _ in range(int(rng.poisson(10))):
        direction, distance = rng.uniform(0, 2 * math.pi), rng.uniform(0, 0.85) * nucleus.minor
        size = nucleus.minor * rng.uniform(0.08, 0.18)
        y, x = nucleus.y + distance * math.sin(direction), nucleus.x + distance * math.cos(direction)
        spot = Nucleus(float(y), float(x), float(size), float(size), 0.0, 0.0, 0.0, 2, 0.0)
        light += np.float32(strength * rng.uniform(0.3, 1)) * coverage(spot, window, softness=size)
    return light


def _haze(stain: Image, frame: Frame) -> Image:
    """Return out-of-focus light from above and below, and a gradient across the image."""
    look, rng = frame.look, frame.extra
    veil = ndimage.gaussian_filter(stain, 1.2 * look.diameter_px, mode="reflect")
    lumps = ndimage.gaussian_filter(
        rng.standard_normal(stain.shape, dtype=np.float32), 2.5 * look.diameter_px, mode="wrap"
    )
    lumps = np.maximum(lumps / max(float(lumps.std()), 1e-12), 0)
    angle = rng.uniform(0, 2 * math.pi)
    axis = np.linspace(-0.5, 0.5, len(stain), dtype=np.float32)
    slope = 0.5 + 0.5 * (math.sin(angle) * axis[:, np.newaxis] + math.cos(angle) * axis)
    haze: Image = veil + np.float32(0.25 * _BRIGHTNESS) * lumps + np.float32(0.5 * _BRIGHTNESS) * slope
    return (np.float32(look.haze) * haze).astype(np.float32)


def _cytoplasm_stain(rng: np.random.Generator, frame: Frame, channel: int) -> Image:
    """Return cell bodies around the nuclei, dimmer inside the nucleus."""
    reach = 1.9 + 0.2 * (channel % 3)
    size = frame.size
    stain = np.zeros((size, size), dtype=np.float32)
    for nucleus in frame.nuclei:
        window = window_of(nucleus, size, reach)
        body = coverage(nucleus, window, reach, softness=8.0) - 0.6 * coverage(nucleus, window)
        np.maximum(stain[window], 0.5 * nucleus.brightness * body, out=stain[window])
    return stain * _texture(rng, size, 1.5, 0.2) + np.float32(rng.uniform(150, 260))
