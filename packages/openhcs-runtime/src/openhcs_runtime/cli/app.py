"""What can be typed: the commands with their options and help. Loads nothing heavy until a command runs."""

import enum
import importlib.metadata
import sys
from pathlib import Path
from typing import Annotated

import typer

from openhcs_runtime.cli import attending, commands, omero, results
from openhcs_runtime.cli.failures import CommandError, ErrorKind, ExitCode, interrupted
from openhcs_runtime.cli.interrupts import Interrupts
from openhcs_runtime.cli.options import (
    Channel,
    DaskCluster,
    Diameter,
    Fresh,
    Host,
    ImagePattern,
    Json,
    OutputFolder,
    PipelineFile,
    Port,
    Replace,
    ResultsFolder,
    Seed,
    View,
    ViewComponents,
    Workers,
    read_components,
    seconds,
    whole_number,
)
from openhcs_runtime.cli.output import Output
from openhcs_runtime.cli.results import Results

__all__ = ["app", "main"]

PROGRAM = "openhcs-runtime"
_GRACE_SECONDS = 5.0

# typer brings its own click or uses an installed one, by version; both derive BadParameter from their UsageError.
_UsageError: type[Exception] = typer.BadParameter.__bases__[0]

_NOISE = ("Invalid value: ", "Value error, ")
"""What typer puts before a message that says all by itself."""

