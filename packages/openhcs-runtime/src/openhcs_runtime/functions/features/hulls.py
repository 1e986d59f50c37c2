"""Convex hulls of objects, between the centres of their pixels: Feret diameters and smallest enclosing circles."""

from itertools import combinations

import numpy as np

from openhcs_runtime.functions.features.regions import Columns, Floats, Regions

_ROUNDING = 1e-9


def hulls(regions: Regions) -> list[Floats]:
    """Return the corners (k, 2) of the hull of each object as row, column, in order around it.

    Monotone chain (Andrew, Information Processing Letters 9(5), 1979) over the ends of each row of the object.
    """
    owner, rows, cols = regions.owner, regions.rows, regions.cols
    begins = np.flatnonzero(np.diff(owner, prepend=-1) | np.diff(rows, prepend=-1))
    ends = np.append(begins[1:], len(owner)) - 1 if len(owner) else begins
    some = np.unique(np.concatenate([begins, ends]))
    points = np.column_stack([rows[some], cols[some]])
    parts = np.split(points, np.searchsorted(owner[some], np.arange(1, len(regions))))
    return [_hull([(int(y), int(x)) for y, x in part]) for part in parts[: len(regions)]]


def feret(corners: list[Floats]) -> Columns:
    """Return the Feret diameters of hulls: the smallest and the largest distance between parallel tangents.

    Equal to cp_measure within 1e-9 for objects with corners in general; it misses the smallest of some rectangles and
    other hulls with parallel edges.
    """
    both = np.array([_feret(hull) for hull in corners]).reshape(-1, 2)
    return {"feret_min_px": both[:, 0], "feret_max_px": both[:, 1]}


def enclosing_circles(corners: list[Floats]) -> tuple[Floats, Floats]:
    """Return the centres (n, 2) and radii (n,) of the smallest circles around hulls.

    Grown from few points by the farthest one outside (Gaertner, ESA 1999).
    """
    circles = [_circle(hull) for hull in corners]
    centres = np.array([centre for centre, _ in circles]).reshape(-1, 2)
    return centres, np.array([radius for _, radius in circles])


def _hull(points: list[tuple[int, int]]) -> Floats:
    """Return the hull of sorted points."""
    if len(points) < 3:
        return np.array(points, float)
    lower, upper = _chain(points), _chain(points[::-1])
    return np.array(lower[:-1] + upper[:-1], float)


def _chain(points: list[tuple[int, int]]) -> list[tuple[int, int]]:
    chain: list[tuple[int, int]] = []
    for y, x in points:
        while len(chain) > 1:
            (y0, x0), (y1, x1) = chain[-2:]
            if (y1 - y0) * (x - x0) - (x1 - x0) * (y - y0) > 0:
                break
            chain.pop()
        chain.append((y, x))
    return chain


def _feret(hull: Floats) -> tuple[float, float]:
    if len(hull) < 2:
        return 0.0, 0.0
    between = hull[:, np.newaxis] - hull
    largest = float(np.sqrt((between**2).sum(axis=2).max()))
    if len(hull) == 2:
        return 0.0, largest
    edges = np.roll(hull, -1, axis=0) - hull
    normals = edges[:, ::-1] * (1, -1) / np.hypot(*edges.T)[:, np.newaxis]
    along = normals @ hull.T
    return float(np.ptp(along, axis=1).min()), largest


def _circle(hull: Floats) -> tuple[Floats, float]:
    support = hull[:1]
    centre, radius = support[0], 0.0
    while True:
        distance = np.hypot(*(hull - centre).T)
        farthest = int(distance.argmax())
        if distance[farthest] <= radius + _ROUNDING:
            return centre, radius
        support = np.vstack([support, hull[farthest]])
        centre, radius, support = _circle_of_few(support)


def _circle_of_few(points: Floats) -> tuple[Floats, float, Floats]:
    """Return the smallest circle around 2 to 4 points, and those that are on it."""
    best: tuple[Floats, float, Floats] = (points[0], np.inf, points)
    for chosen in (*combinations(range(len(points)), 2), *combinations(range(len(points)), 3)):
        on_it = points[list(chosen)]
        centre = on_it.mean(axis=0) if len(on_it) == 2 else _circumcentre(on_it)
        if centre is None:
            continue
        radius = float(np.hypot(*(on_it[0] - centre)))
        if radius < best[1] and np.hypot(*(points - centre).T).max() <= radius + _ROUNDING:
            best = (centre, radius, on_it)
    return best


def _circumcentre(triangle: Floats) -> Floats | None:
    (ay, ax), (by, bx) = triangle[1:] - triangle[0]
    twice = 2 * (ay * bx - ax * by)
    if abs(twice) < _ROUNDING:
        return None
    a, b = ay * ay + ax * ax, by * by + bx * bx
    return np.asarray(triangle[0] + np.array([bx * a - ax * b, ay * b - by * a]) / twice)
