"""What a window needs to know and say about plates, without a widget: nothing here imports Qt."""

from openhcs_gui_services.services.durations import duration_text, remaining_seconds, timing_text
from openhcs_gui_services.services.plate_presenter import (
    PlatePresentation,
    PlateSnapshot,
    PlateState,
    Tone,
    plate_state_of,
    present_plate,
)
from openhcs_gui_services.services.progress_presenter import progress_text

__all__ = [
    "PlatePresentation",
    "PlateSnapshot",
    "PlateState",
    "Tone",
    "duration_text",
    "plate_state_of",
    "present_plate",
    "progress_text",
    "remaining_seconds",
    "timing_text",
]
