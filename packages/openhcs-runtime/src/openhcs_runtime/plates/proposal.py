r"""A pattern proposed from file names, for plates of no known format.

Names are cut at separators (``_ - . space ( ) [ ] = , +`` and the slashes of folders). Those with the same separators
are compared part by part: what is the same in all of them is kept as it is, and what varies is a component. The letters
before a number tell which (``s3``, ``f03``, ``ch2``, ``z1``, ``t07``); a well is recognized by its form, or as row and
a column (``r02c03``, ``B-03``); texts that vary are channels, and other numbers become the components that are left, in
the order site, z_index, timepoint. A part that follows from the others, such as a running number, is skipped.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

from openhcs_runtime.components import well_position
from openhcs_runtime.exceptions import PlateError
from openhcs_runtime.plates.pattern import NamePattern
from openhcs_runtime.plates.tiff.files import stem_of, tiff_files
from openhcs_runtime.stores.path import AnyPath, as_path, path_below

__all__ = ["Proposal", "propose", "propose_for"]

_SEPARATORS = re.compile(r"([_\-. ()\[\]=,+/]+)")
_PIECES = re.compile(r"[A-Za-z]+|\d+|[^A-Za-z\d]+")
_WELL = re.compile(r"(?:[A-P]|A[A-F])\d{1,2}|[A-P]\d{1,2}", re.IGNORECASE)
_ROW = re.compile(r"[A-P]|A[A-F]")
_ROLES = {
    "site": ("s", "f", "site", "field", "fld", "fov", "pos", "position", "xy", "p", "m", "tile", "image", "img", "po"),
    "channel": ("w", "c", "ch", "channel", "wave", "wv", "chan", "co", "d"),
    "z_index": ("z", "slice", "plane", "stack", "zstep", "sl"),
    "timepoint": ("t", "time", "tp", "frame", "timepoint", "day", "cycle", "sk", "lo"),
    "row": ("r", "row"),
    "col": ("col", "column"),
}
_ROLE_OF = {word: role for role, words in _ROLES.items() for word in words}
_LEFT_OVER = ("site", "z_index", "timepoint")
_MOST_CHANNELS = 12
_LISTED_CHANNELS = 6
_MOST_NAMES = 20_000
_SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Proposal:
    """A pattern that describes names.

    Attributes:
        pattern: The pattern.
        covered: The number of names that it describes.
        looked_at: The number of names.
        is_unique: Whether no two names have the same values.
    """

    pattern: NamePattern
    covered: int
    looked_at: int
    is_unique: bool

    def describe(self) -> str:
        """Say how much it covers: ``it describes 95 of 96 names``."""
        doubles = "" if self.is_unique else ", but some of them have the same values"
        return f"it describes {self.covered:,} of {self.looked_at:,} names{doubles}"


@dataclass(slots=True)
class _Column:
    """One piece of all names: letters, a number or a separator.

    Attributes:
        texts: The piece of each name.
        role: The component that it is; "" for text that is kept.
    """

    texts: Sequence[str]
    role: str = ""

    @property
    def varies(self) -> bool:
        return len(set(self.texts)) > 1

    @property
    def is_number(self) -> bool:
        return all(text.isdecimal() for text in self.texts)

    def expression(self) -> str:
        """Return the regular expression for it."""
        if not self.role:
            return re.escape(self.texts[0]).replace(r"\ ", " ").replace(r"\-", "-")
        what = self._values()
        return what if self.role == _SKIPPED else f"(?P<{self.role}>{what})"

    def _values(self) -> str:
        if self.is_number:
            return r"\d+"
        if self.role == "well":
            return r"[A-Z]{1,2}\d{1,2}"
        if self.role == "row":
            return r"[A-Z]{1,2}"
        values = sorted(set(self.texts))
        if self.role == "channel" and len(values) <= _LISTED_CHANNELS:
            return "|".join(map(re.escape, values)).replace(r"\ ", " ").replace(r"\-", "-")
        return "[^_/]+"


def propose(names: Iterable[str]) -> Proposal | None:
    """Propose a pattern.

    Args:
        names: Names of TIFF files, or paths below the plate folder with slashes.

    Returns:
        The proposal for the most frequent kind of name; None if it has no wells.
    """
    paths = list(names)
    kinds: defaultdict[tuple[str, ...], list[list[str]]] = defaultdict(list)
    for path in paths:
        folder, slash, name = path.rpartition("/")
        parts = _SEPARATORS.split(folder + slash + (stem_of(name) or name))
        kinds[tuple(parts[1::2])].append(parts)
    for _, rows in sorted(kinds.items(), key=lambda kind: -len(kind[1])):
        columns = [column for texts in zip(*rows, strict=True) for column in _pieces(texts)]
        if _find_well(columns):
            _find_rest(columns)
            try:
                pattern = NamePattern("".join(column.expression() for column in columns))
            except PlateError:
                continue  # names that are cut into more components than there are
            proposal = _measured(pattern, paths)
            if proposal.covered:
                return proposal
    return None


def propose_for(folder: AnyPath) -> Proposal:
    """Propose a pattern for the TIFF files in a folder and in all folders below it.

    Raises:
        PlateError: If there are none, or their names have no wells.
        OSError: If the folder can't be listed.
    """
    paths = (path_below(as_path(entry.path), folder) for entry in tiff_files(folder, deep=True))
    names = list(islice(paths, _MOST_NAMES))
    proposal = propose(names)
    if proposal is None:
        raise PlateError(
            f"no pattern can be proposed for the TIFF files in {folder}, such as {names[0]}: their names have no well"
            if names
            else f"no TIFF files in {folder}"
        )
    return proposal


def _pieces(texts: Sequence[str]) -> list[_Column]:
    """Cut a part into letters and numbers, if all names have the same letters there; a well stays whole."""
    if all(map(_is_well, texts)) and not _is_counted(texts):
        return [_Column(texts)]
    cut = [_PIECES.findall(text) for text in texts]
    well = [_WELL.match(text) for text in texts]
    if all(len(pieces) > 2 for pieces in cut) and all(match and _is_well(match[0]) for match in well):
        cut = [
            [match[0], *_PIECES.findall(text[match.end() :])] for match, text in zip(well, texts, strict=True) if match
        ]
    columns = list(zip(*cut, strict=True)) if len(set(map(len, cut))) == 1 else []
    same_letters = all(
        len(set(column)) == 1 or all(text.isdecimal() for text in column) or all(map(_is_well, column))
        for column in columns
    )
    return [_Column(column) for column in columns] if columns and same_letters else [_Column(texts)]


def _is_counted(texts: Sequence[str]) -> bool:
    """Return whether all texts are a number after the same small letter that says what it counts, such as ``f1``."""
    letters = {text.rstrip("0123456789") for text in texts}
    return len(letters) == 1 and letters < _ROLE_OF.keys()


def _is_well(text: str) -> bool:
    if not _WELL.fullmatch(text):
        return False
    try:
        well_position(text)
    except ValueError:
        return False
    return True


def _find_well(columns: list[_Column]) -> bool:
    """Find the well, preferring parts that vary and have two digits."""
    found = [column for column in columns if all(map(_is_well, column.texts))]
    counted = [column for column in found if _is_counted([text.lower() for text in column.texts])]
    apart = list(columns)
    _split(apart, counted)
    if len(found) == len(counted) and (not found or _has_row_and_column(apart)):
        columns[:] = apart
        return _find_row_and_column(columns)
    best = max(found, key=lambda column: (column.varies, all(len(text) > 2 for text in column.texts)))
    best.role = "well"
    _split(columns, [column for column in counted if column is not best])
    return True


def _has_row_and_column(columns: Sequence[_Column]) -> bool:
    """Return whether the number of a column follows that of a row, as in ``R2C3`` or ``R2_C3``, and is the only one."""
    words = [_word_before(columns, place) if column.is_number else "" for place, column in enumerate(columns)]
    pairs = [pair for distance in (2, 3) for pair in zip(words, words[distance:], strict=False)]
    of_column = (*_ROLES["col"], "c")
    return any(row in _ROLES["row"] and word in of_column and words.count(word) == 1 for row, word in pairs)


def _split(columns: list[_Column], counted: Iterable[_Column]) -> None:
    """Divide columns such as ``F1`` into the letter and the number."""
    for column in counted:
        place = columns.index(column)
        columns[place : place + 1] = [
            _Column([column.texts[0][0]] * len(column.texts)),
            _Column([text[1:] for text in column.texts]),
        ]


def _find_row_and_column(columns: list[_Column]) -> bool:
    numbers = [(place, column) for place, column in enumerate(columns) if column.is_number]
    words = {_word_before(columns, place): column for place, column in numbers}
    row = next((words[word] for word in _ROLES["row"] if word in words), None)
    column = next((words[word] for word in (*_ROLES["col"], "c") if word in words), None)
    if row is None or column is None:
        pairs = [
            (first, second)
            for first, separator, second in zip(columns, columns[1:], columns[2:], strict=False)
            if all(_ROW.fullmatch(text) for text in first.texts) and second.is_number and not separator.varies
        ]
        row, column = pairs[0] if pairs else (None, None)
    if row is None or column is None:
        return False
    row.role, column.role = "row", "col"
    return True


def _word_before(columns: Sequence[_Column], place: int) -> str:
    """Return the letters before a number, in lower case, across a separator such as in ``site_3``."""
    for column in columns[max(0, place - 2) : place][::-1]:
        if column.varies or column.role:
            return ""
        if column.texts[0].isalpha():
            return column.texts[0].lower()
    return ""


def _find_rest(columns: list[_Column]) -> None:
    """Give a role to each column that varies."""
    taken = {column.role for column in columns}
    if "well" in taken:
        taken |= {"row", "col"}
    for place, column in enumerate(columns):
        role = _ROLE_OF.get(_word_before(columns, place), "") if column.is_number else ""
        if not column.role and role and role not in taken and (column.varies or role not in ("row", "col")):
            column.role = role
            taken.add(role)
    for column in columns:
        if column.role or not column.varies:
            continue
        if column.is_number:
            left = next((role for role in _LEFT_OVER if role not in taken), _SKIPPED)
        else:
            is_channel = "channel" not in taken and len(set(column.texts)) <= _MOST_CHANNELS
            left = "channel" if is_channel else _SKIPPED
        column.role = _SKIPPED if _follows(column, [one for one in columns if one.role]) else left
        taken.add(column.role)


def _follows(column: _Column, known: Sequence[_Column]) -> bool:
    """Return whether the text follows from those of other columns, each of which is met with more than one of them."""
    seen: defaultdict[tuple[str, ...], set[str]] = defaultdict(set)
    for text, *others in zip(column.texts, *(one.texts for one in known), strict=True):
        seen[tuple(others)].add(text)
    return len(seen) > 1 and all(len(texts) == 1 for texts in seen.values())


def _measured(pattern: NamePattern, paths: Sequence[str]) -> Proposal:
    values = [found for path in paths if (found := pattern.values(path)) and pattern.well_of(found)]
    counts = Counter(tuple(sorted(found.items())) for found in values)
    return Proposal(pattern, len(values), len(paths), is_unique=all(count == 1 for count in counts.values()))
