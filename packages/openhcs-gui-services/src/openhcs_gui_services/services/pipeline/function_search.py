"""Searches functions by name, by what they do and by words that microscopists use for it."""

import re
from collections.abc import Iterable
from types import MappingProxyType
from typing import Final

from openhcs_gui_services.services.pipeline.docstrings import plain
from openhcs_gui_services.services.pipeline.step_form import FunctionInfo

__all__ = ["find_functions"]

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
_NAME, _SUMMARY, _GROUP, _DOCS = 8, 4, 2, 1
_SYNONYM: Final = 0.5


def find_functions(functions: Iterable[FunctionInfo], query: str) -> list[FunctionInfo]:
    """Return the functions that fit all words of a query, best first; all in their order for an empty query."""
    words = [word.casefold() for word in _WORD.findall(query)]
    found = [(sum(scores), info) for info in functions if all(scores := [_score(info, word) for word in words])]
    return [info for _, info in sorted(found, key=lambda pair: -pair[0])]


def _score(info: FunctionInfo, word: str) -> float:
    """Return how well a function fits a word, 0 if it doesn't; a synonym counts half."""
    stem = word[:-1] if len(word) > 3 and word.endswith("s") else word
    others = {*_SYNONYMS.get(word, ()), *_SYNONYMS.get(stem, ())}
    if len(word) >= 3:
        others |= {each for key, values in _SYNONYMS.items() if key.startswith(word) for each in values}
    # The docs mention much that a function is not for, so synonyms are looked for in names and summaries only.
    synonyms = (_direct(info, other, with_docs=False) for other in others)
    return max([_direct(info, stem, with_docs=True), *(_SYNONYM * score for score in synonyms)])


def _direct(info: FunctionInfo, stem: str, *, with_docs: bool) -> float:
    """Return the score of the places in which a word begins with ``stem``."""
    places = [(info.name.replace("_", " "), _NAME), (plain(info.summary), _SUMMARY), (info.group, _GROUP)]
    if with_docs:
        places.append((plain(info.help), _DOCS))
    return float(sum(weight for text, weight in places if re.search(rf"\b{re.escape(stem)}", text, re.IGNORECASE)))
