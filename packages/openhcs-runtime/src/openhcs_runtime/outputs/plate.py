"""The tables of a plate, put together from the parts of its finished wells."""

from collections.abc import Sequence
from pathlib import Path

from openhcs_runtime.outputs.atomic import writing_to
from openhcs_runtime.outputs.tables import join_objects, write_measurements
from openhcs_runtime.outputs.wells import read_part
from openhcs_runtime.pipeline.declare import OutputKind, traits_of
from openhcs_runtime.plan import PlateJob
from openhcs_runtime.results import ResultStatus, WellResult


def write_tables(output_dir: Path, job: PlateJob, wells: Sequence[WellResult]) -> dict[str, str]:
    """Write `measurements.csv` and `objects.csv` of the complete wells, in their order; those of an earlier run go.

    Returns the path of each that there is, by "measurements" and "objects". Raises OutputError.
    """
    done = [well.well for well in wells if well.status is ResultStatus.COMPLETE]
    parts = [part for well in done if (part := read_part(output_dir, well)) is not None]
    sources = [output_dir / part.objects for part in parts if part.objects]
    paths = {"measurements": output_dir / "measurements.csv", "objects": output_dir / "objects.csv"}
    measures = any(
        OutputKind.MEASUREMENTS in traits_of(call.function).outputs
        for step in job.steps
        for chain in step.branches().values()
        for call in chain
    )
    if measures:
        write_measurements(paths["measurements"], parts)
    if sources:
        with writing_to(paths["objects"]):
            join_objects(paths["objects"], sources)
    written = {"measurements": measures, "objects": bool(sources)}
    for name, path in paths.items():
        if not written[name]:
            with writing_to(path):
                path.unlink(missing_ok=True)
    return {name: str(path) for name, path in paths.items() if written[name]}
