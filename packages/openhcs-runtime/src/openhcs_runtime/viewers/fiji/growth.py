"""Adds planes to an ImageJ image without opening a new window.

Whenever the dimensions of a hyperstack change, ImageJ replaces the window by a new one, which takes 0.1 s and
flickers. If the new stack has the same sliders as the old one, only longer, they are extended instead; that uses
fields of ``ij.gui.StackWindow`` that are not public. If an ImageJ version doesn't have them, ImageJ opens a new window.
"""

from collections.abc import Sequence
from typing import Any

from openhcs_runtime.viewers.fiji.imagej import ImageJ

__all__ = ["Sizes", "new_image", "set_stack"]

Sizes = tuple[int, int, int]
"""Numbers of channels, slices and frames."""

_COUNTS = ("nChannels", "nSlices", "nFrames")
_SLIDERS = ("cSelector", "zSelector", "tSelector")


def new_image(ij: ImageJ, title: str, shape: tuple[int, int], pixels: Any) -> Any:
    """Create a composite image without a window; :func:`set_stack` adds its planes.

    ImageJ makes composites only of two or more channels, so an image that may get more later has to start with two.
    """
    stack = ij.ImageStack(shape[1], shape[0])
    stack.addSlice("", pixels)
    stack.addSlice("", pixels)
    plain = ij.ImagePlus(title, stack)
    plain.setDimensions(2, 1, 1)
    image = ij.CompositeImage(plain, ij.CompositeImage.COLOR)
    image.setIgnoreFlush(True)  # the planes are kept when the user closes the window
    return image


def set_stack(
    ij: ImageJ, image: Any, stack: Any, before: Sizes, sizes: Sizes, channels_before: Sequence[int | None]
) -> None:
    """Set the stack of an image, keeping its window if possible.

    Args:
        ij: ImageJ.
        image: the image.
        stack: the new stack.
        before: previous sizes; ImageJ can't be asked, as it guesses them again once a stack has grown.
        sizes: new sizes.
        channels_before: previous index of each channel, None for a new one.
    """
    mode = image.getMode()
    active = list(image.getActiveChannels())
    are_same = list(range(before[0])) == list(channels_before)
    if not are_same:
        image.setMode(ij.CompositeImage.COLOR)  # a composite keeps its number of channels
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
        return  # it needs different sliders
    is_plain = sum(size > 1 for size in after) == 1  # a plain stack uses the slider for slices for any axis
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
