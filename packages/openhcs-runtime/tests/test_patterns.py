"""Grouping of images, as properties."""

from hypothesis import given, strategies as st

from openhcs_runtime.components import PROJECTED, Component, ImageKey
from openhcs_runtime.pipeline.patterns import group_images, reduced_key

NUMBERS = st.integers(1, 4)
KEYS = st.lists(st.builds(ImageKey, st.just("B02"), NUMBERS, NUMBERS, NUMBERS, NUMBERS), unique=True, min_size=1)
VARIABLE = st.lists(st.sampled_from([c for c in Component if c is not Component.WELL]), unique=True)


@given(KEYS, VARIABLE)
def test_every_image_is_in_one_group_and_groups_share_all_that_does_not_vary(
    keys: list[ImageKey], variable: list[Component]
) -> None:
    groups = group_images(keys, variable)
    assert sorted(key for group in groups for key in group.keys) == sorted(keys)
    fixed = [component for component in Component if component not in variable]
    shared = [{tuple(key.value(component) for component in fixed) for key in group.keys} for group in groups]
    assert all(len(values) == 1 for values in shared)
    assert len({next(iter(values)) for values in shared}) == len(groups)


@given(KEYS, VARIABLE, st.randoms())
def test_order_depends_on_the_values_alone(keys: list[ImageKey], variable: list[Component], random: object) -> None:
    shuffled = sorted(keys, key=lambda key: hash((key, id(random))))
    assert group_images(shuffled, variable) == group_images(keys, variable)
    for group in group_images(keys, variable):
        values = [tuple(key.value(component) for component in variable) for key in group.keys]
        assert values == sorted(values)


@given(KEYS, VARIABLE)
def test_reduced_keys_stay_apart(keys: list[ImageKey], variable: list[Component]) -> None:
    groups = group_images(keys, variable)
    reduced = [reduced_key(group.keys, variable) for group in groups]
    assert len(set(reduced)) == len(groups)


def test_reducing_marks_only_what_had_several_values() -> None:
    keys = [ImageKey("A01", 1, 2, z) for z in (1, 2, 3)]
    assert reduced_key(keys, (Component.Z_INDEX, Component.SITE)) == ImageKey("A01", 1, 2, PROJECTED)
    assert reduced_key(keys[:1], (Component.Z_INDEX,)) == keys[0]


def test_a_pattern_says_what_varies() -> None:
    (group,) = group_images([ImageKey("A01", site, 2) for site in (1, 2)], (Component.SITE,))
    assert group.pattern == "s*_w2_z1_t1"
