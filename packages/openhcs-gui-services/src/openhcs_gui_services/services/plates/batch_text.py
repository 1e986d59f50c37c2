"""The running and waiting plates in one line."""

from openhcs_gui_services.services.durations import timing_text
from openhcs_gui_services.services.plates.values import BatchState

__all__ = ["batch_text"]


def batch_text(state: BatchState | None) -> str:
    """Return ``plate 2 of 5, 41 of 120 wells, about 12 min left``; empty if nothing runs or waits."""
    if state is None:
        return ""
    number = min(state.plates, state.plates_ended + 1)
    parts = [f"plate {number} of {state.plates}"] if state.plates > 1 else []
    parts += [f"{state.wells_ended} of {state.wells} wells"] if state.wells else []
    if state.remaining_seconds is not None and state.wells_ended < state.wells:
        parts.append(timing_text(0.0, state.remaining_seconds).partition(", ")[2])
    return ", ".join(parts)
