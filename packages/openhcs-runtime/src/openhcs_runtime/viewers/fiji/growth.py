"""How an image of ImageJ gets more planes without a new window.

ImageJ itself opens a new window, in the place of the old one, whenever the sizes of a hyperstack change. That takes a
tenth of a second and flickers. Where the new stack has the same sliders as the old one, only longer, they are made
longer instead; that needs fields of ``ij.gui.StackWindow`` that are not public. Should a version not have them, it goes
ImageJ's way.
"""

from collections.abc import Sequence
from typing import Any

from openhcs_runtime.viewers.fiji.imagej import ImageJ

__all__ = ["Sizes", "new_image", "set_stack"]

Sizes = tuple[int, int, int]
"""Channels, slices, frames."""

_COUNTS = ("nChannels", "nSlices", "nFrames")
_SLIDERS = ("cSelector", "zSelector", "tSelector")


def new_image(ij: ImageJ, title: str, shape: tuple[int, int], pixels: Any) -> Any:
    """A composite image that has no window yet; :func:`set_stack` gives it its planes.

    ImageJ makes composites of two channels or more; an image that may get more later has to be one from the beginning.
    """
    stack = ij.ImageStack(shape[1], shape[0])
    stack.addSlice("", pixels)
    stack.addSlice("", pixels)
    plain = ij.ImagePlus(title, stack)
    plain.setDimensions(2, 1, 1)
    image = ij.CompositeImage(plain, ij.CompositeImage.COLOR)
    image.setIgnoreFlush(True)  # the planes stay when the user closes the window
    return image


def set_stack(
    ij: ImageJ, image: Any, stack: Any, before: Sizes, sizes: Sizes, channels_before: Sequence[int | None]
) -> None:
    """Give an image its stack with these sizes; where there were others before, the window stays if it can.

    ``before`` is what we know, since ImageJ guesses anew once a stack has got longer. ``channels_before`` has for every
    channel the index that it had until now, None for a new one.
    """
    mode = image.getMode()
    active = list(image.getActiveChannels())
    are_same = list(range(before[0])) == list(channels_before)
    if not are_same:
        image.setMode(ij.CompositeImage.COLOR)  # a composite holds on to as many channels as it had
    _stretch(ij, image, before, sizes)
    image.setOpenAsHyperStack(True)
    image.setStack(stack, *sizes)
    if are_same:
        return
    is_first = before[0] <= 1
    if (is_first or mode == ij.CompositeImage.COMPOSITE) and 1 < sizes[0] <= ij.CompositeImage.MAX_CHANNELS:
        image.setMode(ij.CompositeImage.COMPOSITE)
        for number, index in enumerate(channels_before):
            image.getActiveChannels()[number] = is_first or index is None or active[index]
    elif mode == ij.CompositeImage.GRAYSCALE:
        image.setMode(mode)


def _stretch(ij: ImageJ, image: Any, before: Sizes, after: Sizes) -> None:
    window = image.getWindow()
    if not image.isVisible() or not isinstance(window, ij.StackWindow) or before == after:
        return
    if [size > 1 for size in before] != [size > 1 for size in after]:
        return  # it needs other sliders
    is_plain = sum(size > 1 for size in after) == 1  # which has the slider for slices, whichever axis it is
    if is_plain and after[0] > 1:
        return
    fields = ij.StackWindow.class_.getDeclaredField
    try:
        counts = [fields(name) for name in _COUNTS]
        sliders = [fields(name) for name in _SLIDERS]
        for field in (*counts, *sliders):
            field.setAccessible(True)
        for field, size in zip(counts, after, strict=True):
            field.setInt(window, size)
        longest = max(after)
        for field, size in zip(sliders, (after[0], longest if is_plain else after[1], after[2]), strict=True):
            slider = field.get(window)
            if slider is not None and size > 1:
                slider.setMaximum(size + 1)
    except ij.jpype.JException:
        return
