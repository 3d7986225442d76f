from __future__ import annotations

import pickle
import struct

import numpy as np
import pytest
import tifffile

from clemkit.errors import AxisError, FormatError, NotFoundError, UnitError
from clemkit.volumes import open_volume, probe

UM = {"PhysicalSizeXUnit": "µm", "PhysicalSizeYUnit": "µm", "PhysicalSizeZUnit": "µm"}
SIZES = {"PhysicalSizeX": 0.010, "PhysicalSizeY": 0.008, "PhysicalSizeZ": 0.05, **UM}
VOXEL = (50.0, 8.0, 10.0)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"compression": "zlib"},
        {"compression": "lzw", "rowsperstrip": 2},
        {"compression": "zstd", "tile": (16, 16)},
        {"tile": (16, 16)},
        {"rowsperstrip": 3},
        {"compression": "zlib", "predictor": True},
        {"bigtiff": True},
        {"byteorder": ">"},
    ],
    ids=str,
)
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_ome_tiff_layouts(tmp_path, rng, options, dtype):
    data = rng.integers(0, 200, (2, 7, 21, 37)).astype(dtype)
    path = tmp_path / "a.ome.tif"
    writer = {k: options[k] for k in ("bigtiff", "byteorder") if k in options}
    layout = {k: v for k, v in options.items() if k not in writer}
    metadata = {"axes": "CZYX", "Channel": {"Name": ["dna", "tubulin"]}, **SIZES}
    tifffile.imwrite(path, data, ome=True, metadata=metadata, **writer, **layout)
    volume = open_volume(path)
    assert volume.grid.voxel_size_zyx_nm == pytest.approx(VOXEL)
    assert volume.channels == ("dna", "tubulin")
    assert volume.dtype == dtype
    np.testing.assert_array_equal(volume.data[...], data)
    np.testing.assert_array_equal(volume.data[1, 2:6, 5:20, 30:36], data[1, 2:6, 5:20, 30:36])
    np.testing.assert_array_equal(open_volume(path, channel="tubulin").read(), data[1])


@pytest.mark.parametrize("axes", ["ZCYX", "CZYX", "TZCYX"])
def test_dimension_order(tmp_path, rng, axes):
    extent = {"T": 2, "Z": 5, "C": 3, "Y": 11, "X": 13}
    data = rng.integers(0, 200, [extent[a] for a in axes], dtype=np.uint8)
    path = tmp_path / "a.ome.tif"
    tifffile.imwrite(path, data, ome=True, metadata={"axes": axes, **SIZES})
    info = probe(path)
    assert info.axes == ("tczyx" if "T" in axes else "czyx")
    volume = open_volume(path, time=1 if "T" in axes else None)
    one = data[1] if "T" in axes else data
    expected = one.transpose([axes.replace("T", "").index(a) for a in "CZYX"])
    np.testing.assert_array_equal(volume.data[...], expected)


def test_time_series_needs_a_time_point(tmp_path, rng):
    data = rng.integers(0, 200, (3, 4, 11, 13), dtype=np.uint8)
    path = tmp_path / "a.ome.tif"
    tifffile.imwrite(path, data, ome=True, metadata={"axes": "TZYX", **SIZES})
    with pytest.raises(AxisError, match="time series of 3 points; choose a time point"):
        open_volume(path)
    np.testing.assert_array_equal(open_volume(path, time=2).read(), data[2])
    with pytest.raises(AxisError, match="time point 3: expected 0 to 2"):
        open_volume(path, time=3)


