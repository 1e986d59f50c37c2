"""How a run was made: its pipeline with steps and arguments, the plate, the machine and the versions."""

from collections.abc import Iterator

from openhcs_runtime.outputs.provenance import Provenance
from openhcs_runtime.outputs.runs import local_time
from openhcs_runtime.report.html import NOTHING, Html, element, joined
from openhcs_runtime.report.run import ReportedRun
from openhcs_runtime.report.section import Section, definition_list, paragraph, table
from zmqruntime.execution.text import duration

_NAMED_PACKAGES = (
    "openhcs-runtime",
    "numpy",
    "scipy",
    "scikit-image",
    "tifffile",
    "zarr",
    "pyarrow",
    "cellpose",
    "stardist",
    "torch",
    "tensorflow",
    "onnxruntime",
    "cp-measure",
)
"""Packages whose versions explain results; all others are listed below them."""
_SIGNATURE_SHOWN = 16


def made_section(run: ReportedRun) -> Section:
    """Return the section that says how a run was made."""
    known = run.provenance
    parts = [
        element("h3", "Plate and run"),
        definition_list(_run_facts(run)),
        element("h3", "Pipeline"),
        _pipeline(known),
        _plate_steps(known),
        element("h3", "Machine and versions"),
        definition_list(_machine_facts(known)),
        _packages(known),
    ]
    return Section("made", "How it was made", joined(*parts))


def _run_facts(run: ReportedRun) -> Iterator[tuple[str, Html | str]]:
    known = run.provenance
    size = "" if known.pixel_size_um is None else f"{known.pixel_size_um:g} µm"
    yield "Plate", element("code", known.plate_path)
    yield "Format of the plate", known.plate_format
    yield "Pixel size", size or "not known"
    yield "Input files", str(len(known.inputs))
    yield "Plate map", _plate_map(known)
    yield "Results", element("code", str(run.results.folder))
    yield "Begun", local_time(known.begun_at)
    yield "Ended", local_time(known.ended_at) or "not yet"
    yield "Computing time of the wells", duration(sum(well.elapsed_s for well in known.wells))
    yield "Seed", str(known.seed)
    yield "Signature", element("code", known.signature[:_SIGNATURE_SHOWN])
    yield "Executions", ", ".join(known.executions)


def _plate_map(known: Provenance) -> Html | str:
    if known.plate_map is None:
        return "none"
    digest = element("span", f" (BLAKE2b {known.plate_map.digest[:_SIGNATURE_SHOWN]})", class_="quiet")
    return joined(element("code", known.plate_map.path), digest)


def _pipeline(known: Provenance) -> Html:
    settings = [(setting.name, setting.text) for setting in known.settings]
    file = paragraph(joined("Pipeline file ", element("code", known.pipeline_name)))
    changed = table("Settings", ("Parameter", "Value in this run"), settings) if settings else NOTHING
    if not known.pipeline_source:
        why = f": {known.no_source}" if known.no_source else ""
        return joined(file, changed, paragraph(f"The run has no source of its pipeline{why}.", "warn"))
    source = element("pre", element("code", known.pipeline_source), tabindex=0)
    summary = element("summary", "Source of the pipeline, with its steps and arguments")
    return joined(file, changed, element("details", summary, source, open=known.pipeline_source.count("\n") < 40))


def _plate_steps(known: Provenance) -> Html:
    rows = [
        (step.step, step.name, len(step.wells), ", ".join(file.path for file in step.used.files) or "none")
        for step in known.plate_steps
    ]
    return (
        table("Steps over the plate", ("Step over the plate", "Value", "Wells", "Files read"), rows)
        if rows
        else NOTHING
    )


def _machine_facts(known: Provenance) -> Iterator[tuple[str, Html | str]]:
    yield "System", known.platform
    yield "Python", known.python.split()[0] if known.python else ""
    yield "Processor cores", str(known.cores)
    yield "Memory", f"{known.memory_bytes / 1e9:.0f} GB"
    named = (f"{name} {known.packages[name]}" for name in _NAMED_PACKAGES if name in known.packages)
    yield "Main packages", ", ".join(named)


def _packages(known: Provenance) -> Html:
    if not known.packages:
        return NOTHING
    text = ", ".join(f"{name} {version}" for name, version in known.packages.items())
    return element("details", element("summary", f"All {len(known.packages)} packages"), paragraph(text, "quiet small"))
