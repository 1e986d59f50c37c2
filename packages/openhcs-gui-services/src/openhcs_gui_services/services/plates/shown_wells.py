"""The wells of a plate as they are shown: those of the current run, above the results on disk, above the plate."""

from collections.abc import Iterable, Sequence

from openhcs_gui_services.services.plates.wells import PlateWells
from zmqruntime.execution import AxisProgress, AxisState

__all__ = ["ShownWells"]

_LEAVES_DISK_VISIBLE = (AxisState.WAITING, AxisState.CANCELLED)


class ShownWells:
    """Merges three layers; its methods return the wells that look different than before."""

    def __init__(self) -> None:
        self._shown: dict[str, AxisProgress] = {}
        self._on_disk: dict[str, AxisProgress] = {}
        self._is_live = False

    def rows(self) -> tuple[AxisProgress, ...]:
        """Return all wells, in plate order."""
        return tuple(self._shown.values())

    def merge(
        self, run: PlateWells, on_disk: Iterable[AxisProgress], names: Sequence[str], *, is_live: bool
    ) -> tuple[AxisProgress, ...]:
        """Merge all layers again.

        Args:
            run: the wells of the current or latest run.
            on_disk: the wells of the results on disk.
            names: the wells of the plate, as far as they are known.
            is_live: whether the run has started wells, so that those that it will process are shown as they are in it.
        """
        self._on_disk = {well.axis_id: well for well in on_disk}
        self._is_live = is_live
        of_run = {well.axis_id: well for well in run.rows()}
        order = dict.fromkeys([*names, *self._on_disk, *of_run])
        before, self._shown = self._shown, {name: self._pick(name, of_run.get(name)) for name in order}
        return tuple(well for name, well in self._shown.items() if before.get(name) != well)

    def apply(self, wells: Iterable[AxisProgress]) -> tuple[AxisProgress, ...]:
        """Apply changed wells of the run."""
        changed = []
        for well in wells:
            shown = self._pick(well.axis_id, well)
            if self._shown.get(well.axis_id) != shown:
                self._shown[well.axis_id] = shown
                changed.append(shown)
        return tuple(changed)

    @property
    def is_live(self) -> bool:
        """Whether the wells of a run in progress were merged last."""
        return self._is_live

    def _pick(self, name: str, well: AxisProgress | None) -> AxisProgress:
        under = self._on_disk.get(name)
        if well is None:
            return under or AxisProgress(name)
        is_hidden = not self._is_live and well.state in _LEAVES_DISK_VISIBLE
        return under if is_hidden and under is not None and under.state.has_ended else well
