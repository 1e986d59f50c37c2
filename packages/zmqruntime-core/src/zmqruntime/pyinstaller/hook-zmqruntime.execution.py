"""What a frozen program needs of ``zmqruntime-execution``: modules that are loaded when their names are used."""

from PyInstaller.utils.hooks import collect_submodules

_FOR_PEOPLE = ("testing", "pytest_plugin", "notebook", "web")  # each loads other packages; included if it is imported


def _is_needed(name: str) -> bool:
    return not any(name.startswith(f"zmqruntime.execution.{part}") for part in _FOR_PEOPLE)


hiddenimports = collect_submodules("zmqruntime.execution", filter=_is_needed)
