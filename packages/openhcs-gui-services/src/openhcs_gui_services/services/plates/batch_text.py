"""The running and waiting plates in one line, and how they ended."""

from openhcs_gui_services.services.durations import timing_text
from openhcs_gui_services.services.plates.values import BatchEnd, BatchState
from zmqruntime.execution.text import plural

__all__ = ["batch_end_text", "batch_text"]

_SEVERAL = 2
_NAMED = 6
"""How many plates, and wells of a plate, are named."""


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


def batch_end_text(end: BatchEnd) -> str:
    """Return ``3 plates: 2 complete, pbad 2 wells failed: A02, A04``; empty for a single plate, which says more."""
    if len(end.plates) < _SEVERAL:
        return ""
    others = [name for name in end.plates if name in end.unfinished or name in end.failed]
    complete = len(end.plates) - len(others)
    parts = [f"{complete} complete", *(_plate_end(name, end) for name in others[:_NAMED])]
    more = len(others) - _NAMED
    return f"{len(end.plates)} plates: {', '.join([*parts, *([f'{more} more not complete'] if more > 0 else [])])}"


def _plate_end(name: str, end: BatchEnd) -> str:
    failed = end.failed.get(name, ())
    if not failed:
        return f"{name} {'stopped' if name in end.stopped else 'failed'}"
    more = f" and {len(failed) - _NAMED} more" if len(failed) > _NAMED else ""
    return f"{name} {plural(len(failed), 'well')} failed: {', '.join(failed[:_NAMED])}{more}"
