"""Gatan files, written by hand from the described layout."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from clemkit.errors import AxisError, FormatError, NotFoundError, UnitError
from clemkit.volumes import open_volume, probe

VOXEL = (50.0, 8.0, 10.0)
CODES = {"u1": (6, 10), "i2": (1, 2), "u2": (10, 4), "i4": (7, 3), "f4": (2, 6), "f8": (12, 7)}


class DmWriter:
    """The tag tree as bytes; dm4 has 64-bit counts and entry lengths."""

    def __init__(self, version: int, order: str) -> None:
        self.version, self.order = version, order
        self.word = ">Q" if version == 4 else ">I"

    def count(self, n):
        return struct.pack(self.word, n)

    def entry(self, kind, name, body):
        head = struct.pack(">BH", kind, len(name)) + name.encode("latin-1")
        return head + (self.count(len(body)) if self.version == 4 else b"") + body

    def group(self, entries):
        return b"\0\0" + self.count(len(entries)) + b"".join(entries)

    def data(self, types, raw):
        return b"%%%%" + self.count(len(types)) + b"".join(self.count(t) for t in types) + raw

    def scalar(self, name, code, fmt, value):
        body = self.data([code], struct.pack(("<" if self.order == "<" else ">") + fmt, value))
        return self.entry(21, name, body)

    def text(self, name, text):
        raw = text.encode("utf-16-le" if self.order == "<" else "utf-16-be")
        return self.entry(21, name, self.data([20, 4, len(text)], raw))

    def image(self, data, spacing, units, origins):
        code, element = CODES[data.dtype.str[1:]]
        dims = [self.scalar("", 3, "i", n) for n in reversed(data.shape)]
        calibrations = [
            self.entry(20, "", self.group([
                self.scalar("Origin", 6, "f", o), self.scalar("Scale", 6, "f", s),
                self.text("Units", u),
            ]))
            for s, u, o in zip(spacing, units, origins, strict=True)
        ]  # fmt: skip
        raw = data.astype(data.dtype.newbyteorder(self.order)).tobytes()
        body = [
            self.entry(20, "Calibrations", self.group([
                self.entry(20, "Dimension", self.group(calibrations))])),
            self.entry(21, "Data", self.data([20, element, data.size], raw)),
            self.scalar("DataType", 3, "i", code),
            self.entry(20, "Dimensions", self.group(dims)),
            self.entry(21, "Rect", self.data([15, 0, 2, 0, 2, 0, 2], b"\1\0\2\0")),
        ]  # fmt: skip
        tags = [self.text("Operator", "Ada"), self.scalar("Voltage", 7, "d", 3e5)]
        return self.entry(
            20,
            "",
            self.group(
                [
                    self.entry(20, "ImageData", self.group(body)),
                    self.entry(20, "ImageTags", self.group(tags)),
                    self.text("Name", "grid 7"),
                ]
            ),
        )

    def file(self, images):
        root = self.group([self.entry(20, "ImageList", self.group(images))])
        head = struct.pack(">I", self.version) + self.count(len(root))
        return head + struct.pack(">I", 1 if self.order == "<" else 0) + root + b"\0" * 8


def write_dm(path, data, *, order="<", spacing=(10, 8, 50), units=("nm",) * 3,
             origins=(-0.35, 2.5, -2.0), thumbnail=True):  # fmt: skip
    writer = DmWriter(int(path.suffix[-1]), order)
    n = data.ndim
    images = [writer.image(np.zeros((2, 3), "i4"), (1, 1), ("", ""), (0, 0))] if thumbnail else []
    images.append(writer.image(data, spacing[:n], units[:n], origins[:n]))
    path.write_bytes(writer.file(images))
    return path


@pytest.mark.parametrize("name", ["a.dm3", "a.dm4"])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("dtype", CODES)
def test_voxels_size_and_origin(tmp_path, cube, name, order, dtype):
    volume = open_volume(write_dm(tmp_path / name, cube.astype(dtype), order=order))
    assert volume.grid.voxel_size_zyx_nm == pytest.approx(VOXEL)
    assert volume.grid.origin_zyx_nm == pytest.approx((100.0, -20.0, 3.5))
    assert volume.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(volume.read(), cube)


def test_large_arrays_stay_in_the_file(tmp_path, rng):
    data = rng.integers(0, 60000, (5, 90, 101)).astype("u2")
    volume = open_volume(write_dm(tmp_path / "a.dm4", data))
    np.testing.assert_array_equal(volume.data[2:4, 50:60, 1], data[2:4, 50:60, 1])


def test_the_image_after_the_thumbnail_is_meant(tmp_path, cube):
    path = write_dm(tmp_path / "a.dm3", cube)
    info = probe(path)
    assert info.series == ("0", "1")
    assert info.metadata["tags"] == {"Operator": "Ada", "Voltage": 300000.0}
    assert open_volume(path, series=0, voxel_size_zyx_nm=VOXEL).grid.shape_zyx == (1, 2, 3)
    with pytest.raises(NotFoundError, match="expected 0 to 1"):
        open_volume(path, series=2)


@pytest.mark.parametrize(("unit", "scale"), [("µm", 1e-3), ("µ m", 1e-3), ("Å", 10.0), (" nm ", 1)])
def test_spellings_of_units(tmp_path, cube, unit, scale):
    spacing = tuple(v * scale for v in (10, 8, 50))
    path = write_dm(tmp_path / "a.dm3", cube, spacing=spacing, units=(unit,) * 3)
    assert open_volume(path).grid.voxel_size_zyx_nm == pytest.approx(VOXEL)


@pytest.mark.parametrize("unit", ["1/nm", "eV", "", "µn"])
def test_no_length_no_volume(tmp_path, cube, unit):
    path = write_dm(tmp_path / "a.dm3", cube, units=("nm", "nm", unit))
    with pytest.raises(UnitError, match=r"z size 50 .* is not a length"):
        open_volume(path)


def test_a_plane_and_a_spectrum(tmp_path, cube):
    plane = open_volume(write_dm(tmp_path / "a.dm3", cube[2]))
    assert plane.grid.voxel_size_zyx_nm == pytest.approx((9, 8, 10))
    np.testing.assert_array_equal(plane.read()[0], cube[2])
    with pytest.raises(AxisError, match="found 1"):
        open_volume(write_dm(tmp_path / "b.dm3", cube[2, 3]))


@pytest.mark.parametrize("keep", [4, 30, 400, 1000])
def test_truncated(tmp_path, cube, keep):
    path = write_dm(tmp_path / "a.dm4", cube)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(FormatError):
        open_volume(path)


def test_other_versions(tmp_path):
    path = tmp_path / "a.dm3"
    path.write_bytes(struct.pack(">III", 5, 0, 1))
    with pytest.raises(FormatError, match="found 5"):
        open_volume(path)
