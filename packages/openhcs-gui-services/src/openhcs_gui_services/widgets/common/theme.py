"""The colours of the window: those of the desktop, or light or dark ones that the user has chosen."""

import enum

from PyQt6.QtCore import Qt
from PyQt6.QtGui import QColor, QPalette
from PyQt6.QtWidgets import QApplication

from openhcs_gui_services.widgets.common.colours import is_dark

__all__ = ["Theme", "apply_theme", "theme_palette"]


class Theme(enum.StrEnum):
    """The colours of the window."""

    SYSTEM = "system"
    """Those of the desktop."""
    LIGHT = "light"
    DARK = "dark"


_SCHEMES = {
    Theme.SYSTEM: Qt.ColorScheme.Unknown,
    Theme.LIGHT: Qt.ColorScheme.Light,
    Theme.DARK: Qt.ColorScheme.Dark,
}


def apply_theme(application: QApplication, theme: Theme) -> None:
    """Use these colours for all windows, now and from now on.

    Desktops that know light and dark colours are asked for theirs; on others the window brings its own palette.
    """
    hints = application.styleHints()
    if hints is not None and hasattr(hints, "setColorScheme"):  # Qt 6.8 and later
        hints.setColorScheme(_SCHEMES[theme])
    application.setPalette(QPalette())  # back to the colours of the desktop
    if theme is not Theme.SYSTEM and is_dark(application.palette()) is not (theme is Theme.DARK):
        application.setPalette(theme_palette(theme))


def theme_palette(theme: Theme) -> QPalette:
    """Return the window's own light or dark palette."""
    if theme is Theme.DARK:
        return _palette(0x2D2F33, base=0x202225, alternate=0x26282C, text=0xE6E8EB, faint=0x7A7F87, highlight=0x3C6EB4)
    return _palette(0xEFEFEF, base=0xFFFFFF, alternate=0xF5F6F7, text=0x16181B, faint=0x8B9098, highlight=0x2F6FB5)


def _palette(window: int, *, base: int, alternate: int, text: int, faint: int, highlight: int) -> QPalette:
    palette = QPalette(QColor(window))  # shades of buttons and frames follow from it
    role, disabled = QPalette.ColorRole, QPalette.ColorGroup.Disabled
    palette.setColor(role.Base, QColor(base))
    palette.setColor(role.AlternateBase, QColor(alternate))
    for each in (role.WindowText, role.Text, role.ButtonText, role.ToolTipText):
        palette.setColor(each, QColor(text))
        palette.setColor(disabled, each, QColor(faint))
    palette.setColor(role.ToolTipBase, QColor(base))
    palette.setColor(role.PlaceholderText, QColor(faint))
    palette.setColor(role.Highlight, QColor(highlight))
    palette.setColor(role.HighlightedText, QColor(Qt.GlobalColor.white))
    palette.setColor(role.Link, QColor(0x7FB2F0 if palette.color(role.Window).lightness() < 128 else 0x1F5FA8))
    return palette
