"""Pictures of several plates or runs in one stack, with a slider that goes from one to the next."""

from collections.abc import Sequence
from dataclasses import replace

from openhcs_runtime.components import Component
from openhcs_runtime.viewers.origin import COMPARED, Origin, origin_titles, short_names
from openhcs_runtime.viewers.results import Pictures

__all__ = ["compared"]


def compared(sources: Sequence[Pictures]) -> tuple[Pictures, ...]:
    """Return the same pictures at the same wells and sites of one stack, which has a slider for plates and runs.

    Args:
        sources: the pictures of each plate or run.

    Returns:
        The pictures of each of them.
    """
    together = Origin.together(source.origin for source in sources)
    names = _names([source.origin for source in sources])
    named = frozenset[Component]().union(*(source.named for source in sources))
    sizes = {picture.metadata.get("pixel_size") for source in sources for picture in source.pictures}
    alike = [source if len(sizes) == 1 else _without_size(source) for source in sources]
    return tuple(
        replace(source, origin=together, named=named, more={COMPARED: names[source.origin]}) for source in alike
    )


def _without_size(source: Pictures) -> Pictures:
    """Return pictures without their pixel size, as a stack can have only one."""
    pictures = (
        replace(picture, metadata={key: value for key, value in picture.metadata.items() if key != "pixel_size"})
        for picture in source.pictures
    )
    problem = f"{source.origin.plate} has another pixel size: the images have no scale"
    return replace(source, pictures=tuple(pictures), problems=(*source.problems, problem))


def _names(origins: Sequence[Origin]) -> dict[Origin, str]:
    """Return what tells each from the others: the plate, or the run, or else both."""
    for paths in ({one: one.plate for one in origins}, {one: one.run for one in origins}):
        if len(set(paths.values())) == len(paths) and all(paths.values()):
            names = short_names(paths.values())
            return {one: names[path] for one, path in paths.items()}
    return dict(origin_titles(origins))
