"""The image view of the window: wells of a plate with channels, outlines and pixel values, one or two at a time."""
