"""What sources say about their own attributes: the string below each, which Python itself does not keep."""

import ast
import inspect
import re
import textwrap


def attribute_docs(owner: type) -> dict[str, str]:
    """The string below each attribute of a class, by the attribute's name; those without one are left out."""
    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(owner))).body
    assert isinstance(tree, ast.ClassDef)
    found = {}
    for statement, following in zip(tree.body, tree.body[1:], strict=False):
        target = statement.targets[0] if isinstance(statement, ast.Assign) else getattr(statement, "target", None)
        if (
            isinstance(target, ast.Name)
            and isinstance(following, ast.Expr)
            and isinstance(following.value, ast.Constant)
        ):
            found[target.id] = in_line(str(following.value.value))
    return found


def listed_docs(owner: type, names: list[str]) -> dict[str, str]:
    """What the class's docstring says of its settings, in lines that begin with ``name:``."""
    parts = re.split(rf"^\s*({'|'.join(names)}): ", inspect.getdoc(owner) or "", flags=re.MULTILINE)[1:]
    return {name: in_line(text.split("\n\n")[0]) for name, text in zip(parts[::2], parts[1::2], strict=True)}


def in_line(text: str) -> str:
    """Text of a docstring in a cell of a table."""
    return re.sub(r":\w+:`([^`]+)`", r"`\1`", " ".join(text.replace("``", "`").split())).replace("|", "\\|")
