"""Skeletons and meshes: vertices are replaced, everything else stays byte for byte."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from clemkit.errors import ArgumentError, FormatError, UnitError
from clemkit.landmarks.geometry_files import read_geometry, write_geometry

SWC = b"# made by hand\r\n1 1 10.5 20 30 2.5 -1\r\n2 0\t11 21 31 1 1\r\n"
OBJ = b"# cube\nv 10.5 20 30 1.0\nvn 0 0 1\n v 11 21 31 0.5 0.5 0.5\nv 1 2 3\nf 1//1 2//1 3//1\n"
PLY_HEAD = (
    b"ply\nformat %b 1.0\ncomment x\nelement vertex 2\nproperty uchar red\nproperty float x\n"
    b"property float y\nproperty float z\nelement face 1\nproperty list uchar int vertex_indices\n"
    b"end_header\n"
)
FACE = struct.pack("<Biii", 3, 0, 1, 0)
PLY_ASCII = PLY_HEAD % b"ascii" + b"9 10.5 20 30\n8 11 21 31\n3 0 1 0\n"
PLY_LITTLE = (
    PLY_HEAD % b"binary_little_endian"
    + struct.pack("<BfffBfff", 9, 10.5, 20, 30, 8, 11, 21, 31)
    + FACE
)
PLY_BIG = (
    PLY_HEAD % b"binary_big_endian"
    + struct.pack(">BfffBfff", 9, 10.5, 20, 30, 8, 11, 21, 31)
    + FACE
)
STL_BINARY = (
    b"solid but binary".ljust(80)
    + struct.pack("<I", 1)
    + struct.pack("<12fH", 0, 0, 1, 10.5, 20, 30, 11, 21, 30, 1, 2, 30, 77)
)
STL_ASCII = (
    b"solid s\n facet normal 0 0 1\n  outer loop\n   vertex 10.5 20 30\n   vertex 11 21 30\n"
    b"   vertex 1 2 30\n  endloop\n endfacet\nendsolid s\n"
)
FILES = {
    "a.swc": SWC, "a.obj": OBJ, "ascii.ply": PLY_ASCII, "little.ply": PLY_LITTLE,
    "big.ply": PLY_BIG, "binary.stl": STL_BINARY, "ascii.stl": STL_ASCII,
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_points_are_read_in_z_y_x_nanometres_and_written_back(tmp_path, name) -> None:
    path = tmp_path / name
    path.write_bytes(FILES[name])
    geometry = read_geometry(path, unit="um")
    np.testing.assert_array_equal(geometry.points_zyx_nm[0], [30e3, 20e3, 10.5e3])
    moved = geometry.points_zyx_nm + np.array([1e3, 2e3, 3e3])
    out = tmp_path / f"out-{name}"
    write_geometry(out, geometry, moved)
    again = read_geometry(out, unit="um")
    np.testing.assert_allclose(again.points_zyx_nm, moved)
    back = tmp_path / f"back-{name}"
    write_geometry(back, again, geometry.points_zyx_nm)
    # numbers are written in one form, so compare without it
    assert back.read_bytes().replace(b".0", b"") == FILES[name].replace(b".0", b"") or (
        name == "ascii.stl" and b"facet normal" in back.read_bytes()
    )
    assert path.read_bytes() == FILES[name]


def test_what_is_not_a_vertex_stays(tmp_path) -> None:
    for name in ("a.swc", "a.obj", "little.ply", "binary.stl"):
        (tmp_path / name).write_bytes(FILES[name])
        geometry = read_geometry(tmp_path / name, unit="nm")
        write_geometry(tmp_path / f"o-{name}", geometry, geometry.points_zyx_nm * [1, 1, 3])
    assert (
        (tmp_path / "o-a.swc").read_bytes().startswith(b"# made by hand\r\n1 1 31.5 20.0 30.0 2.5")
    )
    obj = (tmp_path / "o-a.obj").read_bytes()
    assert b"v 31.5 20.0 30.0 1.0\nvn 0 0 1\n v 33.0 21.0 31.0 0.5 0.5 0.5\n" in obj
    assert (tmp_path / "o-little.ply").read_bytes().endswith(FACE)
    assert (tmp_path / "o-binary.stl").read_bytes().endswith(struct.pack("<H", 77))


def test_stl_normals_follow_the_triangles(tmp_path) -> None:
    for name in ("binary.stl", "ascii.stl"):
        (tmp_path / name).write_bytes(FILES[name])
        geometry = read_geometry(tmp_path / name, unit="nm")
        write_geometry(tmp_path / f"t-{name}", geometry, geometry.points_zyx_nm[:, [2, 1, 0]])
    binary = (tmp_path / "t-binary.stl").read_bytes()
    normal = np.abs(struct.unpack_from("<3f", binary, 84))
    np.testing.assert_allclose(normal, [1, 0, 0], atol=1e-6)
    text = (tmp_path / "t-ascii.stl").read_text()
    assert abs(float(text.split("normal")[1].split()[0])) == pytest.approx(1)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.swc", b"1 1 x 20 30 2.5 -1\n"),
        ("a.obj", b"v 1 2\n"),
        ("a.obj", b"f 1 2 3\n"),
        ("a.ply", b"not a mesh"),
        ("a.ply", PLY_LITTLE[:-40]),
        ("a.ply", PLY_HEAD % b"ascii" + b"9 10.5 20 30\n"),
        ("a.stl", STL_BINARY[:-10]),
        ("a.stl", STL_ASCII[:70]),
    ],
)
def test_damaged_files_are_refused(tmp_path, name, data) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(FormatError, match="expected"):
        read_geometry(tmp_path / name, unit="nm")


def test_wrong_use_is_refused(tmp_path) -> None:
    path = tmp_path / "a.swc"
    path.write_bytes(SWC)
    with pytest.raises(UnitError, match="--units"):
        read_geometry(path)
    with pytest.raises(ArgumentError, match=r"\.obj"):
        read_geometry(tmp_path / "a.vtk", unit="nm")
    geometry = read_geometry(path, unit="nm")
    points = geometry.points_zyx_nm
    with pytest.raises(ArgumentError, match="exists"):
        write_geometry(path, geometry, points)
    with pytest.raises(ArgumentError, match="radii"):
        write_geometry(tmp_path / "b.swc", geometry, points, unit="um")
    with pytest.raises(ArgumentError, match="points"):
        write_geometry(tmp_path / "b.swc", geometry, points[:1])
    with pytest.raises(ArgumentError, match="finite"):
        write_geometry(tmp_path / "b.swc", geometry, points * np.nan)
    assert [p.name for p in tmp_path.iterdir()] == ["a.swc"]
