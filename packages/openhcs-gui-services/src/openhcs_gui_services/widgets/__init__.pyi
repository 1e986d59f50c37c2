from .common.task_signals import (
    TaskSignals as TaskSignals,
)
from .history.view import (
    HistoryView as HistoryView,
)
from .images.pane import (
    ImagesPane as ImagesPane,
)
from .layout.pane import (
    LayoutPane as LayoutPane,
)
from .log.view import (
    LogView as LogView,
)
from .numbers.pane import (
    NumbersPane as NumbersPane,
)
from .pipeline.editor import (
    CodeEditor as CodeEditor,
)
from .pipeline.pane import (
    PipelinePane as PipelinePane,
)
from .pipeline.step_form import (
    StepForm as StepForm,
)
from .plates.host import (
    FullPlateHost as FullPlateHost,
    PlateHost as PlateHost,
)
from .plates.manager import (
    PlateManagerWidget as PlateManagerWidget,
)
from .plates.map import (
    PlateMap as PlateMap,
)
from .plates.map_bar import (
    MapBar as MapBar,
)
from .plates.map_look import (
    MapLook as MapLook,
)
from .plates.model import (
    PlateColumn as PlateColumn,
    PlateTableModel as PlateTableModel,
)
from .plates.progress_row import (
    PlateProgressRow as PlateProgressRow,
)
from .plates.table import (
    PlateTable as PlateTable,
)
from .plates.well_details import (
    WellDetails as WellDetails,
)
from .servers.browser import (
    ServerBrowserWidget as ServerBrowserWidget,
)
from .settings.dialog import (
    SettingsDialog as SettingsDialog,
)
from .tuning.strip import (
    TuningStrip as TuningStrip,
)
