"""Grouping of the images that a function gets in one call; pure functions of image keys."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from msgspec import structs

from openhcs_runtime.components import PROJECTED, Component, ImageKey

_SYMBOLS = {
    Component.SITE: "s",
    Component.CHANNEL: "w",
    Component.Z_INDEX: "z",
    Component.TIMEPOINT: "t",
}


@dataclass(frozen=True, slots=True)
class PatternGroup:
    """The images of one well that form one stack.

    Attributes:
        keys: The images in stack order.
        variable: The components that vary in the stack.
        named: The components with several values in the plate.
    """

    keys: tuple[ImageKey, ...]
    variable: tuple[Component, ...]
    named: frozenset[Component] = frozenset()

    @property
    def pattern(self) -> str:
        """A short text for progress, such as ``s*_w1_z1_t1`` if sites vary."""
        first = self.keys[0]
        return "_".join(
            f"{symbol}{'*' if component in self.variable else first.value(component)}"
            for component, symbol in _SYMBOLS.items()
        )

    def value(self, component: Component) -> str | int:
        """Return the value of a component that does not vary."""
        return self.keys[0].value(component)


def group_images(
    keys: Iterable[ImageKey], variable: Sequence[Component], named: frozenset[Component] = frozenset()
) -> tuple[PatternGroup, ...]:
    """Split the images of a well into pattern groups.

    Images that differ only in the components ``variable`` are in one group, sorted by these components in the given
    order; groups are sorted by the other components. Every image is in exactly one group.
    """
    fixed = [component for component in Component if component not in variable]
    groups: dict[tuple[str | int, ...], list[ImageKey]] = {}
    for key in sorted(keys):
        groups.setdefault(tuple(key.value(component) for component in fixed), []).append(key)
    for members in groups.values():
        members.sort(key=lambda key: tuple(key.value(component) for component in variable))
    return tuple(PatternGroup(tuple(members), tuple(variable), named) for members in groups.values())


def reduced_key(
    keys: Sequence[ImageKey], variable: Sequence[Component], named: frozenset[Component] = frozenset()
) -> ImageKey:
    """Return the key of the single plane that a reducing function makes from a stack.

    A variable component with several values in the stack, or in the plate (``named``), becomes ``PROJECTED``; one with
    a single value keeps it. So the output of a step has one z even if some channels are stacks and others single
    planes.
    """
    first = keys[0]
    several = {
        component for component in variable if component in named or len({key.value(component) for key in keys}) > 1
    }
    return structs.replace(
        first,
        site=PROJECTED if Component.SITE in several else first.site,
        channel=PROJECTED if Component.CHANNEL in several else first.channel,
        z_index=PROJECTED if Component.Z_INDEX in several else first.z_index,
        timepoint=PROJECTED if Component.TIMEPOINT in several else first.timepoint,
    )


def shared_key(key: ImageKey, labelled: Collection[ImageKey]) -> ImageKey | None:
    """Return the image whose labels ``key`` uses: itself, or that of the lowest channel with labels at its position."""
    if key in labelled:
        return key
    place = (key.well, key.site, key.z_index, key.timepoint)
    others = (other for other in labelled if (other.well, other.site, other.z_index, other.timepoint) == place)
    return min(others, default=None)
