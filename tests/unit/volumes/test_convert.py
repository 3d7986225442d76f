from __future__ import annotations

import json
import os
import tracemalloc

import numpy as np
import pytest
import tifffile

from clemkit.errors import ArgumentError, FormatError, NotFoundError, UnitError
from clemkit.geometry import Grid, Space
from clemkit.provenance import Step, digest_path
from clemkit.volumes import Volume, open_volume, write_ome_tiff, write_ome_zarr
from clemkit.volumes.source import BlockSource
from clemkit.volumes.writers import ome_tiff, ome_zarr
from clemkit.workflows.convert import convert_volume, volume_info

VOXEL = (50.0, 8.0, 10.0)


@pytest.fixture
def source(tmp_path, cube):
    """An ImageJ stack with a size."""
    path = tmp_path / "in.tif"
    tags = {"axes": "ZYX", "spacing": 0.05, "unit": "um"}
    tifffile.imwrite(path, cube, imagej=True, metadata=tags, resolution=(100, 125))
    return path


@pytest.mark.parametrize("name", ["out.ome.zarr", "out.zarr", "out.ome.tif"])
def test_convert_writes_voxels_grid_and_record(tmp_path, source, cube, name):
    target = tmp_path / name
    result = convert_volume(source, target, workers=2)
    assert result["voxel_size_zyx_nm"] == pytest.approx(VOXEL)
    volume = open_volume(target)
    assert volume.grid.voxel_size_zyx_nm == pytest.approx(VOXEL)
    np.testing.assert_array_equal(volume.read(), cube)
    step = Step.from_dict(json.loads((tmp_path / f"{name}.provenance.json").read_text()))
    assert step.activity == "conversion"
    assert step.inputs == (digest_path(source),)
    assert step.outputs == (digest_path(target),)
    assert step.parameters["voxel_size_given"] is False


def test_workers_never_change_a_byte(tmp_path, source):
    digests = set()
    for workers in (1, 3, None):
        target = tmp_path / "out.ome.zarr"
        convert_volume(source, target, workers=workers, overwrite=True)
        digests.add(digest_path(target).sha256)
    assert len(digests) == 1


def test_dry_run_writes_nothing(tmp_path, source):
    result = convert_volume(source, tmp_path / "out.ome.zarr", dry_run=True)
    assert (result["shape"], result["dry_run"]) == ([7, 11, 13], True)
    assert os.listdir(tmp_path) == ["in.tif"]


def test_refusals_come_before_any_work(tmp_path, source):
    with pytest.raises(ArgumentError, match=r"ends in \.ome\.zarr or \.ome\.tif"):
        convert_volume(source, tmp_path / "out.mrc")
    with pytest.raises(ArgumentError, match="another name than the input"):
        convert_volume(source, source, overwrite=True)
    convert_volume(source, tmp_path / "out.ome.zarr")
    with pytest.raises(ArgumentError, match="existing output"):
        convert_volume(source, tmp_path / "out.ome.zarr", dry_run=True)
    with pytest.raises(NotFoundError, match="found nothing there"):
        convert_volume(tmp_path / "absent.tif", tmp_path / "b.ome.zarr")


def test_a_voxel_size_must_come_from_somewhere(tmp_path, cube):
    path = tmp_path / "in.tif"
    tifffile.imwrite(path, cube, compression="zlib")
    with pytest.raises(UnitError, match="--voxel-size Z,Y,X"):
        convert_volume(path, tmp_path / "out.ome.zarr")
    convert_volume(path, tmp_path / "out.ome.zarr", voxel_size_zyx_nm=VOXEL)
    assert open_volume(tmp_path / "out.ome.zarr").grid.voxel_size_zyx_nm == VOXEL


def test_a_truncated_input_leaves_nothing(tmp_path, rng):
    data = rng.integers(0, 255, (9, 64, 64), dtype=np.uint8)
    path = tmp_path / "in.tif"
    tifffile.imwrite(path, data, compression="zlib", rowsperstrip=8)
    blob = bytearray(path.read_bytes())
    with tifffile.TiffFile(path) as tiff:
        start = tiff.pages[6].dataoffsets[2]
    blob[start : start + 40] = b"\xff" * 40
    path.write_bytes(blob)
    for name in ("out.ome.zarr", "out.ome.tif"):
        with pytest.raises(FormatError, match="cannot be decoded"):
            convert_volume(path, tmp_path / name, voxel_size_zyx_nm=VOXEL)
    assert os.listdir(tmp_path) == ["in.tif"]


def test_info_is_plain_and_complete(tmp_path, source, cube):
    info = volume_info(source)
    assert json.loads(json.dumps(info)) == info
    needed = {"shape", "axes", "dtype", "voxel_size_zyx_nm", "channels", "format", "metadata"}
    assert needed <= set(info)
    assert (info["shape"], info["axes"], info["dtype"]) == ([7, 11, 13], "zyx", "uint8")
    assert info["voxel_size_zyx_nm"] == pytest.approx(VOXEL)
    bare = tmp_path / "bare.tif"
    tifffile.imwrite(bare, cube, compression="zlib")
    found = volume_info(bare)
    assert found["voxel_size_zyx_nm"] is None
    assert "the file does not state its voxel size" in found["warnings"]


def test_info_reads_no_voxels(source, monkeypatch):
    from clemkit.volumes.readers.tiff_source import TiffSource
    from clemkit.volumes.source import RawSource

    def refuse(*args):
        raise AssertionError("voxels were read")

    monkeypatch.setattr(TiffSource, "_decode", refuse)
    monkeypatch.setattr(RawSource, "__getitem__", refuse)
    assert volume_info(source)["dtype"] == "uint8"


class Endless(BlockSource):
    """Voxels made on demand; remembers the largest block asked for."""

    def __init__(self, shape):
        super().__init__(shape, np.uint8)
        self.largest = self.total = 0

    def read_block(self, channel, start, stop):
        z, y, x = (np.arange(a, b) for a, b in zip(start, stop, strict=True))
        block = ((z[:, None, None] * 3 + y[:, None] * 5 + x) % 251).astype(np.uint8)
        self.largest = max(self.largest, block.nbytes)
        self.total += block.nbytes
        return block


@pytest.mark.parametrize("kind", ["ome-zarr", "ome-tiff"])
def test_memory_is_bounded_by_blocks_not_by_the_volume(tmp_path, monkeypatch, kind):
    """48 MiB in 1 MiB blocks: what is held at once is a small part, and voxels are read once."""
    shape = (192, 512, 512)
    monkeypatch.setattr(ome_zarr, "_BLOCK_BYTES", 1 << 20)
    monkeypatch.setattr(ome_tiff, "_SLAB_BYTES", 1 << 20)
    data = Endless(shape)
    grid = Grid(space=Space("em"), shape_zyx=shape, voxel_size_zyx_nm=(10.0, 10.0, 10.0))
    volume = Volume(data=data, grid=grid, modality="em")
    tracemalloc.start()
    try:
        if kind == "ome-zarr":
            write_ome_zarr(tmp_path / "out.ome.zarr", volume, chunks=(64, 64, 64))
        else:
            write_ome_tiff(tmp_path / "out.ome.tif", volume)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert data.largest <= 1 << 20
    assert data.total == np.prod(shape)
    assert peak < 24 << 20
    name = "out.ome.zarr" if kind == "ome-zarr" else "out.ome.tif"
    again = open_volume(tmp_path / name)
    np.testing.assert_array_equal(again.data[100:103, 300:305], data[100:103, 300:305])
