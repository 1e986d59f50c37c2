"""What a preview is asked for and what it gives: plain values that know neither processes nor the engine."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
from numpy.typing import NDArray

from openhcs_runtime.pipeline.cells import Cell
from openhcs_runtime.tasks import Setting

__all__ = ["PreviewProblem", "PreviewRequest", "PreviewResult", "PreviewStep"]


class PreviewRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A pipeline, and the place to run it on.

    Attributes:
        plate_path: the plate folder or its URL.
        pattern: see ``openhcs_runtime.plates.open_plate``.
        plate_format: see ``openhcs_runtime.plates.open_plate``.
        pages: see ``openhcs_runtime.plates.open_plate``.
        pipeline: source text of the pipeline.
        pipeline_name: name of its file in error messages.
        pipeline_folder: folder of the file, from which it can import modules; empty if there is none.
        settings: values of parameters in place of those of the pipeline.
        well: name of the well.
        site: number of the site.
        z_index: number of the plane to show; pipelines that put planes together get all of them.
        timepoint: number of the time point; pipelines that put time points together get all of them.
        channel: number of the channel whose image is returned; None for the lowest.
        image_after: number of the step after which the image is taken, from 1; 0 for the image of the plate, None for
            the last step.
    """

    plate_path: str
    pattern: str | None = None
    plate_format: str | None = None
    pages: str | None = None
    pipeline: str
    pipeline_name: str = "pipeline.py"
    pipeline_folder: str = ""
    settings: tuple[Setting, ...] = ()
    well: str
    site: int = 1
    z_index: int = 1
    timepoint: int = 1
    channel: int | None = None
    image_after: int | None = None


class PreviewStep(msgspec.Struct, frozen=True):
    """An enabled step of the pipeline.

    Attributes:
        number: its number in the pipeline, from 1, in which disabled steps count.
        name: its name.
        seconds: how long it took when it was computed; None if it was not reached.
        is_kept: whether its result was still there from an earlier preview, so that it took no time in this one.
        is_left_out: whether it was left out, because it works on the whole plate or needs what such a step makes.
    """

    number: int
    name: str
    seconds: float | None = None
    is_kept: bool = False
    is_left_out: bool = False


class PreviewProblem(msgspec.Struct, frozen=True):
    """Why a preview has not come to the end of the pipeline.

    Attributes:
        text: one line for users, with the step and the remedy.
        step: number of the step in the pipeline, from 1; 0 if the problem is not that of one step.
        details: the traceback, if a function has raised an exception; empty if not.
    """

    text: str
    step: int = 0
    details: str = ""


@dataclass(frozen=True, slots=True)
class PreviewResult:
    """What the pipeline makes of the place.

    Attributes:
        labels: labels (Y, X) of each set of objects. A set that was found in several channels has an entry for each,
            such as ``nuclei (DAPI)``.
        image: the pixels (Y, X) after the step that was asked for; None if there are none.
        image_title: what the image is, such as "after 2. Correct, DAPI".
        image_after: number of that step; 0 for the image of the plate.
        counts: number of objects of each set, as the tables of a run have them.
        measurements: measurements of the images of the place, by short name of their channel and by column.
        steps: the enabled steps.
        seconds: duration of the whole preview.
        notes: in what way it may differ from a run of the plate, and what the user should know, one line each.
        printed: the last lines that functions have printed or logged.
        problem: why it ended early; None if it did not. What earlier steps have made is there.
    """

    labels: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    image: NDArray[Any] | None = None
    image_title: str = ""
    image_after: int = 0
    counts: Mapping[str, int] = field(default_factory=dict)
    measurements: Mapping[str, Mapping[str, Cell]] = field(default_factory=dict)
    steps: tuple[PreviewStep, ...] = ()
    seconds: float = 0.0
    notes: tuple[str, ...] = ()
    printed: tuple[str, ...] = ()
    problem: PreviewProblem | None = None
