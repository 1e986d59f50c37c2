"""Texts about the result of an edit, as pure functions."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from openhcs_gui_services.services.plates.wording import window_text
from openhcs_gui_services.services.tuning.values import TuningResult

if TYPE_CHECKING:
    from openhcs_runtime.preview import PreviewStep

__all__ = [
    "EARLIER",
    "counts_text",
    "image_choices",
    "notes_text",
    "place_text",
    "problem_text",
    "seconds_text",
    "steps_text",
]

EARLIER: Final = "of the pipeline before the edit"
_SHORT_SECONDS = 0.01


def counts_text(result: TuningResult) -> str:
    """Return the counts, as in "nuclei 143 (before 128), cells 120"; empty if nothing was found."""
    before: Mapping[str, int] = result.before.counts if result.before is not None else {}
    parts = []
    for name, count in result.counts.items():
        compared = f" (before {before[name]:,})" if name in before else ""
        parts.append(f"{name} {count:,}{compared}")
    lacking = () if result.problem is not None else before.keys() - result.counts.keys()
    gone = [f"{name} none (before {before[name]:,})" for name in sorted(lacking)]
    return ", ".join([*parts, *gone])


def place_text(result: TuningResult) -> str:
    """Return what a field of view is called, as in "B03, site 2"."""
    return f"{result.place.well}, site {result.place.site}"


def seconds_text(seconds: float) -> str:
    """Return a short duration, as in "0.42 s"."""
    return f"{seconds:.2f} s" if seconds < 10 else f"{seconds:.0f} s"


def problem_text(result: TuningResult) -> str:
    """Return why the pipeline did not come to its end, in one line; empty if it did."""
    return "" if result.problem is None else window_text(result.problem.text)


def notes_text(result: TuningResult) -> str:
    """Return in what way a run may differ, a line for each note; empty if there is nothing to say."""
    return "\n".join(map(window_text, result.after.notes))


def steps_text(result: TuningResult) -> str:
    """Return a line for each step with what it took, and the last lines that functions have printed."""
    lines = [f"{step.number}. {step.name}: {_step_text(step)}" for step in result.after.steps]
    return "\n".join([*lines, *([""] if result.after.printed else []), *result.after.printed])


def image_choices(result: TuningResult) -> Sequence[tuple[int, str]]:
    """Return the numbers and titles of the images that can be shown: that of the plate, and one after each step."""
    steps = [(step.number, f"After {step.number}. {step.name}") for step in result.after.steps]
    return [(0, "Plate"), *steps]


def _step_text(step: "PreviewStep") -> str:
    if step.is_left_out:
        return "left out"
    if step.seconds is None:
        return "not reached"
    taken = seconds_text(step.seconds) if step.seconds >= _SHORT_SECONDS else "under 0.01 s"
    return f"unchanged (took {taken})" if step.is_kept else taken
