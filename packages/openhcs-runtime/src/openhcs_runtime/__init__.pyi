from .builtin import (
    BuiltinPipeline as BuiltinPipeline,
    builtin_pipeline as builtin_pipeline,
    builtin_source as builtin_source,
)
from .components import (
    Component as Component,
)
from .config import (
    ExecutionMode as ExecutionMode,
    GlobalConfig as GlobalConfig,
    PipelineConfig as PipelineConfig,
)
from .engine.orchestrator import (
    PipelineOrchestrator as PipelineOrchestrator,
)
from .engine.plate_data import (
    PlateData as PlateData,
    PlateImage as PlateImage,
)
from .exceptions import (
    CompileError as CompileError,
    DamagedResultError as DamagedResultError,
    DiskFullError as DiskFullError,
    ImageError as ImageError,
    LifecycleError as LifecycleError,
    OmeroError as OmeroError,
    OpenHCSError as OpenHCSError,
    OutputError as OutputError,
    PipelineError as PipelineError,
    PlateError as PlateError,
    PlateMapError as PlateMapError,
    RoiError as RoiError,
    StepError as StepError,
    ViewerError as ViewerError,
    WorkerError as WorkerError,
)
from .outputs.exclusions import (
    Exclusion as Exclusion,
    Exclusions as Exclusions,
    exclude_wells as exclude_wells,
    include_wells as include_wells,
    read_exclusions as read_exclusions,
)
from .pipeline.decorators import (
    InputKind as InputKind,
    Measurements as Measurements,
    OutputKind as OutputKind,
    checked_by as checked_by,
    per_plane as per_plane,
    plate_inputs as plate_inputs,
    plate_output as plate_output,
    reduces as reduces,
    special_inputs as special_inputs,
    special_outputs as special_outputs,
)
from .pipeline.models import (
    drop_models as drop_models,
    model as model,
)
from .pipeline.place import Gpu as Gpu, StepPlace as StepPlace, current_place as current_place
from .pipeline.plate_step import (
    PlateStep as PlateStep,
)
from .pipeline.set_parameters import (
    with_settings as with_settings,
)
from .pipeline.source import (
    Pipeline as Pipeline,
    load_pipeline as load_pipeline,
)
from .pipeline.step import (
    FunctionStep as FunctionStep,
    InputSource as InputSource,
    Keep as Keep,
)
from .pipeline.to_source import (
    to_source as to_source,
)
from .plates import (
    make_plate as make_plate,
    open_plate as open_plate,
)
from .report.write import Report as Report, write_report as write_report
from .results import (
    PlateResult as PlateResult,
    ResultStatus as ResultStatus,
    StepCost as StepCost,
    WellResult as WellResult,
)
from .service.client import (
    PlateExecution as PlateExecution,
    ZMQExecutionClient as ZMQExecutionClient,
)
from .service.remote_orchestrator import (
    RemoteOrchestrator as RemoteOrchestrator,
)
from .tables.frames import FrameLibrary as FrameLibrary
from .tables.read import Results as Results, open_results as open_results
from .tables.schema import Measure as Measure, TableKind as TableKind, TableSchema as TableSchema
from .tasks import (
    OPENHCS_CONFIG as OPENHCS_CONFIG,
    CompileReport as CompileReport,
    PlateTask as PlateTask,
    Setting as Setting,
    TaskAction as TaskAction,
)
from .viewer_program import ViewerProgram as ViewerProgram
from .viewer_target import ViewCounts as ViewCounts, ViewTarget as ViewTarget
from .viewers.start import open_viewer as open_viewer
