"""BigWarp transforms: landmark JSON, printed affines, splines in MoBIE tables.

Axis order
    x, y, z in the files; reversed here.
Unit
    Physical, but not stated; pass it (BigWarp shows what the images say, often micrometres).
Direction
    Fixed to moving: BigWarp's thin-plate spline and its printed matrices take points of the
    fixed (target) image to the moving image.
Origin
    Physical coordinates; pixel centres lie at whole multiples of the pixel size.
Handedness
    Kept.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from clemkit.errors import ArgumentError, FormatError, NotFoundError
from clemkit.geometry import FloatArray, Space, as_points
from clemkit.transforms.affine import Affine
from clemkit.transforms.io.json_file import read_json_object, write_json
from clemkit.transforms.io.xyz import affine_from_xyz, affine_to_xyz, points_from_xyz, points_to_xyz
from clemkit.transforms.thin_plate_spline import ThinPlateSpline, fit_thin_plate_spline

__all__ = [
    "BigWarpSpline",
    "bigwarp_affine_line",
    "read_bigwarp_affines",
    "read_bigwarp_json",
    "read_mobie_table_splines",
    "write_bigwarp_json",
]

_AFFINE = re.compile(r"3d-affine:\s*\(([^)]*)\)")
_COLUMN = "thin_plate_spline_uri"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BigWarpSpline:
    """The landmarks that define a BigWarp transform.

    Attributes
    ----------
    fixed_zyx_nm, moving_zyx_nm : (N, 3) float arrays
        Corresponding points; a point that was never set is infinite.
    active : tuple of bool
        Which pairs take part.
    names : tuple of str
        One per pair.
    kind : str
        BigWarp's name of the model.
    """

    fixed_zyx_nm: FloatArray
    moving_zyx_nm: FloatArray
    active: tuple[bool, ...]
    names: tuple[str, ...]
    kind: str = "Thin Plate Spline"

    def __post_init__(self) -> None:
        fixed = as_points(self.fixed_zyx_nm, "BigWarpSpline.fixed_zyx_nm")
        moving = as_points(self.moving_zyx_nm, "BigWarpSpline.moving_zyx_nm")
        counts = {len(fixed), len(moving), len(self.active), len(self.names)}
        if len(counts) != 1:
            raise ArgumentError(f"BigWarpSpline: expected lists of equal length; found {counts}")
        object.__setattr__(self, "fixed_zyx_nm", fixed)
        object.__setattr__(self, "moving_zyx_nm", moving)

    def fixed_to_moving(self, *, source: Space, target: Space) -> ThinPlateSpline:
        """Return BigWarp's own thin-plate spline through the active pairs.

        Raises
        ------
        RegistrationError
            There are too few pairs, or they lie in a plane.
        """
        use = np.array(self.active, dtype=bool)
        use &= np.all(np.isfinite(self.fixed_zyx_nm) & np.isfinite(self.moving_zyx_nm), axis=1)
        return fit_thin_plate_spline(
            self.fixed_zyx_nm[use],
            self.moving_zyx_nm[use],
            source=source,
            target=target,
            kernel="r2_log_r",
            allow_reflection=True,  # what the file says, not what we would fit
        )


def read_bigwarp_json(path: str | Path, *, unit: str) -> BigWarpSpline:
    """Read a transform that BigWarp saved as JSON.

    Parameters
    ----------
    path : path
        The file.
    unit : str
        Physical unit of the coordinates.

    Raises
    ------
    FormatError
        The file is not a 3D BigWarp transform with landmarks.
    """
    return _spline(read_json_object(path), unit, path)


def write_bigwarp_json(
    path: str | Path, spline: BigWarpSpline, *, unit: str, overwrite: bool = False
) -> None:
    """Write landmarks as BigWarp JSON, in *unit*; a point never set becomes ``Infinity``."""
    if not (np.all(np.isfinite(spline.fixed_zyx_nm)) and np.all(np.isfinite(spline.moving_zyx_nm))):
        raise ArgumentError("BigWarp JSON: expected finite points; found an unset one; drop it")
    landmarks = {
        "type": "BigWarpLandmarks",
        "numDimensions": 3,
        "movingPoints": points_to_xyz(spline.moving_zyx_nm, unit).tolist(),
        "fixedPoints": points_to_xyz(spline.fixed_zyx_nm, unit).tolist(),
        "active": list(spline.active),
        "names": list(spline.names),
    }
    write_json(path, {"type": spline.kind, "landmarks": landmarks}, overwrite=overwrite)


def read_bigwarp_affines(
    path: str | Path, *, unit: str, source: Space, target: Space
) -> tuple[Affine, ...]:
    """Read every ``3d-affine: (12 numbers)`` of a text file, in its order.

    Parameters
    ----------
    path : path
        A log or note with lines as BigWarp prints them.
    unit : str
        Physical unit of the coordinates.
    source, target : Space
        Spaces of the fixed and the moving image.

    Raises
    ------
    FormatError
        There is none, or one has not twelve numbers.
    """
    path = Path(path)
    if not path.is_file():
        raise NotFoundError(f"{path}: no such file")
    found = _AFFINE.findall(path.read_text(encoding="utf-8", errors="replace"))
    if not found:
        raise FormatError(path, "expected a line '3d-affine: (12 numbers)'; found none")
    return tuple(
        affine_from_xyz(text.split(","), unit, source=source, target=target, path=path)
        for text in found
    )


def bigwarp_affine_line(fixed_to_moving: Affine, *, unit: str) -> str:
    """Return an affine as BigWarp prints it."""
    numbers = affine_to_xyz(fixed_to_moving, unit).ravel().tolist()
    return f"3d-affine: ({', '.join(map(repr, numbers))})"


def read_mobie_table_splines(path: str | Path, *, unit: str) -> dict[str, BigWarpSpline]:
    """Read the thin-plate splines of a MoBIE collection table.

    Parameters
    ----------
    path : path
        Tab-separated table with a column ``thin_plate_spline_uri`` that holds the JSON itself
        or the name of a JSON file beside the table.
    unit : str
        Physical unit of the coordinates.

    Returns
    -------
    dict of str to BigWarpSpline
        By the ``name`` of the row, or its ``uri``; rows without a spline are left out.

    Raises
    ------
    FormatError
        The column is absent, or a cell is neither JSON nor a local file.
    """
    path = Path(path)
    if not path.is_file():
        raise NotFoundError(f"{path}: no such file")
    lines = path.read_text(encoding="utf-8").splitlines()
    # the JSON cells have bare quotes, so quoting is undone cell by cell
    table = list(csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))
    header = [_unquoted(cell) for cell in table[0]] if table else []
    if _COLUMN not in header:
        raise FormatError(path, f"expected a column {_COLUMN!r}; found {header}")
    splines: dict[str, BigWarpSpline] = {}
    for number, row in enumerate(table[1:], start=2):
        cells = dict(zip(header, map(_unquoted, row), strict=False))
        text = cells.get(_COLUMN, "")
        if not text:
            continue
        name = cells.get("name") or cells.get("uri") or f"row {number}"
        splines[name] = _spline(_cell_json(text, path, number), unit, path)
    return splines


def _cell_json(text: str, path: Path, number: int) -> Mapping[str, Any]:
    if not text.startswith("{"):
        return read_json_object(path.parent / text)
    try:
        data = json.loads(text)
    except json.JSONDecodeError as problem:
        raise FormatError(path, f"line {number}: expected JSON in {_COLUMN}; {problem}") from None
    if not isinstance(data, dict):
        raise FormatError(path, f"line {number}: expected a JSON object in {_COLUMN}")
    return data


def _unquoted(cell: str) -> str:
    text = cell.strip()
    if len(text) >= 2 and text[0] == text[-1] == '"':
        return text[1:-1].replace('""', '"')
    return text


def _spline(data: Mapping[str, Any], unit: str, path: str | Path) -> BigWarpSpline:
    landmarks = data.get("landmarks")
    if not isinstance(landmarks, Mapping) or landmarks.get("type") != "BigWarpLandmarks":
        raise FormatError(path, "expected 'landmarks' of type BigWarpLandmarks; found none")
    if landmarks.get("numDimensions") != 3:
        raise FormatError(
            path, f"numDimensions: expected 3; found {landmarks.get('numDimensions')!r}"
        )
    try:
        moving = points_from_xyz(landmarks["movingPoints"], unit)
        fixed = points_from_xyz(landmarks["fixedPoints"], unit)
        names = tuple(str(n) for n in landmarks.get("names", map(str, range(len(fixed)))))
        active = tuple(bool(a) for a in landmarks.get("active", [True] * len(fixed)))
        return BigWarpSpline(
            fixed_zyx_nm=fixed,
            moving_zyx_nm=moving,
            active=active,
            names=names,
            kind=str(data.get("type", "Thin Plate Spline")),
        )
    except (KeyError, TypeError, ValueError) as problem:
        raise FormatError(
            path, f"expected movingPoints and fixedPoints with three numbers each; {problem}"
        ) from None
