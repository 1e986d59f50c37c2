"""Images of plates, read in threads: any format, newest first, bounded, and every problem named."""

import asyncio
import functools
import shutil
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from openhcs_gui_services.services.images.cache import ByteCache
from openhcs_gui_services.services.images.compose import compose
from openhcs_gui_services.services.images.contrast import auto_limits
from openhcs_gui_services.services.images.layers import ImageLayer, OutlineLayer, Region
from openhcs_gui_services.services.images.mosaic import assemble, plan_sites
from openhcs_gui_services.services.images.objects import read_object
from openhcs_gui_services.services.images.picture import load_all_sites, load_labels, load_site
from openhcs_gui_services.services.images.plate_steps import next_well, sampled_wells
from openhcs_gui_services.services.images.pyramid import Pyramid
from openhcs_gui_services.services.images.queue import NewestFirst
from openhcs_gui_services.services.images.reader import PlateImages
from openhcs_gui_services.services.images.runs import runs_of
from openhcs_gui_services.services.images.source import ImagePlace, PlateSource
from openhcs_runtime import ExecutionMode, FunctionStep, GlobalConfig, PipelineOrchestrator
from openhcs_runtime.exceptions import PlateError
from openhcs_runtime.functions import expand_objects, measure_objects, segment_nuclei
from openhcs_runtime.plates import make_plate, open_plate
from openhcs_runtime.tables.read import open_results

SECONDS = 60.0
Reading = Callable[[PlateImages], Coroutine[Any, Any, None]]


def read(work: Reading, limit: int = 1 << 28) -> None:
    """Run a coroutine with a reader that is closed afterwards."""

    async def all_of_it() -> None:
        images = PlateImages(limit)
        try:
            async with asyncio.timeout(SECONDS):
                await work(images)
        finally:
            await images.close()

    asyncio.run(all_of_it())


@pytest.mark.parametrize("made", [{"format": "imagexpress"}, {"format": "ome_zarr"}, {"z": 3, "timepoints": 2}])
def test_planes_are_those_of_the_plate(tmp_path: Path, made: dict[str, Any]) -> None:
    path = make_plate(tmp_path / "plate", wells=2, sites=2, channels=2, size=64, **made)
    plate = open_plate(path)

    async def work(images: PlateImages) -> None:
        source = PlateSource(str(path))
        opened = await images.plate(source)
        assert opened.wells == plate.wells
        assert [channel.name for channel in opened.channels] == list(plate.channel_names.values())
        assert [channel.colour for channel in opened.channels] == [0x0000FF, 0x00FF00]
        assert opened.pixel_size_um == plate.pixel_size_um
        for image in plate.images["A02"]:
            key = image.key
            place = ImagePlace(key.well, key.site, key.z_index, key.timepoint)
            assert np.array_equal(await images.plane(source, place, key.channel), plate.read(image))

    read(work)


def test_memory_is_bounded_whatever_is_looked_at(tmp_path: Path) -> None:
    paths = [make_plate(tmp_path / f"plate{number}", wells=2, sites=1, channels=1, size=64) for number in range(6)]
    plane = Pyramid(np.zeros((64, 64), np.uint16)).nbytes

    async def work(images: PlateImages) -> None:
        for turn in range(100):
            source = PlateSource(str(paths[turn % len(paths)]))
            opened = await images.plate(source)
            images.read_ahead(opened, [ImagePlace("A02")], [1])
            await images.plane(source, ImagePlace("A01"), 1)
            assert images.nbytes <= 5 * plane
            assert images.opened <= 4
        assert images.nbytes >= 4 * plane

    read(work, limit=5 * plane)


