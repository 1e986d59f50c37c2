"""The contents of synthetic images: position, size and brightness of nuclei, and which divide or are dead."""

import math
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from openhcs_runtime.exceptions import PlateError

Image = NDArray[np.float32]

_USUAL_DIAMETER_PX = 20.0
_NUCLEI_PER_PIXEL = 45 / 512**2
"""Density of nuclei of the default diameter; there are fewer of larger ones, so the covered area stays the same."""
_MIN_VISIBLE = 0.25
"""A nucleus cut by the edge is counted if at least this fraction of it is in the frame; otherwise it is not drawn."""


@dataclass(frozen=True, slots=True)
class Look:
    """The appearance of nuclei; the defaults are easy to segment.

    Attributes:
        diameter_px: Mean diameter, 6 to 400 pixels.
        density: Area that they cover, relative to the default (about 5 %).
        clumping: Share of nuclei that are placed next to another one, touching it, 0 to 0.95.
        haze: Out-of-focus light and a background gradient, relative to the brightness of a nucleus, 0 to 2.
        saturation: Share of the nuclei's pixels that exceed the full scale of the camera, 0 to 0.9.
        dividing: Share of nuclei that are two small, bright daughters side by side, counted separately, 0 to 1.
        dead: Share of nuclei that are small, three to eight times as bright and often in fragments, 0 to 1.
        dim: Share of nuclei with an eighth to a third of the normal brightness, 0 to 1.
        texture: Strength of the chromatin texture, 0 to 0.5; above 0.12 also with dark nucleoli.
        foci: Brightness of small spots inside nuclei, relative to the nucleus, 0 to 5.
        irregularity: Deviation of outlines from an ellipse, as a share of the radius, 0 to 0.3.
        variation: Standard deviation of the logarithm of the brightness between nuclei, 0 to 1.5.
        blur: Width of the point spread function, relative to the default, 0.2 to 10.
        debris: Number of bright specks, which are not counted, per nucleus, 0 to 20.
        noise: Strength of the noise, relative to the default, 0 to 20.
    """

    diameter_px: float = _USUAL_DIAMETER_PX
    density: float = 1.0
    clumping: float = 0.33
    haze: float = 0.0
    saturation: float = 0.0
    dividing: float = 0.0
    dead: float = 0.0
    dim: float = 0.0
    texture: float = 0.12
    foci: float = 0.0
    irregularity: float = 0.06
    variation: float = 0.3
    blur: float = 1.0
    debris: float = 0.0
    noise: float = 1.0

    def __post_init__(self) -> None:
        """Raise PlateError for values out of range."""
        for entry in fields(self):
            low, high = _LIMITS[entry.name]
            value = getattr(self, entry.name)
            if not low <= value <= high:
                raise PlateError(f"{entry.name} {value} is out of range: choose {low:g} to {high:g}")
        if self.dividing + self.dead + self.dim > 1:
            raise PlateError("dividing, dead and dim are shares of all nuclei: choose values that add up to at most 1")

    @property
    def scale(self) -> float:
        """The diameter relative to the default."""
        return self.diameter_px / _USUAL_DIAMETER_PX


_LIMITS = {
    "diameter_px": (6.0, 400.0),
    "density": (0.0, 10.0),
    "clumping": (0.0, 0.95),
    "haze": (0.0, 2.0),
    "saturation": (0.0, 0.9),
    "dividing": (0.0, 1.0),
    "dead": (0.0, 1.0),
    "dim": (0.0, 1.0),
    "texture": (0.0, 0.5),
    "foci": (0.0, 5.0),
    "irregularity": (0.0, 0.3),
    "variation": (0.0, 1.5),
    "blur": (0.2, 10.0),
    "debris": (0.0, 20.0),
    "noise": (0.0, 20.0),
}


@dataclass(frozen=True, slots=True)
class Nucleus:
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
        """Return the distance from the centre to the edge in a direction (radians)."""
        turned = direction - self.angle
        ellipse = self.major * self.minor / math.hypot(self.minor * math.cos(turned), self.major * math.sin(turned))
        return ellipse * (1 + self.waviness * math.cos(self.waves * turned + self.phase))


