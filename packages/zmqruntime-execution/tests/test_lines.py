"""Text that comes in pieces becomes lines, whatever the pieces are."""

import time

import pytest

from zmqruntime.execution.events.lines import MAX_LINE_CHARACTERS, LineSplitter


def lines_of(*pieces: str) -> list[str]:
    lines: list[str] = []
    splitter = LineSplitter(lines.append)
    for piece in pieces:
        splitter.feed(piece)
    if splitter.has_rest:
        splitter.end()
    return lines


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("", []),
        ("\n", [""]),
        ("a\n\nb", ["a", "", "b"]),
        ("a\r\nb\r\n", ["a", "b"]),
        ("\r10 %\r20 %\r30 %", ["30 %"]),
        ("10 %\r20 %\r30 %\rdone\n", ["done"]),
        ("10 %\r20 %\r", ["20 %"]),
        ("10 %\r\r\n", ["10 %"]),
        ("a\n\r10 %\r20 %\nb\n", ["a", "20 %", "b"]),
    ],
)
def test_the_same_lines_however_the_text_is_cut(text: str, lines: list[str]) -> None:
    assert lines_of(text) == lines
    assert lines_of(*text) == lines
    for place in range(len(text)):
        assert lines_of(text[:place], text[place:]) == lines


def test_a_line_without_end_is_kept_up_to_a_bound() -> None:
    [line] = lines_of(*["x" * 1000] * 1000)
    assert line == "x" * MAX_LINE_CHARACTERS + f" ... and {1_000_000 - MAX_LINE_CHARACTERS:,} more characters"
    assert lines_of("x" * 1_000_000) == [line]
    assert lines_of("x" * MAX_LINE_CHARACTERS) == ["x" * MAX_LINE_CHARACTERS]


@pytest.mark.parametrize("piece", ["{number} of many |####      |\r", "\r{number} of many", "{number} "])
def test_the_cost_grows_with_the_text_only(piece: str) -> None:
    def cost(redraws: int) -> float:
        begun = time.process_time()
        lines_of(*(piece.format(number=number) for number in range(redraws)))
        return time.process_time() - begun

    assert cost(64_000) < 40 * max(cost(8_000), 0.001)  # 8 times where it is linear, 64 where it is quadratic
