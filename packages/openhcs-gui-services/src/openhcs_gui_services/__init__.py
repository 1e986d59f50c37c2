"""Services and PyQt6 widgets to run microscopy plates on a background server.

What a window knows and does is in `openhcs_gui_services.services`, without Qt; what it shows is in
`openhcs_gui_services.widgets`; what is raised on purpose is in `openhcs_gui_services.exceptions`.
"""
