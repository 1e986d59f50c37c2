"""Searches functions by name, by what they do and by words that microscopists use for it."""

import re
from collections.abc import Iterable
from types import MappingProxyType
from typing import Final

from openhcs_gui_services.services.pipeline.docstrings import plain
from openhcs_gui_services.services.pipeline.step_form import FunctionInfo

__all__ = ["FunctionIndex"]

_SYNONYMS: Final = MappingProxyType(
    {
        "3d": ("projection",),
        "actin": ("cells",),
        "ai": ("model", "cellpose", "stardist"),
        "area": ("size", "measure"),
        "background": ("subtract", "illumination"),
        "blob": ("spots", "objects"),
        "blur": ("smooth", "gaussian", "denoise"),
        "brightness": ("intensity",),
        "cell": ("cells", "nuclei"),
        "control": ("controls", "normalise"),
        "count": ("number", "label", "nuclei", "cells", "spots"),
        "dapi": ("nuclei",),
        "deep": ("model", "cellpose", "stardist"),
        "divide": ("split", "track"),
        "dna": ("nuclei",),
        "dot": ("spots",),
        "edge": ("border", "outline"),
        "fluorescence": ("intensity",),
        "focus": ("sharpness", "projection", "quality"),
        "foci": ("spots",),
        "follow": ("track",),
        "hoechst": ("nuclei",),
        "mask": ("threshold", "foreground"),
        "migration": ("track",),
        "montage": ("stitch",),
        "movie": ("track", "time"),
        "neurite": ("skeleton",),
        "noise": ("denoise", "smooth", "median"),
        "normalize": ("normalise",),
        "nucleus": ("nuclei",),
        "out": ("clear",),
        "parent": ("relate",),
        "puncta": ("spots",),
        "ring": ("cytoplasm", "expand"),
        "shading": ("illumination", "flat"),
        "size": ("area", "shape", "measure"),
        "smooth": ("gaussian", "denoise"),
        "stack": ("projection",),
        "tile": ("stitch",),
        "time": ("track",),
        "uneven": ("illumination",),
        "vesicle": ("spots",),
        "vignetting": ("illumination",),
        "watershed": ("split", "cells"),
    }
)
_WORD: Final = re.compile(r"[^\W_]+")
_WEIGHTS: Final = (8, 4, 2, 1)
"""Of the name, the summary, the group and the documentation."""
_OTHER: Final = 0.5


class FunctionIndex:
    """Functions prepared for searches.

    Args:
        functions: the functions, in the order in which an empty query lists them.
    """

    def __init__(self, functions: Iterable[FunctionInfo]) -> None:
        self._entries = [(info, _spaced(info.name, info.summary, info.group, info.help)) for info in functions]

    def find(self, query: str) -> list[FunctionInfo]:
        """Return the functions that fit all words of a query, best first; all of them for an empty query."""
        words = [_stems(word.casefold()) for word in _WORD.findall(query)]
        found = []
        for info, texts in self._entries:
            scores = [_score(texts, stem, others) for stem, others in words]
            if all(scores):
                found.append((sum(scores), info))
        return [info for _, info in sorted(found, key=lambda pair: -pair[0])]


def _spaced(*texts: str) -> tuple[str, ...]:
    """Return each text as lower-case words with a space before each."""
    return tuple(" " + " ".join(_WORD.findall(plain(text).casefold())) for text in texts)


def _stems(word: str) -> tuple[str, set[str]]:
    """Return a word without its plural, and other words for the same thing."""
    stem = word[:-1] if len(word) > 3 and word.endswith("s") else word
    others = {*_SYNONYMS.get(word, ()), *_SYNONYMS.get(stem, ())}
    if len(word) >= 3:
        others |= {each for key, values in _SYNONYMS.items() if key.startswith(word) for each in values}
    return stem, others


def _score(texts: tuple[str, ...], stem: str, others: set[str]) -> float:
    """Return how well a function fits a word, 0 if it doesn't; another word for the same thing counts half.

    The documentation mentions much that a function is not for, so other words are looked for in names and summaries.
    """
    direct = _places(texts, stem, _WEIGHTS)
    return max([direct, *(_OTHER * _places(texts, other, _WEIGHTS[:-1]) for other in others)])


def _places(texts: tuple[str, ...], stem: str, weights: tuple[int, ...]) -> float:
    """Return the sum of the weights of the texts in which a word begins with ``stem``."""
    return float(sum(weight for text, weight in zip(texts, weights, strict=False) if f" {stem}" in text))
