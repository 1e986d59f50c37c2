"""The message for TIFF files that are not a plate of a known format: their names, the nearest format, a pattern."""

import re
import shlex
from collections.abc import Iterable, Sequence

from openhcs_runtime.plates.folder import Folder
from openhcs_runtime.plates.format import PlateFormat
from openhcs_runtime.plates.proposal import propose

__all__ = ["names_in", "no_format_found"]

_MOST_NAMES = 1000
_MOST_FOLDERS = 200
_DEEPEST = 3
_SHOWN = 3
_EXAMINED = 50


def names_in(folder: Folder) -> list[str]:
    """Return paths of TIFF files below a folder, from its own to those three levels below: up to 1,000."""
    found: list[str] = []
    level, looked_at = [("", folder)], 0
    for _ in range(_DEEPEST + 1):
        below = []
        for prefix, one in level[: _MOST_FOLDERS - looked_at]:
            try:
                found += (prefix + name for name in sorted(one.images))
                below += [(f"{prefix}{name}/", one.below(name)) for name in one.folders]
            except OSError:
                continue
        looked_at += len(level)
        level = [(prefix, one) for prefix, one in below if not prefix.endswith("_results/")]
        if len(found) >= _MOST_NAMES or looked_at >= _MOST_FOLDERS:
            break
    return found[:_MOST_NAMES]


def no_format_found(folder: Folder, names: Sequence[str], formats: Iterable[PlateFormat]) -> str:
    """Return the message for a folder with images of no known format.

    Args:
        folder: The folder.
        names: Paths of images in it.
        formats: The known formats.
    """
    shown = ", ".join(_spread(names))
    count = f"{max(folder.image_count, len(names)):,}" if len(names) < _MOST_NAMES or folder.images else "many"
    what = f"none of its {count} TIFF files (such as {shown}) has a name of a known form"
    text = f"no plate of a known format in {folder.path}: {what}"
    if nearest := _nearest(names, formats):
        text += f"; {nearest}"
    else:
        text += "; 'openhcs-runtime info --formats' lists the known formats"
    proposal = propose(names)
    if proposal is None:
        return f"{text}; for such names use --pattern, or pattern= in PipelineConfig"
    return f"{text}; try --pattern {shlex.quote(proposal.pattern.text)} ({proposal.describe()})"


def _spread(names: Sequence[str]) -> list[str]:
    """Return three names from all over the list."""
    step = max(1, (len(names) - 1) // (_SHOWN - 1))
    return list(names[::step][:_SHOWN])


def _nearest(names: Sequence[str], formats: Iterable[PlateFormat]) -> str:
    """Say which format has most of its signs in the names, and what is missing; empty if none has half of them."""
    examined = names[:: max(1, len(names) // _EXAMINED)]
    best, best_share, missing = None, 0.0, []
    for one in formats:
        lacking = [sign for sign, expression in one.signs.items() if not _is_usual(expression, examined)]
        share = 1 - len(lacking) / len(one.signs) if one.signs else 0
        if share > best_share:
            best, best_share, missing = one, share, lacking
    if best is None or best_share < 0.5:
        return ""
    lack = f", but the names have no {' and no '.join(missing)}" if missing else ", but not all parts of the names fit"
    return f"the nearest format is {best.title} ({best.name}){lack}"


def _is_usual(expression: str, names: Sequence[str]) -> bool:
    return sum(re.search(expression, name) is not None for name in names) * 2 > len(names)
