from .describe import (
    describe_well as describe_well,
    value_text as value_text,
    well_entries as well_entries,
)
from .discovery import (
    find_plate_map as find_plate_map,
    plate_map_if_any as plate_map_if_any,
    plate_map_places as plate_map_places,
)
from .expression import (
    Where as Where,
    parse_where as parse_where,
)
from .plate_map import (
    PlateMap as PlateMap,
    PlateMapFile as PlateMapFile,
)
from .read import (
    TextForm as TextForm,
    parse_plate_map as parse_plate_map,
    read_plate_map as read_plate_map,
    text_form as text_form,
)
from .values import (
    ColumnKind as ColumnKind,
    MapValue as MapValue,
)
