from .chosen import (
    ChosenWells as ChosenWells,
    choose_wells as choose_wells,
    is_wanted as is_wanted,
)
from .names import (
    WellBlock as WellBlock,
    parse_sites as parse_sites,
    parse_wells as parse_wells,
)
from .sample import (
    sample_wells as sample_wells,
)
