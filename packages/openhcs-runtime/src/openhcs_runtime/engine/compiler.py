"""Compiles a pipeline for a plate: checks everything that can be checked up front, then plans each well.

The compiler doesn't write files and doesn't read pixels, only image headers. The same inputs give the same plans and
signatures.
"""

import logging
import uuid
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from openhcs_runtime.components import Component
from openhcs_runtime.config import ExecutionMode, GlobalConfig, PipelineConfig
from openhcs_runtime.engine.devices.choice import gpu_problems
from openhcs_runtime.engine.memory import WellMemory, in_gigabytes, most_memory
from openhcs_runtime.exceptions import CompileError, PlateError
from openhcs_runtime.limits import available_bytes
from openhcs_runtime.pipeline.basis import digest
from openhcs_runtime.pipeline.channels import with_channel_numbers
from openhcs_runtime.pipeline.check import NO_IMAGES, Flow, import_problem, plate_problems, step_problems
from openhcs_runtime.pipeline.decorators import InputKind, OutputKind, traits_of
from openhcs_runtime.pipeline.plan import CompiledPlate, PlateJob, WellPlan
from openhcs_runtime.pipeline.plate_step import PlateStep, Step, calls_of
from openhcs_runtime.pipeline.run_basis import run_basis
from openhcs_runtime.pipeline.source import PipelineFile
from openhcs_runtime.pipeline.step import FunctionStep
from openhcs_runtime.plates.base import ImageRef, Plate
from openhcs_runtime.plates.image_table import layout_of
from openhcs_runtime.plates.read import labels_of, refusals
from openhcs_runtime.selection import choose_wells
from openhcs_runtime.stores.path import AnyPath, as_path, is_url, path_below
from openhcs_runtime.tasks import NOTES
from openhcs_runtime.text import file_slug
from openhcs_runtime.viewer_target import ViewTarget

_NAMED_PROBLEMS = 5


def compile_plate(
    plate: Plate,
    steps: Sequence[Step],
    global_config: GlobalConfig,
    pipeline_config: PipelineConfig,
    output_dir: Path,
    problems: Iterable[str] = (),
    file: PipelineFile | None = None,
    *,
    gets_own_folder: bool = False,
) -> CompiledPlate:
    """Plan every well.

    Args:
        plate: the plate.
        steps: steps of the pipeline; disabled ones are left out.
        global_config: settings of the machine.
        pipeline_config: settings of the pipeline.
        output_dir: output folder, an absolute path.
        problems: problems the caller already found, reported together with the rest.
        file: the pipeline file that the steps were loaded from.
        gets_own_folder: whether the run gets a new folder of its own inside ``output_dir``.

    Returns:
        The plan.

    Raises:
        CompileError: with all problems, each with the name of its step and, if it concerns only one, its well.
    """
    resolved = with_channel_numbers(steps, _channels_of(plate), plate.channel_names)
    if resolved.problems:
        raise CompileError([*problems, *resolved.problems])
    steps, unknown = _with_kept(resolved.steps, pipeline_config.keep)
    numbered = [(number, step) for number, step in enumerate(steps, start=1) if step.enabled]
    enabled = tuple(step for _, step in numbered)
    chosen = choose_wells(plate, pipeline_config, global_config.seed)
    plate, wells = chosen.plate, chosen.wells
    found = [*problems, *_setting_problems(plate, output_dir), *chosen.problems, *unknown]
    labels, lacking = _labels(plate, wells, pipeline_config.labels)
    found += lacking
    found += _step_problems(plate, numbered, global_config.mode)
    found += [] if global_config.is_remote else gpu_problems(numbered, global_config.gpus)
    if not found:
        found += _flow_problems(plate, wells, numbered, labels)
        found += refusals(plate.format, (image for well in wells for image in plate.images[well]))
    if found:
        raise CompileError(found)
    for note in resolved.notes:
        logging.getLogger(NOTES).info(note)
    memory = most_memory(plate, wells, enabled)
    workers = _workers_that_fit(global_config, len(wells), memory)
    job = _job(plate, enabled, output_dir, file.folder if file else "", global_config.view, pipeline_config)
    basis = run_basis(job, file, global_config.seed)
    base = basis.digest()
    with_positions = any(InputKind.POSITIONS in traits_of(call.function).inputs for call in calls_of(enabled))
    plans = tuple(_plan_well(plate, well, base, pipeline_config, with_positions, labels[well]) for well in wells)
    return CompiledPlate(
        plate_path=str(plate.path),
        job=job,
        wells=plans,
        mode=global_config.mode,
        workers=workers,
        signature=digest([base, *(plan.signature for plan in plans)]),
        basis=basis,
        modules=basis.modules,
        results_root=str(output_dir) if gets_own_folder else "",
        run_name=file_slug(Path(file.name).stem) if file else "pipeline",
        memory_per_well_bytes=memory.needed_bytes,
        left_out_files=plate.left_out,
        seed=global_config.seed,
        choice=chosen.note,
        of_wells=chosen.of_wells,
        warnings=chosen.warnings,
        plate_map=chosen.plate_map,
    )


