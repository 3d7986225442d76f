from __future__ import annotations

import json
import os
import resource
import threading
from contextlib import contextmanager

import numpy as np
import pytest
import zarr

from clemkit.errors import (
    ArgumentError,
    AxisError,
    DataError,
    FormatError,
    NotFoundError,
    UnitError,
)
from clemkit.geometry import Grid, Space
from clemkit.volumes import Pyramid, Volume, create_ome_zarr, open_volume, probe, write_ome_zarr
from clemkit.volumes.writers import ome_zarr as writer

AXES = [{"name": a, "type": "space", "unit": "micrometer"} for a in "zyx"]


@contextmanager
def no_file_larger_than(limit):
    """Make the kernel refuse larger files, as a full disk or a quota does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def write_v04(path, data, *, axes=None, scale=(0.05, 0.008, 0.01), shift=(0.1, -0.02, 0.0035),
              whole=(), version="0.4"):  # fmt: skip
    """A version 0.4 image on a zarr 2 store, written by hand."""
    group = zarr.create_group(path, zarr_format=2)
    for level, array in enumerate([data, data[..., ::2, ::2]]):
        group.create_array(str(level), data=array, chunks=(4,) * data.ndim)
    factor = np.array([1, 2, 2])
    transforms = [
        [
            {"type": "scale", "scale": [1] * (data.ndim - 3) + list(np.array(scale, float) * f)},
            {"type": "translation", "translation": [0] * (data.ndim - 3) + list(shift)},
        ]
        for f in (1, factor)
    ]
    group.attrs["multiscales"] = [
        {
            "version": version,
            "name": "old",
            "axes": axes or AXES,
            "datasets": [
                {"path": str(i), "coordinateTransformations": t} for i, t in enumerate(transforms)
            ],
            **({"coordinateTransformations": list(whole)} if whole else {}),
        }
    ]
    return path


def test_reads_version_04(tmp_path, cube):
    path = write_v04(tmp_path / "a.zarr", cube)
    info = probe(path)
    assert info.format == "ome-zarr-0.4"
    assert info.levels == ((7, 11, 13), (7, 6, 7))
    volume = open_volume(path)
    assert volume.grid.voxel_size_zyx_nm == pytest.approx((50, 8, 10))
    assert volume.grid.origin_zyx_nm == pytest.approx((100, -20, 3.5))
    np.testing.assert_array_equal(volume.read(), cube)
    coarse = open_volume(path, level=1)
    assert coarse.grid.voxel_size_zyx_nm == pytest.approx((50, 16, 20))
    np.testing.assert_array_equal(coarse.read(), cube[:, ::2, ::2])


def test_transformations_of_the_whole_image_come_after_those_of_the_level(tmp_path, cube):
    whole = [
        {"type": "scale", "scale": [2, 3, 4]},
        {"type": "translation", "translation": [1, 0, -1]},
    ]
    volume = open_volume(write_v04(tmp_path / "a.zarr", cube, whole=whole))
    assert volume.grid.voxel_size_zyx_nm == pytest.approx((100, 24, 40))
    assert volume.grid.origin_zyx_nm == pytest.approx((1200, -60, -986))


def test_reads_time_and_channels_of_version_04(tmp_path, rng):
    data = rng.integers(0, 255, (3, 2, 4, 11, 13), dtype=np.uint8)
    axes = [{"name": "t", "type": "time"}, {"name": "c", "type": "channel"}, *AXES]
    path = write_v04(tmp_path / "a.zarr", data, axes=axes)
    with pytest.raises(AxisError, match="time series of 3"):
        open_volume(path)
    volume = open_volume(path, time=2, channel=1)
    np.testing.assert_array_equal(volume.read(), data[2, 1])


@pytest.mark.parametrize(
    ("axes", "scale"),
    [
        ([{"name": a, "type": "space"} for a in "zyx"], (0.05, 0.008, 0.01)),
        (AXES, (0.05, 0.008, 0.0)),
        ([{**a, "unit": "parsnip"} for a in AXES], (1, 1, 1)),
    ],
)
def test_without_unit_or_scale_there_is_no_size(tmp_path, cube, axes, scale):
    path = write_v04(tmp_path / "a.zarr", cube, axes=axes, scale=scale)
    assert probe(path).voxel_size_zyx_nm is None
    with pytest.raises(UnitError, match="pass the voxel size in nm"):
        open_volume(path)


def test_damaged_or_foreign_stores(tmp_path, cube):
    path = write_v04(tmp_path / "a.zarr", cube)
    attributes = json.loads((path / ".zattrs").read_text())
    attributes["multiscales"][0]["datasets"][1]["path"] = "gone"
    (path / ".zattrs").write_text(json.dumps(attributes))
    with pytest.raises(FormatError, match="expected a zarr array"):
        open_volume(path)
    zarr.create_group(tmp_path / "b.zarr")
    with pytest.raises(FormatError, match="found no multiscale image"):
        open_volume(tmp_path / "b.zarr")
    with pytest.raises(FormatError, match="named axes"):
        open_volume(_no_axes(path))


def _no_axes(path):
    attributes = json.loads((path / ".zattrs").read_text())
    attributes["multiscales"][0]["datasets"][1]["path"] = "1"
    del attributes["multiscales"][0]["axes"]
    (path / ".zattrs").write_text(json.dumps(attributes))
    return path


def test_collection_of_bioformats2raw(tmp_path, cube):
    group = zarr.create_group(tmp_path / "a.zarr", zarr_format=2)
    group.attrs["bioformats2raw.layout"] = 3
    write_v04(tmp_path / "a.zarr" / "0", cube)
    np.testing.assert_array_equal(open_volume(tmp_path / "a.zarr").read(), cube)


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint32", "uint64", "float32", "bool"])
def test_round_trip(tmp_path, volume, dtype):
    data = (volume.data > 100) if dtype == "bool" else volume.data.astype(dtype)
    path = write_ome_zarr(
        tmp_path / "a.ome.zarr", Volume(data=data, grid=volume.grid, modality="em")
    )
    again = open_volume(path)
    assert again.grid == volume.grid
    assert again.dtype == ("uint8" if dtype == "bool" else dtype)
    np.testing.assert_array_equal(again.read(), data)
    assert probe(path).format == "ome-zarr-0.5"


def test_round_trip_with_channels(tmp_path, rng, grid):
    data = rng.integers(0, 60000, (2, *grid.shape_zyx), dtype=np.uint16)
    volume = Volume(data=data, grid=grid, modality="lm", channels=("dna", "mito µ"))
    path = write_ome_zarr(tmp_path / "a.ome.zarr", volume, levels=2)
    again = open_volume(path, modality="lm")
    assert again.channels == volume.channels
    np.testing.assert_array_equal(again.data[...], data)
    np.testing.assert_array_equal(open_volume(path, channel="mito µ").read(), data[1])
    with pytest.raises(NotFoundError, match="one of: dna, mito µ"):
        open_volume(path, channel="er")


def test_levels_equal_a_pyramid_in_memory(tmp_path, volume):
    path = write_ome_zarr(tmp_path / "a.ome.zarr", volume, levels=4)
    stored, built = Pyramid.open(path), Pyramid.build(volume, 4)
    assert len(stored.levels) == 4
    for a, b in zip(stored.levels, built.levels, strict=True):
        assert a.grid == b.grid
        np.testing.assert_array_equal(a.read(), b.read())


def test_block_size_workers_and_chunks_never_change_a_voxel(tmp_path, rng, monkeypatch):
    """Cutting at odd places must not show in any level."""
    data = rng.integers(0, 255, (45, 37, 53), dtype=np.uint8)
    grid = Grid(space=Space("em"), shape_zyx=data.shape, voxel_size_zyx_nm=(20.0, 10.0, 10.0))
    volume = Volume(data=data, grid=grid, modality="em")
    expected = Pyramid.build(volume, 3)
    for i, (chunks, workers, limit) in enumerate(
        [(None, 1, 64 << 20), ((8, 8, 8), 3, 2000), ((5, 7, 9), 2, 1)]
    ):
        monkeypatch.setattr(writer, "_BLOCK_BYTES", limit)
        path = tmp_path / f"{i}.ome.zarr"
        write_ome_zarr(path, volume, chunks=chunks, levels=3, workers=workers)
        for a, b in zip(Pyramid.open(path).levels, expected.levels, strict=True):
            np.testing.assert_array_equal(a.read(), b.read())


def test_large_levels_are_sharded(tmp_path, rng, monkeypatch):
    monkeypatch.setattr(writer, "_SHARD_FROM", 1000)
    monkeypatch.setattr(writer, "_SHARD", (8, 8, 8))
    monkeypatch.setattr(writer, "_SHARD_CHUNK", (4, 4, 4))
    monkeypatch.setattr(writer, "_BLOCK_BYTES", 1)
    data = rng.integers(1, 255, (13, 21, 19), dtype=np.uint8)
    grid = Grid(space=Space("em"), shape_zyx=data.shape, voxel_size_zyx_nm=(10.0, 10.0, 10.0))
    path = write_ome_zarr(
        tmp_path / "a.ome.zarr", Volume(data=data, grid=grid, modality="em"), levels=2, workers=2
    )
    fine = zarr.open_array(path / "0", mode="r")
    assert (fine.chunks, fine.shards) == ((4, 4, 4), (8, 8, 8))
    assert zarr.open_array(path / "1", mode="r").shards is None  # small again
    np.testing.assert_array_equal(open_volume(path).read(), data)


def test_labels_keep_their_ids_in_every_level(tmp_path, grid, rng):
    labels = rng.choice(np.array([0, 7, 300, 70000], np.uint32), grid.shape_zyx)
    volume = Volume(data=labels, grid=grid, modality="em", role="labels")
    path = write_ome_zarr(tmp_path / "a.ome.zarr", volume, levels=3)
    for level in Pyramid.open(path, role="labels").levels:
        assert level.dtype == "uint32"
        assert set(np.unique(level.read())) <= {0, 7, 300, 70000}
    attributes = json.loads((path / "zarr.json").read_text())["attributes"]
    assert attributes["ome"]["image-label"] == {"version": "0.5"}
    assert attributes["clemkit"]["role"] == "labels"


def test_create_gives_an_array_to_fill_by_threads(tmp_path, grid, cube):
    path = tmp_path / "a.ome.zarr"
    with create_ome_zarr(path, grid, "uint8", chunks=(4, 4, 4), levels=2) as array:
        assert not path.exists()
        assert array.chunks == (4, 4, 4)

        def fill(z: int) -> None:
            array[z : z + 4] = cube[z : z + 4]

        threads = [threading.Thread(target=fill, args=(z,)) for z in (0, 4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    np.testing.assert_array_equal(open_volume(path).read(), cube)


def test_an_exception_leaves_nothing(tmp_path, grid):
    def interrupted() -> None:
        with create_ome_zarr(tmp_path / "a.ome.zarr", grid, "uint8") as array:
            array[...] = 1
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        interrupted()
    assert list(tmp_path.iterdir()) == []


def test_disk_full_is_one_line_and_leaves_nothing(tmp_path, rng):
    data = rng.integers(0, 255, (40, 40, 40), dtype=np.uint8)
    grid = Grid(space=Space("em"), shape_zyx=data.shape, voxel_size_zyx_nm=(10.0, 10.0, 10.0))
    volume = Volume(data=data, grid=grid, modality="em")
    old = write_ome_zarr(tmp_path / "a.ome.zarr", volume, levels=1)
    with (
        no_file_larger_than(20_000),
        pytest.raises(DataError, match="nothing was left behind") as e,
    ):
        write_ome_zarr(old, volume, levels=1, overwrite=True)
    assert "\n" not in str(e.value)
    assert os.listdir(tmp_path) == ["a.ome.zarr"]
    np.testing.assert_array_equal(open_volume(old).read(), data)  # the old one is whole


def test_existing_output_is_kept_unless_allowed(tmp_path, volume):
    path = write_ome_zarr(tmp_path / "a.ome.zarr", volume)
    other = Volume(data=255 - volume.data, grid=volume.grid, modality="em")
    with pytest.raises(ArgumentError, match="existing output"):
        write_ome_zarr(path, other)
    np.testing.assert_array_equal(open_volume(path).read(), volume.data)
    write_ome_zarr(path, other, overwrite=True)
    np.testing.assert_array_equal(open_volume(path).read(), other.data)
    assert os.listdir(tmp_path) == ["a.ome.zarr"]


def test_refuses_what_cannot_be_stored(tmp_path, grid, volume):
    with (
        pytest.raises(ArgumentError, match="integers or floats"),
        create_ome_zarr(tmp_path / "a.ome.zarr", grid, "complex64"),
    ):
        pass
    with pytest.raises(NotFoundError, match="expected an existing folder"):
        write_ome_zarr(tmp_path / "absent" / "a.ome.zarr", volume)


def test_progress_reaches_one(tmp_path, volume):
    seen = []
    write_ome_zarr(
        tmp_path / "a.ome.zarr", volume, levels=3, progress=lambda s, f, m="": seen.append((s, f))
    )
    assert seen == [("write", 1.0), ("pyramid", 0.5), ("pyramid", 1.0)]
