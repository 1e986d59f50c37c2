"""Thumbnails of a plate are taken from a run or made, can be stopped and go on, and take a bounded space."""

import os
import threading
from pathlib import Path

import numpy as np
import pytest

from openhcs_gui_services.services.images.source import PlateSource
from openhcs_gui_services.services.thumbnails.cache import ThumbnailCache
from openhcs_gui_services.services.thumbnails.plate import PlateThumbnails
from openhcs_runtime.plates import make_plate, open_plate
from openhcs_runtime.thumbnails import WellThumbnail, fingerprint, thumbnail_images, write_run_thumbnail

GOES_ON = threading.Event()


@pytest.fixture(scope="module")
def plate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_plate(tmp_path_factory.mktemp("plates") / "plate", wells=4, sites=1, channels=2, size=64)


def test_a_thumbnail_of_the_run_is_taken_if_it_is_whole_and_of_the_same_images(plate: Path, tmp_path: Path) -> None:
    images = {well: thumbnail_images(found) for well, found in open_plate(plate).images.items()}
    seven = np.full((8, 8), 7, np.uint16)
    for well, mark, channels in (("A01", "", (1, 2)), ("A02", "other images", (1, 2)), ("A03", "", (1,))):
        made = WellThumbnail(well, mark or fingerprint(images[well]), dict.fromkeys(channels, seven))
        write_run_thumbnail(tmp_path / "run", made)
    known = PlateThumbnails(PlateSource(str(plate)), tmp_path / "run", ThumbnailCache(tmp_path / "cache"))
    assert sorted(known.make_some(60.0, GOES_ON)) == ["A01", "A02", "A03", "A04"]
    known.settle_contrast()
    shapes = {well: picture.shape for well, picture in known.pictures(known.known, 1).items()}
    assert shapes == {"A01": (8, 8, 3), "A02": (64, 64, 3), "A03": (64, 64, 3), "A04": (64, 64, 3)}


def test_work_that_was_stopped_goes_on_where_it_was(plate: Path, tmp_path: Path) -> None:
    source, cache = PlateSource(str(plate)), ThumbnailCache(tmp_path)
    first = PlateThumbnails(source, None, cache)
    stopped = threading.Event()
    assert len(first.make_some(0.0, stopped)) == 1
    stopped.set()
    assert first.make_some(60.0, stopped) == ()
    first.save()
    again = PlateThumbnails(source, None, cache)
    assert again.known == first.known
    assert len(again.make_some(60.0, GOES_ON)) == 3
    assert again.should_save


def test_the_plates_that_were_looked_at_least_recently_make_room(tmp_path: Path) -> None:
    cache = ThumbnailCache(tmp_path, limit_bytes=250)
    paths = [cache.path_for(PlateSource(f"plate {number}")) for number in range(4)]
    for number, path in enumerate(paths):
        path.write_bytes(bytes(100))
        os.utime(path, (number, number))
    cache.use(paths[0])
    cache.prune(paths[3])
    assert [path.exists() for path in paths] == [True, False, False, True]
