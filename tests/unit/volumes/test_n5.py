from __future__ import annotations

import bz2
import gzip
import json
import lzma
import pickle
import struct
import zlib

import numcodecs
import numpy as np
import pytest

from clemkit.errors import AxisError, FormatError, NotFoundError, UnitError
from clemkit.volumes import open_volume, probe

VOXEL = (50.0, 8.0, 10.0)
BLOCK = (3, 4, 5)  # z, y, x
COMMENT = "/*-\n * #%L\n * a licence\n * #L%\n */\n"


def lz4_java(data: bytes) -> bytes:
    """Frame as lz4-java does: one packed block, one stored block, an empty one to end."""
    half = len(data) // 2
    packed = numcodecs.LZ4().encode(data[:half])[4:]
    blocks = [(0x20, packed, half), (0x10, data[half:], len(data) - half), (0x10, b"", 0)]
    return b"".join(
        b"LZ4Block" + bytes([token]) + struct.pack("<iii", len(part), plain, 0) + bytes(part)
        for token, part, plain in blocks
    )


CODECS = {
    "raw": ({"type": "raw"}, bytes),
    "gzip": ({"type": "gzip", "level": 5}, gzip.compress),
    "zlib": ({"type": "gzip", "useZlib": True}, zlib.compress),
    "bzip2": ({"type": "bzip2"}, bz2.compress),
    "xz": ({"type": "xz"}, lzma.compress),
    "zstd": ({"type": "zstd"}, lambda data: bytes(numcodecs.Zstd().encode(data))),
    "blosc": ({"type": "blosc"}, lambda data: bytes(numcodecs.Blosc().encode(data))),
    "lz4": ({"type": "lz4"}, lz4_java),
}