Thing = tuple[Nucleus, ...]
"""One nucleus to count: a single shape, or the fragments of a dead one."""


def place_nuclei(rng: np.random.Generator, size: int, look: Look) -> list[Nucleus]:
    """Place nuclei at random without overlaps; a share of them touches another one."""
    mean = _NUCLEI_PER_PIXEL * size**2 * rng.uniform(0.6, 1.4) * look.density / look.scale**2
    wanted = max(1, int(rng.poisson(mean)))
    placed: list[Nucleus] = []
    visible: list[Nucleus] = []
    for _ in range(40 * wanted):
        if len(visible) == wanted:
            break
        parent = placed[rng.integers(len(placed))] if placed and rng.random() < look.clumping else None
        nucleus = _random_nucleus(rng, size, parent, look)
        if not all(_apart(nucleus, other, 0.93 if other is parent else 1.12, look) for other in placed):
            continue
        placed.append(nucleus)
        if visible_part(nucleus, size) >= _MIN_VISIBLE:
            visible.append(nucleus)
    return visible


def fates(rng: np.random.Generator, nuclei: list[Nucleus], size: int, look: Look) -> list[Thing]:
    """Make the requested shares of nuclei dividing, dead or dim, and drop those barely in the frame."""
    things: list[Thing] = []
    for nucleus in nuclei:
        fate = rng.random()
        if fate < look.dividing:
            things += [(daughter,) for daughter in _daughters(nucleus)]
        elif fate < look.dividing + look.dead:
            things.append(_fragments(rng, nucleus))
        elif fate < look.dividing + look.dead + look.dim:
            things.append((replace(nucleus, brightness=nucleus.brightness * float(rng.uniform(0.125, 0.33))),))
        else:
            things.append((nucleus,))
    return [thing for thing in things if any(visible_part(shape, size) >= _MIN_VISIBLE for shape in thing)]


def specks(rng: np.random.Generator, nuclei: int, size: int, look: Look) -> list[Nucleus]:
    """Return debris: small, round and at most as bright as a nucleus."""
    radii = look.diameter_px * rng.uniform(0.03, 0.1, rng.poisson(look.debris * nuclei))
    return [
        Nucleus(float(y), float(x), float(r), float(r), 0.0, float(rng.uniform(500, 2000)), 0.0, 2, 0.0)
        for r, (y, x) in zip(radii, rng.uniform(0, size, (len(radii), 2)), strict=True)
    ]


def window_of(nucleus: Nucleus, size: int, scale: float) -> tuple[slice, slice]:
    """Return the part of the image that the nucleus, enlarged ``scale`` times, can cover."""
    reach = nucleus.major * scale * 1.1 + 3
    return (
        slice(max(0, int(nucleus.y - reach)), max(0, min(size, int(nucleus.y + reach) + 1))),
        slice(max(0, int(nucleus.x - reach)), max(0, min(size, int(nucleus.x + reach) + 1))),
    )


def coverage(nucleus: Nucleus, window: tuple[slice, slice], scale: float = 1.0, softness: float = 1.0) -> Image:
    """Return the covered fraction of each pixel in the window, 0 to 1, with an edge ``softness`` pixels wide."""
    y = np.arange(window[0].start, window[0].stop, dtype=np.float32)[:, np.newaxis] - np.float32(nucleus.y)
    x = np.arange(window[1].start, window[1].stop, dtype=np.float32)[np.newaxis, :] - np.float32(nucleus.x)
    cosine, sine = np.float32(math.cos(nucleus.angle)), np.float32(math.sin(nucleus.angle))
    along, across = x * cosine + y * sine, y * cosine - x * sine
    wave = 1 + nucleus.waviness * np.cos(nucleus.waves * np.arctan2(across, along) + nucleus.phase)
    radius = np.hypot(along / nucleus.major, across / nucleus.minor) / (wave * scale)
    covered: Image = np.clip((1 - radius) * (nucleus.minor * scale / softness) + 0.5, 0, 1).astype(np.float32)
    return covered


