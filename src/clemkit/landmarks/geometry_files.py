"""Skeletons and meshes as point sets: read the vertices, write them back moved.

SWC, OBJ, PLY and STL; faces, normals, radii, comments and unknown parts pass through byte for byte,
except that STL normals follow their triangles. None of the formats states a unit.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from clemkit.errors import ArgumentError, FormatError, NotFoundError
from clemkit.geometry import FloatArray, as_points, nanometres_per
from clemkit.landmarks.io.pairs_file import resolve_unit
from clemkit.landmarks.obj_file import read_obj_points, replace_obj_points
from clemkit.landmarks.ply_file import read_ply_points, replace_ply_points
from clemkit.landmarks.stl_file import read_stl_points, replace_stl_points
from clemkit.landmarks.swc_file import read_swc_points, replace_swc_points
from clemkit.transforms.io.atomic_write import atomic_path

__all__ = ["GEOMETRY_SUFFIXES", "GeometryFile", "read_geometry", "write_geometry"]

GEOMETRY_SUFFIXES = (".obj", ".ply", ".stl", ".swc")


@dataclass(frozen=True, slots=True, eq=False)
class GeometryFile:
    """A skeleton or mesh with its vertices.

    Attributes
    ----------
    path : Path
        Where it was read.
    suffix : str
        Format, one of ``GEOMETRY_SUFFIXES``.
    unit : str
        Length unit of its numbers.
    points_zyx_nm : (N, 3) float array
        Vertices in file order (STL: corners of triangles).
    data : bytes
        The file.
    """

    path: Path
    suffix: str
    unit: str
    points_zyx_nm: FloatArray
    data: bytes


def read_geometry(path: str | Path, *, unit: str | None = None) -> GeometryFile:
    """Read a skeleton or mesh.

    Parameters
    ----------
    path : path
        .swc, .obj, .ply or .stl.
    unit : str or None
        Length unit of its coordinates; required.

    Raises
    ------
    NotFoundError, FormatError, UnitError
        The file cannot be read, or no unit was passed.
    ArgumentError
        Another kind of file.
    """
    file = Path(path)
    suffix = file.suffix.lower()
    if suffix not in GEOMETRY_SUFFIXES:
        raise ArgumentError(
            f"{path}: expected one of {', '.join(GEOMETRY_SUFFIXES)}; found {suffix or 'no suffix'}"
        )
    if not file.is_file():
        raise NotFoundError(f"{path}: expected a file; found nothing there")
    chosen = resolve_unit(None, unit, path)
    data = file.read_bytes()
    readers = {
        ".obj": read_obj_points,
        ".ply": read_ply_points,
        ".stl": read_stl_points,
        ".swc": read_swc_points,
    }
    xyz = readers[suffix](data, path)
    if len(xyz) == 0:
        raise FormatError(path, "expected at least one vertex; found none")
    if not np.all(np.isfinite(xyz)):
        raise FormatError(path, "expected finite coordinates; found NaN or infinity")
    points = xyz[:, ::-1] * nanometres_per(chosen)
    return GeometryFile(file, suffix, chosen, points, data)


def write_geometry(
    path: str | Path,
    geometry: GeometryFile,
    points_zyx_nm: ArrayLike,
    *,
    unit: str | None = None,
    overwrite: bool = False,
) -> None:
    """Write a skeleton or mesh with other vertices.

    Parameters
    ----------
    path : path
        New file, of the same format.
    geometry : GeometryFile
        What was read.
    points_zyx_nm : (N, 3) array-like
        New vertices in the same order.
    unit : str, optional
        Unit to write; that of *geometry* by default. SWC radii are not converted, so another unit
        is refused there.
    overwrite : bool
        Whether an existing file may be replaced.

    Raises
    ------
    ArgumentError
        Other suffix, number of points or (SWC) unit, points that are not finite, or the file
        exists.
    """
    points = as_points(points_zyx_nm)
    chosen = unit or geometry.unit
    if Path(path).suffix.lower() != geometry.suffix:
        raise ArgumentError(f"{path}: expected suffix {geometry.suffix} as the input has")
    if points.shape != geometry.points_zyx_nm.shape:
        raise ArgumentError(
            f"{path}: expected {len(geometry.points_zyx_nm)} points; found {len(points)}"
        )
    if not np.all(np.isfinite(points)):
        raise ArgumentError(f"{path}: expected finite points; found NaN or infinity")
    if geometry.suffix == ".swc" and nanometres_per(chosen) != nanometres_per(geometry.unit):
        raise ArgumentError(f"{path}: expected the unit {geometry.unit} of the SWC file's radii")
    xyz = np.ascontiguousarray(points[:, ::-1]) / nanometres_per(chosen)
    if geometry.suffix == ".ply":
        data = replace_ply_points(geometry.data, xyz, geometry.path)
    else:
        replacers = {
            ".obj": replace_obj_points,
            ".stl": replace_stl_points,
            ".swc": replace_swc_points,
        }
        data = replacers[geometry.suffix](geometry.data, xyz)
    with atomic_path(path, overwrite=overwrite) as temporary:
        temporary.write_bytes(data)