app = typer.Typer(
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


class MadeFormat(enum.StrEnum):
    """What make-plate can make; the names are those of PlateFormat, whose module loads image libraries."""

    IMAGEXPRESS = "imagexpress"
    OPERA_PHENIX = "opera_phenix"
    OME_ZARR = "ome_zarr"


def main(interrupts: Interrupts) -> int:
    """Run the command line of this process; gives the exit code. Ctrl-C was noted by ``interrupts`` up to here."""
    arguments = sys.argv[1:] or ["--help"]
    try:
        interrupts.allow()
        code: int | None = app(args=arguments, prog_name=PROGRAM, standalone_mode=False)
        if code == ExitCode.INTERRUPTED and not isinstance(code, ExitCode):
            raise KeyboardInterrupt  # typer has swallowed it; a command that has answered it gives an ExitCode
        return code or ExitCode.OK
    except CommandError as error:
        return _fail(error, arguments)
    except _UsageError as error:
        return _fail(_usage_error(error), arguments)
    except (KeyboardInterrupt, typer.Abort):
        return _fail(interrupted(), arguments)
    except BrokenPipeError:
        sys.stderr.close()  # whoever read our output has gone; Python would complain about the rest of it
        return ExitCode.FAILED


def _fail(error: CommandError, arguments: list[str]) -> int:
    return Output("--json" in arguments).document({}, error)


def _usage_error(error: Exception) -> CommandError:
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else PROGRAM
    message = getattr(error, "format_message", lambda: str(error))().rstrip(".")
    for noise in _NOISE:
        message = message.replace(noise, "")
    return CommandError(ErrorKind.USAGE, f"{message} (see '{command} --help')")


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"{PROGRAM} {importlib.metadata.version(PROGRAM)}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Run image pipelines over microscopy plates on a background server.

    Try it: make a small plate, count its nuclei, end the server:

    \b
      openhcs-runtime make-plate demo
      openhcs-runtime run demo
      openhcs-runtime stop

    A run is an execution at the server. It goes on when its terminal is closed; status shows it, cancel stops it.
    Instead of a whole execution id its beginning is enough.

    Exit codes: 0 done, 1 failed, 2 wrong use, 130 interrupted with Ctrl-C.
    """


@app.command("make-plate")
def make_plate(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A new folder for the plate.")],
    wells: Annotated[
        int, typer.Option(parser=whole_number(1, 1536), metavar="N", help="Wells, up to 1536, along the rows from A01.")
    ] = 6,
    sites: Annotated[int, typer.Option(parser=whole_number(1), metavar="N", help="Image positions per well.")] = 2,
    channels: Annotated[
        int, typer.Option(parser=whole_number(1), metavar="N", help="Channels; the first one shows nuclei.")
    ] = 2,
    z: Annotated[int, typer.Option("--z", parser=whole_number(1), metavar="N", help="Planes per position.")] = 1,
    size: Annotated[
        int, typer.Option(parser=whole_number(32), metavar="N", help="Edge of an image in pixels, from 32.")
    ] = 512,
    seed: Annotated[
        int, typer.Option(parser=whole_number(0), metavar="N", help="The same seed gives the same plate.")
    ] = 0,
    plate_format: Annotated[
        MadeFormat, typer.Option("--format", help="How the images are stored.")
    ] = MadeFormat.IMAGEXPRESS,
    diameter: Annotated[
        float, typer.Option(metavar="X", help="Mean diameter of a nucleus in pixels, 6 to 400.")
    ] = 20.0,
    density: Annotated[
        float, typer.Option(metavar="X", help="How much of the images they cover, compared with the usual, 0 to 10.")
    ] = 1.0,
    clumping: Annotated[
        float, typer.Option(metavar="X", help="Share of nuclei that touch another one, 0 to 0.95.")
    ] = 0.33,
    haze: Annotated[
        float, typer.Option(metavar="X", help="Light from out of focus, compared with a nucleus, 0 to 2.")
    ] = 0.0,
    saturation: Annotated[
        float, typer.Option(metavar="X", help="Share of pixels of nuclei above full scale, 0 to 0.9.")
    ] = 0.0,
    dividing: Annotated[float, typer.Option(metavar="X", help="Share of nuclei that divide, 0 to 1.")] = 0.0,
    dead: Annotated[
        float, typer.Option(metavar="X", help="Share of nuclei that are dead: small and very bright, 0 to 1.")
    ] = 0.0,
    dim: Annotated[float, typer.Option(metavar="X", help="Share of nuclei that are dim, 0 to 1.")] = 0.0,
    texture: Annotated[float, typer.Option(metavar="X", help="Strength of the texture in nuclei, 0 to 0.5.")] = 0.12,
    debris: Annotated[float, typer.Option(metavar="X", help="Specks for each nucleus, 0 to 20.")] = 0.0,
    noise: Annotated[float, typer.Option(metavar="X", help="Strength of the noise, 0 to 20.")] = 1.0,
    truth_labels: Annotated[
        bool, typer.Option("--truth-labels", help="Also write the true label images, truth_labels.npz.")
    ] = False,
    as_json: Json = False,
) -> int:
    """Make a plate of simulated nuclei, with the true counts in truth.csv.

    \b
      openhcs-runtime make-plate demo
      openhcs-runtime make-plate big --wells 96 --sites 4 --size 1024 --seed 7
      openhcs-runtime make-plate hard --diameter 80 --clumping 0.7 --haze 0.5 --dead 0.05 --truth-labels
    """
    return commands.make_plate(
        folder,
        wells=wells,
        sites=sites,
        channels=channels,
        z=z,
        size=size,
        seed=seed,
        plate_format=plate_format.value,
        look={
            "diameter_px": diameter,
            "density": density,
            "clumping": clumping,
            "haze": haze,
            "saturation": saturation,
            "dividing": dividing,
            "dead": dead,
            "dim": dim,
            "texture": texture,
            "debris": debris,
            "noise": noise,
        },
        truth_labels=truth_labels,
        as_json=as_json,
    )


@app.command("info")
def info(
    plate: Annotated[Path, typer.Argument(metavar="PLATE", help="The folder that holds the plate's images.")],
    pattern: Annotated[
        str | None,
        typer.Option(metavar="REGEX", help="What the names of TIFF files say; the format is found out without it."),
    ] = None,
    as_json: Json = False,
) -> int:
    """Show what a plate holds, and what it lacks.

    Wells, sites, channels, pixel size, what is missing and what does not belong.

    \b
      openhcs-runtime info demo
      openhcs-runtime info /data/plate7 --json
      openhcs-runtime info /data/images --pattern '(?P<well>[A-P]\\d\\d)_f(?P<site>\\d+)_(?P<channel>DAPI|GFP)'

    Formats: ImageXpress and Opera Phenix folders, OME-Zarr plates (0.4 and 0.5), and with --pattern any folder of TIFF
    files. Its groups are well, or row and col, and site, channel, z_index and timepoint where there are several.
    """
    return commands.show_plate(plate, pattern, as_json=as_json)


@app.command("run")
def run(
    plate: Annotated[
        Path | None, typer.Argument(metavar="PLATE", help="The folder that holds the plate's images.")
    ] = None,
    pipeline: PipelineFile = None,
    output: OutputFolder = None,
    results_dir: ResultsFolder = None,
    replace: Replace = False,
    fresh: Fresh = False,
    workers: Workers = None,
    dask: DaskCluster = None,
    pattern: ImagePattern = None,
    channel: Channel = None,
    diameter: Diameter = None,
    view: View = None,
    view_components: ViewComponents = None,
    seed: Seed = None,
    compiled: Annotated[
        str | None, typer.Option(metavar="ID", help="Run what was compiled before, instead of a plate that is named.")
    ] = None,
    port: Port = 7777,
    host: Host = None,
    as_json: Json = False,
) -> int:
    """Run a pipeline over a plate and watch it, one bar per well.

    A background server does the work; it is started when none is running, and stays for the next run. Closing the
    terminal does not end the run. Ctrl-C cancels it and keeps the wells that are done.

    Each run has a folder of its own, PLATE_results/DATE_TIME_PIPELINE, so no run overwrites another. Wells that an
    earlier run made from the same images, pipeline, settings and versions are taken over instead of computed again;
    'openhcs-runtime results PLATE' lists the runs.

    \b
      openhcs-runtime run demo
      openhcs-runtime run /data/plate7 --channel DAPI --diameter 12
      openhcs-runtime run /data/plate7 --pipeline segment.py --output /data/out --workers 8
      openhcs-runtime run demo --json > result.json
      openhcs-runtime run /data/plate7 --dask tcp://scheduler:8786
      openhcs-runtime run demo --view napari --view-components site=layer

    A viewer shows what the last step makes, and all labels, regions and objects; or what steps with stream=True make.
    It never holds up the run, and stays open after it.

    A pipeline file is Python that defines pipeline_steps, a list of FunctionStep; optionally global_config and
    pipeline_config:

    \b
      from openhcs_runtime import FunctionStep
      from openhcs_runtime.functions import measure_objects, segment_nuclei
      pipeline_steps = [
          FunctionStep(segment_nuclei),
          FunctionStep((measure_objects, {"name": "nuclei"})),
      ]
    """
    place = commands.Endpoint(port, host)
    if compiled is not None:
        named = plate, pipeline, output, results_dir, replace, fresh, workers, dask, pattern, channel, diameter, view
        if any(named) or seed is not None:
            raise typer.BadParameter("--compiled names all there is to run: leave out PLATE and the other options")
        return commands.run_compiled(place, compiled, as_json=as_json)
    if plate is None:
        raise typer.BadParameter("name the folder of a plate, or --compiled ID")
    if view_components and not view:
        raise typer.BadParameter("--view-components needs a viewer: add --view napari or --view fiji")
    options = commands.RunOptions(
        plate,
        pipeline,
        _folders(output, results_dir, replace=replace),
        workers,
        place,
        pattern,
        dask,
        view,
        read_components(view_components),
        fresh=fresh,
        seed=seed,
        channel=channel,
        diameter=diameter,
    )
    return commands.run_plate(options, as_json=as_json)


def _folders(output: Path | None, results_dir: Path | None, *, replace: bool = False) -> commands.ResultFolders:
    if output and results_dir:
        raise typer.BadParameter("--output names the run's folder, --results-dir the one around it: give one of them")
    if replace and not output:
        raise typer.BadParameter("--replace replaces the results in --output DIR: name it, or leave out --replace")
    return commands.ResultFolders(output, results_dir, replace)


@app.command("compile")
def compile_(
    plate: Annotated[Path, typer.Argument(metavar="PLATE", help="The folder that holds the plate's images.")],
    pipeline: PipelineFile = None,
    output: OutputFolder = None,
    results_dir: ResultsFolder = None,
    replace: Replace = False,
    workers: Workers = None,
    dask: DaskCluster = None,
    pattern: ImagePattern = None,
    seed: Seed = None,
    channel: Channel = None,
    diameter: Diameter = None,
    port: Port = 7777,
    host: Host = None,
    as_json: Json = False,
) -> int:
    """Check a pipeline against a plate, and name all problems at once.

    Reads no image and writes nothing. The ID that it prints can be run.

    \b
      openhcs-runtime compile demo --pipeline segment.py
      openhcs-runtime run --compiled ID
    """
    options = commands.RunOptions(
        plate,
        pipeline,
        _folders(output, results_dir, replace=replace),
        workers,
        commands.Endpoint(port, host),
        pattern,
        dask,
        seed=seed,
        channel=channel,
        diameter=diameter,
    )
    return commands.compile_run(options, as_json=as_json)


@app.command("resume")
def resume(
    execution_id: Annotated[str, typer.Argument(metavar="ID", help="An execution, or how its id begins.")],
    port: Port = 7777,
    host: Host = None,
    as_json: Json = False,
) -> int:
    """Finish a run: do the wells that failed, were cancelled, or were not reached.

    It goes on in the folder of that run, and keeps the wells that are done, unless their images have changed. A
    pipeline, module, setting or library that has changed is not mixed with them: the command names it and stops. A run
    whose server was killed goes on by itself as soon as a server is running, which this command starts.

    \b
      openhcs-runtime resume 4f2a91
    """
    return commands.resume_run(commands.Endpoint(port, host), execution_id, as_json=as_json)


@app.command("rerun")
def rerun(
    folder: Results,
    output: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder for the results [default: a new one next to that run].")
    ] = None,
    port: Port = 7777,
    host: Host = None,
    as_json: Json = False,
) -> int:
    """Repeat the run that has written a folder.

    The same pipeline, settings and plate, from its provenance.json; no well is taken over.

    \b
      openhcs-runtime rerun demo
      openhcs-runtime rerun demo_results/2026-11-29_213000_segment
    """
    return commands.repeat_run(commands.Endpoint(port, host), folder, output, as_json=as_json)


@app.command("serve")
def serve(port: Port = 7777, host: Host = None, as_json: Json = False) -> int:
    """Run a server in this terminal until Ctrl-C, instead of one in the background.

    \b
      openhcs-runtime serve
      openhcs-runtime serve --port 7800 --host 127.0.0.1
      openhcs-runtime serve --host 0.0.0.0

    With --host 0.0.0.0, or an address of this machine, it also listens to other machines. Everything is encrypted, and
    a client whose key is not known here gets no answer. It prints what to type there and here to exchange the keys.
    """
    return commands.serve(commands.Endpoint(port, host), as_json=as_json)


@app.command("status")
def status(
    execution_id: Annotated[
        str | None, typer.Argument(metavar="ID", help="An execution, or how its id begins; all without it.")
    ] = None,
    port: Port = 7777,
    host: Host = None,
    as_json: Json = False,
) -> int:
    """Show the server and its executions, or one of them in full.

    It never starts a server.

    \b
      openhcs-runtime status
      openhcs-runtime status 4f2a91
    """
    return commands.show_status(commands.Endpoint(port, host), execution_id, as_json=as_json)


@app.command("cancel")
def cancel(
    execution_id: Annotated[str, typer.Argument(metavar="ID", help="An execution, or how its id begins.")],
    well: Annotated[
        str | None, typer.Option(metavar="W", help="Stop only this well, e.g. B06; the others go on.")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Kill its processes if it has not stopped after --grace.")
    ] = False,
    grace: Annotated[
        float | None,
        typer.Option(
            parser=seconds(0),
            metavar="S",
            help="With --force: how many seconds it is given to stop by itself; 5 without it.",
        ),
    ] = None,
    port: Port = 7777,
    host: Host = None,
    as_json: Json = False,
) -> int:
    """Stop an execution, or one well of it. What is done is kept.

    It stops after the images that it is working on. With --force its processes are killed if that takes too long.

    \b
      openhcs-runtime cancel 4f2a91
      openhcs-runtime cancel 4f2a91 --well B06
      openhcs-runtime cancel 4f2a91 --force --grace 0
    """
    if force and well is not None:
        raise typer.BadParameter("one well can't be killed without the others: leave out --force or --well")
    if grace is not None and not force:
        raise typer.BadParameter("--grace says when processes are killed: add --force, or leave it out")
    if force and grace is None:
        grace = _GRACE_SECONDS
    return commands.cancel(commands.Endpoint(port, host), execution_id, well, grace, as_json=as_json)


@app.command("stop")
def stop(port: Port = 7777, host: Host = None, as_json: Json = False) -> int:
    """End the server and wait until its process has ended.

    Executions that run are interrupted; the next server goes on with them.

    \b
      openhcs-runtime stop
      openhcs-runtime stop --port 7800
    """
    return commands.stop(commands.Endpoint(port, host), as_json=as_json)


attending.register(app)
results.register(app)
omero.register(app)
