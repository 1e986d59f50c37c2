"""``compile``: only see whether a pipeline would run over a plate."""

from typing import TYPE_CHECKING

from openhcs_runtime.cli.choice_options import PlateMapPath, RunWells, Sample, Set, Sites, Where, choice_of, settings_of
from openhcs_runtime.cli.interrupts import uninterrupted
from openhcs_runtime.cli.options import (
    Channel,
    DaskCluster,
    Diameter,
    Gpus,
    Host,
    ImagePattern,
    Json,
    OutputFolder,
    Pages,
    PipelineFile,
    PlateFormatName,
    PlatePath,
    Port,
    Replace,
    ResultsFolder,
    Seed,
    Workers,
)

if TYPE_CHECKING:
    from openhcs_runtime.cli.plate_tasks import RunOptions
    from openhcs_runtime.tasks import CompileReport, PlateTask
    from zmqruntime.execution.cli.output import Output

__all__ = ["compile_"]


def compile_(
    plate: PlatePath,
    pipeline: PipelineFile = None,
    output: OutputFolder = None,
    results_dir: ResultsFolder = None,
    replace: Replace = False,
    workers: Workers = None,
    dask: DaskCluster = None,
    gpus: Gpus = None,
    pattern: ImagePattern = None,
    plate_format: PlateFormatName = None,
    pages: Pages = None,
    seed: Seed = None,
    wells: RunWells = None,
    sites: Sites = None,
    where: Where = None,
    platemap: PlateMapPath = None,
    sample: Sample = None,
    set_: Set = None,
    channel: Channel = None,
    diameter: Diameter = None,
    port: Port = 7777,
    host: Host = None,
    as_json: Json = False,
) -> int:
    """Check a pipeline against a plate, and list all problems at once.

    It reads no image and writes nothing. The ID that it prints can be run. If a folder has several plates, the pipeline
    is checked against each of them.

    \b
      openhcs-runtime compile demo --pipeline segment.py
      openhcs-runtime run --compiled ID
    """
    with uninterrupted():
        from openhcs_runtime.cli.endpoint import PlateEndpoint
        from openhcs_runtime.cli.plate_tasks import RunOptions
        from zmqruntime.execution.cli.output import Output
    options = RunOptions(
        plate=plate,
        endpoint=PlateEndpoint(port, host),
        pipeline=pipeline,
        output=output,
        results_dir=results_dir,
        replace=replace,
        workers=workers,
        dask=dask,
        gpus=gpus,
        pattern=pattern,
        plate_format=plate_format,
        pages=pages,
        channel=channel,
        diameter=diameter,
        seed=seed,
        choice=choice_of(wells, sites, where, platemap, sample),
        settings=settings_of(set_),
    )
    return _compile(options, Output(as_json))


def _compile(options: "RunOptions", output: "Output") -> int:
    with uninterrupted():
        import msgspec

        from openhcs_runtime.cli.batch import batch_tasks, compile_batch
        from openhcs_runtime.cli.endpoint import connected
        from openhcs_runtime.cli.plate_tasks import plate_task
        from openhcs_runtime.cli.plate_trees import options_of_each
        from openhcs_runtime.cli.summary import error_of
        from openhcs_runtime.tasks import TaskAction

    def compiling(task: "PlateTask") -> "PlateTask":
        return msgspec.structs.replace(task, action=TaskAction.COMPILE)

    each = options_of_each(options)
    if len(each) > 1:
        return compile_batch(options.endpoint, batch_tasks(each, compiling), output)
    task = compiling(plate_task(options))
    with connected(options.endpoint) as client:
        execution = client.wait(client.submit_task(task).execution_id)
    report = execution.compiled
    document = {"execution_id": execution.execution_id, "status": execution.status.value, "compiled": report}
    if report is None:
        return output.document(document, error_of(execution))
    for line in _lines(report):
        output.line(line)
    run = f"openhcs-runtime run --compiled {report.compile_artifact_id}{options.endpoint.options}"
    output.line(f"Compiled; '{run}' runs it.")
    return output.document(document)


def _lines(report: "CompileReport") -> list[str]:
    from zmqruntime.execution.text import plural, size

    incomplete = f", {len(report.incomplete_wells)} of them incomplete" if report.incomplete_wells else ""
    steps = f"{plural(len(report.steps), 'step')}: {', '.join(report.steps)}"
    wells = report.choice or plural(len(report.wells), "well")
    lines = [f"{wells}{incomplete}; {steps}"]
    if report.memory_per_well_bytes:
        lines.append(
            f"{plural(report.workers, 'worker')}, each with up to {size(report.memory_per_well_bytes)} of memory"
        )
    lines += [f"Note: {warning}" for warning in report.warnings]
    return [*lines, f"Results would go to {'a new folder in ' if report.gets_own_folder else ''}{report.output_dir}"]
