"""Pipelines included in the package, as ordinary pipeline files."""

from enum import StrEnum
from importlib import resources

from openhcs_runtime.choices import choose
from openhcs_runtime.pipeline.source import Pipeline, load_pipeline

__all__ = ["BuiltinPipeline", "builtin_pipeline", "builtin_source"]


class BuiltinPipeline(StrEnum):
    """The names of the built-in pipelines."""

    NUCLEI_COUNT = "nuclei_count"
    NUCLEI_CELLS_CYTOPLASM = "nuclei_cells_cytoplasm"
    SPOTS_IN_CELLS = "spots_in_cells"
    CELL_PAINTING = "cell_painting"


def builtin_source(name: BuiltinPipeline | str = BuiltinPipeline.NUCLEI_COUNT) -> str:
    """Return the text of a built-in pipeline file.

    Raises:
        ValueError: If there is no such pipeline.
    """
    chosen = choose(BuiltinPipeline, name, "built-in pipeline")
    return resources.files(__name__).joinpath(f"{chosen}.py").read_text(encoding="utf-8")


def builtin_pipeline(name: BuiltinPipeline | str = BuiltinPipeline.NUCLEI_COUNT) -> Pipeline:
    """Load a built-in pipeline like any pipeline file.

    Raises:
        ValueError: If there is no such pipeline.
    """
    return load_pipeline(builtin_source(name), f"{name}.py")


def __dir__() -> list[str]:
    return sorted(__all__)
