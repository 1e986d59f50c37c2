"""Which images one call of a step's function gets together; pure functions of image keys."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from openhcs_runtime.components import PROJECTED, Component, ImageKey

_SYMBOLS = {
    Component.SITE: "s",
    Component.CHANNEL: "w",
    Component.Z_INDEX: "z",
    Component.TIMEPOINT: "t",
}


@dataclass(frozen=True, slots=True)
class PatternGroup:
    """The images of one well that make one stack, in stack order, and the components that vary in it.

    named: the components of which the plate has several values.
    """

    keys: tuple[ImageKey, ...]
    variable: tuple[Component, ...]
    named: frozenset[Component] = frozenset()

    @property
    def pattern(self) -> str:
        """Short text for progress: `s*_w1_z1_t1` where sites vary."""
        first = self.keys[0]
        return "_".join(
            f"{symbol}{'*' if component in self.variable else first.value(component)}"
            for component, symbol in _SYMBOLS.items()
        )

    def value(self, component: Component) -> str | int:
        """The value of a component that does not vary."""
        return self.keys[0].value(component)


def group_images(
    keys: Iterable[ImageKey], variable: Sequence[Component], named: frozenset[Component] = frozenset()
) -> tuple[PatternGroup, ...]:
    """Split the images of a well into pattern groups.

    Images that differ only in `variable` are together, sorted by these components in the given order; groups are sorted
    by the others. Every image is in exactly one group.
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
    """The key of the one plane that a reducing function makes of a stack.

    A component with several values in the stack, or in the plate (`named`), becomes `PROJECTED`; one with a single
    value keeps it. So what a step makes has one z, also where some channels are stacks and others a single plane.
    """
    first = keys[0]
    several = {
        component for component in variable if component in named or len({key.value(component) for key in keys}) > 1
    }
    return replace(
        first,
        site=PROJECTED if Component.SITE in several else first.site,
        channel=PROJECTED if Component.CHANNEL in several else first.channel,
        z_index=PROJECTED if Component.Z_INDEX in several else first.z_index,
        timepoint=PROJECTED if Component.TIMEPOINT in several else first.timepoint,
    )


def shared_key(key: ImageKey, labelled: Collection[ImageKey]) -> ImageKey | None:
    """The image whose labels `key` may use: itself, else the one of the lowest channel that has labels at its place."""
    if key in labelled:
        return key
    place = (key.well, key.site, key.z_index, key.timepoint)
    others = (other for other in labelled if (other.well, other.site, other.z_index, other.timepoint) == place)
    return min(others, default=None)
