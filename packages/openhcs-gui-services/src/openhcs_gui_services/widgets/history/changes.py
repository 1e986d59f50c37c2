"""Shows what changed between two runs: numbers, settings, images, versions, and the pipeline as a diff."""

import html
from collections.abc import Sequence
from typing import Final

from PyQt6.QtCore import QEvent, QSize
from PyQt6.QtGui import QColor, QFontDatabase, QPalette
from PyQt6.QtWidgets import QTextBrowser, QWidget

from openhcs_gui_services.services.history_changes import moved_by
from openhcs_gui_services.services.numbers.run_diff import Change, RunDifference
from openhcs_gui_services.services.plates.presenter import Tone
from openhcs_gui_services.widgets.common.colours import blend, faint_text, tone_colour

__all__ = ["RunChanges"]

_MOST_LINES: Final = 3000
_MOST_CHANGES: Final = 200
_SIGNED_LINES: Final = ("+++", "---")


class RunChanges(QTextBrowser):
    """Shows a :class:`RunDifference`, or why there is none."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._plate = ""
        self._shown: RunDifference | str = ""
        self.setOpenLinks(False)
        self.setAccessibleName("What changed between two runs")

    def show_difference(self, plate: str, difference: RunDifference | str) -> None:
        """Show what changed between two runs of a plate, or a sentence."""
        self._plate, self._shown = plate, difference
        place = self.verticalScrollBar()
        self.setHtml(self._page())
        if place is not None:
            place.setValue(0)

    def sizeHint(self) -> QSize:
        """Return a modest size: the view scrolls."""
        return QSize(300, 120)

    def minimumSizeHint(self) -> QSize:
        """Return a size that leaves room for others."""
        return QSize(120, 60)

    def changeEvent(self, event: QEvent | None) -> None:
        """Follow a change of the colours."""
        super().changeEvent(event)
        if event is not None and event.type() == QEvent.Type.PaletteChange and hasattr(self, "_shown"):
            self.setHtml(self._page())

    def _page(self) -> str:
        found = self._shown
        faint = faint_text(self.palette()).name()
        if isinstance(found, str):
            return f'<p style="color:{faint}">{html.escape(found)}</p>'
        title = f"{html.escape(self._plate)}: {html.escape(found.old)} → {html.escape(found.new)}"
        parts = [f"<p><b>{title}</b></p>"]
        parts += _section("Numbers", found.counts, faint, "Wells and objects are the same in number.")
        parts.append(self._pipeline(found, faint))
        parts += _section("Settings", found.settings, faint, "")
        parts += _section("Plate and images", found.inputs, faint, "")
        parts += _section("Versions", found.versions, faint, "")
        if not (found.settings or found.inputs or found.versions):
            parts.append(f'<p style="color:{faint}">Settings, images and versions are the same.</p>')
        return "".join(parts)

    def _pipeline(self, found: RunDifference, faint: str) -> str:
        if found.no_pipeline or not found.pipeline:
            said = f"Pipeline: {found.no_pipeline}" if found.no_pipeline else "The pipeline is the same."
            return f'<p style="color:{faint}">{html.escape(said)}</p>'
        lines = found.pipeline.splitlines()
        family = QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont).family()
        rows = [_diff_line(line, self.palette()) for line in lines[:_MOST_LINES]]
        if len(lines) > _MOST_LINES:
            rows.append(html.escape(f"... and {len(lines) - _MOST_LINES} more lines"))
        table = "".join(f"<tr>{row}</tr>" for row in rows)
        return (
            f"<h4>Pipeline</h4><table cellspacing='0' cellpadding='0' width='100%' style=\"font-family:'{family}'\">"
            f"{table}</table>"
        )


def _section(title: str, changes: Sequence[Change], faint: str, otherwise: str) -> list[str]:
    """Return a table of changes; a sentence, or nothing, if there are none."""
    if not changes:
        return [f'<p style="color:{faint}">{html.escape(otherwise)}</p>'] if otherwise else []
    rows = []
    for change in changes[:_MOST_CHANGES]:
        moved = moved_by(change) if title == "Numbers" else ""
        cells = (change.name, _value(change.old), "→", _value(change.new), moved)
        rows.append("<tr>" + "".join(f"<td>{html.escape(cell)}&nbsp;&nbsp;</td>" for cell in cells) + "</tr>")
    if len(changes) > _MOST_CHANGES:
        rows.append(f"<tr><td>and {len(changes) - _MOST_CHANGES} more</td></tr>")
    return [f"<h4>{title}</h4><table cellspacing='0' cellpadding='1'>{''.join(rows)}</table>"]


def _value(text: str) -> str:
    return {"": "none", "null": "not set"}.get(text, text)


def _diff_line(line: str, palette: QPalette) -> str:
    """Return a line of a diff as cells of a table row: its sign, then its text, coloured for the palette."""
    is_head = line.startswith((*_SIGNED_LINES, "@@"))
    sign = line[:1] if line[:1] in "+-" and not is_head else ""
    text = html.escape(line if is_head else line[1:]).replace(" ", "&nbsp;") or "&nbsp;"
    if is_head:
        return f'<td colspan="2" style="color:{faint_text(palette).name()}">{text}</td>'
    style = f' style="background-color:{_ground(sign, palette).name()}"' if sign else ""
    return f'<td width="14"{style}>{sign or "&nbsp;"}</td><td{style}>{text}</td>'


def _ground(sign: str, palette: QPalette) -> QColor:
    tone = Tone.GOOD if sign == "+" else Tone.BAD
    return blend(tone_colour(tone, palette), palette.color(QPalette.ColorRole.Base), 0.22)
