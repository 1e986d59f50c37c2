"""Pipelines that come with the package, as plain pipeline files."""

from enum import StrEnum
from importlib import resources

from openhcs_runtime.pipeline.source import Pipeline, load_pipeline


class BuiltinPipeline(StrEnum):
    """The names of the built-in pipelines."""

    NUCLEI_COUNT = "nuclei_count"


def builtin_source(name: BuiltinPipeline = BuiltinPipeline.NUCLEI_COUNT) -> str:
    """The text of a built-in pipeline's file."""
    return resources.files(__name__).joinpath(f"{name.value}.py").read_text(encoding="utf-8")


def builtin_pipeline(name: BuiltinPipeline = BuiltinPipeline.NUCLEI_COUNT) -> Pipeline:
    """A built-in pipeline, loaded as any user's file is."""
    return load_pipeline(builtin_source(name), f"{name.value}.py")