def test_multi_file_ome_tiff(tmp_path, rng):
    """A set written by hand: planes 0-1 in one file, 2-3 in the other."""
    data = rng.integers(0, 200, (4, 11, 13), dtype=np.uint8)
    parts = "".join(
        f'<TiffData FirstZ="{z}" IFD="{z % 2}" PlaneCount="1">'
        f'<UUID FileName="part{z // 2}.ome.tif">urn:uuid:{z // 2:032d}</UUID></TiffData>'
        for z in range(4)
    )
    for part in range(2):
        xml = (
            '<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" '
            f'UUID="urn:uuid:{part:032d}"><Image ID="Image:0"><Pixels ID="Pixels:0" '
            'DimensionOrder="XYZCT" Type="uint8" SizeX="13" SizeY="11" SizeZ="4" SizeC="1" '
            'SizeT="1" PhysicalSizeX="10" PhysicalSizeXUnit="nm" PhysicalSizeY="8" '
            'PhysicalSizeYUnit="nm" PhysicalSizeZ="50" PhysicalSizeZUnit="nm">'
            f"{parts}</Pixels></Image></OME>"
        )
        tifffile.imwrite(
            tmp_path / f"part{part}.ome.tif",
            data[2 * part : 2 * part + 2],
            description=xml,
            metadata=None,
            photometric="minisblack",
            compression="zlib",
        )
    volume = open_volume(tmp_path / "part0.ome.tif")
    np.testing.assert_array_equal(volume.read(), data)
    (tmp_path / "part1.ome.tif").unlink()
    with pytest.raises(FormatError, match=r"lacks sibling files|truncated"):
        open_volume(tmp_path / "part0.ome.tif")


def test_several_images_in_one_file(tmp_path, rng):
    path = tmp_path / "a.ome.tif"
    images = [rng.integers(0, 200, (n, 11, 13), dtype=np.uint8) for n in (3, 5)]
    with tifffile.TiffWriter(path, ome=True) as tiff:
        for i, image in enumerate(images):
            tiff.write(image, metadata={"axes": "ZYX", "Name": f"scene {i}", **SIZES})
    assert probe(path).series == ("scene 0", "scene 1")
    np.testing.assert_array_equal(open_volume(path, series=1).read(), images[1])
    np.testing.assert_array_equal(open_volume(path, series="scene 1").read(), images[1])
    with pytest.raises(NotFoundError, match="expected 0 to 1"):
        open_volume(path, series=2)


def test_pyramidal_ome_tiff(tmp_path, rng):
    data = rng.integers(0, 200, (3, 32, 48), dtype=np.uint8)
    path = tmp_path / "a.ome.tif"
    with tifffile.TiffWriter(path, ome=True) as tiff:
        tiff.write(data, subifds=1, tile=(16, 16), metadata={"axes": "ZYX", **SIZES})
        tiff.write(data[:, ::2, ::2], subfiletype=1, tile=(16, 16))
    assert probe(path).levels == ((3, 32, 48), (3, 16, 24))
    coarse = open_volume(path, level=1)
    np.testing.assert_array_equal(coarse.read(), data[:, ::2, ::2])
    assert coarse.grid.voxel_size_zyx_nm == pytest.approx((50, 16, 20))
    assert coarse.grid.origin_zyx_nm == pytest.approx((0, 4, 5))


def test_imagej_stack(tmp_path, cube):
    path = tmp_path / "a.tif"
    tags = {"axes": "ZYX", "spacing": 0.05, "unit": "\\u00B5m"}
    tifffile.imwrite(path, cube, imagej=True, metadata=tags, resolution=(100, 125))
    volume = open_volume(path)
    assert volume.grid.voxel_size_zyx_nm == pytest.approx(VOXEL)
    np.testing.assert_array_equal(volume.read(), cube)


def test_imagej_stack_without_spacing_is_refused(tmp_path, cube):
    path = tmp_path / "a.tif"
    tifffile.imwrite(
        path, cube, imagej=True, metadata={"axes": "ZYX", "unit": "um"}, resolution=(100, 125)
    )
    info = probe(path)
    assert info.voxel_size_zyx_nm is None
    assert info.metadata["stated_size_nm"] == pytest.approx({"y": 8.0, "x": 10.0})
    with pytest.raises(UnitError, match=r"no z size.*--voxel-size Z,Y,X"):
        open_volume(path)
    assert open_volume(path, voxel_size_zyx_nm=VOXEL).grid.voxel_size_zyx_nm == VOXEL


