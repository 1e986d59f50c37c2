"""Display colours of channels: the emission colour of the dye if the name tells, or else by channel number."""

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


def channel_colormap(number: int, name: str = "") -> str:
    """Return the name of the colour for a channel.

    Args:
        number: number of the channel, from 1.
        name: its name in the plate; empty if it has none.

    Returns:
        The name of the colour.
    """
    known = name.lower()
    found = next((colour for colour, dyes in _DYES.items() if any(dye in known for dye in dyes)), None)
    return found or _BY_NUMBER[(number - 1) % len(_BY_NUMBER)]
