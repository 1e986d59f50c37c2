"""What is taken for a code block of a page, and what becomes of it."""

from pathlib import Path

import pytest
from docs_blocks import Block, Kind, blocks, prints_all, script

PAGE = """# A page

    zmqruntime list

Text.

    it is drawn with spaces

```python
# tool.py
import sys
```

```python
if __name__ == "__main__":
    print("hello", 12, "s")
```

<!-- prints -->

```text
hello ... s
```

<!-- not run: it needs
two machines -->

```bash
zmqruntime status --host lab7 \\
    --json          # a comment
```

```yaml
nothing: here
```
"""


@pytest.fixture
def found(tmp_path: Path) -> list[Block]:
    page = tmp_path / "page.md"
    page.write_text(PAGE, encoding="utf-8")
    return blocks(page)


def test_code_is_found_with_its_line_and_the_reason_why_it_does_not_run(found: list[Block]) -> None:
    kinds = [Kind.SHELL, Kind.PYTHON, Kind.PYTHON, Kind.PRINTED, Kind.SHELL]
    assert [each.kind for each in found] == kinds
    lines = PAGE.splitlines()
    assert [lines[each.line] for each in found[1:]] == ["```python", "```python", "```text", "```bash"]
    assert [each.reason for each in found] == [None, None, None, None, "it needs\ntwo machines"]
    assert found[4].commands == [["zmqruntime", "status", "--host", "lab7", "--json"]]


def test_the_parts_of_a_program_are_one_file_and_run_once(found: list[Block], tmp_path: Path) -> None:
    text = script(found, tmp_path)
    assert [line for line in text.splitlines() if "python -W" in line or "zmqruntime" in line] == [
        "zmqruntime list",
        "python -W error tool.py",
    ]
    program = (tmp_path / "tool.py").read_text(encoding="utf-8")
    assert program.startswith("# tool.py\nimport sys\n")
    assert program.endswith('print("hello", 12, "s")\n')


@pytest.mark.parametrize(
    ("printed", "missing"), [("hello 12 s\n", None), ("hello 12\n", "hello ... s"), ("", "hello ... s")]
)
def test_what_is_shown_has_to_be_printed(found: list[Block], printed: str, missing: str | None) -> None:
    assert prints_all(found, printed) == missing