def write_n5(folder, data, codec="gzip", attributes=None, comment=""):
    """Write a data set by hand: z, y, x data in 3 x 4 x 5 blocks; all-zero blocks are left out."""
    described, encode = CODECS[codec]
    folder.mkdir(parents=True)
    values = {
        "dimensions": list(reversed(data.shape)),
        "blockSize": list(reversed(BLOCK)),
        "dataType": str(data.dtype),
        "compression": described,
        **(attributes or {}),
    }
    (folder / "attributes.json").write_text(comment + json.dumps(values))
    for start in np.ndindex(*(-(-n // b) for n, b in zip(data.shape, BLOCK, strict=True))):
        part = data[tuple(slice(i * b, (i + 1) * b) for i, b in zip(start, BLOCK, strict=True))]
        if not part.any():
            continue
        path = folder.joinpath(*(str(i) for i in reversed(start)))
        path.parent.mkdir(parents=True, exist_ok=True)
        header = struct.pack(">HH3I", 0, 3, *reversed(part.shape))
        path.write_bytes(header + encode(part.astype(part.dtype.newbyteorder(">")).tobytes()))
    return folder


SIZED = {"pixelResolution": {"unit": "nm", "dimensions": [10, 8, 50]}}


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_codecs(tmp_path, cube, codec, dtype):
    data = cube.astype(dtype)
    path = write_n5(tmp_path / "a.n5", data, codec, SIZED)
    volume = open_volume(path)
    assert volume.grid.voxel_size_zyx_nm == pytest.approx(VOXEL)
    np.testing.assert_array_equal(volume.read(), data)
    np.testing.assert_array_equal(volume.data[2:5, 7, 1:12:2], data[2:5, 7, 1:12:2])
    assert open_volume(path).data[...].dtype == dtype


def test_absent_blocks_are_zero(tmp_path, cube):
    cube[:3] = 0
    cube[3:, 4:8, 5:10] = 0
    path = write_n5(tmp_path / "a.n5", cube, "gzip", SIZED)
    assert not (path / "0" / "0" / "0").exists()
    np.testing.assert_array_equal(open_volume(path).read(), cube)


def test_a_comment_may_begin_the_attributes(tmp_path, cube):
    path = write_n5(tmp_path / "a.n5", cube, "gzip", SIZED, comment=COMMENT)
    np.testing.assert_array_equal(open_volume(path).read(), cube)


@pytest.mark.parametrize(
    "attributes",
    [
        {"resolution": [10, 8, 50], "units": ["nm", "nm", "nm"]},
        {"resolution": [0.010, 0.008, 0.05], "units": "um"},
        {"pixelResolution": {"unit": "µm", "dimensions": [0.01, 0.008, 0.05]}},
    ],
)
def test_ways_to_state_a_size(tmp_path, cube, attributes):
    volume = open_volume(write_n5(tmp_path / "a.n5", cube, "raw", attributes))
    assert volume.grid.voxel_size_zyx_nm == pytest.approx(VOXEL)


@pytest.mark.parametrize("attributes", [{}, {"resolution": [10, 8, 50]}])
def test_no_unit_is_refused(tmp_path, cube, attributes):
    with pytest.raises(UnitError, match="pass the voxel size"):
        open_volume(write_n5(tmp_path / "a.n5", cube, "raw", attributes))


def test_multi_resolution_group(tmp_path, cube):
    group = tmp_path / "a.n5" / "vol"
    write_n5(group / "s0", cube)
    write_n5(group / "s1", cube[:, ::2, ::2], attributes={"downsamplingFactors": [2, 2, 1]})
    values = {"resolution": [10, 8, 50], "units": "nm"}
    (group / "attributes.json").write_text(json.dumps(values))
    (tmp_path / "a.n5" / "attributes.json").write_text('{"n5": "2.0.0"}')
    assert probe(tmp_path / "a.n5").levels == ((7, 11, 13), (7, 6, 7))
    coarse = open_volume(tmp_path / "a.n5", level=1)
    assert coarse.grid.voxel_size_zyx_nm == pytest.approx((50, 16, 20))
    assert coarse.grid.origin_zyx_nm == pytest.approx((0, 4, 5))
    with pytest.raises(NotFoundError, match="expected 0 to 1"):
        open_volume(tmp_path / "a.n5", level=2)


def test_several_data_sets_need_a_choice(tmp_path, cube):
    root = tmp_path / "a.n5"
    write_n5(root / "raw", cube, attributes=SIZED)
    write_n5(root / "seg" / "labels", cube.astype("u8"), attributes=SIZED)
    (root / "attributes.json").write_text('{"n5": "2.0.0"}')
    assert probe(root).datasets == ("raw", "seg/labels")
    with pytest.raises(NotFoundError, match="found several: raw, seg/labels"):
        open_volume(root)
    np.testing.assert_array_equal(open_volume(root, dataset="seg/labels").read(), cube)
    np.testing.assert_array_equal(open_volume(root / "seg" / "labels").read(), cube)
    with pytest.raises(NotFoundError, match="expected one of"):
        open_volume(root, dataset="nothing")


def test_damaged_block_and_attributes(tmp_path, cube):
    path = write_n5(tmp_path / "a.n5", cube, "gzip", SIZED)
    volume = open_volume(path)
    block = path / "1" / "1" / "1"
    block.write_bytes(block.read_bytes()[:30])
    with pytest.raises(FormatError, match="the block is damaged"):
        volume.read()
    (path / "attributes.json").write_text("{not json")
    with pytest.raises(FormatError, match="expected JSON"):
        open_volume(path)


def test_unknown_codec_and_unnamed_axes(tmp_path, cube):
    path = write_n5(tmp_path / "a.n5", cube, "raw", {"compression": {"type": "jpeg"}, **SIZED})
    with pytest.raises(FormatError, match="compression 'jpeg' is not supported"):
        open_volume(path).read()
    values = {"dimensions": [5, 5, 5, 2], "blockSize": [5, 5, 5, 2], "dataType": "uint8",
              "compression": {"type": "raw"}}  # fmt: skip
    (path / "attributes.json").write_text(json.dumps(values))
    with pytest.raises(AxisError, match="named axes for 4 axes"):
        open_volume(path)
    values["axes"] = ["x", "y", "z", "c"]
    (path / "attributes.json").write_text(json.dumps(values))
    assert probe(path).axes == "czyx"


def test_source_survives_pickling(tmp_path, cube):
    source = open_volume(write_n5(tmp_path / "a.n5", cube, "gzip", SIZED)).data
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(source))[...], cube)
