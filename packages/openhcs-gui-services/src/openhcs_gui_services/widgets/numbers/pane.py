"""The numbers of a run: what happened, a measurement that colours the map, tables, plots and comparisons."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from PyQt6.QtCore import Qt, pyqtSignal as Signal
from PyQt6.QtGui import QResizeEvent
from PyQt6.QtWidgets import QFrame, QLabel, QScrollArea, QStackedWidget, QTabWidget, QVBoxLayout, QWidget

from openhcs_gui_services.services.background import BackgroundTasks
from openhcs_gui_services.services.numbers.chosen_measures import ChosenMeasures
from openhcs_gui_services.services.numbers.gates import GateStore
from openhcs_gui_services.services.numbers.latest import LatestWork
from openhcs_gui_services.services.numbers.open_tables import OpenTables
from openhcs_gui_services.services.numbers.run_numbers import RunNumbers, read_run_numbers
from openhcs_gui_services.services.numbers.well_values import MeasuredWells, colours_of, exclude, measure_wells
from openhcs_gui_services.widgets.numbers.compare_tab import CompareTab
from openhcs_gui_services.widgets.numbers.exclude_dialog import ExcludeDialog
from openhcs_gui_services.widgets.numbers.measure_bar import MeasureBar
from openhcs_gui_services.widgets.numbers.plot_tab import PlotTab
from openhcs_gui_services.widgets.numbers.run_header import RunHeader
from openhcs_gui_services.widgets.numbers.screen_tab import ScreenTab
from openhcs_gui_services.widgets.numbers.table_tab import TableTab
from openhcs_runtime.outputs.exclusions import Exclusions, exclude_wells, include_wells
from openhcs_runtime.tasks import OPENHCS_CONFIG

__all__ = ["NumbersPane"]

_NO_PLATE = "<b>No numbers yet</b><p>Add a plate and run a pipeline. Counts and measurements appear here.</p>"
_NO_RUN = "<b>No numbers yet</b><p>{name} has no results. Press Run; its counts and measurements appear here.</p>"
_TITLES = ("&Table", "&Plot and cells", "&Screen", "&Compare runs")
_SHORT_TITLES = ("&Table", "&Plot", "&Screen", "&Compare")
_MARGINS = 32  # pixels of the pane next to its tabs, with a scroll bar


class NumbersPane(QWidget):
    """Shows the numbers of one run of a plate. Needs an asyncio loop that runs on Qt's event loop.

    Args:
        gates: keeps the gates of plates; None for the data folder of the application.
        parent: the parent widget.
    """

    colours_changed = Signal(object)
    """The ``WellColours`` of the chosen measurement; None if there is none."""
    object_wanted = Signal(object)
    """The ``ObjectPlace`` of an object to show in the image pane."""
    well_wanted = Signal(str)
    """Name of a well to select in the map."""
    measures_changed = Signal(object)
    """The names of the measurements that can be chosen, as a tuple."""
    measure_changed = Signal(str)
    """The name of the measurement that is chosen now."""
    map_wanted = Signal()
    """The map is to show the values, as a person has chosen what they are."""
    report_wanted = Signal()
    """The report of the run is to be written and opened."""
    message = Signal(str, bool)
    """A line for the status bar, and whether it is an error."""
    run_shown = Signal()
    """The numbers of a run are shown, or why they can't be."""

    def __init__(self, gates: GateStore | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._tasks = BackgroundTasks(lambda text: self.message.emit(text, True))
        self.destroyed.connect(self._tasks.cancel)
        self._name = ""
        self._chosen = ChosenMeasures()
        self._run: Path | None = None
        self._numbers: RunNumbers | None = None
        self._tables: OpenTables | None = None
        self._wells: MeasuredWells | None = None
        self._share: tuple[str, dict[str, float]] | None = None
        """The gate whose share of objects the map shows in place of the measurement."""
        self._selected: tuple[str, ...] = ()
        self._dialog: ExcludeDialog | None = None
        self._reading: LatestWork[RunNumbers] = LatestWork(
            self._tasks, "Reading the numbers", self._show_numbers, self._show_problem
        )
        self._measuring: LatestWork[MeasuredWells] = LatestWork(
            self._tasks, "Reading the measurement", self._show_wells, self._on_unmeasured
        )
        self._excluding: LatestWork[Exclusions] = LatestWork(
            self._tasks, "Excluding wells", self._show_exclusions, self._on_not_excluded
        )
        self.empty, self.header, self.bar = QLabel(_NO_PLATE), RunHeader(), MeasureBar()
        self.table_tab, self.screen_tab = TableTab(self._tasks), ScreenTab(self._tasks)
        self.plot_tab = PlotTab(self._tasks, gates or GateStore(OPENHCS_CONFIG.data_dir / "gates"))
        self.compare_tab = CompareTab(self._tasks)
        self.tabs, self._pages = QTabWidget(), QStackedWidget()
        self._lay_out()
        self._connect()

    # --- for the program ---------------------------------------------------------------------------------------------

    def show_run(self, run: Path | None, name: str) -> None:
        """Show the run in this folder; a run that is shown already is read again.

        Args:
            run: folder of the run; None if the plate has no results.
            name: name of the plate, for titles; empty if there is no plate.
        """
        self._run, self._name = run, name
        self._reading.drop()
        if run is None:
            self._forget()
            self._say(_NO_RUN.format(name=name) if name else _NO_PLATE)
            self.run_shown.emit()
            return
        if self._numbers is None or self._numbers.run.folder != run:
            self._forget()
            self._say(f"Reading the numbers of {name}…")
        self._reading.start(lambda: read_run_numbers(run))

    def select_wells(self, wells: Sequence[str]) -> None:
        """Note which wells are selected in the map: they are the first to be excluded."""
        self._selected = tuple(wells)

    def choose_measure(self, name: str) -> None:
        """Colour the map by the measurement with this name in the list; an unknown name changes nothing."""
        self.bar.choose(name)

    def exclude(self, wells: Sequence[str], note: str) -> None:
        """Exclude wells of the plate, with a note."""
        known = self._numbers
        if known is not None:
            self._excluding.start(lambda: exclude_wells(known.run, wells, note))

    def include(self, wells: Sequence[str]) -> None:
        """Include wells again."""
        known = self._numbers
        if known is not None:
            self._excluding.start(lambda: include_wells(known.run, wells))

    def show_exclusions(self) -> None:
        """Show the list of excluded wells, to change it."""
        known = self._numbers
        if known is None or self._dialog is not None:
            return
        wells = tuple(known.run.planned or known.run.done)
        self._dialog = ExcludeDialog(known.exclusions, wells, self._selected, self)
        self._dialog.exclude_wanted.connect(self.exclude)
        self._dialog.include_wanted.connect(self.include)
        self._dialog.finished.connect(lambda _: setattr(self, "_dialog", None))
        self._dialog.open()

    @property
    def run(self) -> Path | None:
        """The folder of the run that is shown or being read; None if there is none."""
        return self._run

    @property
    def numbers(self) -> RunNumbers | None:
        """What is known of the shown run; None until it has been read."""
        return self._numbers

    @property
    def is_busy(self) -> bool:
        """Whether anything is being read or written."""
        return self._tasks.is_busy

    async def settle(self) -> None:
        """Wait until nothing is being read or written any more."""
        await self._tasks.wait()

    async def close_work(self) -> None:
        """End what is under way and remove temporary files. May be called twice."""
        tables = self._tables
        self._forget()
        await self._tasks.close()
        if tables is not None:
            await asyncio.to_thread(tables.close)

    # --- reading -----------------------------------------------------------------------------------------------------

    def _show_numbers(self, numbers: RunNumbers) -> None:
        self._drop_tables()
        self._numbers = numbers
        self._tables = OpenTables(numbers.results)
        excluded = numbers.exclusions.names
        self.header.show_numbers(numbers, self._name)
        offered = [choice.name for choice in numbers.choices]
        self.bar.show_choices(numbers.choices, numbers.sites, self._chosen.best(numbers.run.plate_path, offered))
        names = [name for name in reversed(numbers.results.tables) if name != "images"]
        names += [name for name in numbers.results.tables if name == "images"]
        self.table_tab.show_tables(self._tables, names)
        self.table_tab.show_excluded(excluded)
        self.plot_tab.show_excluded(excluded)
        self.plot_tab.show_tables(self._tables, numbers.choices, numbers.run.folder, numbers.run.plate_path)
        self.measures_changed.emit(tuple(offered))
        if (choice := self.bar.choice()) is not None:
            self.measure_changed.emit(choice.name)
        if numbers.choices:
            self._pages.setCurrentIndex(1)
            self._measure()
        else:
            self._say(f"<b>{numbers.counted}</b><p>{numbers.results.problem_without_tables()}.</p>")
            self.colours_changed.emit(None)
        self.run_shown.emit()

    def _show_problem(self, text: str) -> None:
        self._forget()
        self._say(f"<b>The numbers of {self._name} can't be shown</b><p>{text}.</p>")
        self.run_shown.emit()

    def _measure(self) -> None:
        """Read the chosen measurement of the wells, and tell the tabs."""
        known = self._numbers
        request = None if known is None else self.bar.request(known.exclusions.names)
        results = None if known is None else known.results
        self.screen_tab.show_measure(results, request)
        self.compare_tab.show_measure(results, request)
        if known is not None and request is not None:
            self._measuring.start(lambda: measure_wells(known.results, request))

    def _show_wells(self, wells: MeasuredWells) -> None:
        self._wells = wells
        if wells.note:
            self.message.emit(f"The controls are not marked: {wells.note}", False)
        self._colour()

    def _on_unmeasured(self, text: str) -> None:
        self._wells = None
        self.message.emit(text, True)
        self.colours_changed.emit(None)

    def _colour(self) -> None:
        wells = self._wells
        if wells is None:
            return
        if self._share is not None:
            title, percent = self._share
            wells = exclude(MeasuredWells(title, "%", percent, wells.controls), wells.excluded)
        colours = colours_of(wells, self.bar.limits())
        self.bar.show_limits(colours.lowest, colours.highest)
        self.colours_changed.emit(colours)

    def _on_request(self) -> None:
        self._share = None
        choice = self.bar.choice()
        if choice is not None and self._numbers is not None:
            self._chosen.keep(self._numbers.run.plate_path, choice.name)
            self.measure_changed.emit(choice.name)
            self.map_wanted.emit()
            self.plot_tab.show_measure(choice)
        self._measure()

    def _show_share(self, title: str, percent: dict[str, float]) -> None:
        self._share = title, percent
        self._colour()
        self.map_wanted.emit()
        self.message.emit(f"The map shows the percentage of {title}", False)

    # --- excluded wells ----------------------------------------------------------------------------------------------

    def _show_exclusions(self, exclusions: Exclusions) -> None:
        if self._numbers is None:
            return
        self._numbers = replace(self._numbers, exclusions=exclusions)
        self.header.show_numbers(self._numbers, self._name)
        self.table_tab.show_excluded(exclusions.names)
        self.plot_tab.show_excluded(exclusions.names)
        if self._dialog is not None:
            self._dialog.show_exclusions(exclusions)
        self.message.emit(exclusions.sentence() or "No well is excluded", False)
        self._measure()

    def _on_not_excluded(self, text: str) -> None:
        if self._dialog is not None:
            self._dialog.show_problem(text)
        self.message.emit(text, True)

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Use short titles of tabs where there is no room for the long ones."""
        super().resizeEvent(event)
        titles = _TITLES if self.width() >= self._tabs_width + _MARGINS else _SHORT_TITLES
        for number, title in enumerate(titles):
            self.tabs.setTabText(number, title)

    # --- parts -------------------------------------------------------------------------------------------------------

    def _say(self, text: str) -> None:
        self.empty.setText(text)
        self._pages.setCurrentIndex(0)

    def _forget(self) -> None:
        """Show no run."""
        for work in (self._reading, self._measuring, self._excluding):
            work.drop()
        self._numbers, self._wells, self._share = None, None, None
        self._drop_tables()
        self.screen_tab.show_measure(None, None)
        self.compare_tab.show_measure(None, None)
        self.measures_changed.emit(())
        self.colours_changed.emit(None)
        if self._dialog is not None:
            self._dialog.reject()

    def _drop_tables(self) -> None:
        tables, self._tables = self._tables, None
        self.table_tab.show_tables(None, ())
        self.plot_tab.show_tables(None, (), None, "")
        if tables is not None:
            self._tasks.start(asyncio.to_thread(tables.close), "Removing temporary files")

    def _show_rows(self, table: str, where: str) -> None:
        self.tabs.setCurrentWidget(self.table_tab)
        self.table_tab.show_table(table, where)

    def _lay_out(self) -> None:
        self.empty.setWordWrap(True)
        self.empty.setAlignment(Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft)
        self.empty.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.empty.setMargin(10)
        self.tabs.setDocumentMode(True)
        for number, widget in enumerate((self.table_tab, self.plot_tab, self.screen_tab, self.compare_tab)):
            self.tabs.addTab(widget, _TITLES[number])
            self.tabs.setTabToolTip(number, _TITLES[number].replace("&", ""))
        bar = self.tabs.tabBar()
        assert bar is not None
        self._tabs_width = bar.sizeHint().width()
        content = QWidget()
        layout = QVBoxLayout(content)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.addWidget(self.header)
        layout.addWidget(self.bar)
        layout.addWidget(self.tabs, 1)
        self._pages.addWidget(self.empty)
        scrolled = QScrollArea()
        scrolled.setWidget(content)
        scrolled.setWidgetResizable(True)
        scrolled.setFrameShape(QFrame.Shape.NoFrame)
        self._pages.addWidget(scrolled)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(self._pages)

    def _connect(self) -> None:
        self.header.well_wanted.connect(self.well_wanted)
        self.header.exclude_wanted.connect(self.show_exclusions)
        self.header.report_wanted.connect(self.report_wanted)
        self.bar.request_changed.connect(self._on_request)
        self.bar.limits_changed.connect(self._colour)
        for with_wells in (self.table_tab, self.screen_tab, self.compare_tab):
            with_wells.well_wanted.connect(self.well_wanted)
        for with_objects in (self.table_tab, self.plot_tab):
            with_objects.object_wanted.connect(self.object_wanted)
        for tab in (self.table_tab, self.plot_tab, self.screen_tab, self.compare_tab):
            tab.message.connect(self.message)
        self.plot_tab.rows_wanted.connect(self._show_rows)
        self.plot_tab.share_wanted.connect(self._show_share)
