"""The page of features, from the catalogue of their names."""

from docs_texts import attribute_docs

from openhcs_runtime.functions.features.catalogue import CP_MEASURE_DIRECTIONS, FEATURES, Feature, FeatureGroup

INTRODUCTION = """# Features: names, units, sources

This page is written by `tools/docs/docs_pages.py` from the catalogue `openhcs_runtime.functions.features.catalogue`.
[How to measure 1,000 features](howto-features.md) has the commands.

A table of a run has one row for each object, with the features of all channels. A name there is the name on this page
with the channel before the unit: `intensity_mean` is `intensity_mean_DAPI`, and
`texture_entropy_d3_a45_bit` is `texture_entropy_d3_a45_DAPI_bit`. What does not depend on one channel has no channel in
its name: size and shape, neighbours, tracks, skeletons; names of pairs of channels have both. A part in angle brackets
varies. A length or area marked with * has a second column in micrometres (`um`, `um2`) if the plate has a pixel size.

What can't be measured is missing: the texture of an object without a pair of pixels, the correlation of a constant
channel, the edge and the rings of an object that fills the image. If a pixel of an object is not finite, everything of
the object that depends on the brightness of this channel is missing; granularity, which also depends on what is around
the objects, is missing for all objects of the image, wherever the pixel is.

The values of the first seven groups are those of cp_measure, and with it of CellProfiler, within the tolerance that the
module of the group states, together with what is deliberately different; a test compares them. The column *cp_measure*
has the name there, which `measure_cellprofiler` (`pip install 'openhcs-runtime[cellprofiler]'`) writes.

{directions}

Brightness is in counts, where cp_measure has it from 0 to 1; angles are in degrees.
"""
STEPS = {
    FeatureGroup.SHAPE: "`measure_features`",
    FeatureGroup.ZERNIKE: "`measure_features`, `measure_zernike`",
    FeatureGroup.INTENSITY: "`measure_features`",
    FeatureGroup.RADIAL: "`measure_features`, `measure_radial`",
    FeatureGroup.GRANULARITY: "`measure_features`, `measure_granularity`",
    FeatureGroup.TEXTURE: "`measure_features`, `measure_haralick`",
    FeatureGroup.COLOCALISATION: "`measure_features`, `measure_colocalisation`",
    FeatureGroup.NEIGHBOURS: "`measure_neighbours`",
    FeatureGroup.TRACKING: "`track_objects` (`pip install 'openhcs-runtime[tracking]'`)",
    FeatureGroup.SPOTS: "`detect_spots`",
    FeatureGroup.SKELETON: "`measure_skeleton`",
}

_STAR = r"\*"


def page() -> str:
    """The whole page."""
    said = attribute_docs(FeatureGroup)
    parts = [INTRODUCTION.replace("{directions}", directions())]
    for group in FeatureGroup:
        parts += [
            f"## {group.value.capitalize()}\n",
            f"{said[group.name].split(';')[0].rstrip('.')}: {STEPS[group]}.\n",
        ]
        parts.append(table([feature for feature in FEATURES if feature.group is group]))
    return "\n".join(parts)


def directions() -> str:
    """What cp_measure calls the angles."""
    named = ", ".join(f"`{other}` for {angle}" for angle, other in CP_MEASURE_DIRECTIONS.items())
    return (
        f"In names of textures, cp_measure numbers the directions; `<direction>` is {named} degrees:\n"
        f"`texture_contrast_d3_a45` is `Contrast_3_{CP_MEASURE_DIRECTIONS['45']}_256`."
    )


def table(features: list[Feature]) -> str:
    """The names of a group."""
    rows = [
        f"| {_named(each)} | {each.what} | {each.unit} | {_code(each.other)} | {each.source} |" for each in features
    ]
    return "\n".join(["| name | what it is | unit | cp_measure | source |", "|---|---|---|---|---|", *rows, ""])


def _named(feature: Feature) -> str:
    return _code(feature.name) + (_STAR if feature.has_um else "")


def _code(name: str) -> str:
    return f"`{name}`" if name else ""
