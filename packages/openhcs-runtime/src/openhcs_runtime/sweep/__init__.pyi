from .parameters import (
    Combination as Combination,
    SweepParameter as SweepParameter,
    combinations as combinations,
)
from .record import (
    SweepRecord as SweepRecord,
    SweepRun as SweepRun,
)
from .results import (
    SweepFolder as SweepFolder,
)
from .run import (
    run_sweep as run_sweep,
)
