"""Images of plates for a window: planes, labels and objects, read outside the event loop; see :class:`PlateImages`."""
