"""Which part of a picture is seen, shared by views that zoom and move together."""

from collections.abc import Hashable

from PyQt6.QtCore import QObject, QPointF, QRectF, QSizeF, pyqtSignal as Signal

from openhcs_gui_services.services.images.layers import Region

__all__ = ["Viewport"]

_LARGEST_SCALE = 64.0
_MARGIN = 0.99
"""Share of a view that a fitted picture takes."""


class Viewport(QObject):
    """The point in the middle of the views, in pixels of the picture, and the scale."""

    changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.centre = QPointF(0.5, 0.5)
        self.scale = 1.0
        self.is_fitted = True
        """Whether the whole picture is kept in view when sizes change."""
        self._picture = QSizeF(1, 1)
        self._views: dict[Hashable, QSizeF] = {}

    def set_view(self, view: Hashable, size: QSizeF | None) -> None:
        """Set the size of a view, or forget the view."""
        if size is None:
            self._views.pop(view, None)
        else:
            self._views[view] = size
        self._refit()

    def set_picture(self, rows: int, columns: int) -> None:
        """Set the size of the picture; the whole of another size is shown."""
        size = QSizeF(columns, rows)
        if size != self._picture:
            self._picture = size
            self.is_fitted = True
        self._refit()

    def fit(self) -> None:
        """Show the whole picture."""
        self.is_fitted = True
        self._refit()

    def zoom(self, factor: float, around: QPointF | None = None) -> None:
        """Change the scale by a factor; a point of the picture stays where it is [default: the middle]."""
        point = self.centre if around is None else around
        scale = min(_LARGEST_SCALE, max(self._fitting() / 4, self.scale * factor))
        self.centre = point + (self.centre - point) * (self.scale / scale)
        self.scale, self.is_fitted = scale, False
        self.changed.emit()

    def set_scale(self, scale: float) -> None:
        """Set the scale in pixels of the screen for one of the picture."""
        self.zoom(scale / self.scale)

    def move(self, by: QPointF) -> None:
        """Move the picture by a distance on the screen, within its bounds."""
        moved = self.centre - by / self.scale
        x = min(max(moved.x(), 0.0), self._picture.width())
        y = min(max(moved.y(), 0.0), self._picture.height())
        self.centre, self.is_fitted = QPointF(x, y), False
        self.changed.emit()

    def show(self, centre: QPointF, scale: float) -> None:
        """Show this point of the picture in the middle, at this scale."""
        self.centre, self.scale, self.is_fitted = centre, min(_LARGEST_SCALE, scale), False
        self.changed.emit()

    def to_picture(self, point: QPointF, view: QSizeF) -> QPointF:
        """Return the point of the picture that is at a point of a view."""
        return self.centre + QPointF(point.x() - view.width() / 2, point.y() - view.height() / 2) / self.scale

    def to_view(self, point: QPointF, view: QSizeF) -> QPointF:
        """Return where a point of the picture is in a view."""
        return (point - self.centre) * self.scale + QPointF(view.width() / 2, view.height() / 2)

    def region(self, view: QSizeF, ratio: float) -> Region:
        """Return what a view shows, in pixels of a screen with ``ratio`` of them for each logical one."""
        corner = self.to_picture(QPointF(0, 0), view)
        rows, columns = (max(1, round(length * ratio)) for length in (view.height(), view.width()))
        return Region(corner.y(), corner.x(), self.scale * ratio, rows, columns)

    def rect_of(self, region: Region, view: QSizeF) -> QRectF:
        """Return where a region that was drawn for another place or scale is in a view now."""
        corner = self.to_view(QPointF(region.left, region.top), view)
        share = self.scale / region.scale
        return QRectF(corner.x(), corner.y(), region.columns * share, region.rows * share)

    def _fitting(self) -> float:
        sizes = [
            min(view.width() / self._picture.width(), view.height() / self._picture.height())
            for view in self._views.values()
        ]
        return max(min(sizes, default=1.0) * _MARGIN, 1e-6)

    def _refit(self) -> None:
        if self.is_fitted:
            self.centre = QPointF(self._picture.width() / 2, self._picture.height() / 2)
            self.scale = self._fitting()
        self.changed.emit()
