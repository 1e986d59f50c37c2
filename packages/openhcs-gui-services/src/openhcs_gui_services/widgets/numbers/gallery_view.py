"""A gallery of single objects: their pictures, a page at a time; a click shows one in its image."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PyQt6.QtCore import QSize, Qt, pyqtSignal as Signal
from PyQt6.QtGui import QIcon, QImage, QPixmap
from PyQt6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QLabel,
    QListView,
    QListWidget,
    QListWidgetItem,
    QVBoxLayout,
    QWidget,
)

from openhcs_gui_services.services.background import BackgroundTasks
from openhcs_gui_services.services.numbers.gallery import (
    CROP,
    PAGE,
    Crop,
    GalleryReader,
    draw_crops,
    nearest_rows,
    random_rows,
)
from openhcs_gui_services.services.numbers.latest import LatestWork
from openhcs_gui_services.services.numbers.mapped_table import MappedTable
from openhcs_gui_services.widgets.common.buttons import push_button
from openhcs_gui_services.widgets.numbers.flow import flow
from openhcs_gui_services.widgets.numbers.measure_bar import short_combo
from zmqruntime.execution.text import plural

__all__ = ["GalleryView"]

_PLACE = Qt.ItemDataRole.UserRole
_ALL = "all channels"
_RANDOM, _NEAREST = "random", "typical first"


@dataclass(frozen=True, slots=True, eq=False)
class _Page:
    crops: tuple[Crop, ...]
    names: dict[int, str]
    pictures: tuple[NDArray[np.uint8] | None, ...] = ()
    channels: tuple[int, ...] = ()
    """Numbers of the channels that were read."""


class _Pictures(QListWidget):
    def sizeHint(self) -> QSize:
        return QSize(240, CROP + 24)


class GalleryView(QWidget):
    """Shows pictures of the objects of a gate.

    Args:
        tasks: runs work in the background.
        parent: the parent widget.
    """

    object_wanted = Signal(object)
    """The ``ObjectPlace`` of a picture that was activated."""

    def __init__(self, tasks: BackgroundTasks, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._reader: GalleryReader | None = None
        self._table: MappedTable | None = None
        self._rows: NDArray[np.int64] = np.empty(0, dtype=np.int64)
        self._columns: tuple[NDArray[np.float64], ...] = ()
        self._number = 0
        self._page = _Page((), {})
        self._reading: LatestWork[_Page] = LatestWork(
            tasks, "Reading cells", self._show_page, self._say, self._show_busy
        )
        self.list, self.words = _Pictures(), QLabel()
        self.order, self.channel = (short_combo(QComboBox(), 7) for _ in range(2))
        self.outlines = QCheckBox("Outlines")
        self.more = push_button("&Next", f"Show the next {PAGE} objects", self._next)
        self._set_up()
        self._lay_out()

    @property
    def is_busy(self) -> bool:
        """Whether pictures are being read."""
        return self._reading.is_busy

    def show_run(self, run: Path | None) -> None:
        """Take pictures from this run; None for none."""
        self._reader = None if run is None else GalleryReader(run)
        self.clear()

    def clear(self) -> None:
        """Show nothing."""
        self._reading.drop()
        self._table, self._page = None, _Page((), {})
        self.list.clear()
        self.words.setText("Draw a gate to see its objects.")
        self.more.setEnabled(False)

    def show_rows(self, table: MappedTable, rows: NDArray[np.int64], columns: Sequence[NDArray[np.float64]]) -> None:
        """Show these objects.

        Args:
            table: the table of the objects.
            rows: their rows.
            columns: the measurements of the gate (rows of the table,), for the order "typical first".
        """
        self._table, self._rows, self._columns, self._number = table, rows, tuple(columns), 0
        self._read()

    def _read(self) -> None:
        reader, table, number = self._reader, self._table, self._number
        if reader is None or table is None:
            return
        rows, columns, is_random = self._rows, self._columns, self.order.currentText() == _RANDOM
        start, drawn, outlines = number * PAGE, tuple(self.channel.currentData() or ()), self.outlines.isChecked()

        def work() -> _Page:
            ordered = random_rows(rows, len(rows), 0) if is_random else nearest_rows(rows, columns, len(rows))
            crops = tuple(reader.read(table, ordered[start : start + PAGE].tolist()))
            return _drawn(_Page(crops, reader.channel_names), drawn, outlines=outlines)

        self._reading.start(work)

    def _draw_again(self) -> None:
        """Draw the shown objects with other channels, or with or without outlines."""
        page, drawn, outlines = self._page, tuple(self.channel.currentData() or ()), self.outlines.isChecked()
        if page.crops:
            self._reading.start(lambda: _drawn(page, drawn, outlines=outlines))

    def _next(self) -> None:
        self._number = self._number + 1 if (self._number + 1) * PAGE < len(self._rows) else 0
        self._read()

    def _show_page(self, page: _Page) -> None:
        self._page = page
        numbers = page.channels
        names = [_ALL, *(page.names.get(number, f"channel {number}") for number in numbers)]
        if names != [self.channel.itemText(place) for place in range(self.channel.count())]:
            self.channel.blockSignals(True)
            self.channel.clear()
            self.channel.addItem(_ALL, ())
            for number, name in zip(numbers, names[1:], strict=True):
                self.channel.addItem(name, (number,))
            self.channel.blockSignals(False)
        self.list.clear()
        for crop, picture in zip(page.crops, page.pictures, strict=True):
            self.list.addItem(_item(crop, picture))
        self._describe(page)

    def _describe(self, page: _Page) -> None:
        first = self._number * PAGE
        last = min(first + PAGE, len(self._rows))
        text = f"{first + 1:,} to {last:,} of {plural(len(self._rows), 'object')}" if len(self._rows) else "No objects"
        problems = [crop.problem for crop in page.crops if crop.problem]
        if problems:
            text += f"; {plural(len(problems), 'picture')} could not be read: {problems[0]}"
        elif page.crops and not any(crop.outline is not None for crop in page.crops):
            text += "; the run kept no label images, so there are no outlines"
        self._say(text)
        self.more.setEnabled(len(self._rows) > PAGE)

    def _say(self, text: str) -> None:
        self.words.setText(text)

    def _show_busy(self, is_busy: bool) -> None:
        if is_busy:
            self._say("Reading pictures…")

    def _on_item(self, item: QListWidgetItem) -> None:
        self.object_wanted.emit(item.data(_PLACE))

    def _set_up(self) -> None:
        self.list.setViewMode(QListView.ViewMode.IconMode)
        self.list.setResizeMode(QListView.ResizeMode.Adjust)
        self.list.setMovement(QListView.Movement.Static)
        self.list.setUniformItemSizes(True)
        self.list.setIconSize(QSize(CROP, CROP))
        self.list.setGridSize(QSize(CROP + 8, CROP + 8))
        self.list.setSpacing(2)
        self.list.setAccessibleName("Gallery of objects")
        self.list.setMinimumHeight(CROP + 12)
        self.list.itemClicked.connect(self._on_item)
        self.list.itemActivated.connect(self._on_item)
        self.order.addItems([_RANDOM, _NEAREST])
        self.order.setAccessibleName("Order of the objects")
        self.order.setToolTip("A random sample, or those nearest to the median of the gate first")
        self.channel.addItem(_ALL, ())
        self.channel.setAccessibleName("Channel")
        self.outlines.setChecked(True)
        self.words.setWordWrap(True)
        self.order.currentIndexChanged.connect(lambda _: self._restart())
        self.channel.currentIndexChanged.connect(lambda _: self._draw_again())
        self.outlines.toggled.connect(lambda _: self._draw_again())

    def _restart(self) -> None:
        self._number = 0
        self._read()

    def _lay_out(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(flow(self.order, self.channel, self.outlines, self.more))
        layout.addWidget(self.list, 1)
        layout.addWidget(self.words)


def _drawn(page: _Page, channels: Sequence[int], *, outlines: bool) -> _Page:
    """Return a page with its pictures drawn; no channels mean all of them."""
    known = tuple(sorted({channel for crop in page.crops for channel in crop.planes}))
    chosen = [channel for channel in channels if channel in known] or known
    pictures = tuple(draw_crops(page.crops, chosen, page.names, outlines=outlines))
    return replace(page, pictures=pictures, channels=known)


def _item(crop: Crop, picture: NDArray[np.uint8] | None) -> QListWidgetItem:
    item = QListWidgetItem()
    place = crop.place.place
    name = f"{place.well}, site {place.site}, {crop.place.label_set} {crop.place.label}"
    item.setToolTip(f"{name}\n{crop.problem}" if crop.problem else name)
    item.setData(Qt.ItemDataRole.AccessibleTextRole, name)
    item.setData(_PLACE, crop.place)
    if picture is None:
        item.setText("?")
        item.setTextAlignment(Qt.AlignmentFlag.AlignCenter)
    else:
        item.setIcon(QIcon(QPixmap.fromImage(_image(picture))))
    item.setSizeHint(QSize(CROP + 8, CROP + 8))
    return item


def _image(pixels: NDArray[Any]) -> QImage:
    """Return a picture (Y, X, 3) for Qt, which copies it."""
    height, width, _ = pixels.shape
    return QImage(pixels.tobytes(), width, height, 3 * width, QImage.Format.Format_RGB888).copy()
