"""Reading of XML metadata: what is refused, and in which words."""

from pathlib import Path

import pytest

from openhcs_runtime.plates.xml import XmlError, attributes, elements, number, tree, whole_number

LAUGHS = """<?xml version="1.0"?>
<!DOCTYPE lolz [<!ENTITY lol "lol"><!ENTITY lol1 "&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;">]>
<a>&lol1;</a>"""
OUTSIDE = '<!DOCTYPE a [<!ENTITY file SYSTEM "file:///etc/hostname">]><a>&file;</a>'


def write(folder: Path, content: bytes | str) -> Path:
    path = folder / "file.xml"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.mark.parametrize("text", [LAUGHS, OUTSIDE, "<!DOCTYPE a><a/>", LAUGHS.encode("utf-16")])
def test_document_types_are_refused(tmp_path: Path, text: str | bytes) -> None:
    path = write(tmp_path, text)
    with pytest.raises(XmlError, match="document type"):
        tree(path)
    with pytest.raises(XmlError, match="document type"):
        list(elements(path, "a"))


@pytest.mark.parametrize("text", ["", "<a>", "<a></b>", "no XML", "<a>&lol;</a>", b"\x00\x01\x02", "<p:a/>"])
def test_what_is_not_xml(tmp_path: Path, text: str | bytes) -> None:
    path = write(tmp_path, text)
    with pytest.raises(XmlError, match="it is not XML"):
        tree(path)
    with pytest.raises(XmlError, match="it is not XML"):
        list(elements(path, "a"))


@pytest.mark.parametrize("text", [b"<a>\xb5m</a>", b"<\xe4/>", b'<?xml version="1.0" encoding="utf-8"?><a>\xb5m</a>'])
def test_text_that_is_not_utf8(tmp_path: Path, text: bytes) -> None:
    with pytest.raises(XmlError, match="not valid UTF-8"):
        tree(write(tmp_path, text))


def test_deep_nesting_does_no_harm(tmp_path: Path) -> None:
    path = write(tmp_path, "<a>" * 100_000 + "</a>" * 100_000)
    assert sum(1 for _ in tree(path).iter()) == sum(1 for _ in elements(path, "a")) == 100_000


def test_an_unknown_encoding(tmp_path: Path) -> None:
    with pytest.raises(XmlError, match="it is not XML"):
        tree(write(tmp_path, b'<?xml version="1.0" encoding="klingon"?><a/>'))


def test_encodings_that_are_stated_or_known(tmp_path: Path) -> None:
    latin = '<?xml version="1.0" encoding="ISO-8859-1"?><a>µm</a>'.encode("latin-1")
    assert tree(write(tmp_path, latin)).text == "µm"
    assert tree(write(tmp_path, "\ufeff<a>µm</a>".encode("utf-16-le"))).text == "µm"
    assert tree(write(tmp_path, b"<a>\xb5m</a>"), fallback="iso-8859-1").text == "µm"
    assert tree(write(tmp_path, "<a>µm</a>"), fallback="iso-8859-1").text == "µm"


def test_elements_are_found_without_their_namespace(tmp_path: Path) -> None:
    path = write(tmp_path, '<r xmlns:n="u"><n:a n:k="1">x</n:a><b/><a k="2"/></r>')
    assert [(attributes(element), element.text) for element in elements(path, "a")] == [
        ({"k": "1"}, "x"),
        ({"k": "2"}, None),
    ]


@pytest.mark.parametrize("text", ["nan", "inf", "-Infinity", "1e999", "1_0", "", "x"])
def test_numbers_are_finite(text: str) -> None:
    with pytest.raises(ValueError, match="is not a number"):
        number(text)


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "", "x", "٣", "1" * 30])
def test_whole_numbers(text: str) -> None:
    with pytest.raises(ValueError, match="is not a whole number from 1"):
        whole_number(text)
    assert (whole_number(" 07 "), whole_number("0", 0)) == (7, 0)
