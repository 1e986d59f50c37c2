"""What changed between two runs of a plate: the pipeline as a diff, settings, versions, counts. Without Qt."""

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from openhcs_runtime.exceptions import OutputError
from openhcs_runtime.outputs.runs import RunStatus, RunSummary, list_runs
from zmqruntime.execution.text import plural

if TYPE_CHECKING:
    from openhcs_runtime.outputs.provenance import Provenance

__all__ = ["Change", "RunDifference", "other_runs", "run_difference"]

_CONTEXT = 3
"""Unchanged lines around a change."""


@dataclass(frozen=True, slots=True)
class Change:
    """Something that differs: its name, and its old and new value as texts; empty for one that was not there."""

    name: str
    old: str
    new: str

    def __str__(self) -> str:
        return f"{self.name}: {self.old or 'not there'} → {self.new or 'not there'}"


@dataclass(frozen=True, slots=True)
class RunDifference:
    """What changed between two runs of a plate.

    Attributes:
        old: name of the older folder.
        new: name of the newer folder.
        pipeline: unified diff of the pipelines and of local modules that they import; empty if they are the same.
        no_pipeline: why the pipelines can't be compared; empty if they can.
        settings: changed settings of the run: seed, parameters, options.
        versions: changed versions of Python and of packages that are in both or in one.
        inputs: changes of plate and images.
        counts: changed numbers of wells and objects.
    """

    old: str
    new: str
    pipeline: str = ""
    no_pipeline: str = ""
    settings: tuple[Change, ...] = ()
    versions: tuple[Change, ...] = ()
    inputs: tuple[Change, ...] = ()
    counts: tuple[Change, ...] = ()

    @property
    def lines(self) -> tuple[str, ...]:
        """What changed, one line each; a line that says so if nothing did."""
        found = [str(change) for change in (*self.counts, *self.settings, *self.inputs)]
        if self.no_pipeline:
            found.append(f"Pipeline: {self.no_pipeline}")
        elif self.pipeline:
            added, removed = (
                sum(line.startswith(sign) and not line.startswith(sign * 3) for line in self.pipeline.splitlines())
                for sign in "+-"
            )
            found.append(f"Pipeline: {plural(added, 'line')} added, {removed} removed")
        if self.versions:
            names = ", ".join(change.name for change in self.versions[:3])
            more = f" and {len(self.versions) - 3} more" if len(self.versions) > 3 else ""
            found.append(f"Versions of {names}{more}")
        return tuple(found) or ("Pipeline, settings, versions, images and counts are the same",)


def other_runs(folder: Path) -> tuple[RunSummary, ...]:
    """Return the other runs of the same plate that have finished wells, newest first.

    Raises:
        OutputError: the folder of runs can't be listed.
    """
    runs = list_runs(folder.parent)
    own = next((run for run in runs if run.folder == folder), None)
    return tuple(
        run
        for run in runs
        if run.folder != folder
        and run.status is not RunStatus.DAMAGED
        and run.done
        and (own is None or run.plate_path == own.plate_path)
    )


def run_difference(old: Path, new: Path) -> RunDifference:
    """Compare two runs by what they have recorded.

    Args:
        old: folder of one run.
        new: folder of the other run.

    Raises:
        OutputError: one of them is not the folder of a run, is damaged, or was written by a newer release.
    """
    from openhcs_runtime.outputs.provenance import read_provenance  # noqa: PLC0415  loads image libraries

    before, after = read_provenance(old), read_provenance(new)
    missing = [name for name, one in ((old.name, before), (new.name, after)) if not one.pipeline_source]
    reason = f"{' and '.join(missing)} did not record the text of its pipeline" if missing else ""
    return RunDifference(
        old=old.name,
        new=new.name,
        pipeline="" if missing else _pipeline_diff(before, after, old.name, new.name),
        no_pipeline=reason,
        settings=_changes(_settings(before), _settings(after)),
        versions=_changes(_versions(before), _versions(after)),
        inputs=_inputs(before, after),
        counts=_changes(_counts(old, before), _counts(new, after)),
    )


def _pipeline_diff(before: "Provenance", after: "Provenance", old: str, new: str) -> str:
    texts: dict[str, tuple[str, str]] = {"pipeline": (before.pipeline_source, after.pipeline_source)}
    modules = [{one.name: one.text for one in each.modules} for each in (before, after)]
    for name in sorted({*modules[0], *modules[1]}):
        texts[f"module {name}"] = (modules[0].get(name, ""), modules[1].get(name, ""))
    found: list[str] = []
    for name, (one, other) in texts.items():
        lines = difflib.unified_diff(
            one.splitlines(), other.splitlines(), f"{old}: {name}", f"{new}: {name}", n=_CONTEXT, lineterm=""
        )
        found += lines
    return "\n".join(found)


def _settings(known: "Provenance") -> dict[str, str]:
    """Return the settings of a run as texts, without the places of its files."""
    found = {"seed": str(known.seed)}
    for config in (known.global_config, known.pipeline_config):
        for name, value in msgspec.to_builtins(config, builtin_types=(), str_keys=True).items():
            if name not in ("output_dir", "results_dir"):
                found[name.replace("_", " ")] = _text(value)
    found |= {setting.name: setting.text for setting in known.settings}
    for name, value in known.environment.items():
        found[f"environment {name}"] = value
    return found


def _versions(known: "Provenance") -> dict[str, str]:
    return {"Python": known.python.split()[0], "platform": known.platform, **known.packages}


def _inputs(before: "Provenance", after: "Provenance") -> tuple[Change, ...]:
    old, new = ({(one.path, one.index): (one.size, one.mtime_ns) for one in each.inputs} for each in (before, after))
    changed = sum(old[key] != new[key] for key in old.keys() & new.keys())
    found = [] if len(old) == len(new) else [Change("images", str(len(old)), str(len(new)))]
    if changed:
        found.append(Change("images with another size or time of change", "0", str(changed)))
    maps = ["" if each.plate_map is None else each.plate_map.digest for each in (before, after)]
    if maps[0] != maps[1]:
        words = ["none" if not digest else "other content" for digest in maps]
        found.append(Change("plate map", words[0], "changed" if all(maps) else words[1]))
    return tuple(found)


def _counts(folder: Path, known: "Provenance") -> dict[str, str]:
    from openhcs_runtime.outputs.runs import read_run  # noqa: PLC0415  one module with the rest
    from openhcs_runtime.tables.read import open_results  # noqa: PLC0415  heavy

    run = read_run(folder)
    found = {"complete wells": str(len(run.done)), "failed wells": str(run.wells_failed)}
    try:
        results = open_results(folder)
        objects = [name for name in results.tables if name not in ("images", "wells")]
        return found | {name: f"{results.rows(name):,}" for name in objects}
    except OutputError:
        return found


def _changes(old: Mapping[str, str], new: Mapping[str, str]) -> tuple[Change, ...]:
    names: Iterable[str] = dict.fromkeys([*old, *new])
    return tuple(
        Change(name, old.get(name, ""), new.get(name, "")) for name in names if old.get(name, "") != new.get(name, "")
    )


def _text(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
