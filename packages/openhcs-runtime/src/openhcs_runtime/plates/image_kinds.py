"""The problem of a plate whose images differ in size or type."""

from collections.abc import Mapping
from dataclasses import dataclass

from openhcs_runtime.plates.base import PlateProblem, ProblemKind


@dataclass(frozen=True, slots=True, order=True)
class ImageKind:
    """Shape (Y, X) of an image in pixels, and its type as spelled in its metadata."""

    shape: tuple[int, int]
    dtype: str

    def __str__(self) -> str:
        return f"{self.shape[0]} x {self.shape[1]} {self.dtype}"


def mixed_problem(counts: Mapping[ImageKind, int], examples: Mapping[ImageKind, str]) -> list[PlateProblem]:
    """Return one problem if there are images of several kinds: values measured in them may not be comparable."""
    if len(counts) < 2:
        return []
    ordered = sorted(counts, key=lambda kind: (-counts[kind], kind))
    parts = [f"{counts[kind]:,} of {kind} (such as {examples[kind]})" for kind in ordered]
    more = f" and of {len(parts) - 4} other kinds" if len(parts) > 4 else ""
    return [PlateProblem(ProblemKind.MIXED, f"images differ in size or type: {', '.join(parts[:4])}{more}")]
