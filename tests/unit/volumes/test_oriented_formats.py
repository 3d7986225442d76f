"""MetaImage, NRRD and NIfTI, written by hand."""

from __future__ import annotations

import gzip
import struct
import zlib

import numpy as np
import pytest

from clemkit.errors import AxisError, FormatError, NotFoundError, UnitError
from clemkit.volumes import open_volume, probe

VOXEL = (50.0, 8.0, 10.0)
ORIGIN = (100.0, -20.0, 3.5)
META = """ObjectType = Image
NDims = 3
BinaryData = True
BinaryDataByteOrderMSB = {big}
CompressedData = {packed}
TransformMatrix = {matrix}
Offset = 3.5 -20 100
ElementSpacing = 10 8 50
DimSize = 13 11 7
{extra}ElementType = MET_{kind}
ElementDataFile = {where}
"""
NRRD = """NRRD0004
# made by hand
type: {kind}
dimension: 3
space: left-posterior-superior
sizes: 13 11 7
space directions: {directions}
kinds: domain domain domain
endian: {endian}
encoding: {encoding}
space origin: (3.5,-20,100)
{extra}
"""
NM = 'space units: "nm" "nm" "nm"\n'
ALONG = "(10,0,0) (0,8,0) (0,0,50)"


def write_mha(path, cube, *, kind="UCHAR", dtype="u1", big=False, packed=False,
              matrix="1 0 0 0 1 0 0 0 1", extra="DistanceUnits = nm\n", where="LOCAL"):  # fmt: skip
    data = cube.astype((">" if big else "<") + dtype).tobytes()
    data = zlib.compress(data) if packed else data
    head = META.format(big=big, packed=packed, matrix=matrix, kind=kind, where=where, extra=extra)
    if where == "LOCAL":
        path.write_bytes(head.encode() + data)
    else:
        path.write_text(head)
        (path.parent / where).write_bytes(data)
    return path


def write_nrrd(path, cube, *, kind="uint8", dtype="u1", endian="little", encoding="raw",
               directions=ALONG, extra=NM):  # fmt: skip
    data = cube.astype((">" if endian == "big" else "<") + dtype).tobytes()
    data = gzip.compress(data) if encoding != "raw" else data
    head = NRRD.format(
        kind=kind, endian=endian, encoding=encoding, directions=directions, extra=extra
    )
    path.write_bytes(head.encode() + data)
    return path


ITK = ((-1, 0, 0), (0, -1, 0), (0, 0, 1))


def write_nifti(path, cube, *, order="<", unit=3, scale=1e-3, sform=ITK, code=2, slope=0.0):
    """A NIfTI-1 file; the default frame is what ITK's identity becomes in NIfTI."""
    head = bytearray(352)
    extents = cube.shape[::-1]
    struct.pack_into(order + "i", head, 0, 348)
    struct.pack_into(f"{order}8h", head, 40, len(extents), *extents, *[1] * (7 - len(extents)))
    struct.pack_into(order + "2h", head, 70, code, 8 * cube.dtype.itemsize)
    spacing = (10 * scale, 8 * scale, 50 * scale)
    struct.pack_into(order + "8f", head, 76, 1, *spacing, 1, 1, 1, 1)
    struct.pack_into(order + "3f", head, 108, 352, slope, 0)
    head[123] = unit
    struct.pack_into(order + "2h", head, 252, 0, 1)
    offset = (-3.5 * scale, 20 * scale, 100 * scale)
    for row in range(3):
        values = [d * s for d, s in zip(sform[row], spacing, strict=True)]
        struct.pack_into(order + "4f", head, 280 + 16 * row, *values, offset[row])
    head[344:348] = b"n+1\0"
    data = bytes(head) + cube.astype(cube.dtype.newbyteorder(order)).tobytes()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def check(volume, cube, rel=1e-6):
    assert volume.grid.voxel_size_zyx_nm == pytest.approx(VOXEL, rel=rel)
    assert volume.grid.origin_zyx_nm == pytest.approx(ORIGIN, rel=rel)
    np.testing.assert_array_equal(volume.read(), cube)
    np.testing.assert_array_equal(volume.data[2:6:2, 3, 4:9], cube[2:6:2, 3, 4:9])


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(("kind", "dtype"), [("UCHAR", "u1"), ("SHORT", "i2"), ("FLOAT", "f4")])
def test_metaimage(tmp_path, cube, kind, dtype, big, packed):
    path = write_mha(tmp_path / "a.mha", cube, kind=kind, dtype=dtype, big=big, packed=packed)
    volume = open_volume(path)
    assert volume.dtype == np.dtype(dtype)
    check(volume, cube)


