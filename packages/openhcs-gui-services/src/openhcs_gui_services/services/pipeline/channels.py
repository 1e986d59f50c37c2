"""Channels as a step names them, and as a list offers them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from openhcs_gui_services.services.pipeline.components import component_of, is_by_channel
from openhcs_gui_services.services.pipeline.step_form import in_words, source_text
from openhcs_gui_services.services.pipeline.text import Branch, PipelineOutline, StepEntry

__all__ = ["ALL_CHANNELS", "ChannelChoice", "branch_title", "channel_choices", "channel_title", "written_channels"]

ALL_CHANNELS: Final = "All channels"
_NUCLEI: Final = "nuclei"


@dataclass(frozen=True, slots=True)
class ChannelChoice:
    """A channel in a list: its source (None for all channels) and its title."""

    source: str | None
    title: str


def channel_title(source: str | None, outline: PipelineOutline, names: Mapping[int, str]) -> str:
    """Return what a person calls the channel with this source.

    Args:
        source: its source: a number, a name or a setting; None for all channels.
        outline: the pipeline.
        names: the channels of the plate by number.
    """
    if source is None:
        return ALL_CHANNELS
    value = outline.value_of(source)
    if value is None:
        return source
    text = str(value)
    if text.isdecimal():
        name = names.get(int(text), "")
        return f"{text}: {name}" if name else f"channel {text}"
    return "nuclei, found by name" if text.casefold() == _NUCLEI and _NUCLEI not in _folded(names) else text


def branch_title(step: StepEntry, branch: Branch, outline: PipelineOutline, names: Mapping[int, str]) -> str:
    """Return what a person calls the images of a branch: a channel, or a value of what the step is grouped by."""
    if branch.key is None or is_by_channel(step, outline):
        return channel_title(branch.key, outline, names)
    by = component_of(step.keywords.get("group_by", ""), outline)
    value = outline.value_of(branch.key)
    return f"{in_words(by or 'group').lower()} {branch.key if value is None else value}"


def written_channels(outline: PipelineOutline) -> list[str]:
    """Return the source of each channel that the steps name, in order."""
    steps = [step for step in outline.steps if is_by_channel(step, outline)]
    return [branch.key for step in steps for branch in step.branches if branch.key is not None]


def channel_choices(
    outline: PipelineOutline, names: Mapping[int, str], current: tuple[str | None, ...] = ()
) -> tuple[ChannelChoice, ...]:
    """Return the channels to choose from: all, those that the pipeline names, those of the plate.

    Args:
        outline: the pipeline.
        names: the channels of the plate by number.
        current: sources that are offered in any case.
    """
    written = written_channels(outline)
    found: dict[str | None, str] = {None: ALL_CHANNELS}
    for source in dict.fromkeys([*written, *current]):
        title = channel_title(source, outline, names)
        found[source] = f"{title} ({source})" if source is not None and outline.constant(source) else title
    known = {str(outline.value_of(source)).casefold() for source in written if not outline.constant(source)}
    by_name = _writes_names(written, outline)
    for number, name in names.items():
        if str(number) in known or name.casefold() in known:
            continue
        source = source_text(name) if name and by_name else str(number)
        found.setdefault(source, channel_title(str(number), outline, names))
    return tuple(ChannelChoice(source, title) for source, title in found.items())


def _writes_names(written: list[str], outline: PipelineOutline) -> bool:
    """Return whether the pipeline names channels by name rather than by number; numbers if it names none."""
    values = [outline.value_of(source) for source in written]
    return any(isinstance(value, str) and value != _NUCLEI and not value.isdecimal() for value in values)


def _folded(names: Mapping[int, str]) -> set[str]:
    return {name.casefold() for name in names.values()}
