"""Which channel is taken for the nuclei, and channels by their name."""

import pytest

from openhcs_runtime import FunctionStep
from openhcs_runtime.functions import denoise
from openhcs_runtime.pipeline.channels import sureness, with_channel_numbers


def resolve(key: str | int, names: dict[int, str], channels: tuple[int, ...] = (1, 2, 3)) -> object:
    resolved = with_channel_numbers([FunctionStep({key: denoise}, group_by="channel")], channels, names)  # type: ignore[arg-type]
    if resolved.problems:
        return resolved.problems[0]
    return next(iter(resolved.steps[0].func))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "name",
    [
        *("DAPI", "HOECHST 33342", "Hoechst2", "w1-dapi", "H33342", "DRAQ5", "draq-7", "H2B-GFP"),
        *("mCherry H2B", "NucBlue"),
        *("SYTO 13", "GFP-NLS", "Nuclei", "nuclear", "nucleus", "TO-PRO-3", "ToPro3", "405", "Ex405"),
        *("385 nm", "em 461"),
        *("358/461", "SiR-DNA", "DNA", "BP445-45", "SYTOX Green", "H2A", "Histone H3"),
    ],
)
def test_names_that_say_nuclei(name: str) -> None:
    assert sureness(name) is not None


@pytest.mark.parametrize(
    "name",
    [
        *("", "GFP", "anti-nuclear pore", "Nuclear pore complex", "Nucleoporin", "nucleolin"),
        *("perinuclear", "Lamin B1"),
        *("nuclear envelope", "no DAPI", "non-nuclear", "mtDNA", "Alexa 405", "CF405M", "Phalloidin 405"),
        *("488", "4050"),
        *("Brightfield", "ER", "Tubulin", "glucocorticoid receptor (nuclear)", "internuclear"),
        *("DNA damage (gH2AX)",),
    ],
)
def test_names_that_do_not(name: str) -> None:
    assert sureness(name) is None


def test_the_surest_name_is_taken() -> None:
    assert resolve("nuclei", {1: "Syto", 2: "H2B-GFP", 3: "Hoechst 33342"}) == 3
    assert resolve("nuclei", {1: "Syto", 2: "ER"}) == 1
    assert resolve("nuclei", {}, channels=(4,)) == 4


def test_the_channel_taken_is_said_also_where_it_is_named_nuclei() -> None:
    step = FunctionStep({"nuclei": denoise}, group_by="channel")  # type: ignore[arg-type]
    assert with_channel_numbers([step], (1, 2), {1: "Nuclei", 2: "ER"}).notes == (
        "Nuclei: channel 1 (Nuclei), by its name",
    )


def test_what_cannot_be_decided_is_refused_with_the_channels_and_the_remedy() -> None:
    assert resolve("nuclei", {1: "GFP", 2: "RFP"}) == (
        "no channel name indicates nuclei (the plate has 1: GFP, 2: RFP, 3: unnamed): choose one with "
        "--channel, or as the key in the pipeline file"
    )
    assert "several channels may show nuclei (1: DAPI, 3: Hoechst)" in str(resolve("nuclei", {1: "DAPI", 3: "Hoechst"}))
    assert "no channel 'Cy5' (it has 1: DAPI" in str(resolve("Cy5", {1: "DAPI"}))
    assert "channels 1, 2 are all named 'dapi'" in str(resolve("dapi", {1: "DAPI", 2: "DAPI"}))


def test_channels_by_name_and_number() -> None:
    assert resolve("gfp", {1: "DAPI", 2: "GFP"}) == 2
    assert resolve(2, {1: "DAPI", 2: "GFP"}) == 2
    assert resolve("488", {1: "405", 2: "488"}) == 2
    assert resolve("nuclei", {1: "Hoechst", 2: "Nuclei"}) == 2  # a channel of that very name


def test_one_channel_twice_is_refused() -> None:
    step = FunctionStep({1: denoise, "DAPI": denoise}, group_by="channel", name="A")  # type: ignore[arg-type]
    resolved = with_channel_numbers([step], (1, 2), {1: "DAPI"})
    assert resolved.problems == ("step 'A' has channel 1 twice, once as 'DAPI'",)