def test_metaimage_with_a_file_of_its_own(tmp_path, cube):
    path = write_mha(tmp_path / "a.mhd", cube, where="a.raw")
    check(open_volume(path), cube)
    (tmp_path / "a.raw").unlink()
    with pytest.raises(NotFoundError, match="expected its voxels"):
        open_volume(path)


def test_without_unit_the_given_size_scales_the_origin(tmp_path, cube):
    """The file's numbers are micrometres, which only the user knows."""
    path = write_mha(tmp_path / "a.mha", cube, extra="")
    with pytest.raises(UnitError, match=r"no unit.*pass the voxel size in nm"):
        open_volume(path)
    volume = open_volume(path, voxel_size_zyx_nm=(50e3, 8e3, 10e3))
    assert volume.grid.origin_zyx_nm == pytest.approx((100e3, -20e3, 3.5e3))


def test_rotated_and_mirrored_frames_are_told(tmp_path, cube):
    turned = write_mha(tmp_path / "a.mha", cube, matrix="0 1 0 -1 0 0 0 0 1")
    info = probe(turned)
    assert any("rotated in its frame" in w for w in info.warnings)
    assert info.origin_zyx_nm == (0, 0, 0)
    assert info.metadata["origin_xyz"] == [3.5, -20, 100]
    mirrored = write_mha(tmp_path / "b.mha", cube, matrix="-1 0 0 0 1 0 0 0 1")
    assert any("mirrored" in w for w in probe(mirrored).warnings)


def test_damaged_metaimage(tmp_path, cube):
    path = write_mha(tmp_path / "a.mha", cube, packed=True)
    whole = path.read_bytes()
    path.write_bytes(whole[:-200])
    with pytest.raises(FormatError, match="end too early"):
        open_volume(path).read()
    path.write_bytes(whole[:-200] + b"\0" * 200)
    with pytest.raises(FormatError, match="damaged"):
        open_volume(path).read()
    plain = write_mha(tmp_path / "b.mha", cube)
    plain.write_bytes(plain.read_bytes()[:-1])
    with pytest.raises(FormatError, match="truncated"):
        open_volume(plain)
    plain.write_text("ObjectType = Image\nNDims = 3\n")
    with pytest.raises(FormatError, match="ending in ElementDataFile"):
        open_volume(plain)


def test_metaimage_colours(tmp_path, rng):
    picture = rng.integers(0, 256, (7, 11, 13, 3), dtype=np.uint8)
    extra = "DistanceUnits = nm\nElementNumberOfChannels = 3\n"
    path = write_mha(tmp_path / "a.mha", picture, kind="UCHAR_ARRAY", extra=extra)
    with pytest.raises(AxisError, match="RGB picture"):
        open_volume(path)
    np.testing.assert_array_equal(open_volume(path, channel=1).read(), picture[..., 1])


@pytest.mark.parametrize("endian", ["little", "big"])
@pytest.mark.parametrize("encoding", ["raw", "gzip", "gz"])
@pytest.mark.parametrize(
    ("kind", "dtype"), [("uint8", "u1"), ("unsigned short", "u2"), ("double", "f8")]
)
def test_nrrd(tmp_path, cube, endian, encoding, kind, dtype):
    path = write_nrrd(
        tmp_path / "a.nrrd", cube, kind=kind, dtype=dtype, endian=endian, encoding=encoding
    )
    check(open_volume(path), cube)


def test_detached_nrrd(tmp_path, cube):
    extra = f"{NM}data file: a.raw\n"
    path = write_nrrd(tmp_path / "a.nhdr", cube, extra=extra)
    head = path.read_bytes()[: -cube.nbytes]
    path.write_bytes(head)
    (tmp_path / "a.raw").write_bytes(cube.tobytes())
    check(open_volume(path), cube)


