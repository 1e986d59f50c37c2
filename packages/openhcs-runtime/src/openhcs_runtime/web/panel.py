"""Answers what the panel of a plate asks; registered in the entry point group ``zmqruntime.web``."""

from pathlib import Path

import msgspec

from openhcs_runtime.exceptions import OpenHCSError
from openhcs_runtime.tasks import OPENHCS_CONFIG
from openhcs_runtime.web.outcome import MeasureList, outcome_of
from openhcs_runtime.web.run import run_folder
from zmqruntime.execution.clean import clean_line
from zmqruntime.execution.web.extensions import PanelAnswer, PanelError, PanelRequest, WebExtension

__all__ = ["PLATES"]

_KEEP_SECONDS = 3600


def answer(request: PanelRequest) -> PanelAnswer:
    """Answer a request of the panel.

    Raises:
        PanelError: the run has not written what was asked for, or it cannot be read.
    """
    try:
        match request.what:
            case "outcome":
                return PanelAnswer(msgspec.json.encode(outcome_of(request.execution)))
            case "measures":
                return PanelAnswer(msgspec.json.encode(_measures(request)))
            case "measure":
                return PanelAnswer(_values(request))
            case "mosaic":
                return _mosaic(request)
            case "thumbnail":
                return _thumbnail(request)
    except (OpenHCSError, OSError) as error:
        raise PanelError(clean_line(str(error), 500)) from error
    raise PanelError(f"the panel of plates has no {clean_line(request.what, 40)}: load the page again")


def _measures(request: PanelRequest) -> MeasureList:
    from openhcs_runtime.tables.read import open_results  # noqa: PLC0415  heavy
    from openhcs_runtime.tables.well_values import known_measurements  # noqa: PLC0415

    known = known_measurements(open_results(run_folder(request)))
    return MeasureList(tuple((table, column) for table, columns in known.items() for column in columns))


def _values(request: PanelRequest) -> bytes:
    from openhcs_runtime.tables.read import open_results  # noqa: PLC0415  heavy
    from openhcs_runtime.tables.statistic import Statistic  # noqa: PLC0415
    from openhcs_runtime.tables.well_values import well_values  # noqa: PLC0415

    query = request.query
    try:
        statistic = Statistic(query.get("statistic", Statistic.MEAN))
    except ValueError as error:
        raise PanelError(f"{error}: choose mean, median or sum") from error
    results = open_results(run_folder(request))
    found = well_values(results, query.get("column", ""), statistic, objects=query.get("table") or None)
    document = {"column": clean_line(found.measurement), "table": found.table, "values": dict(found.values)}
    return msgspec.json.encode(document)


def _mosaic(request: PanelRequest) -> PanelAnswer:
    from openhcs_runtime.web.thumbnails import plate_picture  # noqa: PLC0415  heavy

    has_ended = request.execution.ended_at is not None
    return PanelAnswer(plate_picture(run_folder(request)), "image/png", _KEEP_SECONDS if has_ended else 0)


def _thumbnail(request: PanelRequest) -> PanelAnswer:
    from openhcs_runtime.web.thumbnails import well_picture  # noqa: PLC0415  heavy

    return PanelAnswer(well_picture(run_folder(request), request.query.get("well", "")), "image/png", _KEEP_SECONDS)


PLATES = WebExtension(
    name="plates",
    apps=(OPENHCS_CONFIG.app_name,),
    folder=Path(__file__).with_name("static"),
    module="plate.js",
    styles="plate.css",
    answer=answer,
)
