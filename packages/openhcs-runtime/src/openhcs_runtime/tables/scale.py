"""The colours and numbers of heat maps. Importing this module loads nothing else, so that a window can draw them."""

Color = tuple[int, int, int]

_VIRIDIS: tuple[Color, ...] = (
    (68, 1, 84),
    (72, 36, 117),
    (65, 68, 135),
    (53, 95, 141),
    (42, 120, 142),
    (33, 145, 140),
    (34, 168, 132),
    (68, 191, 112),
    (122, 209, 81),
    (189, 223, 38),
    (253, 231, 37),
)
"""The viridis colour map (Smith & van der Walt, 2015) in steps of a tenth, dark for low values."""


def viridis_color(part: float) -> Color:
    """Return the colour of a value from 0 to 1: red, green and blue, from 0 to 255."""
    place = min(1.0, max(0.0, part)) * (len(_VIRIDIS) - 1)
    number = min(int(place), len(_VIRIDIS) - 2)
    share = place - number
    red, green, blue = (
        round(low + share * (high - low)) for low, high in zip(_VIRIDIS[number], _VIRIDIS[number + 1], strict=True)
    )
    return red, green, blue


def short_number(value: float) -> str:
    """Return a number in about three digits: ``0.012``, ``3.14``, ``250``, ``12.3k``, ``4.56M``."""
    for limit, unit in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= limit:
            amount = value / (1e3 if unit == "k" else limit)
            return f"{amount:.{0 if abs(amount) >= 100 else 1 if abs(amount) >= 10 else 2}f}{unit}"
    if value == int(value):
        return str(int(value))
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
