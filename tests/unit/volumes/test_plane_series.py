from __future__ import annotations

import zipfile

import imagecodecs
import numpy as np
import pytest
import tifffile

from clemkit.errors import AxisError, FormatError, UnitError
from clemkit.volumes import open_volume, probe

VOXEL = (50.0, 8.0, 10.0)


def write_planes(folder, cube, suffix):
    names = []
    for z, plane in enumerate(cube):
        path = folder / f"slice_{z + 5}{suffix}"  # 5 … 11: natural order differs from ASCII
        if suffix == ".png":
            path.write_bytes(imagecodecs.png_encode(plane))
        else:
            tifffile.imwrite(path, plane, compression="zlib")
        names.append(path)
    return names


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_folder_of_planes(tmp_path, cube, suffix, dtype):
    cube = cube.astype(dtype) * (200 if dtype == "uint16" else 1)
    write_planes(tmp_path, cube, suffix)
    (tmp_path / "README.md").write_text("not a plane")
    (tmp_path / f".hidden{suffix}").write_bytes(b"")
    info = probe(tmp_path)
    assert info.shape == cube.shape
    assert info.dtype == dtype
    volume = open_volume(tmp_path, voxel_size_zyx_nm=VOXEL)
    np.testing.assert_array_equal(volume.read(), cube)
    np.testing.assert_array_equal(volume.data[2:6:3, 4, 1:9], cube[2:6:3, 4, 1:9])
    with pytest.raises(UnitError, match="pass the voxel size in nm"):
        open_volume(tmp_path)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_planes_in_a_zip(tmp_path, cube, suffix):
    path = tmp_path / "planes.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for plane in reversed(write_planes(tmp_path, cube, suffix)):
            archive.write(plane, f"data/{plane.name}")
        archive.writestr(f"__MACOSX/data/._slice_5{suffix}", b"junk")
        archive.writestr("data/readme.txt", "text")
    volume = open_volume(path, voxel_size_zyx_nm=VOXEL)
    np.testing.assert_array_equal(volume.read(), cube)


def test_one_tiff_in_a_zip(tmp_path, cube):
    tifffile.imwrite(tmp_path / "v.tif", cube, imagej=True, resolution=(100, 125),
                     metadata={"axes": "ZYX", "spacing": 0.05, "unit": "um"})  # fmt: skip
    path = tmp_path / "v.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(tmp_path / "v.tif", "v.tif")
    volume = open_volume(path)
    assert volume.grid.voxel_size_zyx_nm == pytest.approx(VOXEL)
    np.testing.assert_array_equal(volume.read(), cube)
    assert probe(path).path == path


def test_damaged_zip(tmp_path, cube):
    path = tmp_path / "planes.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for plane in write_planes(tmp_path, cube, ".tif"):
            archive.write(plane, plane.name)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(FormatError, match="expected a ZIP archive"):
        open_volume(path)


def test_a_gap_in_the_numbering_is_told(tmp_path, cube):
    names = write_planes(tmp_path, cube, ".tif")
    names[3].unlink()
    assert any("between slice_7.tif and slice_9.tif" in w for w in probe(tmp_path).warnings)


def test_planes_of_unlike_shape(tmp_path, cube):
    names = write_planes(tmp_path, cube, ".tif")
    tifffile.imwrite(names[4], cube[4, :9])
    volume = open_volume(tmp_path, voxel_size_zyx_nm=VOXEL)
    np.testing.assert_array_equal(volume.data[:4], cube[:4])
    with pytest.raises(FormatError, match=r"slice_9.tif: expected a plane of \(11, 13, 1\)"):
        volume.read()


def test_folder_without_planes_or_with_both_kinds(tmp_path, cube):
    with pytest.raises(FormatError, match="expected TIFF or PNG planes; found none"):
        open_volume(tmp_path)
    write_planes(tmp_path, cube, ".tif")
    write_planes(tmp_path, cube, ".png")
    with pytest.raises(FormatError, match="found TIFF and PNG"):
        open_volume(tmp_path)


def test_folder_of_stacks_is_refused(tmp_path, cube):
    tifffile.imwrite(tmp_path / "a.tif", cube, compression="zlib", photometric="minisblack")
    tifffile.imwrite(tmp_path / "b.tif", cube, compression="zlib", photometric="minisblack")
    with pytest.raises(FormatError, match="expected one plane per file; found 7"):
        open_volume(tmp_path)


def test_single_png(tmp_path, cube):
    path = tmp_path / "a.png"
    path.write_bytes(imagecodecs.png_encode(cube[2]))
    volume = open_volume(path, voxel_size_zyx_nm=VOXEL)
    np.testing.assert_array_equal(volume.read(), cube[2:3])


def test_rgb_png_needs_a_channel(tmp_path, rng):
    picture = rng.integers(0, 256, (11, 13, 3), dtype=np.uint8)
    path = tmp_path / "mask.png"
    path.write_bytes(imagecodecs.png_encode(picture))
    with pytest.raises(AxisError, match="RGB picture"):
        open_volume(path, voxel_size_zyx_nm=VOXEL)
    blue = open_volume(path, voxel_size_zyx_nm=VOXEL, channel=2)
    np.testing.assert_array_equal(blue.read()[0], picture[..., 2])


def test_truncated_png(tmp_path, rng):
    path = tmp_path / "a.png"
    data = imagecodecs.png_encode(rng.integers(0, 256, (64, 64), dtype=np.uint8))
    path.write_bytes(data[: len(data) // 2])
    volume = open_volume(path, voxel_size_zyx_nm=VOXEL)
    with pytest.raises(FormatError, match="cannot be decoded"):
        volume.read()
    path.write_bytes(data[:10])
    with pytest.raises(FormatError, match="expected a PNG picture"):
        open_volume(path, voxel_size_zyx_nm=VOXEL)
