"""Which colour a channel is shown in: that of the light of its dye where the name tells, else one by its number."""

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
    """The name of a colour. number: of the channel, from 1. name: what the plate calls it; empty where it does not."""
    known = name.lower()
    found = next((colour for colour, dyes in _DYES.items() if any(dye in known for dye in dyes)), None)
    return found or _BY_NUMBER[(number - 1) % len(_BY_NUMBER)]