def visible_part(nucleus: Nucleus, size: int) -> float:
    """Return the fraction of the nucleus that is in the frame."""
    reach = nucleus.major * 1.1
    if reach <= nucleus.y < size - reach and reach <= nucleus.x < size - reach:
        return 1.0
    window = window_of(nucleus, size, 1.0)
    if window[0].start >= window[0].stop or window[1].start >= window[1].stop:
        return 0.0
    return float(coverage(nucleus, window).sum()) / (math.pi * nucleus.major * nucleus.minor)


def _random_nucleus(rng: np.random.Generator, size: int, parent: Nucleus | None, look: Look) -> Nucleus:
    mean = look.diameter_px / 2
    radius = mean * float(np.clip(rng.lognormal(0.0, 0.17), 0.65, 1.5))
    elongation = float(rng.uniform(1.0, 1.5)) ** 0.5
    y, x = rng.uniform(-mean, size + mean, 2)
    nucleus = Nucleus(
        y=float(y),
        x=float(x),
        major=radius * elongation,
        minor=radius / elongation,
        angle=float(rng.uniform(0, math.pi)),
        brightness=float(np.clip(1600 * rng.lognormal(0.0, look.variation), *_brightness(look))),
        waviness=float(rng.uniform(0, look.irregularity)),
        waves=int(rng.integers(2, 5)),
        phase=float(rng.uniform(0, 2 * math.pi)),
    )
    if parent is None:
        return nucleus
    direction = float(rng.uniform(0, 2 * math.pi))
    distance = (parent.extent(direction) + nucleus.extent(direction + math.pi)) * float(rng.uniform(0.94, 1.03))
    return replace(nucleus, y=parent.y + distance * math.sin(direction), x=parent.x + distance * math.cos(direction))


def _brightness(look: Look) -> tuple[float, float]:
    """Return the range of brightness of living nuclei."""
    return (700, 5000) if look.variation <= Look().variation else (100, 20000)


def _apart(one: Nucleus, other: Nucleus, factor: float, look: Look) -> bool:
    dy, dx = one.y - other.y, one.x - other.x
    distance = math.hypot(dy, dx)
    if distance > 2 * look.diameter_px:
        return True
    direction = math.atan2(dy, dx)
    return distance >= factor * (other.extent(direction) + one.extent(direction + math.pi))


def _daughters(nucleus: Nucleus) -> tuple[Nucleus, Nucleus]:
    """Return two bars side by side in place of the nucleus, with its DNA in a smaller area."""
    radius = math.sqrt(nucleus.major * nucleus.minor)
    shift_y, shift_x = -0.65 * radius * math.sin(nucleus.angle), 0.65 * radius * math.cos(nucleus.angle)
    half = replace(
        nucleus,
        major=0.8 * radius,
        minor=0.5 * radius,
        angle=nucleus.angle + math.pi / 2,
        brightness=1.6 * nucleus.brightness,
    )
    return (
        replace(half, y=nucleus.y + shift_y, x=nucleus.x + shift_x),
        replace(half, y=nucleus.y - shift_y, x=nucleus.x - shift_x),
    )


def _fragments(rng: np.random.Generator, nucleus: Nucleus) -> Thing:
    radius = math.sqrt(nucleus.major * nucleus.minor)
    bright = nucleus.brightness * float(rng.uniform(3, 8))
    core = replace(nucleus, major=radius * 0.5, minor=radius * 0.42, brightness=bright)
    pieces = [core]
    for _ in range(int(rng.integers(0, 3))):
        direction, size = float(rng.uniform(0, 2 * math.pi)), radius * float(rng.uniform(0.15, 0.25))
        distance = core.extent(direction) + 0.9 * size
        y, x = core.y + distance * math.sin(direction), core.x + distance * math.cos(direction)
        pieces.append(replace(core, y=y, x=x, major=size, minor=size))
    return tuple(pieces)