def _job(
    plate: Plate,
    steps: tuple[Step, ...],
    output_dir: Path,
    modules_dir: str,
    view: str | None,
    config: PipelineConfig,
) -> PlateJob:
    return PlateJob(
        plate_path=str(plate.path),
        plate_format=plate.format,
        steps=steps,
        output_dir=str(output_dir),
        pixel_size_um=plate.pixel_size_um,
        named=_named(plate),
        folders=_folders(steps),
        modules_dir=modules_dir,
        csv=config.csv,
        image_format=config.image_format,
        sharded=config.sharded,
        channel_names=tuple(sorted(plate.channel_names.items())),
        z_step_um=plate.z_step_um,
        view=None if view is None else ViewTarget.parse(view),
        plate_map=str(Path(config.plate_map).expanduser()) if config.plate_map else "",
    )


def _with_kept(steps: Sequence[Step], keep: Sequence[str]) -> tuple[list[Step], list[str]]:
    """Return the steps with those that the settings name marked as kept, and what is wrong with these names."""
    known = [step.name for step in steps if isinstance(step, FunctionStep) and step.enabled]
    problems = [
        f"keep in PipelineConfig names {name!r}, but no step that works on wells has that name: choose from "
        f"{', '.join(known)}"
        for name in keep
        if name not in known
    ]
    marked = [
        replace(step, keep=True) if isinstance(step, FunctionStep) and step.name in keep else step for step in steps
    ]
    return marked, problems


def _step_problems(plate: Plate, numbered: Sequence[tuple[int, Step]], mode: ExecutionMode) -> Iterator[str]:
    """Yield the problems of the individual steps; a pipeline without steps is a problem as well."""
    if not numbered:
        yield "the pipeline has no enabled steps: add at least one FunctionStep to pipeline_steps"
    made: list[PlateStep] = []
    for number, step in numbered:
        problems = [*dict.fromkeys(step_problems(step, plate.components)), *plate_problems(step, made)]
        problems += _place_problems(plate, step)
        if mode is not ExecutionMode.THREADS:
            problems += _import_problems(step)
        yield from (f"step {number} {step.name!r}: {problem}" for problem in problems)
        made += [step] if isinstance(step, PlateStep) else []


def _named(plate: Plate) -> frozenset[Component]:
    """Return the components that have several values in the plate."""
    return frozenset(component for component, values in plate.components.items() if len(values) > 1)


def _channels_of(plate: Plate) -> list[int]:
    return [int(number) for number in plate.components[Component.CHANNEL]]


