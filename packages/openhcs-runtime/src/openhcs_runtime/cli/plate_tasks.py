"""What was typed for a run, as the task to submit; what is wrong with it is found here, as far as that is possible."""

import os
import warnings
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path

from openhcs_runtime.builtin_files import builtin_text
from openhcs_runtime.cli.choice_options import Choice
from openhcs_runtime.cli.endpoint import PlateEndpoint
from openhcs_runtime.cli.failures import PlateErrorKind
from openhcs_runtime.cli.options import duration_seconds, read_diameter
from openhcs_runtime.config import AUTO
from openhcs_runtime.exceptions import PipelineError, PlateError
from openhcs_runtime.pipeline.parsing import parse_python
from openhcs_runtime.service.client import folder_of, read_pipeline_file
from openhcs_runtime.stores.path import AnyPath, as_path
from openhcs_runtime.tasks import Follow, PlateTask, Setting
from zmqruntime.execution.cli.failures import CommandError, ErrorKind
from zmqruntime.execution.text import duration

__all__ = ["RunOptions", "follow_of", "plate_task"]

_BUILTIN = "nuclei_count.py"
_NUCLEI = "nuclei"  # as a channel: the one whose name says so


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """What was typed for a run or a compilation; None is what was left out."""

    plate: str
    endpoint: PlateEndpoint
    pipeline: Path | None = None
    output: Path | None = None
    results_dir: Path | None = None
    replace: bool = False
    fresh: bool = False
    workers: str | None = None
    dask: str | None = None
    gpus: str | None = None
    pattern: str | None = None
    plate_format: str | None = None
    pages: str | None = None
    channel: str | None = None
    diameter: str | None = None
    view: str | None = None
    seed: int | None = None
    follow: Follow | None = None
    choice: Choice = field(default_factory=Choice)
    settings: tuple[Setting, ...] = ()
    keep: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.output and self.results_dir:
            message = "--output names the run's folder, --results-dir the one around it; give one of them"
            raise CommandError(ErrorKind.USAGE, message)
        if self.pattern is not None and self.plate_format not in (None, "pattern", "bioio"):
            raise CommandError(ErrorKind.USAGE, "--pattern and --format exclude each other; give one of them")
        if self.replace and not self.output:
            message = "--replace replaces the results in --output DIR; name it, or leave out --replace"
            raise CommandError(ErrorKind.USAGE, message)
        if self.choice.sample is not None and self.follow is not None:
            message = "--sample chooses from the wells of a whole plate; leave it out with --follow"
            raise CommandError(ErrorKind.USAGE, message)
        if self.pipeline is not None and (self.channel is not None or self.diameter is not None):
            message = "--channel and --diameter are for the built-in count; set them in the pipeline file instead"
            raise CommandError(ErrorKind.USAGE, message)

    @property
    def title(self) -> str:
        """What is run, in words."""
        return str(self.pipeline or "the built-in nuclei count")


def follow_of(until_idle: str | None, settle: str | None) -> Follow:
    """How to follow a plate, from the durations that were typed.

    Raises:
        CommandError: with them, no well would be started before the end of the acquisition.
    """
    usual = Follow()
    idle_seconds = duration_seconds(until_idle) or usual.idle_seconds
    settle_seconds = duration_seconds(settle) or usual.settle_seconds
    if settle_seconds >= idle_seconds:
        message = (
            f"--settle ({duration(settle_seconds)}) has to be shorter than --until-idle ({duration(idle_seconds)}), "
            "or no well is started before the end"
        )
        raise CommandError(ErrorKind.USAGE, message)
    return Follow(idle_seconds, settle_seconds)


