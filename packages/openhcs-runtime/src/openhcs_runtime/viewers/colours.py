"""Display colours of channels: the emission colour of the dye if name or wavelength tell, or else by channel number."""

from types import MappingProxyType

__all__ = ["channel_colormap"]

_BY_NUMBER = ("blue", "green", "magenta", "cyan", "yellow", "red")
_DYES = MappingProxyType(
    {
        "blue": ("dapi", "hoechst", "bfp", "405", "alexa 350", "nuclei"),
        "cyan": ("cfp", "cerulean"),
        "green": ("gfp", "fitc", "488", "alexa 488", "calcein"),
        "yellow": ("yfp", "venus", "citrine"),
        "red": ("tritc", "cy3", "rfp", "mcherry", "texas", "561", "568", "594", "tdtomato"),
        "magenta": ("cy5", "647", "640", "far red", "draq5"),
        "gray": ("brightfield", "bright field", "phase", "dic", "tl ", "transmitted"),
    }
)
_BY_WAVELENGTH = ((470, "blue"), (500, "cyan"), (550, "green"), (580, "yellow"), (640, "red"))
"""Emission up to so many nanometres, and its colour; longer ones, which are hardly visible, are magenta."""


def channel_colormap(number: int, name: str = "", emission_nm: float | None = None) -> str:
    """Return the name of the colour for a channel.

    Args:
        number: number of the channel, from 1.
        name: its name in the plate; empty if it has none.
        emission_nm: its emission wavelength in nanometres, which counts if the name tells nothing; None if unknown.

    Returns:
        The name of the colour.
    """
    known = name.lower()
    found = next((colour for colour, dyes in _DYES.items() if any(dye in known for dye in dyes)), None)
    if found is None and emission_nm is not None:
        found = next((colour for most, colour in _BY_WAVELENGTH if emission_nm <= most), "magenta")
    return found or _BY_NUMBER[(number - 1) % len(_BY_NUMBER)]
