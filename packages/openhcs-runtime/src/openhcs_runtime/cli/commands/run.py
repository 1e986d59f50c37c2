"""``run``: a pipeline over a plate, watched to its end."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

from openhcs_runtime.cli.choice_options import (
    Keep,
    PlateMapPath,
    RunWells,
    Sample,
    Set,
    Sites,
    Sweep,
    Time,
    Where,
    choice_of,
    keep_of,
    settings_of,
)
from openhcs_runtime.cli.commands.view import show_viewer
from openhcs_runtime.cli.declare import Argument, BadParameter, Option
from openhcs_runtime.cli.interrupts import uninterrupted
from openhcs_runtime.cli.options import (
    Channel,
    DaskCluster,
    Diameter,
    FollowPlate,
    Fresh,
    Gpus,
    Host,
    ImagePattern,
    Json,
    OutputFolder,
    Pages,
    PipelineFile,
    PlateFormatName,
    Port,
    Replace,
    ResultsFolder,
    Seed,
    Settle,
    UntilIdle,
    View,
    ViewComponents,
    Workers,
    plate_named,
    read_components,
)

if TYPE_CHECKING:
    from openhcs_runtime.cli.endpoint import PlateEndpoint
    from openhcs_runtime.cli.plate_tasks import RunOptions
    from openhcs_runtime.service.client import ZMQExecutionClient
    from openhcs_runtime.tasks import PlateTask
    from zmqruntime.execution.cli.output import Output

__all__ = ["run"]


def run(
    plate: Annotated[
        str | None,
        Argument(
            parser=plate_named,
            metavar="PLATE",
            help="Folder with the plate's images, or its URL; or a folder of several plates; not with --compiled",
        ),
    ] = None,
    pipeline: PipelineFile = None,
    output: OutputFolder = None,
    results_dir: ResultsFolder = None,
    replace: Replace = False,
    fresh: Fresh = False,
    workers: Workers = None,
    dask: DaskCluster = None,
    gpus: Gpus = None,
    pattern: ImagePattern = None,
    plate_format: PlateFormatName = None,
    pages: Pages = None,
    wells: RunWells = None,
    sites: Sites = None,
    where: Where = None,
    platemap: PlateMapPath = None,
    sample: Sample = None,
    set_: Set = None,
    keep: Keep = None,
    sweep: Sweep = None,
    time: Time = False,
    channel: Channel = None,
    diameter: Diameter = None,
    view: View = None,
    view_components: ViewComponents = None,
    seed: Seed = None,
    follow: FollowPlate = False,
    until_idle: UntilIdle = None,
    settle: Settle = None,
    compiled: Annotated[
        str | None,
        Option(metavar="ID", help="Run what 'compile' has checked, instead of PLATE [default: PLATE]"),
    ] = None,
    port: Port = 7777,
    host: Host = None,
    as_json: Json = False,
) -> int:
    """Run a pipeline over a plate and watch it, with one progress bar per well.

    A background server does the work. It is started if none is running, and stays for the next run. Closing the
    terminal does not end the run. Ctrl-C cancels it, keeps the wells that are done, and names the 'openhcs-runtime
    resume' command that does the rest.

    Each run gets a folder of its own, PLATE_results/DATE_TIME_PIPELINE, so no run overwrites another. Wells that an
    earlier run made from the same images, pipeline, settings and versions are taken over instead of computed again.
    'openhcs-runtime results PLATE' lists the runs.

    \b
      openhcs-runtime run demo
      openhcs-runtime run /data/plate7 --channel DAPI --diameter 12
      openhcs-runtime run /data/plate7 --pipeline segment.py --output /data/out --workers 8
      openhcs-runtime run demo --json > result.json
      openhcs-runtime run /data/plate7 --dask tcp://scheduler:8786
      openhcs-runtime run /data/plate7 --pipeline cellpose.py --gpus 0,1
      openhcs-runtime run demo --view napari --view-components site=layer
      openhcs-runtime run /data/screen --results-dir /data/screen_results
      openhcs-runtime run /data/plate8 --follow --until-idle 20m
      openhcs-runtime run /data/plate7 --wells A01-A06,B03 --sites 1,2
      openhcs-runtime run /data/plate7 --set Segment.diameter_um=12
      openhcs-runtime run /data/plate7 --sweep Segment.diameter_um=8,10,12 --sample 3
      openhcs-runtime run /data/plate7 --where "control == 'DMSO'" --sample 5

    Some wells can be tried first: a later run over the whole plate takes them over. 'A01-C06' is the rectangle between
    two wells. --where reads platemap.csv, .xlsx or .json in the plate folder or next to it.

    --keep STEP keeps what the step has made: a later run in which only later steps differ begins there.

    --set changes a parameter of a function for this run. --sweep tries several values: each one is a run, and a new
    folder next to the runs has sweep.csv, with a row for each value and well, and sweep.png, with the objects of each.

    If a folder has several plates, on the level below it or on the next one, all of them are run, with one line each at
    the end. A plate that fails, or that can't be opened, does not stop the others; the exit code is the worst one.

    With --follow it can be started before the microscope: the folder may be empty, or not exist yet. A well is started
    when all its images are there, and the first well when the second one has begun. All are those that the microscope's
    own description of the plate lists; without one, as many as any other well has, once a later well has begun. What
    is left is done after the end of the acquisition. A well whose images change later is processed again.

    A viewer shows the images of the last step and all labels, regions and objects, or those of the steps with
    stream=True. It never delays the run, and stays open after it.

    A pipeline file is a Python file that defines pipeline_steps, a list of FunctionStep, and optionally global_config
    and pipeline_config:

    \b
      from openhcs_runtime import FunctionStep
      from openhcs_runtime.functions import measure_objects, segment_nuclei
      pipeline_steps = [
          FunctionStep(segment_nuclei),
          FunctionStep((measure_objects, {"name": "nuclei"})),
      ]
    """
    if view_components and not view:
        raise BadParameter("--view-components needs a viewer; add --view napari or --view fiji")
    if not follow and (until_idle or settle):
        raise BadParameter("--until-idle and --settle say how to follow a plate; add --follow")
    with uninterrupted():
        from openhcs_runtime.cli.endpoint import PlateEndpoint
        from openhcs_runtime.cli.plate_tasks import RunOptions, follow_of, plate_task
        from openhcs_runtime.cli.plate_trees import options_of_each
        from zmqruntime.execution.cli.output import Output
    endpoint, words = PlateEndpoint(port, host), Output(as_json)
    if compiled is not None:
        named = plate, pipeline, output, results_dir, replace, fresh, workers, dask, gpus, channel, diameter, view
        lists = set_, keep, sweep, follow
        chosen = wells, sites, where, platemap, sample, seed, pattern, plate_format, pages
        if any((*named, *lists)) or any(given is not None for given in chosen):
            raise BadParameter("--compiled says all there is to run; leave out PLATE and the other options")
        return _run_compiled(endpoint, compiled, words, with_costs=time)
    if plate is None:
        raise BadParameter("name the folder of a plate, or --compiled ID")
    options = RunOptions(
        plate=plate,
        endpoint=endpoint,
        pipeline=pipeline,
        output=output,
        results_dir=results_dir,
        replace=replace,
        fresh=fresh,
        workers=workers,
        dask=dask,
        gpus=gpus,
        pattern=pattern,
        plate_format=plate_format,
        pages=pages,
        channel=channel,
        diameter=diameter,
        view=view,
        seed=seed,
        follow=follow_of(until_idle, settle) if follow else None,
        choice=choice_of(wells, sites, where, platemap, sample),
        settings=settings_of(set_),
        keep=keep_of(keep),
    )
    if sweep:
        return _run_sweep(options, sweep, words, with_costs=time)
    each = options_of_each(options)
    task = plate_task(options) if len(each) == 1 else None
    if view is not None:
        show_viewer(view, read_components(view_components), words)
    if task is None:
        return _run_batch(each, words, with_costs=time)
    return _run(options, task, words, with_costs=time)


def _run_batch(options: "Sequence[RunOptions]", output: "Output", *, with_costs: bool) -> int:
    """Several plates, with one execution each."""
    with uninterrupted():
        from openhcs_runtime.cli.batch import batch_tasks, run_batch, run_batch_here
    uses_server = _uses_server()
    plates = batch_tasks(options)
    if not uses_server:
        return run_batch_here(plates, output, with_costs=with_costs)
    return run_batch(options[0].endpoint, plates, output, with_costs=with_costs)


def _run_sweep(options: "RunOptions", texts: "Sequence[str]", output: "Output", *, with_costs: bool) -> int:
    """One run for each combination of values."""
    with uninterrupted():
        from openhcs_runtime.cli.plate_tasks import plate_task
        from openhcs_runtime.cli.plate_trees import options_of_each
        from openhcs_runtime.cli.sweeping import check_sweep, run_sweep_here, run_sweep_on
        from zmqruntime.execution.cli.failures import CommandError, ErrorKind
    parameters = check_sweep(options, texts)
    if len(options_of_each(options)) > 1:
        raise CommandError(ErrorKind.USAGE, f"--sweep is for one plate; name one of those in {options.plate}")
    task = plate_task(options)
    if options.view is not None:
        show_viewer(options.view, {}, output)
    if _uses_server():
        return run_sweep_on(options.endpoint, task, parameters, output, with_costs=with_costs)
    return run_sweep_here(task, parameters, output, with_costs=with_costs)


def _uses_server() -> bool:
    """Whether runs use a server, as the environment says."""
    from openhcs_runtime.exceptions import PipelineError
    from openhcs_runtime.tasks import wants_server
    from zmqruntime.execution.cli.failures import CommandError, ErrorKind

    try:
        return wants_server()
    except PipelineError as error:
        raise CommandError(ErrorKind.USAGE, str(error)) from error


def _run(options: "RunOptions", task: "PlateTask", output: "Output", *, with_costs: bool) -> int:
    """On a server, unless the environment says that none is to be used."""
    with uninterrupted():
        from openhcs_runtime.cli.running import Begun, follow
    if not _uses_server():
        return _run_here(task, output, with_costs=with_costs)
    title = f"Running {options.title} over {task.plate_path}{_following(task)}"

    def begin(client: "ZMQExecutionClient") -> Begun:
        return Begun(client.submit_task(task).execution_id, title)

    return follow(options.endpoint, begin, output, with_costs=with_costs)


def _following(task: "PlateTask") -> str:
    """Until when the plate is followed, in words."""
    if task.follow is None:
        return ""
    from zmqruntime.execution.text import duration

    return f" while it is acquired, until nothing has changed for {duration(task.follow.idle_seconds)}"


def _run_here(task: "PlateTask", output: "Output", *, with_costs: bool) -> int:
    """In this process; the first Ctrl-C cancels, another one leaves at once."""
    with uninterrupted():
        from openhcs_runtime.cli.here import run_here
        from openhcs_runtime.cli.running import tell_end
        from zmqruntime.messages import ExecutionStatus
    output.line(f"Running over {task.plate_path}{_following(task)} in this process, without a server")
    execution, view = run_here(task, quiet=output.as_json)
    was_interrupted = execution.status is ExecutionStatus.CANCELLED
    return tell_end(execution, view, output, was_interrupted=was_interrupted, with_costs=with_costs)


def _run_compiled(endpoint: "PlateEndpoint", compiled_id: str, output: "Output", *, with_costs: bool) -> int:
    """What was compiled before."""
    with uninterrupted():
        from openhcs_runtime.cli.failures import PlateErrorKind
        from openhcs_runtime.cli.running import Begun, follow
        from openhcs_runtime.exceptions import CompileError
        from zmqruntime.execution.cli.failures import CommandError
        from zmqruntime.execution.cli.ids import find_id

    def begin(client: "ZMQExecutionClient") -> Begun:
        known = find_id(client, compiled_id)
        try:
            return Begun(client.submit_compiled(known).execution_id, f"Running what {known} compiled")
        except CompileError as error:
            raise CommandError(PlateErrorKind.COMPILE, "; ".join(error.problems)) from error

    return follow(endpoint, begin, output, with_costs=with_costs)
