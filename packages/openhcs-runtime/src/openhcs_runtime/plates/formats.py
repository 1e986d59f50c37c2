"""The plate formats that are installed: the built-in ones and those of other packages, all by entry points."""

import functools
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points

from openhcs_runtime.exceptions import PlateError
from openhcs_runtime.plates.format import PlateFormat

__all__ = ["GROUP", "InstalledFormat", "all_formats", "format_named", "format_names", "format_packages"]

GROUP = "openhcs_runtime.plate_formats"


@dataclass(frozen=True, slots=True)
class InstalledFormat:
    """A format, and the package that it comes from.

    Attributes:
        name: Its name in ``--format``.
        title: What it is called in messages; what is wrong with it if it can't be loaded.
        package: Name and version of the package.
    """

    name: str
    title: str
    package: str


def format_names() -> tuple[str, ...]:
    """Return the names of the installed formats, sorted, without loading them."""
    return tuple(sorted(_points()))


def all_formats() -> tuple[PlateFormat, ...]:
    """Load all installed formats, in the order of their names.

    Raises:
        PlateError: If one can't be loaded; the error names its package.
    """
    return tuple(map(format_named, format_names()))


def format_packages() -> tuple[InstalledFormat, ...]:
    """Return the installed formats, in the order of their names; one that can't be loaded is listed as well."""
    return tuple(InstalledFormat(name, _title(name), _package(_points()[name])) for name in format_names())


def _title(name: str) -> str:
    try:
        return format_named(name).title
    except PlateError as error:
        return str(error)


def _package(point: EntryPoint) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist else point.value


@functools.cache
def format_named(name: str) -> PlateFormat:
    """Load a format.

    Raises:
        PlateError: If it is not installed or can't be loaded.
    """
    point = _points().get(name)
    if point is None:
        raise PlateError(
            f"unknown plate format {name!r}; choose one of {', '.join(format_names())}, or install the package with it"
        )
    package = _package(point)
    try:
        made = point.load()()
    except Exception as error:
        what = f"the plate format {name!r} of {package} can't be loaded: {type(error).__name__}: {error}"
        raise PlateError(f"{what}; repair or uninstall the package") from error
    if not isinstance(made, PlateFormat) or made.name != name:
        raise PlateError(f"{point.value} of {package} is not a PlateFormat with the name {name!r}")
    return made


@functools.cache
def _points() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=GROUP)}
