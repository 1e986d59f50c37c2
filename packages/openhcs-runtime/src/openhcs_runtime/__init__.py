"""Image pipelines over microscopy plates, run on a background server."""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from openhcs_runtime.builtin import BuiltinPipeline, builtin_pipeline, builtin_source
    from openhcs_runtime.client import ZMQExecutionClient
    from openhcs_runtime.components import Component
    from openhcs_runtime.config import ExecutionMode, GlobalConfig, PipelineConfig
    from openhcs_runtime.exceptions import OpenHCSError
    from openhcs_runtime.orchestrator import PipelineOrchestrator
    from openhcs_runtime.pipeline.declare import (
        InputKind,
        Measurements,
        OutputKind,
        per_plane,
        reduces,
        special_inputs,
        special_outputs,
    )
    from openhcs_runtime.pipeline.source import Pipeline, load_pipeline
    from openhcs_runtime.pipeline.step import FunctionStep, InputSource
    from openhcs_runtime.pipeline.writing import to_source
    from openhcs_runtime.plates import make_plate, open_plate
    from openhcs_runtime.results import PlateResult, ResultStatus, WellResult

# Each name is imported when it is first used: a command that only talks to the server loads no image library.
_HOMES = {
    "BuiltinPipeline": "builtin",
    "Component": "components",
    "ExecutionMode": "config",
    "FunctionStep": "pipeline.step",
    "GlobalConfig": "config",
    "InputKind": "pipeline.declare",
    "InputSource": "pipeline.step",
    "Measurements": "pipeline.declare",
    "OpenHCSError": "exceptions",
    "OutputKind": "pipeline.declare",
    "Pipeline": "pipeline.source",
    "PipelineConfig": "config",
    "PipelineOrchestrator": "orchestrator",
    "PlateResult": "results",
    "ResultStatus": "results",
    "WellResult": "results",
    "ZMQExecutionClient": "client",
    "builtin_pipeline": "builtin",
    "builtin_source": "builtin",
    "load_pipeline": "pipeline.source",
    "make_plate": "plates",
    "open_plate": "plates",
    "per_plane": "pipeline.declare",
    "reduces": "pipeline.declare",
    "special_inputs": "pipeline.declare",
    "special_outputs": "pipeline.declare",
    "to_source": "pipeline.writing",
}

__all__ = [
    "BuiltinPipeline",
    "Component",
    "ExecutionMode",
    "FunctionStep",
    "GlobalConfig",
    "InputKind",
    "InputSource",
    "Measurements",
    "OpenHCSError",
    "OutputKind",
    "Pipeline",
    "PipelineConfig",
    "PipelineOrchestrator",
    "PlateResult",
    "ResultStatus",
    "WellResult",
    "ZMQExecutionClient",
    "builtin_pipeline",
    "builtin_source",
    "load_pipeline",
    "make_plate",
    "open_plate",
    "per_plane",
    "reduces",
    "special_inputs",
    "special_outputs",
    "to_source",
]


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(importlib.import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