@pytest.mark.parametrize("unit", ["", "pixel", "furlong"])
def test_imagej_without_a_length_unit(tmp_path, cube, unit):
    path = tmp_path / "a.tif"
    tags = {"axes": "ZYX", "spacing": 2.0, "unit": unit}
    tifffile.imwrite(path, cube, imagej=True, metadata=tags, resolution=(1, 1))
    with pytest.raises(UnitError, match="pass the voxel size in nm"):
        open_volume(path)


@pytest.mark.parametrize("size", [0.0, -1.0])
def test_a_size_of_zero_is_missing(tmp_path, cube, size):
    path = tmp_path / "a.ome.tif"
    metadata = {"axes": "ZYX", **SIZES, "PhysicalSizeX": size}
    tifffile.imwrite(path, cube, ome=True, metadata=metadata)
    info = probe(path)
    assert info.voxel_size_zyx_nm is None
    assert any("missing" in w for w in info.warnings)


def test_ome_unit_default_is_micrometre(tmp_path, cube):
    path = tmp_path / "a.ome.tif"
    sizes = {k: v for k, v in SIZES.items() if "Unit" not in k}
    tifffile.imwrite(path, cube, ome=True, metadata={"axes": "ZYX", **sizes})
    assert open_volume(path).grid.voxel_size_zyx_nm == pytest.approx(VOXEL)


def test_a_plane_takes_its_z_size_from_its_pixels(tmp_path, cube):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, cube[3], resolution=(1e6, 1.25e6), resolutionunit="CENTIMETER")
    info = probe(path)
    assert info.shape == (1, 11, 13)
    assert info.voxel_size_zyx_nm == pytest.approx((9.0, 8.0, 10.0))
    assert any("mean of y and x" in w for w in info.warnings)
    np.testing.assert_array_equal(open_volume(path).read(), cube[3:4])


@pytest.mark.parametrize(("resolution", "unit"), [(300, "INCH"), (72, "INCH"), (118, "CENTIMETER")])
def test_printing_resolution_is_no_pixel_size(tmp_path, cube, resolution, unit):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, cube[0], resolution=(resolution, resolution), resolutionunit=unit)
    info = probe(path)
    assert info.voxel_size_zyx_nm is None
    assert any("printing" in w for w in info.warnings)


def test_unnamed_axis_is_z_with_a_remark(tmp_path, cube):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, cube, compression="zlib")
    info = probe(path)
    assert (info.axes, info.shape) == ("zyx", cube.shape)
    assert any("taken as z" in w for w in info.warnings)
    np.testing.assert_array_equal(open_volume(path, voxel_size_zyx_nm=VOXEL).read(), cube)


@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_rgb_needs_a_channel(tmp_path, rng, planar, compression):
    picture = rng.integers(0, 256, (11, 13, 3), dtype=np.uint8)
    stored = picture if planar == "contig" else np.moveaxis(picture, -1, 0)
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, stored, photometric="rgb", planarconfig=planar, compression=compression)
    assert probe(path).is_rgb
    with pytest.raises(AxisError, match="RGB picture; choose a channel"):
        open_volume(path, voxel_size_zyx_nm=VOXEL)
    green = open_volume(path, voxel_size_zyx_nm=VOXEL, channel="green")
    assert green.channels == ("green",)
    np.testing.assert_array_equal(green.read()[0], picture[..., 1])
    np.testing.assert_array_equal(green.data[0, 2:5, 7], picture[2:5, 7, 1])


@pytest.mark.parametrize("keep", [0.3, 0.7, 0.97])
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_truncated_file_is_one_line(tmp_path, rng, keep, compression):
    data = rng.integers(0, 256, (9, 64, 64), dtype=np.uint8)
    path = tmp_path / "a.ome.tif"
    tifffile.imwrite(
        path, data, ome=True, metadata={"axes": "ZYX", **SIZES}, compression=compression
    )
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * keep)])
    with pytest.raises(FormatError) as caught:
        open_volume(path).read()
    assert "\n" not in str(caught.value)


