"""The page of the wire protocol says what the code does."""

import protocol_page


def test_the_page_is_as_it_would_be_written_now() -> None:
    assert protocol_page.PAGE.read_text(encoding="utf-8") == protocol_page.page(), "run tools/docs/protocol_page.py"
