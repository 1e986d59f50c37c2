"""Names of plates: those of their folders, with folders above them where plates would have the same name."""

import re
from collections import defaultdict
from collections.abc import Iterable

__all__ = ["folder_names"]


def folder_names(paths: Iterable[str]) -> dict[str, str]:
    """Return a name for each path that no other one has, such as ``p6``, or ``week1/p6`` and ``week2/p6``.

    Args:
        paths: folders or URLs, all different.
    """
    parts = {path: [part for part in re.split(r"[\\/]+", path) if part] or [path] for path in paths}
    names: dict[str, str] = {}
    pending, length = list(parts), 1
    while pending:
        alike: defaultdict[str, list[str]] = defaultdict(list)
        for path in pending:
            alike["/".join(parts[path][-length:])].append(path)
        pending = []
        for name, found in alike.items():
            if len(found) == 1:
                names[found[0]] = name
                continue
            names.update((path, path) for path in found if length >= len(parts[path]))
            pending += [path for path in found if path not in names]
        length += 1
    return names
