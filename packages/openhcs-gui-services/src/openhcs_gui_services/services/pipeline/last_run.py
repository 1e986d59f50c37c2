"""Reads the pipeline of a run from what the run has recorded."""

from pathlib import Path

import msgspec

from openhcs_runtime.outputs.runs import PROVENANCE_NAME

__all__ = ["pipeline_of_run"]


class _Head(msgspec.Struct):
    """The part of a provenance that is needed here; the rest is skipped."""

    pipeline_source: str = ""


def pipeline_of_run(folder: Path) -> str:
    """Return the text of the pipeline of a run; "" if the run has not recorded one that can be read."""
    try:
        return msgspec.json.decode((folder / PROVENANCE_NAME).read_bytes(), type=_Head).pipeline_source
    except (OSError, msgspec.MsgspecError):
        return ""
