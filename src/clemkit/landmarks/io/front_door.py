"""The front door of landmark files: find out the format, read, or write by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from clemkit.errors import ArgumentError, FormatError
from clemkit.geometry import Grid, Space
from clemkit.landmarks.io.bigwarp_csv import (
    looks_like_bigwarp_csv,
    read_bigwarp_csv,
    write_bigwarp_csv,
)
from clemkit.landmarks.io.bigwarp_json import read_bigwarp_json, write_bigwarp_json
from clemkit.landmarks.io.column_names import coordinate_groups
from clemkit.landmarks.io.delimited_text import is_number, read_rows, read_text
from clemkit.landmarks.io.elastix_points import (
    looks_like_elastix_points,
    read_elastix_points,
    write_elastix_points,
)
from clemkit.landmarks.io.named_csv import (
    read_named_pairs,
    read_named_points,
    write_named_pairs,
    write_named_points,
)
from clemkit.landmarks.io.napari_points import (
    looks_like_napari_points,
    read_napari_points,
    write_napari_points,
)
from clemkit.landmarks.io.pairs_file import PairsFile, PointsFile
from clemkit.landmarks.io.plain_pairs import looks_like_plain_pairs, read_plain_pairs
from clemkit.landmarks.landmark_set import LandmarkPairs, LandmarkSet

__all__ = [
    "PAIR_FORMATS",
    "POINT_FORMATS",
    "join_points",
    "read_landmark_pairs",
    "read_landmark_points",
    "read_pairs_file",
    "sniff_format",
    "write_landmark_pairs",
    "write_landmark_points",
]

PAIR_FORMATS = ("bigwarp-csv", "bigwarp-json", "named-pairs")
POINT_FORMATS = ("elastix", "napari-points", "named-points")


def sniff_format(path: str | Path) -> str:
    """Return which of the known landmark formats a file has, from its content.

    Raises
    ------
    FormatError
        None of them.
    NotFoundError
        There is no such file.
    """
    text = read_text(path)
    if text.lstrip().startswith("{"):
        return "bigwarp-json"
    if looks_like_elastix_points(text):
        return "elastix"
    rows = read_rows(path)
    if looks_like_bigwarp_csv(rows):
        return "bigwarp-csv"
    header = rows[0][1]
    if looks_like_napari_points(header):
        return "napari-points"
    if looks_like_plain_pairs(rows):
        return "plain-pairs"
    if not all(is_number(cell) for cell in header):
        sets = sum(not g.sigma for g in coordinate_groups(header))
        if sets:
            return "named-points" if sets == 1 else "named-pairs"
    raise FormatError(
        path,
        "expected BigWarp CSV or JSON, elastix point or index, napari points, six "
        "numbers per row without a header, or a table with columns named x, y, z; "
        f"found a first row of {len(header)} cells: {header[:4]}",
    )


def read_pairs_file(
    path: str | Path,
    *,
    unit: str | None = None,
    fixed_unit: str | None = None,
    moving_space: Space,
    fixed_space: Space,
    fixed_path: str | Path | None = None,
    moving_grid: Grid | None = None,
    fixed_grid: Grid | None = None,
) -> PairsFile:
    """Read landmark pairs in any known format, with what was odd about the file.

    Parameters
    ----------
    path : path
        The pairs; or the moving points, if *fixed_path* is given.
    unit : str or None
        Length unit of the numbers (``nm``, ``um``, ``mm``); needed unless the file states it.
    fixed_unit : str, optional
        Length unit of the fixed side where it differs.
    moving_space, fixed_space : Space
        The frames.
    fixed_path : path, optional
        The fixed points, for formats that hold one set per file; row *i* belongs to row *i*.
    moving_grid, fixed_grid : Grid, optional
        For files in voxel indices.

    Raises
    ------
    FormatError, NotFoundError, UnitError, AxisError
        The file cannot be read.
    ArgumentError
        The file holds a single set and *fixed_path* was not given, or the counts differ.
    """
    kind = sniff_format(path)
    if fixed_path is not None:
        moving = read_landmark_points(path, unit=unit, space=moving_space, grid=moving_grid)
        fixed = read_landmark_points(
            fixed_path, unit=fixed_unit or unit, space=fixed_space, grid=fixed_grid
        )
        return join_points(moving, fixed, unit or "nm", fixed_unit or unit or "nm")
    readers: dict[str, Callable[..., PairsFile]] = {
        "bigwarp-csv": read_bigwarp_csv,
        "bigwarp-json": read_bigwarp_json,
        "named-pairs": read_named_pairs,
        "plain-pairs": read_plain_pairs,
    }
    if kind not in readers:
        raise ArgumentError(
            f"{path}: expected landmark pairs; found one set of points ({kind}); "
            "pass the other side's file too"
        )
    return readers[kind](
        path,
        unit=unit,
        fixed_unit=fixed_unit,
        moving_space=moving_space,
        fixed_space=fixed_space,
    )


def read_landmark_pairs(
    path: str | Path,
    *,
    unit: str | None = None,
    moving_space: Space,
    fixed_space: Space,
) -> LandmarkPairs:
    """Read landmark pairs in any known format; see :func:`read_pairs_file` for its findings."""
    file = read_pairs_file(path, unit=unit, moving_space=moving_space, fixed_space=fixed_space)
    return file.pairs


def read_landmark_points(
    path: str | Path, *, unit: str | None = None, space: Space, grid: Grid | None = None
) -> PointsFile:
    """Read one set of points in any known format.

    Parameters
    ----------
    path : path
        The file.
    unit : str or None
        Length unit of the numbers, unless the file states it or *grid* is given.
    space : Space
        Frame of the points.
    grid : Grid, optional
        For files in voxel indices (elastix ``index``, napari).

    Raises
    ------
    FormatError, NotFoundError, UnitError, AxisError
        The file cannot be read.
    ArgumentError
        The file holds pairs.
    """
    kind = sniff_format(path)
    if kind == "elastix":
        return read_elastix_points(path, unit=unit, space=space, grid=grid)
    if kind == "napari-points":
        return read_napari_points(path, unit=unit, space=space, grid=grid)
    if kind == "named-points":
        return read_named_points(path, unit=unit, space=space)
    raise ArgumentError(f"{path}: expected one set of points; found landmark pairs ({kind})")


def join_points(
    moving: PointsFile, fixed: PointsFile, moving_unit: str, fixed_unit: str
) -> PairsFile:
    """Pair two files row by row; the moving file gives the names.

    Raises
    ------
    ArgumentError
        The files have different numbers of points.
    """
    a, b = moving.points, fixed.points
    if len(a) != len(b):
        raise ArgumentError(
            f"landmark pairs: expected as many fixed as moving points ({len(a)}); found {len(b)}"
        )
    renamed = LandmarkSet(
        space=b.space, ids=a.ids, points_zyx_nm=b.points_zyx_nm, sigma_zyx_nm=b.sigma_zyx_nm
    )
    return PairsFile(
        pairs=LandmarkPairs(moving=a, fixed=renamed),
        format=moving.format,
        moving_unit=moving_unit,
        fixed_unit=fixed_unit,
        findings=(*moving.findings, *fixed.findings),
    )


def write_landmark_pairs(
    path: str | Path,
    pairs: LandmarkPairs,
    *,
    format: str | None = None,
    unit: str = "um",
    overwrite: bool = False,
) -> None:
    """Write pairs.

    The format is ``bigwarp-csv`` (default), ``bigwarp-json`` (default for .json) or
    ``named-pairs``.

    Raises
    ------
    ArgumentError
        Unknown format, or the file exists and may not be replaced.
    """
    kind = format or ("bigwarp-json" if Path(path).suffix.lower() == ".json" else "bigwarp-csv")
    writers: dict[str, Callable[..., None]] = {
        "bigwarp-csv": write_bigwarp_csv,
        "bigwarp-json": write_bigwarp_json,
        "named-pairs": write_named_pairs,
    }
    if kind not in writers:
        raise ArgumentError(f"pair format: expected one of {PAIR_FORMATS}; found {kind!r}")
    writers[kind](path, pairs, unit=unit, overwrite=overwrite)


def write_landmark_points(
    path: str | Path,
    points: LandmarkSet,
    *,
    format: str | None = None,
    unit: str = "nm",
    overwrite: bool = False,
) -> None:
    """Write points of one space.

    The format is ``named-points`` (default), ``elastix`` (default for .txt and .pts) or
    ``napari-points``.

    Raises
    ------
    ArgumentError
        Unknown format, or the file exists and may not be replaced.
    """
    elastix = Path(path).suffix.lower() in (".txt", ".pts")
    kind = format or ("elastix" if elastix else "named-points")
    writers: dict[str, Callable[..., None]] = {
        "elastix": write_elastix_points,
        "napari-points": write_napari_points,
        "named-points": write_named_points,
    }
    if kind not in writers:
        raise ArgumentError(f"point format: expected one of {POINT_FORMATS}; found {kind!r}")
    writers[kind](path, points, unit=unit, overwrite=overwrite)
