from __future__ import annotations

import os
import resource

import numpy as np
import pytest
import tifffile

from clemkit.errors import ArgumentError, DataError
from clemkit.volumes import Volume, open_volume, write_ome_tiff
from clemkit.volumes.writers import ome_tiff as writer


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32", "bool"])
@pytest.mark.parametrize("compress", [False, True])
def test_round_trip(tmp_path, volume, dtype, compress):
    data = volume.data > 99 if dtype == "bool" else volume.data.astype(dtype)
    one = Volume(data=data, grid=volume.grid, modality="em")
    path = write_ome_tiff(tmp_path / "a.ome.tif", one, compress=compress)
    again = open_volume(path)
    assert again.grid == volume.grid  # the origin too
    np.testing.assert_array_equal(again.read(), data)


def test_other_readers_agree(tmp_path, rng, grid, monkeypatch):
    ome_types = pytest.importorskip("ome_types")
    monkeypatch.setattr(writer, "_SLAB_BYTES", 400)  # several slabs
    data = rng.integers(0, 60000, (2, *grid.shape_zyx), dtype=np.uint16)
    volume = Volume(data=data, grid=grid, modality="lm", channels=("dna", 'mito "µ" <&>'))
    path = write_ome_tiff(tmp_path / "a.ome.tif", volume)
    np.testing.assert_array_equal(tifffile.imread(path), data)
    pixels = ome_types.from_tiff(path).images[0].pixels
    assert [c.name for c in pixels.channels] == ["dna", 'mito "µ" <&>']
    sizes = pixels.physical_size_z, pixels.physical_size_y, pixels.physical_size_x
    assert sizes == grid.voxel_size_zyx_nm
    assert pixels.physical_size_z_unit.value == "nm"
    assert open_volume(path).channels == volume.channels


def test_big_files_get_64_bit_offsets(tmp_path, volume, monkeypatch):
    monkeypatch.setattr(writer, "_CLASSIC", 500)
    path = write_ome_tiff(tmp_path / "a.ome.tif", volume)
    with tifffile.TiffFile(path) as tiff:
        assert tiff.is_bigtiff
    np.testing.assert_array_equal(open_volume(path).read(), volume.data)


def test_labels_beyond_32_bits_are_refused(tmp_path, grid, cube):
    labels = cube.astype("i8")
    volume = Volume(data=labels, grid=grid, modality="em", role="labels")
    path = write_ome_tiff(tmp_path / "a.ome.tif", volume)
    assert open_volume(path).dtype == "uint32"
    labels[6, 5, 4] = 1 << 40
    with pytest.raises(DataError, match="expected labels below 2"):
        write_ome_tiff(tmp_path / "b.ome.tif", volume)
    with pytest.raises(ArgumentError, match="write OME-Zarr instead"):
        write_ome_tiff(tmp_path / "b.ome.tif", Volume(data=labels, grid=grid, modality="em"))
    assert os.listdir(tmp_path) == ["a.ome.tif"]


def test_disk_full_leaves_nothing(tmp_path, volume):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (600, before[1]))
    try:
        with pytest.raises(DataError, match="nothing was left behind"):
            write_ome_tiff(tmp_path / "a.ome.tif", volume, compress=False)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert os.listdir(tmp_path) == []


def test_existing_output_is_kept(tmp_path, volume):
    path = tmp_path / "a.ome.tif"
    path.write_text("mine")
    with pytest.raises(ArgumentError, match="existing output"):
        write_ome_tiff(path, volume)
    assert path.read_text() == "mine"
    write_ome_tiff(path, volume, overwrite=True)
    np.testing.assert_array_equal(open_volume(path).read(), volume.data)
