"""Measurements relative to those of control wells: the controls are summarized once, and applied in each well."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from openhcs_runtime.choices import alternatives, choose
from openhcs_runtime.components import Component
from openhcs_runtime.controls import FEWEST_VALUES, ControlMethod, summarise
from openhcs_runtime.pipeline.decorators import (
    InputKind,
    Measurements,
    OutputKind,
    Stack,
    checked_by,
    plate_inputs,
    plate_output,
    special_inputs,
    special_outputs,
)
from openhcs_runtime.wells import normal_well

if TYPE_CHECKING:
    from openhcs_runtime.engine.plate_data import PlateData

_KEYS = frozenset(component.value for component in Component)


def _check(*, controls: object = (), method: object = ControlMethod.ROBUST_Z_SCORE) -> Iterator[str]:
    """Yield what is wrong with the arguments of ``fit_normaliser`` whatever the plate is."""
    if method not in set(ControlMethod):
        yield f"unknown method {method!r}; choose {alternatives(ControlMethod)}"
    if not controls:
        yield "controls is empty: name at least one control well, or give an expression for the plate map"
    try:
        _named_wells(controls)
    except ValueError as error:
        yield str(error)


@checked_by(_check)
@plate_output("normaliser", per=Component.CHANNEL)
def fit_normaliser(
    plate: "PlateData", *, controls: str | Sequence[str], method: ControlMethod | str = ControlMethod.ROBUST_Z_SCORE
) -> dict[int, dict[str, Any]]:
    """Summarize the measurements of the images of control wells, for ``normalise``.

    Args:
        plate: The measurements so far, from the engine.
        controls: Names of the control wells, such as ``("A01", "A02")``, or an expression that is true for them in the
            plate map, such as ``"control == 'DMSO'"``.
        method: How measurements are related to those of the controls.

    Returns:
        For each channel the method, and for each column of numbers the centre and the scale of the controls.

    Raises:
        ValueError: If no column of numbers was measured, a control well is missing, or there are fewer than two images
            of controls in a channel.
    """
    method = choose(ControlMethod, method, "method")
    table = plate.measurements()
    named = _named_wells(controls)
    if named is None:
        named = [well for well in plate.plate_map().matching(str(controls)) if well in plate.wells]
    if lacking := sorted(set(named) - set(plate.wells)):
        raise ValueError(f"control wells {', '.join(lacking)} are not among the {len(plate.wells)} wells of this run")
    names = [name for name, column in table.items() if name not in _KEYS and column.dtype.kind == "f"]
    if not names:
        raise ValueError("nothing was measured before this step: put a measuring step before it")
    is_control = np.isin(table["well"].astype(str), named)
    found: dict[int, dict[str, Any]] = {}
    for channel in np.unique(table["channel"]).tolist():
        chosen = is_control & (table["channel"] == channel)
        if chosen.sum() < FEWEST_VALUES:
            raise ValueError(
                f"channel {channel} has {chosen.sum()} measured images in control wells: name more controls, at least "
                f"{FEWEST_VALUES} images are needed"
            )
        columns = {name: summarise(table[name][chosen], method)._asdict() for name in names}
        found[channel] = {"method": method.value, "columns": columns}
    return found


@special_inputs(InputKind.MEASUREMENTS)
@special_outputs(OutputKind.MEASUREMENTS)
@plate_inputs("normaliser")
def normalise(
    stack: Stack, *, measurements: Sequence[Mapping[str, Any]], normaliser: Sequence[Mapping[str, Any]]
) -> tuple[Stack, list[Measurements]]:
    """Add measurements relative to those of the controls, which ``fit_normaliser`` has summarized.

    Each column of numbers gets another one with the name of the method at its end, such as ``nuclei_count_robust_z``.
    It is empty if the controls have no spread (for percent: a mean of 0), as nothing can be said then.

    Args:
        stack: The images (n, Y, X), which are passed on.
        measurements: The measurements of each image so far, from the engine.
        normaliser: The summary of the controls for the channel of each image, from the engine.

    Returns:
        The stack, and one ``Measurements`` for each plane.
    """
    return stack, [
        Measurements(_normalised(values, controls)) for values, controls in zip(measurements, normaliser, strict=True)
    ]


def _named_wells(controls: object) -> list[str] | None:
    """Return the wells that are named; None for an expression.

    Raises:
        ValueError: If a name is not that of a well.
    """
    if isinstance(controls, str):
        parts = [part.strip() for part in controls.split(",")]
        try:
            return [normal_well(part) for part in parts]
        except ValueError:
            return None
    if not isinstance(controls, Sequence):
        raise ValueError(f"controls {controls!r} are neither names of wells nor an expression")
    return [normal_well(str(well)) for well in controls]


def _normalised(values: Mapping[str, Any], controls: Mapping[str, Any]) -> dict[str, float | None]:
    method = controls["method"]
    found: dict[str, float | None] = {}
    for name, of_controls in controls["columns"].items():
        value, centre, scale = values.get(name), of_controls["centre"], of_controls["scale"]
        if isinstance(value, int | float) and not isinstance(value, bool):
            found[f"{name}_{method}"] = (value - centre) / scale if scale and np.isfinite(scale) else None
    return found