def test_no_tiff_at_all(tmp_path):
    path = tmp_path / "a.tif"
    path.write_bytes(b"this is a text, not a picture")
    with pytest.raises(FormatError, match="expected a readable TIFF file"):
        open_volume(path)


def test_broken_ome_xml_is_a_warning(tmp_path, cube):
    path = tmp_path / "a.ome.tif"
    xml = '<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">'
    tifffile.imwrite(path, cube, description=xml, metadata=None, photometric="minisblack")
    info = probe(path)
    assert info.shape == cube.shape
    assert info.voxel_size_zyx_nm is None


def test_thermofisher_pixel_size(tmp_path, cube):
    text = (
        "[Beam]\r\nBeam=EBeam\r\nScan=EScan\r\n[Scan]\r\nPixelWidth=9e-09\r\nPixelHeight=9e-09\r\n"
        "[EScan]\r\nPixelWidth=1e-08\r\nPixelHeight=8e-09\r\n"
    )
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, cube[0], extratags=[(34682, 2, None, text, True)])
    info = probe(path)
    assert info.voxel_size_zyx_nm == pytest.approx((9.0, 8.0, 10.0))
    assert info.metadata["thermofisher"]["Beam"]["Beam"] == "EBeam"


def test_only_touched_planes_are_decoded(tmp_path, rng, monkeypatch):
    data = rng.integers(0, 256, (40, 32, 32), dtype=np.uint8)
    path = tmp_path / "a.ome.tif"
    tifffile.imwrite(
        path, data, ome=True, metadata={"axes": "ZYX", **SIZES}, compression="zlib", tile=(16, 16)
    )
    volume = open_volume(path)
    calls = []
    decode = type(volume.data)._decode
    monkeypatch.setattr(type(volume.data), "_decode", lambda *a: calls.append(a[2]) or decode(*a))
    np.testing.assert_array_equal(volume.data[20:23, 3:9, 2:30], data[20:23, 3:9, 2:30])
    assert calls == [0, 1] * 3  # the upper two tiles of three planes
    volume.data[20:23, 3:9, 2:30]
    assert len(calls) == 6  # cached


def test_source_survives_pickling(tmp_path, cube):
    path = tmp_path / "a.ome.tif"
    tifffile.imwrite(path, cube, ome=True, metadata={"axes": "ZYX", **SIZES}, compression="zlib")
    source = open_volume(path).data
    assert source[1, 2, 3] == cube[1, 2, 3]
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(source))[...], cube)


def test_hand_made_minimal_tiff(tmp_path, cube):
    """Planes written byte by byte: one uncompressed strip each, classic little-endian."""
    depth, height, width = cube.shape
    blob = bytearray(struct.pack("<2sHI", b"II", 42, 8 + cube.nbytes + cube.nbytes % 2))
    blob += cube.tobytes() + b"\0" * (cube.nbytes % 2)
    for z in range(depth):
        entries = [
            (256, 4, width), (257, 4, height), (258, 3, 8), (259, 3, 1), (262, 3, 1),
            (273, 4, 8 + z * height * width), (277, 3, 1), (278, 4, height),
            (279, 4, height * width),
        ]  # fmt: skip
        following = len(blob) + 2 + 12 * len(entries) + 4
        blob += struct.pack("<H", len(entries))
        for tag, kind, value in entries:
            blob += struct.pack("<HHII", tag, kind, 1, value)
        blob += struct.pack("<I", following if z + 1 < depth else 0)
    path = tmp_path / "a.tif"
    path.write_bytes(blob)
    np.testing.assert_array_equal(open_volume(path, voxel_size_zyx_nm=VOXEL).read(), cube)
