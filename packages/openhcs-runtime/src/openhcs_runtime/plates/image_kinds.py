"""Says in words that images of a plate differ in size or type."""

from collections.abc import Mapping
from dataclasses import dataclass

from openhcs_runtime.plates.base import PlateProblem, ProblemKind


@dataclass(frozen=True, slots=True, order=True)
class ImageKind:
    """Size (Y, X) in pixels of an image, and how its metadata calls its type."""

    shape: tuple[int, int]
    dtype: str

    def __str__(self) -> str:
        return f"{self.shape[0]} x {self.shape[1]} {self.dtype}"


def mixed_problem(counts: Mapping[ImageKind, int], examples: Mapping[ImageKind, str]) -> list[PlateProblem]:
    """One problem when images are of several kinds; values measured in them may not be comparable."""
    if len(counts) < 2:
        return []
    ordered = sorted(counts, key=lambda kind: (-counts[kind], kind))
    parts = [f"{counts[kind]:,} of {kind} (such as {examples[kind]})" for kind in ordered]
    more = f" and of {len(parts) - 4} other kinds" if len(parts) > 4 else ""
    return [PlateProblem(ProblemKind.MIXED, f"images differ in size or type: {', '.join(parts[:4])}{more}")]
