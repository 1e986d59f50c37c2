"""What a frozen program needs of ``zmqruntime-streaming``: modules that are loaded when their names are used."""

from PyInstaller.utils.hooks import collect_submodules

hiddenimports = collect_submodules("zmqruntime.streaming")
