from .live import (
    run as run,
    watch as watch,
)
