"""Components (site, channel, z, time) as a pipeline's text writes them: strings, ``Component.SITE``, or a name."""

import ast
from typing import Final

from openhcs_gui_services.services.pipeline.text import PipelineOutline, StepEntry

__all__ = ["COMPONENTS", "component_of", "components_of", "components_source", "is_by_channel"]

COMPONENTS: Final = {"site": "sites", "channel": "channels", "z_index": "z planes", "timepoint": "time points"}
"""Components whose images can be taken together, with what their values are called."""


def is_by_channel(step: StepEntry, outline: PipelineOutline) -> bool:
    """Return whether a step has functions by channel, rather than by another component or for all images."""
    has_keys = any(branch.key is not None for branch in step.branches)
    by = step.keywords.get("group_by")
    return has_keys and (by is None or component_of(by, outline) == "channel")


def component_of(source: str, outline: PipelineOutline) -> str | None:
    """Return the component that a source stands for; None if it is none, or not known."""
    return _component(_parsed(source, outline), outline)


def components_of(source: str, outline: PipelineOutline) -> tuple[str, ...] | None:
    """Return the components of a list or tuple; None if not all are known."""
    node = _parsed(source, outline)
    parts = node.elts if isinstance(node, ast.List | ast.Tuple) else [] if node is None else [node]
    found = [_component(part, outline) for part in parts]
    known = tuple(each for each in found if each is not None)
    return known if node is not None and len(known) == len(found) else None


def components_source(components: tuple[str, ...]) -> str:
    """Return the source of a list of components."""
    return "[" + ", ".join(f'"{each}"' for each in components) + "]"


def _parsed(source: str, outline: PipelineOutline) -> ast.expr | None:
    """Return the expression, or the one that it is a name for."""
    try:
        return ast.parse(outline.aliases.get(source, source), mode="eval").body
    except SyntaxError:
        return None


def _component(node: ast.expr | None, outline: PipelineOutline) -> str | None:
    if isinstance(node, ast.Name) and node.id in outline.aliases:
        node = _parsed(node.id, outline)
    if isinstance(node, ast.Attribute):
        return node.attr.lower()
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None
