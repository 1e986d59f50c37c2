"""Link between pipeline pane and plates: the pane shows the current plate's pipeline, and edits go to the plates."""

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from PyQt6.QtCore import QObject

from openhcs_gui_services.services.background import BackgroundTasks
from openhcs_gui_services.services.images.source import PlateSource
from openhcs_gui_services.services.pipeline.last_run import pipeline_of_run
from openhcs_gui_services.services.pipeline.source_file import (
    SourceFileError,
    file_digest,
    load_source,
    read_templates,
    text_digest,
)
from openhcs_gui_services.services.plates.values import PlateRow, PlatesChanged, PlatesRemoved, WorkspaceEvent
from openhcs_gui_services.services.runs.workspace import PlateWorkspace
from openhcs_gui_services.widgets.pipeline.pane import EMPTY_PIPELINE, PipelinePane
from openhcs_gui_services.widgets.pipeline.texts import ShownText
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
        self._left_edits: set[str] = set()
        """Plates with edits of an earlier window, which are to be compared with their last run."""
        pane.source_changed.connect(lambda _: self.take_edit() and None)
        pane.name_changed.connect(lambda _: self._on_name())
        pane.check_requested.connect(lambda _: self._check())
        pane.file_changed.connect(lambda _: self._on_name())
        pane.saved.connect(self._on_saved)
        pane.targets.only_wanted.connect(lambda: manager.table.select_paths([self._plate], self._plate))
        manager.table.plates_selected.connect(self._show_targets)
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
        if row is not None:
            is_on_its_way = is_edited and row.path == before  # the row doesn't have the edit yet
            if not is_on_its_way:
                self._show_row(row)
            self._pane.show_problems(self._workspace.problems(row.path))
        self._show_targets()

    def _show_row(self, row: PlateRow) -> None:
        """Show the pipeline of a plate; a plate without one gets the one that is shown."""
        if self._pane.plate == "" and row.pipeline in ("", self._pane.source()):
            self._pane.give_to(row.path)  # what was edited before there was a plate
        if row.pipeline and not self._is_shown(row):
            self._load_row(row)
        elif not row.pipeline and self._shown:
            if self._pane.plate != row.path:
                pane = self._pane
                taken = ShownText(self._shown, pane.path, pane.name, pane.is_modified, pane.basis)
                self._show_plate(row.path, taken)
            self._give([row.path])
        self._compare_with_run(row)

    def take_edit(self) -> bool:
        """Pass typed text to the plates now, as the pane's own signal comes with a short delay; return if any."""
        self._pane.steps.panel.take_now()
        text = self._pane.source()
        if self._is_loading or text in (self._shown, EMPTY_PIPELINE):
            return False
        before, self._shown = self._shown, text
        self._workspace.default_pipeline = text
        self._keep_default()
        self._give(self._paths_with(before))
        return True

    # --- parts ---------------------------------------------------------------------------------------------------

    def _paths_with(self, pipeline: str) -> list[str]:
        """Return the shown plate, and the selected ones as far as they have this pipeline or none."""
        current = self._manager.current
        is_current = current is not None and current.path == self._plate
        paths = [self._plate, *(row.path for row in self._manager.selected_rows() if is_current)]
        rows = [row for path in dict.fromkeys(paths) if (row := self._manager.table.plates.row_of(path)) is not None]
        return [row.path for row in rows if row.path == self._plate or row.pipeline in ("", pipeline)]

    def _load(self, text: str, file: str = "", name: str = "") -> None:
        path = Path(file) if file else None
        template = self._templates.get(text, "")
        self._is_loading = True
        is_modified = not _is_in_file(path, text) if path is not None else not template
        self._pane.set_source(text, path, name or ("" if path else template), is_modified=is_modified)
        self._is_loading = False
        self._shown = text

    def _load_row(self, row: PlateRow) -> None:
        path = Path(row.pipeline_file) if row.pipeline_file else None
        name = self._name_of(row)
        is_modified = row.is_pipeline_modified if path is not None else self._has_no_file(row)
        basis = row.pipeline_basis
        if path is not None and not basis:
            basis = file_digest(path) if is_modified else text_digest(row.pipeline)
        reference = _text_of(path) if path is not None and is_modified else None
        if is_modified and not self._pane.has_shown(row.path):
            self._left_edits.add(row.path)
        self._show_plate(row.path, ShownText(row.pipeline, path, name, is_modified, basis, reference))

    def _has_no_file(self, row: PlateRow) -> bool:
        return row.is_pipeline_modified or row.pipeline not in self._templates

    def _show_plate(self, plate: str, shown: ShownText) -> None:
        self._is_loading = True
        self._pane.show_plate(plate, shown)
        self._is_loading = False
        self._shown = shown.text

    def _keep_default(self) -> None:
        """Let plates that are added later have what is edited now."""
        self._workspace.default_pipeline_file = self._file()
        self._workspace.is_default_modified = self._pane.is_modified

    def _is_shown(self, row: PlateRow) -> bool:
        """Return whether the pane shows the pipeline of a plate, under its name."""
        name = self._name_of(row) or Path(row.pipeline_file).name
        is_text = (row.pipeline, row.pipeline_file, name) == (self._pane.source(), self._file(), self._pane.name)
        return is_text and row.path == self._pane.plate

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
                paths, self._shown, self._file(), name=pane.name, is_modified=pane.is_modified, basis=pane.basis
            )
            self._tasks.start(work, "Changing the pipeline")

    def _on_name(self) -> None:
        """Keep another name or file of the same text."""
        if not self._is_loading and self._pane.source() == self._shown:
            self._keep_default()
            self._give(self._paths_with(self._shown))

    def _on_saved(self, path: Path) -> None:
        """Let plates with the same file follow it, as far as they have no edits of their own, and say so."""
        self.take_edit()
        self._tasks.start(self._follow(path, self._shown, self._pane.basis), "Changing the pipeline")

    async def _follow(self, path: Path, text: str, basis: str) -> None:
        """Give the text of a file to its plates; called once the edits before it have been given to theirs."""
        rows = self._workspace.rows()
        of_file = [row for row in rows if row.pipeline_file == str(path) and not row.is_pipeline_modified]
        follow = [row for row in of_file if row.pipeline != text]
        for row in follow:
            await self._workspace.set_pipeline(
                [row.path], text, str(path), name=row.pipeline_name, is_modified=False, basis=basis
            )
        if follow:
            names = ", ".join(row.name for row in follow)
            self._manager.show_message(f"{path.name} was saved; these plates have it too: {names}")

    def _show_targets(self) -> None:
        """Say which plates an edit goes to, if it is more than the shown one."""
        rows = map(self._manager.table.plates.row_of, self._paths_with(self._shown))
        self._pane.targets.show_plates([row.name for row in rows if row is not None])

    def _check(self) -> None:
        if self._manager.current is None:
            self._manager.show_message("Add a plate first: pipelines are checked against a plate", True)
        else:
            self._manager.actions_.compile.trigger()

    def _on_event(self, event: WorkspaceEvent) -> None:
        row = self._manager.current
        if isinstance(event, PlatesRemoved):
            for path in event.paths:
                self._left_edits.discard(path)
        if not isinstance(event, PlatesChanged):
            return
        self._show_targets()
        if row is not None and any(each.path == row.path for each in event.rows):
            self._pane.show_problems(self._workspace.problems(row.path))
            self._show_channels(row)
            self._compare_with_run(row)

    # --- what edits are compared with ------------------------------------------------------------------------------

    def _compare_with_run(self, row: PlateRow) -> None:
        """Compare edits that an earlier window has left with the last run of the plate, once it is known."""
        if row.found is not None and row.path in self._left_edits:
            self._left_edits.discard(row.path)
            if row.is_pipeline_modified:
                work = self._read_run(row.path, Path(row.found.run.folder))
                self._tasks.start(work, f"Reading the last run of {row.name}")

    async def _read_run(self, plate: str, folder: Path) -> None:
        if text := await asyncio.to_thread(pipeline_of_run, folder):
            self._pane.set_reference(plate, text)

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
    return file_digest(path) == text_digest(text)


def _text_of(path: Path) -> str | None:
    try:
        return load_source(path)
    except SourceFileError:
        return None
