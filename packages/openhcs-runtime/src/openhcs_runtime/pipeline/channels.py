"""Resolution of channel names in steps, including the channel that shows nuclei; pure functions."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from openhcs_runtime.components import Component
from openhcs_runtime.pipeline.plate_step import PlateStep, Step
from openhcs_runtime.pipeline.step import CallOrChain

NUCLEI = "nuclei"
"""The key in a dict by channel that stands for the channel that shows nuclei."""

_STAIN = (
    r"dapi|hoechst|h\W?33342|h\W?33258|33342|33258|draq\W?[57]|nuc\W?blue|nucred|nucgreen|nuc\W?spot|sytox|to\W?pro|"
    r"propidium|dye\W?cycle|7\W?aad|(?<![a-z])(sir|spy\d*)\W?dna|(?<![a-z])dna(?![a-z])"
)
_PROTEIN = r"(?<![a-z])h2[ab](?![a-z])|histone|(?<![a-z])h2b|(?<![a-z])nls(?![a-z])|(?<![a-z])nucle(i|us|ar)(?![a-z])"
_WEAK = r"(?<![a-z])syto\W?\d*(?![a-z])"
_LIGHT = r"(?<!\d)(345|350|355|358|359|360|365|375|377|385|387|390|395|405|445|447|452|455|457|460|461)(?!\d)"
_SIGNS = tuple(map(re.compile, (_STAIN, _PROTEIN, _WEAK, _LIGHT)))
"""Signs in a channel name, the surest first: a DNA stain, a nuclear protein, a stain that also binds RNA, an excitation
or emission wavelength of DAPI."""
_OTHERWISE = re.compile(
    r"(?<![a-z])(anti|non|no|not|without|minus)(?![a-z])|antibod|antigen|pore|envelope|membrane|lamin|perinucle|"
    r"nucleol|nucleopor|speckle|receptor|factor|mt\W?dna|dna\W?pk|damage|repair|brightfield|transmi"
)
"""Words that make a name refer to something else in, at or around nuclei, or to their absence."""
_OTHER_DYES = re.compile(r"alexa|atto|(?<![a-z])(cf|af|bv|bd)\W?\d|pacific|cascade|phalloidin|cfp|bfp|blue\W?fluor")
"""Dyes for other structures at the wavelengths of DAPI."""


@dataclass(frozen=True, slots=True)
class Resolved:
    """Steps with channel names replaced by numbers.

    Attributes:
        steps: The steps; keys of dicts by channel are numbers of channels, or numbers given by the user.
        notes: A line for each decision made.
        problems: A line for each name that can't be resolved; if there are any, the steps are unchanged.
    """

    steps: tuple[Step, ...]
    notes: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


def with_channel_numbers(steps: Sequence[Step], channels: Sequence[int], names: Mapping[int, str]) -> Resolved:
    """Replace channel names, and ``NUCLEI``, by channel numbers in dicts by channel.

    Args:
        steps: The steps of a pipeline.
        channels: The channel numbers of the plate.
        names: Names of the channels that have one.
    """
    notes: dict[str, None] = {}
    problems: dict[str, None] = {}
    numbered: list[Step] = []
    for step in steps:
        if (
            isinstance(step, PlateStep)
            or step.group_by is not Component.CHANNEL
            or not isinstance(step.func, Mapping)
            or not step.enabled
        ):
            numbered.append(step)
            continue
        func: dict[str | int, CallOrChain] = {}
        for key, form in step.func.items():
            found = _channel(str(key), channels, names)
            if isinstance(found, str):
                problems[found] = None
                continue
            number, note = found
            if note:
                notes[note] = None
            if number is not None and str(number) in {str(taken) for taken in func}:
                problems[f"step {step.name!r} has channel {number} twice, once as {key!r}"] = None
            func[key if number is None else number] = form
        numbered.append(replace(step, func=func) if func else step)
    if problems:
        return Resolved(tuple(steps), problems=tuple(problems))
    return Resolved(tuple(numbered), notes=tuple(notes))


def _channel(key: str, channels: Sequence[int], names: Mapping[int, str]) -> tuple[int | None, str] | str:
    """Return the channel number for a key (None to leave the key as it is) and a note, or the problem as a string."""
    if key.isdecimal() and (int(key) in channels or not names):
        return None, ""
    named = [number for number in channels if names.get(number, "").casefold() == key.casefold()]
    if len(named) == 1:
        return named[0], f"Nuclei: {_described(named[0], names)}, by its name" if key.casefold() == NUCLEI else ""
    if named:
        return f"channels {_numbers(named)} are all named {key!r}: use the number of one of them"
    if key.casefold() == NUCLEI:
        return _nuclear(channels, names)
    if key.isdecimal():
        return None, ""
    return f"the plate has no channel {key!r} (it has {_listed(channels, names)})"


def _nuclear(channels: Sequence[int], names: Mapping[int, str]) -> tuple[int, str] | str:
    if len(channels) == 1:
        return channels[0], f"Nuclei: {_described(channels[0], names)}, the only one"
    found = {number: sure for number in channels if (sure := sureness(names.get(number, ""))) is not None}
    best = [number for number, sure in found.items() if sure == min(found.values())]
    remedy = "choose one with --channel, or as the key in the pipeline file"
    if not best:
        return f"no channel name indicates nuclei (the plate has {_listed(channels, names)}): {remedy}"
    if len(best) > 1:
        return f"several channels may show nuclei ({_listed(best, names)}): {remedy}"
    return best[0], f"Nuclei: {_described(best[0], names)}, by its name"


def sureness(name: str) -> int | None:
    """Return how surely a channel of this name shows nuclei, 0 being best; None if the name does not indicate them."""
    plain = name.casefold()
    if _OTHERWISE.search(plain):
        return None
    sure = next((rank for rank, sign in enumerate(_SIGNS) if sign.search(plain)), None)
    return None if sure == len(_SIGNS) - 1 and _OTHER_DYES.search(plain) else sure


def _described(number: int, names: Mapping[int, str]) -> str:
    return f"channel {number} ({names[number]})" if names.get(number) else f"channel {number}"


def _listed(channels: Sequence[int], names: Mapping[int, str]) -> str:
    return ", ".join(f"{number}: {names.get(number) or 'unnamed'}" for number in channels)


def _numbers(channels: Sequence[int]) -> str:
    return ", ".join(map(str, channels))
