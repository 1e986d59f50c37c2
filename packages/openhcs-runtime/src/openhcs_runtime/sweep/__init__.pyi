from .parameters import (
    Combination as Combination,
    SweepParameter as SweepParameter,
    combinations as combinations,
)
from .results import (
    SweepFolder as SweepFolder,
    SweepRecord as SweepRecord,
    SweepRun as SweepRun,
)
from .run import (
    run_sweep as run_sweep,
)