def test_nrrd_without_unit_and_rotated(tmp_path, cube):
    path = write_nrrd(tmp_path / "a.nrrd", cube, extra="")
    with pytest.raises(UnitError, match="no unit"):
        open_volume(path)
    turned = write_nrrd(tmp_path / "b.nrrd", cube, directions="(0,10,0) (-8,0,0) (0,0,50)")
    assert any("rotated" in w for w in probe(turned).warnings)
    assert probe(turned).voxel_size_zyx_nm == pytest.approx(VOXEL)


def test_nrrd_refusals(tmp_path, cube):
    path = write_nrrd(tmp_path / "a.nrrd", cube, encoding="bzip2")
    with pytest.raises(FormatError, match="found 'bzip2'"):
        open_volume(path)
    mixed = write_nrrd(tmp_path / "b.nrrd", cube, extra='space units: "nm" "um" "nm"\n')
    with pytest.raises(FormatError, match="one unit for all axes"):
        open_volume(mixed)
    mixed.write_bytes(b"NRRD0004\ntype: uint8\n\n")
    with pytest.raises(FormatError, match="expected an NRRD header"):
        open_volume(mixed)


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
@pytest.mark.parametrize("order", ["<", ">"])
def test_nifti(tmp_path, cube, name, order):
    check(open_volume(write_nifti(tmp_path / name, cube, order=order)), cube)


def test_nifti_units(tmp_path, cube):
    millimetre = write_nifti(tmp_path / "a.nii", cube, unit=2, scale=1e-6)
    assert open_volume(millimetre).grid.voxel_size_zyx_nm == pytest.approx(VOXEL)
    for i, (unit, scale) in enumerate([(0, 1e-3), (2, 5.8e7), (3, 0.0)]):
        path = write_nifti(tmp_path / f"{i}.nii", cube, unit=unit, scale=scale)
        with pytest.raises(UnitError, match="pass the voxel size"):
            open_volume(path)
    assert any("implausible" in w for w in probe(tmp_path / "1.nii").warnings)


def test_nifti_in_its_own_frame_is_told(tmp_path, cube):
    """Right-anterior-superior axes are half a turn from left-posterior-superior ones."""
    path = write_nifti(tmp_path / "a.nii", cube, sform=((1, 0, 0), (0, 1, 0), (0, 0, 1)))
    assert any("rotated" in w for w in probe(path).warnings)
    mirrored = write_nifti(tmp_path / "b.nii", cube, sform=((1, 0, 0), (0, -1, 0), (0, 0, 1)))
    assert any("mirrored" in w for w in probe(mirrored).warnings)


def test_nifti_float_labels_are_labels(tmp_path, cube):
    labels = cube.astype("f8")
    path = write_nifti(tmp_path / "a.nii", labels, code=64)
    volume = open_volume(path, role="labels")
    assert volume.dtype == np.dtype("i8")
    np.testing.assert_array_equal(volume.read(), cube)


def test_nifti_scaling_is_told_not_applied(tmp_path, cube):
    path = write_nifti(tmp_path / "a.nii", cube, slope=2.0)
    assert any("scales them by 2" in w for w in probe(path).warnings)
    np.testing.assert_array_equal(open_volume(path).read(), cube)


def test_nifti_time_and_refusals(tmp_path, rng, cube):
    series = rng.integers(0, 255, (3, 7, 11, 13), dtype=np.uint8)
    path = write_nifti(tmp_path / "a.nii", series)
    with pytest.raises(AxisError, match="time series of 3"):
        open_volume(path)
    np.testing.assert_array_equal(open_volume(path, time=1).read(), series[1])
    rgb = write_nifti(tmp_path / "b.nii", cube, code=128)
    with pytest.raises(FormatError, match="data type 128"):
        open_volume(rgb)
    rgb.write_bytes(rgb.read_bytes()[:200])
    with pytest.raises(FormatError, match="single-file NIfTI header"):
        open_volume(rgb)
    cut = write_nifti(tmp_path / "c.nii", cube)
    cut.write_bytes(cut.read_bytes()[:-1])
    with pytest.raises(FormatError, match="truncated"):
        open_volume(cut)