def test_the_newest_request_is_served_first_and_dropped_ones_never() -> None:
    begun: list[str] = []
    gate, is_busy = threading.Event(), threading.Event()

    def call(name: str) -> str:
        begun.append(name)
        is_busy.set()
        assert gate.wait(SECONDS)
        return name

    async def work() -> None:
        queue = NewestFirst(1)
        try:
            requests = {}
            for name in ("first", "later", "second", "dropped", "third", "third again"):
                key, later = name.removesuffix(" again"), name == "later"
                request = queue.run(key, functools.partial(call, key), later=later)
                requests[name] = asyncio.ensure_future(request)
                await asyncio.sleep(0)
            queue.ahead("ahead", lambda: call("ahead"), begun.append)
            await asyncio.to_thread(is_busy.wait, SECONDS)
            requests.pop("dropped").cancel()
            await asyncio.sleep(0)
            gate.set()
            assert await asyncio.gather(*requests.values()) == ["first", "later", "second", "third", "third"]
        finally:
            gate.set()
            await queue.close()

    asyncio.run(work())
    assert begun[:4] == ["first", "third", "second", "later"]
    assert "dropped" not in begun


def test_every_problem_names_the_file_and_what_to_do(tmp_path: Path) -> None:
    path = make_plate(tmp_path / "plate", wells=3, sites=1, channels=2, size=64)
    files = sorted(path.rglob("*.tif"))
    damaged = next(file for file in files if "_A01_s1_w2" in file.name)
    damaged.write_bytes(damaged.read_bytes()[:3000])
    next(file for file in files if "_A02_s1_w1" in file.name).unlink()

    async def work(images: PlateImages) -> None:
        source = PlateSource(str(path))
        plate = await images.plate(source)
        one = await load_site(images, plate, ImagePlace("A01"), [1, 2])
        assert list(one.planes) == [1]
        assert one.problems == (one.problems[0],)
        assert damaged.name in one.problems[0]
        assert "Copy the file again, then press F5." in one.problems[0]
        other = await load_site(images, plate, ImagePlace("A02"), [1, 2])
        assert list(other.planes) == [2]
        assert "No image of well A02, site 1, channel 1" in other.problems[0]
        assert "copy it from the microscope again" in other.problems[0]
        shutil.move(path, tmp_path / "away")
        images.forget(source)
        with pytest.raises(PlateError, match=r"is not there: connect its drive or move it back, then press F5"):
            await images.plate(source)
        shutil.move(tmp_path / "away", path)
        assert len((await load_site(images, await images.plate(source), ImagePlace("A03"), [1])).planes) == 1

    read(work)


def test_all_sites_lie_where_the_stage_was_and_missing_ones_are_named(tmp_path: Path) -> None:
    path = make_plate(tmp_path / "plate", wells=3, sites=4, channels=1, size=64, format="opera_phenix")
    Path(next(one for one in open_plate(path).images["A01"] if one.key.site == 3).path).unlink()
    plate = open_plate(path)

    async def work(images: PlateImages) -> None:
        opened = await images.plate(PlateSource(str(path)))
        picture = await load_all_sites(images, opened, ImagePlace("A01"), [1])
        assert picture.plan is not None
        assert picture.plan.by_position
        assert picture.lost == (3,)
        assert "site 3" in picture.problems[0]
        pixels = picture.planes[1].plane
        for image in plate.images["A01"]:
            top, left = picture.plan.corners[image.key.site]
            assert np.array_equal(pixels[top : top + 64, left : left + 64], plate.read(image))
            assert picture.plan.site_at(top + 5, left + 5) == image.key.site
        grid = plan_sites(opened, "B07", [1, 2, 3], (64, 32))
        assert grid.corners == {1: (0, 0), 2: (0, 32), 3: (64, 0)}
        assert not grid.by_position
        assert assemble(grid, {2: Pyramid(np.ones((64, 32)))}).plane.sum() == 64 * 32

    read(work)


