"""Link between pipeline pane and plates: the pane shows the current plate's pipeline, and edits go to the plates."""

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from PyQt6.QtCore import QObject

from openhcs_gui_services.services.background import BackgroundTasks
from openhcs_gui_services.services.images.source import PlateSource
from openhcs_gui_services.services.pipeline.source_file import read_templates
from openhcs_gui_services.services.plates.values import PlateRow, PlatesChanged, WorkspaceEvent
from openhcs_gui_services.services.runs.workspace import PlateWorkspace
from openhcs_gui_services.widgets.pipeline.pane import EMPTY_PIPELINE, PipelinePane
from openhcs_gui_services.widgets.plates.manager import PlateManagerWidget
from openhcs_runtime.exceptions import PlateError

__all__ = ["PipelineLink"]

_MOST_PLATES: Final = 100
"""Of how many plates the channels are remembered."""


class PipelineLink(QObject):
    """Applies edits to the current plate and to the selected plates that had the same pipeline before, or none.

    Plates that are added later get the pipeline that was edited last. The workspace keeps edits even if they have not
    been saved to a file, so nothing is lost when another plate is shown.
    """

    def __init__(
        self, pane: PipelinePane, manager: PlateManagerWidget, workspace: PlateWorkspace, tasks: BackgroundTasks
    ) -> None:
        super().__init__(pane)
        self._pane, self._manager, self._workspace, self._tasks = pane, manager, workspace, tasks
        self._plate = ""
        """The plate whose pipeline is shown, and its text when it was last passed to plates."""
        self._shown = ""
        self._is_loading = False
        self._templates = {text: name for name, text in read_templates().items()}
        self._channels: OrderedDict[str, Mapping[int, str]] = OrderedDict()
        self._reading: set[str] = set()
        """Plates whose channels are being read."""
        pane.source_changed.connect(lambda _: self.take_edit() and None)
        pane.name_changed.connect(lambda _: self._on_name())
        pane.check_requested.connect(lambda _: self._check())
        pane.file_changed.connect(lambda _: self._on_name())
        manager.current_changed.connect(lambda _: self.show_current())
        manager.asking.connect(lambda: self.take_edit() and None)
        self.destroyed.connect(workspace.subscribe(self._on_event))
        if workspace.default_pipeline:
            self._load(workspace.default_pipeline, workspace.default_pipeline_file)
        self.show_current()

    def show_current(self) -> None:
        """Show the pipeline of the current plate."""
        before, is_edited = self._plate, self.take_edit()
        row = self._manager.current
        self._plate = "" if row is None else row.path
        self._show_channels(row)
        if row is None:
            return
        is_on_its_way = is_edited and row.path == before  # the row doesn't have the edit yet
        if row.pipeline and not is_on_its_way and not self._is_shown(row):
            self._load(row.pipeline, row.pipeline_file, self._name_of(row))
        elif not row.pipeline and self._shown:
            self._give([row.path])
        self._pane.show_problems(self._workspace.problems(row.path))

    def take_edit(self) -> bool:
        """Pass typed text to the plates now, as the pane's own signal comes with a short delay; return if any."""
        self._pane.steps.panel.take_now()
        text = self._pane.source()
        if self._is_loading or text in (self._shown, EMPTY_PIPELINE):
            return False
        before, self._shown = self._shown, text
        self._workspace.default_pipeline = text
        self._workspace.default_pipeline_file = self._file()
        self._give(self._paths_with(before))
        return True

    # --- parts ---------------------------------------------------------------------------------------------------

    def _paths_with(self, pipeline: str) -> list[str]:
        """Return the current plate and the selected ones, as far as they have this pipeline or none."""
        current = self._manager.current
        is_current = current is not None and current.path == self._plate
        paths = [self._plate, *(row.path for row in self._manager.selected_rows() if is_current)]
        rows = [row for path in dict.fromkeys(paths) if (row := self._manager.table.plates.row_of(path)) is not None]
        return [row.path for row in rows if row.pipeline in ("", pipeline)]

    def _load(self, text: str, file: str = "", name: str = "") -> None:
        path = Path(file) if file else None
        template = self._templates.get(text, "")
        self._is_loading = True
        is_modified = not _is_in_file(path, text) if path is not None else not template
        self._pane.set_source(text, path, name or ("" if path else template), is_modified=is_modified)
        self._is_loading = False
        self._shown = text

    def _is_shown(self, row: PlateRow) -> bool:
        """Return whether the pane shows the pipeline of a plate, under its name."""
        name = self._name_of(row) or Path(row.pipeline_file).name
        return (row.pipeline, row.pipeline_file, name) == (self._pane.source(), self._file(), self._pane.name)

    def _name_of(self, row: PlateRow) -> str:
        if row.pipeline_file:
            stem = Path(row.pipeline_file).stem
            return "" if row.pipeline_name in ("", stem) else row.pipeline_name
        return row.pipeline_name or self._templates.get(row.pipeline) or f"Pipeline of {row.name}"

    def _file(self) -> str:
        return "" if self._pane.path is None else str(self._pane.path)

    def _give(self, paths: list[str]) -> None:
        if paths:
            pane = self._pane
            work = self._workspace.set_pipeline(
                paths, self._shown, self._file(), name=pane.name, is_modified=pane.is_modified
            )
            self._tasks.start(work, "Changing the pipeline")

    def _on_name(self) -> None:
        """Keep another name or file of the same text."""
        if not self._is_loading and self._pane.source() == self._shown:
            self._workspace.default_pipeline_file = self._file()
            self._give(self._paths_with(self._shown))

    def _check(self) -> None:
        if self._manager.current is None:
            self._manager.show_message("Add a plate first: pipelines are checked against a plate", True)
        else:
            self._manager.actions_.compile.trigger()

    def _on_event(self, event: WorkspaceEvent) -> None:
        row = self._manager.current
        if isinstance(event, PlatesChanged) and row is not None and any(each.path == row.path for each in event.rows):
            self._pane.show_problems(self._workspace.problems(row.path))
            self._show_channels(row)

    # --- channels ------------------------------------------------------------------------------------------------

    def _show_channels(self, row: PlateRow | None) -> None:
        """Offer the channels of a plate, once its folder has been read."""
        path = "" if row is None else row.path
        self._pane.set_channels(self._channels.get(path, {}))
        if row is None or row.well_count is None or path in self._channels or path in self._reading:
            return
        settings = self._workspace.settings_of(path)
        source = PlateSource(path, settings.pattern, settings.plate_format, settings.pages)
        self._reading.add(path)
        self._tasks.start(self._read_channels(source), f"Reading the channels of {row.name}")

    async def _read_channels(self, source: PlateSource) -> None:
        try:
            found = await asyncio.to_thread(_channels_of, source)
        finally:
            self._reading.discard(source.path)
        self._channels[source.path] = found
        while len(self._channels) > _MOST_PLATES:
            self._channels.popitem(last=False)
        if source.path == self._plate:
            self._pane.set_channels(found)


def _channels_of(source: PlateSource) -> Mapping[int, str]:
    """Return the channels of a plate, names by number; none if its folder is away."""
    from openhcs_gui_services.services.images.opened import open_source  # noqa: PLC0415  loads image libraries

    try:
        plate = open_source(source)
    except PlateError:
        return {}
    names = plate.plate.channel_names
    return {channel.number: names.get(channel.number, "") for channel in plate.channels}


def _is_in_file(path: Path, text: str) -> bool:
    """Return whether a file has this text, as far as it can be read."""
    try:
        return path.read_text(encoding="utf-8-sig").rstrip("\n") == text.rstrip("\n")
    except (OSError, UnicodeDecodeError):
        return False
