"""What a frozen program needs of ``zmqruntime-core``: modules that are loaded when their names are used, and stubs."""

from PyInstaller.utils.hooks import collect_data_files, collect_submodules

_ELSEWHERE = ("execution", "streaming", "testing", "pyinstaller")  # with hooks of their own, or not for programs


def _is_needed(name: str) -> bool:
    return not any(name.startswith(f"zmqruntime.{part}") for part in _ELSEWHERE)


hiddenimports = collect_submodules("zmqruntime", filter=_is_needed)
datas = collect_data_files("zmqruntime")