def test_labels_are_named_after_their_tables_and_lead_to_rows(tmp_path: Path) -> None:
    path = make_plate(tmp_path / "plate", wells=1, sites=1, channels=1, size=128)
    steps = [
        FunctionStep(segment_nuclei, name="Find"),
        FunctionStep((measure_objects, {"name": "nuclei"})),
        FunctionStep((expand_objects, {"distance_px": 3}), name="Grow"),
        FunctionStep((measure_objects, {"name": "cells"})),
    ]
    with PipelineOrchestrator(path, steps, GlobalConfig(1, ExecutionMode.THREADS)) as orchestrator:
        run = Path(orchestrator.run().output_dir)

    async def work(images: PlateImages) -> None:
        source = PlateSource(str(path))
        assert [each.folder for each in runs_of(source, None)] == [run]
        sets, problem = await load_labels(images, run, ImagePlace("A01"))
        assert not problem
        assert {name: one.of.file.parent.name for name, one in sets.items()} == {"nuclei": "Find", "cells": "Grow"}
        for name, one in sets.items():
            row = open_results(run).arrow(name, where="label == 2").to_pylist()[0]
            found = read_object(run, name, one.of, 2, one.labels)
            assert found.table == name
            assert dict(found.values).keys() == row.keys()
            assert float(dict(found.values)["area_px2"]) == row["area_px2"] == (one.labels == 2).sum()
        assert await load_labels(images, run, ImagePlace("B01")) == ({}, "")

    async def after_damage(images: PlateImages) -> None:
        next(run.glob("labels/Find/*.tif")).write_bytes(b"no TIFF")
        sets, problem = await load_labels(images, run, ImagePlace("A01"))
        assert list(sets) == ["Grow"]
        assert "resume the run to write it again" in problem

    read(work)
    read(after_damage)


def test_channels_are_added_and_outlines_keep_their_width() -> None:
    plane = np.zeros((256, 256), np.uint16)
    plane[:, 128:] = 1000
    labels = np.zeros((256, 256), np.uint16)
    labels[64:192, 64:192] = 7
    layers = [ImageLayer(Pyramid(plane), 0x0000FF, 0, 1000), ImageLayer(Pyramid(plane), 0xFF8000, 0, 2000)]
    whole = compose(layers, [], Region(0, 0, 0.25, 64, 64))
    assert whole[10, 50].tolist() == [255, 64, 127, 255]  # blue, green, red, alpha
    assert whole[10, 10].tolist() == [0, 0, 0, 255]
    for scale in (0.25, 1.0, 4.0):
        corner = Region(48, 48, scale, 128, 128)
        drawn = compose(layers, [OutlineLayer(labels, 0xFFD600)], corner)
        line = (drawn[:, :, :3] == [0, 0xD6, 0xFF]).all(axis=2)[round((70 - 48) * scale)]
        assert line.sum() in (1, 2)
    beyond = compose(layers, [OutlineLayer(labels, 0xFFD600, picked=7)], Region(-100, 300, 1.0, 64, 64))
    assert not beyond.any()


def test_contrast_is_by_percentiles_and_never_empty() -> None:
    low, high = auto_limits([np.arange(10_000), np.full(10, 10**6)])
    assert 0 < low < 20
    assert 9_900 < high < 10_000
    assert auto_limits([np.full(5, 3)]) == (3, 4)
    assert auto_limits([]) == (0, 1)


def test_steps_through_the_plate() -> None:
    wells = ["A01", "A03", "B01", "C03"]
    assert next_well(wells, "A01", 0, 1) == "A03"
    assert next_well(wells, "A03", 1, 0) == "C03"
    assert next_well(wells, "A01", -1, 0) is None
    assert sampled_wells([str(number) for number in range(384)])[::5] == ("0", "383")


def test_cache_drops_what_was_not_used() -> None:
    cache: ByteCache[str, int] = ByteCache(10)
    cache.put("a", 1, 4)
    cache.put("b", 2, 4)
    assert cache.get("a") == 1
    cache.put("c", 3, 4)
    cache.put("huge", 4, 11)
    assert ("a" in cache, "b" in cache, "c" in cache, "huge" in cache) == (True, False, True, False)
    assert cache.nbytes == 8
