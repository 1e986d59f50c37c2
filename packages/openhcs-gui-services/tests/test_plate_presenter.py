"""A plate's row in words."""

import pytest

from openhcs_gui_services.services import (
    PlatePresentation,
    PlateSnapshot,
    PlateStatus,
    Tone,
    Trouble,
    plate_status_of,
    present_plate,
)
from openhcs_gui_services.services.plates.names import folder_names
from zmqruntime.messages import ExecutionStatus

RUNNING = PlateSnapshot(
    PlateStatus.RUNNING,
    percent=42.9,
    elapsed_seconds=90,
    remaining_seconds=119,
    axis_id="B06",
    step_name="SegmentNuclei",
    step_index=2,
    total_steps=7,
)


@pytest.mark.parametrize(
    ("plate", "expected"),
    [
        (PlateSnapshot(PlateStatus.CREATED), "Not read yet"),
        (PlateSnapshot(PlateStatus.INIT_PENDING), "Reading"),
        (PlateSnapshot(PlateStatus.READY), "Ready"),
        (PlateSnapshot(PlateStatus.COMPILE_PENDING), "Checking"),
        (PlateSnapshot(PlateStatus.COMPILED), "Checked"),
        (PlateSnapshot(PlateStatus.QUEUED), "Waiting"),
        (PlateSnapshot(PlateStatus.QUEUED, queue_position=2), "Waiting (2nd)"),
        (PlateSnapshot(PlateStatus.QUEUED, queue_position=1), "Waiting (next)"),
        (PlateSnapshot(PlateStatus.QUEUED, queue_position=23), "Waiting (23rd)"),
        (RUNNING, "Running 42 %"),
        (PlateSnapshot(PlateStatus.RUNNING, percent=100, total_wells=2, done_wells=2), "Finishing"),
        (PlateSnapshot(PlateStatus.CANCELLING, percent=42), "Stopping"),
        (PlateSnapshot(PlateStatus.COMPLETE), "Complete"),
        (PlateSnapshot(PlateStatus.FAILED), "Failed"),
        (PlateSnapshot(PlateStatus.FAILED, failed_wells=1), "Failed (1 well)"),
        (PlateSnapshot(PlateStatus.FAILED, failed_wells=2), "Failed (2 wells)"),
        (PlateSnapshot(PlateStatus.FAILED, trouble=Trouble.CHECK), "Check failed"),
        (PlateSnapshot(PlateStatus.FAILED, trouble=Trouble.READ), "Not found"),
        (PlateSnapshot(PlateStatus.CANCELLED), "Stopped"),
        (PlateSnapshot(PlateStatus.INTERRUPTED), "Interrupted"),
    ],
)
def test_the_state_in_words(plate: PlateSnapshot, expected: str) -> None:
    assert present_plate(plate).text == expected


@pytest.mark.parametrize("state", PlateStatus)
def test_every_state_has_a_text_and_a_tone(state: PlateStatus) -> None:
    shown = present_plate(PlateSnapshot(state))
    assert shown.text
    assert isinstance(shown.tone, Tone)


@pytest.mark.parametrize("status", ExecutionStatus)
def test_every_status_of_an_execution_is_a_state_of_its_plate(status: ExecutionStatus) -> None:
    assert plate_status_of(status).value == status.value


def test_a_running_plate_says_step_well_and_time() -> None:
    assert present_plate(RUNNING) == PlatePresentation(
        text="Running 42 %",
        detail="SegmentNuclei (step 3 of 7), well B06",
        timing="1 min 30 s, about 2 min left",
        percent=42,
        tone=Tone.ACTIVE,
    )


def test_wells_that_failed_are_told_while_the_others_run() -> None:
    assert present_plate(PlateSnapshot(PlateStatus.RUNNING, axis_id="C01", failed_wells=2)).detail == (
        "well C01, 2 wells failed"
    )


def test_a_running_plate_is_never_at_100_percent_before_its_end() -> None:
    assert present_plate(PlateSnapshot(PlateStatus.RUNNING, percent=99.99)).percent == 99
    assert present_plate(PlateSnapshot(PlateStatus.COMPLETE, percent=99.99)).percent == 100


@pytest.mark.parametrize("state", [PlateStatus.INIT_PENDING, PlateStatus.COMPILE_PENDING])
def test_what_cannot_be_estimated_has_a_bar_without_an_end(state: PlateStatus) -> None:
    assert present_plate(PlateSnapshot(state)).percent is None


def test_an_end_shows_how_long_it_took_and_no_estimate() -> None:
    assert present_plate(PlateSnapshot(PlateStatus.CANCELLED, percent=50, elapsed_seconds=60)).timing == "1 min"


def test_done_and_failed_wells_share_the_bar_and_a_sign_tells_them_apart() -> None:
    shown = present_plate(PlateSnapshot(PlateStatus.FAILED, percent=100, done_wells=4, failed_wells=2, total_wells=6))
    assert (shown.percent, shown.failed_percent, shown.bar_text) == (100, 33, "4 of 6 done, \u2715 2 failed")


def test_no_time_is_left_while_the_tables_are_written() -> None:
    shown = present_plate(
        PlateSnapshot(
            PlateStatus.RUNNING, percent=100, done_wells=3, total_wells=3, elapsed_seconds=60, remaining_seconds=2
        )
    )
    assert (shown.percent, shown.detail, shown.timing) == (100, "writing the tables", "1 min")


@pytest.mark.parametrize(
    ("plate", "detail"),
    [
        (PlateSnapshot(PlateStatus.READY, missing_images=3, left_out_files=1), "3 images missing, 1 file not read"),
        (
            PlateSnapshot(PlateStatus.RUNNING, axis_id="C01", taken_over=18, done_wells=18, total_wells=24, percent=75),
            "well C01, 18 of 24 wells taken over from an earlier run",
        ),
    ],
)
def test_what_is_known_of_the_plate_and_of_earlier_runs_is_said(plate: PlateSnapshot, detail: str) -> None:
    assert present_plate(plate).detail == detail


def test_a_lost_server_is_not_called_a_cancel() -> None:
    shown = present_plate(PlateSnapshot(PlateStatus.INTERRUPTED))
    assert shown.tone is Tone.BAD
    assert "server" in shown.detail


def test_plates_of_the_same_name_are_named_with_the_folders_above_them() -> None:
    expected = {
        "/a/week1/p6": "week1/p6",
        "/a/week2/p6": "a/week2/p6",
        "/b/week2/p6": "b/week2/p6",
        "/a/p7": "p7",
        "s3://bucket/p8": "p8",
        "C:\\x\\p9": "C:/x/p9",
        "/x/p9": "/x/p9",
    }
    assert folder_names(expected) == expected