def _workers_that_fit(config: GlobalConfig, wells: int, memory: WellMemory) -> int:
    """Return the number of workers; if it is "auto", no more than there is memory for.

    Raises:
        CompileError: there is not enough memory for a single worker.
    """
    workers = config.workers_for(wells)
    if config.is_remote or not memory.needed_bytes:
        return workers
    available = available_bytes()
    if memory.needed_bytes > available:
        raise CompileError(
            f"well {memory.well} needs about {in_gigabytes(memory.needed_bytes)} of memory, and this machine has "
            f"{in_gigabytes(available)} left: close other programs, use smaller stacks (variable_components), or use "
            "a machine with more memory"
        )
    return min(workers, available // memory.needed_bytes) if config.num_workers == "auto" else workers


def _setting_problems(plate: Plate, output_dir: Path) -> list[str]:
    if isinstance(plate.path, Path) and output_dir.is_relative_to(plate.path):
        return [f"output folder {output_dir} is inside the plate folder: choose another output folder"]
    return []


def _place_problems(plate: Plate, step: Step) -> Iterator[str]:
    """Yield what the functions of a step need to know about the sites but the plate does not specify."""
    for call in calls_of([step]):
        traits = traits_of(call.function)
        lengths = [name for name, value in call.kwargs.items() if name.endswith("_um") and value is not None]
        if lengths and InputKind.PIXEL_SIZE_UM in traits.inputs and plate.pixel_size_um is None:
            yield f"the plate does not specify a pixel size: give {call.name} a length in pixels, not {lengths[0]}"
        if traits.unless is None or call.kwargs.get(traits.unless) is not None:
            continue
        remedy = f"give {call.name} the argument {traits.unless}"
        if InputKind.POSITIONS in traits.inputs and not plate.positions:
            yield f"the plate does not specify the positions of its sites: {remedy}"
        elif InputKind.PIXEL_SIZE_UM in traits.inputs and plate.pixel_size_um is None:
            yield f"the plate does not specify a pixel size: {remedy}"


def _import_problems(step: Step) -> list[str]:
    functions = {call.function: None for chain in step.branches().values() for call in chain}
    problems = (import_problem(function) for function in functions)
    return [f"{problem}, or use mode 'threads'" for problem in problems if problem]


def _labels(plate: Plate, wells: Sequence[str], name: str | None) -> tuple[dict[str, tuple[ImageRef, ...]], list[str]]:
    """Return the labels of the plate for each well, and what is wrong with them."""
    found: dict[str, tuple[ImageRef, ...]] = dict.fromkeys(wells, ())
    problems: list[str] = []
    for well in wells if name else ():
        try:
            found[well] = labels_of(plate.format, plate.images[well], name or "")
        except PlateError as error:
            problems.append(f"labels in PipelineConfig: {error}")
    more = [f"and {len(problems) - _NAMED_PROBLEMS} more wells"] if len(problems) > _NAMED_PROBLEMS else []
    return found, [*problems[:_NAMED_PROBLEMS], *more]


def _flow_problems(
    plate: Plate,
    wells: Sequence[str],
    numbered: Sequence[tuple[int, Step]],
    labels: Mapping[str, Sequence[ImageRef]],
) -> list[str]:
    """Trace the images of each well through the steps; wells with the same set of images are traced once."""
    problems: dict[str, None] = {}
    layouts: set[Hashable] = set()
    is_chosen_by_well = any(step.group_by is Component.WELL for _, step in numbered)
    for well in wells:
        if plate.missing.get(well):
            continue  # fails at run time, with the names of the missing images
        images = plate.images[well]
        labelled = {image.key for image in labels[well]}
        with_labels = tuple(image.key in labelled for image in images) if labelled else ()
        layout = (well if is_chosen_by_well else "", layout_of(images), with_labels)
        if layout in layouts:
            continue
        layouts.add(layout)
        keys = [image.key for image in images]
        flow = Flow(keys, _named(plate), labelled=labelled)
        for number, step in numbered:
            found = flow.follow(step)
            if step.group_by is Component.WELL:
                found = [problem for problem in found if problem != NO_IMAGES]
            if found:
                problems.update(dict.fromkeys(f"step {number} {step.name!r}, well {well}: {line}" for line in found))
                break
    return list(problems)


def _plan_well(
    plate: Plate, well: str, base: str, config: PipelineConfig, with_positions: bool, labels: tuple[ImageRef, ...]
) -> WellPlan:
    images = plate.images[well]
    sites = sorted({image.key.site for image in images}) if with_positions else []
    positions = {site: plate.positions[well, site] for site in sites if (well, site) in plate.positions}
    missing = () if config.allow_gaps else plate.missing.get(well, ())
    inputs = digest(
        [
            *(_image_text(image, plate.path) for image in images),
            *(f"labels {_image_text(one, plate.path)}" for one in labels),
        ]
    )
    return WellPlan(
        well=well,
        images=images,
        missing=missing,
        signature=digest([base, well, inputs, *map(repr, positions.items())]),
        inputs=inputs,
        positions={site: (position.y_um, position.x_um) for site, position in positions.items()},
        labels=labels,
        labels_name=config.labels or "",
    )


def _image_text(image: ImageRef, plate: AnyPath) -> str:
    """Return a text that differs if the image does; it always differs if the image's server states no times."""
    inside = path_below(image.path if isinstance(plate, Path) else as_path(image.path), plate)
    where = f" {image.index}" if image.index else ""
    state = f"{image.size} {image.mtime_ns}" if image.mtime_ns or not is_url(image.path) else uuid.uuid4().hex
    return f"{inside}{where} {image.key} {state}"


def _folders(steps: Sequence[Step]) -> tuple[str, ...]:
    """Return the subfolder of ``labels/``, ``images/`` and ``rois/`` for each step; empty if only one step writes."""
    labelling = sum(_writes(step, OutputKind.LABELS) for step in steps)
    outlining = sum(_writes(step, OutputKind.ROIS) for step in steps)
    materializing = sum(step.materialize for step in steps)
    if labelling <= 1 and materializing <= 1 and outlining <= 1:
        return ("",) * len(steps)
    slugs = [file_slug(step.name) for step in steps]
    taken = Counter(slugs)
    return tuple(f"{number}_{slug}" if taken[slug] > 1 else slug for number, slug in enumerate(slugs, start=1))


def _writes(step: Step, kind: OutputKind) -> bool:
    return any(kind in traits_of(call.function).outputs for call in calls_of([step]))