def plate_task(options: RunOptions) -> PlateTask:
    """What to submit.

    Raises:
        CommandError: the plate, its channel or the pipeline file cannot be right.
    """
    try:
        plate = as_path(os.path.expanduser(options.plate))
    except PlateError as error:
        raise CommandError(PlateErrorKind.PLATE, str(error)) from error
    if options.endpoint.is_local and isinstance(plate, Path):
        if not plate.exists() and options.follow is None:
            message = f"no such plate: {plate} (name the folder with its images)"
            raise CommandError(PlateErrorKind.PLATE, message)
        plate = plate.resolve()
    source, name = _source(options)
    try:
        if options.channel is not None and options.endpoint.is_local and options.follow is None:
            _check_channel(options.channel, plate, options)
        return _task(options, plate, source, name)
    except PlateError as error:
        raise CommandError(PlateErrorKind.PLATE, str(error)) from error


def _task(options: RunOptions, plate: AnyPath, source: str, name: str) -> PlateTask:
    return PlateTask(
        plate_path=str(plate),
        source=source,
        source_name=name,
        source_dir=folder_of(options.pipeline) if options.pipeline else "",
        num_workers=AUTO if options.workers == AUTO else int(options.workers) if options.workers else None,
        dask=options.dask,
        gpus=options.gpus,
        output_dir=str(options.output) if options.output else None,
        results_dir=str(options.results_dir) if options.results_dir else None,
        replace=options.replace,
        fresh=options.fresh,
        base_dir=os.getcwd(),
        pattern=options.pattern,
        plate_format=options.plate_format,
        pages=options.pages,
        view=options.view,
        seed=options.seed,
        follow=options.follow,
        wells=options.choice.wells,
        sites=options.choice.sites,
        where=options.choice.where,
        plate_map=options.choice.plate_map,
        sample=options.choice.sample,
        settings=options.settings,
        keep=options.keep,
    )


def _check_channel(given: str, path: AnyPath, options: RunOptions) -> None:
    """Name the option if the plate has no such channel: the compiler would name each step that misses it."""
    # Loads image libraries, which a run without the option does not need.
    from openhcs_runtime.cli.plate_view import channels_text  # noqa: PLC0415
    from openhcs_runtime.components import Component  # noqa: PLC0415
    from openhcs_runtime.plates import open_plate  # noqa: PLC0415

    plate = open_plate(path, pattern=options.pattern, format=options.plate_format, pages=options.pages)
    numbers = {int(channel) for channel in plate.components[Component.CHANNEL]}
    names = {name.casefold() for name in plate.channel_names.values()}
    is_number = given.isascii() and given.isdigit() and int(given) in numbers
    if not is_number and given.casefold() not in {_NUCLEI, *names}:
        raise CommandError(ErrorKind.USAGE, f"--channel {given}: the plate has channels {channels_text(plate)}")


def _source(options: RunOptions) -> tuple[str, str]:
    """The text of the pipeline, and what error messages call it."""
    path = options.pipeline
    if path is None:
        return _builtin_source(options.channel, options.diameter), _BUILTIN
    template = builtin_text(path)
    if template is not None:
        return template, f"{path}.py"
    try:
        source = read_pipeline_file(path)
        with warnings.catch_warnings(action="ignore"):
            parse_python(source)
    except PipelineError as error:
        raise CommandError(PlateErrorKind.PIPELINE, str(error)) from error
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None) or 1
        message = f"{path}:{line}: syntax error: {getattr(error, 'msg', error)}"
        raise CommandError(PlateErrorKind.PIPELINE, message) from error
    return source, str(path)


def _builtin_source(channel: str | None, diameter: str | None) -> str:
    """The text of the built-in pipeline with what was chosen in it."""
    # Not through openhcs_runtime.builtin, which loads image libraries to be able to load pipelines.
    text = resources.files("openhcs_runtime").joinpath("builtin", _BUILTIN).read_text(encoding="utf-8")
    chosen: dict[str, object] = {}
    if channel is not None:
        chosen["CHANNEL"] = int(channel) if channel.isascii() and channel.isdigit() else channel
    if diameter is not None:
        length, in_pixels = read_diameter(diameter)
        chosen["DIAMETER_PX" if in_pixels else "DIAMETER_UM"] = length
    lines = text.splitlines()
    for name, value in chosen.items():
        number = next(number for number, line in enumerate(lines) if line.startswith(f"{name} = "))
        lines[number] = f"{name} = {value!r}"
    return "\n".join(lines) + "\n"
