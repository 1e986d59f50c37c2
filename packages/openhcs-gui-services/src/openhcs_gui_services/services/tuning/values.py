"""What live tuning is asked for and what it gives; frozen values."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from openhcs_gui_services.services.images.source import ImagePlace, PlateSource

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from openhcs_runtime.preview import PreviewProblem, PreviewResult

__all__ = ["Computing", "TuningEvent", "TuningRequest", "TuningResult"]


@dataclass(frozen=True, slots=True)
class TuningRequest:
    """A pipeline to try.

    Attributes:
        source: the plate.
        pipeline: source text of the pipeline.
        pipeline_file: path of its file, next to which are the modules that it imports; empty if it has no file.
        place: the field of view that is shown.
        pinned: another one that is computed as well, such as a control; None for none.
        before: text of the pipeline to compare with; empty, or equal to ``pipeline``, for no comparison.
        image_after: number of the step whose image is wanted, from 1; 0 for the image of the plate, None for the last
            step.
        channel: number of the channel of that image; None for the lowest.
    """

    source: PlateSource
    pipeline: str
    pipeline_file: str
    place: ImagePlace
    pinned: ImagePlace | None = None
    before: str = ""
    image_after: int | None = None
    channel: int | None = None

    def is_of_other_images(self, other: "TuningRequest") -> bool:
        """Return whether another request is of another place, or of a pipeline that is not an edit of this one."""
        return (self.source, self.place, self.pipeline_file) != (other.source, other.place, other.pipeline_file) or (
            self.before != other.before and self.pipeline != other.pipeline
        )

    @property
    def places(self) -> tuple[ImagePlace, ...]:
        """The fields of view to compute, the one that is shown first."""
        return tuple(dict.fromkeys((self.place, *([self.pinned] if self.pinned else []))))


@dataclass(frozen=True, slots=True, eq=False)
class TuningResult:
    """What a pipeline makes of a field of view.

    Attributes:
        request: the request.
        place: the field of view.
        after: what the edited pipeline makes of it.
        before: what the pipeline makes of it that it is compared with; None without a comparison, and as long as it has
            not been computed.
    """

    request: TuningRequest
    place: ImagePlace
    after: "PreviewResult"
    before: "PreviewResult | None" = None

    def fitted_to(self, request: TuningRequest) -> "TuningResult | None":
        """Return what of it holds for a newer request; None if nothing does."""
        mine = self.request
        if self.place not in request.places or (mine.source, mine.pipeline, mine.pipeline_file) != (
            request.source,
            request.pipeline,
            request.pipeline_file,
        ):
            return None
        return TuningResult(request, self.place, self.after, self.before if mine.before == request.before else None)

    @property
    def labels(self) -> Mapping[str, "NDArray[Any]"]:
        """Labels (Y, X) of each set of objects."""
        return self.after.labels

    @property
    def image(self) -> "NDArray[Any] | None":
        """The pixels (Y, X) after the step that was asked for."""
        return self.after.image

    @property
    def counts(self) -> Mapping[str, int]:
        """Number of objects of each set."""
        return self.after.counts

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.after.seconds

    @property
    def problem(self) -> "PreviewProblem | None":
        """Why it ended early; None if it did not."""
        return self.after.problem


@dataclass(frozen=True, slots=True)
class Computing:
    """A request takes longer than one notices."""

    request: TuningRequest


TuningEvent: TypeAlias = Computing | TuningResult
"""What a tuner tells; nothing of a request that a newer one has overtaken."""
