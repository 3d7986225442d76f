from __future__ import annotations

import struct

import mrcfile
import numpy as np
import pytest

from clemkit.errors import AxisError, FormatError, UnitError
from clemkit.volumes import open_volume, probe

VOXEL = (50.0, 8.0, 10.0)


def write(path, data, voxel_zyx_nm=VOXEL):
    with mrcfile.new(path) as mrc:
        mrc.set_data(data)
        z, y, x = (10 * v for v in voxel_zyx_nm)
        mrc.voxel_size = (x, y, z)
        if data.ndim == 3:
            mrc.set_volume()
            mrc.voxel_size = (x, y, z)
    return path


def patch(path, offset, code, *values):
    data = bytearray(path.read_bytes())
    struct.pack_into(code, data, offset, *values)
    path.write_bytes(data)


@pytest.mark.parametrize("dtype", ["int8", "int16", "uint16", "float32", "float16"])
def test_modes(tmp_path, cube, dtype):
    data = (cube.astype("i4") - 100).astype(dtype)
    volume = open_volume(write(tmp_path / "a.mrc", data))
    assert volume.dtype == dtype
    assert volume.grid.voxel_size_zyx_nm == pytest.approx(VOXEL, rel=1e-6)
    np.testing.assert_array_equal(volume.read(), data)
    np.testing.assert_array_equal(volume.data[2:4, 5, 1:9], data[2:4, 5, 1:9])


def test_axis_order_is_brought_to_zyx(tmp_path, cube):
    """Columns z, rows x, sections y, as some maps of the EM data bank are stored."""
    path = write(tmp_path / "a.map", np.ascontiguousarray(cube.transpose(1, 2, 0)).astype("f4"))
    patch(path, 64, "<3i", 3, 1, 2)
    patch(path, 28, "<3i", 13, 11, 7)  # sampling along x, y, z
    patch(path, 40, "<3f", 1300.0, 880.0, 3500.0)  # cell along x, y, z in angstrom
    volume = open_volume(path)
    assert volume.grid.voxel_size_zyx_nm == pytest.approx(VOXEL)
    np.testing.assert_array_equal(volume.read(), cube)


def test_big_endian(tmp_path, cube):
    path = write(tmp_path / "a.mrc", cube.astype("i2"))
    data = path.read_bytes()
    words = np.frombuffer(data[:1024], "<i4").copy()
    swapped = bytearray(words.byteswap().tobytes())
    swapped[104:108], swapped[208:212] = data[104:108], data[208:212]
    swapped[212:216] = b"\x11\x11\0\0"
    path.write_bytes(bytes(swapped) + cube.astype(">i2").tobytes())
    volume = open_volume(path)
    assert volume.dtype == np.dtype("i2")
    np.testing.assert_array_equal(volume.read(), cube)


def test_no_map_id_nor_stamp_is_a_warning(tmp_path, cube):
    path = write(tmp_path / "a.mrc", cube.astype("i2"))
    patch(path, 208, "8s", b"\0" * 8)
    info = probe(path)
    assert any("no MAP id" in w for w in info.warnings)
    np.testing.assert_array_equal(open_volume(path).read(), cube)


def test_bytes_are_unsigned_before_mrc2014_and_as_imod_says(tmp_path, cube):
    path = write(tmp_path / "a.mrc", cube.view("i1"))
    assert open_volume(path).dtype == "int8"
    patch(path, 152, "<2i", 1146047817, 0)
    np.testing.assert_array_equal(open_volume(path).read(), cube)
    patch(path, 152, "<2i", 1146047817, 1)
    assert open_volume(path).dtype == "int8"
    patch(path, 152, "<2i", 0, 0)
    patch(path, 108, "<i", 0)
    assert any("unsigned" in w for w in probe(path).warnings)
    np.testing.assert_array_equal(open_volume(path).read(), cube)


def test_z_cell_unlike_xy_is_a_warning(tmp_path, cube):
    path = write(tmp_path / "a.mrc", cube.astype("i2"), (22.36, 178.88, 178.88))
    assert any("unlike x and y" in w for w in probe(path).warnings)


@pytest.mark.parametrize("cell", [0.0, -5.0])
def test_empty_cell_is_refused(tmp_path, cube, cell):
    path = write(tmp_path / "a.mrc", cube.astype("i2"))
    patch(path, 40, "<3f", cell, cell, cell)
    with pytest.raises(UnitError, match="pass the voxel size in nm"):
        open_volume(path)


def test_extended_header_is_skipped(tmp_path, cube):
    path = write(tmp_path / "a.mrc", cube.astype("i2"))
    patch(path, 92, "<i", 160)
    data = path.read_bytes()
    path.write_bytes(data[:1024] + b"\7" * 160 + data[1024:])
    np.testing.assert_array_equal(open_volume(path).read(), cube)


def test_refusals(tmp_path, cube):
    path = write(tmp_path / "a.mrc", cube.astype("i2"))
    whole = path.read_bytes()
    patch(path, 12, "<i", 4)
    with pytest.raises(FormatError, match="mode 4: complex"):
        open_volume(path)
    path.write_bytes(whole[:-10])
    with pytest.raises(FormatError, match="truncated"):
        open_volume(path)
    path.write_bytes(whole[:500])
    with pytest.raises(FormatError, match="header of 1024 bytes"):
        open_volume(path)
    path.write_bytes(b"\xff" * 2000)
    with pytest.raises(FormatError, match="plausible MRC header"):
        open_volume(path)


def test_stack_of_volumes_is_refused(tmp_path, rng):
    path = tmp_path / "a.mrc"
    with mrcfile.new(path) as mrc:
        mrc.set_data(rng.integers(0, 9, (2, 4, 5, 6)).astype("i2"))
    with pytest.raises(AxisError, match="stack of 2 volumes"):
        open_volume(path)
