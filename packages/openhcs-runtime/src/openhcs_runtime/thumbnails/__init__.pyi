from .choice import (
    fingerprint as fingerprint,
    thumbnail_images as thumbnail_images,
)
from .contrast import (
    Limits as Limits,
    plate_limits as plate_limits,
)
from .pictures import (
    render as render,
)
from .record import (
    ThumbnailRecorder as ThumbnailRecorder,
)
from .reduction import (
    EDGE as EDGE,
    edge_for as edge_for,
    shrink as shrink,
)
from .store import (
    copy_run_thumbnail as copy_run_thumbnail,
    read_plate_thumbnails as read_plate_thumbnails,
    read_run_thumbnail as read_run_thumbnail,
    run_thumbnail as run_thumbnail,
    write_plate_thumbnails as write_plate_thumbnails,
    write_run_thumbnail as write_run_thumbnail,
)
from .well import (
    WellThumbnail as WellThumbnail,
)
